"""Panels of behaviour."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, by_seed, note, number, plain_log


def produced_interval(timing: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Produced against asked interval: seeds behind, their mean with its fitted line, the unity line.

    Points are means over seeds of the mean produced interval, bars the mean over seeds of the SD over
    trials; thin lines are the seeds.

    Args:
        timing: what :func:`throughtime.analysis.timing` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    interval, mean, sd = (by_seed(timing[name]).values for name in ("interval", "mean", "sd"))
    slope, intercept = by_seed(timing["slope"]).values, by_seed(timing["intercept"]).values
    low, high = np.nanmin(interval), np.nanmax(interval)
    margin = 0.1 * (high - low)
    ends = np.array([low - margin, high + margin])
    ax.plot(ends, ends, color=style.GREY, lw=0.7, ls=(0, (3, 2)), zorder=1)
    for x, y in zip(interval, mean, strict=True):
        ax.plot(x, y, color=style.FAINT, lw=0.6, zorder=2)
    centre = _mean(interval)
    ax.errorbar(centre, _mean(mean), _mean(sd), fmt="o", color=color, ms=3, elinewidth=0.8, zorder=4)
    ax.plot(ends, _mean(intercept) + _mean(slope) * ends, color=color, lw=1.2, zorder=3)
    values = np.concatenate([ends, (_mean(mean) + _mean(sd)), (_mean(mean) - _mean(sd)), mean.ravel()])
    for axis, limits in ((ax.xaxis, ax.set_xlim), (ax.yaxis, ax.set_ylim)):
        limits(np.nanmin(values), np.nanmax(values))
        axis.set_major_locator(MaxNLocator(5))
    ax.set_box_aspect(1)
    ax.set_xlabel(axis_label(timing["interval"], "Target interval"))
    ax.set_ylabel(axis_label(timing["mean"], "Produced interval"))
    missing = float(_mean(by_seed(timing["fraction_missing"]).values))
    note(
        ax, f"slope {_spread(slope, 2)}\nmissing {100 * missing:.0f} %", corner="upper left", linespacing=1.3
    )
    note(ax, number(timing))
    return ax


def timing_variability(timing: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """SD of produced intervals against the interval on log axes, with SD ∝ T^β and the laws β = 1 and ½.

    Points are geometric means over seeds; thin lines are the seeds; the thick line has the mean β.

    Args:
        timing: what :func:`throughtime.analysis.timing` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    interval, sd = by_seed(timing["interval"]).values, by_seed(timing["sd"]).values
    beta, scale, reference = (by_seed(timing[n]).values for n in ("beta", "sd_scale", "interval_scale"))
    sd = np.where(sd > 0, sd, np.nan)
    ax.set_xscale("log")
    ax.set_yscale("log")
    for x, y in zip(interval, sd, strict=True):
        ax.plot(x, y, color=style.FAINT, lw=0.6, zorder=2)
    ax.plot(_mean(interval), np.exp(_mean(np.log(sd))), "o", color=color, ms=3, zorder=4)
    low, high = np.nanmin(interval) / 1.06, np.nanmax(interval) * 1.06
    t = np.geomspace(low, high, 50)
    centre, height = np.exp(_mean(np.log(reference))), np.exp(_mean(np.log(scale)))
    laws = (
        (_mean(beta), color, "-", 1.4),
        (1.0, style.GREY, (0, (3, 2)), 0.7),
        (0.5, style.GREY, (0, (1, 1.5)), 0.8),
    )
    for exponent, ink, dash, width in laws:
        ax.plot(t, height * (t / centre) ** exponent, color=ink, ls=dash, lw=width, zorder=3)
    for exponent, text in ((1.0, "β = 1"), (0.5, "β = ½")):
        ax.annotate(
            text, (t[-1], height * (t[-1] / centre) ** exponent), xytext=(2, 0), textcoords="offset points",
            fontsize=6, color=style.GREY, va="center", annotation_clip=False,
        )  # fmt: skip
    ax.set_xlim(low, high)
    plain_log(ax.xaxis, low, high)
    plain_log(ax.yaxis, *ax.get_ylim())
    ax.set_box_aspect(1)
    ax.set_xlabel(axis_label(timing["interval"], "Target interval"))
    ax.set_ylabel(axis_label(timing["sd"], "SD of produced interval"))
    note(ax, f"SD ∝ T$^β$\nβ = {_spread(beta, 2)}", corner="upper left", linespacing=1.3)
    note(ax, number(timing))
    return ax


def accuracy(
    measured: xr.Dataset,
    ax: Axes,
    *,
    chance: float | None = 0.5,
    trained: tuple[float, float] | None = None,
    color: Any = style.BLUE,
) -> Axes:
    """Fraction correct against the level of a condition; seeds behind their mean.

    Bars are ± the standard error over seeds; with a single seed, its Wilson interval.

    Args:
        measured: what :func:`throughtime.analysis.accuracy` returns. ax: axes to draw in.
        chance: a horizontal line. trained: range of the condition met in training, shaded.
        color: of the summary.

    Returns:
        ``ax``.
    """
    level, fraction = by_seed(measured["level"]).values, by_seed(measured["fraction_correct"]).values
    if trained is not None:
        ax.axvspan(*trained, color=style.SHADE, lw=0, zorder=-5)
    if chance is not None:
        ax.axhline(chance, color=style.GREY, lw=0.6, ls=(0, (3, 2)))
        ax.annotate(
            "chance", (1, chance), xycoords=("axes fraction", "data"), xytext=(0, 2),
            textcoords="offset points", ha="right", fontsize=6, color=style.GREY,
        )  # fmt: skip
    x, y = _mean(level), _mean(fraction)
    if len(fraction) > 1:
        for each_level, each in zip(level, fraction, strict=True):
            ax.plot(each_level, each, color=style.FAINT, lw=0.6, zorder=2)
        error = _error(fraction)
    else:
        lower, upper = by_seed(measured["lower"]).values[0], by_seed(measured["upper"]).values[0]
        error = np.stack([y - lower, upper - y]).clip(0)
    ax.errorbar(x, y, error, fmt="o-", color=color, ms=3, lw=1.2, elinewidth=0.8, zorder=3)
    floor = min(float(np.nanmin(fraction)), chance if chance is not None else 1.0)
    ax.set_ylim(max(0.0, floor - 0.08), 1.02)
    ax.set_xlabel(axis_label(measured["level"]))
    ax.set_ylabel("Fraction correct")
    note(ax, number(measured), corner="lower left")
    return ax


def _mean(values: np.ndarray) -> Any:
    """Mean over seeds (axis 0) of what is finite."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(there, values, 0.0).sum(0) / np.where(there.sum(0) > 0, there.sum(0), np.nan)


def _error(values: np.ndarray) -> Any:
    """Standard error over seeds (axis 0); None with a single one."""
    if len(values) < 2:
        return None
    count = np.isfinite(values).sum(0)
    centred = np.where(np.isfinite(values), values - _mean(values), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt((centred**2).sum(0) / np.where(count > 1, count - 1, np.nan) / count)


def _spread(values: np.ndarray, digits: int) -> str:
    """Mean, and the range over seeds where there are several."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "not determined"
    text = f"{finite.mean():.{digits}f}"
    return text if finite.size == 1 else f"{text} ({finite.min():.{digits}f}–{finite.max():.{digits}f})"
