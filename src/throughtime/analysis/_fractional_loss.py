"""Fractional loss by level of datasets; see :mod:`throughtime.analysis.arrays.fractional_loss`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import fractional_loss as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, bin_edges

_LEVEL = ("condition",)


def fractional_loss(
    level: xr.DataArray,
    excess: xr.DataArray,
    reference: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    confidence: float = 0.95,
) -> xr.Dataset:
    """Fractional loss Σ excess / Σ reference by level of a condition, seed by seed.

    See :func:`throughtime.analysis.arrays.fractional_loss.fractional_loss`. Bins of a continuous condition
    are common to all seeds; ``level`` keeps its units and long name. Trials without a finite loss are left
    out and counted in ``fraction_missing``.

    Args:
        level: (…, trial) the condition. excess, reference: (…, trial).
        where: (…, trial) trials to use. num_bins, binning, confidence: see the array function.

    Returns:
        Dataset: ``level, loss, lower, upper, num_trials`` (…, condition), ``fractional_loss, worst,
        fraction_missing`` (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> delay = xr.DataArray([500.0, 500.0, 1000.0, 1000.0], dims="trial", attrs={"units": "ms"})
        >>> excess = xr.DataArray([0.0, 1.0, 2.0, 1.0], dims="trial")
        >>> result = fractional_loss(delay, excess, xr.full_like(excess, 2.0))
        >>> result.loss.values, result.level.attrs["units"]
        (array([0.25, 0.75]), 'ms')
    """
    asked = trial_mask(where, level)
    mask = trial_mask(asked, excess, reference)
    values = pooled(level, mask)
    arrays.fractional_loss(
        values,
        pooled(excess, mask),
        pooled(reference, mask),
        num_bins=num_bins,
        binning=binning,
        confidence=confidence,
    )
    edges = bin_edges(values, num_bins, binning)

    def one(
        of: np.ndarray, lost: np.ndarray, measure: np.ndarray, use: np.ndarray, wanted: np.ndarray
    ) -> tuple[object, ...]:
        chosen, beyond, by = (each[use].astype(float) for each in (of, lost, measure))
        missing = 1 - use.sum() / wanted.sum() if wanted.any() else np.nan
        return (*arrays.estimate(chosen, beyond, by, edges, confidence), missing)

    units = str(level.attrs.get("units", "1"))
    name = str(level.attrs.get("long_name", level.name or "level"))
    fields = {
        "level": Field(_LEVEL, units, name),
        "loss": Field(_LEVEL, "1", "fractional loss"),
        "lower": Field(_LEVEL, "1", "lower bound of the fractional loss"),
        "upper": Field(_LEVEL, "1", "upper bound of the fractional loss"),
        "num_trials": Field(_LEVEL, "1", "trials"),
        "fractional_loss": Field((), "1", "fractional loss of all trials"),
        "worst": Field((), "1", "fractional loss at the worst level"),
        "fraction_missing": Field((), "1", "fraction of trials without a finite loss"),
    }
    return apply(
        one,
        (level, excess, reference, mask, asked),
        [("trial",)] * 5,
        fields,
        method="fractional_loss",
        parameters={"num_bins": num_bins, "binning": binning, "confidence": confidence},
    )
