"""Whether the conditions of a task have their stated probabilities."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from throughtime.checking.report import require
from throughtime.checking.task_sample import num_trials, sample
from throughtime.tasks import Task, TruncatedExponential, Uniform


def conditions(task: Task, probabilities: Mapping[str, Mapping[Any, float]] | None = None) -> None:
    """8. Conditions have their stated probabilities.

    ``probabilities`` (condition -> value -> probability) states them. Of the others, those named like a
    duration field have its distribution, ``catch`` its probability, and correct choices are balanced. Catch
    trials count for ``catch`` alone.
    """
    drawn = sample(task).trials.conditions
    if "catch" in drawn:
        catch = float(vars(task)["catch"])
        _chi_square("catch", drawn["catch"], {False: 1 - catch, True: catch})
        drawn = {name: values[~drawn["catch"]] for name, values in drawn.items() if name != "catch"}
    stated = probabilities or {}
    for name, expected in stated.items():
        _chi_square(name, drawn[name], expected)
    if "correct_choice" in drawn and "correct_choice" not in stated:
        choices = len(getattr(task, "alternatives", (0, 1)))
        _chi_square("correct_choice", drawn["correct_choice"], dict.fromkeys(range(choices), 1 / choices))
        if choices == 2:
            require(
                abs(drawn["correct_choice"].mean() - 0.5) <= 0.031,
                f"correct_choice is 1 in {drawn['correct_choice'].mean():.3f} of trials, expected half",
            )
    for name in (set(drawn) & set(task.duration_fields)) - set(stated):
        spread = getattr(task, name)
        if isinstance(spread, Uniform | TruncatedExponential):
            p = stats.kstest(drawn[name], functools.partial(_cumulative, spread)).pvalue
            require(p > 1e-4, f"{name} does not follow {spread} (p = {p:.2g})")
        else:
            values = spread if isinstance(spread, tuple) else (spread,)
            _chi_square(name, drawn[name], {v: values.count(v) / len(values) for v in values})
    for wanted in task.criterion:
        if wanted.group:
            counts = np.unique(np.stack([drawn[g] for g in wanted.group]), axis=1, return_counts=True)[1]
            fewest = counts.min() + 3 * np.sqrt(counts.min())  # what chance may have left out
            rarest = fewest / num_trials(task) * wanted.trials
            require(rarest >= 80, f"{wanted.measure}: about {rarest:.0f} trials of the rarest group, not 100")


def _chi_square(name: str, values: np.ndarray, expected: Mapping[Any, float]) -> None:
    possible = {value: p for value, p in expected.items() if p > 0}
    counts = np.array([np.isclose(values, value, atol=1e-3).sum() for value in possible])
    require(counts.sum() == len(values), f"{name} takes values other than {list(possible)}")
    p = stats.chisquare(counts, len(values) * np.array(list(possible.values()))).pvalue
    require(len(possible) == 1 or p > 1e-4, f"{name}: counts {counts} against {possible} (p = {p:.2g})")


def _cumulative(spread: Uniform | TruncatedExponential, value: np.ndarray) -> np.ndarray:
    part = np.clip((value - spread.low) / (spread.high - spread.low), 0, 1)
    if isinstance(spread, Uniform):
        return part
    width = (spread.high - spread.low) / spread.scale
    return np.expm1(-part * width) / np.expm1(-width)
