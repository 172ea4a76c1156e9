"""Panels of population activity as recorded: speed, sequences, and circuits beside recordings."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.behaviour import _mean
from throughtime.plotting.marks import axis_label, by_seed, end_labels, key, labels, note


def kinematics(
    measured: xr.Dataset,
    ax: Axes,
    *,
    variable: str = "nearest_time",
    ordered: xr.DataArray | None = None,
) -> Axes:
    """Time (or distance) of the nearest state of each condition, against the time of the reference.

    A condition above the dashed diagonal runs slower than the reference; its slope is written at the end of
    its line. Thin lines are seeds, thick ones their means.

    Args:
        measured: what :func:`throughtime.analysis.kinematics` returns. ax: axes to draw in.
        variable: ``"nearest_time"`` or ``"distance"``.
        ordered: (condition,) with units, what the conditions stand for; colours them.

    Returns:
        ``ax``.
    """
    axis = "lag" if "lag" in measured.dims else "time"
    values = by_seed(measured[variable]).transpose("seed", "condition", axis).values
    slopes = _mean(by_seed(measured["slope"]).values)
    time, number = measured[axis].values, values.shape[1]
    colors = style.ordered_colors(np.arange(number) if ordered is None else ordered.values)
    nearest = variable == "nearest_time"
    reference = int(measured.attrs["reference"])
    there = np.isfinite(values).any((0, 1))
    ends = []
    for place, color in enumerate(colors):
        if place == reference and nearest:
            ends.append(np.nan)
            continue
        for series in values[:, place] if len(values) > 1 else []:
            ax.plot(time, series, color=color, lw=0.6, alpha=0.4, zorder=2)
        mean = _mean(values[:, place])
        dashes = (0, (3, 2)) if place == reference else "-"
        ax.plot(time, mean, color=style.GREY if place == reference else color, lw=1.3, ls=dashes, zorder=3)
        ends.append(float(mean[np.isfinite(mean)][-1]) if np.isfinite(mean).any() else np.nan)
    if nearest:
        ax.plot(time[there], time[there], color=style.GREY, lw=0.8, ls=(0, (3, 2)), zorder=1)
        ends[reference] = float(time[there][-1]) if there.any() else np.nan
    if there.any():
        ax.set_xlim(time[there][0], time[there][-1])
    ax.margins(y=0.08)
    ax.set_xlabel(axis_label(measured[axis], "Time of the reference"))
    ax.set_ylabel(axis_label(measured[variable]))
    names = [f"slope {slope:.2f}" if np.isfinite(slope) else "" for slope in slopes]
    if not nearest:
        names = labels(measured["condition"])
        if ordered is not None:
            units = str(ordered.attrs.get("units", "1")).removeprefix("1")
            names = [f"{value:g} {units}".strip() for value in ordered.values]
        ax.axhline(0, color=style.GREY, lw=0.6, ls=(0, (3, 2)), zorder=1)
    names[reference] = "reference"
    inks = [style.GREY if place == reference else color for place, color in enumerate(colors)]
    end_labels(ax, ends, names, inks)
    if ordered is not None and nearest:
        key(ax, ordered, bounds=(0.06, 0.88, 0.36, 0.04))
    note(ax, _seeds(measured), corner="lower right")
    return ax


def sequentiality(measured: xr.Dataset, ax: Axes) -> Axes:
    """Rates of the units in the order of their peaks, each over its own peak, and how many peak when.

    The broken line is the share of each bin if peaks were spread evenly.

    Args:
        measured: what :func:`throughtime.analysis.sequentiality` returns, of one seed and condition.
        ax: axes to draw in; the histogram stands above them.

    Returns:
        ``ax``.

    Raises:
        ValueError: for more than one seed or condition.
    """
    peaks = measured["peak_time"]
    if peaks.ndim > 1:
        raise ValueError(f"measured: peaks over {peaks.dims}; select one element of all dims but unit.")
    rates = measured["rates"].transpose("unit", "time")
    values, time = rates.values, rates["time"].values
    peaked = np.flatnonzero(np.isfinite(peaks.values))
    order = peaked[np.argsort(peaks.values[peaked], kind="stable")]
    half = (time[1] - time[0]) / 2
    image = ax.imshow(
        values[order] / values[order].max(1, keepdims=True), aspect="auto", interpolation="nearest",
        extent=(time[0] - half, time[-1] + half, len(order) + 0.5, 0.5), cmap=style.RATE, vmin=0, vmax=1,
    )  # fmt: skip
    ax.set_yticks([1, len(order)])
    ax.set_xlabel(axis_label(rates["time"], "Time"))
    ax.set_ylabel("Unit (by peak)", labelpad=-4)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02, aspect=30, ticks=[0, 1])
    bar.outline.set_visible(False)
    bar.set_label("Rate over peak", labelpad=-2)
    above = ax.inset_axes((0.0, 1.03, 1.0, 0.25))
    centre, share = measured["lag"].values, measured["peak_share"].values
    above.bar(centre, share, width=0.9 * (centre[1] - centre[0]), color=style.GREY)
    above.axhline(1 / share.size, color=style.INK, lw=0.6, ls=(0, (3, 2)))
    above.set_xlim(*ax.get_xlim())
    above.set_ylim(0, 1.15 * max(float(np.nanmax(share)), 2 / share.size))
    above.yaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10], prune="lower"))
    above.tick_params(labelbottom=False, bottom=False)
    above.set_ylabel("Share")
    above.spines["bottom"].set_visible(False)
    text = (
        f"sequentiality {float(measured['sequentiality']):.2f} = entropy {float(measured['entropy']):.2f} + "
        f"log ratio {float(measured['mean_log_ratio']):.2f}, n = {int(measured['num_units'])} units"
    )
    above.set_title(text, fontsize=6, color=style.GREY, loc="left", pad=2)
    return ax


def recording_scores(measured: xr.Dataset, ax: Axes, *, names: list[str] | None = None) -> Axes:
    """Scores over noise ceiling of the circuit and the baselines, with their intervals.

    Dots are the recorded units (of the first seed), diamonds all of them together with the interval, one a
    seed. The dashed line is the noise ceiling.

    Args:
        measured: what :func:`throughtime.analysis.compare_recordings` returns. ax: axes to draw in.
        names: of the predictors; their labels if not given.

    Returns:
        ``ax``.
    """
    units = by_seed(measured["normalized_score"]).isel(seed=0).transpose("predictor", "unit").values
    whole, low, high = (
        by_seed(measured[f"population_{name}"]).transpose("predictor", "seed").values
        for name in ("normalized_score", "lower", "upper")
    )
    written = names if names is not None else labels(measured["predictor"])
    number, seeds = whole.shape
    colors = [style.BLUE, *[style.ORANGE] * (number - 1)]
    spots = np.linspace(-0.16, 0.16, max(units.shape[1], 2))[: units.shape[1]]
    for place in range(number):
        ax.plot(place + 0.2 + spots, units[place], "o", color=style.FAINT, ms=2, mew=0, zorder=2)
        at = place - 0.2 + (np.linspace(-0.12, 0.12, seeds) if seeds > 1 else np.zeros(1))
        ax.vlines(at, low[place], high[place], color=colors[place], lw=1.2, zorder=3)
        ax.plot(at, whole[place], "D", color=colors[place], ms=4 if seeds == 1 else 3, zorder=4)
    ax.axhline(1, color=style.GREY, lw=0.7, ls=(0, (3, 2)), zorder=1)
    ax.axhline(0, color=style.GREY, lw=0.5, zorder=1)
    shown = np.concatenate(
        [units[np.isfinite(units)], low[np.isfinite(low)], high[np.isfinite(high)], [0, 1]]
    )
    bottom = max(float(shown.min()), -0.5)
    ax.set_ylim(bottom - 0.06, min(float(shown.max()), 1.6) + 0.12)
    ax.set_xlim(-0.5, number - 0.5)
    ax.annotate(
        "noise ceiling", (1, 1), xycoords=("axes fraction", "data"), xytext=(-1, 1.5),
        textcoords="offset points", ha="right", va="bottom", fontsize=6, color=style.GREY,
    )  # fmt: skip
    ax.set_xticks(range(number), [name.replace(" ", "\n") for name in written])
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel(axis_label(measured["normalized_score"]))
    status = by_seed(measured["unit_status"]).isel(seed=0).values
    text = f"n = {int((status == 0).sum())} units"
    text += f", {int((status != 0).sum())} not scored" if (status != 0).any() else ""
    hidden = int((units < bottom - 0.06).sum())
    text += f", {hidden} below the axis" if hidden else ""
    ax.set_title(f"{text}; {_seeds(measured)[4:]}", fontsize=6, color=style.GREY, loc="left", pad=2)
    return ax


def _seeds(measured: xr.Dataset) -> str:
    seeds = measured.sizes.get("seed", 1)
    return f"n = {seeds} seed{'s' if seeds != 1 else ''}"
