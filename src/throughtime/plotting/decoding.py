"""Panels of what a population tells about the task, and how it lays it out."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.lines import draw, middle, seed_lines
from throughtime.plotting.marks import axis_label, end_labels, labels

CLASS_COLORS = (style.FAINT, style.SKY, style.BLUE, style.VERMILLION)
"""Of units that are not selective, pure, linear mixed and nonlinear mixed."""
FINE = 12
"""Parts a bin is divided in, so that borders follow the edges of bins."""


def decode(measured: xr.Dataset, ax: Axes, *, show_bar: bool = True) -> Axes:
    """Map of accuracy over times of training (up) and of test (across), white at chance.

    Within the black line accuracy, as the median over seeds, beats what shuffled labels reach at any pair of
    times; thin grey lines are the seeds against their own shuffles. The diagonal is drawn dotted.

    Args:
        measured: what :func:`throughtime.analysis.decode` returns. ax: axes to draw in.
        show_bar: add the colour bar.

    Returns:
        ``ax``.
    """
    values = seed_lines(measured["accuracy"], "time_train", "time_test")
    bound = seed_lines(measured["null_maximum"])
    x, y = measured["time_test"].values.astype(float), measured["time_train"].values.astype(float)
    chance = float(middle(seed_lines(measured["chance"])))
    edges = (*_ends(x), *_ends(y))
    image = ax.imshow(
        middle(values), origin="lower", extent=edges, aspect="auto", cmap=style.SIGNED_RATE,
        norm=TwoSlopeNorm(chance, vmin=0.0, vmax=1.0), interpolation="nearest",
    )  # fmt: skip
    if len(values) > 1:
        for each, level in zip(values, bound, strict=True):
            _contour(ax, x, y, each, level, colors=style.GREY, linewidths=0.5)
    _contour(ax, x, y, middle(values), float(middle(bound)), colors=style.INK, linewidths=1.0)
    ax.plot(edges[:2], edges[2:], color=style.GREY, lw=0.7, ls=(0, (1, 2)), zorder=3)
    ax.set_xlim(*edges[:2])
    ax.set_ylim(*edges[2:])
    ax.set_box_aspect(1)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(axis_label(measured["time_test"]))
    ax.set_ylabel(axis_label(measured["time_train"]))
    if show_bar:
        bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.03, ticks=[0, chance, 1])
        bar.ax.set_yticklabels(["0", f"{chance:.2g}", "1"])
        bar.outline.set_visible(False)
        bar.set_label(axis_label(measured["accuracy"]), labelpad=0)
    seeds, trials = len(values), int(measured["num_trials"].values.max())
    text = f"n = {seeds} seed{'s' if seeds != 1 else ''} × {trials} trials"
    ax.set_title(text, fontsize=6, color=style.GREY, loc="right", pad=2)
    return ax


def selectivity(measured: xr.Dataset, ax: Axes) -> Axes:
    """Share of units in each class: bars with seeds as dots, or lines over time.

    Args:
        measured: what :func:`throughtime.analysis.selectivity` returns, with or without a dim of times.
        ax: axes to draw in.

    Returns:
        ``ax``.
    """
    shares, names = 100 * measured["class_share"], labels(measured["option"])
    seeds, units = measured.sizes.get("seed", 1), int(measured["num_units"].values.max())
    text = f"n = {units} units × {seeds} seed{'s' if seeds != 1 else ''}"
    dim = next((name for name in ("time", "lag") if name in shares.dims), None)
    ax.set_ylim(0, 102)
    ax.set_ylabel("Units (%)")
    if dim is not None:
        values, time = seed_lines(shares, "option", dim), measured[dim].values
        colors = [style.GREY, *CLASS_COLORS[1:]]
        drawn = [draw(ax, time, values[:, k], color) for k, color in enumerate(colors)]
        ax.set_xlim(time[0], time[-1])
        end_labels(ax, [float(each[-1]) for each in drawn], names, colors)
        ax.set_xlabel(axis_label(measured[dim], "Time" if dim == "time" else None))
        ax.set_title(text, fontsize=6, color=style.GREY, loc="right", pad=2)
        return ax
    values = seed_lines(shares, "option")
    ax.bar(range(len(names)), middle(values), 0.72, color=CLASS_COLORS, lw=0)
    if len(values) > 1:
        spread = np.linspace(-0.18, 0.18, len(values))
        for shift, each in zip(spread, values, strict=True):
            ax.plot(np.arange(len(names)) + shift, each, "o", color=style.INK, ms=2.2, mew=0, alpha=0.6)
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
    ax.tick_params(axis="x", length=0)
    ax.set_title(text, fontsize=6, color=style.GREY, loc="right", pad=2)
    return ax


def geometry(measured: xr.Dataset, ax: Axes) -> Axes:
    """Shattering, cross-condition generalisation and parallelism, each beside its null.

    Small grey dots are dichotomies (medians over seeds), coloured marks those of the named variables with
    their seeds, and the diamond is the share of dichotomies that can be decoded; grey boxes span the null.

    Args:
        measured: what :func:`throughtime.analysis.geometry` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    variable = measured["variable"].values
    meanings = {code: name for code, name in zip(*_flags(measured["variable"]), strict=True) if code >= 0}
    columns = {"shattering": "Shattering", "ccgp": "CCGP", "parallelism": "Parallelism"}
    ax.axhline(0.0, color=style.FAINT, lw=0.6, zorder=0)
    for column, name in enumerate(columns):
        ends = [middle(seed_lines(measured[f"null_{name}_{end}"])) for end in ("lower", "upper")]
        if np.isfinite(ends).all():
            low, high = float(ends[0]), float(ends[1])
            ax.fill_between(
                [column - 0.4, column + 0.4], low - 0.006, high + 0.006, color="#DDDDDD", lw=0, zorder=0
            )
        if name == "shattering":
            _seeds(ax, column, seed_lines(measured[name]), style.INK, "D", "decodable share")
            continue
        values = seed_lines(measured[name], "dichotomy")
        others = middle(values)[variable < 0]
        shift = np.linspace(-0.3, -0.06, max(others.size, 1))[: others.size]
        ax.plot(column + shift, others, "o", color=style.GREY, ms=2.0, mew=0, alpha=0.7, zorder=2)
        for index, code in enumerate(meanings):
            color = style.CATEGORICAL[index % len(style.CATEGORICAL)]
            place = column + 0.08 + 0.24 * (index + 0.5) / len(meanings)
            label = meanings[code] if name == "ccgp" else None
            _seeds(ax, place, values[:, variable == code].ravel(), color, "os^vP"[index % 5], label)
    ax.plot([], [], "o", color=style.GREY, ms=2.0, mew=0, label="other dichotomies")
    ax.fill_between([], [], color="#DDDDDD", lw=0, label="null")
    ax.plot((0.6, 1.4), (0.5, 0.5), color=style.GREY, lw=0.6, ls=(0, (3, 2)), zorder=1)
    ax.set_xticks(range(len(columns)), list(columns.values()))
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, len(columns) - 0.5)
    lowest = float(np.nanmin([measured[name].min() for name in columns]))
    ax.set_ylim(min(-0.1, lowest - 0.08), 1.08)
    ax.set_ylabel("Share, accuracy or cosine")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), labelspacing=0.3)
    seeds = measured.sizes.get("seed", 1)
    text = f"n = {variable.size} dichotomies × {seeds} seed{'s' if seeds != 1 else ''}"
    ax.set_title(text, fontsize=6, color=style.GREY, loc="right", pad=2)
    return ax


