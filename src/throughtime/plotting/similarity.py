"""Panels of how alike circuits are, from :func:`throughtime.analysis.distance_matrix` and its kin."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, labels

MARKS = "osD^vP"
MOST_NUMBERS = 8


def distance_matrix(measured: xr.Dataset, ax: Axes, *, cmap: str = "cividis") -> Axes:
    """Distances of all circuits, seeds of a label side by side: the diagonal blocks are what seeds alone do.

    Up to eight circuits have their numbers written. A circuit that was refused is a grey row and column.

    Args:
        measured: what :func:`throughtime.analysis.distance_matrix` returns. ax: axes to draw in.
        cmap: of the distances.

    Returns:
        ``ax``.
    """
    label = measured["label"].values
    codes = list(dict.fromkeys(label.tolist()))
    order = np.argsort([codes.index(code) for code in label.tolist()], kind="stable")
    values = measured["distance"].values[np.ix_(order, order)]
    own = np.eye(len(values), dtype=bool)
    lost = ~np.isfinite(values) & ~own
    ax.imshow(np.where(lost, 1.0, np.nan), cmap=style.INPUTS, vmin=0.0, vmax=6.0, interpolation="nearest")
    image = ax.imshow(np.where(own, np.nan, values), cmap=cmap, interpolation="nearest", vmin=0.0)
    if len(values) <= MOST_NUMBERS:
        dark = values < 0.55 * np.nanmax(values)
        for (row, column), value in np.ndenumerate(values):
            if not own[row, column] and np.isfinite(value):
                ink = "white" if dark[row, column] else style.INK
                ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=5.5, color=ink)
    edges = np.cumsum([0, *(int((label == code).sum()) for code in codes)])
    for edge in edges[1:-1]:
        ax.axhline(edge - 0.5, color="white", lw=1.6)
        ax.axvline(edge - 0.5, color="white", lw=1.6)
    middles = [(first + last - 1) / 2 for first, last in pairwise(edges)]
    names = _names(measured, codes)
    ax.set_xticks(middles, names, rotation=30, ha="right", rotation_mode="anchor")
    ax.set_yticks(middles, names)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.03)
    bar.outline.set_visible(False)
    bar.set_label(axis_label(measured["distance"]))
    bar.locator = MaxNLocator(4)
    bar.update_ticks()
    ax.set_title(_counted(measured), fontsize=6, color=style.GREY, loc="right", pad=2)
    return ax


def circuit_map(measured: xr.Dataset, ax: Axes) -> Axes:
    """Circuits as points in the plane, near where their distances are small; a colour and a mark a label.

    Args:
        measured: what :func:`throughtime.analysis.embedding` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    location, label = measured["location"].values, measured["label"].values
    codes = list(dict.fromkeys(label.tolist()))
    for index, (code, name) in enumerate(zip(codes, _names(measured, codes), strict=True)):
        here = location[(label == code) & np.isfinite(location[:, 0])]
        color = style.CATEGORICAL[index % len(style.CATEGORICAL)]
        filled = color if index % 2 else "none"
        mark = MARKS[index % len(MARKS)]
        ax.plot(here[:, 0], here[:, 1], mark, color=color, ms=4, mew=0.8, mfc=filled, label=name)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.12)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(axis_label(measured["location"], "Dimension 1"))
    ax.set_ylabel(axis_label(measured["location"], "Dimension 2"))
    told = f"{_counted(measured)}, stress {float(measured['stress']):.2f}"
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.0), title=told.replace(", ", "\n"), title_fontsize=6,
        alignment="left",
    ).get_title().set_color(style.GREY)  # fmt: skip
    return ax


