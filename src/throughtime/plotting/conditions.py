"""Panels of traces by an ordered condition."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, key, note


def aligned_traces(
    activity: xr.DataArray,
    interval: xr.DataArray,
    ax: Axes,
    *,
    threshold: float | None = None,
    event: str | None = None,
    show_key: bool = True,
    label: str | None = None,
) -> Axes:
    """Mean of an output or a unit for each interval, against time from an event or fraction of the interval.

    Args:
        activity: (condition, lag or phase). interval: (condition,) with units, coloured in order.
        ax: axes to draw in. threshold: a horizontal line. event: name of lag 0, marked by a line.
        show_key: add the colour key of the intervals. label: y label instead of the long name.

    Returns:
        ``ax``.
    """
    axis = next(str(dim) for dim in activity.dims if dim != "condition")
    values, time = activity.transpose("condition", axis).values, activity[axis].values
    for trace, color in zip(values, style.ordered_colors(interval.values), strict=True):
        ax.plot(time, trace, color=color, lw=1.0)
    if threshold is not None:
        ax.axhline(threshold, color=style.GREY, lw=0.6, ls=(0, (3, 2)), zorder=1)
        ax.annotate(
            "threshold", (0, threshold), xycoords=("axes fraction", "data"), xytext=(2, 1.5),
            textcoords="offset points", ha="left", va="bottom", fontsize=6, color=style.GREY,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
    if event is not None:
        ax.axvline(0, color=style.GREY, lw=0.6, ls=(0, (2, 2)), zorder=1)
    seen = time[np.isfinite(values).any(0)]
    ax.set_xlim(seen[0], seen[-1])
    name = f"Time from {event}" if event is not None and axis == "lag" else None
    ax.set_xlabel(axis_label(activity[axis], name))
    ax.set_ylabel(label or axis_label(activity))
    if show_key:
        key(ax, interval)
    return ax


def rescaled_rate(
    absolute: xr.DataArray,
    warped: xr.DataArray,
    interval: xr.DataArray,
    axes: tuple[Axes, Axes],
    *,
    unwarped_index: float,
    scaling_index: float,
    event: str = "Set",
    label: str = "Rate",
) -> tuple[Axes, Axes]:
    """One unit before and after its time axis is rescaled, each with its scaling index.

    Args:
        absolute: (condition, lag). warped: (condition, phase). interval: (condition,) with units.
        axes: for absolute time, and for the fraction of the interval; they share their y range.
        unwarped_index: index in absolute time, the null. scaling_index: index after warping.
        event: name of lag 0. label: of the y axis.

    Returns:
        ``axes``.
    """
    for ax, data, index in zip(axes, (absolute, warped), (unwarped_index, scaling_index), strict=True):
        aligned_traces(data, interval, ax, show_key=False, label=label)
        ax.set_title(f"SI = {index:.2f}", fontsize=6.5, loc="right", pad=1.5)
    axes[0].set_xlabel(axis_label(absolute["lag"], f"Time from {event}"))
    axes[1].set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes[1].set_xlim(0, 1)
    low = min(axes[0].get_ylim()[0], axes[1].get_ylim()[0])
    high = max(axes[0].get_ylim()[1], axes[1].get_ylim()[1])
    for ax in axes:
        ax.set_ylim(low, high)
    axes[1].tick_params(labelleft=False)
    axes[1].set_ylabel("")
    return axes


def scaling_indices(scaling: xr.Dataset, ax: Axes) -> Axes:
    """Scaling index of every unit after warping against its null in absolute time; seeds in shades.

    Args:
        scaling: what :func:`throughtime.analysis.scaling_index` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    warped, null = scaling["unit_scaling_index"].values, scaling["unit_unwarped"].values
    ax.plot([0, 1], [0, 1], color=style.GREY, lw=0.7, ls=(0, (3, 2)))
    ax.plot(null.ravel(), warped.ravel(), "o", ms=2, mew=0, alpha=0.45, color=style.BLUE, label="unit")
    ax.plot(
        scaling["population_unwarped"].values.ravel(), scaling["population"].values.ravel(), "D", ms=4,
        color=style.VERMILLION, mec="white", mew=0.5, label="population",
    )  # fmt: skip
    ax.set_xlim(0, 1.02)
    ax.set_ylim(0, 1.02)
    ax.set_box_aspect(1)
    ax.set_xlabel("Scaling index, absolute time")
    ax.set_ylabel("Scaling index, warped time")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 0.09))
    seeds = scaling.sizes.get("seed", 1)
    note(ax, f"n = {scaling.sizes['unit']} units × {seeds} seed{'s' if seeds != 1 else ''}")
    return ax
