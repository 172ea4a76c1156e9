"""Eligibility traces: what a synapse can keep by itself of its own use, and a bank of them.

Without transport ``ε_t = A_t ε_{t−1} + b_t p_t``, and a step's share is ``q_t c_t ε_t``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.credit.stepper import Share, Stepper, apply_keep, fed, nothing_of, through
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record, Wiring
    from throughtime.credit.stepper import RuleState


class Traces(NamedTuple):
    """What a synapse keeps; axes end with the unit so that a neuron's factors broadcast.

    Attributes:
        slots: (variable, drive, slot, unit); own: (variable, own, unit); initial: (variable, variable, unit).
        filtered: the same summed over variables through the readout's leak, or None without one.
    """

    slots: Array
    own: Array
    initial: Array
    filtered: Any


@dataclass(frozen=True)
class Eligibility(Stepper):
    """A trace of its own for every synapse: no transport, or across a neuron's synapse onto itself.

    Attributes:
        decay: κ of a leaky readout, or of an output filter.
        diagonal: whether ``A_t`` becomes ``A_t + Σ_g b_t W_ii c_{t−1}ᵀ``.
    """

    diagonal: bool = False

    @property
    def filters(self) -> bool:
        """It keeps ``f ← κ f + c ε`` and uses f."""
        return True

    @property
    def stands_still(self) -> bool:
        """Unless it filters."""
        return self.decay == 0

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> Traces:
        """No influence yet, and that of the initial state on itself."""
        count, units = len(plan.variables), plan.units
        initial = jnp.zeros((count, 0, units), dtype)
        if plan.learned_initial:
            initial = jnp.broadcast_to(jnp.eye(count, dtype=dtype)[:, :, None], (count, count, units))
        slots = jnp.zeros((count, plan.drives, plan.slots, units), dtype)
        own = jnp.zeros((count, len(plan.own), units), dtype)
        filtered = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), (slots, own, initial))
        return Traces(slots, own, initial, filtered if self.decay > 0 else None)

    def from_given_state(self, memory: Traces) -> Traces:
        """Without the initial state's influence on itself."""
        return memory._replace(initial=jnp.zeros_like(memory.initial))

    def forget_readout(self, memory: Traces) -> Traces:
        """With an empty f."""
        return memory._replace(filtered=nothing_of(memory.filtered))

    def step(
        self, plan: Layout, state: RuleState, memory: Traces, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Traces, Share]:
        """See :class:`Stepper`."""
        keep, entering = now.keep, now.own_local
        if self.diagonal:
            onto_itself = jnp.diagonal(wires.recurrent, axis1=-2, axis2=-1)
            gain = (fed(plan, now.enter) * onto_itself).sum(1)
            keep = keep + gain[:, None] * now.sending
            entering = entering + gain * now.own_sending[:, None]
        direct = now.enter[:, :, None, :] * now.sources[:, None]
        if plan.drives > 1:
            direct = jnp.where(plan.feeds[:, :, None], direct, 0)
        slots = apply_keep(keep, memory.slots) + direct
        own = apply_keep(keep, memory.own) + jnp.swapaxes(entering, 0, 1)
        initial = apply_keep(keep, memory.initial)
        reached = (
            through(now.reading, slots),
            through(now.reading, own) + now.own_reading,
            through(now.reading, initial),
        )
        error, filtered = wires.feedback @ now.error, memory.filtered
        if self.decay > 0:
            filtered = jax.tree.map(lambda old, new: self.decay * old + new, filtered, reached)
            shares = jax.tree.map(lambda kept, new: error * kept + now.direct * new, filtered, reached)
        else:
            shares = jax.tree.map(lambda new: (error + now.direct) * new, reached)
        share = Share(jnp.swapaxes(shares[0], 1, 2), shares[1], shares[2])
        return state, Traces(slots, own, initial, filtered), share


@dataclass(frozen=True)
class Taps(Stepper):
    """Relayed credit without the receiver's memory, causal: the traces of the last S steps are kept.

    The error of step t reaches, s synapses back, what was eligible s steps ago::

        share = q_t c_t ε_t + Σ_{s=1..S} [(b̄c̄)^{s−1} (W̃ᵀ)^s (ψ_t ∘ q_t)] c_{t−s} ε_{t−s},   ψ = b c

    One tap is one hop (MDGL).

    Attributes:
        taps: S; gain: b̄c̄, the constant gain of a neuron in between (one number; unused for one tap).
    """

    taps: int = 1
    gain: float | FrozenArray = 0.0

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> tuple[Traces, tuple[Array, Array, Array]]:
        """The traces, and banks of past eligibilities, newest first."""
        traces = Eligibility().begin(plan, state, dtype)
        bank = (
            jnp.zeros((self.taps, plan.drives, plan.slots, plan.units), dtype),
            jnp.zeros((self.taps, len(plan.own), plan.units), dtype),
            jnp.zeros((self.taps, traces.initial.shape[1], plan.units), dtype),
        )
        return traces, bank

    def from_given_state(self, memory: Any) -> Any:
        """Without the initial state's influence on itself."""
        return Eligibility().from_given_state(memory[0]), memory[1]

    def step(
        self, plan: Layout, state: RuleState, memory: Any, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Any, Share]:
        """See :class:`Stepper`."""
        traces, bank = memory
        assert wires.transport is not None
        sent = (
            through(now.sending, traces.slots),
            through(now.sending, traces.own) + now.own_sending,
            through(now.sending, traces.initial),
        )
        bank = jax.tree.map(lambda new, old: jnp.concatenate([new[None], old[:-1]]), sent, bank)
        _, traces, share = Eligibility().step(plan, state, traces, now, wires, key)
        reaching = wires.feedback @ now.error + now.direct
        psi = (fed(plan, now.enter) * now.reading[:, None]).sum(0)
        modulator = jnp.einsum("gki,gk->i", wires.transport, psi * reaching)
        modulators, gain = [modulator], jnp.asarray(self.gain, modulator.dtype)
        for _ in range(self.taps - 1):
            modulator = jnp.einsum("gki,k->i", wires.transport, gain * modulator)
            modulators.append(modulator)
        each = jnp.stack(modulators)
        slots, own, initial = jax.tree.map(
            lambda kept: (kept * each.reshape(self.taps, *(1,) * (kept.ndim - 2), plan.units)).sum(0), bank
        )
        relayed = (jnp.swapaxes(slots, 1, 2), own, initial)
        total = jax.tree.map(jnp.add, (share.slots, share.own, share.initial), relayed)
        return state, (traces, bank), Share(*total)
