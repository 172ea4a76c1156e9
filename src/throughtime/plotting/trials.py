"""Panels of single trials and of the activity of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.channels import GAP, IMAGE, image, output_span, rows, span, surround
from throughtime.plotting.marks import axis_label, epochs, labels

NOISE = 0.3
"""Inputs no larger than this share of the outputs are not blown up."""
LINE = 0.32
"""Height of an input's line in units of the range of the outputs."""
MUCH_SMALLER = 0.05
"""Share of the largest input below which an input has a scale of its own, so that it can be seen."""


def trial(
    evaluation: xr.Dataset,
    ax: Axes,
    *,
    title: str | None = None,
    output_range: tuple[float, float] | None = None,
    among: xr.Dataset | None = None,
    time_range: tuple[float, float] | None = None,
    name_channels: bool = True,
    width_mm: float | None = None,
) -> Axes:
    """Inputs, target and output of one trial against time, one row a channel, epochs shaded.

    Inputs share one scale (those in images another, very small ones have their own); so do the outputs, whose
    axis is labelled. Targets are dashed, and drawn only where the loss counts them. Six or more channels of
    one kind, such as the units of a ring, are one image, from the first below to the last above; there a
    dashed line surrounds where the target is high.

    Args:
        evaluation: one trial: ``inputs`` (time, input), ``targets``, ``outputs`` and ``mask`` (time,
            output), ``valid`` (time,), ``epoch_onset`` and ``epoch_offset`` (epoch,).
        ax: axes to draw in. title: above the names of the epochs.
        output_range: of each output row, to make several trials alike; that of the data if not given.
        among: trials (trial, …) that shall look alike: scales are those of all of them, where they are not
            given otherwise.
        time_range: of the time axis, ms; the trial if not given.
        name_channels: write the names of the channels.
        width_mm: of the axes, if known: epochs too short for their names then have none.

    Returns:
        ``ax``.
    """
    valid = evaluation["valid"].values.astype(bool)
    time = evaluation["time"].values[valid]
    half = (time[1] - time[0]) / 2
    ax.set_xlim(time_range or (time[0] - half, time[-1] + half))
    inputs = evaluation["inputs"].transpose("time", "input").values[valid]
    outputs = evaluation["outputs"].transpose("time", "output").values[valid]
    mask = evaluation["mask"].transpose("time", "output").values[valid]
    targets = np.where(mask > 0, evaluation["targets"].transpose("time", "output").values[valid], np.nan)

    of_all = evaluation if among is None else among
    low, high = output_range or output_span(of_all)
    size = high - low
    step = _round_scale(max(high, -low))
    marks = [value for value in (-step, 0.0, step) if low - 0.01 * size <= value <= high + 0.01 * size]
    top = 0.0
    ticks: list[float] = []
    tick_labels: list[str] = []
    named: list[tuple[float, str]] = []
    for row in rows(labels(evaluation["output"])):
        name, members = row
        if row.image:
            place = image(ax, time, outputs[:, members], (low, high), top, IMAGE * size, style.OUTPUTS)
            surround(ax, time, targets[:, members], (low, high), place)
            named.append((sum(place) / 2, name))
            top = place[1] + GAP * size
            continue
        base, k = top - low, members[0]
        ax.axhline(base, color=style.FAINT, lw=0.4, zorder=0)
        ax.plot(time, base + targets[:, k], color=style.INK, lw=0.9, ls=(0, (3, 1.5)), zorder=3)
        ax.plot(time, base + outputs[:, k], color=style.BLUE, lw=1.2, zorder=2)
        ticks += [base + value for value in marks]
        tick_labels += [f"{value:g}".replace("-", "−") for value in marks]
        top = base + high + GAP * size
        if name_channels:
            ax.text(
                0.015, base + high + 0.03 * size, name, va="bottom", fontsize=6.5, color=style.BLUE,
                transform=ax.get_yaxis_transform(),
            )  # fmt: skip
    numbered = len(ticks)
    of_inputs = rows(labels(evaluation["input"]))
    of_lines, of_images = (
        span(*(of_all["inputs"].isel(input=row.members).values for row in of_inputs if row.image == kind))
        for kind in (False, True)
    )
    scale = max(*np.abs(of_lines), NOISE * max(high, -low))
    top += 0.1 * size
    for row in reversed(of_inputs):
        name, members = row
        if row.image:
            place = image(ax, time, inputs[:, members], of_images, top, IMAGE * size, style.INPUTS)
            named.append((sum(place) / 2, name))
            top = place[1] + 0.14 * size
            continue
        lowest, highest = span(of_all["inputs"].isel(input=members).values)
        own = max(highest, -lowest, NOISE * max(high, -low))
        unit = LINE * size / (own if own < MUCH_SMALLER * scale else scale)
        top -= unit * lowest
        ax.plot(time, top + unit * inputs[:, members[0]], color=style.GREY, lw=0.9, drawstyle="steps-mid")
        named.append((top, name))
        top += (LINE + 0.14) * size
    ax.set_ylim(-0.08 * size, top)
    places, names = ([one[part] for one in named] for part in (0, 1))
    ax.set_yticks([*ticks, *places], [*tick_labels, *(names if name_channels else [""] * len(names))])
    for line in ax.yaxis.get_ticklines()[2 * numbered :]:
        line.set_visible(False)
    ax.spines["left"].set_visible(bool(ticks))
    if ticks:
        ax.spines["left"].set_bounds(ticks[0], ticks[-1])
    epochs(evaluation, ax, width_mm=width_mm)
    ax.set_xlabel(axis_label(evaluation["time"], "Time"))
    if title:
        ax.set_title(title, pad=10)
    return ax


