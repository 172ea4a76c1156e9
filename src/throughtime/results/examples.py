"""Example trials of a task, one of each condition, answered by a perfect subject."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

from throughtime import keys
from throughtime.results.evaluation import evaluation_dataset
from throughtime.results.flags import flag_attributes
from throughtime.training.record import EvaluationRecord

DRAWN = 2048
"""Trials that examples are chosen from."""
ENOUGH = 4
"""Examples beside which no further conditions are told apart."""
LOW, HIGH, LEVELS = 0.05, 0.95, 3
"""Quantiles between which a condition with many values is shown, and at how many: low, middle, high."""
CATCH = "catch"
ANSWER = "correct_choice"


class Told(NamedTuple):
    """A condition by which trials are told apart.

    Attributes:
        name: of the condition.
        code: (trial,) which level each trial belongs to, −1 for none.
        distance: (trial,) how far it is from that level, from 0 on.
        graded: whether it has more values than are shown.
    """

    name: str
    code: np.ndarray
    distance: np.ndarray
    graded: bool = False


def perfect_trials(task: Any, trials: Any) -> xr.Dataset:
    """Dataset (trial, …) of trials whose outputs are those of a perfect subject, with its scores.

    Args:
        trials: batch of the task, leaves (trial, …).

    Example:
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=40.0)
        >>> trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(0), 2))
        >>> bool(perfect_trials(task, trials)["correct"].all())
        True
    """
    outputs, scores = _answers(task, trials)
    shown = jax.tree.map(lambda leaf: np.asarray(leaf)[None], trials)
    record = EvaluationRecord(
        dt=task.dt,
        seeds=np.array([0]),
        inputs=shown.inputs,
        targets=shown.targets,
        mask=shown.mask,
        valid=shown.valid,
        outputs=np.asarray(outputs)[None],
        rates=np.zeros((*shown.valid.shape, 1), np.float32),
        states={},
        epochs={name: np.stack(both, axis=-1) for name, both in shown.epochs.items()},
        conditions=shown.conditions,
        scores={name: np.asarray(value)[None] for name, value in scores.items()},
        input_names=tuple(task.input_names),
        output_names=tuple(task.output_names),
    )
    return evaluation_dataset(record).isel(seed=0)


def _answers(task: Any, trials: Any) -> tuple[Any, Any]:
    @jax.jit
    def answer(trials: Any) -> tuple[Any, Any]:
        outputs = jax.vmap(task.ideal)(trials)
        return outputs, jax.vmap(task.score)(outputs, trials)

    found: tuple[Any, Any] = answer(trials)
    return found


def example_trials(task: Any, by: Sequence[str] | None = None, *, most: int = 8, seed: int = 0) -> xr.Dataset:
    """Trials that show what a task is: one for each combination of its main conditions.

    The main conditions are those the task is ``shown_by``, or those of its signature; then the correct
    choice, then others with few values, as long as there are less than four examples. One condition with
    many values is shown low, middle and high, or some of many labels. A catch trial comes last, if there is
    room.

    Args:
        task: any task.
        by: names of conditions in place of the main ones; those that would give more than ``most`` examples
            are left out.
        most: examples. seed: of the trials that examples are chosen from.

    Returns:
        Dataset (trial, time, …) as :func:`perfect_trials`, its attribute ``by`` the conditions told apart.

    Raises:
        ValueError: for a condition the task does not have.

    Example:
        >>> import throughtime as tt
        >>> shown = example_trials(tt.tasks.make("delayed-match-to-sample"))
        >>> shown.attrs["by"], shown["delay"].values.round(-2).tolist()
        ('delay correct_choice', [600.0, 600.0, 1700.0, 1700.0, 2900.0, 2900.0])
    """
    drawn = keys.trial_keys(keys.seed_key(seed, "data"), "analysis", 0, DRAWN)
    found = jax.jit(jax.vmap(lambda key: task.trial(key).conditions))(drawn)
    conditions = {name: np.asarray(found[name]) for name in task.condition_names}
    if strange := [name for name in by or () if name not in conditions]:
        known = ", ".join(conditions)
        raise ValueError(
            f"{type(task).__name__}: no condition {strange[0]!r} to show examples by; "
            f"its conditions are {known}."
        )
    told, chosen = choose(conditions, _main(task, conditions) if by is None else by, by, most)
    shown = perfect_trials(task, jax.jit(jax.vmap(task.trial))(drawn[np.array(chosen)]))
    for name, labels in task.condition_labels.items():
        if name in conditions:
            shown[_stored(name, shown)].attrs |= flag_attributes(labels)
    return shown.assign_attrs(by=" ".join(_stored(one.name, shown) for one in told))


def _stored(name: str, shown: xr.Dataset) -> str:
    """Name of a condition in a dataset of trials."""
    return f"{name}_condition" if f"{name}_condition" in shown else name


def _main(task: Any, conditions: dict[str, np.ndarray]) -> list[str]:
    """Conditions in the order in which they are told apart."""
    described = dict(task.signature.variables).values()
    declared = [name for name in task.shown_by if name in conditions]
    declared = declared or [name for name in conditions if name in described]
    counts = {name: len(np.unique(values)) for name, values in conditions.items()}
    others = sorted((name for name in conditions if not re.search(r"_\d+$", name)), key=lambda n: counts[n])
    return list(dict.fromkeys([*declared, *(name for name in (ANSWER,) if name in conditions), *others]))


def choose(
    conditions: dict[str, np.ndarray], order: Sequence[str], by: Sequence[str] | None = None, most: int = 8
) -> tuple[list[Told], list[int]]:
    """Which conditions tell trials apart, and one trial of each of their combinations.

    Args:
        conditions: name -> (trial,).
        order: names, the most important first. by: those that are wanted in any case.
        most: examples.

    Example:
        >>> side, delay = np.array([0, 1, 0, 1]), np.array([300.0, 300.0, 900.0, 500.0])
        >>> told, trials = choose({"side": side, "delay": delay}, ("side",), most=2)
        >>> [one.name for one in told], trials
        (['side'], [0, 1])
    """
    count = len(next(iter(conditions.values())))
    caught = np.asarray(conditions.get(CATCH, np.zeros(count)), bool)
    there = ~caught if not caught.all() else ~np.zeros(count, bool)
    room = max(1, most - int(caught.any() and not caught.all()))
    told: list[Told] = []
    group = np.zeros(count, int)
    for name in order:
        if name == CATCH and by is None:
            continue
        number = len(np.unique(group[there]))
        if by is None and number >= ENOUGH:
            break
        one = as_levels(name, conditions[name], there, room if by is None else max(1, room // number))
        if by is None and one.graded and any(other.graded for other in told):
            continue
        _, both = np.unique(np.stack([group, one.code]), axis=1, return_inverse=True)
        both = both.reshape(-1)
        if number < len(np.unique(both[there])) <= room:
            told.append(one)
            group = both
    distance = sum((one.distance for one in told), np.zeros(count))
    trials = [
        int(min(np.flatnonzero(there & (group == which)), key=lambda trial: distance[trial]))
        for which in np.unique(group[there])
    ]
    if caught.any() and not caught.all() and len(trials) < most:
        trials.append(int(np.flatnonzero(caught)[0]))
    return told, trials


def as_levels(name: str, values: np.ndarray, there: np.ndarray, most: int) -> Told:
    """A condition as levels: its values if they are few, some of many labels, low, middle and high otherwise.

    Args:
        name: of the condition; values: (trial,). there: (trial,), which trials count. most: levels.
    """
    values = np.asarray(values)
    number = values.astype(float)
    found = np.unique(number[there & np.isfinite(number)])
    graded = len(found) > most
    if graded:
        if values.dtype.kind in "ib" and len(found) <= np.sqrt(there.sum()) and found[0] >= 0:
            found = found[np.linspace(0, len(found) - 1, most).round().astype(int)]
        else:
            levels = np.linspace(LOW, HIGH, min(LEVELS, most))
            found = np.unique(np.quantile(number[there & np.isfinite(number)], levels, method="nearest"))
    if not len(found):
        return Told(name, np.full(len(number), -1), np.zeros(len(number)))
    away = np.abs(number[:, None] - found)
    nearest = np.argmin(np.where(np.isfinite(away), away, np.inf), axis=1)
    code = np.where(np.isfinite(number), nearest, -1)
    size = max(float(found[-1] - found[0]), 1e-9)
    distance = np.where(code >= 0, away[np.arange(len(number)), nearest] / size, 0.0)
    return Told(name, code, distance, graded)
