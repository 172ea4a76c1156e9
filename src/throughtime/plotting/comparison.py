"""Panels that compare learning rules, from group ``/comparison`` of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, end_labels, labels, note, number, plain_log
from throughtime.plotting.training import DIVERGED, _limits, _median

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))


def learning_curves(
    data: xr.Dataset,
    ax: Axes,
    *,
    variable: str = "loss",
    names: Sequence[str] | None = None,
    colors: Sequence[Any] | None = None,
    label: str | None = None,
) -> Axes:
    """A training series of every rule against updates: the median over seeds, named at its end.

    A seed that has stopped keeps its last value, one that diverged counts as worst, so that a median over
    seeds most of which diverged ends where they do.

    Args:
        data: ``variable`` (rule, seed, update) and ``status`` (rule, seed). ax: axes to draw in.
        variable: ``"loss"`` (drawn on a log axis) or ``"score"``.
        names: of the rules; their labels if not given. colors: of the lines, in place of the palette.
        label: y label instead of the long name of the variable.

    Returns:
        ``ax``.
    """
    values = data[variable].transpose("rule", "seed", "update").values.astype(float)
    failed = data["status"].transpose("rule", "seed").values == DIVERGED
    update, rising = data["update"].values, variable != "loss"
    written = labels(data["rule"]) if names is None else list(names)
    painted = list(colors) if colors is not None else _colors(len(values))
    medians = np.stack([_median(each, bad, rising) for each, bad in zip(values, failed, strict=True)])
    for index, (median, color) in enumerate(zip(medians, painted, strict=True)):
        there = np.isfinite(median)
        dashes = DASHES[index // len(style.CATEGORICAL) % len(DASHES)]
        ax.plot(update[there], median[there], color=color, ls=dashes, lw=1.2, label=written[index])
    _limits(ax, medians, rising)
    ax.set_xlim(0, update[-1])
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ends = [float(each[np.isfinite(each)][-1]) if np.isfinite(each).any() else np.nan for each in medians]
    end_labels(ax, ends, written, painted)
    ax.set_xlabel("Update")
    ax.set_ylabel(label or axis_label(data[variable]))
    note(
        ax, _counted(data, failed), corner="lower right" if rising else "upper right", multialignment="right"
    )
    return ax


def final_values(
    data: xr.Dataset,
    ax: Axes,
    *,
    variable: str = "final_score",
    names: Sequence[str] | None = None,
    colors: Sequence[Any] | None = None,
    label: str | None = None,
) -> Axes:
    """What every seed of every rule reached: a dot a seed, a bar at the median, one row a rule.

    Diverged seeds are crosses at the worse edge, and the median counts them as worst: where most diverged
    there is no bar.

    Args:
        data: ``variable`` (rule, seed) and ``status`` (rule, seed). ax: axes to draw in.
        variable: ``"final_score"`` or ``"final_loss"`` (drawn on a log axis).
        names: of the rules; their labels if not given. colors: of the rules, in place of the palette.
        label: x label instead of the long name of the variable.

    Returns:
        ``ax``.
    """
    values = data[variable].transpose("rule", "seed").values.astype(float)
    failed = data["status"].transpose("rule", "seed").values == DIVERGED
    rising = variable != "final_loss"
    written = labels(data["rule"]) if names is None else list(names)
    painted = list(colors) if colors is not None else _colors(len(values))
    _across(ax, values, rising)
    worst = ax.get_xlim()[0 if rising else 1]
    for row, (each, bad, color) in enumerate(zip(values, failed, painted, strict=True)):
        spread = row + np.linspace(-0.18, 0.18, each.size) if each.size > 1 else np.full(1, float(row))
        there = np.isfinite(each) & ~bad
        ax.plot(each[there], spread[there], "o", color=color, ms=3, mew=0, alpha=0.75)
        ax.plot(
            np.full(int(bad.sum()), worst),
            spread[bad],
            "x",
            color=style.VERMILLION,
            ms=4,
            mew=1.0,
            clip_on=False,
        )
        ranked = np.where(there, each, -np.inf if rising else np.inf)
        with np.errstate(invalid="ignore"):
            median = float(np.median(ranked))
        if np.isfinite(median):
            ax.plot([median, median], [row - 0.32, row + 0.32], color=color, lw=1.6)
    ax.set_yticks(range(len(written)), written)
    ax.set_ylim(len(written) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(label or axis_label(data[variable]))
    told = _counted(data, failed).replace("\n", ", ")
    ax.text(1, 1.01, told, transform=ax.transAxes, ha="right", va="bottom", fontsize=6, color=style.GREY)
    return ax


def _colors(count: int) -> list[Any]:
    return [style.CATEGORICAL[index % len(style.CATEGORICAL)] for index in range(count)]


def _counted(data: xr.Dataset, failed: np.ndarray) -> str:
    text = f"{number(data)} a rule"
    return f"{text}\n{int(failed.sum())} diverged" if failed.any() else text


def _across(ax: Axes, values: np.ndarray, rising: bool) -> None:
    finite = values[np.isfinite(values)]
    if rising:
        ax.set_xlim(min(-0.02, float(finite.min(initial=0.0))), max(1.02, float(finite.max(initial=1.0))))
        return
    positive = finite[finite > 0]
    if positive.size:
        ax.set_xscale("log")
        low, high = float(positive.min()) * 0.7, float(positive.max()) * 1.6
        ax.set_xlim(low, high)
        plain_log(ax.xaxis, low, high)


def reference_distances(
    data: xr.Dataset, ax: Axes, *, variable: str = "shape_distance", names: Sequence[str] | None = None
) -> Axes:
    """How far each rule's circuits ended from those of BPTT, beside circuits that chance or no learning made.

    Above the line the nulls: the circuit before training, one whose readout alone was trained, one that BPTT
    trained on other trials, and one it trained from other weights. A dot a seed, a bar at the median. A rule
    whose bar lies between "other trials" and "other weights" is as far from BPTT as chance takes BPTT itself.

    Args:
        data: group ``/learned`` of a comparison. ax: axes to draw in.
        variable: ``"representation_distance"``, ``"shape_distance"``, ``"dynamics_distance"`` or
            ``"spectrum_distance"``.
        names: of the rules; their labels if not given.

    Returns:
        ``ax``.
    """
    last = data[variable].transpose("rule", "seed", "checkpoint").values
    ended = np.stack([[_last(seed) for seed in rule] for rule in last])
    nulls = data[f"null_{variable}"].transpose("condition", "seed").values
    rules = labels(data["rule"]) if names is None else list(names)
    rows = [*zip(labels(data["condition"]), nulls, strict=True), *zip(rules, ended, strict=True)]
    for row, (_, each) in enumerate(rows):
        null = row < len(nulls)
        color = style.GREY if null else style.CATEGORICAL[(row - len(nulls)) % len(style.CATEGORICAL)]
        spread = row + np.linspace(-0.18, 0.18, each.size) if each.size > 1 else np.full(1, float(row))
        ax.plot(each, spread, "s" if null else "o", color=color, ms=3, mew=0, alpha=0.75)
        median = float(np.median(each[np.isfinite(each)])) if np.isfinite(each).any() else np.nan
        ax.plot([median, median], [row - 0.32, row + 0.32], color=color, lw=1.6)
    ax.axhline(len(nulls) - 0.5, color=style.GREY, lw=0.6)
    ax.set_yticks(range(len(rows)), [name.replace("-", " ") for name, _ in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(left=0)
    ax.set_xlabel(f"{axis_label(data[variable])} from BPTT")
    told = f"n = {data.sizes['seed']} seeds, {data.attrs.get('num_trials', '?')} trials"
    ax.text(1, 1.01, told, transform=ax.transAxes, ha="right", va="bottom", fontsize=6, color=style.GREY)
    return ax


def _last(series: np.ndarray) -> float:
    measured = series[np.isfinite(series)]
    return float(measured[-1]) if measured.size else np.nan
