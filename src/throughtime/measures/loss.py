"""The loss of a circuit on a batch of trials, as a function of its parameters, whatever rule trained it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    Params = dict[str, Array]


def double(tree: Any) -> Any:
    """Leaves of floating point as float64; other leaves as they are."""

    def one(leaf: Any) -> Any:
        leaf = jnp.asarray(leaf)
        return leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(one, tree)


def batch_loss(circuit: Circuit, objective: Objective, params: Params, trials: Trial) -> Array:
    """Mean loss over trials without noise, penalties included, by ``circuit.run``."""

    def one(trial: Trial) -> Array:
        path = circuit.run(params, trial.inputs, valid=trial.valid)
        loss = objective(path.outputs, trial)
        return loss + objective.penalty(path, trial.valid) if objective.has_penalty else loss

    loss = jnp.mean(jax.vmap(one)(trials))
    extra = objective.weight_penalty(circuit.weights(params)) if objective.has_weight_penalty else 0.0
    return loss + extra


def decision_steps(trials: Any) -> np.ndarray:
    """Index (trial,) of the last step that bears loss; of the last valid one where none does.

    Args:
        trials: batch with ``mask`` (trial, time, output) and ``valid`` (trial, time).
    """
    mask = np.asarray(trials.mask).max(-1) > 0
    valid = np.asarray(trials.valid, bool)
    judged = np.where(mask.any(1, keepdims=True), mask & valid, valid)
    return judged.shape[1] - 1 - judged[:, ::-1].argmax(1)
