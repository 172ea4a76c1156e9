"""The influence of every synapse on every neuron, carried forward in time.

With a transport W̃ a synapse would have to know its influence on every neuron k::

    M_t^k = A_t^k M_{t−1}^k + b_t^k Σ_l W̃_kl c_{t−1}^l M_{t−1}^l + [k=i] b_t^i p_t^j
    share   Σ_k q_t^k c_t^k M_t^k

which is real-time recurrent learning where W̃ = W.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.credit.stepper import Share, Stepper, fed, injected, nothing_of, sum_over
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record, Wiring
    from throughtime.credit.stepper import RuleState


class Influences(NamedTuple):
    """Influence of every parameter on every neuron k; the last axes are those of a :class:`Share`.

    Between steps each is a matrix of (variable · k) rows, the operand of the product with the transport.

    Attributes:
        slots: (variable, k, drive, unit, slot).
        own: (variable, k, own, unit).
        initial: (variable, k, variable, unit).
    """

    slots: Array
    own: Array
    initial: Array

    def flat(self) -> Influences:
        """As matrices."""
        return Influences(
            *(leaf.reshape(math.prod(leaf.shape[:2]), math.prod(leaf.shape[2:])) for leaf in self)
        )

    def unfolded(self, plan: Layout) -> Influences:
        """The matrices with all their axes."""
        first = (len(plan.variables), plan.units)
        return Influences(
            self.slots.reshape(*first, plan.drives, plan.units, plan.slots),
            self.own.reshape(*first, len(plan.own), plan.units),
            self.initial.reshape(*first, len(plan.variables) if plan.learned_initial else 0, plan.units),
        )


@dataclass(frozen=True)
class Influence(Stepper):
    """The influence of every synapse on every neuron, under any transport W̃: O(n²m) memory, O(n³m) time.

    Attributes:
        reach: (unit, unit) bool, which neurons k a synapse of neuron i may influence at all; all by default.
        every: steps after which all influence is forgotten (blocks), or None.
    """

    reach: FrozenArray | None = None
    every: int | None = None

    @property
    def filters(self) -> bool:
        """It keeps the filtered influence beside the influence."""
        return True

    @property
    def stands_still(self) -> bool:
        """Unless it filters or forgets."""
        return self.decay == 0 and self.every is None

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> tuple[Influences, Influences | None]:
        """M, and the influence through the leak of the readout or None."""
        count, units = len(plan.variables), plan.units
        slots = jnp.zeros((count, units, plan.drives, units, plan.slots), dtype)
        own = jnp.zeros((count, units, len(plan.own), units), dtype)
        initial = jnp.zeros((count, units, 0, units), dtype)
        if plan.learned_initial:
            initial = jnp.einsum("vw,ki->vkwi", jnp.eye(count, dtype=dtype), jnp.eye(units, dtype=dtype))
        memory = Influences(slots, own, initial)
        filtered = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), memory) if self.decay > 0 else None
        return memory.flat(), filtered

    def from_given_state(self, memory: Any) -> Any:
        """Without the initial state's influence on itself."""
        influences, filtered = memory
        return influences._replace(initial=jnp.zeros_like(influences.initial)), filtered

    def forget_readout(self, memory: Any) -> Any:
        """With nothing of the influence through the leak."""
        return memory[0], nothing_of(memory[1])

    def step(
        self, plan: Layout, state: RuleState, memory: Any, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Any, Share]:
        """See :class:`Stepper`."""
        old, filtered = memory
        old = old.unfolded(plan)
        if self.every is not None:
            begins = jnp.equal(now.index % self.every, 0)
            old = jax.tree.map(lambda leaf: jnp.where(begins, 0, leaf), old)
        new = jax.tree.map(lambda leaf: along_rows(now.keep, leaf), old)
        if wires.transport is not None:
            across = self._across(plan, wires.transport, now, old)
            new = jax.tree.map(jnp.add, new, across)
        new = new._replace(
            slots=new.slots + on_itself(injected(plan, now)),
            own=new.own + on_itself(jnp.swapaxes(now.own_local, 0, 1)),
        )
        if self.reach is not None:
            reach = jnp.asarray(self.reach.values)
            kept = Influences(reach[:, None, :, None], reach[:, None], reach[:, None])
            new = jax.tree.map(lambda mask, leaf: jnp.where(mask, leaf, 0), kept, new)
        error, own_reading = wires.feedback @ now.error, on_itself(now.own_reading)
        if filtered is not None:
            reached = jax.tree.map(lambda leaf: rows_through(now.reading, leaf), new)
            reached = reached._replace(own=reached.own + own_reading)
            filtered = jax.tree.map(lambda kept, one: self.decay * kept + one, filtered, reached)
            parts = jax.tree.map(
                lambda kept, one: read_off(error, kept) + read_off(now.direct, one), filtered, reached
            )
        else:  # the vector takes the factors: M itself is read once
            credit = error + now.direct
            parts = jax.tree.map(
                lambda leaf: sum_over(lambda v: read_off(credit * now.reading[v], leaf[v]), len(leaf)), new
            )
            parts = parts._replace(own=parts.own + read_off(credit, own_reading))
        return state, (new.flat(), filtered), Share(*parts)

    def _across(self, plan: Layout, transport: Array, now: Record, old: Influences) -> Influences:
        """``b_t W̃ c_{t−1} M_{t−1}``: what arrives over synapses."""
        drives, enter = len(plan.recurrent_drives), fed(plan, now.enter)

        def over(matrix: Array, leaf: Array) -> Array:
            return (matrix @ leaf.reshape(len(leaf), math.prod(leaf.shape[1:]))).reshape(leaf.shape)

        def one(leaf: Array, sent: Array | None) -> Array:
            arriving = []
            for g in range(drives):
                part = sum_over(lambda w, g=g: over(transport[g] * now.sending[w], leaf[w]), len(leaf))
                arriving.append(part if sent is None else part + over(transport[g], sent))
            return jnp.stack(
                [
                    sum_over(lambda g, v=v: rows(enter[v, g], arriving[g]) * arriving[g], drives)
                    for v in range(len(leaf))
                ]
            )

        return Influences(
            one(old.slots, None), one(old.own, on_itself(now.own_sending)), one(old.initial, None)
        )


