"""Angular errors of datasets; see :mod:`throughtime.analysis.arrays.circular_error`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import circular_error as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, bin_edges

_LEVEL = ("condition",)


def circular_error(
    level: xr.DataArray,
    error: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    confidence: float = 0.95,
    num_resamples: int = 0,
    random_seed: int = 0,
) -> xr.Dataset:
    """Circular SD and bias of angular errors by level of a condition, and the slope of their variance.

    Definitions are those of :func:`throughtime.analysis.arrays.circular_error.circular_error`. Bins of a
    continuous condition are common to all seeds; a seed without two answers at any level is NaN, with
    ``fit_status`` 1.

    Args:
        level: (…, trial) the condition, a delay in ms say. error: (…, trial) rad, NaN without an answer.
        where: (…, trial) trials to use.
        num_bins, binning, confidence, num_resamples, random_seed: see the array function.

    Returns:
        Dataset: ``level, sd, mean, num_trials, missing`` (…, condition) and scalars (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> delay = xr.DataArray(np.repeat([1000.0, 2000.0], 2), dims="trial", attrs={"units": "ms"})
        >>> result = circular_error(delay, xr.DataArray([0.3, -0.1, 0.5, -0.3], dims="trial"))
        >>> result.sd.values.round(2), result.slope.attrs["units"]
        (array([0.29, 0.6 ]), '1/ms')
    """
    mask = trial_mask(where, level)
    values = pooled(level, mask)
    edges = bin_edges(values, num_bins, binning)
    arrays.circular_error(values, pooled(error, mask), edges=edges, confidence=confidence)

    def one(of: np.ndarray, made: np.ndarray, use: np.ndarray) -> tuple[object, ...]:
        result = arrays.estimate(
            of[use].astype(float), made[use].astype(float), edges, confidence, num_resamples, random_seed
        )
        values = result._asdict()
        values["slope_lower"], values["slope_upper"] = result.slope_interval
        values["fit_status"] = int(np.isnan(result.sd).all())
        return tuple(values[name] for name in fields)

    units = str(level.attrs.get("units", "1"))
    name = str(level.attrs.get("long_name", level.name or "level"))
    rate = "1/ms" if units == "ms" else "1"
    fields = {
        "level": Field(_LEVEL, units, name),
        "sd": Field(_LEVEL, "rad", "circular SD of the error"),
        "mean": Field(_LEVEL, "rad", "mean error"),
        "num_trials": Field(_LEVEL, "1", "trials"),
        "missing": Field(_LEVEL, "1", "fraction without an answer"),
        "slope": Field((), rate, "slope of the variance of the error, in squared rad"),
        "intercept": Field((), "1", "variance of the error at level 0, in squared rad"),
        "slope_lower": Field((), rate, "lower confidence bound of the slope"),
        "slope_upper": Field((), rate, "upper confidence bound of the slope"),
        "overall_sd": Field((), "rad", "circular SD of all errors"),
        "bias": Field((), "rad", "mean of all errors"),
        "fraction_missing": Field((), "1", "fraction of trials without an answer"),
        "fit_status": Field((), "1", "0 fitted, 1 too few answers"),
    }
    return apply(
        one,
        (level, error, mask),
        [("trial",)] * 3,
        fields,
        method="circular_error",
        parameters={
            "num_bins": num_bins,
            "binning": binning,
            "confidence": confidence,
            "num_resamples": num_resamples,
            "random_seed": random_seed,
        },
    )
