"""Panels of sequences that are reported from memory."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.behaviour import _error, _mean, _spread
from throughtime.plotting.marks import by_seed, note, number


def serial_position(measured: xr.Dataset, ax: Axes) -> Axes:
    """Fraction correct against serial position, a line for each length of the sequence.

    Points are means over seeds, thin lines the seeds, bars ± the standard error over seeds; with a single
    seed, its Wilson interval.

    Args:
        measured: what :func:`throughtime.analysis.serial_position` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    position, length = (by_seed(measured[name]).values[0] for name in ("position", "length"))
    fraction, lower, upper = (
        by_seed(measured[name]).values for name in ("fraction_correct", "lower", "upper")
    )
    inks = [style.BLUE] if len(length) == 1 else style.ordered_colors(length)
    for place, (items, ink) in enumerate(zip(length, inks, strict=True)):
        there = position <= items
        x, each = position[there], fraction[:, place, there]
        y = _mean(each)
        if len(each) > 1:
            for row in each:
                ax.plot(x, row, color=ink, alpha=0.3, lw=0.6, zorder=2)
            error = _error(each)
        else:
            error = np.abs(np.stack([bound[0, place, there] for bound in (lower, upper)]) - y)
        ax.errorbar(x, y, error, fmt="o-", color=ink, ms=3, lw=1.2, elinewidth=0.8, zorder=3)
        if len(length) > 1:
            ax.annotate(
                f"{items:g}", (x[-1], y[-1]), xytext=(4, 0), textcoords="offset points", color=ink,
                fontsize=6, va="center", annotation_clip=False,
            )  # fmt: skip
    floor = float(np.nanmin(fraction)) if np.isfinite(fraction).any() else 0.0
    ax.set_ylim(floor - 0.35 * (1.02 - floor) - 0.05, 1.02)
    ax.set_xticks(position[position <= length.max()])
    ax.set_xlim(0.6, length.max() + 0.6)
    ax.set_xlabel("Serial position")
    ax.set_ylabel("Fraction correct")
    effects = (_spread(by_seed(measured[name]).values, 2) for name in ("primacy", "recency"))
    note(
        ax,
        "primacy {}\nrecency {}\n".format(*effects) + number(measured),
        corner="lower left",
        linespacing=1.3,
    )
    return ax
