"""What a table of a study says, row by row, before it is laid out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from throughtime.results.flags import labels
from throughtime.studies.record import AXES

ORDER = ("task", "circuit", "option", "rule")
Interval = tuple[float, float, float]


@dataclass(frozen=True)
class Row:
    """One task × circuit × option × rule; numbers that are not there are NaN.

    Attributes:
        labels: task, circuit, option and rule.
        reached, seeds: seeds that reached the criterion, and that were run.
        success, trials: estimate and interval.
        budget: most trials a seed was trained on.
        level: of the metric, estimate and interval; ranked: whether it is the median.
        difference: to the reference, estimate and interval; None for the reference itself.
        difference_ranked: whether it is of medians.
        p, p_holm, p_minimum: of the difference.
        diverged, failed, refused, not_run: numbers of seeds.
    """

    labels: tuple[str, str, str, str]
    reached: int
    seeds: int
    success: Interval
    trials: Interval
    budget: int
    level: Interval
    ranked: bool
    difference: Interval | None
    difference_ranked: bool
    p: float
    p_holm: float
    p_minimum: float
    diverged: int
    failed: int
    refused: int
    not_run: int


def rows(found: xr.Dataset) -> list[Row]:
    """Rows of a table, from statistics of rules in one metric.

    Args:
        found: of :func:`throughtime.studies.statistics`, with one metric and across rules.
    """
    names = {axis: labels(found[axis]) for axis in AXES}
    pairs = _pairs(found)
    made = []
    for task, circuit, option, rule in np.ndindex(*(len(names[axis]) for axis in ORDER)):
        cell = found.isel(metric=0, task=task, circuit=circuit, rule=rule, option=option)
        ranked = math.isnan(float(cell["mean"])) and not math.isnan(float(cell["median"]))
        there = cell.isel(pair=pairs[rule]) if rule in pairs else None
        shifted = there is not None and math.isnan(float(there["mean_difference"]))
        kind = "median_difference" if shifted else "mean_difference"
        made.append(
            Row(
                labels=(
                    names["task"][task],
                    names["circuit"][circuit],
                    names["option"][option],
                    names["rule"][rule],
                ),
                reached=int(cell["num_reached"]),
                seeds=int(cell["num_seeds"]),
                success=_interval(cell, "success_rate"),
                trials=_interval(cell, "median_trials"),
                budget=int(cell["trial_budget"]),
                level=_interval(cell, "median" if ranked else "mean"),
                ranked=ranked,
                difference=None if there is None else _interval(there, kind),
                difference_ranked=shifted,
                p=_number(there, "p"),
                p_holm=_number(there, "p_holm"),
                p_minimum=_number(there, "p_minimum"),
                diverged=int(cell["num_diverged"]),
                failed=int(cell["num_failed"]),
                refused=int(cell["num_refused"]),
                not_run=int(cell["num_not_run"]),
            )
        )
    return made


def _pairs(found: xr.Dataset) -> dict[int, int]:
    """Place of a rule -> that of its comparison with the reference."""
    if "pair" not in found.dims:
        return {}
    reference = int(found["second"][0])
    pairs = zip(found["first"].values.tolist(), found["second"].values.tolist(), strict=True)
    return {first: place for place, (first, second) in enumerate(pairs) if second == reference}


def _interval(cell: xr.Dataset, name: str) -> Interval:
    return float(cell[name]), float(cell[f"{name}_lower"]), float(cell[f"{name}_upper"])


def _number(cell: xr.Dataset | None, name: str) -> float:
    return math.nan if cell is None else float(cell[name])
