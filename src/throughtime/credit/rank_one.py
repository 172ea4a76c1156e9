"""The influence of all synapses on all neurons as a product of two small factors that is right on average.

With the state-level Jacobian J_t, variables and units together, real-time recurrent learning keeps

    M_t = J_t M_{t−1} + D_t ⊗ p_t,   M_0 = 0,

where D_t is ``b_t`` with every drive on its own neuron. Each stepper keeps two factors whose product has the
mean M_t: random signs, the same in both factors, let the two terms of the sum be added within each factor
while the mixed products cancel on average. The scales p0 and p1 multiply one factor and divide the other:
they leave each term of the product as it is and balance the sizes of the factors, which keeps noise small.

A leaky readout reads ``f_t = κ f_{t−1} + c_t s_t``. That is one more linear variable of each neuron, so the
factor that holds states carries it along, and the shares have the right mean there too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.credit.stepper import Share, Stepper, fed, nothing_of, sum_over, through

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record, Wiring
    from throughtime.credit.stepper import RuleState

GUARD = 1e-7


def moved(plan: Layout, now: Record, wires: Wiring, influence: Array) -> Array:
    """``J_t m``: what an influence on the states, (variable, unit[, column]), is one step later."""

    def along(factor: Array) -> Array:
        return factor if influence.ndim == 2 else factor[:, None]

    assert wires.transport is not None
    count, enter = len(plan.variables), fed(plan, now.enter)
    sent = sum_over(lambda w: along(now.sending[w]) * influence[w], count)
    arriving = [matrix @ sent for matrix in wires.transport]

    def new(v: int) -> Array:
        kept = sum_over(lambda w: along(now.keep[v, w]) * influence[w], count)
        return kept + sum_over(lambda g: along(enter[v, g]) * arriving[g], len(arriving))

    return jnp.stack([new(v) for v in range(count)])


def size(*arrays: Array) -> Array:
    """Euclidean norm of all numbers together."""
    return jnp.sqrt(sum((jnp.sum(array * array) for array in arrays[1:]), jnp.sum(arrays[0] * arrays[0])))


def balance(one: Any, other: Any) -> Array:
    """``√(one/other)``, 1 where both are 0."""
    return jnp.sqrt((one + GUARD) / (other + GUARD))


def only_fed(plan: Layout, slots: Array) -> Array:
    """(drive, unit, slot) with zeros where a drive has no such synapses."""
    return slots if plan.drives == 1 else jnp.where(plan.feeds[:, None, :], slots, 0)


@dataclass(frozen=True)
class RankOne(Stepper):
    """Base of the steppers that keep two factors."""

    @property
    def filters(self) -> bool:
        """The leak of a readout is carried along."""
        return True

    @property
    def draws(self) -> bool:
        """It draws at every step, in a warm-up too."""
        return True

    def signs(self, state: RuleState, now: Record, key: Array, count: int, start: bool = False) -> Array:
        """Independent signs ±1 of one step, (count,); 32 of them from every random word.

        Args:
            state: the rule's state; now: the step; start: whether they are the factors before the first step.
                Unused here: for those who set the signs themselves.
            key: key of the draw.
        """
        words = jax.random.bits(key, (-(-count // 32),), jnp.uint32)
        bits = (words[:, None] >> jnp.arange(32, dtype=jnp.uint32)) & 1
        return 1 - 2 * bits.reshape(-1)[:count].astype(now.sources.dtype)

    def filtered(self, now: Record, states: Array, before: Array | None, scale: Any) -> Array | None:
        """What a leaky readout reads of the factor that holds states, (unit[, column]); None without a leak.

        Args:
            states: the factor after the step, (variable, unit[, column]).
            before: the answer of the step before.
            scale: the number by which the factor's older part was multiplied.
        """
        return None if before is None else self.decay * scale * before + read(now, states)

    def felt(self, now: Record, wires: Wiring, states: Array, filtered: Array | None) -> Array:
        """``q̃ᵀ`` applied to the factor that holds states, () or (column,)."""
        error, at_once = wires.feedback @ now.error, read(now, states)
        return (error + now.direct) @ at_once if filtered is None else error @ filtered + now.direct @ at_once


def read(now: Record, states: Array) -> Array:
    """``Σ_v c_v s_v`` of a factor (variable, unit[, column])."""
    return through(now.reading if states.ndim == 2 else now.reading[:, :, None], states)


class StateTimesSynapse(NamedTuple):
    """The factors of :class:`Unbiased`.

    Attributes:
        states: A, (variable, unit); filtered: (unit,) as a leaky readout reads it, or None.
        slots: B of the synapses, (drive, unit, slot).
        own, initial: B of the neurons' own parameters (own, unit) and of a learned initial state
            (variable, unit); None where there are none.
        own_filtered: (own, unit), ``∂r/∂π`` at once as a leaky readout reads it, or None.
        begun: () 0 before the first step and 1 after, where that step draws factors, else None; −1 before
            the first step from a given state, where a learned one has no influence.
    """

    states: Array
    filtered: Array | None
    slots: Array
    own: Array | None
    initial: Array | None
    own_filtered: Array | None
    begun: Array | None


@dataclass(frozen=True)
class Unbiased(RankOne):
    """UORO: a factor over states and one over synapses, ``M ≈ A ⊗ B``; O(n m) memory, O(n² + n m) time.

    With ν a sign for every state, ``p0 = √(‖B‖/‖JA‖)`` and ``p1 = √(‖D‖‖p_t‖/‖ν‖)``::

        A ← p0 J A + p1 ν,   B ← B/p0 + (Dᵀν) p_tᵀ/p1,   share (q̃·A) B

    The neurons' own parameters have factors of B too. A learned initial state starts with the influence 1 on
    itself: the same signs in both factors.

    Attributes:
        normal: A and B start as N(0, 1) numbers instead of zeros.
    """

    normal: bool = False

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> StateTimesSynapse:
        """Zeros; what is to be drawn is drawn in the first step."""
        states = jnp.zeros((len(plan.variables), plan.units), dtype)
        own = jnp.zeros((len(plan.own), plan.units), dtype) if plan.own else None
        return StateTimesSynapse(
            states=states,
            filtered=jnp.zeros(plan.units, dtype) if self.decay > 0 else None,
            slots=jnp.zeros((plan.drives, plan.units, plan.slots), dtype),
            own=own,
            initial=jnp.zeros_like(states) if plan.learned_initial else None,
            own_filtered=own if self.decay > 0 else None,
            begun=jnp.zeros((), dtype) if plan.learned_initial or self.normal else None,
        )

    def from_given_state(self, memory: StateTimesSynapse) -> StateTimesSynapse:
        """With the factors at zero, or drawn for all but the initial state."""
        if memory.initial is None or memory.begun is None:
            return memory
        begun = -jnp.ones_like(memory.begun) if self.normal else jnp.ones_like(memory.begun)
        return memory._replace(begun=begun)

    def forget_readout(self, memory: StateTimesSynapse) -> StateTimesSynapse:
        """With nothing in what a leaky readout reads."""
        return memory._replace(
            filtered=nothing_of(memory.filtered), own_filtered=nothing_of(memory.own_filtered)
        )

    def started(
        self, plan: Layout, state: RuleState, memory: StateTimesSynapse, now: Record, key: Array
    ) -> StateTimesSynapse:
        """Before the first step with the drawn factors, later unchanged."""
        begun = memory.begun
        if begun is None:
            return memory
        dtype = memory.slots.dtype
        drawn = memory._replace(begun=jnp.ones((), dtype))
        if self.normal:
            first, second, third = jax.random.split(key, 3)
            own = None if memory.own is None else jax.random.normal(third, memory.own.shape, dtype)
            states = jax.random.normal(first, memory.states.shape, dtype)
            slots = only_fed(plan, jax.random.normal(second, memory.slots.shape, dtype))
            drawn = drawn._replace(states=states, slots=slots, own=own)
        else:
            signs = self.signs(state, now, key, memory.states.size, start=True)
            drawn = drawn._replace(states=signs.reshape(memory.states.shape))
        if memory.initial is not None:
            drawn = drawn._replace(initial=jnp.where(begun < 0, 0, drawn.states))
        return jax.tree.map(lambda new, old: jnp.where(begun > 0, old, new), drawn, memory)

    def step(
        self, plan: Layout, state: RuleState, memory: Any, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, StateTimesSynapse, Share]:
        """See :class:`Stepper`."""
        begun = self.started(plan, state, memory, now, jax.random.fold_in(key, 1))
        further = [part for part in (begun.own, begun.initial) if part is not None]
        signs = self.signs(state, now, key, begun.states.size).reshape(begun.states.shape)
        onward = moved(plan, now, wires, begun.states)
        older = balance(size(begun.slots, *further), size(onward))
        newer = balance(size(now.enter) * size(now.sources), begun.states.size**0.5)
        states = older * onward + newer * signs
        entering = sum_over(lambda v: now.enter[v] * signs[v], len(plan.variables))
        direct = only_fed(plan, (entering / newer)[:, :, None] * now.sources)
        after = begun._replace(
            states=states,
            filtered=self.filtered(now, states, begun.filtered, older),
            slots=begun.slots / older + direct,
            initial=None if begun.initial is None else begun.initial / older,
        )
        scalar = self.felt(now, wires, states, after.filtered)
        initial = None if after.initial is None else scalar * after.initial
        share = Share(scalar * after.slots, initial=initial)
        if begun.own is None:
            return state, after, share
        own = begun.own / older + own_entering(plan, now, wires, signs, entering) / newer
        error, at_once = wires.feedback @ now.error, now.own_reading
        late = None if begun.own_filtered is None else self.decay * begun.own_filtered + at_once
        part = error * (at_once if late is None else late) + now.direct * at_once
        after = after._replace(own=own, own_filtered=late)
        return state, after, share._replace(own=scalar * own + part)


def own_entering(plan: Layout, now: Record, wires: Wiring, signs: Array, entering: Array) -> Array:
    """``νᵀ ∂s_t/∂π`` of the neurons' own parameters, directly and through what they change in the rates sent.

    Args:
        signs: ν, (variable, unit); entering: Dᵀν, (drive, unit).
    """
    assert wires.transport is not None
    directly = sum_over(lambda v: now.own_local[:, v] * signs[v], len(plan.variables))
    back = jnp.einsum("gki,gk->i", wires.transport, fed(plan, entering[None])[0])
    return directly + now.own_sending * back
