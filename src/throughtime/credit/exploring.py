"""A readout that explores: what a lucky fluctuation of the output came from is strengthened at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime import gaussian
from throughtime.credit.stepper import Share, Stepper

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record, Wiring

    RuleState = dict[str, Array]

UNIFORM, GAUSSIAN = DISTRIBUTIONS = ("uniform", "gaussian")
TIME = "rule_time"


class Averages(NamedTuple):
    """Running means of one trial.

    Attributes:
        output: z̄, (output,); performance: P̄, ().
        seen, judged: () 1 once there was a step, or a step with positive mask, else 0.
    """

    output: Array
    performance: Array
    seen: Array
    judged: Array


@dataclass(frozen=True)
class ExploringReadout(Stepper):
    """``ΔW_out = η M (z − z̄) rᵀ`` with M = 1 where the performance exceeds its running mean, else 0.

    The means contain the step itself, and begin at the first value they meet; a first step moves nothing.

    Attributes:
        dt: ms; rate: η at first; decay_time: ms of learning after which η is halved.
        keep: part of a running mean left after one step.
        amplitude: half width of uniform noise on the outputs, SD of Gaussian noise; 0: none.
        distribution: one of ``DISTRIBUTIONS``.
    """

    dt: float = 1.0
    rate: float = 5e-4
    decay_time: float = 2e4
    keep: float = 0.8
    amplitude: float = 0.5
    distribution: str = UNIFORM

    @property
    def learns(self) -> bool:
        """The time spent learning counts on from trial to trial."""
        return True

    def exploration(self, key: Array, num_steps: int, num_outputs: int) -> Array | None:
        """Independent noise at every output and step."""
        if self.amplitude == 0:
            return None
        if self.distribution == GAUSSIAN:
            return self.amplitude * gaussian.normal(key, num_steps, num_outputs)

        def at(index: Array) -> Array:
            return jax.random.uniform(jax.random.fold_in(key, index), (num_outputs,), jnp.float32, -1.0, 1.0)

        return self.amplitude * jax.vmap(at)(jnp.arange(num_steps))

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> Averages:
        """Nothing met yet."""
        none = jnp.zeros((), dtype)
        return Averages(jnp.zeros(plan.outputs, dtype), none, none, none)

    def step(
        self, plan: Layout, state: RuleState, memory: Averages, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Averages, Share]:
        """See :class:`~throughtime.credit.stepper.Stepper`."""
        now, _ = self.sense(plan, state, memory, now, wires)
        assert now.mask is not None
        assert now.output is not None
        judged, performance = (now.mask > 0).any(), now.scalar
        assert performance is not None
        mean = jnp.where(memory.seen > 0, self.mean(memory.output, now.output), now.output)
        usual = jnp.where(memory.judged > 0, self.mean(memory.performance, performance), performance)
        better = judged & (performance > usual)
        rate = self.rate / (1 + state[TIME] / self.decay_time)
        move = jnp.where(better & (now.mask > 0), rate * (now.output - mean), 0)
        changed = {**state, TIME: state[TIME] + jnp.where(judged, self.dt, 0)}
        averages = Averages(
            mean,
            jnp.where(judged, usual, memory.performance),
            jnp.ones_like(memory.seen),
            jnp.where(judged, 1, memory.judged),
        )
        return (
            changed,
            averages,
            Share(readout=-jnp.outer(move, now.read), readout_bias=jnp.zeros_like(now.output)),
        )

    def sense(
        self, plan: Layout, state: RuleState, memory: Averages, now: Record, wires: Wiring
    ) -> tuple[Record, Averages]:
        """The performance of this step."""
        if now.scalar is not None:
            return now, memory
        assert now.mask is not None
        assert now.output is not None
        return now._replace(scalar=-(now.mask * (now.output - now.targets) ** 2).sum()), memory

    def mean(self, before: Array, now: Array) -> Array:
        """A running mean with one more value."""
        return self.keep * before + (1 - self.keep) * now
