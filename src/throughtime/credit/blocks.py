"""Truncated backpropagation through time whose weights move at the end of every block, within the trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.circuits.circuit import Trajectory
from throughtime.circuits.initial import broadcast
from throughtime.circuits.simulate import unfold_tile
from throughtime.credit.adjoint import effective_gradients, initial_output_gradients, pull_back, send_credit
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    State = dict[str, Array]
    Params = dict[str, Array]


def displacement(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    *,
    length: int,
    step_size: float,
    trained: tuple[str, ...],
    trial_keys: Array,
    initial: State | None = None,
) -> tuple[Params, dict[str, Any]]:
    """Move the weights after every block by the exact gradient of the block's part of the objective.

    Args:
        length: steps of a block. step_size: η. trained: names of the parameters that move.
        trial_keys: (trial,) keys of circuit noise; initial: states before the first step, variables
            (trial, unit).

    Returns:
        ``params − params at the end``, and ``info``: ``loss``, ``losses``, ``carry``.
    """
    trials = judged(trials)
    num_trials, num_steps = trials.inputs.shape[:2]
    dtype, count = params["bias"].dtype, -(-num_steps // length)
    start = broadcast(circuit.initial_state(params), num_trials) if initial is None else initial
    normaliser = jax.vmap(objective.normaliser)(trials).astype(dtype)
    num_valid = trials.valid.sum(1)
    noise = None
    if circuit.noise_sd > 0:
        noise = jax.vmap(lambda key: circuit.noise(key, num_steps), out_axes=1)(trial_keys).astype(dtype)

    def in_blocks(leaf: Array) -> Array:
        filled = jnp.pad(leaf, ((0, count * length - num_steps), *((0, 0),) * (leaf.ndim - 1)))
        return filled.reshape(count, length, *leaf.shape[1:])

    timed = [jnp.swapaxes(leaf, 0, 1) for leaf in (trials.inputs, trials.targets, trials.mask, trials.valid)]
    # z_0 is of the present readout, but for a warm-up, from which no credit is taken
    warm = initial is None and circuit.initial.num_warm_up_steps(circuit.dt) > 0
    opens = (jnp.arange(count) == 0) & (circuit.output_feedback and not warm)
    sequence = (*jax.tree.map(in_blocks, (*timed, noise)), opens)

    def loss(outputs: Array, rates: Array, targets: Array, masks: Array, valid: Array) -> tuple[Array, Array]:
        each = jax.vmap(jax.vmap(objective.at_step), in_axes=(0, 0, 0, None))(
            outputs, targets, masks, normaliser
        )
        losses = jnp.where(valid, each, 0).sum(0)
        if objective.has_penalty:
            path = Trajectory({}, rates, outputs)
            losses = losses + jax.vmap(objective.penalty, in_axes=(1, 1, 0))(path, valid, num_valid)
        return losses.mean(), losses

    def block(carry: tuple[Params, State, Array], now: Any) -> tuple[Any, None]:
        params, state, total = carry
        inputs, targets, masks, valid, xi, opens = now
        weights = circuit.weights(params)
        unfolded = unfold_tile(circuit, params, weights, inputs.astype(dtype), valid, state, xi)
        outputs = unfolded.read @ weights.readout.T + weights.readout_bias
        slopes = jax.grad(loss, (0, 1), has_aux=True)
        (errors, direct), losses = slopes(outputs, unfolded.read, targets, masks, valid)
        credit = send_credit(
            circuit,
            params,
            unfolded,
            errors,
            weights.readout.T,
            weights.recurrent,
            direct if objective.has_penalty else None,
            output_feedback=weights.output_feedback if circuit.output_feedback else None,
        )
        effective = effective_gradients(circuit, unfolded, credit, errors)
        if circuit.output_feedback:
            more = initial_output_gradients(circuit, params, state, credit.arriving, weights.output_feedback)
            effective |= {name: effective[name] + jnp.where(opens, more[name], 0) for name in more}
        grads = pull_back(circuit, params, effective, credit.own)
        moved = {name: params[name] - step_size * grads[name] for name in trained}
        final = {name: value[-1] for name, value in unfolded.states.items()}
        return ({**params, **moved}, final, total + losses), None

    (end, final, losses), _ = jax.lax.scan(block, (params, start, jnp.zeros(num_trials, dtype)), sequence)
    back = {name: params[name] - end[name] for name in params}
    return back, {"loss": losses.mean(), "losses": losses, "carry": final}
