"""Panels of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, end_labels, key, labels, note, plain_log


def gradient_norms(
    measured: xr.Dataset,
    ax: Axes,
    *,
    dim: str = "trial",
    variable: str = "jacobian_norm",
    ordered: xr.DataArray | None = None,
    names: Sequence[str] | None = None,
    colors: Sequence[Any] | None = None,
    styles: Sequence[Any] | None = None,
    at_end: bool = False,
    limits: tuple[float, float] | None = None,
    label: str | None = None,
) -> Axes:
    """Gradient norms on a log axis against lag (or time), one line for each element of a dim.

    A straight line is exponential decay or growth; the dashed line is 1, where the Jacobian neither
    vanishes nor explodes. Up to six lines have a colour and a name each, more share one colour unless they
    are ``ordered``. Norms of 0 have no place on the axis and are counted instead.

    Args:
        measured: what :func:`throughtime.analysis.gradient_norms` returns, reduced to ``dim`` and ``lag``
            or ``time``. ax: axes to draw in.
        dim: whose elements are lines; a dataset without it is one line.
        variable: ``"jacobian_norm"`` (against lag) or ``"loss_gradient_norm"`` (against time).
        ordered: (dim,) with units, a graded condition that colours the lines, with a key.
        names: of the lines; the labels of the coordinate ``dim`` if not given.
        colors, styles: of the lines, in place of the palette and of solid lines.
        at_end: write the names at the right ends of the lines, however many, instead of a legend.
        limits: smallest and largest norm shown, if not all.
        label: y label instead of the long name of the variable.

    Returns:
        ``ax``.

    Raises:
        ValueError: if ``variable`` has a dim beyond these.
    """
    array = measured[variable]
    axis = "lag" if "lag" in array.dims else "time"
    beyond = [str(name) for name in array.dims if name not in (dim, axis)]
    if beyond:
        raise ValueError(
            f"measured: {variable} has dims {array.dims}; select an element of {', '.join(beyond)} or take "
            f"the median over it, or choose another dim than {dim!r} for the lines."
        )
    array = (array if dim in array.dims else array.expand_dims(dim)).transpose(dim, axis)
    values, x = array.values.astype(float), array[axis].values
    shown = np.where((values > 0) & np.isfinite(values), values, np.nan)
    few = (ordered is None and 1 < len(shown) <= len(style.CATEGORICAL)) or at_end
    written = names if names is not None else labels(array[dim]) if few else [""] * len(shown)
    ax.set_yscale("log")
    if variable == "jacobian_norm":
        ax.axhline(1.0, color=style.GREY, lw=0.6, ls=(0, (3, 2)), zorder=1)
    width = 1.2 if at_end or len(shown) <= len(style.CATEGORICAL) else 0.7
    painted = list(colors) if colors is not None else _colors(len(shown), ordered)
    drawn = list(styles) if styles is not None else ["-"] * len(shown)
    for series, color, dashes, name in zip(shown, painted, drawn, written, strict=True):
        ax.plot(x, series, color=color, lw=width, ls=dashes, label=name, zorder=2)
    ax.set_xlim(x[0], x[-1])
    ax.xaxis.set_major_locator(MaxNLocator(5))
    if np.isfinite(shown).any():
        low, high = limits or (float(np.nanmin(shown)) / 1.5, float(np.nanmax(shown)) * 1.5)
        ax.set_ylim(low, high)
        plain_log(ax.yaxis, low, high)
    ax.set_xlabel(axis_label(array[axis], "Time" if axis == "time" else None))
    ax.set_ylabel(label or axis_label(array))
    text = f"n = {len(shown)} {dim.replace('_', ' ')}{'s' if len(shown) != 1 else ''}"
    hidden = int((values == 0).sum())
    text += f"\n{hidden} norms are 0" if hidden else ""
    if at_end:
        ends = [float(series[np.isfinite(series)][-1:].sum()) for series in shown]
        end_labels(ax, ends, written, painted)
        if hidden:
            note(ax, f"{hidden} norms are 0", corner="lower left")
        return ax
    if any(written):
        ax.legend(loc="best", title=text, title_fontsize=6, alignment="left").get_title().set_color(
            style.GREY
        )
        return ax
    rises, falls = _fan(shown)
    note(ax, text, corner="upper left" if rises else "upper right")
    if ordered is not None:
        key(ax, ordered, bounds=(0.06 if falls else 0.58, 0.1, 0.36, 0.04))
    return ax


def _colors(count: int, ordered: xr.DataArray | None) -> list[Any]:
    if ordered is not None:
        return style.ordered_colors(ordered.values)
    return list(style.CATEGORICAL[:count]) if count <= len(style.CATEGORICAL) else [style.BLUE] * count


def _fan(shown: np.ndarray) -> tuple[bool, bool]:
    """Whether the highest line ends above where it began, and the lowest below: which corners are free."""
    there = shown[:, np.isfinite(shown).any(0)]
    if not there.size:
        return False, False
    first, last = there[:, 0], there[:, -1]
    return bool(np.nanmax(last) > np.nanmax(first)), bool(np.nanmin(last) < np.nanmin(first))
