"""Small things that many panels draw: names with units, epochs, the number of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatterSciNotation, LogLocator, NullLocator

from throughtime.plotting import style

LETTER_MM = 1.2
"""Width of a letter in the names of epochs."""


def axis_label(array: xr.DataArray, name: str | None = None) -> str:
    """Long name and units of an array, as an axis is labelled.

    Example:
        >>> axis_label(xr.DataArray(0.0, attrs={"units": "ms", "long_name": "produced interval"}))
        'Produced interval (ms)'
    """
    text = name or str(array.attrs.get("long_name", array.name or "")).replace("_", " ")
    text = text[:1].upper() + text[1:]
    units = str(array.attrs.get("units", "1"))
    return text if units in ("1", "") else f"{text} ({units})"


def group_names(groups: xr.DataArray) -> list[str]:
    """Names of groups: their ``flag_meanings``, or what they are and their values.

    Example:
        >>> group_names(xr.DataArray([0.0, 2.0], dims="group", attrs={"long_name": "prior"}))
        ['prior 0', 'prior 2']
    """
    if "flag_values" in groups.attrs:
        return labels(groups)
    name = groups.attrs.get("long_name", "group")
    return [f"{name} {value:g}" for value in groups.values.tolist()]


def labels(coordinate: xr.DataArray) -> list[str]:
    """Names of a coordinate's elements: its ``flag_meanings``, or its values as text.

    Example:
        >>> flags = {"flag_values": [0, 1], "flag_meanings": "cue go_pulse"}
        >>> labels(xr.DataArray([1, 0], dims="input", attrs=flags))
        ['go pulse', 'cue']
    """
    meanings = str(coordinate.attrs.get("flag_meanings", "")).split()
    codes = np.atleast_1d(coordinate.attrs.get("flag_values", [])).tolist()
    table = dict(zip(codes, meanings, strict=False))
    return [str(table.get(value, value)).replace("_", " ") for value in coordinate.values.tolist()]


def epochs(
    dataset: xr.Dataset,
    ax: Axes,
    *,
    skip: tuple[str, ...] = ("trial",),
    min_label: float = 0.09,
    width_mm: float | None = None,
) -> None:
    """Shade every other epoch of one trial, in the order of their onsets, and name them above the axes.

    Epochs as long as the trial are neither shaded nor named, those within another one are not shaded. Of two
    names that would overlap, that of the shorter epoch is written.

    Args:
        dataset: ``epoch_onset`` and ``epoch_offset`` (epoch,) ms, with the labelled coordinate ``epoch``.
        skip: epochs not shown. min_label: share of the time axis below which an epoch is not named.
        width_mm: of the axes; where it is given, an epoch is named where its name fits, and ``min_label``
            does not count.
    """
    low, high = ax.get_xlim()
    onset, offset = dataset["epoch_onset"].values, dataset["epoch_offset"].values
    named = [
        (name, begin, end)
        for name, begin, end in zip(labels(dataset["epoch"]), onset, offset, strict=True)
        if name not in skip
        and np.isfinite([begin, end]).all()
        and (begin, end) != (np.nanmin(onset), np.nanmax(offset))
    ]
    outer = {
        (begin, end)
        for _, begin, end in named
        if not any(
            first <= begin and end <= last and (first, last) != (begin, end) for _, first, last in named
        )
    }
    for begin, end in sorted(outer)[1::2]:
        ax.axvspan(begin, end, color=style.SHADE, lw=0, zorder=-5)
    taken: list[tuple[float, float]] = []
    for name, begin, end in sorted(named, key=lambda epoch: epoch[2] - epoch[1]):
        width = LETTER_MM * len(name) / (width_mm or style.COLUMN_MM) * (high - low)
        least = min_label * (high - low) if width_mm is None else width
        middle = (max(begin, low) + min(end, high)) / 2
        place = (middle - width / 2, middle + width / 2)
        if end - begin >= least and not any(place[0] < last and first < place[1] for first, last in taken):
            taken.append(place)
            ax.annotate(
                name, (middle, 1), xycoords=ax.get_xaxis_transform(), xytext=(0, 1), ha="center", va="bottom",
                textcoords="offset points", fontsize=6, color=style.GREY, annotation_clip=False,
            )  # fmt: skip


def note(ax: Axes, text: str, *, corner: str = "lower right", **options: Any) -> None:
    """Small grey text in a corner of the axes, readable over what is drawn there."""
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0}
    vertical, horizontal = corner.split()
    place = {"left": 0.03, "right": 0.97, "lower": 0.03, "upper": 0.97}
    ax.text(
        place[horizontal], place[vertical], text, transform=ax.transAxes, ha=horizontal,
        va="bottom" if vertical == "lower" else "top", fontsize=6, color=style.GREY, bbox=behind, zorder=6,
        **options,
    )  # fmt: skip


def number(dataset: xr.Dataset | xr.DataArray) -> str:
    """The number of seeds, and of trials where they are counted, as a text."""
    seeds = dataset.sizes.get("seed", 1)
    text = f"n = {seeds} seed{'s' if seeds != 1 else ''}"
    if isinstance(dataset, xr.Dataset) and "num_trials" in dataset:
        counted = dataset["num_trials"]
        total = counted.sum("condition")
        text += f" × {int(total.mean())} trials"
    if isinstance(dataset, xr.Dataset) and "fit_status" in dataset:
        failed = int((dataset["fit_status"] != 0).sum())
        text += f"\n{failed} without a fit" if failed else ""
    return text


def by_seed(array: xr.DataArray) -> xr.DataArray:
    """``array`` with a ``seed`` dim, added where there is none, first."""
    return (array if "seed" in array.dims else array.expand_dims("seed")).transpose("seed", ...)


def key(ax: Axes, values: xr.DataArray, *, name: str | None = None, **options: Any) -> None:
    """Colour bar of an ordered condition, inside the axes.

    Args:
        values: (condition,) with units. name: shown instead of its long name.
        options: ``bounds`` (left, bottom, width, height) in axes fractions.
    """
    bounds = options.pop("bounds", (0.58, 0.14, 0.36, 0.04))
    inset = ax.inset_axes(bounds)
    scale = style.ordered_scale(values.values)
    mappable = ScalarMappable(scale, style.SEQUENTIAL)
    bar = ax.figure.colorbar(mappable, cax=inset, orientation="horizontal")
    bar.outline.set_visible(False)
    low, high = (float(end) for end in scale.inverse(np.array([0.0, 1.0])))
    bar.set_ticks([low, high], labels=[f"{low:.0f}", f"{high:.0f}"])
    inset.tick_params(length=0, pad=1, labelsize=6)
    inset.set_title(axis_label(values, name), fontsize=6, pad=2, color=style.GREY)


def plain_log(axis: Any, low: float, high: float) -> None:
    """Ticks of a log axis: a few plain numbers within two decades, powers of ten beyond."""
    if high > 100 * low:
        axis.set_major_locator(LogLocator(numticks=5))
        axis.set_major_formatter(LogFormatterSciNotation())
        axis.set_minor_locator(NullLocator())
        return
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = powers
    for steps in ((1, 2, 5), (1, 2, 4, 6, 8, 14), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)):
        ticks = np.unique(np.outer(powers, steps))
        ticks = ticks[(ticks >= low * 0.999) & (ticks <= high * 1.001)]
        if ticks.size >= 3:
            break
    axis.set_major_locator(FixedLocator(ticks.tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def end_labels(
    ax: Axes, heights: Sequence[float], names: Sequence[str], colors: Sequence[Any], *, gap: float = 0.07
) -> None:
    """Names of lines beside the right edge of the axes, each tied to the height at which its line ends.

    Args:
        ax: axes, with their final limits and scale. heights: y of each line's end, in data units; one outside
            the limits, or that a log axis does not have, is named at the nearer edge.
        names, colors: of the lines; a line with an empty name gets none.
        gap: least distance of two names, as a fraction of the axes' height.
    """
    bounds = sorted(ax.get_ylim())
    within = np.nan_to_num(np.asarray(heights, float), nan=bounds[0]).clip(bounds[0], bounds[1])
    points = ax.transAxes.inverted().transform(ax.transData.transform([(bounds[0], y) for y in within]))
    order = [k for k in np.argsort(points[:, 1], kind="stable") if names[k]]
    places = apart([float(points[k, 1]) for k in order], gap)
    places = [max(y, gap * k) for k, y in enumerate(places)]
    places = [min(y, 1 - gap * k) for k, y in enumerate(reversed(places))][::-1]
    for k, y in zip(order, places, strict=True):
        ax.plot(
            (1.01, 1.045), (points[k, 1], y), color=colors[k], lw=0.5, clip_on=False, transform=ax.transAxes
        )
        ax.annotate(
            names[k], (1.045, y), xycoords="axes fraction", xytext=(1.5, 0), textcoords="offset points",
            va="center", ha="left", fontsize=6.5, color=colors[k], annotation_clip=False,
        )  # fmt: skip


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Heights moved as little as needed to be at least ``gap`` from each other, in ascending order.

    Example:
        >>> [round(y, 2) for y in apart([0.5, 0.5, 0.9], 0.1)]
        [0.45, 0.55, 0.9]
    """
    clusters: list[list[float]] = []  # members of a cluster touch; it is centred on their mean
    for height in sorted(heights):
        clusters.append([height])
        while len(clusters) > 1 and _bottom(clusters[-1], gap) < _top(clusters[-2], gap) + gap - 1e-12:
            last = clusters.pop()
            clusters[-1] += last
    return [_bottom(one, gap) + k * gap for one in clusters for k in range(len(one))]


def _bottom(cluster: list[float], gap: float) -> float:
    return sum(cluster) / len(cluster) - gap * (len(cluster) - 1) / 2


def _top(cluster: list[float], gap: float) -> float:
    return _bottom(cluster, gap) + gap * (len(cluster) - 1)
