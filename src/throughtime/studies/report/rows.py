"""Rows of a figure that filters can find: one source for what looks alike, with its place in the study."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import BooleanFilter, CDSView, ColumnDataSource

from throughtime.studies.report.contents import Contents, Series

PLACES = ("circuit", "rule", "option")


class Rows:
    """Columns of one source: what the caller adds, and of every row its labels, its place and its look."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._columns: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def add(self, task: int, series: Series, **values: Any) -> None:
        """One row of a series."""
        places = {f"{axis}_at": getattr(series, axis) for axis in PLACES}
        named = self._contents.named(task, series)
        for name, value in {**values, **named, **places, "color": series.color, "dash": series.dash}.items():
            self._columns.setdefault(name, []).append(value)

    def draw(self, drawn: Any, glyph: Any, name: str) -> Any:
        """Add them to a figure, each one shown until a filter says otherwise."""
        columns: dict[str, Any] = dict(self._columns)
        for axis in PLACES:
            columns[f"{axis}_at"] = np.asarray(columns[f"{axis}_at"], np.int32)
        view = CDSView(filter=BooleanFilter(booleans=[True] * len(self)))
        return drawn.add_glyph(ColumnDataSource(columns), glyph, view=view, name=name)
