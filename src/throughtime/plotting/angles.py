"""Panels of reported angles."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.behaviour import _error, _mean
from throughtime.plotting.marks import axis_label, by_seed, note, number


def circular_error(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Circular SD of the angular error against the level of a condition; seeds behind their mean.

    Points are means over seeds, bars ± the standard error over seeds; the thick line is √(variance) of the
    fitted line, mean over seeds.

    Args:
        measured: what :func:`throughtime.analysis.circular_error` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    level, sd = (np.atleast_2d(by_seed(measured[name]).values) for name in ("level", "sd"))
    slope, intercept = (_mean(by_seed(measured[name]).values) for name in ("slope", "intercept"))
    x, y = _mean(level), np.rad2deg(_mean(sd))
    error = None
    if len(sd) > 1:
        for each_level, each in zip(level, sd, strict=True):
            ax.plot(each_level, np.rad2deg(each), color=style.FAINT, lw=0.6, zorder=2)
        error = np.rad2deg(_error(sd))
    ax.errorbar(x, y, error, fmt="o", color=color, ms=3, elinewidth=0.8, zorder=4)
    t = np.linspace(np.nanmin(x), np.nanmax(x), 50)
    ax.plot(t, np.rad2deg(np.sqrt(np.maximum(intercept + slope * t, 0))), color=color, lw=1.2, zorder=3)
    ax.set_ylim(0, None)
    ax.set_xlabel(axis_label(measured["level"]))
    ax.set_ylabel("SD of error (deg)")
    missing = float(_mean(by_seed(measured["fraction_missing"]).values))
    rate = f"slope {slope:.2g} rad² per {measured['level'].attrs.get('units', '1')}"
    note(ax, f"{rate}\nmissing {100 * missing:.0f} %\n{number(measured)}", linespacing=1.3)
    return ax
