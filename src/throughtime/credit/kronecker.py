"""The influence of all synapses on all neurons as a product of two factors, one of them a matrix.

As in :mod:`throughtime.credit.rank_one`, the random signs of a step are the same in both factors, so that the
product has the mean M_t; one of the factors is a whole matrix of influences on the states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp

from throughtime.credit.rank_one import RankOne, balance, moved, only_fed, size
from throughtime.credit.stepper import Share, nothing_of, sum_over

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record, Wiring
    from throughtime.credit.stepper import RuleState


class Factors(NamedTuple):
    """What is kept.

    Attributes:
        outer: A. :class:`Sources`: (slot,); :class:`Receivers`: (drive, unit).
        states: B, (variable, unit, column). Columns are drives and units in turn; or slots.
        filtered: (unit, column), B as a leaky readout reads it, or None.
    """

    outer: Array
    states: Array
    filtered: Array | None


@dataclass(frozen=True)
class Sources(RankOne):
    """KF-RTRL: a factor over presynaptic slots and a matrix, ``M ≈ A ⊗ B``; O(n²) memory, O(n³) time.

    With a sign ν, ``p0 = √(‖JB‖/‖A‖)`` and ``p1 = √(‖D‖/‖p_t‖)``::

        A ← p0 A + ν p1 p_t,   B ← J B/p0 + ν D/p1,   share_ij = (q̃ᵀB)_i A_j

    The published form has a second sign, which multiplies both factors whole and cancels in their product.
    """

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> Factors:
        """Zeros."""
        states = jnp.zeros((len(plan.variables), plan.units, plan.drives * plan.units), dtype)
        filtered = jnp.zeros_like(states[0]) if self.decay > 0 else None
        return Factors(jnp.zeros(plan.slots, dtype), states, filtered)

    def forget_readout(self, memory: Factors) -> Factors:
        """With nothing in B as a leaky readout reads it."""
        return memory._replace(filtered=nothing_of(memory.filtered))

    def step(
        self, plan: Layout, state: RuleState, memory: Any, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Factors, Share]:
        """See :class:`Stepper`."""
        sign = self.signs(state, now, key, 1)[0]
        onward = moved(plan, now, wires, memory.states)
        older = balance(size(onward), size(memory.outer))
        newer = balance(size(now.enter), size(now.sources))
        own = jnp.eye(plan.units, dtype=bool)[:, None]
        entering = jnp.swapaxes(now.enter, 1, 2)[..., None] * (sign / newer)
        direct = jnp.where(own, entering, 0).reshape(onward.shape)
        outer = older * memory.outer + sign * newer * now.sources
        states = onward / older + direct
        filtered = self.filtered(now, states, memory.filtered, 1 / older)
        felt = self.felt(now, wires, states, filtered).reshape(plan.drives, plan.units)
        return state, Factors(outer, states, filtered), Share(only_fed(plan, felt[..., None] * outer))


@dataclass(frozen=True)
class Receivers(RankOne):
    """R-KF-RTRL: a factor over receiving neurons and a matrix, ``M ≈ A ⊗ B``; O(n m) memory, O(n² m) time.

    With ν a sign for every drive of every neuron, ``p0 = √(‖JB‖/‖A‖)`` and ``p1 = √(‖D‖‖p_t‖/‖ν‖)``::

        A ← p0 A + p1 ν,   B ← J B/p0 + (Dν) p_tᵀ/p1,   share_ij = A_i (q̃ᵀB)_j
    """

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> Factors:
        """Zeros."""
        states = jnp.zeros((len(plan.variables), plan.units, plan.slots), dtype)
        filtered = jnp.zeros_like(states[0]) if self.decay > 0 else None
        return Factors(jnp.zeros((plan.drives, plan.units), dtype), states, filtered)

    def forget_readout(self, memory: Factors) -> Factors:
        """With nothing in B as a leaky readout reads it."""
        return memory._replace(filtered=nothing_of(memory.filtered))

    def step(
        self, plan: Layout, state: RuleState, memory: Any, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Factors, Share]:
        """See :class:`Stepper`."""
        signs = self.signs(state, now, key, memory.outer.size).reshape(memory.outer.shape)
        onward = moved(plan, now, wires, memory.states)
        older = balance(size(onward), size(memory.outer))
        newer = balance(size(now.enter) * size(now.sources), memory.outer.size**0.5)
        entering = sum_over(lambda g: now.enter[:, g] * signs[g], plan.drives) / newer
        outer = older * memory.outer + newer * signs
        states = onward / older + entering[..., None] * now.sources
        filtered = self.filtered(now, states, memory.filtered, 1 / older)
        felt = self.felt(now, wires, states, filtered)
        return state, Factors(outer, states, filtered), Share(only_fed(plan, outer[..., None] * felt))
