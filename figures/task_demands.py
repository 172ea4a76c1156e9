"""Where tasks demand that recurrent weights learn.

    python figures/task_demands.py [RECORD] [OUTPUT_FOLDER]

One row a task, one field for every value of the parameter that makes it harder (a range by its ends; the
task's own value is framed). A field is blue where circuits trained by BPTT meet the criterion and untrained
ones with a fitted readout do not: rules can be compared there. It is grey where an untrained circuit does
as well, vermillion where the trained circuits did not meet the criterion either, and empty where nothing
has been measured yet. The number on its right is what the best untrained circuits reach in the measure of
the last column.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "task_demands"
RECORDS = "evidence/tasks.nc"
GALLERY = True
"""Names of tasks stand where other figures have letters."""

DEMANDING, EASY, UNSOLVED, OPEN = range(4)
COLORS = {DEMANDING: style.BLUE, EASY: style.FAINT, UNSOLVED: style.VERMILLION, OPEN: "white"}
WORDS = {
    DEMANDING: "BPTT learns it, a fitted readout is not enough",
    EASY: "a fitted readout is enough",
    UNSOLVED: "not learned by BPTT here",
    OPEN: "not measured yet",
}


def outcomes(trained: xr.Dataset, ceiling: xr.Dataset) -> np.ndarray:
    """Which of the four outcomes, (task, condition)."""
    update = trained["criterion_update"].values
    ran = update > -2
    learned = (update >= 0).sum(-1) == ran.sum(-1)
    passed = ceiling["ceiling_reached"].values
    known = (passed > -2).any((2, 3))
    enough = (passed == 1).any((2, 3))
    found = np.where(learned, DEMANDING, UNSOLVED)
    found = np.where(enough, EASY, found)
    return np.where(known & (ran.any(-1) | enough), found, OPEN)


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    trained, ceiling = tree["trained"].to_dataset(), tree["ceiling"].to_dataset()
    names, fields = labels(trained["task"]), labels(trained["hardest"])
    measures = labels(trained["criterion"])
    values = np.reshape(labels(trained["value"]), trained["value"].shape)
    found = outcomes(trained, ceiling)
    averages = ceiling["ceiling"].mean("draw").values
    upwards = trained["upwards"].values[:, None] == 1
    with np.errstate(all="ignore"):
        best = np.where(upwards, _reduced(np.nanmax, averages), _reduced(np.nanmin, averages))
    with style.context():
        page = style.figure(style.PAGE_MM, 16.0 + 6.0 * len(names))
        ax = page.subplots()
        for row in range(len(names)):
            for column in range(found.shape[1]):
                if np.isfinite(trained["level"].values[row, column]):
                    _field(ax, row, column, found[row, column], values[row, column], best[row, column])
            own = int(trained["own"].values[row])
            ax.add_patch(Rectangle((own, row), 0.94, 0.88, fill=False, ec=style.INK, lw=1.1, zorder=3))
            bound = f"{measures[row].replace('_', ' ')} {'≥' if upwards[row, 0] else '≤'} "
            bound += f"{float(trained['bound'].values[row]):.3g}"
            ax.text(found.shape[1] + 0.1, row + 0.44, bound, va="center", fontsize=6.5)
        ax.set_xlim(-0.02, found.shape[1] + 1.45)
        ax.set_ylim(len(names), -0.1)
        ax.set_yticks(np.arange(len(names)) + 0.28, names, fontweight="bold")
        for row, field in enumerate(fields):
            ax.annotate(
                field.replace("_", " "), (0.0, row + 0.7), xycoords=("axes fraction", "data"), xytext=(-3, 0),
                textcoords="offset points", ha="right", va="center", fontsize=6.0, color=style.GREY,
            )  # fmt: skip
        ax.set_xticks([])
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        marks = [Rectangle((0, 0), 1, 1, fc=COLORS[kind], ec=style.FAINT, lw=0.5) for kind in WORDS]
        ax.legend(
            marks, WORDS.values(), loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False,
            handlelength=1.0, handleheight=1.0,
        )  # fmt: skip
    return page


def _reduced(function: Any, averages: np.ndarray) -> np.ndarray:
    """Over gains; NaN where nothing was measured."""
    none = np.isnan(averages).all(-1)
    return np.where(none, np.nan, function(np.where(none[..., None], 0.0, averages), axis=-1))


def _field(ax: Axes, row: int, column: int, kind: int, value: str, best: float) -> None:
    """One value of the parameter: its colour, itself, and the ceiling."""
    edge = style.FAINT if kind == OPEN else "none"
    ax.add_patch(Rectangle((column, row), 0.94, 0.88, fc=COLORS[kind], ec=edge, lw=0.5))
    ink = "white" if kind in (DEMANDING, UNSOLVED) else style.INK
    shown = f"{best:{'.2g' if best >= 0.1 else '.1g'}}" if np.isfinite(best) else "–"
    ax.text(column + 0.04, row + 0.44, value, va="center", color=ink, fontsize=6.0, fontweight="bold")
    ax.text(column + 0.91, row + 0.44, shown, va="center", ha="right", color=ink, fontsize=6.0)


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
