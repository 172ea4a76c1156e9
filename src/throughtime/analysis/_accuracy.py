"""Accuracy by level of datasets; see :mod:`throughtime.analysis.arrays.accuracy`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import accuracy as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, bin_edges

_LEVEL = ("condition",)


def accuracy(
    level: xr.DataArray,
    correct: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    confidence: float = 0.95,
) -> xr.Dataset:
    """Fraction correct by level of a condition with Wilson intervals, seed by seed.

    See :func:`throughtime.analysis.arrays.accuracy.accuracy`. Bins of a continuous condition are common
    to all seeds; ``level`` keeps its units and long name.

    Args:
        level: (…, trial) the condition. correct: (…, trial) boolean.
        where: (…, trial) trials to use. num_bins, binning, confidence: see the array function.

    Returns:
        Dataset: ``level, fraction_correct, lower, upper, num_trials`` (…, condition), ``overall, worst`` (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> delay = xr.DataArray([500.0, 500.0, 1000.0, 1000.0], dims="trial", attrs={"units": "ms"})
        >>> result = accuracy(delay, xr.DataArray([1, 1, 1, 0], dims="trial"))
        >>> result.fraction_correct.values, result.level.attrs["units"]
        (array([1. , 0.5]), 'ms')
    """
    mask = trial_mask(where, level)
    values = pooled(level, mask)
    arrays.accuracy(values, pooled(correct, mask), num_bins=num_bins, binning=binning, confidence=confidence)
    edges = bin_edges(values, num_bins, binning)

    def one(of: np.ndarray, right: np.ndarray, use: np.ndarray) -> tuple[object, ...]:
        return tuple(arrays.estimate(of[use].astype(float), right[use].astype(float), edges, confidence))

    units = str(level.attrs.get("units", "1"))
    name = str(level.attrs.get("long_name", level.name or "level"))
    fields = {
        "level": Field(_LEVEL, units, name),
        "fraction_correct": Field(_LEVEL, "1", "fraction correct"),
        "lower": Field(_LEVEL, "1", "lower Wilson bound"),
        "upper": Field(_LEVEL, "1", "upper Wilson bound"),
        "num_trials": Field(_LEVEL, "1", "trials"),
        "overall": Field((), "1", "fraction correct of all trials"),
        "worst": Field((), "1", "fraction correct at the worst level"),
    }
    return apply(
        one,
        (level, correct, mask),
        [("trial",)] * 3,
        fields,
        method="accuracy",
        parameters={"num_bins": num_bins, "binning": binning, "confidence": confidence},
    )
