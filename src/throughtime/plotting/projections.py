"""Panels of activity on axes that belong to variables of the task."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.lines import draw, middle, seed_lines
from throughtime.plotting.marks import axis_label, by_seed, labels


def tdr(measured: xr.Dataset, ax: Axes, *, parameter: str | None = None, against: str | None = None) -> Axes:
    """Condition averages on the axis of a variable, over time or against the axis of another.

    Conditions are coloured by the value of the variable, dark to light; thick lines are medians over seeds,
    thin ones seeds. In the plane a dot marks the last time.

    Args:
        measured: what :func:`throughtime.analysis.tdr` returns. ax: axes to draw in.
        parameter: name of the variable, on the y axis and in colour; the first if not given.
        against: name of the variable on the x axis, in place of time.

    Returns:
        ``ax``.

    Raises:
        ValueError: for a variable that is not there.
    """
    names = labels(measured["parameter"])
    row = _position(names, parameter or names[0], "parameter")
    dim = "lag" if "lag" in measured["score"].dims else "time"
    value = middle(seed_lines(measured["value"].isel(parameter=row), "condition"))
    order = np.argsort(value, kind="stable")
    known, place = np.unique(np.round(value, 9), return_inverse=True)
    palette = style.ordered_colors(known)
    y = seed_lines(measured["score"].isel(parameter=row), "condition", dim)
    ax.axhline(0, color=style.FAINT, lw=0.6, zorder=0)
    if against is not None:
        column = _position(names, against, "against")
        x = seed_lines(measured["score"].isel(parameter=column), "condition", dim)
        ax.axvline(0, color=style.FAINT, lw=0.6, zorder=0)
    for condition in order:
        color = palette[place[condition]]
        series = y[:, condition]
        if against is None:
            draw(ax, measured[dim].values, series, color)
            continue
        if len(series) > 1:
            for one, two in zip(x[:, condition], series, strict=True):
                ax.plot(one, two, color=color, lw=0.5, alpha=0.4, zorder=2)
        path = middle(x[:, condition]), middle(series)
        ax.plot(*path, color=color, lw=1.4, zorder=3)
        ends = np.flatnonzero(np.isfinite(path[0]) & np.isfinite(path[1]))[-1:]
        ax.plot(path[0][ends], path[1][ends], "o", color=color, ms=3.5, mec="white", mew=0.5, zorder=4)
    for code, color in zip(known, palette, strict=True):
        ax.plot([], [], color=color, lw=1.4, label=f"{code:g}".replace("-", "−"))
    if against is None:
        ax.set_xlabel(axis_label(measured[dim], "Time" if dim == "time" else None))
        ax.set_xlim(float(measured[dim][0]), float(measured[dim][-1]))
    else:
        ax.set_xlabel(f"{_capital(against)} axis")
    ax.set_ylabel(f"{_capital(names[row])} axis")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.margins(y=0.1)
    ax.legend(
        title=_capital(names[row]), title_fontsize=6.5, alignment="left", loc="center left",
        bbox_to_anchor=(1.01, 0.5), labelspacing=0.25,
    )  # fmt: skip
    seeds, conditions = y.shape[:2]
    text = f"n = {conditions} conditions × {seeds} seed{'s' if seeds != 1 else ''}"
    ax.set_title(text, fontsize=6, color=style.GREY, loc="right", pad=2)
    return ax


def dpca(measured: xr.Dataset, ax: Axes) -> Axes:
    """Variance that each component restores, split by the group of marginals that its score depends on.

    A bar of one colour is a component without mixture. Bars are medians over seeds and dots seeds; names of
    the groups come with their share of the variance.

    Args:
        measured: what :func:`throughtime.analysis.dpca` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    names, group = labels(measured["parameter"]), measured["marginal"].values
    explained = 100 * seed_lines(measured["explained_variance"], "component")
    split = seed_lines(measured["component_marginal_variance"], "component", "parameter")
    there = np.flatnonzero(np.isfinite(explained).any(0))
    place = np.arange(there.size) + 0.7 * np.searchsorted(np.unique(group[there]), group[there])
    height = middle(explained)[there]
    shares = middle(split)[there]
    shares = shares / shares.sum(1, keepdims=True)
    bottom = np.zeros(there.size)
    total = middle(seed_lines(measured["marginal_variance"], "parameter"))
    for index, name in enumerate(names):
        part = height * shares[:, index]
        color = style.CATEGORICAL[index % len(style.CATEGORICAL)]
        share = f"{name}, {100 * total[index]:.0f} %" if total[index] >= 0.01 else f"{name}, <1 %"
        ax.bar(place, part, 0.8, bottom=bottom, color=color, lw=0, label=share)
        bottom += part
    if len(explained) > 1:
        for series in explained[:, there]:
            ax.plot(place, series, "o", color=style.INK, ms=1.8, mew=0, alpha=0.6, zorder=3)
    rank = [int((group[there][:k] == group[there][k]).sum()) + 1 for k in range(there.size)]
    ax.set_xticks(place, [str(number) for number in rank])
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(place[0] - 0.7, place[-1] + 0.7)
    ax.set_ylim(bottom=min(0.0, float(np.nanmin(explained))))
    ax.set_xlabel("Component of its group")
    ax.set_ylabel("Variance explained (%)")
    seeds = by_seed(measured["explained_variance"]).sizes["seed"]
    counted = f"n = {seeds} seed{'s' if seeds != 1 else ''}"
    ax.legend(loc="upper right", title=counted, title_fontsize=6, alignment="left", handlelength=0.9)
    return ax


def _position(names: list[str], name: str, argument: str) -> int:
    plain = name.replace("_", " ")
    if plain not in names:
        raise ValueError(f"{argument}: no {name!r}; there are {', '.join(names)}.")
    return names.index(plain)


def _capital(name: Any) -> str:
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]
