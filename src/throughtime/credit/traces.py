"""Credit carried forward in time: eligibility traces, and the influence of every synapse on every neuron.

A stepper reads one step of a :class:`~throughtime.credit.record.Record` after the other and gives, at each
step, that step's share of the gradient. With frozen weights the sum of the shares over a trial is what the
reverse recursion gives for the same feedback and transport; single steps differ, since a share belongs to a
*loss* and a term of the recursion to a *use* of a synapse.

Without transport a synapse keeps a trace of its own, ``ε_t = A_t ε_{t−1} + b_t p_t``, and its share is
``q_t c_t ε_t``. With a transport W̃ it would have to know its influence on every neuron k::

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

from throughtime.frozen import FrozenArray

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


def fed(plan: Layout, values: Array) -> Array:
    """Rows of the drives that recurrent synapses feed; axis 1 is the drive."""
    return values if plan.drives == 1 else values[:, jnp.asarray(plan.recurrent_drives)]


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


def sum_over(term: Any, count: int) -> Array:
    """``Σ term(index)`` over a few indices, unrolled."""
    each = [term(index) for index in range(count)]
    return sum(each[1:], each[0])


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
