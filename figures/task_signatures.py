"""How trained circuits behave in every task.

    python figures/task_signatures.py [RECORD] [OUTPUT_FOLDER]

One panel a task: the behavioural curve that the task declares as its signature, from held-out trials of three
circuits trained by BPTT to the criterion (thin: circuits, thick: their mean). Where every trial of a task has
the same level, circuits trained at other values of its hardest parameter are drawn with it.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

import throughtime as tt
from throughtime.plotting import SIGNATURES, style
from throughtime.results import labels, load_tree
from throughtime.results.flags import flag_attributes

NAME = "task_signatures"
RECORDS = "evidence/tasks.nc"
GALLERY = True
"""Names of tasks stand where other figures have letters."""
COLUMNS = 5
WIDEST = 20
"""Letters of a title that fit above a panel."""
LINE = 0.25
"""Height of a line of text as a fraction of a panel's height."""
FEWEST_LEVELS = 3
MAY_BE_MISSING = (
    "produced", "reaction_time", "asynchrony", "squared_error", "successive_error", "scale",
    "peak_1", "peak_2", "peak_3", "peak_4", "peak_5",
)  # fmt: skip
"""What a subject may fail to give; panels tell how often."""


def behaviour(group: xr.Dataset, own: int) -> xr.Dataset:
    """Variables (seed, trial) of the task's own value, or of all values where that has too few levels."""
    group = group.drop_vars(("condition", "seed", "trial"), errors="ignore")
    here = np.flatnonzero(group.attrs["places"] == own) if "places" in group.attrs else []
    chosen = group.isel(condition=int(here[0])) if len(here) else group.isel(condition=0)
    first = str(next(iter(group.data_vars)))
    levels = np.unique(chosen[first].values[np.isfinite(chosen[first].values)])
    if len(levels) >= FEWEST_LEVELS or group.sizes["condition"] == 1:
        return chosen
    return group.stack(all_trials=("condition", "trial"), create_index=False).rename(all_trials="trial")


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    trained = tree["trained"].to_dataset()
    own = dict(zip(labels(trained["task"]), trained["own"].values.tolist(), strict=True))
    there = [name for name in own if name in tree.children]
    rows = max(1, math.ceil(len(there) / COLUMNS))
    with style.context():
        page = style.figure(style.PAGE_MM, 31.5 * rows + 4.0)
        axes = np.atleast_2d(page.subplots(rows, COLUMNS))
        for ax in axes.flat[len(there) :]:
            ax.set_visible(False)
        for name, ax in zip(there, axes.flat, strict=False):
            group = tree[name].to_dataset()
            group.attrs["places"] = group["condition"].values
            _panel(behaviour(group, own[name]), ax)
            ax.yaxis.label.set_fontsize(6.0)
            ax.set_title(written(name), fontsize=6.0, fontweight="bold", loc="left", linespacing=1.0)
    return page


def written(name: str) -> str:
    """The name of a task on two lines where it is wider than a panel."""
    if len(name) <= WIDEST:
        return name
    cut = name.rindex("-", 0, WIDEST) + 1
    return f"{name[:cut]}\n{name[cut:]}"


def _panel(data: xr.Dataset, ax: Axes) -> None:
    """The signature's own panel without its numbers, or the reason why there is none."""
    fit = str(data.attrs["fit"])
    arguments = {str(name): array for name, array in data.data_vars.items()}
    for array in arguments.values():
        if "labels" in array.attrs:
            array.attrs |= flag_attributes(str(array.attrs["labels"]).split())
    use = xr.ones_like(next(iter(arguments.values())), dtype=bool)
    for name, array in arguments.items():
        if name not in MAY_BE_MISSING:
            use = use & np.isfinite(array)
    try:
        found = getattr(tt.analysis, fit)(**arguments, where=use)
    except ValueError as error:
        words = str(error).split(";")[0]
        ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", wrap=True, fontsize=6)
        ax.set_axis_off()
        return
    SIGNATURES[fit](found, ax)
    ax.set_box_aspect(None)
    for text in list(ax.texts):  # no room for numbers here; the record has them
        if text.get_color() == style.GREY:
            text.remove()
    _room(ax)


def _room(ax: Axes) -> None:
    """Few ticks, and room above what is drawn for names of lines."""
    names = [label.get_text() for label in ax.get_xticklabels()]
    if not isinstance(ax.xaxis.get_major_locator(), FixedLocator):
        ax.xaxis.set_major_locator(MaxNLocator(3))
    elif max(map(len, names)) > 2:
        turned = {"rotation": 20, "ha": "right", "rotation_mode": "anchor"}
        ax.set_xticks(ax.get_xticks(), names, fontsize=6, **turned)
    legend = ax.get_legend()
    lines = len(legend.get_texts()) if legend else int(bool(ax.texts))
    if not lines:
        return
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
    ax.set_yticks([0.0, 0.5, 1.0] if {0.0, 1.0} <= set(np.round(ticks, 6)) else ticks)
    ax.set_ylim(low, high + LINE * lines * (high - low))
    if legend:
        legend.set_loc("upper left")
        for text in legend.get_texts():
            text.set_fontsize(6)


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
