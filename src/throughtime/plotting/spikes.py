"""Panels of spiking circuits with the weights of rate circuits."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, by_seed, end_labels, epochs, labels, note

TRANSFERRED = "transferred"


def spike_raster(
    found: xr.Dataset,
    ax: Axes,
    *,
    seed: int | None = None,
    trial: int = 0,
    order: np.ndarray | None = None,
    colors: tuple[Any, ...] = (style.BLUE, style.VERMILLION),
    name_epochs: bool = True,
    width_mm: float | None = None,
) -> Axes:
    """Spikes of all units in one trial: a row a unit, a tick a spike, epochs shaded.

    Units with cell types stand together by type, the first above, each type in its colour and named.

    Args:
        found: what :func:`throughtime.spiking.transfer` returns. ax: axes to draw in.
        seed: label; the first that has spikes by default. trial: label.
        order: units from the top to the bottom; by cell type, then by label, by default.
        colors: of cell types.
        name_epochs: whether their names are written. width_mm: of the axes, if known: epochs too short for
            their names then have none.

    Returns:
        ``ax``.
    """
    seed = _first(found) if seed is None else seed
    here = (found["spike_seed"].values == seed) & (found["spike_trial"].values == trial)
    units = found["unit"].values
    types = found["cell_type"].values if "cell_type" in found.coords else np.zeros(len(units), int)
    rows = units[np.argsort(types, kind="stable")] if order is None else np.asarray(order)
    place = dict(zip(rows.tolist(), range(len(rows)), strict=True))
    height = np.array([place[unit] for unit in found["spike_unit"].values[here].tolist()], float)
    kinds = dict(zip(units.tolist(), types.tolist(), strict=True))
    kind = np.array([kinds[unit] for unit in found["spike_unit"].values[here].tolist()], int)
    time = found["spike_time"].values[here]
    dt = float(found["time"][1] - found["time"][0])
    ax.set_xlim(float(found["time"][0]) - dt / 2, float(found["time"][-1]) + dt / 2)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    for code in np.unique(types):
        drawn = kind == code
        ax.vlines(
            time[drawn], height[drawn] - 0.45, height[drawn] + 0.45, color=colors[code % len(colors)],
            lw=0.6, zorder=3,
        )  # fmt: skip
    if "cell_type" in found.coords and order is None:
        named = dict(zip(types.tolist(), labels(found["cell_type"]), strict=True))
        for code, name in sorted(named.items()):
            middle = np.mean([place[unit] for unit, one in kinds.items() if one == code])
            ax.text(
                1.01, 1 - (middle + 0.5) / len(rows), name, transform=ax.transAxes, rotation=270, ha="left",
                va="center", fontsize=6, color=colors[code % len(colors)],
            )  # fmt: skip
    _shade(found, ax, seed, trial, name_epochs, width_mm)
    ax.set_xlabel("Time in trial (ms)")
    ax.set_ylabel("Unit")
    ax.set_yticks([0, len(rows) - 1], ["1", str(len(rows))])
    return ax


def transfer_accuracy(
    found: xr.Dataset,
    ax: Axes,
    *,
    variable: str = "accuracy",
    color: Any = style.BLUE,
    level: float | None = 0.95,
) -> Axes:
    """Accuracy of the spiking circuits against 1/λ: seeds behind their median, a ring at each seed's best.

    Args:
        found: what :func:`throughtime.spiking.transfer` returns. ax: axes to draw in.
        variable: ``accuracy`` or ``mean_rate`` (parameter,) of each seed.
        color: of the median and of the rings.
        level: an accuracy to reach, dashed; None for none, and none for another variable.

    Returns:
        ``ax``.
    """
    values = by_seed(found[variable]).transpose("seed", "parameter")
    tried = values.values[np.isfinite(values.values).all(1)]
    best = np.atleast_1d(found["best_inverse_lambda"].values)[np.isfinite(values.values).all(1)]
    order = np.argsort(found["parameter"].values)
    grid = found["parameter"].values[order]
    for series, chosen in zip(tried[:, order], best, strict=True):
        ax.plot(grid, series, color=style.FAINT, lw=0.7, zorder=1)
        ax.plot(
            chosen,
            series[grid == chosen],
            "o",
            ms=3.6,
            mfc="none",
            mec=color,
            mew=0.8,
            zorder=4,
            clip_on=False,
        )
    if len(tried):
        ax.plot(grid, np.median(tried[:, order], axis=0), color=color, lw=1.4, zorder=3)
    if variable == "accuracy":
        ax.set_ylim(0.0, 1.04)
        if level is not None:
            ax.axhline(level, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=0)
    else:
        ax.set_ylim(0.0, 1.08 * max(tried.max(initial=0.0), 1.0))
    ax.set_xlabel("1/λ (Hz)")
    ax.set_ylabel("Fraction correct" if variable == "accuracy" else axis_label(found[variable]))
    count = len(values)
    text = f"n = {len(tried)} seed{'s' if len(tried) != 1 else ''}"
    note(ax, text + (f"\n{count - len(tried)} of {count} refused" if len(tried) < count else ""))
    return ax


def rates_against_spikes(
    found: xr.Dataset,
    ax: Axes,
    *,
    seed: int | None = None,
    trial: int = 0,
    unit: int | None = None,
    output: int = 0,
    colors: tuple[Any, Any] = (style.BLUE, style.VERMILLION),
    name_epochs: bool = True,
    width_mm: float | None = None,
    name_lines: bool = True,
) -> Axes:
    """One output of the rate circuit and of the spiking one in the same trial, or what one unit sends out.

    Args:
        found: what :func:`throughtime.spiking.transfer` returns. ax: axes to draw in.
        seed: label; the first that has spikes by default. trial: label.
        unit: draw the rate of this unit, and λ times its filtered spikes; an output by default.
        output: which one; its target is dashed.
        colors: of rates and of spikes.
        name_epochs: whether their names are written. name_lines: likewise. width_mm: of the axes, if known:
            epochs too short for their names then have none.

    Returns:
        ``ax``.
    """
    seed = _first(found) if seed is None else seed
    one = found.sel(seed=seed, trial=trial)
    time = found["time"].values
    dt = float(time[1] - time[0])
    if unit is None:
        pair = [one[name].sel(output=output) for name in ("outputs", "spiking_outputs")]
        ax.plot(time, one["targets"].sel(output=output), color=style.GREY, lw=0.9, ls=(0, (4, 2)), zorder=2)
        ax.set_ylabel("Output")
    else:
        pair = [one[name].sel(unit=unit) for name in ("rates", "spiking_rates")]
        ax.set_ylabel(f"Rate of unit {unit}")
    for values, color, depth in zip(pair, colors, (4, 3), strict=True):
        ax.plot(time + dt / 2, values, color=color, lw=1.0, zorder=depth)  # states at the ends of bins
    ax.set_xlim(time[0] - dt / 2, time[-1] + dt / 2)
    ax.set_xlabel("Time in trial (ms)")
    _shade(found, ax, seed, trial, name_epochs, width_mm)
    if name_lines:
        end_labels(ax, [float(values[-1]) for values in pair], ["rates", "spikes"], list(colors), gap=0.12)
    return ax


def _first(found: xr.Dataset) -> int:
    """The first seed that has spikes, or else the first."""
    meanings = labels(found["transfer_status"]) if "transfer_status" in found else []
    seeds = np.atleast_1d(found["seed"].values).tolist()
    done = [seed for seed, status in zip(seeds, meanings, strict=False) if status == TRANSFERRED]
    with_spikes = [seed for seed in seeds if (found["spike_seed"].values == seed).any()]
    return int((done or with_spikes or seeds)[0])


def _shade(found: xr.Dataset, ax: Axes, seed: int, trial: int, named: bool, width_mm: float | None) -> None:
    edges = found[["epoch_onset", "epoch_offset"]].sel(seed=seed, trial=trial)
    epochs(edges, ax, min_label=0.09 if named else np.inf, width_mm=width_mm if named else None)
