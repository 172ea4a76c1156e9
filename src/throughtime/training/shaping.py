"""Curricula: the tasks a seed is trained on one after the other, and when it goes on to the next."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.training.criterion import LOSS, Judge
from throughtime.training.plan import Plan

PUBLISHED = "published"


class Stage(NamedTuple):
    """One stage of a run.

    Attributes:
        plan: what is compiled for its task.
        judge: says when a seed has done with it; in the last stage, when it has learned the task.
    """

    plan: Plan
    judge: Judge


def resolve(task: Any, curriculum: Any) -> Any:
    """The shaping that is asked for, checked, or None.

    Args:
        curriculum: None, ``"published"`` for the one the task declares, or an object with ``stages(task)``
            and a criterion ``until``, such as ``throughtime.tasks.Shaping``.

    Raises:
        ValueError: for anything else; where the task declares none; for stages the task refuses; and for an
            ``until`` on something that is not measured.
    """
    shaping = curriculum
    if curriculum == PUBLISHED:
        shaping = getattr(task, "shaping", None)
        if shaping is None:
            raise ValueError(
                f"train: curriculum 'published': {type(task).__name__} with these settings declares no "
                "shaping; give one of your own, throughtime.tasks.Shaping(field, values, until=...), or None."
            )
    if shaping is None:
        return None
    if not (hasattr(shaping, "stages") and hasattr(shaping, "until")):
        raise ValueError(
            f"train: curriculum {curriculum!r} is not known; use None, 'published' or "
            "throughtime.tasks.Shaping(field, values, until=...)."
        )
    shaping.stages(task)
    _check_measured(task, shaping.until)
    return shaping


def stages(plan: Plan, shaping: Any) -> tuple[Stage, ...]:
    """Stages of a run, in order; the last one is ``plan`` with the criteria of its task."""
    last = Stage(plan, Judge(plan.task))
    if shaping is None:
        return (last,)
    judge = Judge(plan.task, (shaping.until,))
    early = shaping.stages(plan.task)[:-1]
    return (*(Stage(dataclasses.replace(plan, task=task), judge) for task in early), last)


def _check_measured(task: Any, until: Any) -> None:
    """Refuse a bound on a score, or groups of conditions, that trials of the task do not have."""

    def trial(key: Any) -> Any:
        one = task.trial(key)
        return task.score(jnp.zeros_like(one.targets), one), one.conditions

    scores, conditions = jax.eval_shape(trial, jax.random.key(0))
    known = sorted({LOSS, *scores, *task.signature.parameters})
    if until.measure not in known:
        raise ValueError(f"train: curriculum: measure {until.measure!r}: expected one of {', '.join(known)}.")
    if strange := [name for name in until.group if name not in conditions]:
        there = ", ".join(sorted(conditions))
        raise ValueError(f"train: curriculum: group {strange[0]!r}: no such condition; there are {there}.")
