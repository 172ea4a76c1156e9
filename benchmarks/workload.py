"""What is computed: one batch of cue-set-go trials, 150 steps, through a leaky or a gated circuit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import keys, tasks
from throughtime.circuits import GRU, LSTM, Circuit, Dense, Leaky, for_task
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT
from throughtime.training.plan import Plan, SeedState
from throughtime.training.update import make_trials, start

DT_MS, TAU_MS, NOISE_SD = 20.0, 100.0, 0.05
GATED = {"lstm": LSTM, "gru": GRU}


@cache
def _first_batch(task: Any, num_trials: int) -> tuple[Any, Any]:
    """Trials and key of the first update of data seed 0; they do not depend on the circuit."""
    return jax.jit(lambda seed: make_trials(task, num_trials, seed, 0))(jnp.array(0))


@dataclass(frozen=True)
class Workload:
    """Sizes of a training step, and from them everything the contenders need.

    Attributes:
        form: of leaky units, ``current`` or ``rate``; or gated units, ``lstm`` or ``gru`` (reset after).
        num_units, num_trials, num_steps: N, B, T.
        noise: whether the circuit has recurrent noise.
        tau: time constant of the units, ms; equal to the step of 20 ms it gives a vanilla circuit.
    """

    form: str = "current"
    num_units: int = 128
    num_trials: int = 64
    num_steps: int = 150
    noise: bool = False
    tau: float = TAU_MS

    @property
    def gated(self) -> bool:
        """Whether units have gates."""
        return self.form in GATED

    @property
    def alpha(self) -> float:
        """``dt / tau``."""
        return DT_MS / self.tau

    @cached_property
    def task(self) -> Any:
        """Cue-set-go, every trial ``num_steps`` long, without input noise."""
        scale = self.num_steps * DT_MS / 3000.0
        interval = tasks.Uniform(400.0 * scale, 1400.0 * scale)
        return tasks.CueSetGo(dt=DT_MS, noise=0.0, interval=interval, trial_end=self.num_steps * DT_MS)

    @cached_property
    def circuit(self) -> Circuit:
        """Leaky tanh units, or gated ones; dense weights of gain 1."""
        return for_task(
            self.task,
            self.num_units,
            dynamics=GATED[self.form]() if self.gated else Leaky(tau=self.tau, form=self.form),
            recurrent=Dense(gain=1.0),
            noise=NOISE_SD if self.noise else 0.0,
        )

    def plan(self, cores: int = 1) -> Plan:
        """The training plan: BPTT, squared error, adam."""
        return Plan(
            task=self.task,
            circuit=self.circuit,
            rule=BPTT(),
            objective=SquaredError(),
            optimizer="adam",
            clip=None,
            batch_size=self.num_trials,
            cores=cores,
        )

    def states(self, num_seeds: int = 1) -> SeedState:
        """Untrained states of ``num_seeds`` seeds."""
        seeds = jnp.arange(num_seeds)
        return start(self.plan(), seeds, seeds, seeds)

    @cached_property
    def params(self) -> dict[str, Any]:
        """Parameters of the first seed."""
        return self.circuit.init(key=keys.seed_key(0, "init"))

    @cached_property
    def batch(self) -> tuple[Any, Any]:
        """The first update's trials, and the key its noise is drawn from."""
        return _first_batch(self.task, self.num_trials)

    @cached_property
    def trial_keys(self) -> Any:
        """Keys of the trials, as the update makes them."""
        return jax.vmap(jax.random.fold_in, (None, 0))(self.batch[1], jnp.arange(self.num_trials))

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Inputs, targets and mask of the batch, time-major (time, trial, …), contiguous."""
        trials = self.batch[0]
        return {
            name: np.ascontiguousarray(np.swapaxes(getattr(trials, name), 0, 1))
            for name in ("inputs", "targets", "mask")
        }

    @cached_property
    def drawn_noise(self) -> np.ndarray:
        """Drive noise of the batch (time, trial, unit); zeros for a circuit without."""
        if not self.noise:
            return np.zeros((self.num_steps, self.num_trials, self.num_units), np.float32)
        draw = jax.vmap(lambda key: self.circuit.noise(key, self.num_steps), out_axes=1)
        return np.asarray(jax.jit(draw)(self.trial_keys))

    @property
    def noise_scale(self) -> float:
        """Standard deviation of the drive noise: ``σ √(2τ/dt)``, or 0."""
        return NOISE_SD * (2 * self.tau / DT_MS) ** 0.5 if self.noise else 0.0
