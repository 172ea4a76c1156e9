"""Panels of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, by_seed, end_labels, key, labels, note, number, plain_log

MEASURES = {"cosine": "Cosine with exact gradient", "signal_to_noise": "Signal-to-noise ratio"}
"""Short names of measures, for axes."""


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


def compare_gradients(
    measured: xr.Dataset,
    ax: Axes,
    *,
    variable: str = "cosine",
    block: str = "all",
    names: Sequence[str] | None = None,
    color: Any = style.BLUE,
    label: str | None = None,
) -> Axes:
    """A measure of the gradients of several rules, one row a rule.

    Dots are seeds where there are seeds, the large one their median; a bar is the interval over draws. A
    signal-to-noise ratio is drawn on a log axis, and one that is infinite (a rule without chance) as a
    triangle at the right edge.

    Args:
        measured: what ``tt.compare_gradients`` returns, or such datasets along a dim ``seed``.
        ax: axes to draw in.
        variable: over ``rule`` and ``block``, such as ``"cosine"`` or ``"signal_to_noise"``. block: which.
        names: of the rules; their labels if not given. color: of the marks.
        label: x label instead of the variable's own.

    Returns:
        ``ax``.

    Raises:
        ValueError: for a block that is not there.
    """
    known = labels(measured["block"])
    if block not in known:
        raise ValueError(f"block: no {block!r}; there are {', '.join(known)}.")
    picked = measured.isel(block=known.index(block))
    values = by_seed(picked[variable]).transpose("rule", "seed").values.astype(float)
    if variable == "signal_to_noise":
        ax.set_xscale("log")
        _log_limits(ax, values)
    else:
        finite = values[np.isfinite(values)]
        ax.set_xlim(float(np.min(finite, initial=0.0)) - 0.03, float(np.max(finite, initial=1.0)) + 0.05)
        ax.axvline(0.0, color=style.GREY, lw=0.6, zorder=0)
    low, high = ax.get_xlim()
    for row, each in enumerate(values):
        endless = np.isposinf(each)
        there = np.isfinite(each) & (each > 0 if variable == "signal_to_noise" else True)
        if len(each) > 1:
            ax.plot(each[there], np.full(there.sum(), row), "o", color=color, ms=2.5, mew=0, alpha=0.35)
        elif f"{variable}_lower" in picked and there.any():
            bounds = [float(picked[f"{variable}_{end}"].squeeze()[row]) for end in ("lower", "upper")]
            ax.plot(np.clip(bounds, low, high), (row, row), color=color, lw=1.0, zorder=1)
        if endless.any():
            ax.plot(high, row, ">", color=color, ms=4.5, mew=0, clip_on=False, zorder=4)
        elif there.any():
            ax.plot(np.median(each[there]), row, "o", color=color, ms=4.5, mec="white", mew=0.5, zorder=3)
    ax.set_yticks(range(len(values)), labels(picked["rule"]) if names is None else list(names))
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(label or axis_label(measured[variable], MEASURES.get(variable)))
    text = number(picked[variable]) if "seed" in picked[variable].dims else _draws(picked)
    ax.text(1, 1.01, text, transform=ax.transAxes, ha="right", va="bottom", fontsize=6, color=style.GREY)
    return ax


def _draws(measured: xr.Dataset) -> str:
    """How many draws the rules with chance had, and that nothing else varies."""
    most = int(measured["num_draws"].max()) if "num_draws" in measured else 1
    return f"n = 1 circuit, {most} draws" if most > 1 else "n = 1 circuit"


def _log_limits(ax: Axes, values: np.ndarray) -> None:
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size:
        low, high = float(positive.min()) / 3, float(positive.max()) * 3
        ax.set_xlim(low, high)
        plain_log(ax.xaxis, low, high)


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
