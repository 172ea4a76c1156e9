"""Panels of what units vary with: tasks, and their contrast."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, by_seed, labels, note


def task_variance(measured: xr.Dataset, ax: Axes) -> Axes:
    """Task variance of every unit (row) in every task (column), units sorted by cluster.

    White lines are the borders between clusters, whose numbers stand beside the map. Units that do not vary
    in any task are left out and counted.

    Args:
        measured: what :func:`throughtime.analysis.task_variance` returns, of one seed. ax: axes to draw in.

    Returns:
        ``ax``.

    Raises:
        ValueError: for more than one seed.
    """
    if measured["cluster"].ndim > 1:
        raise ValueError(
            f"measured: clusters over {measured['cluster'].dims}; select one seed, clusters are its own."
        )
    cluster = measured["cluster"].values
    values = measured["normalized_task_variance"].transpose("unit", "task").values
    names = labels(measured["task"])
    kept = np.flatnonzero(cluster >= 0)
    preferred = np.nan_to_num(values).argmax(1)
    order = kept[np.lexsort((preferred[kept], cluster[kept]))]
    image = ax.imshow(
        values[order], aspect="auto", interpolation="nearest", cmap=style.RATE, vmin=0, vmax=1,
        extent=(-0.5, len(names) - 0.5, len(order) + 0.5, 0.5),
    )  # fmt: skip
    sizes = np.bincount(cluster[kept])
    borders = np.cumsum(sizes)
    for border in borders[:-1]:
        ax.axhline(border + 0.5, color="white", lw=1.2)
    few = [len(order) + 1.0]
    for number, (end, size) in enumerate(zip(borders, sizes, strict=True)):
        middle = end - size / 2 + 0.5
        if middle - few[-1] > 0.045 * len(order) or number == 0:
            ax.text(len(names) - 0.4, middle, f"{number + 1}", va="center", fontsize=6, color=style.GREY)
            few.append(middle)
    ax.set_yticks([1, len(order)])
    ax.set_xticks(range(len(names)), names, **_slant(names))
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("Unit (by cluster)", labelpad=-4)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.09, aspect=30, ticks=[0, 1])
    bar.outline.set_visible(False)
    bar.set_label(axis_label(measured["normalized_task_variance"]), labelpad=-2)
    lost = cluster.size - len(order)
    text = f"{len(order)} units, {len(sizes)} clusters" + (f", {lost} left out" if lost else "")
    ax.set_title(text, fontsize=6, color=style.GREY, loc="left", pad=2)
    return ax


def fractional_variance(
    measured: xr.Dataset,
    ax: Axes,
    *,
    tasks: tuple[int, int] = (0, 1),
    num_bins: int = 20,
    color: Any = style.BLUE,
) -> Axes:
    """Histogram of fractional task variance between two tasks, over its control with rotated units.

    Units at the ends serve one of the tasks alone. The thick line holds the units of all seeds, thin lines
    those of each; the grey area is the control.

    Args:
        measured: what :func:`throughtime.analysis.task_variance` returns. ax: axes to draw in.
        tasks: positions of the two tasks. num_bins: bins from −1 to 1. color: of the units.

    Returns:
        ``ax``.
    """
    first, second = tasks
    pair = {"task": first, "other_task": second}
    contrast = by_seed(measured["fractional_variance"].isel(pair))
    rotated = measured["fractional_variance_rotated"].isel(pair).values.ravel()
    names = labels(measured["task"])
    edges = np.linspace(-1, 1, num_bins + 1)
    options: dict[str, Any] = {"bins": edges.tolist(), "histtype": "step"}
    null = rotated[np.isfinite(rotated)]
    if null.size:
        ax.hist(
            null, edges.tolist(), weights=np.full(null.size, 1 / null.size), histtype="stepfilled",
            color="#DDDDDD", label="rotated units",
        )  # fmt: skip
    each = [series[np.isfinite(series)] for series in contrast.values]
    if len(each) > 1:
        for one in each:
            if one.size:
                ax.hist(
                    one, weights=np.full(one.size, 1 / one.size), color=color, alpha=0.35, lw=0.6, **options
                )
    units = np.concatenate(each)
    if units.size:
        ax.hist(
            units, weights=np.full(units.size, 1 / units.size), color=color, lw=1.3, label="units", **options
        )
    ax.set_xlim(-1.02, 1.02)
    ax.set_xticks([-1, 0, 1], [f"−1\n{names[second]}", "0\nboth", f"1\n{names[first]}"])
    ax.set_xlabel(axis_label(contrast))
    ax.set_ylabel("Share of units")
    ax.margins(y=0.25)
    ax.legend(loc="upper left")
    seeds = contrast.sizes["seed"]
    note(ax, f"n = {units.size} units\n{seeds} seed{'s' if seeds != 1 else ''}", corner="upper right")
    return ax


def _slant(names: list[str]) -> dict[str, Any]:
    if max(map(len, names)) * len(names) <= 30:
        return {}
    return {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
