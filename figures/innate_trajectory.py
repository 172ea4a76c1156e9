"""A chaotic circuit that learned to repeat its own trajectory, and times with it.

    python figures/innate_trajectory.py [RECORD] [OUTPUT_FOLDER]

(a, b) Rates of three plastic units of one circuit in trials with noise and a perturbation (arrow), before and
after training, over the innate trajectory (grey), the circuit's own without noise before training. The input
pulse is shaded. (c) Correlation of all units with the innate trajectory in perturbed trials, from the end of
the pulse on: every circuit before and after training. (d) The same after some of the trials of training.
(e) Output of the trained circuit of (a), without and with the perturbation, over the target. (f) Squared
correlation of output and target against the delay, mean over test trials of every circuit without the
perturbation; published, ten circuits of 800 units at every delay are perfect below 4 s (shaded) and get
worse beyond.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "innate_trajectory"
RECORDS = "evidence/innate_trajectory.nc"
COLORS, MARKERS = (style.BLUE, style.ORANGE, style.GREEN), "os^"
PERFECT = 4.0
"""Delay in s below which published circuits are all perfect."""
WAIT, PULSE, PERTURBED = 200.0, 50.0, 500.0
APART = 2.3
"""Distance of two units' rates in a panel."""


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    shown, circuits = tree["demonstration"].to_dataset(), tree["circuits"].to_dataset()
    with style.context():
        page = style.figure(style.PAGE_MM, 112.0)
        above, below = page.subfigures(2, 1, hspace=0.04)
        parts = [*above.subfigures(1, 3, width_ratios=(1.2, 1.2, 0.8), wspace=0.03)]
        parts += [*below.subfigures(1, 3, wspace=0.03)]
        _rates(shown, "untrained", style.VERMILLION, parts[0].subplots())
        _rates(shown, "trained", style.BLUE, parts[1].subplots())
        _before_and_after(circuits, parts[2].subplots())
        _way(circuits, parts[3].subplots())
        _output(shown, parts[4].subplots())
        _capacity(circuits, parts[5].subplots())
        titles = (
            "Perturbed, before training", "Perturbed, after training", "Return to trajectory",
            "Course of training", "Timed output", "Capacity",
        )  # fmt: skip
        for part, letter, title in zip(parts, "abcdef", titles, strict=True):
            style.heading(part, letter, title)
    return page


def sizes(circuits: xr.Dataset) -> list[tuple[int, str, str]]:
    """Every number of units, the largest first, with its colour and marker."""
    found = sorted(set(circuits["num_units"].values.tolist()), reverse=True)
    return [(int(size), COLORS[k % 3], MARKERS[k % 3]) for k, size in enumerate(found)]


def _rates(shown: xr.Dataset, when: str, color: str, ax: Any) -> None:
    """Units below each other."""
    blocks, time = labels(shown["block"]), shown["time"].values / 1000
    innate, here = (shown["rate"].isel(block=blocks.index(name)).values for name in ("innate", when))
    for unit, (one, other) in enumerate(zip(innate, here, strict=True)):
        ax.plot(time, one - APART * unit, color=style.FAINT, lw=2.0)
        ax.plot(time, other - APART * unit, color=color, lw=0.8)
    ax.axvspan(WAIT / 1000, (WAIT + PULSE) / 1000, color=style.SHADE, lw=0, zorder=-5)
    at = (WAIT + PERTURBED) / 1000
    top = 1.25
    ax.annotate(
        "", (at, top), (at, top + 0.75), arrowprops={"arrowstyle": "-|>", "lw": 0.7, "color": style.BLACK}
    )
    ax.set_ylim(-APART * (len(innate) - 1) - 1.2, top + 0.8)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, time[-1])
    ax.set_xlabel("Time (s)")
    ax.set_ylabel("Rates of three units")


