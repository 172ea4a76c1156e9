"""Evidence accumulation by e-prop, in circuits whose units adapt.

    python figures/evidence_accumulation.py [RECORD] [OUTPUT_FOLDER]

After Bellec et al. (2020). (a) A trial of a circuit trained by e-prop with random feedback: mean input of
each group of ten Poisson units in bins of 30 ms, and the answer that its outputs would give. (b) Held-out
fraction correct over updates, every seed; dashed, the criterion. (c) Updates to the criterion: every seed,
medians, and bars for the 95 % bootstrap interval of the median; seeds that never met it stand on top. Shaded,
the published range of random e-prop in spiking circuits. (d) Where the memory is, in circuits trained by
e-prop with random feedback: |correlation| over trials of the adaptation and of the membrane with the
difference of counts, mean over units, medians and quartiles of seeds; dashed, by chance. (e) Choices of right
against the difference of counts, means over seeds.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from throughtime import plotting
from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "evidence_accumulation"
RECORDS = "evidence/evidence_accumulation.nc"

ARMS = {
    "bptt": ("BPTT", style.BLACK),
    "eprop-symmetric": ("e-prop, symmetric", style.BLUE),
    "eprop-random": ("e-prop, random", style.VERMILLION),
    "eprop-adaptive": ("e-prop, adaptive", style.GREEN),
    "readout-only": ("readout alone", style.GREY),
    "eprop-random-no-adaptation": ("e-prop, no adaptation", style.ORANGE),
    "bptt-no-adaptation": ("BPTT, no adaptation", style.PURPLE),
}
"""Name and colour of an arm."""
SHOWN = "eprop-random"
CRITERION, PUBLISHED = 0.93, (200, 500)
DASHED = (0, (2.5, 1.2))
EPOCHS = {"cues": (0, 1050), "delay": (1050, 2100), "recall": (2100, 2250)}


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    trained = tree["trained"].to_dataset()
    with style.context():
        page = style.figure(style.PAGE_MM, 122.0)
        above, below = page.subfigures(2, 1, hspace=0.03)
        parts = [*above.subfigures(1, 2, wspace=0.03, width_ratios=(1.0, 1.0))]
        parts.extend(below.subfigures(1, 3, wspace=0.03, width_ratios=(1.35, 1.0, 1.0)))
        _trial(trained, parts[0].subplots(2, 1, sharex=True))
        _scores(trained, parts[1].subplots())
        _updates(trained, parts[2].subplots())
        _memory(trained, parts[3].subplots())
        _choices(trained, parts[4].subplots())
        titles = ("A trial", "Learning", "Updates to the criterion", "Memory", "Choices")
        for part, letter, title in zip(parts, "abcde", titles, strict=True):
            style.heading(part, letter, title)
    return page


def of_arm(dataset: xr.Dataset, arm: str) -> xr.Dataset:
    """The arm's part."""
    return dataset.isel(option=labels(dataset["option"]).index(arm))


def known(dataset: xr.Dataset) -> list[str]:
    """Arms of the record, in the order of the table."""
    found = labels(dataset["option"])
    return [arm for arm in ARMS if arm in found]


def _epochs(ax: Any, named: bool) -> None:
    """The delay shaded, and names above."""
    ax.axvspan(*EPOCHS["delay"], color=style.SHADE, lw=0, zorder=-5)
    for name, (begin, end) in EPOCHS.items() if named else ():
        ax.text(
            (begin + end) / 2, 1.01, name, transform=ax.get_xaxis_transform(), ha="center", va="bottom",
            fontsize=6, color=style.GREY,
        )  # fmt: skip


def _trial(trained: xr.Dataset, axes: Any) -> None:
    """Inputs of one trial, and the answer over time."""
    one = of_arm(trained, SHOWN)
    above, below = axes
    colors = dict(zip(("left", "right", "recall", "noise"), style.CATEGORICAL, strict=False))
    for place, name in enumerate(labels(one["input"])):
        values = one["shown_inputs"].isel(input=place)
        above.fill_between(
            one["time"], -place, values / float(one["shown_inputs"].max()) - place, step="post",
            color=colors[name], lw=0,
        )  # fmt: skip
    above.set_yticks([0.2 - place for place in range(4)], labels(one["input"]))
    above.tick_params(axis="y", length=0)
    above.set_ylim(-3.1, 1.05)
    above.set_ylabel("Input")
    below.plot(one["time"], one["answer"], color=style.INK)
    below.axhline(0.5, color=style.FAINT, lw=0.7, zorder=0)
    below.set_ylim(-0.03, 1.03)
    below.set_ylabel("P(right)")
    below.set_xlabel("Time (ms)")
    below.set_xlim(0, 2250)
    for ax in axes:
        _epochs(ax, ax is above)


