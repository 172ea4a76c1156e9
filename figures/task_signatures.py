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

import throughtime as tt
from throughtime.plotting import SIGNATURES, style
from throughtime.results import labels, load_tree
from throughtime.results.flags import flag_attributes

NAME = "task_signatures"
RECORDS = "evidence/tasks.nc"
GALLERY = True
"""Names of tasks stand where other figures have letters."""
COLUMNS = 4
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
            size = 6.0 if len(name) < 24 else 5.2
            ax.set_title(name, fontsize=size, fontweight="bold", loc="left")
    return page


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


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
