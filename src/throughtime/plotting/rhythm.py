"""Panels of beats and of patterns at several speeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.behaviour import _error, _mean, _spread
from throughtime.plotting.marks import axis_label, by_seed, note, number


def synchronization(
    measured: xr.Dataset,
    ax: Axes,
    *,
    asynchrony_color: Any = style.VERMILLION,
    sd_color: Any = style.BLUE,
) -> Axes:
    """Mean asynchrony and SD of the produced period against the period; seeds behind their means.

    Bars of the asynchrony are ± the standard error over seeds; with a single seed, over trials. The line of
    the SD is its least-squares line.

    Args:
        measured: what :func:`throughtime.analysis.synchronization` returns. ax: axes to draw in.
        asynchrony_color, sd_color: of the two.

    Returns:
        ``ax``.
    """
    period = by_seed(measured["period"]).values
    x, ends = _mean(period), np.array([np.nanmin(period), np.nanmax(period)])
    ax.axhline(0.0, color=style.GREY, lw=0.6, ls=(0, (3, 2)), zorder=1)
    curves = (
        ("mean_asynchrony", asynchrony_color, "o-", "asynchrony"),
        ("sd", sd_color, "s", "SD of period"),
    )
    for variable, color, mark, name in curves:
        values = by_seed(measured[variable]).values
        for each_period, each in zip(period, values, strict=True):
            ax.plot(each_period, each, color=color, alpha=0.3, lw=0.6, zorder=2)
        error = np.zeros_like(x)
        if variable == "mean_asynchrony":
            error = by_seed(measured["asynchrony_error"]).values[0]
            if len(values) > 1:
                error = _error(values)
        ax.errorbar(
            x, _mean(values), error, fmt=mark, color=color, ms=3, lw=1.2, elinewidth=0.8, zorder=4, label=name
        )
    intercept, slope = (by_seed(measured[name]).values for name in ("sd_intercept", "sd_slope"))
    ax.plot(ends, _mean(intercept) + _mean(slope) * ends, color=sd_color, lw=1.2, zorder=3)
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.25 * (high - low), high + 0.25 * (high - low))
    ax.set_xlabel(axis_label(measured["period"]))
    ax.set_ylabel("Time (ms)")
    ax.legend(frameon=False, loc="upper left", handlelength=1.0, borderaxespad=0.2)
    lag = by_seed(measured["lag_one"]).values
    note(ax, f"lag-1 autocorrelation {_spread(lag, 2)}\n{number(measured)}", linespacing=1.3)
    return ax


def temporal_scaling(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Scale of the pattern against 1/speed, and where perfect scaling would be; seeds behind their mean.

    Bars are the mean over seeds of the SD over trials.

    Args:
        measured: what :func:`throughtime.analysis.temporal_scaling` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    inverse, scale, spread = (
        by_seed(measured[name]).values for name in ("inverse", "mean_scale", "scale_sd")
    )
    x = _mean(inverse)
    ends = np.array([0.85 * np.nanmin(x), 1.1 * np.nanmax(x)])
    ax.plot(ends, ends, color=style.GREY, lw=0.7, ls=(0, (3, 2)), zorder=1)
    for row, each in zip(inverse, scale, strict=True):
        ax.plot(row, each, color=style.FAINT, lw=0.6, zorder=2)
    ax.errorbar(x, _mean(scale), _mean(spread), fmt="o-", color=color, ms=3, lw=1.2, elinewidth=0.8, zorder=4)
    ax.set_xlabel(axis_label(measured["inverse"]))
    ax.set_ylabel(axis_label(measured["mean_scale"]))
    texts = (
        f"slope {_spread(by_seed(measured['slope']).values, 2)}",
        f"SD / time {_spread(by_seed(measured['weber_slope']).values, 3)}",
    )
    note(ax, "\n".join(texts), corner="upper left", linespacing=1.3)
    note(ax, number(measured))
    return ax


def peak_variability(measured: xr.Dataset, ax: Axes) -> Axes:
    """SD of the times of peaks against their mean, one colour a speed, with the line of each speed.

    Points and lines are means over seeds; thin lines are the seeds.

    Args:
        measured: what :func:`throughtime.analysis.temporal_scaling` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    speed = by_seed(measured["speed"]).values[0]
    time, sd = (by_seed(measured[name]).values for name in ("peak_time", "peak_sd"))
    slope, intercept = (by_seed(measured[name]).values for name in ("weber_slopes", "weber_intercepts"))
    for place, (value, ink) in enumerate(zip(speed, style.ordered_colors(speed), strict=True)):
        for x, y in zip(time[:, place], sd[:, place], strict=True):
            ax.plot(x, y, color=ink, alpha=0.3, lw=0.6, zorder=2)
        x = _mean(time[:, place])
        ax.plot(x, _mean(sd[:, place]), "o", color=ink, ms=3, zorder=4, label=f"speed {value:g}")
        ends = np.array([0.0, np.nanmax(x) if np.isfinite(x).any() else 0.0])
        ax.plot(ends, _mean(intercept)[place] + _mean(slope)[place] * ends, color=ink, lw=1.2, zorder=3)
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.set_xlabel(axis_label(measured["peak_time"]))
    ax.set_ylabel(axis_label(measured["peak_sd"], "SD of the time"))
    ax.legend(frameon=False, loc="upper left", handlelength=1.0, borderaxespad=0.2)
    change = _spread(by_seed(measured["cv_slope"]).values, 3)
    note(ax, f"ΔCV per doubling\n{change}\n{number(measured)}", linespacing=1.3)
    return ax
