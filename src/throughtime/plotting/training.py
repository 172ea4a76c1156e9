"""Panels of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, by_seed, note, number, plain_log

DIVERGED = 2


def learning_curve(
    training: xr.Dataset,
    ax: Axes,
    *,
    variable: str = "loss",
    color: Any = style.BLUE,
    level: float | None = None,
    label: str | None = None,
    state_number: bool = True,
) -> Axes:
    """A training series of every seed against updates, and its median.

    Thin lines are seeds, the thick line their median: a seed that has stopped at the criterion keeps its
    last value, one that diverged counts as worst. Dots mark the update at which the criterion was met,
    crosses the end of diverged seeds.

    Args:
        training: ``variable`` (seed, update), ``status`` and ``criterion_update`` (seed,).
        ax: axes to draw in. variable: ``"loss"`` (drawn on a log axis) or ``"score"``.
        color: of the median. level: a horizontal line, such as the criterion.
        label: y label instead of the long name of the variable. state_number: write how many seeds.

    Returns:
        ``ax``.
    """
    values = by_seed(training[variable]).transpose("seed", "update").values.astype(float)
    update = training["update"].values
    status, criterion = (
        np.atleast_1d(training["status"].values),
        np.atleast_1d(training["criterion_update"].values),
    )
    rising = variable != "loss"
    failed = status == DIVERGED
    for series, bad in zip(values, failed, strict=True):
        there = np.isfinite(series)
        ax.plot(update[there], series[there], color=style.VERMILLION if bad else style.FAINT, lw=0.6)
    ax.plot(update, _median(values, failed, rising), color=color, lw=1.4, zorder=3)
    _limits(ax, values[~failed] if (~failed).any() else values, rising)
    if level is not None:
        ax.axhline(level, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
    low, high = ax.get_ylim()
    for series, bad, reached in zip(values, failed, criterion, strict=True):
        there = np.flatnonzero(np.isfinite(series))
        if not there.size:
            continue
        if bad:
            height = np.clip(series[there[-1]], low, high)
            ax.plot(
                update[there[-1]], height, "x", color=style.VERMILLION, ms=4, mew=1.2, clip_on=False, zorder=5
            )
        elif reached >= 0:
            at = there[np.abs(update[there] - reached).argmin()]
            ax.plot(reached, series[at], "o", color=color, mec="white", mew=0.5, ms=4, zorder=4)
    ran = update[np.isfinite(values).any(0)]
    ax.set_xlim(0, ran[-1] * 1.02 if ran.size else update[-1])
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.set_xlabel("Update")
    ax.set_ylabel(label or axis_label(training[variable]))
    if state_number:
        text = f"{number(training)}\n{int((criterion >= 0).sum())} at criterion"
        text += f"\n{int(failed.sum())} diverged" if failed.any() else ""
        note(ax, text, corner="lower right" if rising else "upper right", multialignment="right")
    return ax


def _median(values: np.ndarray, failed: np.ndarray, rising: bool) -> np.ndarray:
    """Median over seeds, last values carried on, diverged seeds ranked worst; NaN before the first value."""
    carried = values.copy()
    for k in range(1, carried.shape[1]):
        gap = ~np.isfinite(carried[:, k])
        carried[gap, k] = carried[gap, k - 1]
    for s in np.flatnonzero(failed):
        finite = np.flatnonzero(np.isfinite(values[s]))
        carried[s, finite[-1] + 1 if finite.size else 0 :] = -np.inf if rising else np.inf
    with np.errstate(invalid="ignore"):
        median = np.median(carried, axis=0)
    return np.where(np.isfinite(median), median, np.nan)


def _limits(ax: Axes, values: np.ndarray, rising: bool) -> None:
    finite = values[np.isfinite(values)]
    if rising:
        ax.set_ylim(min(0.0, float(finite.min(initial=0.0))), max(1.02, float(finite.max(initial=1.0))))
        return
    positive = finite[finite > 0]
    if positive.size:
        ax.set_yscale("log")
        low, high = float(positive.min()) * 0.7, float(positive.max()) * 1.6
        ax.set_ylim(low, high)
        plain_log(ax.yaxis, low, high)