def rows(factor: Array, leaf: Array) -> Array:
    """``factor`` (k,) against ``leaf`` (k, …)."""
    return factor.reshape(-1, *(1,) * (leaf.ndim - 1))


def along_rows(keep: Array, leaf: Array) -> Array:
    """``A_t M``: (variable, earlier variable, k) applied to (earlier variable, k, …)."""
    count = len(leaf)
    return jnp.stack(
        [sum_over(lambda w, v=v: rows(keep[v, w], leaf[w]) * leaf[w], count) for v in range(count)]
    )


def rows_through(derivative: Array, leaf: Array) -> Array:
    """``Σ_v c_v M_v``: (variable, k) with (variable, k, …)."""
    return sum_over(lambda v: rows(derivative[v], leaf[v]) * leaf[v], len(leaf))


def read_off(credit: Array, leaf: Array) -> Array:
    """``Σ_k q_k M_k``: (k,) with (k, …)."""
    return (credit @ leaf.reshape(len(leaf), math.prod(leaf.shape[1:]))).reshape(leaf.shape[1:])


def on_itself(direct: Array) -> Array:
    """Direct influences (…, unit[, slot]) on each neuron k, zero but for its own: k after the leading axes.

    Of (variable, drive, unit, slot) it makes (variable, k, drive, unit, slot), of (variable, own, unit)
    (variable, k, own, unit) and of (own, unit) (k, own, unit).
    """
    if direct.ndim == 4:
        return jnp.eye(direct.shape[2], dtype=direct.dtype)[:, None, :, None] * direct[:, None]
    return jnp.eye(direct.shape[-1], dtype=direct.dtype)[:, None, :] * direct[..., None, :, :]