def group_distances(measured: xr.Dataset, ax: Axes, *, label: str | None = None) -> Axes:
    """Distances between the circuits of two labels beside those within either, one row a pair of labels.

    Grey dots are pairs of circuits of one label, the shade behind them their 95 % interval: what seeds alone
    make different. Blue dots are pairs across labels (of different seeds, where these are paired). Bars are
    means. p values, adjusted for the family, are at the right.

    Args:
        measured: what :func:`throughtime.analysis.group_distances` returns. ax: axes to draw in.
        label: x label instead of the long name of the distance.

    Returns:
        ``ax``.
    """
    names = labels(measured["pair"])
    for row in range(len(names)):
        one = measured.isel(pair=row)
        within, between = _blocks(measured, one)
        edges = float(one["within_lower"]), float(one["within_upper"])
        if np.isfinite(edges).all():
            ax.fill_betweenx([row - 0.36, row + 0.36], *edges, color=style.SHADE, lw=0, zorder=0)
        parts = ((within, "within", -0.17, style.GREY), (between, "between", 0.17, style.BLUE))
        for each, side, place, color in parts:
            heights = row + place + np.linspace(-0.1, 0.1, each.size)
            ax.plot(each, heights, "o", color=color, ms=2.2, mew=0, alpha=0.45, zorder=2)
            mean = float(one[f"{side}_distance"])
            if np.isfinite(mean):
                ax.plot((mean, mean), (row + place - 0.15, row + place + 0.15), color=color, lw=1.8, zorder=3)
        ax.text(
            1.03, row, _judged(one), transform=ax.get_yaxis_transform(), va="center", ha="left", fontsize=6,
            linespacing=1.2,
        )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(left=min(0.0, ax.get_xlim()[0]))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(label or axis_label(measured["distance"]))
    ax.plot([], [], "o", color=style.GREY, ms=3, label="within a label")
    ax.plot([], [], "o", color=style.BLUE, ms=3, label="between labels")
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, columnspacing=1.0, handletextpad=0.1,
        title=_counted(measured), title_fontsize=6, alignment="left",
    ).get_title().set_color(style.GREY)  # fmt: skip
    return ax


def start_spread(measured: xr.Dataset, ax: Axes) -> Axes:
    """What the search for the best rotation came to from every start, sorted; one line a seed.

    A level stretch at the left is the number of starts that agree with the best; a single low point means
    that the true distance may be lower still. Crosses are the starts from matched eigenvectors.

    Args:
        measured: what :func:`throughtime.analysis.dsa` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    array = measured["start_distance"]
    array = (array if "seed" in array.dims else array.expand_dims("seed")).transpose("seed", ..., "start")
    rows = array.values.reshape(-1, array.sizes["start"])
    rank, aligned = np.arange(1, rows.shape[1] + 1), measured["start_kind"].values == 0
    for series in rows:
        order = np.argsort(series, kind="stable")
        ax.plot(rank, series[order], "o-", color=style.BLUE, lw=0.8, ms=2.2, mew=0, alpha=0.8)
        ax.plot(rank[aligned[order]], series[aligned], "x", color=style.VERMILLION, ms=4.5, zorder=4)
    ax.set_xlim(0.2, rank[-1] + 0.8)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_ylim(bottom=0)
    ax.set_xlabel("Start, from the best")
    ax.set_ylabel(axis_label(array))
    count = int(np.isfinite(rows).all(1).sum())
    ax.plot([], [], "x", color=style.VERMILLION, ms=4.5, label="from eigenvectors")
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), handletextpad=0.1,
        title=f"n = {count} comparison{'s' if count != 1 else ''}", title_fontsize=6, alignment="left",
    ).get_title().set_color(style.GREY)  # fmt: skip
    return ax


def _blocks(measured: xr.Dataset, one: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Distances within either label of a pair, and those between them that were compared."""
    values, label = measured["distance"].values, measured["label"].values
    seed = measured["replicate"].values
    sides = [np.flatnonzero(label == int(one[name])) for name in ("first", "second")]
    if int(one["paired"]):
        there = np.isfinite(values).sum(1) > 1
        sets = [set(seed[side[there[side]]].tolist()) for side in sides]
        sides = [side[np.isin(seed[side], sorted(sets[0] & sets[1]))] for side in sides]
    within = [values[np.ix_(side, side)][np.triu_indices(len(side), 1)] for side in sides]
    between = values[np.ix_(*sides)]
    if int(one["paired"]):
        between = between[seed[sides[0]][:, None] != seed[sides[1]]]
    found = np.concatenate(within), between.ravel()
    return found[0][np.isfinite(found[0])], found[1][np.isfinite(found[1])]


def _judged(one: xr.Dataset) -> str:
    """Adjusted p and the smallest there can be; or that there is none."""
    least = float(one["p_minimum"])
    minimum = f"\nminimum {float(f'{least:.3g}'):g}" if np.isfinite(least) else ""
    adjusted = float(one["p_holm"])
    if not np.isfinite(adjusted):
        return f"no p: {labels(one['p_status'].expand_dims('row'))[0]}{minimum}"
    return f"Holm p = {float(f'{adjusted:.3g}'):g}{minimum}"


def _names(measured: xr.Dataset, codes: list[int]) -> list[str]:
    return labels(xr.DataArray(codes, dims="label", attrs=measured["label"].attrs))


def _counted(measured: xr.Dataset) -> str:
    count, lost = measured.sizes["run"], int((measured["status"] != 0).sum())
    text = f"n = {count - lost} circuits"
    return f"{text}, {lost} refused" if lost else text
