"""A delayed comparison learned from one number a trial, beside the published numbers.

    python figures/reward_learning.py [RECORD] [OUTPUT_FOLDER]

(a) Trials until 95 of 100 successive ones had an error below 1: published median and quartiles (20 runs)
above ours, and ours with other readings of the criterion; every seed, median and quartiles, seeds that did
not get there at the right edge. Beside our median the 95 % interval of the median from resampled seeds. (b)
Error of a trial while learning, means of blocks of trials: every seed, median and quartiles. (c) Of the last
100 trials those with an error below 1. (d) Rate of the output unit in trials without perturbations after
training, all seeds; stimuli are shown in grey, the answer is judged where the targets are drawn. (e) The same
error with the perturbation itself in the trace (node perturbation), fewer seeds.
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
from throughtime.results import labels, load_tree

NAME = "reward_learning"
RECORDS = "evidence/reward_learning.nc"
MATCH, OTHER = ("00", "11"), ("01", "10")
STIMULI = ((0.0, 0.2), (0.4, 0.6))
"""Parts of a trial; published 0–200 and 400–600 of 1000 ms."""
JUDGED, TARGET = 0.8, 0.98
WINDOW = 100
RESAMPLES = 5000


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    cubic, node = tree["cubic"].to_dataset(), tree["node"].to_dataset()
    with style.context():
        page = style.figure(style.PAGE_MM, 112.0)
        above, below = page.subfigures(2, 1, hspace=0.04)
        first, second = above.subfigures(1, 2, width_ratios=(1.5, 1.0), wspace=0.03)
        third, fourth, fifth = below.subfigures(1, 3, wspace=0.03)
        _criteria(cubic, first.subplots())
        _error(cubic, second.subplots(), "seed", style.BLUE)
        _success(cubic, third.subplots())
        _answers(cubic, fourth.subplots())
        _error(node, fifth.subplots(), "draw", style.VERMILLION)
        titles = (
            "Trials to criterion", "Learning", "Trials with error < 1", "After learning", "Node perturbation",
        )  # fmt: skip
        for part, letter, title in zip((first, second, third, fourth, fifth), "abcde", titles, strict=True):
            style.heading(part, letter, title)
    return page


def quartiles(trials: np.ndarray) -> np.ndarray:
    """Lower quartile, median, upper quartile; −1 (never) counts as infinity."""
    return np.quantile(np.where(trials < 0, np.inf, trials), (0.25, 0.5, 0.75), method="inverted_cdf")


def interval(trials: np.ndarray) -> np.ndarray:
    """95 % interval of the median, from resampled seeds."""
    drawn = np.random.default_rng(0).choice(np.where(trials < 0, np.inf, trials), (RESAMPLES, trials.size))
    return np.quantile(
        np.quantile(drawn, 0.5, axis=1, method="inverted_cdf"), (0.025, 0.975), method="inverted_cdf"
    )


def _criteria(data: xr.Dataset, ax: Any) -> None:
    """One row a criterion, the published one on top."""
    last = float(data["update"].values[-1])
    never, seeds = 1.12 * last, data.sizes["seed"]
    published = [
        float(data[f"published_{name}"])
        for name in ("lower_quartile", "trials_to_criterion", "upper_quartile")
    ]
    ax.axvspan(published[0], published[2], color=style.SHADE, lw=0)
    _box(ax, 0.0, published, style.BLACK)
    names = ["published, 20 runs"]
    for row, words in enumerate(labels(data["condition"]), start=1):
        trials = data["criterion_trial"].isel(condition=row - 1).values
        _box(ax, row, np.minimum(quartiles(trials), never), style.BLUE)
        aside = row + 0.26 + 0.1 * np.random.default_rng(row).uniform(-1, 1, seeds)
        met = np.where(trials < 0, never, trials)
        ax.plot(met, aside, "o", ms=2.2, mew=0, color=style.BLUE, alpha=0.6)
        bound, count = words.removeprefix("error_below_").replace("_", " ").split(" in ")
        count = count.replace("at least", "≥").replace("more than", ">")
        names.append(f"error < {bound}, {count} of 100")
    trials = data["criterion_trial"].isel(condition=0).values
    middle, (low, high) = quartiles(trials)[1], interval(trials)
    ax.text(
        0.0, 1.0,
        f"published: {published[1]:.0f}, median of 20 runs, quartiles {published[0]:.0f} to "
        f"{published[2]:.0f}\n"
        f"ours: {_words(middle)}, median of {seeds} seeds, 95 % interval {_words(low)} to {_words(high)}",
        transform=ax.transAxes, ha="left", va="bottom", fontsize=6, color=style.GREY,
    )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0, 1.16 * last)
    ticks = [tick for tick in MaxNLocator(6).tick_values(0, last) if tick <= 0.95 * last]
    ax.set_xticks([*ticks, never], [*(f"{tick:g}" for tick in ticks), "never"])
    ax.set_xlabel("Trials")


def _words(trials: float) -> str:
    return f"{trials:.0f}" if np.isfinite(trials) else "never"


def _box(ax: Any, y: float, three: Any, color: str) -> None:
    ax.plot([three[0], three[2]], [y, y], color=color, lw=3.2, solid_capstyle="butt", alpha=0.45)
    ax.plot([three[1]], [y], "|", color=color, ms=9, mew=1.6)


def _error(data: xr.Dataset, ax: Any, dim: str, color: str) -> None:
    """Blocks of trials: seeds, their median and quartiles."""
    x, values = data["trial"].values, data["error"].transpose(dim, "trial").values
    ax.plot(x, values.T, color=color, lw=0.4, alpha=0.35)
    low, middle, high = np.nanquantile(values, (0.25, 0.5, 0.75), axis=0)
    ax.fill_between(x, low, high, color=color, alpha=0.25, lw=0)
    ax.plot(x, middle, color=color, lw=1.3)
    ax.axhline(1.0, color=style.GREY, lw=0.6, ls=(0, (4, 2)))
    ax.set_ylim(0, 1.05 * max(1.2, float(np.nanmax(values))))
    ax.set_xlim(0, x[-1])
    ax.set_xlabel("Trials")
    ax.set_ylabel("Mean absolute error")
    count = data.sizes[dim]
    plotting.marks.note(ax, f"n = {count} seed{'s' if count > 1 else ''}", corner="upper right")


def _success(data: xr.Dataset, ax: Any) -> None:
    """Running counts over the last trials, and the criterion."""
    success = data["success"].transpose("seed", "update").values.astype(float)
    window = min(WINDOW, success.shape[1])
    total = np.cumsum(np.pad(success, ((0, 0), (1, 0))), axis=1)
    counts = 100 * (total[:, window:] - total[:, :-window]) / window
    x = data["update"].values[window - 1 :]
    ax.plot(x[::5], counts[:, ::5].T, color=style.BLUE, lw=0.4, alpha=0.35)
    ax.plot(x[::5], np.median(counts, axis=0)[::5], color=style.BLUE, lw=1.3)
    ax.axhline(95.0, color=style.GREY, lw=0.6, ls=(0, (4, 2)))
    ax.set_ylim(0, 104)
    ax.set_xlim(0, x[-1])
    ax.set_xlabel("Trials")
    ax.set_ylabel("Of the last 100 (%)")
    plotting.marks.note(ax, "dashed: criterion", corner="lower right")


def _answers(data: xr.Dataset, ax: Any) -> None:
    """Both kinds of trials in a colour each."""
    time = data["time"].values
    end = time[-1]
    for begin, until in STIMULI:
        ax.axvspan(begin * end, until * end, color=style.SHADE, lw=0)
    kinds = labels(data["option"])
    for names, color, words, level in (
        (OTHER, style.GREEN, "nonmatch", 1),
        (MATCH, style.PURPLE, "match", -1),
    ):
        values = data["answer"].isel(option=[kinds.index(name) for name in names])
        lines = values.transpose("time", "seed", "option").values.reshape(time.size, -1)
        ax.plot(time, lines, color=color, lw=0.35, alpha=0.3)
        ax.plot(time, np.median(lines, axis=1), color=color, lw=1.4, label=words)
        ax.plot([JUDGED * end, end], [level * TARGET] * 2, color=style.BLACK, lw=0.8, ls=(0, (2, 1)))
    ax.set_ylim(-1.08, 1.4)
    ax.set_xlim(0, end)
    ax.set_xlabel("Time (ms)")
    ax.set_ylabel("Rate of output unit")
    ax.legend(loc="upper left", ncols=2)


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
