"""Which learning rules bridge long delays.

    python figures/rules_on_tasks.py [RECORD] [OUTPUT_FOLDER]

(a) The longest memory that every seed learned, a row a rule (by the feedback of errors and the transport of
credit), a column a task with ticks at its rungs of difficulty. A dot is a seed: filled where the score was
kept, open where it was lost after the criterion had been met, grey at 0 where no rung was climbed, a
triangle where some rungs were not run and the time is a lower bound. Bars are means over seeds. Dashed line
and band: mean of BPTT and its 95 % interval (bootstrap over seeds); dotted line: mean of a readout alone.
(b) Runs (tasks × rungs × seeds) that met the criterion (open, counted on the right) and kept their score
(filled), with Wilson's 95 % intervals, which take runs as independent. (c) Training loss and score on held-
out trials on the hardest rung of three tasks: medians over seeds (thick; a seed that diverged counts as
worst) and seeds (thin, of which some leave the axes). A score is kept when its mean over the last five
evaluations is at most 0.05 below the one with which the criterion was met.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from _arms import BPTT, FLOOR, NOT_RUN, PARTS, color_of, heights_of, ladder, row_names, title_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from throughtime.analysis.arrays.accuracy import wilson_interval
from throughtime.plotting import lines, marks, style
from throughtime.plotting.training import DIVERGED
from throughtime.results import labels, load_tree

NAME = "rules_on_tasks"
RECORDS = "evidence/rules_on_tasks.nc"

# rule -> name, colour and dashes of its curves
CURVES: dict[str, tuple[str, str, Any]] = {
    BPTT: ("BPTT", style.BLUE, "-"),
    "symmetric-none": ("e-prop, symmetric", style.BLUE, (0, (3, 1.2))),
    "random-exact": ("feedback alignment", style.VERMILLION, "-"),
    "random-none": ("e-prop, random", style.VERMILLION, (0, (3, 1.2))),
    "node-perturbation": ("node perturbation", style.INK, "-"),
    FLOOR: ("readout alone", style.INK, (0, (1, 1))),
}
SHOWN = ("match", "go-no-go", "cue-set-go")
"""Tasks whose curves are drawn."""
KEPT, WITHIN = 5, 0.05
"""Evaluations at the end, and how far below the score at the criterion their mean still counts as kept."""
DASHED, DOTTED = (0, (4, 2)), (0, (1, 1.5))
GAP = 1.1
"""Rows between groups."""
HIGH = 5
"""Dots above each other."""


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    found = tree["longest"].to_dataset()
    reached, kept = runs(tree, found)
    with style.context():
        page = style.figure(style.PAGE_MM, 182.0)
        page.get_layout_engine().set(rect=(0.0, 0.0, 1.0, 0.97))
        upper, lower = page.subfigures(2, 1, height_ratios=(1.0, 0.74), hspace=0.03)
        left, right = upper.subfigures(1, 2, width_ratios=(1.0, 0.2), wspace=0.0)
        bounds = _longest(found, reached, kept, left)
        page.legend(**_key(bounds), loc="upper center", bbox_to_anchor=(0.5, 1.0), columnspacing=1.3)
        _fractions(labels(found["rule"]), reached, kept, right.subplots())
        style.heading(left, "a", "Longest memory learned")
        style.heading(right, "b", "All tasks, rungs")
        _curves(tree, found, lower)
    return page


def runs(tree: xr.DataTree, found: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Which runs met the criterion, and which of them kept their score.

    Args:
        tree: the record. found: its group ``longest``.

    Returns:
        Two arrays (task, rule, rung, seed) of 0 and 1, NaN where a run is missing.
    """
    ladders, rules, seeds = labels(found["task"]), labels(found["rule"]), found["seed"].values.tolist()
    both = np.full((2, len(ladders), len(rules), found.sizes["condition"], len(seeds)), np.nan)
    for level, part in enumerate(PARTS):
        if part not in tree.children:
            continue
        outcomes, curves = tree[part]["outcomes"].to_dataset(), tree[part]["curves"].to_dataset()
        rows = [rules.index(rule) for rule in labels(outcomes["rule"])]
        columns = [seeds.index(seed) for seed in outcomes["seed"].values.tolist()]
        for place, name in enumerate(labels(outcomes["task"])):
            one = {"task": place, "circuit": 0, "option": 0}
            met = outcomes["criterion_update"].isel(one).transpose("rule", "seed").values
            score = curves["score"].isel(one).transpose("rule", "seed", "update").values
            run = outcomes["status"].isel(one).transpose("rule", "seed").values < NOT_RUN
            stayed = keeps(score, curves["update"].values, met)
            task = ladders.index(ladder(name))
            for values, which in zip(both, (met >= 0, stayed), strict=True):
                values[task, np.array(rows)[:, None], level, columns] = np.where(run, which, np.nan)
    return both[0], both[1]


