"""Panels of circuits that are interfered with: pulses, and weights of low rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.lines import draw, middle, seed_lines
from throughtime.plotting.marks import axis_label, end_labels, labels, note, number, plain_log

MARKS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "ms": 4.5, "lw": 2.0},
    {"marker": "s", "ms": 2.8, "lw": 1.0, "mfc": "white", "ls": (0, (3, 1.5))},
)
"""Of truncated weights and of the subspace: the second is seen where it lies on the first."""
LEAST = 1e-3
"""Share of the largest deviation below which the axis no longer reaches."""


def perturb(
    measured: xr.Dataset,
    ax: Axes,
    *,
    names: Sequence[str] | None = None,
    colors: Sequence[Any] = style.CATEGORICAL,
) -> Axes:
    """Deviation against time since a pulse on a log axis, with what random directions do behind it.

    A straight line is exponential recovery. Thin lines are seeds, thick ones their median; the band holds
    random directions of the same size, the dashed line is their mean (medians of both over seeds).

    Args:
        measured: what :func:`throughtime.analysis.perturb` returns for pulses, over ``direction``, ``time``
            and perhaps ``seed``. ax: axes to draw in.
        names: of the directions; the labels of the coordinate if not given. colors: of the directions.

    Returns:
        ``ax``.

    Raises:
        ValueError: if there is a dim beyond these, or more directions than colours.
    """
    values = seed_lines(measured["pulse_deviation"], "direction", "time")
    if values.shape[1] > len(colors):
        raise ValueError(
            f"measured: {values.shape[1]} directions, {len(colors)} colours; select some directions."
        )
    begin = float(measured.attrs["pulse_time"])
    dt = float(measured.attrs["dt"])
    since = measured["time"].values > begin - dt / 2
    going = np.isfinite(values).any((0, 1))
    since = since & going if (since & going).any() else since  # padding after all trials has no deviation
    time = measured["time"].values[since]
    time = time - time[0]
    null = [
        middle(seed_lines(measured[f"null_pulse_deviation{end}"], "time"))[since]
        for end in ("", "_lower", "_upper")
    ]
    shown = np.where(values > 0, values, np.nan)[..., since]
    there = np.concatenate([np.ravel(shown), *null])
    there = there[np.isfinite(there) & (there > 0)]
    high = float(np.max(there)) if there.size else 1.0
    low = max(LEAST * high, float(np.min(there, initial=high)))
    ax.set_yscale("log")
    ax.fill_between(
        time, np.maximum(null[1], low / 10), null[2], color=style.FAINT, alpha=0.5, lw=0, zorder=0
    )
    ax.plot(time, null[0], color=style.GREY, lw=0.9, ls=(0, (4, 2)), zorder=1)
    written = list(names) if names is not None else labels(measured["direction"])
    ends = [
        draw(ax, time, shown[:, k], color)[-1]
        for k, color in zip(range(values.shape[1]), colors, strict=False)
    ]
    ax.set_xlim(0, time[-1])
    ax.set_ylim(low / 1.3, high * 1.6)
    plain_log(ax.yaxis, low / 1.3, high * 1.6)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    end_labels(ax, [*ends, null[0][-1]], [*written, "random"], [*colors[: len(ends)], style.GREY])
    ax.set_xlabel(axis_label(measured["time"], "Time since the pulse"))
    ax.set_ylabel("Deviation from the run\nwithout a pulse")
    draws = measured.sizes["draw"]
    note(ax, f"{number(measured['pulse_deviation'])}\n{draws} random directions", corner="lower left")
    return ax


def lowrank_view(
    measured: xr.Dataset,
    ax: Axes,
    *,
    colors: Sequence[Any] = (style.BLUE, style.VERMILLION),
    names: Sequence[str] = ("truncated\nweights", "state in\nsubspace"),
) -> Axes:
    """Share of the task's performance kept against the number of ranks that are.

    One line is with truncated weights, the other with the whole weights and the state kept in the subspace
    of as many directions and the inputs. Thin lines are seeds, thick ones their median.

    Args:
        measured: what :func:`throughtime.analysis.lowrank_view` returns, over ``rank`` and perhaps ``seed``.
        ax: axes to draw in.
        colors, names: of truncated weights and of the subspace.

    Returns:
        ``ax``.

    Raises:
        ValueError: if there is a dim beyond these.
    """
    rank = measured["rank"].values
    ax.axhline(1.0, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
    both = [seed_lines(measured[name], "rank") for name in ("performance_share", "reduced_share")]
    medians = [
        draw(ax, rank, values, color, **marks)
        for values, color, marks in zip(both, colors, MARKS, strict=True)
    ]
    ends = [float(each[np.isfinite(each)][-1:].sum()) for each in medians]
    low = min(0.0, float(np.nanmin(medians, initial=0.0)))
    ax.set_ylim(max(low, -1.0) - 0.06, max(1.12, 1.06 * float(np.nanmax(medians, initial=1.0))))
    ax.set_xlim(rank[0] - 0.02 * rank[-1], rank[-1] * 1.02)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    end_labels(ax, ends, names, list(colors), gap=0.13)
    ax.set_xlabel(axis_label(measured["rank"]))
    ax.set_ylabel("Share of the performance kept")
    text = number(measured["performance_share"])
    failed = int((seed_lines(measured["rank_status"], "rank") != 0).any(1).sum())
    text += f"\n{failed} diverged or refused" if failed else ""
    away = int(sum((values < ax.get_ylim()[0]).any(1).sum() for values in both))
    text += f"\n{away} lines leave the axes" if away else ""
    note(ax, text, corner="lower right", multialignment="right")
    return ax
