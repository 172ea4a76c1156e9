"""Panels of what learning does to loss, kernels, weights and the flow of activity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, by_seed, end_labels, labels, note, number

BEYOND = 4.0
"""How many times the largest eigenvalue 2/η may be before the axis no longer reaches it."""


def sharpness(
    measured: xr.Dataset, ax: Axes, *, colors: Sequence[Any] = (style.BLUE, style.VERMILLION)
) -> Axes:
    """Largest and smallest eigenvalue of the Hessian against updates, with the limit of stability 2/η.

    Thin lines are seeds, thick ones their median. A limit far above all eigenvalues is written at the upper
    edge instead of drawn; a seed far beyond all medians leaves the axes, and is counted.

    Args:
        measured: what :func:`throughtime.analysis.sharpness` returns, over ``checkpoint`` and perhaps
            ``seed``. ax: axes to draw in.
        colors: of the largest and of the smallest.

    Returns:
        ``ax``.
    """
    array = _lines(measured["eigenvalue"].transpose(..., "mode"), "mode")
    update = _updates(measured)
    ends = [_against_update(ax, array[:, :, k], update, color) for k, color in enumerate(colors)]
    ax.axhline(0.0, color=style.INK, lw=0.5, zorder=1)
    limit = float(np.max(measured["stability_limit"].values))
    top, bottom = _within(array, np.stack([_middle(array[:, :, k]) for k in range(2)]))
    high = top
    if np.isfinite(limit) and limit <= BEYOND * top:
        ax.axhline(limit, color=style.GREY, lw=0.8, ls=(0, (4, 2)), zorder=1)
        high = max(top, limit)
    span = high - bottom
    ax.set_ylim(bottom - 0.06 * span, high + 0.22 * span)
    names = labels(measured["mode"])
    if np.isfinite(limit) and limit <= BEYOND * top:
        ends, names, colors = [*ends, limit], [*names, "2/η"], [*colors, style.GREY]
    elif np.isfinite(limit):
        note(ax, f"2/η = {limit:.4g}, above", corner="upper left")
    _over_updates(ax, measured)
    end_labels(ax, ends, names, list(colors))
    ax.set_ylabel("Hessian eigenvalue")
    text = number(measured["eigenvalue"])
    away = int(((array > ax.get_ylim()[1]) | (array < ax.get_ylim()[0])).any((1, 2)).sum())
    text += f"\n{away} leave{'s' if away == 1 else ''} the axes" if away else ""
    note(ax, text, corner="upper right", multialignment="right")
    return ax


def kernel_alignment(
    measured: xr.Dataset,
    ax: Axes,
    *,
    centred: bool = False,
    colors: Sequence[Any] = (style.BLUE, style.VERMILLION),
) -> Axes:
    """Alignment of the kernels of representation and tangent with their start, against updates.

    At 1 learning is lazy. Thin lines are seeds, thick ones their median.

    Args:
        measured: what :func:`throughtime.analysis.kernel_alignment` returns, over ``checkpoint`` and perhaps
            ``seed``, with one or both kernels. ax: axes to draw in.
        centred: draw the centred alignments. colors: of representation and of tangent.

    Returns:
        ``ax``.
    """
    end = "_alignment_centred" if centred else "_alignment"
    both = zip(("representation", "tangent"), colors, strict=True)
    drawn = [(kind, color) for kind, color in both if f"{kind}{end}" in measured]
    update = _updates(measured)
    ends, lowest = [], 0.98
    for kind, color in drawn:
        values = _lines(measured[f"{kind}{end}"])
        ends.append(_against_update(ax, values, update, color))
        lowest = min(lowest, float(np.nanmin(values)))
    ax.axhline(1.0, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
    ax.set_ylim(1 - 1.35 * (1 - lowest), 1 + 0.06 * (1 - lowest))
    _over_updates(ax, measured)
    end_labels(ax, ends, [kind for kind, _ in drawn], [color for _, color in drawn])
    ax.set_ylabel("Centred alignment with the start" if centred else "Alignment with the start")
    note(ax, number(measured[f"{drawn[0][0]}{end}"]), corner="lower left")
    return ax


def weight_change(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE, num_modes: int = 20) -> Axes:
    """Singular values of the change of a weight matrix beside those of a change without structure.

    Thin lines are seeds, the thick one their median; the band holds what Gaussian changes of the same norm
    have, and the dashed line is their mean (medians of both over seeds).

    Args:
        measured: what :func:`throughtime.analysis.weight_change` returns, reduced to ``mode`` and perhaps
            ``seed``. ax: axes to draw in.
        color: of the change. num_modes: how many singular values are shown, from the largest.

    Returns:
        ``ax``.

    Raises:
        ValueError: if there is a dim beyond these.
    """
    values = _lines(measured["singular_value"].isel(mode=slice(num_modes)), along="mode")
    null = [
        _middle(_lines(measured[f"null_singular_value{end}"].isel(mode=slice(num_modes)), along="mode"))
        for end in ("", "_lower", "_upper")
    ]
    index = np.arange(values.shape[1]) + 1
    ax.fill_between(index, null[1], null[2], color=style.FAINT, alpha=0.6, lw=0, zorder=1)
    ax.plot(index, null[0], color=style.GREY, lw=0.8, ls=(0, (4, 2)), zorder=2)
    for series in values:
        ax.plot(index, series, color=color, lw=0.5, alpha=0.35, zorder=2)
    ax.plot(index, _middle(values), "o-", color=color, lw=1.2, ms=2.5, zorder=3)
    ax.set_xlim(0.4, index[-1] + 0.6)
    ax.set_ylim(0, 1.08 * float(np.nanmax([np.nanmax(values), np.nanmax(null[2])])))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=2))
    ax.set_xlabel("Singular value, from the largest")
    ax.set_ylabel(axis_label(measured["singular_value"]))
    ranks = _lines(measured["stable_rank"], along=None)[:, 0]
    rank = f"stable rank {np.nanmedian(ranks):.1f}" if np.isfinite(ranks).any() else "no change"
    note(ax, f"{number(measured['singular_value'])}\n{rank}", corner="upper right", multialignment="right")
    place = len(index) // 3
    ax.annotate(
        "Gaussian of the same norm", (index[place], null[2][place]), xytext=(1, 2), color=style.GREY,
        textcoords="offset points", ha="left", va="bottom", fontsize=6, annotation_clip=False,
    )  # fmt: skip
    return ax


def flow_field(
    measured: xr.Dataset, ax: Axes, *, colors: Sequence[Any] = (style.VERMILLION, style.BLUE)
) -> Axes:
    """Scores of the assumed and of the true decoder, joined for each seed, with their medians.

    Lines that fall to the right are seeds that learned by the assumed decoder, lines that rise seeds that
    learned by the true one.

    Args:
        measured: what :func:`throughtime.analysis.flow_field` returns, over ``seed``. ax: axes to draw in.
        colors: of the assumed and of the true decoder.

    Returns:
        ``ax``.
    """
    scores = np.stack(
        [_lines(measured[name], along=None)[:, 0] for name in ("score_assumed", "score_true")], axis=1
    )
    there = np.isfinite(scores).all(1)
    for pair in scores[there]:
        ax.plot((0, 1), pair, color=style.FAINT, lw=0.7, zorder=1)
    for column, color in enumerate(colors):
        values = scores[there, column]
        ax.plot(np.full(len(values), column), values, "o", color=color, ms=3, mew=0, alpha=0.8, zorder=2)
        if len(values):
            place = [column - 0.16, column + 0.16]
            ax.plot(place, [np.median(values)] * 2, color=color, lw=1.8, zorder=3)
    ax.axhline(0.0, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=0)
    ax.set_xlim(-0.45, 1.45)
    ax.set_xticks([0, 1], ["assumed\ndecoder", "true\ndecoder"])
    ax.tick_params(axis="x", length=0)
    low = min(0.0, float(np.min(scores[there], initial=0.0)))
    high = float(np.max(scores[there], initial=0.1))
    ax.set_ylim(low - 0.08 * (high - low), high + 0.2 * (high - low))
    ax.set_ylabel("Cosine of predicted and\nobserved change of the flow")
    text = f"n = {int(there.sum())} seed{'s' if there.sum() != 1 else ''}"
    missing = int((~there).sum())
    text += f", {missing} without a score" if missing else ""
    ax.text(1, 1.01, text, transform=ax.transAxes, ha="right", va="bottom", fontsize=6, color=style.GREY)
    return ax


def _lines(array: xr.DataArray, *own: str, along: str | None = "checkpoint") -> np.ndarray:
    """Values (seed, along, *own), or (seed, 1) where nothing lies along.

    Raises:
        ValueError: for other dims.
    """
    array = by_seed(array)
    if along is None:
        array, along = array.expand_dims("line", -1), "line"
    beyond = [str(dim) for dim in array.dims if dim not in ("seed", along, *own)]
    if beyond or along not in array.dims:
        raise ValueError(
            f"measured: {array.name} has dims {array.dims}; the panel draws seed, {along}: select an element "
            "of the others."
        )
    return array.transpose("seed", along, *own).values.astype(float)


def _updates(measured: xr.Dataset) -> np.ndarray:
    """Updates of the checkpoints, (seed, checkpoint) or (1, checkpoint); their numbers where not known."""
    name = "checkpoint_update" if "checkpoint_update" in measured.variables else "checkpoint"
    return _lines(measured[name])


def _against_update(ax: Axes, values: np.ndarray, update: np.ndarray, color: Any) -> float:
    """Thin lines of seeds and their thick median, whose last value is returned."""
    for series, x in zip(values, np.broadcast_to(update, values.shape), strict=True):
        ax.plot(x, series, color=color, lw=0.5, alpha=0.35, zorder=2)
    middle = _middle(values)
    ax.plot(_middle(update), middle, color=color, lw=1.4, zorder=3)
    there = middle[np.isfinite(middle)]
    return float(there[-1]) if there.size else np.nan


def _middle(values: np.ndarray) -> np.ndarray:
    """Median over seeds of the values there are."""
    none = ~np.isfinite(values).any(0)
    return np.where(none, np.nan, np.nanmedian(np.where(none, 0.0, values), axis=0))


def _within(values: np.ndarray, middle: np.ndarray) -> tuple[float, float]:
    """Largest and smallest value shown: all, but none further from 0 than twice the medians are."""
    ends = []
    for all_of, medians in ((values, middle), (-values, -middle)):
        furthest = 2 * max(float(np.nanmax(medians, initial=0.0)), 0.0)
        ends.append(min(max(float(np.nanmax(all_of, initial=0.0)), 0.0), furthest))
    high, low = ends
    return high or 1.0, -low


def _over_updates(ax: Axes, measured: xr.Dataset) -> None:
    update = _updates(measured)
    ax.set_xlim(0, float(np.nanmax(update)) or 1.0)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.set_xlabel("Update" if "checkpoint_update" in measured.variables else "Checkpoint")