def _round_scale(size: float) -> float:
    power = 10.0 ** np.floor(np.log10(size))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= size * 1.001))


def sorted_rates(
    rates: xr.DataArray,
    ax: Axes,
    *,
    order: np.ndarray | None = None,
    limit: float | None = None,
    events: Mapping[str, float] | None = None,
    colorbar: bool = True,
    label: str = "Unit (sorted)",
) -> Axes:
    """Rates of all units as an image, units sorted by the time of their largest rate.

    Rates with negative values are drawn on a diverging scale about zero. Sorting by the rates shown makes
    a diagonal of any noise: take ``order`` from other trials.

    Args:
        rates: (unit, lag or time), units in attributes. ax: axes to draw in.
        order: positions of the units from top to bottom; the order of the peaks if not given.
        limit: largest absolute rate of the scale. events: name -> time of a vertical line.
        colorbar: add a colour bar. label: of the y axis.

    Returns:
        ``ax``.
    """
    axis = next(str(dim) for dim in rates.dims if dim != "unit")
    values, time = rates.transpose("unit", axis).values, rates[axis].values
    ranks = np.argsort(np.nanargmax(values, 1), kind="stable") if order is None else np.asarray(order)
    top = float(np.nanmax(np.abs(values))) if limit is None else limit
    signed = np.nanmin(values) < -0.05 * top
    half = (time[1] - time[0]) / 2
    image = ax.imshow(
        values[ranks], aspect="auto", interpolation="nearest", origin="upper",
        extent=(time[0] - half, time[-1] + half, len(ranks) + 0.5, 0.5),
        cmap=style.SIGNED_RATE if signed else style.RATE, vmin=-top if signed else 0.0, vmax=top,
    )  # fmt: skip
    event_lines(ax, events or {}, color=style.INK)
    ax.set_yticks([1, len(ranks)])
    ax.set_xlabel(axis_label(rates[axis]))
    ax.set_ylabel(label, labelpad=-4)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if colorbar:
        bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02, aspect=30)
        bar.outline.set_visible(False)
        bar.set_label(axis_label(rates, "Rate"))
        bar.locator = _three_ticks(signed, top)
        bar.update_ticks()
    return ax


def _three_ticks(signed: bool, top: float) -> Any:
    from matplotlib.ticker import FixedLocator

    step = _round_scale(top)
    return FixedLocator([-step, 0.0, step] if signed else [0.0, step])


def event_lines(ax: Axes, events: Mapping[str, float], *, color: str = style.GREY) -> None:
    """Vertical lines at events, named above the axes."""
    for k, (name, time) in enumerate(events.items()):
        ax.axvline(time, color=color, lw=0.6, ls=(0, (2, 2)))
        ax.text(
            time, 1.01, name, transform=ax.get_xaxis_transform(), ha="left" if k else "center",
            va="bottom", fontsize=6, color=style.GREY,
        )  # fmt: skip


def state_space(
    principal: xr.Dataset,
    ax: Axes,
    *,
    components: Sequence[int] = (0, 1),
    names: Sequence[str] | None = None,
    colors: Sequence[Any] | None = None,
    styles: Sequence[Any] | None = None,
    marks: Mapping[str, float] | None = None,
) -> Axes:
    """Trajectory of each condition on two principal components, or three on 3-D axes.

    Args:
        principal: ``score`` (condition, time or lag, component) and ``explained_variance_ratio``
            (component,), of one seed.
        ax: 2-D or 3-D axes. components: positions of the components shown.
        names, colors, styles: of each condition, for the legend and the lines.
        marks: epoch -> its onset on the time axis; each gets a marker of its own.

    Returns:
        ``ax``.
    """
    score = principal["score"]
    axis = next(str(dim) for dim in score.dims if dim not in ("condition", "component"))
    values = score.transpose("condition", axis, "component").values[..., list(components)]
    share = principal["explained_variance_ratio"].values[list(components)]
    time = score[axis].values
    count = len(values)
    palette = list(colors) if colors is not None else [style.CATEGORICAL[k % 6] for k in range(count)]
    dashes = list(styles) if styles is not None else ["-"] * count
    for k, path in enumerate(values):
        label = None if names is None else names[k]
        ax.plot(*path.T, color=palette[k], ls=dashes[k], lw=1.1, label=label)
    for shape, (name, onset) in zip("osD^v*PX", (marks or {}).items(), strict=False):
        at = int(np.abs(time - onset).argmin())
        for k, path in enumerate(values):
            ax.plot(*path[at : at + 1].T, marker=shape, color=palette[k], mec="white", mew=0.5, ms=4.5, ls="")
        ax.plot([], [], marker=shape, color=style.GREY, mec="white", mew=0.5, ms=4.5, ls="", label=name)
    for setter, k, part in zip(("set_xlabel", "set_ylabel", "set_zlabel"), components, share, strict=False):
        getattr(ax, setter)(f"PC {k + 1} ({100 * part:.0f} % of variance)")
    ax.margins(0.06)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax
