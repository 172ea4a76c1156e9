"""What each learning rule asks a synapse to sense.

    python figures/locality.py [RECORD] [OUTPUT_FOLDER]

Found by changing one number of a record of a trial after the other and looking which updates move. (a) What
the update of a synapse needs beyond its own two activities and its own weight, and when it is known: at each
step (causal), only with what comes later (future), or with a number at the end of the trial (delayed). Rules
whose name is grey change the synapses of the readout alone. (b) The same opened: which parts of the circuit
the update reads, errors as they are given to neurons and as outputs have them.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "locality"
RECORDS = "evidence/locality.nc"

KNOWN = {"causal": style.GREEN, "future": style.VERMILLION, "delayed": style.BLUE}


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    found = tree["locality"].to_dataset()
    with style.context():
        page = style.figure(style.PAGE_MM, 32.0 + 4.3 * found.sizes["rule"])
        page.get_layout_engine().set(rect=(0.0, 0.0, 1.0, 0.96), w_pad=0.06)
        left, right = page.subplots(1, 2, width_ratios=(1.0, 1.4))
        _matrix(found["senses"], left, style.BLUE, extra=1)
        _known(found["known"], left)
        _names(found, left)
        read = found["reads"]
        _matrix(read.isel(option=np.flatnonzero(read.values.any(0))), right, style.INK)
        right.set_yticks([])
        for ax, letter, title in ((left, "a", "A synapse must sense"), (right, "b", "Its update reads")):
            _heading(page, ax, letter, title)
    return page


def _heading(page: Figure, ax: Axes, letter: str, title: str) -> None:
    """Letter and title on top of the page, above the left edge of the axes."""
    place = blended_transform_factory(ax.transAxes, page.transFigure)
    for shift, words, size, weight in ((0, letter, 9, "bold"), (12, title, 7.5, "normal")):
        ax.annotate(
            words, (0.0, 0.975), xycoords=place, xytext=(shift, 0), textcoords="offset points", fontsize=size,
            fontweight=weight, annotation_clip=False,
        ).set_in_layout(False)  # fmt: skip


def _matrix(marks: xr.DataArray, ax: Axes, color: str, extra: int = 0) -> None:
    """A dot where a rule has what a column stands for; ``extra`` columns are left free behind."""
    rows, columns = marks.shape
    for row in range(0, rows, 2):
        ax.axhspan(row - 0.5, row + 0.5, color=style.SHADE, lw=0, zorder=0)
    row, column = np.nonzero(marks.values)
    ax.plot(column, row, "o", color=color, ms=4.2, mew=0, ls="")
    ax.set_xlim(-0.6, columns + extra - 0.4)
    ax.set_ylim(rows - 0.5, -0.5)
    names = [name.replace("_", " ").replace("W out", "W$_{out}$") for name in labels(marks[marks.dims[1]])]
    ax.set_xticks(range(columns), names, rotation=60, ha="left", rotation_mode="anchor")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    for side in ("left", "bottom", "top"):
        ax.spines[side].set_visible(False)


def _known(known: xr.DataArray, ax: Axes) -> None:
    """When an update is known, in words, behind the last signal."""
    right = ax.get_xlim()[1]
    for row, word in enumerate(labels(known)):
        ax.text(
            right - 0.9, row, word, color=KNOWN.get(word, style.INK), va="center", ha="left", fontsize=6.5
        )
    ax.set_xlim(-0.6, right + 1.6)


def _names(found: xr.Dataset, ax: Axes) -> None:
    names = labels(found["rule"])
    ax.set_yticks(range(len(names)), names)
    for label, synapses in zip(ax.get_yticklabels(), labels(found["synapses"]), strict=True):
        label.set_color(style.GREY if synapses == "readout" else style.INK)


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
