"""The table of outcomes, a row a task, circuit, rule and option: what ``tt.studies.statistics`` found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from throughtime.results import labels
from throughtime.results.flags import flag_table
from throughtime.studies.outcomes import METRICS
from throughtime.studies.record import AXES
from throughtime.studies.report.contents import Contents, Series
from throughtime.studies.report.numbers import count, number
from throughtime.studies.statistics import statistics

LAST = float(np.finfo(float).max)
SCORE = "final_score"


@dataclass(frozen=True)
class Cell:
    """A cell: its text, a smaller one behind it, what it is sorted by ("" if missing, None for its text)."""

    text: str
    small: str = ""
    sort: float | str | None = None
    kind: str = "number"
    look: Series | None = None


@dataclass(frozen=True)
class Column:
    """A column: title, what it is in a sentence, the cell of a task and series, ``name`` or ``number``."""

    title: str
    told: str
    cell: Callable[[int, Series], Cell]
    kind: str = "number"


@dataclass(frozen=True)
class Row:
    """A row: its cells, its place along each axis, and whether a task begins with it."""

    cells: Sequence[Cell]
    places: Mapping[str, int]
    first: bool


@dataclass(frozen=True)
class Table:
    """Columns, rows, and notes below them."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str]


def table(contents: Contents) -> Table:
    """The table of everything that was run on at least one seed."""
    columns = _columns(contents, statistics(contents.tree))
    rows: list[Row] = []
    for task in range(len(contents.names["task"])):
        for index, series in enumerate(contents.ran(task)):
            cells = [column.cell(task, series) for column in columns]
            places = dict(zip(AXES, (task, *series.place), strict=True))
            rows.append(Row(cells, places, first=index == 0 and task > 0))
    notes = [
        "Behind a number stands its 95 % interval: Wilson's for seeds that met the criterion, Kaplan and "
        "Meier's for trials (seeds whose budget ended count as not yet), that of order statistics for "
        "medians. Seeds that diverged or failed count as worst in everything.",
        "Differences are means over seeds, paired, or medians where a seed was lost. p is two-sided, of sign "
        "flips, Holm-corrected within the task; behind it the least p that so many seeds could give.",
    ]
    return Table(columns, rows, notes if len(contents.names["rule"]) > 1 else notes[:1])


def _columns(contents: Contents, found: xr.Dataset) -> list[Column]:
    named = ("task", "rule", *(axis for axis in ("circuit", "option") if axis in contents.varied()))
    columns = [Column(axis, f"Label of the {axis}", _Label(contents, axis), "name") for axis in named]
    columns.append(
        Column("criterion met", "Seeds that met the criterion, of those that were run", _Met(found))
    )
    columns.append(Column("trials to criterion", "Median over seeds", _Trials(found)))
    for index, (metric, (_, told)) in enumerate(METRICS.items()):
        if np.isfinite(found["median"].isel(metric=index)).any() and metric != "trials_to_criterion":
            name = f"{told[:1].upper()}{told[1:]}: median over seeds"
            columns.append(Column(metric.replace("_", " "), name, _Median(found, index)))
    if "pair" in found.dims:
        reference = contents.names["rule"][int(found["second"].values[0])]
        told = f"Final score less that of {reference} on the same seed"
        columns.append(Column(f"score − {reference}", told, _Difference(found)))
        columns.append(
            Column("p", "Holm-corrected p of that difference, and the least there can be", _P(found))
        )
    columns.append(Column("lost", "Seeds that diverged, or whose cell failed", _Lost(found)))
    if np.isfinite(contents.outcomes["learning_rate"]).any():
        columns.append(Column("step", "Learning rate, or size of the rule's own steps", _StepSize(contents)))
    return columns


@dataclass(frozen=True)
class _Label:
    contents: Contents
    axis: str

    def __call__(self, task: int, series: Series) -> Cell:
        look = series if self.axis == "rule" else None
        return Cell(self.contents.named(task, series)[self.axis], kind="name", look=look)


@dataclass(frozen=True)
class _Of:
    """Something of the statistics."""

    found: xr.Dataset

    def value(self, name: str, task: int, series: Series, metric: int | None = None) -> float:
        """A number over (task, circuit, rule, option), of one metric where it has that dim."""
        array = self.found[name] if metric is None else self.found[name].isel(metric=metric)
        return float(array.values[(task, *series.place)])


