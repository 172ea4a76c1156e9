"""Panels of losses relative to the best that can be done."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.behaviour import _error, _mean, _spread
from throughtime.plotting.marks import axis_label, by_seed, note, number


def fractional_loss(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Fractional loss against the level of a condition; seeds behind their mean, dashed the best read-out.

    Bars are ± the standard error over seeds, or the confidence interval of a single one.

    Args:
        measured: what :func:`throughtime.analysis.fractional_loss` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    level, loss, lower, upper = (
        np.atleast_2d(by_seed(measured[name]).values) for name in ("level", "loss", "lower", "upper")
    )
    x, y = _mean(level), _mean(loss)
    error: Any = np.abs(np.stack([y - _mean(lower), _mean(upper) - y]))
    if len(loss) > 1:
        for each_level, each in zip(level, loss, strict=True):
            ax.plot(each_level, each, color=style.FAINT, lw=0.6, zorder=2)
        error = _error(loss)
    ax.axhline(0.0, color=style.GREY, lw=0.7, ls=(0, (3, 2)), zorder=1)
    ax.errorbar(x, y, error, fmt="o-", color=color, ms=3, lw=1.2, elinewidth=0.8, zorder=4)
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.12 * (high - low), high + 0.2 * (high - low))
    ax.set_xlabel(axis_label(measured["level"]))
    ax.set_ylabel("Fractional loss")
    overall = np.atleast_1d(by_seed(measured["fractional_loss"]).values)
    note(ax, f"all trials {_spread(overall, 2)}", corner="upper left")
    note(ax, number(measured))
    return ax
