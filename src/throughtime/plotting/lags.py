"""Panels of what is learned, and what it costs, against a graded condition such as a lag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, end_labels, labels, note, plain_log
from throughtime.plotting.training import DIVERGED

SPREAD = 0.12
"""Width over which the seeds of all lines are spread at one place, in units of ln x."""


def score_by_lag(
    measured: xr.Dataset,
    ax: Axes,
    *,
    variable: str,
    names: Sequence[str] | None = None,
    colors: Sequence[Any] | None = None,
    levels: Mapping[str, float] | None = None,
    log: bool = False,
    label: str | None = None,
) -> Axes:
    """A score against a graded condition on a log axis: every seed, and a named line of medians an option.

    Dots are seeds, crosses seeds that diverged; options stand a little beside each other. Lines are medians
    over the seeds, in which one without a finite score is left out.

    Args:
        measured: ``variable`` and ``status`` (option, condition, seed).
        ax: axes to draw in. variable: the score.
        names, colors: of the options; the labels of the coordinate ``option`` and the palette by default.
        levels: name -> value of horizontal lines, such as chance.
        log: whether the score has a log axis. label: y label instead of the long name of the variable.

    Returns:
        ``ax``.
    """
    dims = ("option", "condition", "seed")
    values = measured[variable].transpose(*dims).values.astype(float)
    failed = measured["status"].transpose(*dims).values == DIVERGED
    place = measured["condition"].values.astype(float)
    count = len(values)
    written = list(names) if names is not None else labels(measured["option"])
    painted = list(colors) if colors is not None else list(style.CATEGORICAL[:count])
    aside = np.exp(np.linspace(-SPREAD, SPREAD, count) / 2 if count > 1 else np.zeros(1))
    ax.set_xscale("log")
    if log:
        ax.set_yscale("log")
    ends = []
    for series, bad, color, shift in zip(values, failed, painted, aside, strict=True):
        middle = [np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in series]
        ends.append(middle[-1])
        ax.plot(place * shift, middle, color=color, lw=1.3, zorder=3)
        x = np.repeat(place * shift, series.shape[1]).reshape(series.shape)
        ax.plot(x[~bad], series[~bad], "o", color=color, ms=2.4, mec="white", mew=0.3, ls="", zorder=4)
        ax.plot(x[bad], series[bad], "x", color=color, ms=3.5, mew=1.0, ls="", zorder=5)
    for level in (levels or {}).values():
        ax.axhline(level, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
    ax.set_xlim(place[0] * 0.85, place[-1] * 1.18)
    _plain_ticks(ax, place)
    if log:
        shown = [*values[np.isfinite(values) & (values > 0)], *(levels or {}).values()]
        low, high = min(shown, default=0.1) / 1.4, max(shown, default=1.0) * 1.8
        ax.set_ylim(low, high)
        plain_log(ax.yaxis, low, high)
    else:
        ax.set_ylim(0.0, 1.04)
    grey = [style.GREY] * len(levels or {})
    end_labels(ax, [*ends, *(levels or {}).values()], [*written, *(levels or {})], [*painted, *grey])
    ax.set_xlabel(axis_label(measured["condition"]))
    ax.set_ylabel(label or axis_label(measured[variable]))
    if failed.any():
        note(ax, f"{int(failed.sum())} of {failed.size} diverged", corner="lower left")
    return ax


def cost_by_steps(
    measured: xr.Dataset,
    ax: Axes,
    *,
    variable: str,
    names: Sequence[str] | None = None,
    colors: Sequence[Any] | None = None,
    exponent: str | None = None,
    label: str | None = None,
) -> Axes:
    """A cost against the number of steps on log axes, one line for each option, named at its end.

    Args:
        measured: ``variable`` (option, condition); the coordinate ``condition`` is the number of steps.
        ax: axes to draw in. variable: the cost.
        names, colors: of the options; the labels of the coordinate ``option`` and the palette by default.
        exponent: variable (option,) of exponents p of ``cost ∝ T^p``, written beside the names.
        label: y label instead of the long name of the variable.

    Returns:
        ``ax``.
    """
    values = measured[variable].transpose("option", "condition").values.astype(float)
    steps = measured["condition"].values.astype(float)
    written = list(names) if names is not None else labels(measured["option"])
    painted = list(colors) if colors is not None else list(style.CATEGORICAL[: len(values)])
    if exponent is not None:
        powers = measured[exponent].values
        written = [f"{name}\n∝ T$^{{{power:.2f}}}$" for name, power in zip(written, powers, strict=True)]
    ax.set_xscale("log")
    ax.set_yscale("log")
    for series, color in zip(values, painted, strict=True):
        ax.plot(steps, series, "o-", color=color, lw=1.2, ms=2.8, mec="white", mew=0.3)
    shown = values[np.isfinite(values) & (values > 0)]
    if shown.size:
        low, high = float(shown.min()) / 1.6, float(shown.max()) * 1.6
        ax.set_ylim(low, high)
        plain_log(ax.yaxis, low, high)
    ax.set_xlim(steps[0] * 0.85, steps[-1] * 1.18)
    _plain_ticks(ax, steps, most=4)
    end_labels(ax, [series[-1] for series in values], written, painted, gap=0.16)
    ax.set_xlabel(axis_label(measured["condition"]))
    ax.set_ylabel(label or axis_label(measured[variable]))
    return ax


def _plain_ticks(ax: Axes, places: np.ndarray, most: int = 6) -> None:
    """Ticks at the measured places, as plain numbers."""
    every = -(-len(places) // most)
    ax.xaxis.set_major_locator(FixedLocator(places[::-1][::every][::-1].tolist()))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