class _Met(_Of):
    def __call__(self, task: int, series: Series) -> Cell:
        met, total = (int(self.value(f"num_{name}", task, series)) for name in ("reached", "seeds"))
        low, high = (100 * self.value(f"success_rate_{end}", task, series) for end in ("lower", "upper"))
        return Cell(f"{count(met)}/{count(total)}", f"{low:.0f} to {high:.0f} %", met / total)


class _Trials(_Of):
    def __call__(self, task: int, series: Series) -> Cell:
        middle, low, high = (
            self.value(f"median_trials{end}", task, series) for end in ("", "_lower", "_upper")
        )
        budget = self.value("trial_budget", task, series)
        if not np.isfinite(middle):
            return Cell(f"> {number(budget)}" if budget else "–", sort=LAST if budget else "")
        return Cell(number(middle), _interval(low, high), middle)


@dataclass(frozen=True)
class _Median(_Of):
    metric: int

    def __call__(self, task: int, series: Series) -> Cell:
        middle, low, high = (
            self.value(f"median{end}", task, series, self.metric) for end in ("", "_lower", "_upper")
        )
        if np.isnan(middle):
            return Cell("–", sort="")
        if np.isinf(middle):
            return Cell("lost", "most seeds", np.copysign(LAST, middle))
        return Cell(number(middle, whole=True), _interval(low, high), middle)


@dataclass(frozen=True)
class _Compared(_Of):
    """Something of the final score beside that of the reference."""

    def compared(self, name: str, task: int, series: Series) -> float:
        """A number over (metric, task, circuit, option, pair); NaN for the reference itself."""
        pair = np.flatnonzero(self.found["first"].values == series.rule)
        if not pair.size:
            return np.nan
        metric = labels(self.found["metric"]).index(SCORE)
        place = (metric, task, series.circuit, series.option, int(pair[0]))
        return float(self.found[name].values[place])

    def reference(self, series: Series) -> bool:
        """Whether the series is of the reference."""
        return bool(series.rule == int(self.found["second"].values[0]))


class _Difference(_Compared):
    def __call__(self, task: int, series: Series) -> Cell:
        if self.reference(series):
            return Cell("", sort=0.0)
        kind = "mean" if np.isfinite(self.compared("mean_difference", task, series)) else "median"
        value = self.compared(f"{kind}_difference", task, series)
        low, high = (self.compared(f"{kind}_difference_{end}", task, series) for end in ("lower", "upper"))
        if np.isnan(value):
            return Cell("–", sort="")
        sign = "+" if value > 0 else ""
        return Cell(
            f"{sign}{number(value, 2, whole=True)}",
            _interval(low, high, digits=2),
            np.clip(value, -LAST, LAST),
        )


class _P(_Compared):
    def __call__(self, task: int, series: Series) -> Cell:
        if self.reference(series):
            return Cell("", sort="")
        value, least = (self.compared(name, task, series) for name in ("p_holm", "p_minimum"))
        if np.isfinite(value):
            return Cell(number(value, 2), f"≥ {number(least, 2)}", value)
        meaning = flag_table(self.found["p_status"].attrs)[int(self.compared("p_status", task, series))]
        return Cell("–", meaning.replace("_", " "), "")


class _Lost(_Of):
    def __call__(self, task: int, series: Series) -> Cell:
        counts = {name: int(self.value(f"num_{name}", task, series)) for name in ("diverged", "failed")}
        told = ", ".join(f"{count(found)} {name}" for name, found in counts.items() if found)
        total = sum(counts.values())
        return Cell(count(total), told, total)


@dataclass(frozen=True)
class _StepSize:
    contents: Contents

    def __call__(self, task: int, series: Series) -> Cell:
        value = float(self.contents.values("learning_rate", task, series))
        return Cell(number(value), sort=value if np.isfinite(value) else "")


def _interval(low: float, high: float, digits: int = 3) -> str:
    """An interval; empty where neither end is known, as where seeds are few."""
    if not (np.isfinite(low) or np.isfinite(high)):
        return ""
    return " to ".join(number(end, digits, whole=True) for end in (low, high))
