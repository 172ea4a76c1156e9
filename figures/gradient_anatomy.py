"""Gradients through time, and what is learned at long lags.

    python figures/gradient_anatomy.py [RECORD] [OUTPUT_FOLDER]

(a) Spectral norm of ∂h_T/∂h_t over the lag from the end of a copy-memory trial, untrained vanilla tanh
circuits of several gains; medians over seeds and trials. (b) The same for other circuits: relu with the
identity or with gain 1.6, orthogonal weights, leaky units, LSTMs with a forget bias of 1 or chrono biases,
GRUs with an update bias of 0 or 2. (c) An exploding circuit (relu, gain 1.6) trained by adam on the adding
problem with and without clipping: norm of the gradient before clipping, with the clip level dashed, above
which no applied gradient is, and loss, with that of an answer without memory dashed; medians over seeds of
running medians, bands from the smallest to the largest seed, seeds that diverged are counted. (d) Accuracy
of copied symbols on held-out trials against the blank, every seed and medians. (e) Squared error of the
adding problem against its length. (f) Norm of ∂h_T/∂h_t on copy-memory before (dashed) and after training
(solid), medians over seeds. (g) Memory that a gradient adds, with the states of whole trials and of
segments of √T steps, and its exponent over the longer half of the trials. (h) Its time. (i) Updates to the
criterion against the norm of ∂h_T/∂h_t at the lag of the task, before training; every seed of every
circuit, task and lag; norms beyond the axis stand at its end.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from throughtime import plotting
from throughtime.plotting import style
from throughtime.plotting.training import DIVERGED
from throughtime.results import labels, load_tree

NAME = "gradient_anatomy"
RECORDS = "evidence/gradient_anatomy.nc"

# circuit -> name, colour, line
DASHED = (0, (2.5, 1.2))
CIRCUITS = {
    "vanilla-1": ("vanilla", style.BLACK, "-"),
    "relu-1.6": ("relu, 1.6", style.PURPLE, DASHED),
    "relu-identity": ("relu, identity", style.PURPLE, "-"),
    "orthogonal": ("orthogonal", style.BLUE, "-"),
    "leaky-100": ("leaky, 5 dt", style.ORANGE, DASHED),
    "leaky-500": ("leaky, 25 dt", style.ORANGE, "-"),
    "lstm": ("LSTM, bias 1", style.VERMILLION, DASHED),
    "lstm-chrono": ("LSTM, chrono", style.VERMILLION, "-"),
    "gru": ("GRU", style.GREEN, "-"),
    "gru-bias-2": ("GRU, bias 2", style.GREEN, DASHED),
}
CLIPPING = {"unclipped": ("no clipping", style.VERMILLION), "clipped": ("clipped", style.BLUE)}
STORAGE = {"whole": ("whole trial", style.VERMILLION), "segments": ("segments", style.BLUE)}
BASELINES = {"copy-memory": {"chance": 1 / 8}, "adding-problem": {"no memory": 1 / 6, "criterion": 0.0167}}
NORM = "‖∂h$_T$/∂h$_t$‖"
SHOWN = 1e-12, 1e12
"""Smallest and largest norm that is drawn."""
SMOOTH = 15
"""Updates of a running median."""


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    untrained, clipping, trained, memory = (
        tree[name].to_dataset() for name in ("untrained", "clipping", "trained", "memory")
    )
    with style.context():
        page = style.figure(style.PAGE_MM, 168.0)
        rows = page.subfigures(3, 1, height_ratios=(1.0, 1.0, 0.85), hspace=0.03)
        parts = [part for row in rows for part in row.subfigures(1, 3, wspace=0.03)]
        _gains(untrained, parts[0].subplots())
        _kinds(untrained, parts[1].subplots())
        _clipped(clipping, parts[2].subplots(2, 1, sharex=True))
        for task, part in zip(labels(trained["task"]), parts[3:5], strict=True):
            _scores(trained, task, part.subplots())
        _before_and_after(trained, parts[5].subplots())
        _cost(memory, parts[6].subplots(), parts[7].subplots())
        _initial_norm(trained, parts[8].subplots())
        titles = (
            "Vanilla, before training", "Other circuits, before training", "Clipping of gradients",
            "Copy memory", "Adding problem", "Before (dashed) and after training", "Memory of a gradient",
            "Time of a gradient", "Untrained norm and learning",
        )  # fmt: skip
        for part, letter, title in zip(parts, "abcdefghi", titles, strict=True):
            style.heading(part, letter, title)
    return page


def seen(dataset: xr.Dataset) -> list[tuple[str, Any, Any]]:
    """Name, colour and line of every option that is a circuit."""
    return [CIRCUITS.get(name, (name, style.GREY, "-")) for name in labels(dataset["option"])]


def limits(norms: xr.DataArray) -> tuple[float, float]:
    """Limits of an axis of norms: all of them, but none beyond those shown."""
    positive = norms.values[np.isfinite(norms.values) & (norms.values > 0)]
    low, high = float(positive.min(initial=0.1)) / 2, float(positive.max(initial=10.0)) * 2
    return max(SHOWN[0], low), min(SHOWN[1], high)


def lag_axis(ax: Any) -> None:
    """A narrow axis of lags."""
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.set_xlabel("Time before trial end (ms)")


def _gains(untrained: xr.Dataset, ax: Any) -> None:
    found = labels(untrained["option"])
    gains = {
        float(name.removeprefix("vanilla-")): k for k, name in enumerate(found) if name.startswith("vanilla-")
    }
    order = sorted(gains)
    plotting.gradient_norms(
        untrained.isel(option=[gains[gain] for gain in order]), ax, dim="option", at_end=True,
        names=[f"gain {gain:g}" for gain in order], label=NORM,
        colors=style.ordered_colors([*order, 1.3 * order[-1]])[:-1],  # without the lightest
        limits=limits(untrained["jacobian_norm"]),
    )  # fmt: skip
    lag_axis(ax)


def _kinds(untrained: xr.Dataset, ax: Any) -> None:
    chosen = [k for k, name in enumerate(labels(untrained["option"])) if name in CIRCUITS]
    shown = untrained.isel(option=chosen)
    names, colors, lines = zip(*seen(shown), strict=True)
    plotting.gradient_norms(
        shown, ax, dim="option", at_end=True, names=names, colors=colors, styles=lines, label=NORM,
        limits=limits(untrained["jacobian_norm"]),
    )  # fmt: skip
    lag_axis(ax)


def _clipped(clipping: xr.Dataset, axes: Any) -> None:
    """Adam's runs as lines with bands, and of all runs how many seeds diverged."""
    above, below = axes
    words = []
    for option, name in enumerate(labels(clipping["option"])):
        optimizer, _, way = name.partition("-")
        runs = clipping.isel(option=option)
        failed = (runs["status"] == DIVERGED).values
        if failed.any():
            words.append(f"{optimizer}, {CLIPPING[way][0]}:\n{failed.sum()} of {failed.size} seeds diverged")
        if optimizer != "adam":
            continue
        for ax, series in ((above, "gradient_norm"), (below, "loss")):
            smooth = runs[series].rolling(update=SMOOTH, center=True, min_periods=1).median()
            smooth = smooth.dropna("update", how="all")  # from where on every seed has diverged
            color = CLIPPING[way][1]
            ax.plot(smooth["update"], smooth.median("seed"), color=color, lw=1.2, label=CLIPPING[way][0])
            ax.fill_between(
                smooth["update"], smooth.min("seed"), smooth.max("seed"), color=color, alpha=0.2, lw=0
            )
    for ax, level, words_of_it in ((above, 1.0, "clip"), (below, 1 / 6, "no memory")):
        ax.set_yscale("log")
        ax.axhline(level, color=style.GREY, lw=0.6, ls=(0, (4, 2)))
        ax.annotate(
            words_of_it, (1.0, level), xycoords=ax.get_yaxis_transform(), xytext=(2, 0), fontsize=6,
            textcoords="offset points", va="center", color=style.GREY, annotation_clip=False,
        )  # fmt: skip
    plotting.marks.plain_log(above.yaxis, *above.get_ylim())
    above.set_ylabel("Gradient norm")
    above.legend(loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=2)
    below.set_ylabel("Loss")
    plotting.marks.note(below, "adam", corner="upper right")
    below.set_ylim(5e-3, 20.0)
    below.set_xlabel("Update")
    below.set_xlim(0, clipping["update"].values[-1])
    if words:
        plotting.marks.note(above, "\n".join(words), corner="upper right", multialignment="right")


