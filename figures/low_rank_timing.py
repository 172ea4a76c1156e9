"""Intervals beyond the trained ones: circuits of low and of full rank, with a tonic and with a transient cue.

    python figures/low_rank_timing.py [RECORD] [OUTPUT_FOLDER]

After Beiran et al. (2023). (a) Mean outputs of the first circuit of full rank and of rank two, both with
a tonic cue: intervals of training in black, longer and shorter ones in colour; dashed, the level that ends an
interval. (b, c) Produced against asked intervals with a cue that stays on (b) or is over before Set (c):
every circuit, as far as half of its trials or more have a response; medians over circuits as thick lines, as
far as half of the circuits get; shaded, the trained range; dashed, what was asked for. (d) The same as (b)
as speeds, one over produced intervals. (e) Slope of produced on asked intervals in the trained range (in), in
the half of the range above that lies next to it (near) and in the whole of it (above): every circuit, and
means with 95 % t intervals over those that have a slope; dashed, 1. (f) Share of trials above the trained
range within 15 % of what was asked for: every circuit, and medians.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "low_rank_timing"
RECORDS = "evidence/low_rank_timing.nc"
GROUP = "criterion"
TRAINED = (800.0, 1550.0)
THRESHOLD = 0.45
KINDS = {
    "full": ("full rank", style.BLACK, "s"),
    "rank-2": ("rank 2", style.VERMILLION, "o"),
    "rank-3": ("rank 3", style.BLUE, "^"),
}
"""Words, colour and marker of a kind of circuit."""
BLOCKS = {"inside": "in", "near": "near", "above": "above"}
DASHED = (0, (2.5, 1.2))
ANSWERED = 0.5
TOP = 4000.0
"""Where the axis of produced intervals ends, ms."""


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    data = tree[GROUP].to_dataset()
    with style.context():
        page = style.figure(style.PAGE_MM, 118.0)
        above, below = page.subfigures(2, 1, hspace=0.04)
        parts = [*above.subfigures(1, 3, width_ratios=(1.15, 1.0, 1.0), wspace=0.03)]
        parts.extend(below.subfigures(1, 3, width_ratios=(1.0, 1.5, 0.9), wspace=0.03))
        _outputs(data, parts[0].subplots(2, 1, sharex=True))
        for part, cue in zip(parts[1:3], ("tonic", "transient"), strict=True):
            _produced(data, cue, part.subplots())
        _speed(data, parts[3].subplots())
        _slopes(data, parts[4].subplots(1, 2, sharey=True))
        _correct(data, parts[5].subplots())
        titles = (
            "Outputs, tonic cue", "Cue stays on", "Cue is over before Set", "Speed, cue stays on",
            "Slope of produced intervals", "Correct above",
        )  # fmt: skip
        for part, letter, title in zip(parts, "abcdef", titles, strict=True):
            style.heading(part, letter, title)
    return page


def of(data: xr.Dataset, circuit: str, cue: str) -> xr.Dataset:
    """One kind of circuit with one kind of cue."""
    return data.isel(circuit=labels(data["circuit"]).index(circuit), option=labels(data["option"]).index(cue))


def _outputs(data: xr.Dataset, axes: Any) -> None:
    """Outputs of the first circuit of two kinds."""
    asked, time = data["trial"].values, data["time"].values
    seen = (time > -300) & (time < 3500)
    colors = style.ordered_colors(asked)
    for ax, name in zip(axes, ("full", "rank-2"), strict=True):
        answers = of(data, name, "tonic")["answer"].transpose("trial", "time").values
        for interval, answer, color in zip(asked, answers, colors, strict=True):
            trained = TRAINED[0] <= interval <= TRAINED[1]
            shown = style.BLACK if trained else color
            ax.plot(time[seen] / 1000, answer[seen], color=shown, lw=0.8 if trained else 1.3)
        ax.axhline(THRESHOLD, color=style.GREY, lw=0.6, ls=DASHED)
        ax.text(
            0.02, 0.97, KINDS[name][0], transform=ax.transAxes, ha="left", va="top", fontsize=6.5,
            color=KINDS[name][1],
        )  # fmt: skip
        ax.set_ylim(-0.95, 1.0)
        ax.set_ylabel("Output")
    outside = [k for k, interval in enumerate(asked) if not TRAINED[0] <= interval <= TRAINED[1]]
    handles = [axes[0].plot([], [], color=colors[k], lw=1.3, label=f"{asked[k]:.0f} ms")[0] for k in outside]
    handles.append(axes[0].plot([], [], color=style.BLACK, lw=0.8, label="trained")[0])
    axes[1].legend(handles=handles, loc="lower right", fontsize=6, labelspacing=0.2)
    axes[1].set_xlabel("Time since Set (s)")


def _produced(data: xr.Dataset, cue: str, ax: Any) -> None:
    """Every circuit, and medians."""
    asked = data["condition"].values
    ax.axvspan(*TRAINED, color=style.SHADE, lw=0, zorder=-5)
    ax.plot(asked, asked, color=style.GREY, lw=0.8, ls=DASHED, zorder=4)
    for name, (words, color, _) in KINDS.items():
        one = of(data, name, cue)
        produced = one["produced"].transpose("seed", "condition").values
        answered = one["share"].transpose("seed", "condition").values >= ANSWERED
        shown = np.where(answered, produced, np.nan)
        ax.plot(asked, shown.T, color=color, lw=0.5, alpha=0.35)
        ax.plot(asked, middle(shown), color=color, lw=1.6, zorder=5)
        ax.plot([], [], color=color, lw=1.6, marker=KINDS[name][2], ms=4, label=words)
    ax.set_xlim(asked[0], asked[-1])
    ax.set_ylim(0, TOP)
    ax.set_xticks([500, 1000, 1500, 2000])
    ax.set_xlabel("Asked interval (ms)")
    ax.set_ylabel("Produced interval (ms)")
    if cue == "tonic":
        ax.legend(loc="upper left")


def _speed(data: xr.Dataset, ax: Any) -> None:
    """One over produced intervals with a tonic cue."""
    asked = data["condition"].values
    ax.axvspan(*TRAINED, color=style.SHADE, lw=0, zorder=-5)
    ax.plot(asked, 1000 / asked, color=style.GREY, lw=0.8, ls=DASHED, zorder=4)
    for name, (_, color, _) in KINDS.items():
        one = of(data, name, "tonic")
        produced = one["produced"].transpose("seed", "condition").values
        answered = one["share"].transpose("seed", "condition").values >= ANSWERED
        shown = np.where(answered, produced, np.nan)
        ax.plot(asked, 1000 / shown.T, color=color, lw=0.5, alpha=0.35)
        ax.plot(asked, 1000 / middle(shown), color=color, lw=1.6, zorder=5)
    ax.set_xlim(asked[0], asked[-1])
    ax.set_ylim(0, 2.1)
    ax.set_xticks([500, 1000, 1500, 2000])
    ax.set_xlabel("Asked interval (ms)")
    ax.set_ylabel("1 / produced interval (1/s)")


def middle(shown: np.ndarray) -> np.ndarray:
    """Median over circuits (seed, condition), those without a response counting as never; NaN where it is."""
    found = np.median(np.where(np.isfinite(shown), shown, np.inf), axis=0)
    return np.where(np.isfinite(found), found, np.nan)


def _beside(ax: Any, place: float, values: np.ndarray, kind: str, bottom: float, top: float) -> None:
    """Values of circuits beside each other; those beyond the axis at its edge."""
    _, color, marker = KINDS[kind]
    known = values[np.isfinite(values)]
    aside = place + 0.07 * np.linspace(-1, 1, len(known))
    ax.plot(
        aside,
        np.clip(known, bottom, top),
        marker,
        color=color,
        ms=2.2,
        mew=0,
        alpha=0.45,
        clip_on=False,
        zorder=3,
    )


def _slopes(data: xr.Dataset, axes: Any) -> None:
    """Slopes of three parts of the range."""
    bottom, top = -0.5, 5.0
    blocks = labels(data["block"])
    for ax, cue in zip(axes, ("tonic", "transient"), strict=True):
        ax.axhline(1, color=style.GREY, lw=0.8, ls=DASHED, zorder=0)
        for k, name in enumerate(KINDS):
            one = of(data, name, cue)
            for place, block in enumerate(BLOCKS):
                part = one.isel(block=blocks.index(block))
                at = place + 0.26 * (k - 1)
                _beside(ax, at, part["slope"].values, name, bottom, top)
                mean, low, high = (float(part[f"mean_slope{end}"]) for end in ("", "_lower", "_upper"))
                if np.isfinite(mean):
                    color, marker = KINDS[name][1:]
                    ax.plot([at, at], np.clip([low, high], bottom, top), color=color, lw=1.0, zorder=4)
                    ax.plot(at, min(mean, top), marker, color=color, ms=4.5, mec="white", mew=0.5, zorder=5)
        ax.set_xticks(range(len(BLOCKS)), list(BLOCKS.values()))
        ax.set_xlim(-0.5, len(BLOCKS) - 0.5)
        ax.set_title(f"{cue} cue", fontsize=6.5, color=style.GREY)
        ax.set_xlabel("Part of the range")
    axes[0].set_ylim(bottom, top)
    axes[0].set_ylabel("Slope")


def _correct(data: xr.Dataset, ax: Any) -> None:
    """Shares of correct trials above the trained range."""
    block = labels(data["block"]).index("above")
    for place, cue in enumerate(("tonic", "transient")):
        for k, name in enumerate(KINDS):
            _, color, marker = KINDS[name]
            values = of(data, name, cue)["correct"].isel(block=block).values
            at = place + 0.26 * (k - 1)
            _beside(ax, at, values, name, 0.0, 1.0)
            ax.plot(at, np.median(values), marker, color=color, ms=4.5, mec="white", mew=0.5, zorder=5)
    ax.set_xticks([0, 1], ["tonic", "transient"])
    ax.set_xlabel("Cue")
    ax.set_xlim(-0.5, 1.5)
    ax.set_ylim(0, 1)
    ax.set_ylabel("Share of trials")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
