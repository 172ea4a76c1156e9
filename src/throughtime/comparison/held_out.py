"""The loss that rules are ranked by: final weights at rest, on trials that no update has seen.

What a rule reports while it learns is its own: the loss met while the weights move within the trial, or that
of a run with the rule's noise or exploration in it. Such losses differ between rules with the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import keys, rules
from throughtime.objectives import add_weight_penalty
from throughtime.training.record import DIVERGED
from throughtime.training.update import after_trials, held_out_keys

NUM_TRIALS = 64
PURPOSE, BLOCK = "validation", 0  # evaluations while training take later blocks of this purpose


def held_out_losses(
    task: Any,
    circuit: Any,
    objective: Any,
    params: Mapping[str, Any],
    *,
    data_seeds: Any,
    status: Any,
    carry_state: bool = False,
    num_trials: int = NUM_TRIALS,
) -> np.ndarray:
    """Loss of every seed's weights, penalties included, the circuit's own noise on and no rule at work.

    Args:
        task, circuit, objective: what was trained.
        params: name -> (seed, …).
        data_seeds: (seed,) numbers from which the trials are drawn, as in training.
        status: (seed,) how each seed ended.
        carry_state: start each trial where another held-out trial ended, as in training with carried states.
        num_trials: trials a seed.

    Returns:
        (seed,); NaN for a seed that diverged or whose loss is not finite.

    Example:
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=50.0)
        >>> circuit = tt.circuits.for_task(task, num_units=6)
        >>> params = jax.vmap(lambda key: circuit.init(key=key))(jax.random.split(jax.random.key(0), 2))
        >>> loss = tt.objectives.SquaredError()
        >>> held_out_losses(task, circuit, loss, params, data_seeds=[0, 1], status=[1, DIVERGED]).shape
        (2,)
    """
    free = {name: jnp.asarray(value) for name, value in params.items()}
    numbers = jnp.asarray(np.asarray(data_seeds), jnp.uint32)
    found = np.asarray(_losses(task, circuit, objective, num_trials, carry_state, free, numbers), float)
    return np.where((np.asarray(status) != DIVERGED) & np.isfinite(found), found, np.nan)


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _losses(
    task: Any, circuit: Any, objective: Any, num_trials: int, carry_state: bool, params: Any, data_seeds: Any
) -> Any:
    """(seed,), by the exact rule, which changes nothing in a run and takes every objective."""
    plain = rules.make("bptt")

    def one(both: tuple[Any, Any]) -> Any:
        params, data_seed = both
        root = keys.seed_key(data_seed, "data")
        each, previous = held_out_keys(root, PURPOSE, jnp.int32(BLOCK), num_trials, carry_state)
        start = None if previous is None else after_trials(task, circuit, params, previous)
        batch = jax.random.fold_in(jax.random.fold_in(root, keys.PURPOSES[PURPOSE]), BLOCK)
        trials = jax.vmap(task.trial)(each)
        grads, _, info = plain.gradient(circuit, params, {}, trials, objective, key=batch, carry=start)
        return add_weight_penalty(circuit, objective, params, grads, info)[1]["loss"]

    return jax.lax.map(one, (params, data_seeds))