def keeps(score: np.ndarray, update: np.ndarray, met: np.ndarray) -> np.ndarray:
    """Whether the score with which the criterion was met was kept to the end.

    Args:
        score: (..., update), NaN after a run has diverged. update: of the evaluations.
        met: (...) update at which the criterion was met, −1 if never.

    Returns:
        (...) bool.
    """
    place = np.searchsorted(update, met).clip(0, len(update) - 1)
    first = np.take_along_axis(score, place[..., None], -1)[..., 0]
    last = (update >= met[..., None]) & (np.arange(len(update)) >= len(update) - KEPT)
    mean = np.where(last, score, 0.0).sum(-1) / last.sum(-1).clip(1)
    return (met >= 0) & (mean >= first - WITHIN)


def times(found: xr.Dataset, reached: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Longest memory of every seed in s, the rung it is of, and where it is only a lower bound.

    Returns:
        Arrays (task, rule, seed): times, NaN where nothing was run; rungs, −1 for none; bool.
    """
    reach = found["reach"].values / 1000.0
    climbed = np.where(reached == 1, reach[:, None, :, None], 0.0)
    rung = np.where((climbed > 0).any(2), climbed.argmax(2), -1)
    longest = np.where(np.isfinite(reached).any(2), climbed.max(2), np.nan)
    known = found["longest"].transpose("task", "rule", "seed").values / 1000.0
    top = np.nanmax(reach, axis=1)[:, None, None]
    value = np.where(np.isfinite(known), known, longest)
    return value, rung, ~np.isfinite(known) & (value < top)


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean, by resampling seeds."""
    drawn = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.percentile(drawn.mean(1), (2.5, 97.5))
    return float(low), float(high)


def _longest(found: xr.Dataset, reached: np.ndarray, kept: np.ndarray, part: SubFigure) -> bool:
    """Whether some times are lower bounds is returned."""
    rules, tasks = labels(found["rule"]), labels(found["task"])
    value, rung, bound = times(found, reached)
    rows = heights_of(rules, GAP)
    axes = np.atleast_1d(part.subplots(1, len(tasks), sharey=True))
    for row, (task, ax) in enumerate(zip(tasks, axes, strict=True)):
        reach = np.sort(found["reach"].values[row] / 1000.0)
        reach = reach[np.isfinite(reach)]
        ax.set_xlim(-0.13 * reach[-1], 1.13 * reach[-1])
        for name, dashes in ((BPTT, DASHED), (FLOOR, DOTTED)):
            if name in rules:
                _reference(ax, value[row, rules.index(name)], color_of(name), dashes)
        for rule, height in rows.items():
            place = rules.index(rule)
            one = value[row, place]
            stayed = np.take_along_axis(kept[row, place], rung[row, place].clip(0)[None], 0)[0] == 1
            _row(ax, height, one, stayed, bound[row, place], color_of(rule))
        _ticks(ax, reach)
        ax.set_title(title_of(task), fontsize=6.5, pad=4)
    _name_rows(axes[0], rows)
    for ax in axes:
        ax.tick_params(axis="y", length=0)
    middle = axes[(len(axes) - 1) // 2]
    middle.set_xlabel("Longest memory learned (s); 0: none", x=0.5 if len(axes) % 2 else 1.0)
    return bool(bound.any())


def _name_rows(ax: Axes, rows: dict[str, float]) -> None:
    """Names of rules, under those of their groups."""
    names = row_names(rows)
    ax.set_yticks([y for y, *_ in names], [name for _, name, *_ in names])
    for (*_, color, size), tick in zip(names, ax.get_yticklabels(), strict=True):
        tick.set(color=color, fontsize=size)
    ax.annotate(
        "transport of credit: rule", (0, 1), xycoords="axes fraction", xytext=(-3, 4), fontsize=6, ha="right",
        va="bottom", textcoords="offset points", color=style.GREY, annotation_clip=False,
    )  # fmt: skip
    _row_limits(ax, rows)


def _row_limits(ax: Axes, rows: dict[str, float]) -> None:
    ax.set_ylim(max(rows.values()) + 0.6, min(rows.values()) - 1.3)


def _key(bounds: bool) -> dict[str, Any]:
    """Marks of the upper panels and their names."""
    dot: dict[str, Any] = {"marker": "o", "ls": "", "ms": 3.0, "mew": 0.7, "color": style.INK}
    band = Patch(color=style.BLUE, alpha=0.13, lw=0)
    shown: dict[str, Any] = {
        "seed, kept to the end": Line2D([], [], **dot),
        "seed, lost again": Line2D([], [], mfc="white", **dot),
        "seed, none": Line2D([], [], **(dot | {"color": style.FAINT})),
        "at least": Line2D([], [], **(dot | {"marker": ">"})),
        "mean": Patch(color=style.INK, alpha=0.28, lw=0),
        "BPTT: mean, 95 % interval": (band, Line2D([], [], color=style.BLUE, lw=0.8, ls=DASHED)),
        "readout alone": Line2D([], [], color=color_of(FLOOR), lw=0.8, ls=DOTTED),
    }
    if not bounds:
        del shown["at least"]
    return {"handles": list(shown.values()), "labels": list(shown), "ncols": len(shown)}


def _reference(ax: Axes, values: np.ndarray, color: str, dashes: Any) -> None:
    """Mean of a rule through all rows, and its interval as a band."""
    there = values[np.isfinite(values)]
    if there.size:
        ax.axvline(there.mean(), color=color, lw=0.8, ls=dashes, zorder=1)
        ax.axvspan(*interval(there), color=color, alpha=0.13, lw=0, zorder=0)


def _row(
    ax: Axes, height: float, values: np.ndarray, stayed: np.ndarray, bound: np.ndarray, color: str
) -> None:
    """Seeds of a rule, those of one time packed around it, and a bar to their mean."""
    there = np.isfinite(values)
    if not there.any():
        ax.text(0.5, height, "not run", transform=ax.get_yaxis_transform(), ha="center", va="center",
                fontsize=6, color=style.GREY)  # fmt: skip
        return
    mean, width = values[there].mean(), np.ptp(ax.get_xlim())
    ax.barh(height, mean, 0.72, color=color, alpha=0.28, lw=0, zorder=2)
    if mean > 0:
        ax.plot([mean, mean], [height - 0.36, height + 0.36], color=color, lw=1.4, solid_capstyle="butt")
    for time in np.unique(values[there]):
        group = np.flatnonzero(values == time)
        group = group[np.lexsort((~stayed[group], bound[group]))]  # those that stayed first
        x, y = packed(len(group))
        for k, seed in enumerate(group):
            face, edge = (color if stayed[seed] else "white", color) if time else (style.FAINT,) * 2
            ax.plot(
                time + 0.042 * width * x[k], height + 0.165 * y[k], ">" if bound[seed] else "o", mfc=face,
                mec=edge, ms=2.0, mew=0.5, zorder=4,
            )  # fmt: skip


def packed(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of so many dots, centred on 0; full columns first."""
    column, row = np.divmod(np.arange(number), HIGH)
    size = np.bincount(column)[column]
    return column - column.max(initial=0) / 2, row - (size - 1) / 2


def _ticks(ax: Axes, reach: np.ndarray) -> None:
    """A tick at every rung, in s; names are moved where they would touch."""
    places = [0.0, *reach.tolist()]
    moved = marks.apart(places, 0.215 * float(np.ptp(ax.get_xlim())))
    ax.xaxis.remove_overlapping_locs = False
    ax.set_xticks(places, minor=True)
    ax.set_xticks(moved, [f"{time:g}" for time in places], fontsize=6)
    ax.tick_params(axis="x", which="major", length=0, pad=4)
    ax.tick_params(axis="x", which="minor", length=2.5, width=0.6)


def _fractions(rules: Sequence[str], reached: np.ndarray, kept: np.ndarray, ax: Axes) -> None:
    rows = heights_of(rules, GAP)
    for rule, height in rows.items():
        color = color_of(rule)
        one = rules.index(rule)
        number = np.isfinite(reached[:, one]).sum()
        for values, face, shift in ((reached, "white", -0.16), (kept, color, 0.16)):
            if not number:
                continue
            count = np.nansum(values[:, one])
            low, high = wilson_interval(count, number)
            ax.plot([low, high], [height + shift] * 2, color=color, lw=0.8, zorder=2)
            ax.plot(count / number, height + shift, "o", color=color, mfc=face, ms=3, mew=0.7, zorder=3)
        told = f"{np.nansum(reached[:, one]):.0f}/{number}" if number else "not run"
        ax.annotate(
            told, (1, height), xycoords=ax.get_yaxis_transform(), xytext=(2, 0), textcoords="offset points",
            ha="left", va="center", fontsize=6, color=style.GREY, annotation_clip=False,
        )  # fmt: skip
    ax.set_xlim(0, 1)
    _row_limits(ax, rows)
    ax.set_yticks([])
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=6)
    ax.tick_params(axis="x", pad=4 - 2.5)
    ax.set_xlabel("Fraction of runs")
    ax.set_title("met (open)\nand kept (filled)", fontsize=6.5, pad=4)


def _curves(tree: xr.DataTree, found: xr.Dataset, part: SubFigure) -> None:
    name = next((one for one in PARTS if one in tree.children), None)
    if name is None:
        return
    curves, outcomes = tree[name]["curves"].to_dataset(), tree[name]["outcomes"].to_dataset()
    ladders = [ladder(task) for task in labels(curves["task"])]
    begun = [task for task, one in zip(ladders, curves["loss"].values, strict=True) if np.isfinite(one).any()]
    shown = [task for task in SHOWN if task in begun] or ladders[:1]
    axes = part.subplots(2, len(shown), sharex=True, squeeze=False)
    updates = outcomes["num_updates"].where(outcomes["num_updates"] > 0)
    trials = curves["update"].values * float((outcomes["trials_seen"] / updates).max()) / 1000.0
    for column, task in enumerate(shown):
        one = {"task": ladders.index(task), "circuit": 0, "option": 0}
        for ax, variable in zip(axes[:, column], ("loss", "score"), strict=True):
            _lines(ax, trials, curves[variable].isel(one), outcomes["status"].isel(one))
        asked = float(found["reach"][labels(found["task"]).index(task), PARTS.index(name)]) / 1000.0
        axes[0, column].set_title(f"{title_of(task)}, {asked:g} s".replace("\n", " "), pad=3)
        axes[1, column].set_xlabel("Trials (thousands)")
    axes[0, 0].set_ylabel("Training loss")
    axes[1, 0].set_ylabel("Score, held-out trials")
    handles = [Line2D([], [], color=color, lw=1.4, ls=dashes) for _, color, dashes in CURVES.values()]
    key = part.legend(
        handles, [name for name, *_ in CURVES.values()], ncols=len(handles), loc="upper right",
        bbox_to_anchor=(1.0, 1.0), columnspacing=0.9, handlelength=1.7,
    )  # fmt: skip
    key.set_in_layout(False)
    style.heading(part, "c", "Learning curves")


def _lines(ax: Axes, trials: np.ndarray, series: xr.DataArray, status: xr.DataArray) -> None:
    """A loss or score of the rules of a task, seeds thin and their medians thick."""
    rules, worst, medians = labels(series["rule"]), np.inf if series.name == "loss" else 0.0, []
    for rule, (_, color, dashes) in CURVES.items():
        if rule not in rules:
            continue
        values = lines.seed_lines(series.isel(rule=rules.index(rule)), "update")
        ax.plot(trials, values.T, color=color, lw=0.35, alpha=0.2, zorder=2)
        diverged = status.isel(rule=rules.index(rule)).values[:, None] == DIVERGED
        values = np.where(diverged & np.isnan(values), worst, values)
        values = values[np.isfinite(values[:, :1]).any(1)]  # seeds that were run
        if len(values):
            medians.append(np.median(values, axis=0))
            ax.plot(trials, medians[-1], color=color, lw=1.4, ls=dashes, zorder=3)
    ax.set_xlim(0, trials[-1])
    ax.xaxis.set_major_locator(MaxNLocator(4))
    there = np.array([*medians, [np.nan] * len(trials)])
    there = there[np.isfinite(there)]
    if worst == 0:
        ax.set_ylim(0, 1.03)
    elif there.size:
        ax.set_yscale("log")
        ax.set_ylim(0.6 * there.min(), 2.5 * there.max())
        marks.plain_log(ax.yaxis, *ax.get_ylim())


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
