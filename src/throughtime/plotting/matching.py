"""Panels of answers match and non-match."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.behaviour import _error, _mean, _spread
from throughtime.plotting.marks import axis_label, by_seed, labels, note, number


def category(
    measured: xr.Dataset, ax: Axes, *, same_color: Any = style.BLUE, different_color: Any = style.VERMILLION
) -> Axes:
    """Fraction answered match against distance, within a category and between two; seeds behind their means.

    Flat lines at 1 and 0 are choices by category; two lines that fall together are choices by distance.

    Args:
        measured: what :func:`throughtime.analysis.category` returns. ax: axes to draw in.
        same_color, different_color: of pairs within a category and between two.

    Returns:
        ``ax``.
    """
    distance = by_seed(measured["distance"]).values
    curves = (
        ("same_fraction", same_color, "o-", "same"),
        ("different_fraction", different_color, "s-", "other"),
    )
    for variable, color, mark, name in curves:
        fraction = by_seed(measured[variable]).values
        x, y = _mean(distance), _mean(fraction)
        _seeds(ax, distance, fraction)
        ax.errorbar(x, y, _error(fraction), fmt=mark, color=color, ms=3, lw=1.2, elinewidth=0.8, zorder=3)
        seen = np.flatnonzero(np.isfinite(y))
        if seen.size:
            ax.annotate(
                f"{name} category", (x[seen].mean(), y[seen].mean()), xytext=(0, 6), color=color, fontsize=6,
                textcoords="offset points", ha="center", va="bottom",
            )  # fmt: skip
    ax.set_ylim(-0.42, 1.16)
    ax.set_yticks(np.arange(0, 1.1, 0.2))
    ax.set_xlabel(axis_label(measured["distance"]))
    ax.set_ylabel("Fraction answered match")
    effects = (_spread(by_seed(measured[f"{name}_effect"]).values, 2) for name in ("category", "distance"))
    text = "effect of category {}\neffect of distance {}\n".format(*effects)
    note(ax, text + number(measured), corner="lower left", linespacing=1.3)
    return ax


def detection(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """d′ against the level of a condition; seeds behind their mean, bars ± the standard error over seeds.

    Args:
        measured: what :func:`throughtime.analysis.detection` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    level, d_prime = by_seed(measured["level"]).values, by_seed(measured["d_prime"]).values
    _seeds(ax, level, d_prime)
    x, y = _mean(level), _mean(d_prime)
    ax.axhline(0, color=style.GREY, lw=0.6, ls=(0, (3, 2)))
    ax.errorbar(x, y, _error(d_prime), fmt="o-", color=color, ms=3, lw=1.2, elinewidth=0.8, zorder=3)
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.35 * (high - low), high)
    ax.set_xlabel(axis_label(measured["level"]))
    ax.set_ylabel("d′")
    rates = (_spread(by_seed(measured[f"overall_{name}_rate"]).values, 2) for name in ("hit", "false_alarm"))
    text = "hits {}\nfalse alarms {}\n".format(*rates)
    note(ax, text + number(measured), corner="lower left", linespacing=1.3)
    return ax


def repetition(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Fraction answered match of matches, repeated and new non-matches; seeds behind their mean.

    Bars are ± the standard error over seeds; with a single seed, its Wilson interval.

    Args:
        measured: what :func:`throughtime.analysis.repetition` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    fraction = by_seed(measured["fraction_match"]).values
    place = np.arange(fraction.shape[1])
    error = _error(fraction)
    y = _mean(fraction)
    if error is None:
        bounds = (by_seed(measured[name]).values[0] for name in ("lower", "upper"))
        error = np.abs(np.stack(list(bounds)) - y)
    _seeds(ax, np.broadcast_to(place, fraction.shape), fraction)
    ax.errorbar(place, y, error, fmt="o", color=color, ms=4, elinewidth=0.8, zorder=3)
    ax.set_xticks(place, [name.capitalize() for name in labels(measured["condition"])])
    ax.set_xlim(-0.5, len(place) - 0.5)
    ax.set_ylim(-0.04, 1.04)
    ax.set_xlabel("Test")
    ax.set_ylabel("Fraction answered match")
    effect = _spread(by_seed(measured["repetition_effect"]).values, 2)
    note(ax, f"repeated − new {effect}", corner="upper right")
    note(ax, number(measured).replace("trials", "tests"), corner="lower left")
    return ax


def _seeds(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Thin lines of the seeds, where there are several."""
    if len(y) > 1:
        for each_x, each_y in zip(x, y, strict=True):
            ax.plot(each_x, each_y, color=style.FAINT, lw=0.6, zorder=2)