def _scores(trained: xr.Dataset, task: str, ax: Any) -> None:
    index = labels(trained["task"]).index(task)
    name = next(str(one) for one, array in trained.data_vars.items() if array.attrs.get("task") == index)
    shown = trained[[name]].assign(status=trained["status"].isel(task=index))
    names, colors, _ = zip(*seen(shown), strict=True)
    written = task.replace("-", "_").replace("_", " ")
    log = not BASELINES[task].keys() & {"chance"}
    plotting.score_by_lag(
        shown, ax, variable=name, names=names, colors=colors, levels=BASELINES[task], log=log,
        label=f"{name.replace('_', ' ').capitalize()}, {written}",
    )  # fmt: skip
    ax.set_xlabel("Blank (slots)" if not log else "Length (slots)")


def _before_and_after(trained: xr.Dataset, ax: Any) -> None:
    """At the lag in the middle of those trained."""
    middle = trained.sizes["condition"] // 2
    median = trained["jacobian_norm"].isel(task=0, condition=middle).median("seed")
    names, colors, _ = zip(*seen(trained), strict=True)
    there = median.notnull().any(("option", "checkpoint"))
    for checkpoint, line, written in ((0, DASHED, [""] * len(names)), (1, "-", names)):
        shown = median.isel(checkpoint=checkpoint).where(there, drop=True).to_dataset(name="jacobian_norm")
        shown["jacobian_norm"].attrs, shown["lag"].attrs = (
            trained["jacobian_norm"].attrs,
            trained["lag"].attrs,
        )
        plotting.gradient_norms(
            shown, ax, dim="option", at_end=True, names=written, colors=colors, styles=[line] * len(names),
            limits=limits(median), label=NORM,
        )  # fmt: skip
    lag_axis(ax)
    lag = int(trained["condition"][middle])
    plotting.marks.note(ax, f"blank {lag}", corner="lower left")


