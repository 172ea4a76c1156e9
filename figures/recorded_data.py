"""Simulated recordings of a decision circuit, and trained circuits beside them.

    python figures/recorded_data.py [RECORD] [OUTPUT_FOLDER]

(a) The unit of a recording that weighs most on its axis of choice: rate averaged over trials of one signed
coherence and choice; stronger evidence is darker, broken lines are errors. Shaded: stimulus. (b) Choices of
the recorded circuit and of circuits trained on the same coherences, with fitted curves; thin lines are
recordings and seeds. (c) Participation ratio of trials at one time, corrected for their number; every
recording, and their mean. (d) Decoding of the choice at one time by a decoder made at another, mean of the
recordings; the contour is what 95 % of shuffled choices exceed nowhere. (e) A recording on its axis of
choice, averages as in (a). (f) The same of a trained circuit. (g) Held-out share of the variance of the
recorded averages, over the noise ceiling, that is predicted by the circuits, by the same circuits before
training, by the inputs, by time alone and by the units of another recording: every recording (and circuit)
with its 95 % interval over conditions, and the mean.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from throughtime import plotting
from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "recorded_data"
RECORDS = "evidence/recorded_data.nc"
STIMULUS = (0.0, 800.0)
DASHED = (0, (2.2, 1.2))
NAMES = {
    "time": "time\nalone", "inputs": "inputs", "untrained": "untrained\ncircuit",
    "circuit": "trained\ncircuit", "another_recording": "other\nrecording",
}  # fmt: skip
"""Predictors in the order in which they are drawn."""
COLORS = {
    "time": style.GREY, "inputs": style.ORANGE, "untrained": style.SKY, "circuit": style.BLUE,
    "another_recording": style.BLACK,
}  # fmt: skip
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
SIDES = {-1: ("#F2B98F", "#7A3400"), 1: ("#A9CBE6", "#003E66")}
"""Colours of choices, of the weakest and of the strongest evidence."""


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    coding, circuits = tree["coding"].to_dataset(), tree["circuits"].to_dataset()
    with style.context():
        page = style.figure(style.PAGE_MM, 112.0)
        above, below = page.subfigures(2, 1, hspace=0.04)
        parts = [*above.subfigures(1, 4, wspace=0.03, width_ratios=(1.0, 1.0, 0.9, 1.1))]
        parts.extend(below.subfigures(1, 3, wspace=0.03, width_ratios=(1.0, 1.0, 1.6)))
        _conditions(coding["example_rate"].isel(draw=0), parts[0].subplots(), "Rate (Hz)", key=True)
        _choices(tree["behaviour"].to_dataset(), tree["circuit_behaviour"].to_dataset(), parts[1].subplots())
        _dimension(coding["participation_ratio"], parts[2].subplots())
        _decoding(coding, parts[3].subplots())
        for part, data in ((parts[4], coding.isel(draw=0)), (parts[5], circuits.isel(seed=0))):
            _conditions(data["score"].isel(parameter=0), part.subplots(), "On the axis of choice")
        _comparison(tree["comparison"].to_dataset(), parts[6].subplots())
        titles = (
            "A recorded unit", "Choices", "Dimensions", "Decoding of the choice", "Recordings",
            "A trained circuit", "What predicts the recordings",
        )  # fmt: skip
        for part, letter, title in zip(parts, "abcdefg", titles, strict=True):
            style.heading(part, letter, title)
    return page


def _ink(choice: int, strength: float, strengths: np.ndarray) -> Any:
    """Colour of a condition: of its choice, darker the stronger the evidence."""
    from matplotlib.colors import LinearSegmentedColormap

    place = np.searchsorted(strengths, strength) / max(len(strengths) - 1, 1)
    return LinearSegmentedColormap.from_list("side", SIDES[choice])(float(place))


def _stimulus(ax: Any) -> None:
    ax.axvspan(*STIMULUS, color=style.SHADE, lw=0, zorder=-5)


def _conditions(values: xr.DataArray, ax: Any, title: str, *, key: bool = False) -> None:
    """One line a condition; errors are broken."""
    _stimulus(ax)
    strengths = np.unique(np.abs(values["coherence"].values))
    for code in range(values.sizes["condition"]):
        line = values.isel(condition=code)
        choice, coherence = int(line["chosen"]), float(line["coherence"])
        right = choice == np.sign(coherence)
        ax.plot(
            line["time"], line.transpose("time"), color=_ink(choice, abs(coherence), strengths),
            ls="-" if right else DASHED, lw=1.0 if right else 0.8,
        )  # fmt: skip
    ax.set_xlim(float(values["time"][0]), float(values["time"][-1]))
    ax.set_xlabel("Time from stimulus (ms)")
    ax.set_ylabel(title)
    ax.margins(y=0.04)
    if key:
        lines = [
            Line2D([], [], color=SIDES[1][1]), Line2D([], [], color=SIDES[-1][1]),
            Line2D([], [], color=style.GREY, ls=DASHED),
        ]  # fmt: skip
        ax.legend(lines, ["chose right", "chose left", "errors"], loc="upper left", handlelength=1.6)
        ax.set_ylim(top=1.45 * ax.get_ylim()[1])


def _choices(recorded: xr.Dataset, trained: xr.Dataset, ax: Any) -> None:
    """Both curves."""
    for data, color, words in (
        (recorded.rename(draw="seed"), style.BLACK, "recordings"), (trained, style.BLUE, "circuits"),
    ):  # fmt: skip
        plotting.psychometric(data, ax, color=color)
        for text in list(ax.texts):
            text.remove()
        ax.plot([], [], "o-", color=color, label=f"{data.sizes['seed']} {words}")
    ax.legend(loc="upper left", handlelength=1.2)
    ax.set_ylim(top=1.35)
    ax.set_yticks(np.linspace(0.0, 1.0, 6))
    ax.set_xlabel("Signed coherence")
    ax.set_ylabel("Chose right")


def _dimension(values: xr.DataArray, ax: Any) -> None:
    """Every recording, and their mean."""
    _stimulus(ax)
    time = values["time"].values
    ax.plot(time, values.transpose("time", "draw"), color=style.FAINT, lw=0.6)
    ax.plot(time, values.mean("draw"), color=style.BLACK, lw=1.2)
    ax.set_yscale("log")
    low, high = float(values.min()), float(values.max())
    plotting.marks.plain_log(ax.yaxis, 0.8 * low, 1.2 * high)
    ax.set_xlim(time[0], time[-1])
    ax.set_xlabel("Time from stimulus (ms)")
    ax.set_ylabel("Participation ratio")
    plotting.marks.note(ax, f"n = {values.sizes['draw']} recordings", corner="upper right")


def _decoding(coding: xr.Dataset, ax: Any) -> None:
    """Means of the recordings; outlined is what shuffled choices do not reach."""
    accuracy = coding["accuracy"].mean("draw").transpose("time_train", "time_test")
    time = accuracy["time_test"].values
    image = ax.pcolormesh(time, time, accuracy, cmap=style.RATE, vmin=0.5, vmax=1.0, rasterized=True)
    bound = float(coding["null_maximum"].mean())
    if float(accuracy.min()) < bound < float(accuracy.max()):
        ax.contour(time, time, accuracy, levels=[bound], colors="white", linewidths=0.8)
    for edge in STIMULUS:
        ax.axvline(edge, color="white", lw=0.5, ls=DASHED)
        ax.axhline(edge, color="white", lw=0.5, ls=DASHED)
    bar = ax.figure.colorbar(image, ax=ax, ticks=[0.5, 0.75, 1.0], pad=0.03, aspect=14, shrink=0.9)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=1.5)
    bar.set_label("Accuracy", labelpad=1)
    ax.set_xticks([0, 500, 1000])
    ax.set_yticks([0, 500, 1000])
    ax.set_xlabel("Tested at (ms)")
    ax.set_ylabel("Trained at (ms)")


def _comparison(data: xr.Dataset, ax: Any) -> None:
    """Predictors from left to right; recordings, and circuits where they differ, beside each other."""
    found = labels(data["predictor"])
    lowest = 0.0
    for place, name in enumerate(NAMES):
        one = data.isel(epoch=0, predictor=found.index(name)).transpose("draw", "seed", ...)
        score, low, high = (
            one[f"population_{each}"].values for each in ("normalized_score", "lower", "upper")
        )
        if name in ("time", "another_recording"):  # the same beside every circuit
            score, low, high = score[:, :1], low[:, :1], high[:, :1]
        x = place + np.linspace(-0.3, 0.3, score.size)
        ax.vlines(x, low.ravel(), high.ravel(), color=COLORS[name], lw=0.6, alpha=0.5)
        ax.plot(x, score.ravel(), "o", ms=2.4, mew=0, color=COLORS[name])
        mean = float(np.nanmean(score))
        ax.plot([place - 0.36, place + 0.36], [mean, mean], color=COLORS[name], lw=1.4)
        top = max(float(np.nanmax(high)), mean)
        ax.annotate(
            f"{mean:.2f}".replace("-", "\N{MINUS SIGN}"), (place, top), xytext=(0, 2), ha="center",
            textcoords="offset points", fontsize=6.5, color=style.INK, bbox=BEHIND,
        )  # fmt: skip
        lowest = min(lowest, float(np.nanmin(low)))
    for height in (0.0, 1.0):
        ax.axhline(height, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=0)
    ax.set_xticks(range(len(NAMES)), list(NAMES.values()))
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.55, len(NAMES) - 0.45)
    ax.set_ylim(max(lowest, -1.0) - 0.05, 1.22)
    ax.set_ylabel("Score / noise ceiling")
    plotting.marks.note(
        ax, f"n = {data.sizes['draw']} recordings × {data.sizes['seed']} circuits", corner="lower right"
    )


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
