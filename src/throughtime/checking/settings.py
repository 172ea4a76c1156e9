"""Small circuits and trials that checks are made on."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.checking.arrays import central_differences
from throughtime.circuits import (
    GRU,
    LSTM,
    Adaptive,
    Circuit,
    Dale,
    Dense,
    Leaky,
    LowRank,
    MultiRegion,
    ShortTermPlasticity,
    Sparse,
)
from throughtime.frozen import FrozenArray
from throughtime.objectives import SquaredError
from throughtime.trial import Trial

if TYPE_CHECKING:
    from jax import Array

UNITS, INPUTS, OUTPUTS, STEPS, TRIALS = 5, 3, 2, 12, 3
TAU = FrozenArray(np.linspace(25.0, 150.0, UNITS))
OBJECTIVE = SquaredError()


@dataclass(frozen=True)
class SameNoise(Circuit):
    """A circuit whose noise is that of one key whatever key it is given.

    Another key then changes what a rule draws and nothing else.
    """

    def noise(self, key: Array, num_steps: int, first: Array | int = 0) -> Array:
        """Noise (time, unit) that does not depend on ``key``."""
        return super().noise(jax.random.key(17), num_steps, first)


def circuit_of(
    dynamics: Any = None, recurrent: Any = None, kind: type[Circuit] = Circuit, **fields: Any
) -> Circuit:
    """Five units, step 20 ms."""
    return kind(
        num_inputs=INPUTS,
        num_units=UNITS,
        num_outputs=OUTPUTS,
        dt=fields.pop("dt", 20.0),
        dynamics=Leaky(tau=TAU) if dynamics is None else dynamics,
        recurrent=Dense(gain=1.2) if recurrent is None else recurrent,
        **fields,
    )


def noisy_circuit() -> Circuit:
    """Leaky current units with a time constant each, and the same noise in every trial."""
    return circuit_of(kind=SameNoise, noise_sd=0.1)


def params_of(circuit: Circuit, seed: int = 0) -> dict[str, Array]:
    """Initial parameters, every bias moved away from its initial value; float64 where that is enabled."""
    drawn, rng = circuit.init(key=jax.random.key(seed)), np.random.default_rng(seed)
    return {
        name: jnp.asarray(
            np.asarray(value, float) + (0.3 * rng.normal(size=value.shape) if "bias" in name else 0)
        )
        for name, value in drawn.items()
    }


def trials_of(circuit: Circuit, num_trials: int = TRIALS, num_steps: int = STEPS, seed: int = 0) -> Trial:
    """Trials of unequal length and mask, zero on padding."""
    rng = np.random.default_rng(seed)
    lengths = num_steps - (num_steps // 6 + 1) * (np.arange(num_trials) % 3)
    valid = np.arange(num_steps) < lengths[:, None]
    mask = rng.uniform(0.5, 2.0, (num_trials, num_steps, circuit.num_outputs))
    inputs = rng.normal(size=(num_trials, num_steps, circuit.num_inputs))
    targets = rng.normal(size=(num_trials, num_steps, circuit.num_outputs))
    arrays = [jnp.asarray(array * valid[..., None]) for array in (inputs, targets, mask)]
    return Trial(arrays[0], arrays[1], arrays[2], jnp.asarray(valid), {}, {})


def padded(trials: Trial, more: int) -> Trial:
    """The same trials with ``more`` further steps that are not valid, and finite garbage on all padding."""

    def longer(leaf: Array) -> Array:
        return jnp.concatenate([leaf, jnp.zeros((leaf.shape[0], more, *leaf.shape[2:]), leaf.dtype)], 1)

    inputs, targets, mask, valid = (longer(leaf) for leaf in trials[:4])
    live = valid[..., None]
    return trials._replace(
        inputs=jnp.where(live, inputs, 7.0), targets=jnp.where(live, targets, -3.0), mask=mask, valid=valid
    )


def losses(circuit: Circuit, params: dict[str, Array], trials: Trial) -> Array:
    """(trial,) losses by ``circuit.run``, one trial at a time; noise as of any key."""

    def one(trial: Trial) -> Array:
        steps = trial.inputs.shape[0]
        noise = circuit.noise(jax.random.key(0), steps) if circuit.noise_sd > 0 else None
        return OBJECTIVE(circuit.run(params, trial.inputs, valid=trial.valid, noise=noise).outputs, trial)

    return jax.vmap(one)(trials)


@functools.lru_cache(maxsize=4)
def _differences(circuit: Circuit) -> Any:
    def both(params: Any, trials: Trial) -> Any:
        def loss(at: Any) -> Array:
            return losses(circuit, at, trials).mean()

        return losses(circuit, params, trials), central_differences(loss, params, 1e-5)

    return jax.jit(both)


def differences(circuit: Circuit, params: dict[str, Array], trials: Trial) -> tuple[Array, dict[str, Array]]:
    """(trial,) losses and central differences of their mean by every parameter; float64 must be enabled."""
    found: tuple[Array, dict[str, Array]] = _differences(circuit)(params, trials)
    return found


NON_NEGATIVE = Leaky(tau=TAU, activation="softplus")


def kinds_of_circuits() -> dict[str, Circuit]:
    """Circuits a rule may meet, one for each dynamics, connectivity and further field, by what they have."""
    return {
        "leaky units in the rate form": circuit_of(Leaky(tau=TAU, form="rate")),
        "trained time constants": circuit_of(Leaky(tau=60.0, form="rate", tau_range=(25.0, 200.0))),
        "adaptation": circuit_of(Adaptive(tau=60.0, tau_adaptation=200.0)),
        "short-term plasticity": circuit_of(ShortTermPlasticity(tau=60.0, activation="softplus")),
        "GRU": circuit_of(GRU()),
        "GRU, reset before": circuit_of(GRU(reset="before")),
        "LSTM": circuit_of(LSTM()),
        "sparse": circuit_of(recurrent=Sparse(density=0.6)),
        "Dale": circuit_of(NON_NEGATIVE, Dale(base=Sparse(density=0.8))),
        "low rank": circuit_of(recurrent=LowRank(rank=2)),
        "regions": circuit_of(recurrent=MultiRegion(sizes=(3, 2), names=("a", "b"), base=Dense(gain=1.2))),
        "a leaky readout": circuit_of(readout_tau=60.0),
        "a fed-back output": circuit_of(output_feedback=True),
    }
