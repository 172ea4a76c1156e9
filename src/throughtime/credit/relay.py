"""Credit that is relayed: both ends of a path keep their own derivatives, neurons in between a constant gain.

A neuron can broadcast how much it matters, ``b_t λ^q_t``, without knowing whose signal it is, but what it
hears it can pass on only coarsely. Beside λ, two more credits travel back (:mod:`throughtime.credit.adjoint`
has the symbols)::

    λ^q_t = c_t q_t + A′ᵀ λ^q_{t+1}                  has crossed no synapse
    λ^m_t = c̄ m_t + A′ᵀ λ^m_{t+1}                    was relayed
    m_t   = Σ_g (W̃ᵍ)ᵀ (b_{t+1} λ^q_{t+1} + b̄ λ^m_{t+1})
    λ_t   = c_t (q_t + m_t) + A_{t+1}ᵀ λ_{t+1},   δ_t = b_t λ_t

b̄ and c̄ are the derivatives of a neuron whose activation has one constant slope μ. Without them (one hop)
credit crosses one synapse and no more. With the receiver's memory ``A′ = A_{t+1}``, else ``A′ = 0``: then
what arrives at a neuron is gone a step later, and a path of S synapses lasts S steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.circuits import gates
from throughtime.circuits.simulate import send_back
from throughtime.credit.adjoint import Arriving, Credit, local_functions

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.circuits.simulate import Unfolded

    State = dict[str, Array]
    Params = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Relay:
    """How relayed credit crosses synapses; takes the place of the matrix W̃.

    Attributes:
        matrix: W̃, ([gate,] unit, presynaptic_unit).
        gains: b̄, variables ([gate,] unit), and c̄, variables (unit,), from
            :meth:`~throughtime.circuits.Dynamics.relay_gains`; None: one hop.
        receiver_memory: whether ``A′ = A_{t+1}``.
        hops: synapses a path may cross; None for any number.
    """

    matrix: Array
    gains: tuple[State, State] | None = None
    receiver_memory: bool = True
    hops: int | None = None

    @property
    def pools(self) -> int:
        """Relayed credits that are kept apart: by the number of hops where that is limited."""
        if self.gains is None:
            return 0
        return 1 if self.hops is None else self.hops - 1


class Relayed(NamedTuple):
    """Relayed credit on its way from one step to the one before it.

    Attributes:
        delta: ``b_{t+1} λ^q_{t+1} + b̄ λ^m_{t+1}``, what crosses the synapses, as in
            :class:`~throughtime.credit.adjoint.Arriving`.
        kept: A_{t+1}ᵀ λ_{t+1}, variables (trial, unit).
        own: A′ᵀ λ^q_{t+1}; pools: A′ᵀ λ^m_{t+1}, with limited hops one for each number of hops made.
        drives: where hops are limited, the part of ``delta`` that feeds each pool.
    """

    delta: Any
    kept: State
    own: State
    pools: tuple[State, ...]
    drives: tuple[Any, ...]


def nothing_relayed(relay: Relay, nothing: Arriving) -> Relayed:
    """What arrives at the last step of a trial."""
    delta, kept = nothing
    apart = relay.pools if relay.hops is not None else 0
    return Relayed(delta, kept, kept, (kept,) * relay.pools, (delta,) * apart)


def send_relayed(
    circuit: Circuit,
    params: Params,
    unfolded: Unfolded,
    errors: Array,
    feedback: Array,
    relay: Relay,
    direct: Array | None,
    arriving: Relayed,
    *,
    record: bool = False,
) -> Credit:
    """The recursion over one tile; arguments as of :func:`throughtime.credit.adjoint.send_credit`."""
    dynamics, matrix = circuit.dynamics, relay.matrix
    own, local, rate, read = local_functions(circuit, params)
    injected = errors @ feedback.T + (0 if direct is None else direct)

    def kept_for(credit: State, by_dynamics: State, valid: Array) -> State:
        """A′ᵀ λ: all of it where the state stands still."""
        if relay.receiver_memory:
            return by_dynamics
        return {name: jnp.where(valid[:, None], 0, value) for name, value in credit.items()}

    def step(carry: tuple[Relayed, Params], now: Any) -> tuple[tuple[Relayed, Params], Any]:
        arriving, total = carry
        reaching, before, after, drive, valid = now
        incoming = send_back(dynamics, matrix, arriving.delta)
        _, pull_read = jax.vjp(rate if read is None else read, own, after)
        _, pull_rate = jax.vjp(rate, own, after)
        own_read, heard = pull_read(reaching)
        own_rate, crossed = pull_rate(incoming)
        of_self = jax.tree.map(jnp.add, arriving.own, heard)
        whole = jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), arriving.kept, heard, crossed)

        _, pull = jax.vjp(lambda own, state, drive: local(own, state, drive, valid), own, before, drive)
        own_local, earlier, delta = pull(whole)
        _, earlier_self, sent = pull(of_self)
        total = jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), total, own_read, own_rate, own_local)
        delta, sent = (gates.join(each, dynamics.recurrent_drives) for each in (delta, sent))

        pools, drives = [], [sent]
        for index, pool in enumerate(arriving.pools):
            assert relay.gains is not None
            by_drive, by_rate = relay.gains
            part = incoming if relay.hops is None else send_back(dynamics, matrix, arriving.drives[index])
            relayed = {
                name: pool[name] + by_rate[name] * part if name in by_rate else pool[name] for name in pool
            }
            pools.append(kept_for(relayed, pull(relayed)[1], valid))
            drives.append(through_gain(circuit, by_drive, relayed, valid))
        crossing = jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), *drives)
        apart = tuple(drives[: relay.pools]) if relay.hops is not None else ()
        leaving = Relayed(crossing, earlier, kept_for(of_self, earlier_self, valid), tuple(pools), apart)
        return (leaving, total), (delta, whole if record else None)

    sequence = (injected, unfolded.before, unfolded.states, unfolded.drives, unfolded.valid)
    zero = jax.tree.map(jnp.zeros_like, own)
    (leaving, total), (deltas, states) = jax.lax.scan(step, (arriving, zero), sequence, reverse=True)
    return Credit(deltas, states, leaving, total)  # type: ignore[arg-type]  # Relayed has Arriving's two fields


def through_gain(circuit: Circuit, gain: State, credit: State, valid: Array) -> Any:
    """``b̄ λ^m``, as credit of the drives; 0 where the state stands still."""
    dynamics = circuit.dynamics
    live = valid[:, None]
    parts = []
    for gate in range(dynamics.num_drives):
        each = [
            (slope if dynamics.num_drives == 1 else slope[gate]) * credit[name]
            for name, slope in gain.items()
        ]
        parts.append(jnp.where(live, sum(each[1:], each[0]), 0))
    drives = parts[0] if dynamics.num_drives == 1 else gates.Gates(tuple(parts))
    return gates.join(drives, dynamics.recurrent_drives)
