"""Panels of how long a circuit remembers: Lyapunov exponents, autocorrelation, memory of white noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.lines import draw, middle, seed_lines
from throughtime.plotting.marks import axis_label, note, number

DOTS = 25
"""Number of exponents up to which each has a dot."""


def lyapunov_spectrum(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Lyapunov exponents in descending order, with a line at zero: what is above it is chaos.

    Thin lines are seeds, the thick one their median. Exponents at −∞ are counted.

    Args:
        measured: what :func:`throughtime.analysis.lyapunov_spectrum` returns, over ``direction`` and perhaps
            ``seed``. ax: axes to draw in.
        color: of the lines.

    Returns:
        ``ax``.

    Raises:
        ValueError: if there is a dim beyond these.
    """
    values = seed_lines(measured["exponent"], "direction")
    index = np.arange(values.shape[1]) + 1
    dots = {"marker": "o", "ms": 2.5} if len(index) <= DOTS else {}
    ax.axhline(0.0, color=style.INK, lw=0.6, zorder=1)
    draw(ax, index, values, color, **dots)
    shown = values[np.isfinite(values)]
    low, high = float(np.min(shown, initial=0.0)), float(np.max(shown, initial=0.0))
    span = (high - low) or 1.0
    ax.set_ylim(low - 0.06 * span, high + 0.3 * span)
    ax.set_xlim(1 - 0.04 * len(index), len(index) * 1.04)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=2))
    ax.set_xlabel("Exponent, from the largest")
    ax.set_ylabel(axis_label(measured["exponent"]))
    text = number(measured["exponent"])
    dimension = middle(seed_lines(measured["kaplan_yorke"]))
    text += f"\nKaplan–Yorke dimension {float(dimension):.3g}" if np.isfinite(dimension) else ""
    lost, failed = int(np.isneginf(values).sum()), int(np.isnan(values).any(1).sum())
    text += f"\n{lost} at −∞" if lost else ""
    text += f"\n{failed} diverged" if failed else ""
    note(ax, text, corner="upper right", multialignment="right")
    return ax


def autocorrelation_timescale(
    measured: xr.Dataset, ax: Axes, *, unit: int | None = None, color: Any = style.VERMILLION
) -> Axes:
    """Autocorrelation of one unit against lag with the fitted decay, before those of all units.

    Args:
        measured: what :func:`throughtime.analysis.autocorrelation_timescale` returns, of one seed.
        ax: axes to draw in.
        unit: position of the unit; by default that with the middle timescale.
        color: of its fit.

    Returns:
        ``ax``.

    Raises:
        ValueError: if there is a dim beyond ``unit`` and ``lag``.
    """
    if measured["autocorrelation"].ndim != 2:
        raise ValueError(
            f"measured: autocorrelation has dims {measured['autocorrelation'].dims}; the panel draws unit, "
            "lag: select a seed."
        )
    curves = measured["autocorrelation"].transpose("unit", "lag").values
    tau, lag = measured["tau"].values, measured["lag"].values
    known = np.flatnonzero(np.isfinite(tau))
    if unit is None and known.size:
        unit = int(known[np.argsort(tau[known])[known.size // 2]])
    for curve in curves:
        ax.plot(lag, curve, color=style.FAINT, lw=0.5, zorder=1)
    ax.axhline(0.0, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
    if unit is not None:
        ax.plot(lag, curves[unit], "o", color=style.INK, ms=2.5, mew=0, zorder=3)
        ax.plot(lag, measured["fitted"].transpose("unit", "lag").values[unit], color=color, lw=1.4, zorder=4)
    text = f"n = {len(tau)} unit{'s' if len(tau) != 1 else ''}, {int(measured['num_trials'])} trials"
    missing = len(tau) - known.size
    text += f"\n{missing} without a timescale" if missing else ""
    if unit is not None and np.isfinite(tau[unit]):
        text = f"τ = {tau[unit]:.3g} ms\n{text}"
    note(ax, text, corner="upper right", multialignment="right")
    high, low = float(np.nanmax(curves, initial=0.1)), float(np.nanmin(curves, initial=0.0))
    ax.set_xlim(0, lag[-1])
    ax.set_ylim(low - 0.06 * (high - low), high + 0.12 * (high - low))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel(axis_label(measured["lag"]))
    ax.set_ylabel(axis_label(measured["autocorrelation"]))
    return ax


def memory_capacity(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Share of a white input recalled against the time since it came; the area is the capacity.

    Thin lines are seeds, the thick one their median.

    Args:
        measured: what :func:`throughtime.analysis.memory_capacity` returns, over ``lag`` and perhaps
            ``seed``. ax: axes to draw in.
        color: of the lines.

    Returns:
        ``ax``.

    Raises:
        ValueError: if there is a dim beyond these.
    """
    values, lag = seed_lines(measured["r2"], "lag"), measured["lag"].values
    typical = draw(ax, lag, values, color)
    ax.fill_between(lag, 0, typical, color=color, alpha=0.12, lw=0, zorder=0)
    ax.set_xlim(0, lag[-1])
    ax.set_ylim(0, 1.06)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel(axis_label(measured["lag"]))
    ax.set_ylabel("Share of the input recalled (R²)")
    capacity = float(middle(seed_lines(measured["capacity"])))
    bound = int(np.max(measured["bound"].values))
    text = f"capacity {capacity:.1f} of at most {bound}\n{number(measured['r2'])}"
    failed = int(np.isnan(values).all(1).sum())
    note(ax, text + (f", {failed} without" if failed else ""), corner="upper right", multialignment="right")
    return ax
