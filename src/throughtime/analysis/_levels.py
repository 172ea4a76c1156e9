"""Trials grouped by a graded condition, and the seed an example is shown from."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import pooled, trial_mask
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, assign, bin_edges, level_means


def levels(
    values: xr.DataArray,
    *,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    where: xr.DataArray | None = None,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Level of each trial, and the mean of the condition at each level.

    See :func:`throughtime.analysis.arrays.levels.bin_edges`; bins are common to all seeds.

    Args:
        values: (…, trial). num_bins, binning: how continuous values are split. where: trials to use.

    Returns:
        (…, trial) integer level, −1 for trials left out; (condition,) mean over the trials of all seeds.

    Example:
        >>> index, centre = levels(xr.DataArray([400.0, 800.0, 400.0], dims="trial"))
        >>> index.values, centre.values
        (array([0, 1, 0]), array([400., 800.]))
    """
    mask = trial_mask(where, values)
    used = pooled(values, mask)
    edges = bin_edges(used, num_bins, binning)
    index = xr.where(mask, xr.apply_ufunc(assign, values, kwargs={"edges": edges}), -1)
    centre = level_means(assign(used, edges), used, len(edges) + 1)
    coordinate = xr.DataArray(np.arange(centre.size), dims="condition", attrs={"units": "1"})
    return index, xr.DataArray(
        centre, dims="condition", coords={"condition": coordinate}, attrs=dict(values.attrs), name=values.name
    )


def example_seed(training: xr.Dataset) -> int:
    """Position of the seed to show examples from: the median learner, never the best.

    Among seeds that reached the criterion, the one with the median number of updates to it; if none did,
    among seeds that did not diverge, the one with the median last score.

    Args:
        training: ``status``, ``criterion_update`` (seed,) and ``score`` (seed, update).

    Raises:
        ValueError: if every seed diverged.

    Example:
        >>> example_seed(xr.Dataset({
        ...     "status": ("seed", [0, 0, 0, 2]), "criterion_update": ("seed", [300, 100, 200, -1]),
        ... }))
        2
    """
    status = training["status"].values
    reached = np.flatnonzero(status == 0)
    if reached.size:
        order = np.argsort(training["criterion_update"].values[reached], kind="stable")
        return int(reached[order[(reached.size - 1) // 2]])
    alive = np.flatnonzero(status != 2)
    if not alive.size:
        raise ValueError(f"training: all {status.size} seeds diverged; there is no trained circuit to show.")
    final = np.array(
        [_last(series) for series in training["score"].transpose("seed", "update").values[alive]]
    )
    order = np.argsort(np.where(np.isfinite(final), final, -np.inf), kind="stable")
    return int(alive[order[(alive.size - 1) // 2]])


def _last(series: np.ndarray) -> float:
    there = series[np.isfinite(series)]
    return float(there[-1]) if there.size else np.nan
