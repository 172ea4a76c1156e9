"""The gradient of a batch of trials: forward, errors, credit back, one sum over tiles.

Trials are whole in memory, or cut into segments: then only the state at each segment's start is stored, and
each segment is run forward again on the way back. With T steps in segments of about √T the memory of the
states grows as √T, for one more forward product; the gradient is the same to rounding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.circuits.circuit import Trajectory
from throughtime.circuits.initial import broadcast
from throughtime.circuits.readout import before_leak, leaky_back, through_leak
from throughtime.circuits.simulate import Unfolded, forward, run_tile, unfold_tile
from throughtime.credit import tiles, vanishing
from throughtime.credit.adjoint import (
    Arriving,
    effective_gradients,
    initial_credit,
    initial_output_gradients,
    no_credit,
    pull_back,
    send_credit,
)
from throughtime.credit.span import SLIDING, Span
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.circuits.circuit import Weights
    from throughtime.credit.adjoint import Transported
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    State = dict[str, Array]
    Params = dict[str, Array]

SQUARE_ROOT = "sqrt"


def gradient(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    *,
    feedback: Array,
    transport: Transported,
    trial_keys: Array,
    initial: State | None = None,
    span: Span | None = None,
    segment: int | str | None = None,
    through_output: bool = True,
    kappa: float | None = None,
) -> tuple[Params, dict[str, Any]]:
    """Gradient of the batch objective (mean over trials) by every parameter, for one choice of F and W̃.

    Args:
        trials: batch of trials, leaves (trial, …).
        feedback: F, (unit, output); transport: W̃, its diagonal, None or a relay. See
            :func:`throughtime.credit.adjoint.send_credit`.
        trial_keys: (trial,) keys from which each trial's circuit noise is drawn.
        initial: state before the first step, variables (trial, unit); the circuit's own by default, and then
            credit goes on into a learned state or a warm-up.
        span: window on the way back, or None.
        segment: steps of a segment, ``"sqrt"`` for about √T, or None to keep whole trials in memory.
        through_output: whether credit travels back through outputs that are fed back, where there are any.
        kappa: κ of a filter the errors pass on their way to the neurons, ``q_t = F ē_t`` with
            ``ē_t = e_t + κ ē_{t+1}``, while the readout learns from e_t; None: none.

    Returns:
        gradients with the structure of ``params``, and ``info``: ``loss`` (scalar), ``losses`` (trial,),
        ``initial_state`` gradient of the loss by the initial state, variables (trial, unit), and
        ``carry``, the final state, variables (trial, unit).

    Raises:
        ValueError: for a segment longer than the trial, for a penalty that segments or W̃ rule out, and for a
            given initial state of a circuit with a leaky readout.
    """
    if initial is not None:
        refuse_leaky_readout(circuit)
    trials = judged(trials)
    weights = circuit.weights(params)
    num_trials, num_steps = trials.inputs.shape[:2]
    length = segment_length(segment, num_steps)
    if length is not None:
        refuse_whole_trial_terms(objective)
    start = broadcast(circuit.initial_state(params), num_trials) if initial is None else initial
    output_feedback = weights.output_feedback if circuit.output_feedback and through_output else None
    way = Way(circuit, params, weights, objective, feedback, transport, span, output_feedback, kappa)
    warm_up = circuit.initial.num_warm_up_steps(circuit.dt)
    outwards = {"feedback": feedback, "output_feedback": output_feedback}

    def one_tile(piece: tuple[Trial, Array, State], weight: Array) -> Any:
        batch, keys, before = piece
        share = weight.astype(params["bias"].dtype) / num_trials
        if length is None:
            grads, own, arriving, losses, final = whole(way, batch, keys, before, share)
        else:
            grads, own, arriving, losses, final = by_segments(way, batch, keys, before, share, length)
        reached, own_part = initial_credit(circuit, params, before, arriving, transport, span, **outwards)
        if output_feedback is not None and not (initial is None and warm_up):
            grads = add_initial_output(way, grads, before, arriving)
        summed = jax.tree.map(lambda leaf: leaf.sum(axis_of_trials(span)), arriving)
        return grads, own, own_part, summed, (losses, reached, final)

    grads, own, own_part, arriving, per_trial = tiles.map_tiles(one_tile, (trials, trial_keys, start))
    grads, own, own_part, arriving = jax.tree.map(lambda leaf: leaf.sum(0), (grads, own, own_part, arriving))
    losses, reached, final = tiles.join(per_trial, num_trials)
    further = jax.tree.map(jnp.add, own, own_part)
    if initial is None:
        base = jax.tree.map(lambda leaf: leaf.sum(0), reached)
        if warm_up:
            grads, further, base = through_warm_up(way, grads, own, arriving)
        further = {**further, **circuit.initial.pull_back(circuit, params, base)}
    info = {"loss": losses.mean(), "losses": losses, "initial_state": reached, "carry": final}
    return pull_back(circuit, params, grads, further), info


class Way(NamedTuple):
    """What is the same for all tiles: circuit, parameters, loss, and how credit travels back.

    Attributes:
        output_feedback: W_fb where credit travels back through it, else None.
        kappa: filter of the errors on their way to the neurons, or None.
    """

    circuit: Circuit
    params: Params
    weights: Weights
    objective: Objective
    feedback: Array
    transport: Transported
    span: Span | None
    output_feedback: Array | None
    kappa: float | None

    def reaching(self, errors: Array, valid: Array) -> Array:
        """The errors (time, trial, output) as neurons get them."""
        return errors if self.kappa is None else leaky_back(errors, valid, self.kappa)


Sent = tuple["Params", "Params", Arriving, "Array", "State"]


def whole(way: Way, batch: Trial, keys: Array, before: State, share: Array) -> Sent:
    """One tile with all its states in memory.

    Returns:
        gradients by effective weights and by own parameters, credit leaving the first step, losses (trial,),
        final state.
    """
    circuit, params, weights, objective, feedback, transport, span, output_feedback, _ = way
    unfolded, outputs = forward(circuit, params, weights, batch, keys, before)
    losses, errors, direct = differentiate(objective, batch, unfolded, outputs, share)
    errors = before_leak(circuit, errors, unfolded.valid)
    strength = objective.vanishing
    credit = send_credit(
        circuit, params, unfolded, way.reaching(errors, unfolded.valid), feedback, transport, direct,
        span=span, record=strength > 0, output_feedback=output_feedback,
    )  # fmt: skip
    grads, own = effective_gradients(circuit, unfolded, credit, errors), credit.own
    if strength > 0:
        assert credit.state is not None
        extra, (by_weights, by_own) = vanishing.penalty_gradient(
            circuit, params, weights, unfolded, credit.state, strength * share
        )
        losses = losses + strength * extra
        grads = {
            name: grads[name] + by_weights[name] if name in by_weights else grads[name] for name in grads
        }
        own = jax.tree.map(jnp.add, own, by_own)
    final = {name: state[-1] for name, state in unfolded.states.items()}
    return grads, own, credit.arriving, losses, final


def by_segments(way: Way, batch: Trial, keys: Array, before: State, share: Array, length: int) -> Sent:
    """As :func:`whole`, with the states of one segment at a time in memory."""
    circuit, params, weights, objective, feedback, transport, span, output_feedback, _ = way
    num_steps = batch.inputs.shape[1]
    count = -(-num_steps // length)
    missing = count * length - num_steps
    inputs, valid = batch.inputs, batch.valid
    if missing:
        inputs = jnp.pad(inputs, ((0, 0), (0, missing), (0, 0)))
        valid = jnp.pad(valid, ((0, 0), (0, missing)))
    live = valid.sum(1)

    def run(state: State, index: Array) -> Unfolded:
        part = batch._replace(
            inputs=jax.lax.dynamic_slice_in_dim(inputs, index * length, length, 1),
            valid=jax.lax.dynamic_slice_in_dim(valid, index * length, length, 1),
        )
        return run_tile(circuit, params, weights, part, keys, state, index * length)

    def penalties(rates: Array, unfolded: Unfolded) -> Array:
        trajectory = Trajectory(unfolded.states, rates, rates[..., :0])
        return jax.vmap(objective.penalty, in_axes=(1, 1, 0))(trajectory, unfolded.valid, live)

    def ahead(carry: tuple[State, Array], index: Array) -> Any:
        state, extra = carry
        unfolded = run(state, index)
        if objective.has_penalty:
            extra = extra + penalties(unfolded.read, unfolded)
        arriving = unfolded.read @ weights.readout.T + weights.readout_bias
        return ({name: value[-1] for name, value in unfolded.states.items()}, extra), (state, arriving)

    zero = jnp.zeros(len(live), params["bias"].dtype)
    (final, extra), (boundaries, arriving) = jax.lax.scan(ahead, (before, zero), jnp.arange(count))
    arriving = arriving.reshape(count * length, *arriving.shape[2:])[:num_steps]

    def loss(arriving: Array) -> tuple[Array, Array]:
        outputs = through_leak(circuit, arriving, jnp.swapaxes(batch.valid, 0, 1))
        losses = jax.vmap(objective, in_axes=(1, 0))(outputs, batch)
        return jnp.sum(share * losses), losses

    (_, losses), errors = jax.value_and_grad(loss, has_aux=True)(arriving)
    reaching = way.reaching(errors, jnp.swapaxes(batch.valid, 0, 1))
    errors, reaching = (
        jnp.pad(each, ((0, missing), (0, 0), (0, 0))).reshape(count, length, *each.shape[1:])
        for each in (errors, reaching)
    )

    def back(carry: tuple[Arriving, Params, Params], now: tuple[Array, State, Array, Array]) -> Any:
        arriving, grads, own = carry
        index, state, wrong, felt = now
        unfolded = run(state, index)
        direct = None
        if objective.has_penalty:
            direct = jax.grad(lambda rates: jnp.sum(share * penalties(rates, unfolded)))(unfolded.read)
        credit = send_credit(
            circuit, params, unfolded, felt, feedback, transport, direct,
            arriving=arriving, span=span, first=index * length, output_feedback=output_feedback,
        )  # fmt: skip
        grads = jax.tree.map(jnp.add, grads, effective_gradients(circuit, unfolded, credit, wrong))
        return (credit.arriving, grads, jax.tree.map(jnp.add, own, credit.own)), None

    def nothing() -> tuple[Arriving, Params, Params]:
        unfolded = run(before, jnp.zeros((), jnp.int32))
        credit = send_credit(
            circuit, params, unfolded, errors[0], feedback, transport,
            span=span, output_feedback=output_feedback,
        )  # fmt: skip
        return (
            no_credit(circuit, unfolded, span, transport),
            effective_gradients(circuit, unfolded, credit, errors[0]),
            credit.own,
        )

    start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(nothing))
    (arriving, grads, own), _ = jax.lax.scan(
        back, start, (jnp.arange(count), boundaries, errors, reaching), reverse=True
    )
    return grads, own, arriving, losses + extra, final


def through_warm_up(way: Way, grads: Params, own: Params, arriving: Arriving) -> tuple[Params, Params, State]:
    """Credit of all trials together, on through the warm-up they share.

    Returns:
        gradients by effective weights and by own parameters, with the warm-up's part, and the credit of the
        state it began from, variables (unit,).
    """
    circuit, params, weights, _, feedback, transport, span, output_feedback, _ = way
    steps = circuit.initial.num_warm_up_steps(circuit.dt)
    base = broadcast(circuit.initial.base(circuit, params), 1)
    inputs = jnp.zeros((steps, 1, circuit.num_inputs), params["bias"].dtype)
    valid = jnp.ones((steps, 1), bool)
    unfolded = unfold_tile(circuit, params, weights, inputs, valid, base)
    axis = axis_of_trials(span)
    shared = jax.tree.map(lambda leaf: jnp.expand_dims(leaf, axis), arriving)
    silent = jnp.zeros((steps, 1, circuit.num_outputs), params["bias"].dtype)
    credit = send_credit(
        circuit, params, unfolded, silent, feedback, transport,
        arriving=shared, span=span, first=-steps, output_feedback=output_feedback,
    )  # fmt: skip
    warm = effective_gradients(circuit, unfolded, credit, silent)
    reached, own_part = initial_credit(
        circuit, params, base, credit.arriving, transport, span,
        feedback=feedback, output_feedback=output_feedback,
    )  # fmt: skip
    grads = jax.tree.map(jnp.add, grads, warm)
    if output_feedback is not None:
        grads = add_initial_output(way, grads, base, credit.arriving)
    own = jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), own, credit.own, own_part)
    return grads, own, {name: value[0] for name, value in reached.items()}


def add_initial_output(way: Way, grads: Params, initial: State, arriving: Arriving) -> Params:
    """``grads`` with the readout's part in z_0, the output of the state before the first step."""
    assert way.output_feedback is not None
    more = initial_output_gradients(way.circuit, way.params, initial, arriving, way.output_feedback, way.span)
    return {name: grads[name] + more[name] if name in more else grads[name] for name in grads}


