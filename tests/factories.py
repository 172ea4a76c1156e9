"""Small circuits and trials for tests of the engine, in float64 where asked."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits import Circuit, Dense, Leaky
from throughtime.frozen import FrozenArray
from throughtime.trial import Trial

UNITS, INPUTS, OUTPUTS, STEPS, TRIALS = 6, 3, 2, 9, 5


def small_circuit(form: str, activation: str = "tanh", noise: float = 0.0, **fields: Any) -> Circuit:
    """Six units, each with a time constant of its own, step 20 ms."""
    tau = FrozenArray(np.linspace(25.0, 150.0, UNITS))
    return Circuit(
        num_inputs=INPUTS,
        num_units=UNITS,
        num_outputs=OUTPUTS,
        dt=20.0,
        dynamics=Leaky(tau=tau, activation=activation, form=form),
        recurrent=Dense(gain=1.2),
        noise_sd=noise,
        **fields,
    )


def random_params(circuit: Circuit, seed: int = 0) -> dict[str, Any]:
    """Parameters with nonzero biases, in float64 under x64."""
    params = circuit.init(key=jax.random.key(seed))
    rng = np.random.default_rng(seed)
    return {
        name: jnp.asarray(
            np.asarray(value, float) + (0.3 * rng.normal(size=value.shape) if "bias" in name else 0)
        )
        for name, value in params.items()
    }


def random_trials(seed: int = 0, num_trials: int = TRIALS, num_steps: int = STEPS) -> Trial:
    """A batch of unequal lengths with a ragged mask; inputs, targets and mask are zero on padding."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(num_steps - 3, num_steps + 1, num_trials)
    lengths[0] = num_steps
    valid = np.arange(num_steps) < lengths[:, None]
    mask = (rng.uniform(size=(num_trials, num_steps, OUTPUTS)) > 0.3) * rng.uniform(0.5, 2.0, (1, 1, OUTPUTS))
    mask[:, num_steps // 2] = 1.0
    inputs = rng.normal(size=(num_trials, num_steps, INPUTS))
    targets = rng.normal(size=(num_trials, num_steps, OUTPUTS))
    live = valid[..., None]
    arrays = [jnp.asarray(array * live) for array in (inputs, targets, mask)]
    return Trial(*arrays, jnp.asarray(valid), {}, {})
