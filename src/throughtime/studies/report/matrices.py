"""Similarity matrices: how far circuits are from each other, seeds of a label side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from bokeh.models import BasicTicker, ColumnDataSource, LinearColorMapper, Range1d
from bokeh.models.annotations import ColorBar, Span
from bokeh.palettes import Cividis256

from throughtime.plotting import style
from throughtime.results import labels
from throughtime.studies.report import embed
from throughtime.studies.report.contents import Contents
from throughtime.studies.report.curves import _label

SQUARE = ("run", "other_run")
MOST = 120
"""Circuits of a matrix; of more, the medians between labels are drawn."""
WIDEST = 640


@dataclass(frozen=True)
class Matrix:
    """A square of distances.

    Attributes:
        title: what is measured, and of which task if there are several. label: with units.
        values: (circuit, circuit), NaN where refused. names: of the circuits. groups: name of the label and
            number of circuits of each block, in order.
        task: place of the task, None if it is of all.
        medians: whether entries are medians over pairs of seeds.
    """

    title: str
    label: str
    values: np.ndarray
    names: list[str]
    groups: list[tuple[str, int]]
    task: int | None
    medians: bool = False


def matrices(contents: Contents) -> Iterator[Matrix]:
    """Every variable of the record over pairs of circuits, in groups ``/distances`` and ``/measures``."""
    for path in sorted(contents.tree.groups):
        if path.strip("/").partition("/")[0] not in ("distances", "measures"):
            continue
        dataset = contents.group(path)
        if dataset is None:
            continue
        for name in sorted(map(str, dataset.data_vars)):
            array = dataset[name]
            if set(SQUARE) <= set(map(str, array.dims)) <= {*SQUARE, "task"} and array.dtype.kind == "f":
                yield from _of_variable(dataset, array, contents)


def _of_variable(dataset: xr.Dataset, array: xr.DataArray, contents: Contents) -> Iterator[Matrix]:
    tasks = labels(array["task"]) if "task" in array.dims else [None]
    for index, task in enumerate(tasks):
        one = array if task is None else array.isel(task=index)
        values = one.transpose(*SQUARE).values.astype(float)
        groups, names = _names(dataset)
        order = np.argsort([list(dict.fromkeys(groups)).index(group) for group in groups], kind="stable")
        values = values[np.ix_(order, order)]
        if not np.isfinite(values[~np.eye(len(values), dtype=bool)]).any():
            continue
        place = contents.names["task"].index(task) if task in contents.names["task"] else None
        title = str(array.attrs.get("long_name", array.name))
        blocks = [(group, groups.count(group)) for group in dict.fromkeys(groups)]
        made = Matrix(title, _label(array), values, [names[k] for k in order], blocks, place)
        yield made if len(values) <= MOST else _of_labels(made)


def _names(dataset: xr.Dataset) -> tuple[list[str], list[str]]:
    """Label of every circuit, and its name with its seed."""
    groups = labels(dataset["label"] if "label" in dataset else dataset["run"])
    replicate = dataset.get("replicate", dataset.get("run_seed"))
    if replicate is None:
        return groups, groups
    seeds = replicate.values.astype(int).tolist()
    told = [f", seed {seed}" if seed >= 0 else "" for seed in seeds]
    return groups, [f"{group}{seed}" for group, seed in zip(groups, told, strict=True)]


def _of_labels(matrix: Matrix) -> Matrix:
    """Medians over pairs of circuits; within a label over pairs of different ones."""
    ends = np.cumsum([0, *(size for _, size in matrix.groups)])
    blocks = [slice(first, last) for first, last in pairwise(ends)]
    values = np.where(np.eye(len(matrix.values), dtype=bool), np.nan, matrix.values)
    table = np.full((len(blocks), len(blocks)), np.nan)
    for row, one in enumerate(blocks):
        for column, other in enumerate(blocks):
            block = values[one, other]
            if np.isfinite(block).any():
                table[row, column] = np.nanmedian(block)
    names = [name for name, _ in matrix.groups]
    groups = [(name, 1) for name in names]
    return Matrix(matrix.title, matrix.label, table, names, groups, matrix.task, medians=True)


def panel(matrix: Matrix) -> Any:
    """The figure of a matrix."""
    size = len(matrix.values)
    shown = matrix.values.copy()
    if not matrix.medians:
        np.fill_diagonal(shown, np.nan)
    finite = shown[np.isfinite(shown)]
    colors = LinearColorMapper(
        palette=Cividis256,
        low=min(0.0, float(finite.min())),
        high=float(finite.max()) if finite.max() > min(0.0, finite.min()) else 1.0,
        nan_color="#FFFFFF",
    )
    drawn = embed.frame(
        "",
        x_range=Range1d(start=-0.5, end=size - 0.5),
        y_range=Range1d(start=size - 0.5, end=-0.5),
        height=460,
        sizing_mode="stretch_width",
        max_width=WIDEST,
    )
    drawn.grid.visible = False
    rows, columns = (place.ravel() for place in np.indices(shown.shape))
    own = (rows == columns) & (not matrix.medians)
    source = ColumnDataSource(
        {
            "x": columns[~own].astype(np.int32),
            "y": rows[~own].astype(np.int32),
            "value": shown[rows[~own], columns[~own]].astype(np.float32),
            "one": [matrix.names[row] for row in rows[~own]],
            "other": [matrix.names[column] for column in columns[~own]],
        }
    )
    lost = ~np.isfinite(shown[rows, columns]) & ~own
    crossed = ColumnDataSource({"x": columns[lost].astype(np.int32), "y": rows[lost].astype(np.int32)})
    squares = drawn.rect(
        "x", "y", width=1, height=1, source=source, line_color=None,
        fill_color={"field": "value", "transform": colors}, name="distances",
    )  # fmt: skip
    if lost.any():
        drawn.rect(
            "x", "y", width=1, height=1, source=crossed, line_color=None, fill_color=style.SHADE,
            hatch_pattern="/", hatch_color=style.FAINT, hatch_scale=6, name="refused",
        )  # fmt: skip
    edges = np.cumsum([0, *(count for _, count in matrix.groups)])
    for edge in edges[1:-1]:
        for dimension in ("width", "height"):
            line = Span(location=float(edge) - 0.5, dimension=dimension, line_color="white", line_width=2)
            drawn.add_layout(line)
    middles = [float(first + last - 1) / 2 for first, last in pairwise(edges)]
    written: Any = {
        middle: embed.plain(name) for middle, (name, _) in zip(middles, matrix.groups, strict=True)
    }
    for axis in (drawn.xaxis, drawn.yaxis):
        axis.ticker = middles
        axis.major_label_overrides = written
        axis.major_tick_line_color = axis.axis_line_color = None
    drawn.xaxis.major_label_orientation = 0.6
    bar = ColorBar(
        color_mapper=colors, title=matrix.label, ticker=BasicTicker(desired_num_ticks=5), width=12,
        label_standoff=6, border_line_color=None, title_text_font=embed.FONT, title_text_font_size="12px",
        title_text_font_style="normal", major_label_text_font=embed.FONT, major_label_text_font_size="11px",
    )  # fmt: skip
    drawn.add_layout(bar, "right")
    told = [("", "@one"), ("and", "@other"), (matrix.label.lower(), "@value{%.4g}")]
    drawn.add_tools(embed.hover(told, [squares], mode="mouse"))
    return drawn
