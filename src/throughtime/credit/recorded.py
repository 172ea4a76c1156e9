"""Rules that run forward in time, after the trial: run, find every error, then step through the record."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.circuits.readout import leaky_back, readout_decay
from throughtime.circuits.simulate import forward
from throughtime.credit import tiles
from throughtime.credit.batch import differentiate
from throughtime.credit.carried import CARRIED
from throughtime.credit.record import layout, record
from throughtime.credit.stepper import Share
from throughtime.credit.stepping import (
    complete,
    jolts,
    kept_on_padding,
    mean_state,
    rule_keys,
    run_twin,
    start,
    still_on_padding,
    to_params,
    where,
    wires,
)
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.circuits.simulate import Unfolded
    from throughtime.credit.record import Record
    from throughtime.credit.stepper import Stepper
    from throughtime.credit.stepping import Pathways
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    Params = dict[str, Array]
    RuleState = dict[str, Array]


def gradient(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    stepper: Stepper,
    pathways: Pathways,
    state: RuleState,
    *,
    trial_keys: Array,
    carry: Any = None,
    by_step: bool = False,
) -> tuple[Params, RuleState, dict[str, Any]]:
    """Gradient of the batch objective as a sum over steps of what ``stepper`` gives, with frozen weights.

    Args:
        trials: batch of trials, leaves (trial, …).
        stepper: what is carried forward; pathways: F and W̃.
        state: the rule's state.
        trial_keys: (trial,) keys of circuit noise and of the rule's draws.
        carry: circuit state and traces from a call before, or a circuit state alone; then a learned initial
            state gets no credit.
        by_step: give the share of every step instead of their sum, with a leading axis time.

    Returns:
        gradients with the structure of ``params``, the rule's state, and ``info``: ``loss``, ``losses``,
        ``carry``.
    """
    trials = judged(trials)
    weights, plan = circuit.weights(params), layout(circuit)
    num_trials = trials.inputs.shape[0]
    matrices = wires(plan, weights, state, pathways)
    begun = start(circuit, params, state, stepper, pathways, num_trials, carry, trial_keys)

    def one_tile(piece: tuple[Trial, Array, Any, Any], weight: Array) -> Any:
        batch, keys, before, memory = piece
        live = weight > 0
        unfolded, outputs = forward(circuit, params, weights, batch, keys, before)
        losses, errors, direct = differentiate(
            objective, batch, unfolded, outputs, weight.astype(params["bias"].dtype)
        )
        past = readout_errors(circuit, unfolded, errors)
        given = errors if stepper.filters else past
        targets = jnp.swapaxes(batch.targets, 0, 1).astype(errors.dtype)
        steps = record(circuit, params, weights, unfolded, targets, given, direct)
        noise = jolts(plan, stepper, keys, len(errors), errors.dtype)

        def step(carried: Any, both: tuple[Record, Array, Any]) -> tuple[Any, None]:
            state, memory, twin, total = carried
            now, late, beside = both
            if beside is not None:
                drive, there = beside
                twin, apart = run_twin(circuit, params, weights, twin, drive, there, now)
                now = now._replace(twin=apart)
            now = still_on_padding(now) if stepper.stands_still else now
            each = rule_keys(keys, now.index[0])
            changed, ahead, shares = jax.vmap(stepper.step, in_axes=(None, None, 0, 0, None, 0))(
                plan, state, memory, now, matrices, each
            )
            if stepper.learns:
                state = mean_state(state, changed, now.valid & live)
            whole = jax.vmap(lambda share, error, read: complete(plan, share, error, read, one))
            shares = whole(shares, late, now.read)
            memory = kept_on_padding(stepper, now.valid, ahead, memory)
            part = jax.tree.map(lambda leaf: where(now.valid & live, leaf, 0).sum(0), shares)
            return (state, memory, twin, jax.tree.map(jnp.add, total, part)), part if by_step else None

        one = jnp.ones((), errors.dtype)
        zero = complete(plan, Share(), 0 * errors[0, 0], unfolded.read[0, 0], one)
        beside = None if stepper.twin_sd is None else (unfolded.drives, unfolded.states)
        sequence = (steps._replace(jolt=noise), past, beside)
        (after, memory, _, total), parts = jax.lax.scan(step, (state, memory, before, zero), sequence)
        final = {name: value[-1] for name, value in unfolded.states.items()}
        return (parts if by_step else total, after), (losses, {**final, CARRIED: memory})

    pieces = (trials, trial_keys, begun.state, begun.memory)
    if stepper.learns:
        (total, state), per_trial = one_tile(pieces, jnp.ones(num_trials, jnp.float32))
    else:
        (total, _), stacked_trials = tiles.map_tiles(one_tile, pieces)
        total = jax.tree.map(lambda leaf: leaf.sum(0), total)
        per_trial = tiles.join(stacked_trials, num_trials)
    losses, carried = per_trial
    mean = jax.tree.map(lambda leaf: leaf / num_trials, total)
    give = partial(to_params, plan, circuit, params)
    grads = jax.vmap(give)(mean) if by_step else give(mean)
    return grads, state, {"loss": losses.mean(), "losses": losses, "carry": carried}


def readout_errors(circuit: Circuit, unfolded: Unfolded, errors: Array) -> Array:
    """Errors of what arrives at the outputs: those of the outputs, back through a leaky readout."""
    if circuit.readout_tau is None:
        return errors
    return leaky_back(errors, unfolded.valid, readout_decay(circuit))
