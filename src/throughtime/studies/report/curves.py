"""Learning curves: a panel a task and quantity; every seed thin, the median over seeds thick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from bokeh.models import BasicTickFormatter, MultiLine, Scatter

from throughtime.studies.record import AXES
from throughtime.studies.report import embed
from throughtime.studies.report.contents import Contents, Series
from throughtime.studies.report.numbers import count
from throughtime.studies.report.rows import Rows

MOST, FEWEST = 200, 20
"""Points of a curve: where there is room, and where a study has very many."""
ROOM = 400_000
"""Points of all curves of a page, near which it is 10 MB and a browser still quick."""
DECADES = 1.0
"""Range of a positive quantity from which its axis is logarithmic."""
QUANTITIES = {"score": True, "loss": False}
"""Name -> whether more is better."""


@dataclass(frozen=True)
class Thinning:
    """How many of a study's points are drawn.

    Attributes:
        points: of a curve, at most. seeds: of a line, at most; the median is over all.
        all_points, all_seeds: whether nothing is left out.
    """

    points: int
    seeds: int
    all_points: bool
    all_seeds: bool

    def told(self) -> str:
        """What is left out, as a sentence; empty if nothing is."""
        parts = []
        if not self.all_points:
            parts.append(
                f"at most {self.points} recorded points of a curve are drawn, evenly spaced, and the last"
            )
        if not self.all_seeds:
            parts.append(f"the first {count(self.seeds)} seeds are drawn, the median is over all")
        text = "; ".join(parts)
        return f"{text[0].upper()}{text[1:]}." if text else ""


def thinning(contents: Contents) -> Thinning:
    """Points and seeds for which there is room on the page."""
    lines = len(QUANTITIES) * sum(len(contents.ran(task)) for task in range(len(contents.names["task"])))
    seeds = len(contents.seeds)
    curves = contents.group("curves")
    recorded = 0 if curves is None else curves.sizes.get("update", 0)
    points = int(np.clip(ROOM // max(1, lines * seeds), FEWEST, MOST))
    drawn = int(np.clip(ROOM // max(1, lines * points), 1, seeds)) if seeds else 0
    return Thinning(points, drawn, recorded <= points, drawn == seeds)


def panels(contents: Contents) -> Iterator[tuple[int, str, Any]]:
    """(task, quantity, figure) of every panel that has something to show, tasks first."""
    curves = contents.group("curves")
    if curves is None:
        return
    thin = thinning(contents)
    for task in range(len(contents.names["task"])):
        for quantity, rising in QUANTITIES.items():
            if quantity not in curves:
                continue
            values = curves[quantity].isel(task=task).transpose(*AXES[1:], "seed", "update").values
            if np.isfinite(values).any():
                label = _label(curves[quantity])
                drawn = _panel(contents, task, values, curves["update"].values, rising, label, thin)
                yield task, quantity, drawn


def _panel(
    contents: Contents,
    task: int,
    values: np.ndarray,
    update: np.ndarray,
    rising: bool,
    label: str,
    thin: Thinning,
) -> Any:
    finite = values[np.isfinite(values)]
    log = not rising and bool((finite > 0).all()) and finite.max() > 10**DECADES * finite.min()
    drawn = embed.frame("Updates", label, y_axis_type="log" if log else "linear")
    drawn.xaxis.formatter = BasicTickFormatter(use_scientific=False)
    if log:
        embed.log_ticks(drawn.yaxis[0], float(finite.min()), float(finite.max()))
    measured = np.flatnonzero(np.isfinite(values).any(axis=(0, 1, 2, 3)))
    kept = measured[_spaced(len(measured), thin.points)]
    seeds, medians, ends = Rows(contents), Rows(contents), Rows(contents)
    for series in contents.ran(task):
        each = values[series.place]
        if not np.isfinite(each).any():
            continue
        lost = contents.lost(task, series)
        ended = _endings(contents, task, series)
        for index, seed in enumerate(contents.seeds[: thin.seeds]):
            xs, ys = _curve(update, each[index], kept)
            if not len(xs):
                continue
            seeds.add(task, series, xs=xs, ys=ys, seed=f"{seed}", ended=ended[index])
            if lost[index]:
                ends.add(task, series, x=int(xs[-1]), y=float(ys[-1]))
        middle = held_median(each, lost, rising)
        xs, ys = _curve(update, np.where(np.isfinite(each).any(0), middle, np.nan), kept)
        medians.add(task, series, xs=xs, ys=ys, seed=f"median of {count(len(each))}", ended="–")
    hovered = []
    for name, rows, width, alpha in (("seeds", seeds, 1.0, 0.32), ("median", medians, 2.6, 1.0)):
        line = MultiLine(
            xs="xs", ys="ys", line_color="color", line_dash="dash", line_alpha=alpha, line_width=width
        )
        hovered.append(rows.draw(drawn, line, name))
    if ends:
        ends.draw(
            drawn, Scatter(x="x", y="y", marker="x", size=8, line_width=2, line_color="color"), "diverged"
        )
    numbers = [("update", "$snap_x{0,0}"), (label.lower(), "$snap_y{%.4g}"), ("ended", "@ended")]
    told = [*embed.told(contents), ("seed", "@seed"), *numbers]
    drawn.add_tools(embed.hover(told, hovered[::-1], line_policy="nearest", mode="mouse"))
    return drawn


def held_median(values: np.ndarray, lost: np.ndarray, rising: bool) -> np.ndarray:
    """Median over seeds at every update; NaN where it is infinite, or nothing was measured yet.

    A seed that stopped earlier keeps its last value, so that those who were quick still count; one that
    was lost counts as worst from then on.

    Args:
        values: (seed, update), NaN where nothing was measured.
        lost: (seed,) which diverged or failed.
        rising: whether more is better.

    Example:
        >>> curves = np.array([[0.2, 0.9, np.nan], [0.1, 0.3, 0.5], [0.3, np.nan, np.nan]])
        >>> held_median(curves, np.array([False, False, True]), rising=True).tolist()
        [0.2, 0.3, 0.5]
    """
    there = np.isfinite(values)
    last = np.maximum.accumulate(np.where(there, np.arange(values.shape[1]), -1), axis=1)
    held = np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=1), np.nan)
    end = np.where(there.any(1), values.shape[1] - 1 - there[:, ::-1].argmax(1), -1)
    after = lost[:, None] & (np.arange(values.shape[1]) > end[:, None])
    held[after] = -np.inf if rising else np.inf
    begun = ~np.isnan(held).all(0)
    median = np.full(values.shape[1], np.nan)
    with np.errstate(invalid="ignore"):  # of two infinities of different sign there are none here
        median[begun] = np.nanmedian(held[:, begun], axis=0)
    return np.where(np.isfinite(median), median, np.nan)


def _curve(update: np.ndarray, values: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finite points of a curve among those kept, and its last one."""
    finite = np.flatnonzero(np.isfinite(values))
    at = np.union1d(np.intersect1d(finite, kept), finite[-1:])
    return update[at].astype(np.int32), values[at].astype(np.float32)


