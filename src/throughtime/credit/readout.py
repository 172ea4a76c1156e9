"""The gradient of the readout alone: a forward run and the errors of the outputs, nothing sent back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.circuits.initial import broadcast
from throughtime.circuits.readout import before_leak
from throughtime.circuits.simulate import forward
from throughtime.credit import tiles
from throughtime.credit.adjoint import over_steps
from throughtime.credit.batch import differentiate, refuse_leaky_readout
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    State = dict[str, Array]
    Params = dict[str, Array]


def gradient(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    *,
    trial_keys: Array,
    initial: State | None = None,
) -> tuple[Params, dict[str, Any]]:
    """``Σ e_t r_tᵀ`` and ``Σ e_t`` of the batch objective, zeros for all other parameters.

    Args and returns as :func:`throughtime.credit.batch.gradient`, without ``initial_state`` in ``info``.
    """
    if initial is not None:
        refuse_leaky_readout(circuit)
    trials = judged(trials)
    weights = circuit.weights(params)
    num_trials = trials.inputs.shape[0]
    start = broadcast(circuit.initial_state(params), num_trials) if initial is None else initial

    def one_tile(piece: tuple[Trial, Array, State], weight: Array) -> Any:
        batch, keys, before = piece
        share = weight.astype(params["bias"].dtype) / num_trials
        unfolded, outputs = forward(circuit, params, weights, batch, keys, before)
        losses, errors, _ = differentiate(objective, batch, unfolded, outputs, share)
        errors = before_leak(circuit, errors, unfolded.valid)
        grads = {"readout": over_steps(errors, unfolded.read), "readout_bias": errors.sum((0, 1))}
        return grads, (losses, {name: value[-1] for name, value in unfolded.states.items()})

    grads, per_trial = tiles.map_tiles(one_tile, (trials, trial_keys, start))
    losses, final = tiles.join(per_trial, num_trials)
    summed = jax.tree.map(lambda leaf: leaf.sum(0), grads)

    def constrained(trained: Params) -> Params:
        effective = circuit.weights({**params, **trained})
        return {name: getattr(effective, name) for name in summed}

    _, pull = jax.vjp(constrained, {name: params[name] for name in summed})
    (pulled,) = pull(summed)
    zeros = {name: jnp.zeros_like(value) for name, value in params.items()}
    return {**zeros, **pulled}, {"loss": losses.mean(), "losses": losses, "carry": final}
