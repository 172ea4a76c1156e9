"""Rate circuits turned into integrate-and-fire ones by one number, beside the published numbers.

    python figures/rate_to_spikes.py [RECORD] [OUTPUT_FOLDER]

(a) Rates of all units of a go/no-go circuit in a Go and a NoGo trial; excitatory units above the line,
inhibitory ones below, sorted by their rate while a response is asked for. (b) Spikes of the same units in the
same trials, after the weights were multiplied by λ. (c) Output of both circuits, target dashed; also with
another λ. (d) Mean trajectories of rates and of filtered spikes on the principal components of the rates;
dots are beginnings. (e, f) Fraction of correct trials against 1/λ: circuits, median, and a ring where each is
best; the dashed line is what a transfer has to reach. (g) Left: trained circuits whose transfer succeeded,
with Wilson's 95 % interval. Right: fraction correct on fresh trials with the best λ, a dot a circuit; black:
mean ± SD as published.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from throughtime import plotting
from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "rate_to_spikes"
RECORDS = "evidence/rate_to_spikes.nc"
TASKS = {"go-no-go": "go/no-go", "contextual-integration": "contextual"}
WORDS = {
    "program": "", "equations": "no noise", "balanced": "no noise, balanced start", "no_refractory_period":
    "no noise, no refractory period", "single_exponential": "no noise, single exponential",
}  # fmt: skip
"""How variants are named beside the task."""
OTHERS = {"equations": (style.GREEN, (0, (4, 1.5))), "balanced": (style.PURPLE, (0, (1, 1.2)))}
"""Colour and dashes of the medians of further variants that are drawn."""
RATES, SPIKES, AGAIN = style.BLUE, style.VERMILLION, style.ORANGE
TRIALS = {1: "Go", 0: "NoGo"}
"""Label of the example's trials and their names, from above."""
NAMES, CELLS = ("excitatory", "inhib."), (style.INK, style.VERMILLION)
"""Names and colours of excitatory and inhibitory units."""


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    example = tree["example"].to_dataset()
    groups = {task: tree[task].to_dataset() for task in TASKS}
    with style.context():
        page = style.figure(style.PAGE_MM, 168.0)
        above, middle, below = page.subfigures(3, 1, height_ratios=(1.25, 1.0, 0.95), hspace=0.03)
        a, b = above.subfigures(1, 2, wspace=0.02)
        c, d, e = middle.subfigures(1, 3, width_ratios=(1.05, 1.0, 1.0), wspace=0.02)
        f, g = below.subfigures(1, 2, width_ratios=(1.0, 2.4), wspace=0.02)
        order = sorted_units(example)
        _rates(example, a, order)
        _spikes(example, b, order)
        _outputs(example, c)
        _trajectories(example, d.subplots())
        for part, task in zip((e, f), TASKS, strict=True):
            _accuracy(groups[task], part.subplots())
        left, right = g.subplots(1, 2, sharey=True)
        _success(groups, left)
        _final(groups, right)
        titles = (
            "Rates", "Spikes of the same units", "Outputs", "Trajectories", "Go/no-go: search for λ",
            "Contextual: search for λ", "Circuits transferred, and how they do",
        )  # fmt: skip
        for part, letter, title in zip((a, b, c, d, e, f, g), "abcdefg", titles, strict=True):
            style.heading(part, letter, title)
    return page


def sorted_units(example: xr.Dataset) -> np.ndarray:
    """Units from the top to the bottom: excitatory ones first, within a type by the rate in the response."""
    go = example["rates"].isel(seed=0).sel(trial=1)
    response = example["epoch_onset"].isel(seed=0).sel(trial=1).values[_epoch(example, "response")]
    late = go.sel(time=slice(response, None)).mean("time").values
    return example["unit"].values[np.lexsort((-late, example["cell_type"].values))]


def _epoch(example: xr.Dataset, name: str) -> int:
    return labels(example["epoch"]).index(name)


def _rows(part: SubFigure) -> dict[int, Axes]:
    """Axes of the two trials, one above the other."""
    axes = part.subplots(2, 1, sharex=True)
    return dict(zip(TRIALS, axes, strict=True))


