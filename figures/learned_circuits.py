"""How circuits differ that different rules leave behind, from the same initial weights.

    python figures/learned_circuits.py [RECORD] [OUTPUT_FOLDER]

Rows are arms: what feeds errors back, and what carries credit across synapses (FA: feedback alignment).

(a) Procrustes angle between noise-free activity in the same held-out trials. Of each task the hardest rung
that half of BPTT's runs learned (reached the criterion at some update), or else that which most learned. In
colour, an arm's circuits against BPTT's from the same initial weights; below them, grey, the arm's circuits
against each other, from different ones; shaded over all rows, BPTT's circuits against each other, which are
the points of its own row. Filled where both circuits learned. At the right, one point a rung of any task,
filled where both learned in half of the pairs: mean angle to BPTT less that between BPTT's seeds (colour) or
between the arm's own (grey); bars are means. With colour right of 0 an arm is farther from BPTT than seeds of
BPTT are from each other; with grey at 0 the arm's own seeds are as far apart.

(b) Participation ratio of activity, (c) largest eigenvalue of the Hessian of the loss, (d) change of the
recurrent weights relative to their norm before training (0 for the readout alone), each over the median of
BPTT's seeds on the same rung; (e) tangent and (f) representation kernel at the end of trials, centred, and
aligned with that before training, minus BPTT's median: lazier to the right. Every run of every rung is a
point on the line of its task, filled where it learned; those beyond an axis are triangles at its edge. Bars
are medians over tasks, the shade holds 90 % of BPTT's runs; in brackets, BPTT's medians on the rungs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from _arms import BPTT, GROUPS, PARTS, heights_of, short_of
from _rungs import Rung, pairs, rungs_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from throughtime import plotting
from throughtime.plotting import style
from throughtime.results import load_tree

NAME = "learned_circuits"
RECORDS = "evidence/rules_on_tasks.nc"
GAP = 0.6
"""Rows between groups."""
RIGHT = np.pi / 2
"""The largest angle."""
BAND = "#DDDDDD"


class Measure(NamedTuple):
    """What is drawn of every run, beside the median of BPTT's seeds on the same rung.

    Attributes:
        title: of the panel; label: of its axis.
        group, variable: where the record has it.
        ratio: whether it is divided by BPTT's median, on a log axis, or that is subtracted.
        limits, ticks: of the axis; side: of it that is lazier.
    """

    title: str
    label: str
    group: str
    variable: str
    ratio: bool
    limits: tuple[float, float]
    ticks: dict[float, str]
    side: str = ""


SIGNED = {-1.0: "−1", -0.5: "−.5", 0.0: "0", 0.5: ".5", 1.0: "1"}
MEASURES = (
    Measure(
        "Dimensions", "Participation ratio", "dimensionality", "participation_ratio", True, (0.25, 4.0),
        {0.25: "¼", 0.5: "½", 1.0: "1", 2.0: "2", 4.0: "4"},
    ),
    Measure(
        "Sharpness", "Largest eigenvalue", "sharpness", "eigenvalue", True, (0.01, 1e4),
        {0.01: "0.01", 1.0: "1", 100.0: "100", 1e4: "10⁴"},
    ),
    Measure(
        "Weight change", "Change of weights", "weight_change", "relative_change", True, (0.03, 30.0),
        {0.1: "0.1", 1.0: "1", 10.0: "10"}, "left",
    ),
    Measure(
        "Tangent kernel", "Alignment", "kernel_alignment", "tangent_alignment_centred", False,
        (-1.0, 1.0), SIGNED, "right",
    ),
    Measure(
        "Representation", "Alignment", "kernel_alignment", "representation_alignment_centred",
        False, (-1.0, 1.0), SIGNED, "right",
    ),
)  # fmt: skip


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    wanted = [(one.group, one.variable) for one in MEASURES]
    rungs = [rung for part in PARTS if part in tree.children for rung in rungs_of(tree[part], wanted)]
    tasks = list(dict.fromkeys(rung.task for rung in rungs))
    with style.context():
        page = style.figure(style.PAGE_MM, 205.0)
        above, below = page.subfigures(2, 1, height_ratios=(1.0, 1.45), hspace=0.02)
        axes = above.subplots(1, len(tasks) + 1, width_ratios=[1.0] * len(tasks) + [1.35])
        for ax, task in zip(axes, tasks, strict=False):
            _distances([rung for rung in rungs if rung.task == task], ax)
        _excess(rungs, axes[-1])
        _named_rows(axes[0])
        title = "Distance from BPTT's circuits with the same initial weights"
        style.heading(above, "a", f"{title} (fractions: BPTT's runs that learned)")
        _key(above)
        axes = below.subplots(1, len(MEASURES))
        for ax, letter, measure in zip(axes, "bcdef", MEASURES, strict=True):
            _measured(rungs, tasks, ax, measure)
            _lettered(ax, letter, measure.title)
        _named_rows(axes[0])
        _named_lines(tasks, axes[-1])
        _counted(rungs, axes[-1])
    return page


def rows() -> Iterator[tuple[float, str, str, Any]]:
    """Height, arm, name and colour of every row."""
    arms = {arm: (one.short, group.color) for group in GROUPS.values() for arm, one in group.arms.items()}
    for arm, height in heights_of(arms, GAP).items():
        yield height, arm, *arms[arm]


def _named_rows(ax: Axes) -> None:
    """Names of rows left of the axes, those of groups beside them."""
    found = list(rows())
    ax.set_yticks([height for height, *_ in found], [name for _, _, name, _ in found])
    for tick, (*_, color) in zip(ax.get_yticklabels(), found, strict=True):
        tick.set_color(color)
    for group, (color, arms) in GROUPS.items():
        heights = [height for height, arm, *_ in found if arm in arms]
        ax.annotate(
            group.replace(" ", "\n"), (0, (heights[0] + heights[-1]) / 2), xycoords=ax.get_yaxis_transform(),
            xytext=(-67, 0), textcoords="offset points", rotation=90, ha="center", va="center", color=color,
            fontsize=6.5, annotation_clip=False,
        )  # fmt: skip


def _named_lines(tasks: list[str], ax: Axes) -> None:
    """Which line of a row is which task, at the right of the first row."""
    heights = lines(tasks, 0.0)
    plotting.marks.end_labels(
        ax, heights, [short_of(task) for task in tasks], [style.GREY] * len(tasks), gap=0.022
    )


def _counted(rungs: list[Rung], ax: Axes) -> None:
    """How many runs there are, and how many of them diverged and have no points."""
    total = sum(int(rung.runs["diverged"].count()) for rung in rungs)
    lost = sum(int(rung.runs["diverged"].sum()) for rung in rungs)
    ax.annotate(
        f"{total} runs on\n{len(rungs)} rungs,\n{lost} diverged", (1.045, 0.8), xycoords="axes fraction",
        xytext=(1.5, 0), textcoords="offset points", va="top", fontsize=6.5, color=style.GREY,
        annotation_clip=False,
    )  # fmt: skip


def lines(tasks: list[str], height: float) -> list[float]:
    """Heights of the lines of tasks within a row."""
    return [height + 0.8 * ((place + 0.5) / len(tasks) - 0.5) for place in range(len(tasks))]


def _lettered(ax: Axes, letter: str, title: str) -> None:
    """Letter and title of a panel whose rows are those of its neighbours."""
    ax.set_title(f"    {title}", loc="left", fontsize=7.5, pad=6)
    ax.annotate(
        letter, (0, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points", fontsize=9,
        fontweight="bold", ha="left", va="bottom",
    )  # fmt: skip


def _row_axis(ax: Axes) -> None:
    """Rows from top to bottom, with faint lines between them."""
    heights = [height for height, *_ in rows()]
    ax.set_ylim(heights[-1] + 0.55, -0.55)
    ax.set_yticks([])
    for height in heights:
        ax.axhline(height + 0.5, color=style.SHADE, lw=0.5, zorder=-3)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _marks(ax: Axes, x: np.ndarray, y: Any, filled: np.ndarray, color: Any, size: float) -> None:
    """Points, filled or open; those outside the limits as triangles at the edge."""
    low, high = ax.get_xlim()
    y, filled = np.broadcast_to(y, x.shape), filled.astype(bool)
    edges = {"<": x < low, ">": x > high, "o": (x >= low) & (x <= high)}
    for marker, there in edges.items():
        for full in (False, True):
            now = there & (filled == full)
            if now.any():
                ax.plot(
                    np.clip(x[now], low, high), y[now], marker, ms=size, mew=0.45, color=color, ls="",
                    mfc=color if full else "none", alpha=1.0 if full else 0.65, clip_on=False,
                    zorder=4 if full else 3,
                )  # fmt: skip


def _distances(rungs: list[Rung], ax: Axes) -> None:
    """All pairs of one rung of a ladder."""
    compared = [rung for rung in rungs if rung.angle is not None]
    _row_axis(ax)
    ax.set_xlim(0, RIGHT)
    ax.set_xticks([0, 0.5, 1, 1.5], ["0", ".5", "1", "1.5"])
    ax.set_xlabel("Distance (rad)")
    task = rungs[0].task
    if not compared:
        ax.set_title(f"{short_of(task)}\nnot compared\n", fontsize=6.5, pad=3)
        return
    rung = next((one for one in compared if one.learned() >= 0.5), max(compared, key=Rung.learned))
    runs = rung.runs["learned"].sel(rule=BPTT).values
    count = f"BPTT: {int(np.nansum(runs))}/{int(np.isfinite(runs).sum())}"
    ax.set_title(f"{short_of(task)}\n{rung.name}\n{count}", fontsize=6.5, pad=3)
    null, _ = pairs(rung, BPTT, BPTT)
    if null.size:
        ax.axvspan(null.min(), null.max(), color=BAND, lw=0, zorder=-4)
    for height, arm, _, color in rows():
        if arm not in rung.angle["rule"].values:
            continue
        own, both = pairs(rung, arm, arm)
        if arm == BPTT:
            _marks(ax, own, height, both, color, 2.4)
            continue
        _marks(ax, own, height + 0.24, both, style.GREY, 1.7)
        against, both = pairs(rung, arm, BPTT)
        _marks(ax, against, height - 0.16, both, color, 2.9)


def _excess(rungs: list[Rung], ax: Axes) -> None:
    """Mean angle to BPTT beyond that between BPTT's seeds, and beyond that between the arm's."""
    _row_axis(ax)
    ax.axvline(0, color=style.INK, lw=0.6, zorder=-2)
    ax.set_xlim(-0.7, 1.3)
    ax.set_xticks([-0.5, 0, 0.5, 1], ["−.5", "0", ".5", "1"])
    ax.set_title("all rungs, beyond\nBPTT's (colour) or\nown seeds (grey)", fontsize=6.5, pad=3)
    ax.set_xlabel("Excess (rad)")
    for height, arm, _, color in rows():
        if arm == BPTT:
            continue
        for null, ink, aside, size in ((BPTT, color, -0.16, 2.9), (arm, style.GREY, 0.24, 1.7)):
            found = []
            for rung in rungs:
                if rung.angle is None or arm not in rung.angle["rule"].values:
                    continue
                (against, both), (between, _) = pairs(rung, arm, BPTT), pairs(rung, null, null)
                if against.size and between.size:
                    found.append((against.mean() - between.mean(), both.mean() >= 0.5))
            if found:
                means, learned = np.array(found).T
                _marks(ax, means, height + aside, learned, ink, size)
                ax.plot([means.mean()] * 2, (height + aside - 0.2, height + aside + 0.2), color=ink, lw=1.6)


def beside_bptt(rungs: list[Rung], measure: Measure) -> tuple[list[tuple[Rung, xr.DataArray]], list[float]]:
    """Values of all runs beside the median of BPTT's, of the rungs that have it, and these medians."""
    found, middles = [], []
    for rung in rungs:
        if measure.variable in rung.runs:
            values = rung.runs[measure.variable]
            middle = float(values.sel(rule=BPTT).median())
            if np.isfinite(middle):
                middles.append(middle)
                found.append((rung, values / middle if measure.ratio else values - middle))
    return found, middles


