"""What tasks have in common, and what they do not, for mixtures of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import jax

from throughtime.tasks.base import Task
from throughtime.trial import Trial


@functools.lru_cache(maxsize=256)
def types_of(task: Task) -> dict[str, dict[str, Any]]:
    """Types of a task's conditions and scores by name."""

    def one(seed: Any) -> tuple[Any, Any]:
        trial = task.trial(jax.random.key(seed))
        return trial.conditions, task.score(task.ideal(trial), trial)

    found = jax.eval_shape(one, 0)
    return {
        kind: {name: values[name].dtype for name in values}
        for kind, values in zip(("conditions", "scores"), found, strict=True)
    }


def own_trial(task: Task, trial: Trial) -> Trial:
    """A mixture's trial as ``task`` would have made it: its length, epochs, conditions and their types."""
    steps = slice(task.num_steps)
    return Trial(
        inputs=trial.inputs[steps],
        targets=trial.targets[steps],
        mask=trial.mask[steps],
        valid=trial.valid[steps],
        epochs={name: trial.epochs[name] for name in task.epoch_names},
        conditions={
            name: trial.conditions[name].astype(dtype) for name, dtype in types_of(task)["conditions"].items()
        },
    )


def moved(task: Task, steps: int) -> Task:
    """``task`` at another of the values of its ``hardest``; itself where it is at none of them."""
    by = task.hardest
    if not steps or by is None or getattr(task, by.field) not in by.values:
        return task
    place = by.values.index(getattr(task, by.field)) + steps
    return dataclasses.replace(task, **{by.field: by.values[min(max(place, 0), len(by.values) - 1)]})


def union(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """All names; one that is new stands behind the one before it.

    Example:
        >>> union([("trial", "delay"), ("trial", "stimulus", "delay", "test")])
        ('trial', 'stimulus', 'delay', 'test')
    """
    names: list[str] = []
    for part in parts:
        place = 0
        for name in part:
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    return tuple(names)


def few(names: tuple[str, ...]) -> str:
    """At most three names, and how many there are.

    Example:
        >>> few(("a", "b", "c", "d"))
        'a, b, c … (4)'
    """
    return ", ".join(names[:3]) + (f" … ({len(names)})" if len(names) > 3 else "")
