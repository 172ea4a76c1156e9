"""One reverse recursion over the trial: credit of every drive, and from it every gradient.

With ``e_t = ∂L/∂z_t`` the error of the outputs, from the last step down::

    q_t = F e_t + ρ_t                        error that reaches the neuron (ρ: penalties on rates)
    m_t = Σ_g (W̃ᵍ)ᵀ δᵍ_{t+1}                 credit arriving through synapses
    λ_t = c_t (q_t + m_t) + A_{t+1}ᵀ λ_{t+1}   credit of the neuron's own state
    δᵍ_t = bᵍ_t λ_t                           credit of the drive

where ``A = ∂s_t/∂s_{t−1}``, ``b = ∂s_t/∂u_t``, ``c = ∂r_t/∂s_t`` are elementwise and come from the
dynamics by automatic differentiation. Then ``∂W = Σ δ_t r_{t−1}ᵀ``, ``∂W_in = Σ δ_t x_tᵀ``, ``∂b = Σ δ_t``,
``∂W_out = Σ e_t r_tᵀ``, ``∂b_out = Σ e_t``. With ``F = W_outᵀ`` and ``W̃ = W`` this is backpropagation
through time; another F (feedback) or W̃ (transport) makes another learning rule.

A window of K steps on the way back (``span``) truncates it: in blocks λ_{t+1} and m_t count as 0 where t ends
a block; sliding, each error reaches the K drives at and before it, so K credits of different age travel.

An output fed back as ``W_fb z_{t−1}`` has the error ``e_t + W_fbᵀ δ_{t+1}`` in place of e_t throughout, where
credit is let through the output at all; before the first step ``q_0 = F W_fbᵀ δ_1`` and z_0 reads the initial
state. A leaky readout filters the errors before they come here
(:func:`~throughtime.circuits.readout.leaky_back`).

The loops store states and drives only; the weight gradient is one product over all steps and trials
after them, instead of one N² update a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from throughtime.circuits import gates
from throughtime.circuits.simulate import (
    masked_local,
    send_back,
    send_back_to_outputs,
    separate_readout,
)
from throughtime.credit.span import SLIDING, Span

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.circuits.simulate import Unfolded
    from throughtime.credit.relay import Relay

    Transported: TypeAlias = Array | Relay | None
    State = dict[str, Array]
    Params = dict[str, Array]

UNROLLED_OUTPUTS = 4


class Arriving(NamedTuple):
    """Credit on its way from one step to the one before it; with a sliding window, one for each age.

    Attributes:
        delta: δ_{t+1}, ([age,] trial, unit); for several drives :class:`~throughtime.circuits.gates.Joined`.
        kept: A_{t+1}ᵀ λ_{t+1}, variables ([age,] trial, unit).
    """

    delta: Any
    kept: State


class Credit(NamedTuple):
    """Result of the recursion.

    Attributes:
        drive: δ, (time, trial, unit); for several drives :class:`~throughtime.circuits.gates.Joined`.
        state: λ, variables (time, trial, unit), where asked for, else None.
        arriving: what leaves the first step towards the initial state.
        own: gradients of the dynamics' own parameters, summed over trials; the part of the initial state's
            rate is in :func:`initial_credit`.
        fed_back: ``W_fbᵀ δ_{t+1}`` (time, trial, output), the error outputs have for what they did to the
            circuit; None where no credit goes through them.
    """

    drive: Any
    state: State | None
    arriving: Arriving
    own: Params
    fed_back: Array | None = None


def own_names(circuit: Circuit) -> tuple[str, ...]:
    """Names of the parameters that belong to the dynamics itself."""
    drawn = jax.eval_shape(
        lambda key: circuit.dynamics.init_params(circuit.num_units, key=key), jax.random.key(0)
    )
    return tuple(drawn)


class Local(NamedTuple):
    """The elementwise functions of a tile, each of the dynamics' own parameters first.

    Attributes:
        own: name -> own parameter.
        local: (own, state, drive, valid) -> next state.
        rate: (own, state) -> transmitted rates; read: (own, state) -> rates the readout reads, or None where
            they are the same.
    """

    own: Params
    local: Callable[..., State]
    rate: Callable[..., Array]
    read: Callable[..., Array] | None


def local_functions(circuit: Circuit, params: Params) -> Local:
    """The functions of :class:`Local` for one circuit."""
    dynamics, readout = circuit.dynamics, separate_readout(circuit)

    def local(own: Params, state: State, drive: Any, valid: Array) -> State:
        def one(state: State, drive: Any, valid: Array) -> State:
            return masked_local(circuit, {**params, **own}, state, drive, valid)

        return jax.vmap(one)(state, drive, valid)

    def rate(own: Params, state: State) -> Array:
        return jax.vmap(lambda one: dynamics.rate({**params, **own}, one))(state)

    def read(own: Params, state: State) -> Array:
        assert readout is not None
        return jax.vmap(lambda one: readout({**params, **own}, one))(state)

    own = {name: params[name] for name in own_names(circuit)}
    return Local(own, local, rate, None if readout is None else read)


def no_credit(
    circuit: Circuit, unfolded: Unfolded, span: Span | None = None, transport: Transported = None
) -> Arriving:
    """What arrives at the last step of a trial: nothing."""
    from throughtime.credit.relay import Relay, nothing_relayed

    nothing = jax.tree.map(lambda each: jnp.zeros_like(each[0]), unfolded.drives)
    nothing = gates.join(nothing, circuit.dynamics.recurrent_drives)
    zero = Arriving(nothing, jax.tree.map(jnp.zeros_like, unfolded.initial))
    if isinstance(transport, Relay):
        return nothing_relayed(transport, zero)  # type: ignore[return-value]
    if span is None or span.kind != SLIDING:
        return zero
    return jax.tree.map(lambda leaf: jnp.zeros((span.steps - 1, *leaf.shape), leaf.dtype), zero)


def send_credit(
    circuit: Circuit,
    params: Params,
    unfolded: Unfolded,
    errors: Array,
    feedback: Array,
    transport: Transported,
    direct: Array | None = None,
    *,
    arriving: Arriving | None = None,
    span: Span | None = None,
    first: Array | int = 0,
    record: bool = False,
    output_feedback: Array | None = None,
) -> Credit:
    """The reverse recursion over one tile.

    Args:
        errors: e, (time, trial, output).
        feedback: F, (unit, output).
        transport: W̃, ([gate,] unit, presynaptic_unit); its diagonal, ([gate,] unit), if it has no more; None
            for no transport; or how credit is relayed, a :class:`~throughtime.credit.relay.Relay`.
        direct: ρ, (time, trial, unit) derivative of a penalty by rates, or None.
        arriving: credit from steps after the last one; none by default.
        span: window on the way back, or None for all of the trial.
        first: index of the first step in its trial, where the tile is a segment of it.
        record: whether to return λ of every step (not with a sliding window).
        output_feedback: W_fb, ([gate,] unit, output), where credit travels back through the outputs that were
            fed back; None: it does not.
    """
    from throughtime.credit.relay import Relay, send_relayed

    if isinstance(transport, Relay):
        last: Any = no_credit(circuit, unfolded, span, transport) if arriving is None else arriving
        return send_relayed(
            circuit, params, unfolded, errors, feedback, transport, direct, last, record=record
        )
    dynamics = circuit.dynamics
    own, local, rate, read = local_functions(circuit, params)
    sliding = span is not None and span.kind == SLIDING
    blocks = span is not None and not sliding

    def through_synapses(delta: Any) -> Array | None:
        return None if transport is None else send_back(dynamics, transport, delta)

    def through_outputs(delta: Any) -> Array | None:
        return None if output_feedback is None else send_back_to_outputs(dynamics, output_feedback, delta)

    few = (
        direct is None and errors.shape[-1] <= UNROLLED_OUTPUTS
    )  # cheaper inside the loop, without a product
    injected = errors if few else errors @ feedback.T + (0 if direct is None else direct)

    def reach(now: Array) -> Array:
        if not few:
            return now
        return jnp.sum(jnp.stack([now[:, k : k + 1] * feedback[:, k] for k in range(now.shape[1])]), axis=0)

    def step(carry: tuple[Arriving, Params], now: Any) -> tuple[tuple[Arriving, Params], Any]:
        (delta, kept), total = carry
        error, before, after, drive, valid, linked = now
        if linked is not None:
            delta, kept = jax.tree.map(lambda leaf: jnp.where(linked, leaf, 0), (delta, kept))
        incoming, fed_back = through_synapses(delta), through_outputs(delta)
        reaching = reach(error) if fed_back is None else reach(error) + fed_back @ feedback.T
        if read is None:
            credits = [(rate, reaching if incoming is None else reaching + incoming)]
        else:
            credits = [(read, reaching)] + ([] if incoming is None else [(rate, incoming)])
        for function, credit in credits:
            _, pull = jax.vjp(function, own, after)
            own_part, state_part = pull(credit)
            kept = jax.tree.map(jnp.add, kept, state_part)
            total = jax.tree.map(jnp.add, total, own_part)
        _, pull = jax.vjp(lambda own, state, drive: local(own, state, drive, valid), own, before, drive)
        own_part, earlier, delta = pull(kept)
        delta = gates.join(delta, dynamics.recurrent_drives)
        total = jax.tree.map(jnp.add, total, own_part)
        return (Arriving(delta, earlier), total), (delta, kept if record else None, fed_back)

    def by_age(carry: tuple[Arriving, Params], now: Any) -> tuple[tuple[Arriving, Params], Any]:
        """As ``step``, for credits of age 1 … K − 1 that arrive and the new one, of age 0, before them."""
        (delta, kept), total = carry
        error, before, after, drive, valid, _ = now
        reaching = reach(error)
        incoming, fed_back = through_synapses(delta), through_outputs(delta)
        kept = jax.tree.map(one_younger, kept)
        older = (len(jax.tree.leaves(delta)[0]), *reaching.shape)
        aged = jnp.zeros(older, reaching.dtype) if fed_back is None else fed_back @ feedback.T
        fresh = jnp.concatenate([reaching[None], aged])
        old = None if incoming is None else one_younger(incoming)
        if read is None:
            credits = [(rate, fresh if old is None else fresh + old)]
        else:
            credits = [(read, fresh)] + ([] if old is None else [(rate, old)])
        for function, credit in credits:
            _, pull = jax.vjp(function, own, after)
            own_part, state_part = jax.vmap(pull)(credit)
            kept = jax.tree.map(jnp.add, kept, state_part)
            total = jax.tree.map(lambda one, part: one + part.sum(0), total, own_part)
        _, pull = jax.vjp(lambda own, state, drive: local(own, state, drive, valid), own, before, drive)
        own_part, earlier, delta = jax.vmap(pull)(kept)
        delta = gates.join(delta, dynamics.recurrent_drives)
        total = jax.tree.map(lambda one, part: one + part.sum(0), total, own_part)
        travelling = jax.tree.map(lambda leaf: leaf[:-1], Arriving(delta, earlier))
        summed = jax.tree.map(lambda each: each.sum(0), (delta, fed_back))
        return (travelling, total), (summed[0], None, summed[1])

    start = no_credit(circuit, unfolded, span) if arriving is None else arriving
    linked = span.linked(first, len(unfolded.valid)) if blocks and span is not None else None
    sequence = (injected, unfolded.before, unfolded.states, unfolded.drives, unfolded.valid, linked)
    zero = jax.tree.map(jnp.zeros_like, own)
    (leaving, total), (deltas, states, fed_back) = jax.lax.scan(
        by_age if sliding else step, (start, zero), sequence, reverse=True
    )
    return Credit(deltas, states, leaving, total, fed_back)


def one_younger(leaf: Array) -> Array:
    """``leaf`` (age, …) with zeros put before the first age."""
    return jnp.concatenate([jnp.zeros((1, *leaf.shape[1:]), leaf.dtype), leaf])


def initial_credit(
    circuit: Circuit,
    params: Params,
    initial: State,
    arriving: Arriving,
    transport: Transported,
    span: Span | None = None,
    *,
    feedback: Array | None = None,
    output_feedback: Array | None = None,
) -> tuple[State, Params]:
    """Credit of the state before the first step, ``c_0 (q_0 + m_0) + A_1ᵀ λ_1``; its part of own gradients.

    Args:
        initial: that state, variables (trial, unit).
        arriving: what left the first step.
        feedback, output_feedback: F and W_fb where credit goes through fed-back outputs: q_0 is
            ``F W_fbᵀ δ_1``, and 0 without them.
    """
    from throughtime.credit.relay import Relay

    own, _, rate, read = local_functions(circuit, params)
    dynamics, arriving = circuit.dynamics, of_all_ages(arriving, span)
    credits = []
    if transport is not None:
        matrix = transport.matrix if isinstance(transport, Relay) else transport
        credits.append((rate, send_back(dynamics, matrix, arriving.delta)))
    if feedback is not None and output_feedback is not None:
        error = send_back_to_outputs(dynamics, output_feedback, arriving.delta)
        credits.append((rate if read is None else read, error @ feedback.T))
    kept, total = arriving.kept, jax.tree.map(jnp.zeros_like, own)
    for function, credit in credits:
        _, pull = jax.vjp(function, own, initial)
        own_part, state_part = pull(credit)
        kept = jax.tree.map(jnp.add, kept, state_part)
        total = jax.tree.map(jnp.add, total, own_part)
    return kept, total


def initial_output_gradients(
    circuit: Circuit,
    params: Params,
    initial: State,
    arriving: Arriving,
    output_feedback: Array,
    span: Span | None = None,
) -> Params:
    """Part of the readout's gradients that z_0 has, ``W_fbᵀ δ_1 read_0ᵀ`` and ``W_fbᵀ δ_1``.

    Args:
        initial: the state before the first step, variables (trial, unit), which z_0 was read off.
        arriving: what left the first step.
    """
    delta = of_all_ages(arriving, span).delta
    error = send_back_to_outputs(circuit.dynamics, output_feedback, delta)
    read = circuit.dynamics.readout(params, initial)
    return {"readout": error.T @ read, "readout_bias": error.sum(0)}


def of_all_ages(arriving: Arriving, span: Span | None) -> Arriving:
    """Arriving credit without the axis of ages that a sliding window gives it."""
    if span is None or span.kind != SLIDING:
        return arriving
    return jax.tree.map(lambda leaf: leaf.sum(0), arriving)


def over_steps(left: Array, right: Array) -> Array:
    """``Σ left rightᵀ`` over (time, trial), as one product.

    An einsum would first copy both operands in another order.
    """
    return jax.lax.dot_general(left, right, (((0, 1), (0, 1)), ((), ())))


def effective_gradients(circuit: Circuit, unfolded: Unfolded, credit: Credit, errors: Array) -> Params:
    """Gradients by effective weights: one product over (time × trial) for each array.

    Args:
        errors: e, (time, trial, output), as :func:`send_credit` got them; ``credit.fed_back`` is added.
    """
    errors = errors if credit.fed_back is None else errors + credit.fed_back
    dynamics, delta = circuit.dynamics, credit.drive
    by_weights = jax.tree.map(lambda one: over_steps(one, unfolded.inputs), delta)
    by_bias = jax.tree.map(lambda one: one.sum((0, 1)), delta)
    if dynamics.num_drives == 1:
        recurrent = over_steps(delta, unfolded.sent)
    else:
        recurrent = over_steps(delta.fed, unfolded.sent)
        recurrent = recurrent.reshape(len(dynamics.recurrent_drives), -1, recurrent.shape[-1])
        drives = (dynamics.recurrent_drives, dynamics.num_drives)
        each = gates.of_gates(by_weights, *drives)
        by_weights = jnp.stack([each[gate] for gate in dynamics.input_drives])
        by_bias = jnp.stack(gates.of_gates(by_bias, *drives))
    return {
        "recurrent": recurrent,
        **by_sources(circuit, by_weights),
        "bias": by_bias,
        "readout": over_steps(errors, unfolded.read),
        "readout_bias": errors.sum((0, 1)),
    }


def by_sources(circuit: Circuit, made: Array) -> Params:
    """What was made of all columns of ``Unfolded.inputs``, for ``input`` and for ``output_feedback``."""
    if not circuit.output_feedback:
        return {"input": made}
    return {"input": made[..., : circuit.num_inputs], "output_feedback": made[..., circuit.num_inputs :]}


def pull_back(circuit: Circuit, params: Params, effective: Params, own: Params) -> Params:
    """Gradients by free parameters from gradients by effective weights, through the constraints.

    Args:
        own: further gradients by free parameters (of the dynamics, of the initial state) to add.
    """
    names = ["recurrent", "input", "bias", "readout", "readout_bias"]
    names += ["output_feedback"] if circuit.output_feedback else []

    def constrained(free: Params) -> Params:
        weights = circuit.weights(free)
        return {name: getattr(weights, name) for name in names}

    _, pull = jax.vjp(constrained, params)
    (grads,) = pull(effective)
    return {name: grads[name] + own[name] if name in own else grads[name] for name in params}
