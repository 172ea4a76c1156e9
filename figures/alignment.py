"""Whether alignment with the exact gradient tells who learns.

    python figures/alignment.py [RECORD] [OUTPUT_FOLDER]

Gradients of the recurrent weights on the hardest rung of six tasks, by 32 trials without circuit noise, at
the weights that a rule itself came to by updates 100, 400 and 1400.

(a) Cosine of a rule's gradient with the exact one: rows are rules, from top to bottom the three updates; dots
are seeds, lines run through their medians (open at the first update, filled at the last). Right: at update
100, error of the rule's gradient over the norm of the exact one, a mark a task (medians over seeds), bars
their medians; systematic: of the mean gradient (for node perturbation from 32 draws, and too high where
chance is large; rotated BPTT's mean is shorter, not turned); by chance: standard deviation over draws.
(b) Score on held-out trials at the end of training (mean over seeds; a diverged run counts as 0) against the
cosine at update 100 (median), a mark a rule as in (a). Grey line: from e-prop to BPTT turned to about the
cosine of e-prop, anew in every batch. ρ: rank correlation over rules, BPTT left out, whose cosine is 1.
Right: of every task, and mean with 95 % interval (t, tasks as replicates). (c) The same against the norm of
the rule's own gradient; where shaded, it is clipped to 1. (d) Mean rank correlations for other properties of
gradients, with the score and with less loss at the end of training (medians over seeds), at the three
updates; nothing is corrected for their number. (e) Norm of the exact gradient at update 100 of every circuit
that BPTT trained, and whether it met the criterion at any time (ringed: by update 100). (f) Cosine of the
exact descent direction with the way that weights go from update 100 to 200, a point a task and rule; on the
dashed line it would be that of the rule's gradient.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from _arms import (
    BPTT,
    EPROP,
    FLOOR,
    ROTATED,
    heights_of,
    ladder,
    row_names,
    short_of,
    title_of,
)
from _gradients import RULES, correlations, mean_of, runs
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from throughtime.plotting import style
from throughtime.results import load_tree

NAME = "alignment"
RECORDS = "evidence/rules_on_tasks.nc"
CLIPPED_AT = 1.0

GAP = 1.1
"""Rows between groups."""
TIMING = ("cue-set-go", "ready-set-go")
# property -> its name
PROPERTIES = {
    "cosine": "cosine", "mean_cosine": "cosine of the mean", "bias": "systematic error",
    "norm_ratio": "norm over exact norm", "own_norm": "norm of rule's gradient",
    "gradient_norm": "norm of exact gradient", "displacement_cosine": "cosine of displacement",
}  # fmt: skip
EXACT = 1e-6
"""Relative error of a gradient that is the exact one."""
RAISED = 0.27
"""Height of the first and depth of the last update within a row."""
DOTTED = (0, (1, 1.5))
KINDS: dict[str, dict[str, Any]] = {
    "timing": {"color": style.GREEN, "ls": "-"}, "delay": {"color": style.PURPLE, "ls": (0, (3, 1.2))},
}  # fmt: skip
MINUS = {-1: "−1", -0.5: "−.5", 0: "0", 0.5: ".5", 1: "1"}


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    data = runs(tree)
    with style.context():
        page = style.figure(style.PAGE_MM, 228.0)
        upper, lower = page.subfigures(2, 1, height_ratios=(2.55, 1.0), hspace=0.03)
        _grid(data, upper)
        left, middle, right = lower.subfigures(1, 3, width_ratios=(1.7, 1.0, 0.9), wspace=0.02)
        _properties(data, left)
        _plateau(data, middle)
        _displacement(data, right.subplots())
        style.heading(left, "d", "Rank correlation over rules, mean of tasks")
        style.heading(middle, "e", "Circuits trained by BPTT")
        style.heading(right, "f", "Displacement")
    return page


def _grid(data: xr.Dataset, part: SubFigure) -> None:
    """Tasks are columns, and one over all tasks beside them."""
    tasks = data["task"].values.tolist()
    axes = part.subplots(
        3,
        len(tasks) + 1,
        width_ratios=[1.0] * len(tasks) + [1.35],
        height_ratios=(2.3, 1.0, 1.0),
        gridspec_kw={"hspace": 0.075},
    )
    for column, task in enumerate(tasks):
        one = data.sel(task=task)
        _cosines(one, axes[0, column])
        axes[0, column].set_title(title_of(ladder(task)), fontsize=6.5, pad=4)
        for ax, name in zip(axes[1:, column], ("cosine", "own_norm"), strict=True):
            _against(one, name, float(correlations(data, name).sel(task=task)[0]), ax)
            ax.tick_params(labelleft=not column)
    _errors(data, axes[0, -1])
    _name_rows(axes[0, 0])
    for ax, name in zip(axes[1:, -1], ("cosine", "own_norm"), strict=True):
        _over_tasks(correlations(data, name), ax)
        ax.set_ylabel("ρ with the score")
    for row, name in enumerate(("Cosine", "Cosine", "Norm")):
        for ax in axes[row, :-1]:
            ax.set_xlabel(name)
    axes[2, 0].text(
        0.97, 0.03, "clipped", transform=axes[2, 0].transAxes, ha="right", fontsize=6, color=style.GREY
    )
    part.legend(handles=_along(data), loc="upper right", ncols=3, columnspacing=1.2)
    for handles, ax in ((_lines_of_scores(), axes[1, -3]), (_lines_of_tasks(), axes[1, -1])):
        key = ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.05, 1.13), ncols=len(handles))
        key.set_in_layout(False)
    for row in (1, 2):
        axes[row, 0].set_ylabel("Final score\n(fraction correct)")
    style.heading(part, "a", "Alignment with the exact gradient along training")
    _lettered(axes[1, 0], "b", "Score against alignment at update 100")
    _lettered(axes[2, 0], "c", "Score against the norm of the rule's own gradient at update 100")


def _lettered(ax: Axes, letter: str, title: str) -> None:
    """Letter and title of a row of panels, above the titles of its axes."""
    for text, aside, size, weight in ((letter, 0, 9, "bold"), (title, 13.5, 7.5, "normal")):
        ax.annotate(
            text, (0.008, 1), xycoords=("subfigure fraction", "axes fraction"), xytext=(aside, 14),
            textcoords="offset points", va="baseline", ha="left", fontsize=size, fontweight=weight,
            annotation_clip=False,
        ).set_in_layout(False)  # fmt: skip


def _along(data: xr.Dataset) -> list[Line2D]:
    """Marks of the first row."""
    first, last = data["checkpoint"].values[[0, -1]]
    line: dict[str, Any] = {"marker": "o", "ms": 2.4, "mew": 0.7, "lw": 0.9, "color": style.INK}
    return [
        Line2D([], [], mfc="white", label=f"median, update {first}", **line),
        Line2D([], [], label=f"update {last}", **line),
        Line2D([], [], marker="o", ls="", ms=1.5, mew=0, color=style.GREY, label="seed"),
    ]


def _lines_of_scores() -> list[Line2D]:
    return [
        Line2D([], [], color=style.INK, lw=0.7, ls=DOTTED, label="readout alone"),
        Line2D([], [], color=style.GREY, lw=0.8, label="e-prop to rotated BPTT"),
    ]


def _lines_of_tasks() -> list[Line2D]:
    mean = Line2D([], [], color=style.INK, marker="o", ms=3.2, lw=1.0, label="mean")
    return [*(Line2D([], [], lw=0.8, label=name, **shown) for name, shown in KINDS.items()), mean]


def _rows(ax: Axes) -> None:
    """Rows from top to bottom, with faint lines between them."""
    found = heights_of(RULES, GAP)
    ax.set_ylim(max(found.values()) + 0.6, -1.25)
    for height in found.values():
        ax.axhspan(height - 0.42, height + 0.42, color=style.SHADE, lw=0, zorder=-3)
    ax.set_yticks([])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _name_rows(ax: Axes) -> None:
    """Names of rules and their marks, under the names of their groups."""
    found = heights_of(RULES, GAP)
    for rule, height in found.items():
        color, _, mark = RULES[rule]
        ax.plot(
            -0.09, height, mark, color=color, ms=_size(mark), mew=0, clip_on=False,
            transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    names = row_names(found)
    ax.set_yticks([y for y, *_ in names], [name for _, name, *_ in names])
    ax.tick_params(axis="y", pad=9)
    for (*_, color, size), tick in zip(names, ax.get_yticklabels(), strict=True):
        tick.set(color=color, fontsize=size)


def _size(mark: str) -> float:
    return {"P": 4.6, "X": 4.8, "D": 3.1, "s": 3.3}.get(mark, 3.8)


def _cosines(one: xr.Dataset, ax: Axes) -> None:
    """Seeds and medians of every rule at the three updates, one below the other."""
    _rows(ax)
    if one["cosine"].notnull().any():
        ax.axvline(0, color=style.GREY, lw=0.6, zorder=-2)
    aside = np.linspace(-RAISED, RAISED, one.sizes["checkpoint"])
    for rule, height in heights_of(RULES, GAP).items():
        color = RULES[rule][0]
        values = one["cosine"].sel(rule=rule).transpose("checkpoint", "seed").values
        if not np.isfinite(values).any():
            ax.text(0.5, height, "not measured", transform=ax.get_yaxis_transform(), ha="center", va="center",
                    fontsize=6, color=style.GREY)  # fmt: skip
            continue
        y = height + aside
        ax.plot(values, y, "o", ms=1.3, mew=0, color=color, alpha=0.4, zorder=2)
        medians = one["cosine"].sel(rule=rule).median("seed").values
        ax.plot(medians, y, color=color, lw=0.9, zorder=3)
        for k, face in ((0, "white"), (-1, color)):
            ax.plot(medians[k], y[k], "o", ms=2.4, mew=0.7, color=color, mfc=face, zorder=4)
    ax.set_xlim(-0.8, 1.08)
    ax.set_xticks([-0.5, 0, 0.5, 1], ["−.5", "0", ".5", "1"])


def _errors(data: xr.Dataset, ax: Axes) -> None:
    """Systematic error and error by chance of every rule, a point a task."""
    _rows(ax)
    ax.set_xscale("log")
    ax.set_xlim(0.03, 200)
    ax.axvline(1, color=style.GREY, lw=0.6, zorder=-2)
    one = data.isel(checkpoint=0)
    bias, chance = one["bias"].median("seed"), np.sqrt(one["relative_variance"].median("seed"))
    for rule, height in heights_of(RULES, GAP).items():
        color = RULES[rule][0]
        drawn = bool((chance.sel(rule=rule) > 0).any())
        for values, mark, face, y in (
            (bias.sel(rule=rule), "o", color, height - 0.18 * drawn),
            (chance.sel(rule=rule), "D", "white", height + 0.18),
        ):
            there = values.values[np.isfinite(values.values)]
            if not there.size or (mark == "D" and not drawn):
                continue
            if (there < EXACT).all():
                ax.text(0.02, y, "0", transform=ax.get_yaxis_transform(), va="center", color=color)
                continue
            low = ax.get_xlim()[0]
            for shown, shape in ((there[there > low], mark), (there[there <= low], "<")):
                if shown.size:
                    ax.plot(
                        np.maximum(shown, low), [y] * shown.size, shape, ms=2.0, mew=0.5, color=color,
                        mfc=face, ls="", clip_on=False, zorder=3,
                    )  # fmt: skip
            middle = max(float(np.median(there)), low)
            ax.plot([middle] * 2, [y - 0.24, y + 0.24], color=color, lw=1.4, zorder=4)
    ax.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("Error over norm of\nexact gradient")
    ax.set_title("● systematic error\n◇ error by chance", fontsize=6.5, pad=4)


def _against(one: xr.Dataset, name: str, rho: float, ax: Axes) -> None:
    """Scores of rules against a property at the first update."""
    first = one.isel(checkpoint=0)
    x, y = first[name].median("seed"), one["score"].mean("seed")
    if name == "own_norm":
        ax.set_xscale("log")
        ax.set_xlim(1e-3, 1e4)
        ax.axvspan(CLIPPED_AT, 1e4, color=style.SHADE, lw=0, zorder=-3)
        ax.set_xticks([1e-2, 1, 1e2], ["0.01", "1", "100"])
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.set_xlim(-0.8, 1.08)
        ax.set_xticks([-0.5, 0, 0.5, 1], ["−.5", "0", ".5", "1"])
        ax.axvline(0, color=style.GREY, lw=0.6, zorder=-2)
    ax.axhline(float(y.sel(rule=FLOOR)), color=style.INK, lw=0.7, ls=DOTTED, zorder=-1)
    pair = [EPROP, ROTATED]
    ax.plot(x.sel(rule=pair), y.sel(rule=pair), color=style.GREY, lw=0.8, zorder=1)
    for rule, (color, _, mark) in RULES.items():
        ax.plot(
            x.sel(rule=rule), y.sel(rule=rule), mark, color=color, ms=_size(mark), mec="white", mew=0.4,
            zorder=4 if rule == ROTATED else 3, clip_on=False,
        )  # fmt: skip
    ax.set_ylim(-0.02, 1.05)
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    told = f"ρ = {rho:.2f}".replace("-", "−") if np.isfinite(rho) else "no ρ"
    ax.set_title(f"\n{told}", fontsize=6.5, pad=2.5)  # room for the heading of the row


def _over_tasks(found: xr.DataArray, ax: Axes) -> None:
    """Correlations of tasks along training, and their mean."""
    x = np.arange(found.sizes["checkpoint"])
    ax.axhline(0, color=style.GREY, lw=0.6, zorder=-2)
    for task in found["task"].values.tolist():
        shown = KINDS["timing" if ladder(task) in TIMING else "delay"]
        ax.plot(x, found.sel(task=task), lw=0.8, marker=".", ms=2.5, zorder=2, **shown)
    for place in x:
        mean = mean_of(found.isel(checkpoint=place).values)
        ax.plot([place + 0.18] * 2, np.clip([mean.lower, mean.upper], -1, 1), color=style.INK, lw=1.0)
        ax.plot(place + 0.18, mean.value, "o", color=style.INK, ms=3.2, zorder=4)
    ax.set_xlim(-0.3, x[-1] + 0.5)
    ax.set_xticks(x, [f"{update}" for update in found["checkpoint"].values])
    ax.set_ylim(-1.05, 1.05)
    ax.set_yticks([-1, 0, 1], ["−1", "0", "1"])
    ax.set_xlabel("Update")


def _properties(data: xr.Dataset, part: SubFigure) -> None:
    """Mean correlations of properties of gradients with score and loss."""
    axes = part.subplots(1, 2, sharey=True)
    updates = data["checkpoint"].values
    colors = style.ordered_colors(np.arange(len(updates)))
    for ax, outcome, title in zip(axes, ("score", "loss"), ("score", "−loss"), strict=True):
        ax.axvline(0, color=style.GREY, lw=0.6, zorder=-2)
        for row, name in enumerate(PROPERTIES):
            if row % 2 == 0:
                ax.axhspan(row - 0.5, row + 0.5, color=style.SHADE, lw=0, zorder=-3)
            found = correlations(data, name, outcome) * (-1 if outcome == "loss" else 1)
            for place, y in enumerate(row + np.linspace(-0.24, 0.24, len(updates))):
                mean = mean_of(found.isel(checkpoint=place).values)
                ax.plot(np.clip([mean.lower, mean.upper], -1, 1), [y, y], color=colors[place], lw=1.0)
                ax.plot(mean.value, y, "osD"[place % 3], color=colors[place], ms=2.8, mew=0)
        ax.set_xlim(-1, 1)
        ax.set_xticks(list(MINUS), list(MINUS.values()))
        ax.set_xlabel(f"ρ with {title}")
    axes[0].set_ylim(len(PROPERTIES) - 0.5, -0.5)
    axes[0].set_yticks(range(len(PROPERTIES)), list(PROPERTIES.values()))
    for ax in axes:
        ax.tick_params(axis="y", length=0)
    handles = [
        Line2D([], [], color=color, marker=mark, ms=2.8, mew=0, lw=1.0, label=f"update {update}")
        for color, mark, update in zip(colors, "osD", updates, strict=False)
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=3)


def _plateau(data: xr.Dataset, part: SubFigure) -> None:
    """Circuits that BPTT trained, a row a task."""
    ax = part.subplots()
    tasks = data["task"].values.tolist()
    one = data.sel(rule=BPTT).isel(checkpoint=0)
    ax.set_xscale("log")
    for row, task in enumerate(tasks):
        own = one.sel(task=task)
        x, learned = own["gradient_norm"].values, own["learned"].values == 1
        early = learned & (own["met"].values <= data["checkpoint"].values[0])
        y = row + 0.3 * np.linspace(-1, 1, x.size)
        for which, face in ((learned, style.BLUE), (~learned, "white")):
            ax.plot(x[which], y[which], "o", ms=3.0, mew=0.7, color=style.BLUE, mfc=face, ls="", zorder=3)
        ax.plot(x[early], y[early], "o", ms=5.2, mew=0.7, color=style.INK, mfc="none", ls="", zorder=2)
        ax.axhline(row + 0.5, color=style.SHADE, lw=0.8, zorder=-3)
    ax.set_ylim(len(tasks) - 0.5, -0.5)
    ax.set_yticks(range(len(tasks)), [short_of(ladder(task)) for task in tasks])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("Norm of gradient at update 100")
    dot: dict[str, Any] = {"marker": "o", "ls": "", "ms": 3.0, "mew": 0.7, "color": style.BLUE}
    handles = [
        Line2D([], [], label="learned", **dot), Line2D([], [], label="not", mfc="white", **dot),
        Line2D([], [], label="by update 100", **(dot | {"ms": 5.2, "color": style.INK, "mfc": "none"})),
    ]  # fmt: skip
    part.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.0, handletextpad=0.2)


def _displacement(data: xr.Dataset, ax: Axes) -> None:
    """A point a task and rule."""
    one = data.isel(checkpoint=0)
    x, y = (one[name].median("seed") for name in ("cosine", "displacement_cosine"))
    ax.axhline(0, color=style.GREY, lw=0.6, zorder=-2)
    for rule, (color, _, mark) in RULES.items():
        ax.plot(
            x.sel(rule=rule), y.sel(rule=rule), mark, color=color, ms=0.8 * _size(mark), mec="white", mew=0.3,
            ls="", zorder=3,
        )  # fmt: skip
    ax.plot([-0.5, 0.9], [-0.5, 0.9], color=style.FAINT, lw=0.7, ls=(0, (4, 2)), zorder=-1)
    ax.set_xlim(-0.65, 1.08)
    ax.set_ylim(-0.5, 0.9)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([-0.5, 0, 0.5], ["−.5", "0", ".5"])
    ax.set_xticks([-0.5, 0, 0.5, 1], ["−.5", "0", ".5", "1"])
    ax.set_xlabel("Cosine of rule's gradient\nat update 100")
    ax.set_ylabel("Cosine of displacement\nby update 200", labelpad=0)


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