def _cost(memory: xr.Dataset, left: Any, right: Any) -> None:
    names, colors = zip(
        *(STORAGE.get(one, (one, style.GREY)) for one in labels(memory["option"])), strict=True
    )
    scaled = memory.assign(
        peak_memory=memory["peak_memory"] / 1e6, gradient_time=memory["gradient_time"] / 1e3
    )
    for variable, ax, label, power in (
        ("peak_memory", left, "Peak memory (MB)", "exponent"), ("gradient_time", right, "Gradient (s)", None),
    ):  # fmt: skip
        plotting.cost_by_steps(
            scaled, ax, variable=variable, names=names, colors=colors, exponent=power, label=label
        )
        ax.set_xlabel("Steps T")


def _initial_norm(trained: xr.Dataset, ax: Any) -> None:
    """Seeds that never met the criterion stand in a row of their own on top."""
    budget = float(trained["update"].values[-1])
    never = 1.9 * budget
    for option, (name, color, _) in enumerate(seen(trained)):
        for task, marker in enumerate("os"):
            one = trained.isel(option=option, task=task)
            norm = (
                one["jacobian_norm"]
                .isel(checkpoint=0)
                .sel(lag=one["task_lag"])
                .transpose("condition", "seed")
            )
            update = one["criterion_update"].transpose("condition", "seed").values
            x = np.clip(norm.values, *SHOWN)
            aside = np.exp(0.06 * (option - 2))
            y = np.where(update < 0, never * aside, update)
            ax.plot(
                x.ravel(), y.ravel(), marker, color=color, ms=2.6, mew=0.4, mec="white", ls="", label=name
            )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(SHOWN[0] / 4, 1e4)
    low = 0.1 * max(
        1.0, float(trained["criterion_update"].where(trained["criterion_update"] > 0).min().fillna(budget))
    )
    ax.set_ylim(low, never * 1.5)
    plotting.marks.plain_log(ax.yaxis, low, budget)
    ticks = [tick for tick in ax.yaxis.get_major_locator().tick_values(low, budget) if low <= tick <= budget]
    ax.set_yticks([*ticks, never], [*(f"{tick:g}" for tick in ticks), "never"])
    ax.set_xlabel(f"Untrained {NORM} at the task's lag")
    ax.set_ylabel("Updates to criterion")
    plotting.marks.note(
        ax, "circles copy memory\nsquares adding problem\ncolours as in b", corner="lower left"
    )


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
