"""Panels of how alike circuits are, from :func:`throughtime.analysis.distance_matrix` and its kin."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, labels, note


def distance_matrix(data: xr.Dataset, ax: Axes, *, cmap: str = "cividis") -> Axes:
    """Distances of all circuits, groups framed: the diagonal blocks are what seeds alone do.

    Args:
        data: what :func:`throughtime.analysis.distance_matrix` returns. ax: axes to draw in.
        cmap: of the distances.

    Returns:
        ``ax``.
    """
    values, group = data["distance"].values, data["group"].values
    shown = np.where(np.eye(len(values), dtype=bool), np.nan, values)
    image = ax.imshow(shown, cmap=cmap, interpolation="nearest", vmin=0.0)
    codes = list(dict.fromkeys(group.tolist()))
    edges = [int(np.flatnonzero(group == code)[0]) for code in codes] + [len(group)]
    for edge in edges[1:-1]:
        ax.axhline(edge - 0.5, color="white", lw=1.0)
        ax.axvline(edge - 0.5, color="white", lw=1.0)
    middles = [(first + last - 1) / 2 for first, last in pairwise(edges)]
    names = _names(data)
    ax.set_xticks(middles, names, rotation=30, ha="right", rotation_mode="anchor")
    ax.set_yticks(middles, names)
    ax.tick_params(length=0)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label(axis_label(data["distance"]))
    bar.locator = MaxNLocator(4)
    bar.update_ticks()
    ax.set_title(_counted(data), fontsize=6, color=style.GREY, loc="right", pad=2)
    return ax


def circuit_map(data: xr.Dataset, ax: Axes) -> Axes:
    """Circuits as points in the plane, near where their distances are small; a colour and a mark a group.

    Args:
        data: what :func:`throughtime.analysis.distance_matrix` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    points, group = data["points"].values, data["group"].values
    for index, (code, name) in enumerate(zip(data["condition"].values, _names(data), strict=True)):
        x, y = points[group == code, 0], points[group == code, 1]
        color = style.CATEGORICAL[index % len(style.CATEGORICAL)]
        ax.plot(
            x, y, style_of(index), color=color, ms=4, mew=0.8, mfc=color if index % 2 else "none", label=name
        )
    ax.set_aspect("equal", adjustable="datalim")
    units = axis_label(data["points"], "Dimension")
    ax.set_xlabel(units.replace("Dimension", "Dimension 1"))
    ax.set_ylabel(units.replace("Dimension", "Dimension 2"))
    ax.legend(loc="best", frameon=False)
    note(ax, f"{_counted(data)}\n{100 * float(data['share']):.0f} % of the distances", corner="lower right")
    return ax


def group_distances(data: xr.Dataset, ax: Axes, *, reference: int = 0) -> Axes:
    """Distances of every group from one of them, beside what seeds do within groups.

    Dots are pairs of circuits of different seeds, the bar is their median, and the grey band reaches up to
    the mean of the two groups' own medians: a group whose bar lies in it differs by no more than seeds do.

    Args:
        data: what :func:`throughtime.analysis.distance_matrix` returns. ax: axes to draw in.
        reference: code of the group.

    Returns:
        ``ax``.
    """
    group, seed = data["group"].values, data["run_seed"].values
    values, names = data["distance"].values, _names(data)
    for row, code in enumerate(data["condition"].values):
        pairs = values[np.ix_(group == reference, group == code)]
        apart = seed[group == reference][:, None] != seed[group == code]
        each = pairs[apart]
        color = style.GREY if code == reference else style.CATEGORICAL[row % len(style.CATEGORICAL)]
        spread = row + np.linspace(-0.2, 0.2, each.size) if each.size > 1 else np.full(each.size, float(row))
        null = float(data["null"].values[reference, row])
        if np.isfinite(null):
            ax.fill_betweenx([row - 0.38, row + 0.38], 0, null, color=style.SHADE, lw=0, zorder=0)
        ax.plot(each, spread, "o", color=color, ms=2.5, mew=0, alpha=0.7)
        median = float(data["between"].values[reference, row])
        if np.isfinite(median):
            ax.plot([median, median], [row - 0.34, row + 0.34], color=color, lw=1.6)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(left=0)
    ax.set_xlabel(f"{axis_label(data['distance'])} from {names[reference]}")
    ax.set_title(_counted(data), fontsize=6, color=style.GREY, loc="right", pad=2)
    return ax


def start_spread(data: xr.Dataset, ax: Axes) -> Axes:
    """What the search for the best rotation came to from every start, sorted; one line a seed.

    A step at the left shows how many starts agree with the best; a single low point means that the true
    distance may be lower still.

    Args:
        data: what :func:`throughtime.analysis.dsa` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    array = data["start_distance"]
    array = array if "seed" in array.dims else array.expand_dims("seed")
    values = np.sort(array.transpose("seed", ..., "draw").values.reshape(-1, array.sizes["draw"]), axis=1)
    rank = np.arange(1, values.shape[1] + 1)
    for series in values:
        ax.plot(rank, series, "o-", color=style.BLUE, lw=0.8, ms=2.2, mew=0, alpha=0.8)
    ax.set_xlim(0.5, rank[-1] + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_ylim(bottom=0)
    ax.set_xlabel("Start, from the best")
    ax.set_ylabel(axis_label(array))
    note(ax, f"n = {len(values)} comparison{'s' if len(values) != 1 else ''}", corner="lower right")
    return ax


def style_of(index: int) -> str:
    """Mark of a group, so that groups are told apart without colours."""
    return "osD^vP*"[index % 7]


def _names(data: xr.Dataset) -> list[str]:
    return labels(data["condition"])


def _counted(data: xr.Dataset) -> str:
    left: Any = int(data["num_left_out"])
    text = f"n = {data.sizes['run']} circuits"
    return f"{text}, {left} left out" if left else text