def _measured(rungs: list[Rung], tasks: list[str], ax: Axes, measure: Measure) -> None:
    """A measure of all runs, tasks one below the other in a row."""
    _row_axis(ax)
    if measure.ratio:
        ax.set_xscale("log")
    ax.set_xlim(*measure.limits)
    ax.set_xticks(list(measure.ticks), list(measure.ticks.values()))
    ax.xaxis.set_minor_locator(NullLocator())
    scaled, middles = beside_bptt(rungs, measure)
    if not scaled:
        return
    if measure.side:
        below = len(next(iter(GROUPS.values()))[1]) - 0.5 + GAP / 2
        text, x = ("← lazier", 0.02) if measure.side == "left" else ("lazier →", 0.98)
        ax.text(
            x, below, text, transform=ax.get_yaxis_transform(), ha=measure.side, va="center", fontsize=6,
            color=style.GREY,
        )  # fmt: skip
    null = np.concatenate([values.sel(rule=BPTT).values for _, values in scaled])
    ax.axvspan(*np.nanquantile(null, (0.05, 0.95)), color=BAND, lw=0, zorder=-4)
    ax.axvline(1 if measure.ratio else 0, color=style.INK, lw=0.6, zorder=-2)
    low, high = (f"{float(f'{end:.2g}'):g}" for end in (min(middles), max(middles)))
    ax.set_xlabel(f"{measure.label}\n{'over' if measure.ratio else 'minus'} BPTT's\n({low} to {high})")
    for height, arm, _, color in rows():
        medians = []
        for task, line in zip(tasks, lines(tasks, height), strict=True):
            found = [
                (values.sel(rule=arm), rung.runs["learned"].sel(rule=arm))
                for rung, values in scaled
                if rung.task == task and arm in values["rule"]
            ]
            x, learned = np.concatenate([np.array(one) for one in found] or [np.empty((2, 0))], axis=1)
            there = np.isfinite(x)
            if there.any():
                _marks(ax, x[there], line, learned[there] == 1, color, 1.9)
                medians.append(np.median(x[there]))
        if medians:
            middle = np.clip(np.median(medians), *measure.limits)
            ax.plot([middle] * 2, (height - 0.45, height + 0.45), color=style.INK, lw=1.8, zorder=6)


def _key(part: Any) -> None:
    circle: dict[str, Any] = {"marker": "o", "ls": "", "mew": 0.6, "color": style.INK}
    handles = [
        Line2D([], [], ms=3, label="arm and BPTT, same seed, both learned", **circle),
        Line2D([], [], ms=3, mfc="white", label="not both learned", **circle),
        Line2D([], [], ms=2, marker="o", ls="", color=style.GREY, label="one arm, two seeds"),
        Patch(color=BAND, lw=0, label="BPTT, two seeds"),
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=4, handletextpad=0.3, columnspacing=1.6)


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
