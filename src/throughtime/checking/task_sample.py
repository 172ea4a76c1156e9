"""Trials of a task that all of its checks share, drawn by three compiled functions at most."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import keys
from throughtime.tasks import Task

NUM_TRIALS, NUM_PAIRED = 4096, 256


class Sample(NamedTuple):
    """Trials of one task with the scores of a perfect, a silent, a broken and a late subject."""

    trials: Any
    scores: dict[str, dict[str, np.ndarray]]
    draw: Callable[[Any], Any]
    traces: list[int]


def num_trials(task: Task) -> int:
    """4096, or fewer where their inputs would fill more than 32 MiB."""
    return min(NUM_TRIALS, 2**23 // (task.num_steps * len(task.input_names)))


def keys_of(num: int, purpose: str = "train", update: int = 0) -> jax.Array:
    """Keys of as many trials of a stream."""
    return keys.trial_keys(keys.seed_key(0, "data"), purpose, update, num)


@functools.lru_cache(maxsize=1)
def sample(task: Task) -> Sample:
    """4096 trials of a task (or as many as are cheap), scored."""
    traces: list[int] = []

    @jax.jit
    @jax.vmap
    def draw(key: Any) -> Any:
        traces.append(1)
        trial = task.trial(key)
        ideal = task.ideal(trial)
        # constants behind a barrier: XLA would compute their scores while it compiles, in many times the time
        silent, broken = jax.lax.optimization_barrier((jnp.zeros_like(ideal), jnp.full_like(ideal, jnp.nan)))
        subjects = {
            "ideal": ideal,
            "silent": silent,
            "broken": broken,
            "late": jnp.concatenate([ideal[:1], ideal[:-1]]),
        }
        return trial, {name: task.score(outputs, trial) for name, outputs in subjects.items()}

    trials, scores = jax.tree.map(np.asarray, draw(keys_of(num_trials(task))))
    return Sample(trials, scores, draw, traces)


@functools.lru_cache(maxsize=2)
def quiet(task: Task, divide: int) -> Any:
    """256 of the same trials without noise, at dt/divide."""
    other = dataclasses.replace(task, noise=0.0, dt=task.dt / divide)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(other.trial))(keys_of(NUM_PAIRED)))
