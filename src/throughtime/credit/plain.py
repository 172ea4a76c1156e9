"""The exact gradient by automatic differentiation of the forward loop, for dynamics of two stages.

A two-stage step (GRU with the reset before the synapses) sends ``reset_t ∘ r_{t−1}`` through the candidate's
synapses, so credit reaches the reset gate only through a transport of its own, and there is no one recursion
of drives to change. Exact gradients exist all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.circuits.circuit import Trajectory
from throughtime.circuits.simulate import forward
from throughtime.credit import tiles
from throughtime.credit.batch import refuse_leaky_readout
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
    """As :func:`throughtime.credit.batch.gradient` with exact feedback and transport."""
    if initial is not None:
        refuse_leaky_readout(circuit)
    trials = judged(trials)
    num_trials = trials.inputs.shape[0]

    def one_tile(piece: tuple[Trial, Array, State | None], weight: Array) -> Any:
        batch, keys, start = piece
        share = weight.astype(params["bias"].dtype) / num_trials

        def loss(params: Params) -> tuple[Array, Any]:
            unfolded, outputs = forward(circuit, params, circuit.weights(params), batch, keys, start)
            losses = jax.vmap(objective, in_axes=(1, 0))(outputs, batch)
            if objective.has_penalty:
                trajectory = Trajectory(unfolded.states, unfolded.read, outputs)
                losses = losses + jax.vmap(objective.penalty, in_axes=(1, 1))(trajectory, unfolded.valid)
            final = {name: state[-1] for name, state in unfolded.states.items()}
            return jnp.sum(share * losses), (losses, final)

        (_, (losses, final)), grads = jax.value_and_grad(loss, has_aux=True)(params)
        return grads, (losses, final)

    pieces = (trials, trial_keys, initial)
    grads, per_trial = tiles.map_tiles(one_tile, pieces)
    losses, final = tiles.join(per_trial, num_trials)
    return jax.tree.map(lambda leaf: leaf.sum(0), grads), {
        "loss": losses.mean(),
        "losses": losses,
        "carry": final,
    }