def _before_and_after(circuits: xr.Dataset, ax: Any) -> None:
    """A line a circuit."""
    for depth, (size, color, marker) in enumerate(sizes(circuits)):
        own = circuits.isel(draw=np.flatnonzero(circuits["num_units"].values == size), option=1)
        ends = [own[f"correlation_{when}"].mean("trial").values for when in ("untrained", "trained")]
        ax.plot([0, 1], ends, color=color, lw=0.6, alpha=0.8, zorder=3 - 0.1 * depth)
        ax.plot([0, 1], ends, marker, color=color, ms=3, mec="white", mew=0.3, zorder=3 - 0.1 * depth)
        ax.plot([], [], marker, color=color, ms=3, label=f"{size} units")
    ax.set_xticks([0, 1], ["before", "after"])
    ax.set_xlim(-0.3, 1.3)
    _unit_axis(ax, "Correlation with innate")
    ax.legend(loc="center right")


def _way(circuits: xr.Dataset, ax: Any) -> None:
    """Perturbed test trials at every checkpoint."""
    for depth, (size, color, marker) in enumerate(sizes(circuits)):
        own = circuits.isel(draw=np.flatnonzero(circuits["num_units"].values == size), option=1)
        values = own["correlation"].transpose("update", "draw").values
        ax.plot(
            circuits["update"].values,
            values,
            color=color,
            lw=0.6,
            marker=marker,
            ms=2.5,
            alpha=0.8,
            zorder=3 - 0.1 * depth,
        )
        ax.plot([], [], color=color, marker=marker, ms=2.5, label=f"{size} units")
    ax.set_xlabel("Trials of recurrent training")
    _unit_axis(ax, "Correlation, perturbed")
    ax.legend(loc="lower right")


def _unit_axis(ax: Any, label: str) -> None:
    low = min(0.0, ax.get_ylim()[0])
    ax.set_ylim(low, 1.05)
    ax.set_ylabel(label)


def _output(shown: xr.Dataset, ax: Any) -> None:
    """Both kinds of test trials over the target."""
    time = shown["time"].values / 1000
    after = time > (WAIT + PULSE) / 1000
    for option, (words, color) in enumerate((("unperturbed", style.BLUE), ("perturbed", style.VERMILLION))):
        lines = shown["answer"].isel(option=option).transpose("time", "trial").values
        ax.plot(time[after], lines[after], color=color, lw=0.7, alpha=0.7)
        ax.plot([], [], color=color, lw=1.0, label=words)
    ax.plot(time, shown["wanted"].values, color=style.BLACK, lw=0.8, ls=(0, (2, 1)), label="target")
    ax.axvspan(WAIT / 1000, (WAIT + PULSE) / 1000, color=style.SHADE, lw=0, zorder=-5)
    ax.set_xlim(0, time[-1])
    ax.set_xlabel("Time (s)")
    ax.set_ylabel("Output")
    ax.legend(loc="upper left")


def _capacity(circuits: xr.Dataset, ax: Any) -> None:
    """Circuits beside each other at their delay."""
    delays = circuits["delay"].values / 1000
    ax.axvspan(0, PERFECT, color=style.SHADE, lw=0, zorder=-5)
    for k, (size, color, marker) in enumerate(sizes(circuits)):
        own = np.flatnonzero(circuits["num_units"].values == size)
        r2 = circuits["r2"].isel(draw=own, option=0).mean("trial").values
        shift = 0.25 * (k - 0.5)
        ax.plot(
            delays[own] + shift,
            r2,
            marker,
            color=color,
            ms=3.5,
            mec="white",
            mew=0.3,
            zorder=3 - 0.1 * k,
            label=f"{size} units",
        )
        each = sorted(set(delays[own].tolist()))
        ax.plot(
            [one + shift for one in each],
            [r2[delays[own] == one].mean() for one in each],
            color=color,
            lw=0.8,
        )
    ax.set_xlim(0, 1.3 * max(PERFECT, float(delays.max())))
    ax.set_xlabel("Delay (s)")
    _unit_axis(ax, "R² of output and target")
    ax.legend(loc="lower left")
    ax.set_ylim(ax.get_ylim()[0], 1.2)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.text(0.15, 1.11, "published, 800 units:\nperfect", va="center", fontsize=6, color=style.GREY)


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