def _seeds(ax: Axes, place: float, values: np.ndarray, color: Any, mark: str, label: str | None) -> None:
    if values.size > 1:
        ax.plot(np.full(values.size, place), values, mark, color=color, ms=2.2, mew=0, alpha=0.4, zorder=3)
    ax.plot(
        place, float(middle(values)), mark, color=color, ms=4.5, mec="white", mew=0.5, zorder=4, label=label
    )


def _flags(coordinate: xr.DataArray) -> tuple[list[int], list[str]]:
    meanings = [name.replace("_", " ") for name in str(coordinate.attrs.get("flag_meanings", "")).split()]
    return np.atleast_1d(coordinate.attrs.get("flag_values", [])).tolist(), meanings


def _contour(
    ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, level: float, **options: Any
) -> None:
    """The border, along the edges of bins, of what is above ``level``, where there is such a border."""
    above = values > level
    if np.isfinite(level) and above.any() and not above.all():
        across, up = (_fine(times) for times in (x, y))
        fine = np.kron(above, np.ones((FINE, FINE)))
        ax.contour(across, up, fine, levels=[0.5], zorder=4, **options)


def _fine(times: np.ndarray) -> np.ndarray:
    """Centres of parts of the bins."""
    first, last = _ends(times)
    return first + (np.arange(FINE * times.size) + 0.5) * (last - first) / (FINE * times.size)


def _ends(times: np.ndarray) -> tuple[float, float]:
    """Edges of the first and last bin of times that are bin centres."""
    step = float(np.diff(times).mean()) if times.size > 1 else 1.0
    return float(times[0]) - step / 2, float(times[-1]) + step / 2
