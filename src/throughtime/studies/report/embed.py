"""Bokeh figures as JSON that is the same whenever it is made, safe inside a page."""

from __future__ import annotations

import json
import math
from typing import Any

from bokeh.core.types import ID
from bokeh.embed import json_item
from bokeh.models import (
    BoxZoomTool,
    DataRange1d,
    FixedTicker,
    HoverTool,
    PanTool,
    ResetTool,
    SaveTool,
    WheelZoomTool,
)
from bokeh.plotting import figure

from throughtime.plotting import style
from throughtime.studies.record import AXES
from throughtime.studies.report.contents import Contents
from throughtime.studies.report.numbers import number

FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
AXIS_SIZE, TICK_SIZE = "12px", "11px"


def as_json(drawn: Any, prefix: str) -> str:
    """One figure as the JSON that ``Bokeh.embed.embed_item`` takes.

    Bokeh numbers its models as they are made in a process; here they are numbered anew, in the order in
    which they stand in the JSON, behind ``prefix``, which must differ between the figures of a page.
    """
    item = json_item(drawn, ID(prefix))
    known: dict[str, str] = {}
    renamed = _renamed(item["doc"], known, prefix)
    return embedded({**item, "doc": renamed, "root_id": known[item["root_id"]]})


def embedded(value: Any) -> str:
    """JSON that can stand inside a ``<script>`` element, whatever its strings hold.

    Example:
        >>> embedded({"label": "</script><b>"})
        '{"label":"\\\\u003c/script\\\\u003e\\\\u003cb\\\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _renamed(value: Any, known: dict[str, str], prefix: str) -> Any:
    if isinstance(value, dict):
        return {
            key: known.setdefault(item, f"{prefix}-{len(known)}")
            if key == "id" and isinstance(item, str)
            else _renamed(item, known, prefix)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, known, prefix) for item in value]
    return value


def plain(text: str) -> str:
    r"""A label without the pairs of signs between which Bokeh would look for mathematics.

    Example:
        >>> plain("a$$b$$"), plain(r"\(x\)"), plain("ready-set-go")
        ('a$\u200b$b$\u200b$', '\\\u200b(x\\\u200b)', 'ready-set-go')
    """
    text = text.replace("$$", "$\u200b$")
    for sign in "()[]":
        text = text.replace(f"\\{sign}", f"\\\u200b{sign}")
    return text


def frame(x: str, y: str = "", **options: Any) -> figure:
    """An empty figure in the look of the page, as wide as its place.

    Args:
        x, y: labels of the axes.
        options: of the figure; ``height`` in pixels.
    """
    options = {"height": 290, "sizing_mode": "stretch_width", "toolbar_location": "above", **options}
    for axis in ("x_range", "y_range"):
        options.setdefault(axis, DataRange1d(only_visible=True))
    drawn = figure(
        tools=[PanTool(), BoxZoomTool(), WheelZoomTool(), ResetTool(), SaveTool()],
        active_drag=None,
        active_scroll=None,
        outline_line_color=None,
        background_fill_color="white",
        border_fill_color="white",
        min_border_right=12,
        output_backend="canvas",
        **options,
    )
    drawn.toolbar.logo = None
    drawn.toolbar.autohide = True
    drawn.xaxis.axis_label, drawn.yaxis.axis_label = x, y or None
    for axis in (*drawn.xaxis, *drawn.yaxis):
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_size, axis.major_label_text_font_size = AXIS_SIZE, TICK_SIZE
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = axis.major_label_text_color = style.INK
        axis.axis_line_color = axis.major_tick_line_color = style.GREY
        axis.minor_tick_line_color = None
    drawn.grid.grid_line_color = "#E8E8E8"
    return drawn


def log_ticks(axis: Any, low: float, high: float) -> None:
    """Ticks of a logarithmic axis with their numbers: 1, 2 and 5 over a few decades, else powers of ten.

    Example:
        >>> drawn = frame("x", y_axis_type="log")
        >>> log_ticks(drawn.yaxis[0], 0.03, 1.2)
        >>> drawn.yaxis[0].ticker.ticks
        [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    every = [float(f"{step}e{power}") for power in range(first, last + 1) for step in steps]
    below = max((tick for tick in every if tick <= low), default=every[0])
    above = min((tick for tick in every if tick >= high), default=every[-1])
    axis.ticker = FixedTicker(ticks=[tick for tick in every if below <= tick <= above])
    axis.major_label_overrides = {tick: number(tick) for tick in axis.ticker.ticks}


def told(contents: Contents) -> list[tuple[str, str]]:
    """Labels under the pointer: task and rule, and what else differs within the study."""
    return [(axis, f"@{axis}") for axis in AXES if axis in ("task", "rule") or axis in contents.varied()]


def hover(rows: list[tuple[str, str]], renderers: list[Any], **options: Any) -> HoverTool:
    """What is told under the pointer; numbers under ``$snap_x``, ``$snap_y`` and ``@value`` in digits."""
    numbers: dict[str, Any] = {"$snap_y": "printf", "@value": "printf"}
    return HoverTool(tooltips=rows, renderers=renderers, formatters=numbers, limit=3, **options)