def _scores(trained: xr.Dataset, ax: Any) -> None:
    """Every seed, as far as it was trained."""
    for arm in known(trained):
        one = of_arm(trained, arm)
        name, color = ARMS[arm]
        for place in range(one.sizes["seed"]):
            ax.plot(
                one["update"], one["score"].isel(seed=place), color=color, lw=0.8, alpha=0.85,
                label=name if place == 0 else None,
            )  # fmt: skip
    ax.axhline(CRITERION, color=style.GREY, ls=DASHED, lw=0.7)
    ax.set_xlim(0, float(trained["update"][-1]))
    ax.set_ylim(0.4, 1.02)
    ax.set_xlabel("Updates")
    ax.set_ylabel("Fraction correct")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _updates(trained: xr.Dataset, ax: Any) -> None:
    """A row an arm: seeds, the median and its interval; never stands right of the budget."""
    arms, budget = known(trained), float(trained["update"][-1])
    never = 620.0 if budget < 520 else 1.2 * budget
    for row, arm in enumerate(arms):
        one, (_, color) = of_arm(trained, arm), ARMS[arm]
        met = one["criterion_update"].values.astype(float)
        x = np.where(met < 0, never, met)
        ax.plot(x, row + 0.16 * np.linspace(-1, 1, len(x)), "o", ms=3, mew=0, alpha=0.75, color=color)
        three = [float(one[f"median_update{end}"]) for end in ("_lower", "", "_upper")]
        if np.isfinite(three[1]):
            low, middle, high = np.where(np.isfinite(three), three, never)
            ax.plot([low, high], [row + 0.33] * 2, color=color, lw=1.2)
            ax.plot(middle, row + 0.33, "|", ms=7, mew=1.4, color=color)
        diverged = int((one["diverged_update"] >= 0).sum())
        if diverged:
            ax.text(never, row - 0.3, f"{diverged} diverged", fontsize=6, ha="right", color=style.GREY)
    row = arms.index(SHOWN)
    ax.fill_between(PUBLISHED, row - 0.45, row + 0.45, color=style.FAINT, alpha=0.5, lw=0, zorder=0)
    ax.text(
        np.mean(PUBLISHED), row, "published,\nspiking", fontsize=6, ha="center", va="center", color=style.INK
    )
    ax.set_yticks(range(len(arms)), [ARMS[arm][0] for arm in arms])
    ax.set_ylim(len(arms) - 0.4, -0.6)
    ax.set_xlim(0, 1.07 * never)
    ax.set_xticks([0, 200, 400, never], ["0", "200", "400", "never"])
    ax.set_xlabel("Updates")


def _memory(trained: xr.Dataset, ax: Any) -> None:
    """Correlations with the evidence of the two variables of adapting units."""
    one = of_arm(trained, SHOWN)
    for name, color, words in (
        ("adaptation", style.VERMILLION, "adaptation"),
        ("current", style.BLUE, "membrane"),
    ):
        values = one["memory"].isel(state=labels(one["state"]).index(name))
        low, middle, high = values.quantile((0.25, 0.5, 0.75), "seed").values
        ax.plot(one["time"], middle, color=color, label=words)
        ax.fill_between(one["time"], low, high, color=color, alpha=0.18, lw=0)
    if "num_trials" in trained:
        chance = np.sqrt(2 / np.pi / float(trained["num_trials"]))
        ax.axhline(chance, color=style.GREY, ls=DASHED, lw=0.7, zorder=0)
    ax.set_xlim(0, 2250)
    ax.set_ylim(0, 1)
    ax.set_xlabel("Time (ms)")
    ax.set_ylabel("|correlation| with evidence")
    _epochs(ax, True)
    ax.legend(loc="center right", bbox_to_anchor=(0.98, 0.42))


def _choices(trained: xr.Dataset, ax: Any) -> None:
    """Fraction of choices of right."""
    for arm in known(trained):
        one, (_, color) = of_arm(trained, arm), ARMS[arm]
        ax.plot(one["condition"], one["chose_right"].mean("seed"), "o-", ms=2.5, color=color)
    ax.axhline(0.5, color=style.FAINT, lw=0.7, zorder=0)
    ax.set_xticks([-7, -3, 0, 3, 7])
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("Cues right − left")
    ax.set_ylabel("Fraction right")
    plotting.marks.note(ax, "colours as in c", corner="lower right")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
