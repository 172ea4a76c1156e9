"""Distributions over seeds: a panel a task and quantity, a row a rule, a dot a seed, a bar at the median."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from bokeh.models import FactorRange, Range1d, Scatter, Segment

from throughtime.results import labels
from throughtime.studies.report import embed
from throughtime.studies.report.contents import OUTCOME_DIMS, Contents, Series
from throughtime.studies.report.curves import DECADES, _label
from throughtime.studies.report.numbers import count
from throughtime.studies.report.rows import PLACES, Rows

ROW, ABOVE = 25, 58
"""Height in pixels of a row, and of the rest of a panel."""
MOST_DOTS = 400
"""Seeds of a row drawn; the median is over all."""
MOST_QUANTITIES = 24
"""Panels of measures a task; more are in the record."""


@dataclass(frozen=True)
class Quantity:
    """One number a seed.

    Attributes:
        name: of the quantity in the record, told above its panel.
        label: of the axis.
        values: (task, circuit, rule, option, seed).
        rising: whether more is better; None where neither is.
    """

    name: str
    label: str
    values: np.ndarray
    rising: bool | None


def quantities(contents: Contents) -> list[Quantity]:
    """Everything in the record that is one number a seed: ends of training, evaluations, measures."""
    found = []
    for name, rising in (("final_score", True), ("final_loss", False)):
        array = contents.outcomes[name]
        found.append(Quantity(name, _label(array), array.values, rising))
    held = contents.group("evaluations")
    if held is not None and "score" in held:
        found += list(_of_array("evaluations", held["score"], contents, rising=True))
    measured = [group for group in contents.tree.groups if group.strip("/").startswith("measures/")]
    more: list[Quantity] = []
    for path in sorted(measured):
        dataset = contents.group(path)
        for name in () if dataset is None else sorted(map(str, dataset.data_vars)):
            if dataset is not None and "flag_values" not in dataset[name].attrs:
                title = f"{path.strip('/').partition('/')[2]}: {name}"
                more += list(_of_array(title, dataset[name], contents, rising=None))
    return [one for one in (*found, *more[:MOST_QUANTITIES]) if np.isfinite(one.values).any()]


def _of_array(title: str, array: xr.DataArray, contents: Contents, rising: bool | None) -> Iterator[Quantity]:
    """A variable over the dims of outcomes; one quantity a condition if it has that dim too."""
    others = [dim for dim in array.dims if dim not in OUTCOME_DIMS]
    if not set(OUTCOME_DIMS) <= set(map(str, array.dims)) or others not in ([], ["condition"]):
        return
    if array.dtype.kind not in "fiu":
        return
    if not others:
        values = array.transpose(*OUTCOME_DIMS).values.astype(float)
        yield Quantity(title, _label(array), values, rising)
        return
    for index, name in enumerate(labels(array["condition"])):
        values = array.isel(condition=index).transpose(*OUTCOME_DIMS).values.astype(float)
        yield Quantity(f"{title}: {name}", f"{_label(array)}, {name}", values, rising)


def panels(contents: Contents) -> Iterator[tuple[int, Quantity, Any]]:
    """(task, quantity, figure) of every panel that has something to show, tasks first."""
    every = quantities(contents)
    for task in range(len(contents.names["task"])):
        for quantity in every:
            rows = [
                series for series in contents.ran(task)
                if np.isfinite(quantity.values[(task, *series.place)]).any()
                or (quantity.rising is not None and contents.lost(task, series).any())
            ]  # fmt: skip
            if any(np.isfinite(quantity.values[(task, *series.place)]).any() for series in rows):
                yield task, quantity, _panel(contents, task, quantity, rows)


def _panel(contents: Contents, task: int, quantity: Quantity, rows: list[Series]) -> Any:
    values = np.stack([quantity.values[(task, *series.place)] for series in rows]).astype(float)
    bad = np.stack([contents.lost(task, series) for series in rows])
    bad &= quantity.rising is not None  # a measure without better and worse has no worst edge
    finite = values[np.isfinite(values) & ~bad]
    finite = finite if finite.size else values[np.isfinite(values)]
    positive = bool((finite > 0).all())
    log = quantity.rising is False and positive and finite.max() > 10**DECADES * finite.min()
    low, high, worst = _limits(finite, log, quantity.rising if bad.any() else None)
    written = [
        _written(series, *each) for series, each in zip(rows, zip(values, bad, strict=True), strict=True)
    ]
    places = [{axis: getattr(series, axis) for axis in PLACES} for series in rows]
    factors = FactorRange(
        factors=written[::-1],
        tags=[{"factors": [[name, place] for name, place in zip(written, places, strict=True)][::-1]}],
        range_padding=0.2,
        range_padding_units="absolute",
    )
    drawn = embed.frame(
        quantity.label,
        x_axis_type="log" if log else "linear",
        x_range=Range1d(start=low, end=high),
        y_range=factors,
        height=ABOVE + ROW * len(rows),
        tags=[{"row": ROW, "above": ABOVE}],
        toolbar_location=None,
    )
    if log:
        embed.log_ticks(drawn.xaxis[0], low, high)
    drawn.ygrid.grid_line_color = None
    drawn.yaxis.major_tick_line_color = None
    dots, lost, medians = Rows(contents), Rows(contents), Rows(contents)
    for series, row, each, worse in zip(rows, written, values, bad, strict=True):
        offsets = np.linspace(-0.2, 0.2, len(each)) if len(each) > 1 else np.zeros(1)
        status = contents.status[(task, *series.place)]
        for index, value in enumerate(each[:MOST_DOTS]):
            if not (worse[index] or np.isfinite(value)):
                continue
            (lost if worse[index] else dots).add(
                task, series, x=worst if worse[index] else float(value), y=[row, float(offsets[index])],
                seed=contents.seeds[index], value=float(value) if np.isfinite(value) else None,
                ended=str(status[index]).replace("_", " "),
            )  # fmt: skip
        median = _median(each, worse, quantity.rising)
        if np.isfinite(median):
            medians.add(task, series, x=median, y0=[row, -0.36], y1=[row, 0.36])
    if medians:
        bar = Segment(x0="x", y0="y0", x1="x", y1="y1", line_color="color", line_width=3)
        medians.draw(drawn, bar, "median")
    dot = Scatter(
        x="x", y="y", size=7, fill_color="color", fill_alpha=0.6, line_color="white", line_width=0.5
    )
    hovered = [dots.draw(drawn, dot, "seeds")] if dots else []
    if lost:
        cross = Scatter(x="x", y="y", marker="x", size=8, line_width=2, line_color="color")
        hovered.append(lost.draw(drawn, cross, "lost"))
    told = [("seed", "@seed"), (quantity.label.lower(), "@value{%.4g}"), ("ended", "@ended")]
    drawn.add_tools(embed.hover([*embed.told(contents), *told], hovered, mode="mouse"))
    return drawn


def _median(each: np.ndarray, bad: np.ndarray, rising: bool | None) -> float:
    """Median of the seeds that have a value, those that were lost worst; infinite where most were."""
    ranked = np.where(bad, -np.inf if rising else np.inf, each)
    ranked = ranked[~np.isnan(ranked)]
    return float(np.median(ranked)) if np.isfinite(ranked).any() else np.nan


def _written(series: Series, each: np.ndarray, bad: np.ndarray) -> str:
    """Name of a row, and the number of seeds in it."""
    lost = int(bad.sum())
    dots = int((np.isfinite(each) & ~bad).sum())
    counted = f"{count(dots)} + {count(lost)} ×" if lost else count(dots)
    return f"{embed.plain(series.label)}  (n = {counted})"


def _limits(finite: np.ndarray, log: bool, rising: bool | None) -> tuple[float, float, float]:
    """Ends of the axis, and the place of seeds that were lost, beyond the worst of the others.

    Example:
        >>> _limits(np.array([0.0, 1.0]), False, True)
        (-0.18, 1.06, -0.12)
        >>> [round(end, 3) for end in _limits(np.array([0.1, 1.0]), True, False)]
        [0.087, 1.514, 1.318]
    """
    scaled = np.log10(finite) if log else finite
    low, high = float(scaled.min()), float(scaled.max())
    room = 0.06 * (high - low) or 0.06 * abs(high) or 0.5
    ends = [low - (1 if rising is not True else 3) * room, high + (1 if rising is not False else 3) * room]
    worst = low - 2 * room if rising else high + 2 * room
    first, last, place = (10**end if log else end for end in (*ends, worst))
    return first, last, place
