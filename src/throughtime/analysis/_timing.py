"""Timing behaviour of datasets; see :mod:`throughtime.analysis.arrays.timing`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import timing as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, bin_edges

_LEVEL = ("condition",)
FIELDS = {
    "interval": Field(_LEVEL, "ms", "interval"),
    "mean": Field(_LEVEL, "ms", "produced interval"),
    "sd": Field(_LEVEL, "ms", "SD of produced interval"),
    "num_trials": Field(_LEVEL, "1", "trials"),
    "missing": Field(_LEVEL, "1", "fraction without a response"),
    "slope": Field((), "1", "slope of produced on asked interval"),
    "intercept": Field((), "ms", "intercept of produced on asked interval"),
    "slope_lower": Field((), "1", "lower confidence bound of the slope"),
    "slope_upper": Field((), "1", "upper confidence bound of the slope"),
    "indifference": Field((), "ms", "interval produced without bias"),
    "bias": Field((), "ms", "root mean square bias"),
    "within_sd": Field((), "ms", "root mean variance within intervals"),
    "rmse": Field((), "ms", "root mean square error"),
    "weber_fraction": Field((), "1", "mean SD over mean"),
    "sd_intercept": Field((), "ms", "SD extrapolated to interval 0"),
    "sd_slope": Field((), "1", "slope of SD on interval"),
    "beta": Field((), "1", "exponent of SD on interval"),
    "beta_lower": Field((), "1", "lower confidence bound of the exponent"),
    "beta_upper": Field((), "1", "upper confidence bound of the exponent"),
    "sd_scale": Field((), "ms", "SD of the power law at the interval of reference"),
    "interval_scale": Field((), "ms", "interval of reference of the power law"),
    "fraction_missing": Field((), "1", "fraction of trials without a response"),
    "fit_status": Field((), "1", "0 fitted, 1 too few responses"),
}


def timing(
    interval: xr.DataArray,
    produced: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    confidence: float = 0.95,
    num_resamples: int = 0,
    random_seed: int = 0,
) -> xr.Dataset:
    """Slope, bias, variance and law of variability of produced intervals, seed by seed.

    Definitions are those of :func:`throughtime.analysis.arrays.timing.timing`; ``within_sd`` is √VAR.
    Bins of continuous intervals are common to all seeds. A seed with too few responses is NaN, with
    ``fit_status`` 1.

    Args:
        interval: (…, trial) interval asked for, ms. produced: (…, trial) ms, NaN without a response.
        where: (…, trial) trials to use; give ``~catch`` to leave catch trials out.
        num_bins, binning, confidence, num_resamples, random_seed: see the array function.

    Returns:
        Dataset: ``interval, mean, sd, num_trials, missing`` (…, condition) and scalars (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> asked = np.tile(np.repeat([600.0, 800.0, 1000.0], 4), (2, 1))
        >>> asked = xr.DataArray(asked, dims=("seed", "trial"))
        >>> result = timing(asked, 0.8 * asked + 160)
        >>> result.slope.values.round(6), dict(result.sizes)
        (array([0.8, 0.8]), {'seed': 2, 'condition': 3})
    """
    mask = trial_mask(where, interval)
    edges = bin_edges(pooled(interval, mask), num_bins, binning)
    arrays.prepare(pooled(interval, mask), pooled(produced, mask), edges=edges)

    def one(asked: np.ndarray, made: np.ndarray, use: np.ndarray) -> tuple[object, ...]:
        asked, made = asked[use], made[use].astype(float)
        result = arrays.estimate(asked, made, edges, confidence, num_resamples, random_seed)
        failed = arrays.num_answered(asked, made, edges) < arrays.MIN_INTERVALS
        values = result._asdict()
        values["slope_lower"], values["slope_upper"] = result.slope_interval
        values["beta_lower"], values["beta_upper"] = result.beta_interval
        values["within_sd"] = np.sqrt(result.variance)
        values["fit_status"] = int(failed)
        if failed:
            keep = ("interval", "num_trials", "missing", "fraction_missing", "fit_status")
            values = {name: v if name in keep else np.full(np.shape(v), np.nan) for name, v in values.items()}
        return tuple(values[name] for name in FIELDS)

    return apply(
        one,
        (interval, produced, mask),
        [("trial",)] * 3,
        FIELDS,
        method="timing",
        parameters={
            "num_bins": num_bins,
            "binning": binning,
            "confidence": confidence,
            "num_resamples": num_resamples,
            "random_seed": random_seed,
        },
    )
