"""The contract of what is carried forward in time.

A stepper reads one step of a :class:`~throughtime.credit.record.Record` after the other and gives, at each
step, that step's share of the gradient. With frozen weights the sum of the shares over a trial is what the
reverse recursion gives for the same feedback and transport; single steps differ, since a share belongs to a
*loss* and a term of the recursion to a *use* of a synapse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record, Wiring

    Memory = Any
    RuleState = dict[str, Array]


class Share(NamedTuple):
    """What one step adds to the gradient; None where a stepper has no part in it.

    Attributes:
        slots: (drive, unit, slot) by the weights of all presynaptic slots.
        own: (own, unit) by the neurons' own parameters.
        initial: (variable, unit) by the state before the first step.
        readout: (output, unit), readout_bias: (output,): in place of the delta rule.
    """

    slots: Array | None = None
    own: Array | None = None
    initial: Array | None = None
    readout: Array | None = None
    readout_bias: Array | None = None


@dataclass(frozen=True)
class Stepper:
    """Base of all that is carried forward in time.

    Attributes of a subclass:
        filters: whether it filters its shares itself where the readout is leaky, with ``decay`` κ.
        learns: whether it changes the rule's state within the trial; the engine then takes the mean over
            trials at every step.
        twin_sd: standard deviation of the noise of a twin run, or None for no twin.
        draws: whether it draws at every step; then every trial goes through a warm-up with its own draws.
    """

    decay: float = 0.0

    @property
    def filters(self) -> bool:
        """False unless a stepper says so."""
        return False

    @property
    def stands_still(self) -> bool:
        """Whether memory stays as it is by itself in a step with ``A = 1`` and ``b = 0``; False by default.

        The engine then masks these derivatives on padding instead of selecting between old and new memory,
        which would cost a copy of it.
        """
        return False

    @property
    def learns(self) -> bool:
        """False unless a stepper says so."""
        return False

    @property
    def twin_sd(self) -> float | None:
        """No twin unless a stepper says so."""
        return None

    @property
    def draws(self) -> bool:
        """False unless a stepper says so."""
        return False

    def exploration(self, key: Array, num_steps: int, num_outputs: int) -> Array | None:
        """Noise on the outputs of one trial, (time, output), added before they are judged or fed back.

        None by default, and only where the weights move within the trial.

        Args:
            key: of the trial; more steps must not change the draws of earlier ones.
        """
        return None

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> Memory:
        """What is carried before the first step of a trial."""
        return ()

    def from_given_state(self, memory: Memory) -> Memory:
        """What is carried before the first step of a trial that starts from a given state.

        No parameter made that state, so the influence of a learned initial state is taken out.

        Args:
            memory: from :meth:`begin`. Returned as it is unless a stepper says otherwise.
        """
        return memory

    def forget_readout(self, memory: Memory) -> Memory:
        """What is carried with nothing in the filter of the outputs, which is empty when a trial starts.

        Args:
            memory: as a warm-up leaves it. Returned as it is unless a stepper filters.
        """
        return memory

    def sense(
        self, plan: Layout, state: RuleState, memory: Memory, now: Record, wires: Wiring
    ) -> tuple[Record, Memory]:
        """What :meth:`step` reads that no record of the circuit holds, such as a teacher's error.

        Returns:
            the record with it, as it is where that is there already, and the memory once it was sensed.
        """
        return now, memory

    def step(
        self, plan: Layout, state: RuleState, memory: Memory, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Memory, Share]:
        """Take in one step of one trial.

        Args:
            state: the rule's state; memory: from :meth:`begin` or the step before.
            now: the step; wires: the matrices in use.
            key: for this step's draws.

        Returns:
            the rule's state (changed only where ``learns``), new memory, and this step's share.
        """
        raise TypeError(f"{type(self).__name__} must define step(...).")


def injected(plan: Layout, now: Record) -> Array:
    """``b_t p_t``: the direct influence of each synapse on its own neuron, (variable, drive, unit, slot)."""
    direct = now.enter[:, :, :, None] * now.sources
    return direct if plan.drives == 1 else jnp.where(plan.feeds[:, None, :], direct, 0)


def apply_keep(keep: Array, memory: Array) -> Array:
    """``A m``: (variable, earlier variable, unit) applied to (earlier variable, …, unit)."""
    count = keep.shape[0]
    rows = [[keep[v, w] * memory[w] for w in range(count)] for v in range(count)]
    return jnp.stack([sum(row[1:], row[0]) for row in rows])


def through(derivative: Array, memory: Array) -> Array:
    """``Σ_v c_v m_v``: (variable, unit) with (variable, …, unit)."""
    each = [derivative[v] * memory[v] for v in range(derivative.shape[0])]
    return sum(each[1:], each[0])


def nothing_of(memory: Memory) -> Memory:
    """Zeros of the same structure."""
    return jax.tree.map(jnp.zeros_like, memory)


def fed(plan: Layout, values: Array) -> Array:
    """Rows of the drives that recurrent synapses feed; axis 1 is the drive."""
    return values if plan.drives == 1 else values[:, jnp.asarray(plan.recurrent_drives)]


def sum_over(term: Any, count: int) -> Array:
    """``Σ term(index)`` over a few indices, unrolled."""
    each = [term(index) for index in range(count)]
    return sum(each[1:], each[0])


@dataclass(frozen=True)
class Silent(Stepper):
    """Nothing is carried and nothing but the readout learns."""

    @property
    def filters(self) -> bool:
        """There is nothing to filter."""
        return True

    @property
    def stands_still(self) -> bool:
        """There is nothing that could move."""
        return True

    def step(
        self, plan: Layout, state: RuleState, memory: Memory, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Memory, Share]:
        """No share of its own: the delta rule for the readout remains."""
        return state, memory, Share()
