"""Working memory: delayed match to sample.

    python figures/working_memory.py [RESULT] [OUTPUT_FOLDER]

(a) One match and one non-match trial of the median seed: inputs, output and target (dashed). (b) Mean
rates of its units around the sample, over one half of the trials; units are sorted by the difference
between the samples during the delay in the other half. (c) Its state space by sample and test.
(d) The sample decoded on held-out trials, by decoders made at the same time and at one time late in the
delay; all seeds and their median. (e) Accuracy against delay. (f) Learning curves of all seeds.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from throughtime import analysis, plotting
from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "working_memory"
RECORDS = "results/demo-delayed-match-to-sample.nc"

SAMPLE_COLORS = (style.BLUE, style.VERMILLION)
STEP_MS = 100.0
LATE = 0.8
"""Time at which the second decoder is made, as a fraction of the median delay."""
CONDITIONS = ("A, match", "A, non-match", "B, match", "B, non-match")


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a results file, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    training = tree["training"].to_dataset()
    evaluation, behaviour = tree["evaluation"].to_dataset(), tree["behaviour"].to_dataset()
    seed = analysis.example_seed(training)
    one, answers = evaluation.isel(seed=seed), behaviour.isel(seed=seed)
    with style.context():
        page = style.figure(style.PAGE_MM, 125.0)
        upper, lower = page.subfigures(2, 1, height_ratios=(1.0, 0.95), hspace=0.04)
        left, right = upper.subfigures(1, 2, width_ratios=(1.3, 1.0), wspace=0.03)
        _trials(one, answers, left)
        _rates(one, right)
        space, memory, delays, learning = lower.subfigures(
            1, 4, width_ratios=(1.42, 1.0, 1.0, 0.85), wspace=0.03
        )
        _state_space(one, space)
        _memory(evaluation, memory)
        axes = delays.subplots()
        measured = analysis.accuracy(evaluation["delay"], behaviour["correct"], num_bins=8)
        plotting.accuracy(measured, axes)
        style.heading(delays, "e", "Accuracy")
        _learning(training, learning)
    return page


def onset(one: xr.Dataset, epoch: str) -> xr.DataArray:
    """Onset of an epoch in each trial, ms."""
    return one["epoch_onset"].isel(epoch=labels(one["epoch"]).index(epoch))


def lasting(one: xr.Dataset, epoch: str) -> float:
    """Median duration of an epoch, ms."""
    which = labels(one["epoch"]).index(epoch)
    return float((one["epoch_offset"] - one["epoch_onset"]).isel(epoch=which).median())


def _trials(one: xr.Dataset, answers: xr.Dataset, part: Any) -> None:
    """The correct match and non-match trials whose delays are nearest the median."""
    far = np.abs(one["delay"] - one["delay"].median()).where(answers["correct"] == 1, np.inf)
    chosen = [int(far.where(one["match"] == match, np.inf).argmin("trial")) for match in (1, 0)]
    reach = max(1.2, 1.05 * float(np.abs(one["outputs"].isel(trial=chosen)).max()))
    for k, (ax, match) in enumerate(zip(part.subplots(1, 2), (1, 0), strict=True)):
        plotting.trial(
            one.isel(trial=chosen[k]),
            ax,
            title="match" if match else "non-match",
            name_channels=k == 0,
            output_range=(-reach, reach),
        )
    style.heading(part, "a", "Example trials")


def _rates(one: xr.Dataset, part: Any) -> None:
    """Means around the sample, up to the test; units sorted on odd trials, shown on even ones."""
    shown = lasting(one, "sample")
    reach = shown + float(one["delay"].median())
    lag = np.arange(-80.0, reach, 20.0)
    begin, until = onset(one, "sample"), onset(one, "test")
    half = one["trial"].values % 2
    means = [
        analysis.align(
            one["rates"],
            begin,
            lag,
            condition=one["sample"].where(half == which, -1),
            num_conditions=2,
            until=until,
        )
        for which in (1, 0)
    ]
    delay = means[0].sel(lag=slice(shown, None)).mean("lag")
    order = np.argsort(-(delay.isel(condition=0) - delay.isel(condition=1)).values, kind="stable")
    limit = float(np.nanmax(np.abs(means[1].values)))
    events = {"sample": 0.0, "delay": shown}
    axes = part.subplots(1, 2, sharey=True)
    for k, ax in enumerate(axes):
        mean = means[1].isel(condition=k)
        mean["lag"].attrs["long_name"] = "time from sample"
        plotting.sorted_rates(
            mean,
            ax,
            order=order,
            limit=limit,
            events=events,
            colorbar=k == 1,
            label="Unit (sorted by A − B)",
        )
        ax.set_title(f"sample {'AB'[k]}", color=SAMPLE_COLORS[k], pad=10)
    axes[1].set_ylabel("")
    style.heading(part, "b", "Rates of all units, held-out trials")


def _state_space(one: xr.Dataset, part: Any) -> None:
    """Sample, test and response of the four conditions; the delay as long as the median delay."""
    group = 2 * one["sample"] + (one["match"] == 0)
    shown, tested = lasting(one, "sample"), lasting(one, "test")
    gap = shown + float(one["delay"].median())
    first, second = np.arange(-60.0, gap, 20.0), np.arange(0.0, 1400.0, 20.0)
    begin, test = onset(one, "sample"), onset(one, "test")
    parts = [
        analysis.align(one["rates"], begin, first, condition=group, num_conditions=4, until=test),
        analysis.align(one["rates"], test, second, condition=group, num_conditions=4),
    ]
    parts[1] = parts[1].assign_coords(lag=parts[1]["lag"] + gap)
    principal = analysis.pca(xr.concat(parts, "lag"), num_components=2)
    ax = part.subplots()
    colors = [SAMPLE_COLORS[k // 2] for k in range(4)]
    marks = {"sample on": 0.0, "sample off": shown, "test on": gap, "response": gap + tested}
    plotting.state_space(
        principal, ax, names=CONDITIONS, colors=colors, styles=["-", (0, (3, 1.2))] * 2, marks=marks
    )
    style.heading(part, "c", "State space")


def _memory(evaluation: xr.Dataset, part: Any) -> None:
    """Decoding from the sample on, in trials whose delay is at least the median."""
    shown, held = lasting(evaluation, "sample"), float(evaluation["delay"].median())
    lag = np.arange(-STEP_MS, shown + held, STEP_MS)
    lags = xr.DataArray(lag, dims="lag", coords={"lag": lag})
    times = onset(evaluation, "sample") + lags
    rates = evaluation["rates"].sel(time=times, method="nearest").drop_vars("time")
    late = int(np.searchsorted(lag, shown + LATE * held))
    found = analysis.decode(
        rates, evaluation["sample"], where=evaluation["delay"] >= held, num_shuffles=0, num_folds=5
    )
    accuracy = found["accuracy"].transpose("seed", "time_train", "time_test").values
    ax = part.subplots()
    same = np.einsum("stt->st", accuracy)
    for values, color, words in (
        (same, style.INK, "same time"), (accuracy[:, late], style.GREEN, f"{lag[late]:.0f} ms"),
    ):  # fmt: skip
        plotting.lines.draw(ax, lag, values, color)
        ax.plot([], [], color=color, label=words)
    ax.axvspan(0.0, shown, color=style.SHADE, lw=0, zorder=-5)
    ax.annotate(
        "sample", (shown / 2, 1.0), xycoords=ax.get_xaxis_transform(), xytext=(0, 1), fontsize=6,
        textcoords="offset points", ha="center", va="bottom", color=style.GREY, annotation_clip=False,
    )  # fmt: skip
    ax.axhline(0.5, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=0)
    ax.annotate(
        "chance", (1.0, 0.5), xycoords=ax.get_yaxis_transform(), xytext=(0, 1), fontsize=6,
        textcoords="offset points", ha="right", va="bottom", color=style.GREY,
    )  # fmt: skip
    ax.set_xlim(lag[0], lag[-1])
    ax.set_ylim(0.0, 1.02)
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.set_xlabel("Time from sample (ms)")
    ax.set_ylabel("Accuracy of decoding the sample")
    ax.legend(loc="lower right", title="decoder of", title_fontsize=6, alignment="left")
    style.heading(part, "d", "Memory")


def _learning(training: xr.Dataset, part: Any) -> None:
    loss, score = part.subplots(2, 1, sharex=True)
    plotting.learning_curve(training, loss)
    plotting.learning_curve(training, score, variable="score", label="Score", state_number=False)
    loss.set_xlabel("")
    style.heading(part, "f", "Learning")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a results file and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