def _spaced(size: int, most: int) -> np.ndarray:
    """At most ``most`` of ``size`` places, evenly spaced, the last among them."""
    if size <= most:
        return np.arange(size)
    return np.unique(np.linspace(0, size - 1, most).round().astype(int))


def _endings(contents: Contents, task: int, series: Series) -> list[str]:
    """How each seed ended, in words."""
    status = contents.status[(task, *series.place)]
    words = []
    for ended, at in zip(status, _updates(contents, task, series, status), strict=True):
        place = f" at update {count(at)}" if at >= 0 and ended in ("criterion_reached", "diverged") else ""
        words.append(f"{str(ended).replace('_', ' ')}{place}")
    return words


def _updates(contents: Contents, task: int, series: Series, status: np.ndarray) -> list[int]:
    """Update at which the criterion was reached or a seed diverged, −1 if there is none."""
    found = np.full(status.shape, -1)
    for name, ended in (("criterion_update", "criterion_reached"), ("diverged_update", "diverged")):
        found = np.where(status == ended, contents.values(name, task, series), found)
    return [int(value) for value in found]


def _label(array: xr.DataArray) -> str:
    text = str(array.attrs.get("long_name", array.name))
    units = str(array.attrs.get("units", "1"))
    return f"{text[:1].upper()}{text[1:]}" + ("" if units == "1" else f" ({units})")
