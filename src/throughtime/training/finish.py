"""The record of a run that has ended, and hashes that show which runs share weights and trials."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.training.history import History
from throughtime.training.plan import Plan
from throughtime.training.record import BUDGET_EXHAUSTED, CRITERION_REACHED, DIVERGED, NEVER, TrainingRecord
from throughtime.training.update import MEASURES, make_trials

if TYPE_CHECKING:
    from jax import Array

    from throughtime.training.prepare import Job


def finish(job: Job, history: History) -> TrainingRecord:
    """The record of a run that has ended; its last checkpoint is the final weights."""
    plan, labels = job.plan, job.labels
    history.keep()
    states = history.states
    diverged_update = np.asarray(states.diverged_update, np.int64)
    reached = history.criterion_update != NEVER
    snapshots = history.snapshots
    params = {name: np.stack([kept[1][name] for kept in snapshots], 1) for name in states.params}
    weights = _effective(plan.circuit, params)
    in_file = ["recurrent", "input", "bias", "readout", "readout_bias", "tau"]
    in_file += ["output_feedback"] if plan.circuit.output_feedback else []
    measures = np.array(history.measures).reshape(-1, len(labels), len(MEASURES)).transpose(2, 1, 0)
    curves = dict(zip(MEASURES, measures, strict=True))
    made = np.asarray(states.num_updates, np.int64)
    shaped = len(job.stages) > 1
    return TrainingRecord(
        config=job.config,
        seeds=np.array(labels, np.int64),
        update=np.array(history.update, np.int64),
        curves={**curves, "score": np.array(history.scores).reshape(-1, len(labels)).T},
        status=np.where(
            diverged_update != NEVER, DIVERGED, np.where(reached, CRITERION_REACHED, BUDGET_EXHAUSTED)
        ),
        criterion_update=history.criterion_update,
        diverged_update=diverged_update,
        num_updates=made,
        trials_seen=made * plan.batch_size,
        forward_passes=made * plan.batch_size * plan.rule.traits.forward_passes,
        checkpoint_update=np.stack([kept[0] for kept in snapshots], 1),
        params=params,
        weights={name: np.asarray(weights[name]) for name in in_file},
        rule_state={name: np.stack([kept[2][name] for kept in snapshots], 1) for name in states.rule},
        init_sha256={
            str(label): hash_arrays({name: array[index, 0] for name, array in params.items()})
            for index, label in enumerate(labels)
        },
        data_sha256=dict(
            zip(map(str, labels), hash_trials(job.stages[0].plan, np.asarray(states.data_seed)), strict=True)
        ),
        stage=np.array(history.stages).reshape(-1, len(labels)).T if shaped else None,
        stage_update=history.stage_update if shaped else None,
    )


def hash_arrays(arrays: dict[str, Any]) -> str:
    """SHA-256 over names, dtypes, shapes and contents."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def hash_trials(plan: Plan, data_seeds: np.ndarray) -> list[str]:
    """Hash of the first training batch of each seed."""
    names = ("inputs", "targets", "mask", "valid")
    batches = [_first_batch(plan.task, plan.batch_size, seed) for seed in data_seeds]
    return [hash_arrays({name: np.asarray(getattr(batch, name)) for name in names}) for batch in batches]


@partial(jax.jit, static_argnums=(0, 1))
def _first_batch(task: Any, batch_size: int, seed: Array) -> Any:
    return make_trials(task, batch_size, seed, jnp.int32(0))[0]


@partial(jax.jit, static_argnums=0)
def _effective(circuit: Any, params: dict[str, Array]) -> dict[str, Array]:
    """Effective arrays (seed, checkpoint, …) of parameters (seed, checkpoint, …)."""
    return jax.vmap(jax.vmap(lambda one: circuit.weights(one)._asdict()))(params)
