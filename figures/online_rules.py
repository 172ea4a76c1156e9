"""Online learning rules on Add and Mimic.

    python figures/online_rules.py [RECORD] [OUTPUT_FOLDER]

Rules that differ in their credit alone learn from one endless stream, by plain gradient steps of one size
(Marschall, Cho & Savin 2020). (a–d) Loss over the stream, medians over seeds, coloured by the kind of rule;
dashed, the published floors of Add: the least loss knowing no lag, the first lag or both. (e–h) Loss of the
last tenth, every seed (dots) and the median (bars), floors dashed; seeds that diverged are counted, rtrl was
run once. (i) Loss of the last tenth on Add (α = 1) against the cosine of the rule's gradient of the recurrent
weights with the exact one, mean over checkpoints and seeds of a trajectory led by tbptt in blocks.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from throughtime import plotting
from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "online_rules"
RECORDS = "evidence/online_rules.nc"

EXACT, UNBIASED, LOCAL, LEARNED, FLOOR = (
    "exact, or within 10 steps",
    "unbiased, noisy",
    "local",
    "learned predictor",
    "readout alone",
)
COLORS = {
    EXACT: style.BLACK, UNBIASED: style.BLUE, LOCAL: style.VERMILLION, LEARNED: style.GREEN,
    FLOOR: style.GREY,
}  # fmt: skip
# rule -> name, kind; in the order of the rows
RULES = {
    "rtrl": ("rtrl", EXACT),
    "tbptt-sliding": ("tbptt, sliding", EXACT),
    "tbptt-blocks": ("tbptt, blocks", EXACT),
    "kf-rtrl": ("kf-rtrl", UNBIASED),
    "r-kf-rtrl": ("r-kf-rtrl", UNBIASED),
    "uoro": ("uoro", UNBIASED),
    "dni": ("dni", LEARNED),
    "kernl": ("kernl", LEARNED),
    "snap-1": ("snap-1", LOCAL),
    "rflo": ("rflo, W$_{out}$ᵀ", LOCAL),
    "rflo-random": ("rflo, random B", LOCAL),
    "readout-only": ("readout only", FLOOR),
}
FLOORS = {"neither": "no lag .6616", "first_lag": "first .5192", "both": "both .4544"}
"""As published."""
TICKS = (0.02, 0.03, 0.05, 0.1, 0.2, 0.3)
"""Of small axes of squared errors."""
DASHES = {"tbptt-blocks": (0, (2.5, 1.2)), "uoro": (0, (2.5, 1.2)), "kernl": (0, (2.5, 1.2)),
          "snap-1": (0, (2.5, 1.2))}  # fmt: skip
STREAMS = ("add-1", "add-0.5", "mimic-1", "mimic-0.5")


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    trained, aligned = tree["trained"].to_dataset(), tree["alignment"].to_dataset()
    shown = [name for name in STREAMS if name in labels(trained["task"])]
    number = len(shown)
    with style.context():
        page = style.figure(style.PAGE_MM, 118.0)
        page.get_layout_engine().set(rect=(0.0, 0.0, 1.0, 0.955))
        page.legend(
            [Line2D([], [], color=color, lw=1.6) for color in COLORS.values()], list(COLORS), ncols=5,
            loc="upper center", bbox_to_anchor=(0.5, 1.0), columnspacing=2.0,
        )  # fmt: skip
        upper, lower = page.subfigures(2, 1, height_ratios=(1.0, 1.0), hspace=0.03)
        above = np.atleast_1d(upper.subfigures(1, number, wspace=0.02))
        ratios = (1.55, *(1.0,) * (number - 1), 1.45)
        below = lower.subfigures(1, number + 1, width_ratios=ratios, wspace=0.02)
        for place, name in enumerate(shown):
            one = trained.isel(task=labels(trained["task"]).index(name))
            _curves(one, name, above[place].subplots(), first=place == 0)
            _final(one, name, below[place].subplots(), named=place == 0)
        _scatter(trained.isel(task=labels(trained["task"]).index("add-1")), aligned, below[-1].subplots())
        for part, letter in zip((*above, *below), "abcdefghi", strict=False):
            style.heading(part, letter)
    return page


def title(name: str) -> str:
    """Name of a stream as it is written."""
    task, _, alpha = name.partition("-")
    return f"{task.capitalize()}, α = {alpha}"


def log_scale(name: str) -> bool:
    """Whether its losses are drawn on a log axis."""
    return name.startswith("mimic")


def _curves(one: xr.Dataset, name: str, ax: Axes, *, first: bool) -> None:
    steps = one["update"].values * int(one["num_steps"])
    for option, rule in enumerate(labels(one["option"])):
        own = one.isel(option=option)
        number = int(own["num_seeds"])
        if number:
            loss = own["loss"].isel(seed=slice(number)).median("seed", skipna=False).values
            color = COLORS[RULES[rule][1]]
            ax.plot(steps, loss, color=color, lw=0.9, ls=DASHES.get(rule, "-"))
    ax.set_xscale("log")
    ax.set_xlim(steps[0], steps[np.isfinite(one["loss"]).any(("option", "seed")).values].max())
    if log_scale(name):
        ax.set_yscale("log")
        plotting.marks.plain_log(ax.yaxis, *ax.get_ylim())
    else:
        ax.set_ylim(0.44, 0.72)
        for known, floor in zip(labels(one["condition"]), one["floor"].values, strict=True):
            ax.axhline(floor, color=style.INK, lw=0.6, ls=(0, (4, 2)), zorder=0)
            free = {"neither": (0.98, 2, "right", "bottom"), "first_lag": (0.02, -2, "left", "top")}
            x, shift, side, edge = free.get(known, (0.02, 2, "left", "bottom"))
            ax.annotate(
                FLOORS[known], (x, floor), xycoords=ax.get_yaxis_transform(), xytext=(0, shift), fontsize=6,
                textcoords="offset points", color=style.INK, ha=side, va=edge,
            )  # fmt: skip
    ax.set_xlabel("Steps of the stream")
    if first or log_scale(name):
        unit = "squared error" if log_scale(name) else "cross-entropy, nats"
        ax.set_ylabel(f"Loss ({unit})")
    ax.set_title(title(name), pad=3)


def _final(one: xr.Dataset, name: str, ax: Axes, *, named: bool) -> None:
    rules = [rule for rule in RULES if rule in labels(one["option"])]
    for row in range(0, len(rules), 2):
        ax.axhspan(row - 0.5, row + 0.5, color=style.SHADE, lw=0, zorder=-2)
    for floor in one["floor"].values:
        if np.isfinite(floor):
            ax.axvline(floor, color=style.INK, lw=0.6, ls=(0, (4, 2)), zorder=-1)
    for row, rule in enumerate(rules):
        own = one.isel(option=labels(one["option"]).index(rule))
        number, diverged = int(own["num_seeds"]), int(own["num_diverged"])
        color = COLORS[RULES[rule][1]]
        values = own["final_loss"].values[:number]
        there = values[np.isfinite(values)]
        spread = 0.22 * np.linspace(-1, 1, there.size) if there.size > 1 else np.zeros(there.size)
        ax.plot(there, row + spread, "o", ms=1.9, mew=0, color=color, alpha=0.6, ls="")
        median = np.median(values) if number else np.nan
        if np.isfinite(median):
            ax.plot([median, median], [row - 0.4, row + 0.4], color=color, lw=1.4, solid_capstyle="butt")
        words = "not run" if not number else f"{diverged} of {number} diverged" if diverged else ""
        ax.text(0.98, row, words, transform=ax.get_yaxis_transform(), ha="right", va="center", fontsize=6,
                color=style.GREY)  # fmt: skip
    ax.set_ylim(len(rules) - 0.5, -0.5)
    ax.set_yticks(range(len(rules)), [RULES[rule][0] for rule in rules] if named else [])
    for rule, tick in zip(rules, ax.get_yticklabels(), strict=False):
        tick.set_color(COLORS[RULES[rule][1]])
    ax.tick_params(axis="y", length=0)
    if log_scale(name):
        ax.set_xscale("log")
        low, high = ax.get_xlim()
        ticks = [tick for tick in TICKS if low <= tick <= high]
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    else:
        ax.set_xlim(0.44, 0.70)
        ax.set_xticks([0.45, 0.55, 0.65])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(f"Final loss, {int(one['num_seeds'].max())} seeds")
    ax.set_title(title(name), pad=3)


def _scatter(one: xr.Dataset, aligned: xr.Dataset, ax: Axes) -> None:
    cosine = aligned["cosine"].mean(("checkpoint", "seed")).values
    rules = labels(one["option"])
    points = []
    for option, rule in enumerate(labels(aligned["option"])):
        number = int(one["num_seeds"].isel(option=rules.index(rule)))
        loss = np.median(one["final_loss"].isel(option=rules.index(rule)).values[:number])
        if np.isfinite(loss):
            points.append((float(cosine[option]), float(loss), rule))
    for x, y, rule in points:
        ax.plot(x, y, "o", ms=3.4, mew=0, color=COLORS[RULES[rule][1]])
    low, high = 0.44, max([0.56, *(y + 0.02 for _, y, _ in points)])
    ax.set_xlim(-0.1, 1.05)
    ax.set_ylim(low, high)
    gap = 0.062 * (high - low)
    order = np.argsort([y for _, y, _ in points])
    places = plotting.marks.apart([y for _, y, _ in points], gap)
    for row, (y, k) in enumerate(zip(places, order, strict=True)):
        y = max(y, low + gap * (row + 0.5))
        x, height, rule = points[k]
        color = COLORS[RULES[rule][1]]
        ax.plot((x, 1.1), (height, y), color=color, lw=0.4, clip_on=False, alpha=0.6)
        ax.annotate(
            RULES[rule][0].partition(",")[0] + _short(rule), (1.1, y), xytext=(1.5, 0), fontsize=6,
            textcoords="offset points", va="center", color=color, annotation_clip=False,
        )  # fmt: skip
    for floor in one["floor"].values[one["floor"].values < high]:
        ax.axhline(floor, color=style.INK, lw=0.6, ls=(0, (4, 2)), zorder=-1)
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.set_xlabel("Cosine with exact gradient")
    ax.set_ylabel("Final loss")
    ax.set_title(title("add-1"), pad=3)


def _short(rule: str) -> str:
    """What tells two rules of one name apart, in a few signs."""
    return {"tbptt-sliding": " sliding", "tbptt-blocks": " blocks", "rflo-random": " B"}.get(rule, "")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