def _rates(example: xr.Dataset, part: SubFigure, order: np.ndarray) -> None:
    """Images of the rates, with one bar."""
    time = example["time"].values
    half = (time[1] - time[0]) / 2
    axes = _rows(part)
    for trial, ax in axes.items():
        rates = example["rates"].isel(seed=0).sel(trial=trial).transpose("unit", "time").sel(unit=order)
        image = ax.imshow(
            rates.values, aspect="auto", cmap=style.RATE, vmin=0, vmax=1, interpolation="nearest",
            extent=(time[0] - half, time[-1] + half, len(order) - 0.5, -0.5),
        )  # fmt: skip
        _types(example, ax, order, "white")
        ax.set_ylabel(f"{TRIALS[trial]}: unit")
    axes[0].set_xlabel("Time in trial (ms)")
    bar = part.colorbar(image, ax=list(axes.values()), shrink=0.6, pad=0.015, aspect=25)
    bar.set_label("Rate")
    bar.outline.set_visible(False)


def _spikes(example: xr.Dataset, part: SubFigure, order: np.ndarray) -> None:
    """Rasters, types of cells in two colours."""
    seed = int(example["seed"][0])
    for trial, ax in _rows(part).items():
        plotting.spike_raster(
            example, ax, seed=seed, trial=trial, order=order, name_epochs=trial == 1, width_mm=75,
            colors=CELLS,
        )  # fmt: skip
        _types(example, ax, order, style.GREY)
        ax.set_ylabel(f"{TRIALS[trial]}: unit")
        if trial == 1:
            ax.set_xlabel("")
        number = int((example["cell_type"] == 0).sum())
        for name, middle, color in zip(NAMES, (number, number + len(order)), CELLS, strict=True):
            ax.text(
                1.01, 1 - middle / 2 / len(order), name, rotation=270, va="center", ha="left", fontsize=6,
                color=color, transform=ax.transAxes,
            )  # fmt: skip


def _types(example: xr.Dataset, ax: Axes, order: np.ndarray, color: str) -> None:
    """A line between the types of cells, and the ticks of the first and last unit."""
    ax.axhline(int((example["cell_type"] == 0).sum()) - 0.5, color=color, lw=0.6)
    ax.set_yticks([0, len(order) - 1], ["1", str(len(order))])


def _outputs(example: xr.Dataset, part: SubFigure) -> None:
    """Outputs of both circuits in either trial, that of spikes with two values of λ."""
    seed = int(example["seed"][0])
    names = ("outputs", "spiking_outputs", "fixed_outputs", "targets")
    both = np.stack([example[name].isel(seed=0, output=0) for name in names])
    low, high = both.min(), both.max()
    ends = example["time"] + float(example["time"][1] - example["time"][0]) / 2
    for trial, ax in _rows(part).items():
        ax.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
        plotting.rates_against_spikes(
            example, ax, seed=seed, trial=trial, name_epochs=False, name_lines=False, colors=(RATES, SPIKES)
        )
        fixed = example["fixed_outputs"].isel(seed=0, output=0).sel(trial=trial)
        ax.plot(ends, fixed, color=AGAIN, lw=1.0, zorder=2.5)
        ax.set_ylabel(f"{TRIALS[trial]}: output")
        if trial == 1:
            ax.set_xlabel("")
    rates = [f"{float(example[f'{which}_inverse_lambda'][0]):.0f} Hz" for which in ("best", "fixed")]
    lines = [Line2D([], [], color=color) for color in (RATES, SPIKES, AGAIN)]
    told = ["rates", f"spikes, 1/λ = {rates[0]} (best)", f"spikes, 1/λ = {rates[1]}"]
    ax.legend(lines, told, loc="upper right", labelspacing=0.25)


def _trajectories(example: xr.Dataset, ax: Axes) -> None:
    """Two components of the rates; NoGo dotted."""
    for name, color in (("rate_trajectory", RATES), ("spiking_trajectory", SPIKES)):
        course = example[name].isel(seed=0).transpose("trial", "time", "component").values
        for trial, dashes in ((1, "-"), (0, (0, (1, 1.2)))):
            ax.plot(
                course[trial, :, 0], course[trial, :, 1], color=color, ls=dashes, lw=1.1, zorder=2 + trial
            )
            ax.plot(*course[trial, 0, :2], "o", color=color, ms=3.5, mew=0, zorder=5)
    ax.set_xlabel("PC 1 of the rates")
    ax.set_ylabel("PC 2 of the rates")
    lines = [Line2D([], [], color=color) for color in (RATES, SPIKES)]
    lines += [Line2D([], [], color=style.GREY, ls=dashes) for dashes in ("-", (0, (1, 1.2)))]
    ax.legend(lines, ["rates", "spikes", "Go", "NoGo"], loc="upper center", ncols=4, columnspacing=0.8,
              bbox_to_anchor=(0.5, 1.1), handlelength=1.1)  # fmt: skip
    ax.margins(0.08)