def axis_of_trials(span: Span | None) -> int:
    """Axis of trials in the leaves of ``Arriving``: after the ages of a sliding window."""
    return 1 if span is not None and span.kind == SLIDING else 0


def differentiate(
    objective: Objective, batch: Trial, unfolded: Unfolded, outputs: Array, share: Array
) -> tuple[Array, Array, Array | None]:
    """Losses (trial,), errors ``e`` (time, trial, output), and ρ (time, trial, unit) of a penalty."""

    def weighted(outputs: Array, rates: Array) -> tuple[Array, Array]:
        losses = jax.vmap(objective, in_axes=(1, 0))(outputs, batch)
        if objective.has_penalty:
            trajectory = Trajectory(unfolded.states, rates, outputs)
            losses = losses + jax.vmap(objective.penalty, in_axes=(1, 1))(trajectory, unfolded.valid)
        return jnp.sum(share * losses), losses

    wanted = (0, 1) if objective.has_penalty else 0
    (_, losses), slopes = jax.value_and_grad(weighted, wanted, has_aux=True)(outputs, unfolded.read)
    return (losses, slopes[0], slopes[1]) if objective.has_penalty else (losses, slopes, None)


def segment_length(segment: int | str | None, num_steps: int) -> int | None:
    """Steps of a segment, an even number; None for whole trials.

    Raises:
        ValueError: for a segment longer than the trial.

    Example:
        >>> segment_length("sqrt", 400), segment_length(7, 400), segment_length(None, 400)
        (10, 8, None)
    """
    if segment is None:
        return None
    if segment == SQUARE_ROOT:
        # A segment in memory costs about four arrays a step, a segment's start one.
        return min(num_steps + num_steps % 2, 2 * math.ceil(math.sqrt(num_steps / 4) / 2))
    length = int(segment)
    if length > num_steps:
        raise ValueError(
            f"segment: {length} steps are longer than the trial of {num_steps}; use a segment of about "
            f"{math.ceil(math.sqrt(num_steps))} steps, 'sqrt', or None."
        )
    return length + length % 2


def refuse_leaky_readout(circuit: Circuit) -> None:
    """Refuse a leaky readout where trials start from given states.

    Raises:
        ValueError: with the reason and the remedy.
    """
    if circuit.readout_tau is not None:
        raise ValueError(
            f"carry: the outputs of a readout with readout_tau {circuit.readout_tau:g} ms have a memory that "
            "the carried states of the neurons do not hold; use readout_tau=None, or start every trial anew."
        )


def refuse_whole_trial_terms(objective: Objective) -> None:
    """Refuse penalties that are no sum over steps.

    Raises:
        ValueError: naming the term and the remedy.
    """
    if objective.vanishing > 0:
        raise ValueError(
            "segment: a vanishing-gradient penalty needs the states of the whole trial; use segment=None."
        )
    if objective.has_penalty and not objective.additive:
        raise ValueError(
            f"segment: the penalty of {type(objective).__name__} may read the whole trajectory; declare it "
            "additive (a sum over steps, with num_valid as divisor), or use segment=None."
        )
