"""Panels of intervals that are produced under several priors or gains."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.behaviour import _mean
from throughtime.plotting.marks import axis_label, by_seed, group_names, note, number


def timing_by(timing: xr.Dataset, ax: Axes) -> Axes:
    """Produced against asked interval with one colour a group, its fitted line, and the unity line.

    Points are means over seeds of the mean produced interval, bars the mean over seeds of the SD over
    trials; thin lines are the seeds.

    Args:
        timing: what :func:`throughtime.analysis.timing_by` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    interval, mean, sd = (by_seed(timing[name]).values for name in ("interval", "mean", "sd"))
    index = by_seed(timing["interval_group"]).values[0].astype(int)
    slope, intercept = (by_seed(timing[name]).values for name in ("slopes", "intercepts"))
    groups = by_seed(timing["group"]).isel(seed=0)
    low, high = np.nanmin(interval), np.nanmax(interval)
    margin = 0.05 * (high - low)
    ends = np.array([low - margin, high + margin])
    ax.plot(ends, ends, color=style.GREY, lw=0.7, ls=(0, (3, 2)), zorder=1)
    for place, name in enumerate(group_names(groups)):
        color, member = style.CATEGORICAL[place % len(style.CATEGORICAL)], index == place
        for x, y in zip(interval[:, member], mean[:, member], strict=True):
            ax.plot(x, y, color=color, alpha=0.3, lw=0.6, zorder=2)
        x, y, bar = (_mean(values[:, member]) for values in (interval, mean, sd))
        ax.errorbar(x, y, bar, fmt="o", color=color, ms=3, elinewidth=0.8, zorder=4, label=name)
        line = np.array([x.min(), x.max()])
        ax.plot(line, _mean(intercept)[place] + _mean(slope)[place] * line, color=color, lw=1.2, zorder=3)
    values = np.concatenate([ends, (_mean(mean) + _mean(sd)), (_mean(mean) - _mean(sd)), mean.ravel()])
    for axis, limits in ((ax.xaxis, ax.set_xlim), (ax.yaxis, ax.set_ylim)):
        limits(np.nanmin(values), np.nanmax(values))
        axis.set_major_locator(MaxNLocator(5))
    ax.set_box_aspect(1)
    ax.set_xlabel(axis_label(timing["interval"], "Target interval"))
    ax.set_ylabel(axis_label(timing["mean"], "Produced interval"))
    ax.legend(frameon=False, loc="upper left", handlelength=1.0, borderaxespad=0.2)
    shared = _mean(by_seed(timing["shared_difference"]).values)
    text = f"slope {float(_mean(by_seed(timing['slope']).values)):.2f}"
    text += f"\nshared interval {float(shared):+.0f} ms" if np.isfinite(shared) else ""
    note(ax, f"{text}\n{number(timing)}", linespacing=1.3)
    return ax