def _accuracy(data: xr.Dataset, ax: Axes) -> None:
    """The panel of a transfer for the first variant; the medians of others as dashed lines."""
    found = data.rename(draw="seed")
    plotting.transfer_accuracy(found.isel(option=0), ax, color=SPIKES)
    for index, name in enumerate(labels(data["option"])):
        if name in OTHERS:
            each = found["accuracy"].isel(option=index).transpose("seed", "parameter").values
            color, dashes = OTHERS[name]
            ax.plot(
                found["parameter"], np.median(each, axis=0), color=color, lw=1.2, ls=dashes, label=WORDS[name]
            )
    if float(found["accuracy"].isel(parameter=-1).min()) < 0.2:  # lines end where the number of seeds stands
        ax.texts[-1].set(x=0.03, ha="left")
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 0.08), handlelength=1.8)


def _rows_of(groups: dict[str, xr.Dataset]) -> list[tuple[str, xr.Dataset]]:
    """Names and data of all tasks and variants, from above; a task is named at its first."""
    return [
        (WORDS.get(name, name) or TASKS[task], data.isel(option=index))
        for task, data in groups.items()
        for index, name in enumerate(labels(data["option"]))
    ]


def _named_rows(rows: list[tuple[str, xr.Dataset]], ax: Axes) -> None:
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), [name for name, _ in rows])
    ax.tick_params(axis="y", length=0)


def _success(groups: dict[str, xr.Dataset], ax: Axes) -> None:
    """Share of trained circuits and its interval, with the published share."""
    rows = _rows_of(groups)
    for place, (_, one) in enumerate(rows):
        share, low, high, published, number = (
            float(one[name])
            for name in ("success", "success_lower", "success_upper", "published_success", "published_number")
        )
        ax.plot((low, high), (place, place), color=SPIKES, lw=1.4)
        ax.plot(share, place, "o", color=SPIKES, ms=5, mew=0, clip_on=False, zorder=4)
        text = f"{int(one['num_successes'])} of {int(one['num_trained'])}"
        far = low > 0.3  # from the side on which there is room
        ax.annotate(
            text, (0.02 if far else 0.98, place), ha="left" if far else "right", va="center", fontsize=6,
            color=SPIKES,
        )  # fmt: skip
        if np.isfinite(published):
            ax.plot(published, place - 0.3, "D", color=style.INK, ms=3.6, mew=0, clip_on=False)
            told = f"published: {published * number:.0f} of {number:.0f}"
            ax.annotate(
                told, (published, place - 0.3), xytext=(-5, 0), textcoords="offset points", ha="right",
                va="center", fontsize=6,
            )  # fmt: skip
    _named_rows(rows, ax)
    ax.set_xlim(0, 1.0)
    ax.set_xlabel("Share of trained circuits")


def _final(groups: dict[str, xr.Dataset], ax: Axes) -> None:
    """Every circuit's accuracy on fresh trials, and the published mean and SD."""
    rows = _rows_of(groups)
    lowest = 0.9
    for place, (_, one) in enumerate(rows):
        values = np.sort(one["final_accuracy"].values[one["trained"].values == 1])
        shifts = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else np.zeros(len(values))
        ax.plot(values, place + 0.1 + shifts, "o", color=SPIKES, ms=3, mew=0, alpha=0.85, clip_on=False)
        mean, sd = float(one["published_accuracy"]), float(one["published_accuracy_sd"])
        lowest = min([lowest, *values])
        if np.isfinite(mean):
            ax.plot((mean - sd, min(mean + sd, 1)), (place - 0.3,) * 2, color=style.INK, lw=1.0)
            ax.plot(mean, place - 0.3, "D", color=style.INK, ms=3.6, mew=0)
            ax.annotate(
                "published", (mean - sd, place - 0.3), xytext=(-3, 0), textcoords="offset points", ha="right",
                va="center", fontsize=6,
            )  # fmt: skip
            lowest = min(lowest, mean - sd - 0.03)
    ax.axvline(0.95, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=0)
    _named_rows(rows, ax)
    ax.set_xlim(lowest - 0.03, 1.0)
    ax.set_xlabel("Fraction correct")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
