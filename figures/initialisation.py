"""Whether the initial circuit matters more than the rule that it learns with.

    python figures/initialisation.py [RECORD] [OUTPUT_FOLDER]

(a) Score on held-out trials at the end of training of circuits with different initial gain of the recurrent
weights (colours, marks) and time constant τ, under five rules, each with a step size of its own in every
circuit. Dots are seeds, lines their means; dotted: chance. (b) Share of the variance of four outcomes over
rules, gains, time constants and seeds that is due to each; shares do not grow with noise or the number of
levels. Gain and τ: with their interaction. The residual holds interactions with the seed. Lines are 95 %
intervals over resampled seeds. Open: without the readout alone, under which recurrent weights never change.
Runs that diverged count with the worst score and loss of the task. (c) Shape distance between trained
circuits that differ in one thing alone: means, 95 % intervals over resampled seeds, and seeds (dots). Dashed:
between seeds, all rules. Runs that diverged have no part in it.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from throughtime.plotting import marks, style
from throughtime.results import labels, load_tree

NAME = "initialisation"
RECORDS = "evidence/rules_on_tasks.nc"

# arm -> its name, in the order of the columns
ARMS = {
    "symmetric-exact": "BPTT",
    "symmetric-modprop": "ModProp, symmetric",
    "symmetric-none": "e-prop, symmetric",
    "random-none": "e-prop, random",
    "readout-only": "readout alone",
}
# task -> its name and its chance level
TASKS = {
    "match": ("Delayed match\nto sample, to", "delayed match to sample", 0.5),
    "cue-set-go": ("Cue–set–go,\nto", "cue–set–go", 0.0),
}
MARKS = "osD"
COLORS = (style.BLUE, style.VERMILLION)
SOURCES = {
    "rule": "rule", "circuit": "gain and τ", "gain": "gain alone", "tau": "τ alone",
    "rule×circuit": "rule × gain, τ", "seed": "seed", "residual": "residual",
}  # fmt: skip
"""In the order of the rows."""
DIFFERENT = {"rule": "rule", "gain": "gain", "tau": "τ", "seed": "seed"}
OUTCOMES = {
    "score": "Score", "log_loss": "Loss (log)", "participation_ratio": "Participation ratio",
    "weight_change": "Weight change",
}  # fmt: skip
RUN = 4
"""Status from which on nothing was run."""
SETTING = re.compile(r"gain=([\d.]+)_tau=([\d.]+)$")


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    outcomes = tree["initialisation/outcomes"].to_dataset()
    with style.context():
        if "components" not in tree.children:
            page = style.figure(style.PAGE_MM, 78.0)
            style.heading(page, "a", f"Score at the end of training ({_scores(outcomes, page)} seeds)")
            return page
        found = tree["components"].to_dataset()
        page = style.figure(style.PAGE_MM, 160.0)
        above, below = page.subfigures(2, 1, height_ratios=(1.0, 1.05), hspace=0.04)
        left, right = below.subfigures(1, 2, width_ratios=(2.8, 1.0), wspace=0.02)
        seeds = _scores(outcomes, above)
        _shares(found, left)
        _distances(found, right.subplots())
        style.heading(above, "a", f"Score at the end of training ({seeds} seeds)")
        style.heading(left, "b", "Shares of variance")
        style.heading(right, "c", "How far circuits are apart")
    return page


def told(task: str) -> tuple[str, str, float]:
    """What a task is called beside its axes and in a line, and its chance level."""
    ladder, _, rung = task.rpartition("-")
    if ladder not in TASKS or not rung.isdigit():
        return task, task, 0.0
    beside, within, chance = TASKS[ladder]
    return f"{beside} {float(rung) / 1000:g} s", within, chance


def _scores(outcomes: xr.Dataset, part: FigureBase) -> int:
    """Rows are tasks, columns rules; a line a gain over time constants. Returns how many seeds were run."""
    tasks, rules = labels(outcomes["task"]), labels(outcomes["rule"])
    shown = [arm for arm in ARMS if arm in rules]
    settings = [settings_of(name) for name in labels(outcomes["circuit"])]
    gains, taus = (sorted(set(column)) for column in zip(*settings, strict=True))
    colors = style.ordered_colors(gains)
    score = outcomes["final_score"].where(outcomes["status"] < RUN).isel(option=0)
    axes = part.subplots(len(tasks), len(shown), sharex=True, sharey=True, squeeze=False)
    for (row, column), ax in np.ndenumerate(axes):
        name, _, chance = told(tasks[row])
        own = score.isel(task=row, rule=rules.index(shown[column])).transpose("circuit", "seed").values
        if chance:
            ax.axhline(chance, color=style.GREY, lw=0.7, ls=(0, (1, 1.5)), zorder=0)
        for place, gain in enumerate(gains):
            there = [settings.index((gain, tau)) if (gain, tau) in settings else -1 for tau in taus]
            values = np.where(np.array(there)[:, None] < 0, np.nan, own[there])
            _line(values, ax, (place - (len(gains) - 1) / 2) * 0.24, colors[place], MARKS[place % len(MARKS)])
        ax.set_xlim(-0.55, len(taus) - 0.45)
        ax.set_xticks(range(len(taus)), [f"{tau:g}" for tau in taus])
        ax.set_ylim(-0.04, 1.04)
        ax.set_yticks([0, 0.5, 1])
        if row == 0:
            ax.set_title(ARMS[shown[column]], pad=3)
        if row == len(tasks) - 1:
            ax.set_xlabel("Time constant τ (ms)")
        if column == 0:
            ax.set_ylabel(f"{name}\n(fraction correct)", linespacing=1.25)
    part.legend(
        [Line2D([], [], color=c, marker=m, ms=3.2, lw=1.2) for c, m in zip(colors, MARKS, strict=False)],
        [f"initial gain {gain:g}" for gain in gains], loc="upper right", ncols=len(gains),
    )  # fmt: skip
    return int(np.isfinite(score).any(("task", "circuit", "rule")).sum())


def _line(values: np.ndarray, ax: Axes, shift: float, color: Any, mark: str) -> None:
    """Seeds (row, seed) and their means."""
    rows, seeds = values.shape
    aside = np.arange(rows)[:, None] + shift + 0.08 * np.linspace(-1, 1, seeds)
    ax.plot(aside.ravel(), values.ravel(), "o", ms=1.7, mew=0, color=color, alpha=0.55, zorder=2)
    known = np.isfinite(values).any(1)
    mean = np.nansum(values[known], 1) / np.isfinite(values[known]).sum(1)
    ax.plot(
        np.flatnonzero(known) + shift, mean, color=color, lw=1.0, marker=mark, ms=3.2, mec="white", mew=0.3,
        zorder=3,
    )  # fmt: skip


def settings_of(name: str) -> tuple[float, float]:
    """Gain and time constant of the label of a circuit.

    Example:
        >>> settings_of("gain=0.8_tau=50")
        (0.8, 50.0)
    """
    gain, tau = SETTING.findall(name)[0]
    return float(gain), float(tau)


def _shares(found: xr.Dataset, part: FigureBase) -> None:
    """Panels are outcomes, rows sources of variance; a mark a task, open without the readout alone."""
    names = [told(task)[1] for task in labels(found["task"])]
    part.legend(
        [Line2D([], [], color=c, marker=m, ms=3.2, lw=0.9) for c, m in zip(COLORS, MARKS, strict=False)]
        + [Line2D([], [], color=style.GREY, marker="o", ms=3.2, lw=0.9, mfc="white")],
        [*names, "without readout alone"], loc="upper right", ncols=3, columnspacing=1.2,
    )  # fmt: skip
    shown = [name for name in OUTCOMES if name in labels(found["metric"])]
    sources = [name for name in SOURCES if name in labels(found["predictor"])]
    axes = part.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    tasks = labels(found["task"])
    for name, ax in zip(shown, axes, strict=True):
        one = found.isel(metric=labels(found["metric"]).index(name))
        for row in range(0, len(sources), 2):
            ax.axhspan(row - 0.5, row + 0.5, color=style.SHADE, lw=0, zorder=-2)
        ax.axvline(0, color=style.GREY, lw=0.6, zorder=-1)
        for row, source in enumerate(sources):
            own = one.isel(predictor=labels(found["predictor"]).index(source))
            for place, task in enumerate(np.ndindex(len(tasks), own.sizes["condition"])):
                at = own.isel(task=task[0], condition=task[1])
                y = row + 0.19 * (place - (len(tasks) * own.sizes["condition"] - 1) / 2)
                if not task[1]:
                    ax.barh(y, at["share"], 0.17, color=COLORS[task[0] % len(COLORS)], alpha=0.3, lw=0)
                _interval(at, "share", y, ax, task, across=True)
        ax.set_ylim(len(sources) - 0.5, -0.5)
        ax.set_yticks(range(len(sources)), [SOURCES[source] for source in sources])
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(-0.12, 1.08)
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        ax.set_xlabel("Share of variance")
        counts = [int(number) for number in one["num_seeds"].isel(condition=0)]
        if min(counts) < found["num_seeds"].max():
            marks.note(ax, f"n = {', '.join(map(str, counts))} seeds")
        ax.set_title(OUTCOMES[name], pad=3)


def _interval(at: xr.Dataset, name: str, y: float, ax: Axes, task: tuple[int, int], *, across: bool) -> None:
    """A mark and its bounds, along x or else along y; ``task``: its place and that of the arms."""
    color, mark = COLORS[task[0] % len(COLORS)], MARKS[task[0] % len(MARKS)]
    bounds = [float(at[f"{name}_lower"]), float(at[f"{name}_upper"])]
    value = float(at[name])
    for points, options in (
        ((bounds, [y, y]), {"lw": 0.9, "zorder": 2}),
        (([value], [y]), {"marker": mark, "ms": 3.0, "mew": 0.7, "mfc": "white" if task[1] else color}),
    ):
        ax.plot(*(points if across else points[::-1]), color=color, **options)


def _distances(found: xr.Dataset, ax: Axes) -> None:
    """Columns are what two circuits differ in."""
    tasks, known = labels(found["task"]), labels(found["predictor"])
    shown = [source for source in DIFFERENT if source in known]
    width = 0.8 / (len(tasks) * found.sizes["condition"])
    for task, mean in enumerate(found["distance"].isel(condition=0, predictor=known.index("seed")).values):
        ax.axhline(mean, color=COLORS[task % len(COLORS)], lw=0.6, ls=(0, (4, 2)), zorder=0)
    for column, source in enumerate(shown):
        own = found.isel(predictor=known.index(source))
        for place, task in enumerate(np.ndindex(len(tasks), found.sizes["condition"])):
            at = own.isel(task=task[0], condition=task[1])
            x = column + width * (place - (len(tasks) * found.sizes["condition"] - 1) / 2)
            each = at["distance_of_seed"].values
            color = COLORS[task[0] % len(COLORS)]
            ax.plot(
                np.full(each.size, x + 0.35 * width),
                each,
                "o",
                ms=1.7,
                mew=0,
                color=color,
                alpha=0.45,
                zorder=1,
            )
            _interval(at, "distance", x, ax, task, across=False)
    ax.set_xticks(range(len(shown)), [DIFFERENT[source] for source in shown])
    ax.set_xlim(-0.5, len(shown) - 0.5)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("Circuits differ only in")
    ax.set_ylabel("Shape distance (rad)")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
