"""Beats without a metronome of datasets; see :mod:`throughtime.analysis.arrays.synchronization`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import synchronization as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, bin_edges

_LEVEL = ("condition",)
_FIELDS = {
    "period": Field(_LEVEL, "ms", "period"),
    "mean": Field(_LEVEL, "ms", "produced period"),
    "sd": Field(_LEVEL, "ms", "SD of produced period"),
    "mean_asynchrony": Field(_LEVEL, "ms", "asynchrony"),
    "asynchrony_error": Field(_LEVEL, "ms", "standard error of the asynchrony"),
    "lags": Field(_LEVEL, "1", "lag-1 autocorrelation"),
    "num_trials": Field(_LEVEL, "1", "trials"),
    "missing": Field(_LEVEL, "1", "fraction without beats"),
    "asynchrony": Field((), "ms", "asynchrony of all trials"),
    "asynchrony_slope": Field((), "1", "slope of asynchrony on period"),
    "slope": Field((), "1", "slope of produced on asked period"),
    "sd_intercept": Field((), "ms", "SD extrapolated to period 0"),
    "sd_slope": Field((), "1", "slope of SD on period"),
    "cv": Field((), "1", "mean SD over mean"),
    "lag_one": Field((), "1", "lag-1 autocorrelation of all trials"),
    "fraction_missing": Field((), "1", "fraction of trials without beats"),
    "fit_status": Field((), "1", "0 fitted, 1 too few trials with beats"),
}
_COUNTED = ("period", "num_trials", "missing", "fraction_missing", "fit_status")


def synchronization(
    period: xr.DataArray,
    asynchrony: xr.DataArray,
    produced: xr.DataArray,
    squared_error: xr.DataArray,
    successive_error: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Asynchrony, variability and lag-1 autocorrelation of beats against the period, seed by seed.

    See :func:`throughtime.analysis.arrays.synchronization.synchronization`. Bins of continuous periods are
    common to all seeds. A seed with fewer than 2 periods at which 2 trials have beats has NaN in place of
    fits, with ``fit_status`` 1.

    Args:
        period: (…, trial) T asked for, ms.
        asynchrony, produced: (…, trial) ms. squared_error, successive_error: (…, trial); all four NaN where
            beats could not be told.
        where: (…, trial) trials to use.

    Returns:
        Dataset: ``period, mean, sd, mean_asynchrony, asynchrony_error, lags, num_trials, missing``
        (…, condition); ``asynchrony, asynchrony_slope, slope, sd_intercept, sd_slope, cv, lag_one,
        fraction_missing, fit_status`` (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> asked = xr.DataArray(np.repeat([200.0, 400.0], 2), dims="trial")
        >>> square = xr.full_like(asked, 0.01)
        >>> result = synchronization(asked, 0 * asked - 5, asked, square, -square / 2)
        >>> result.sd.values.round(3).tolist(), float(result.lag_one.round(3))
        ([20.0, 40.0], -0.5)
    """
    mask = trial_mask(where, period)
    rows = (asynchrony, produced, squared_error, successive_error)
    arrays.synchronization(pooled(period, mask), *(pooled(row, mask) for row in rows))
    edges = bin_edges(pooled(period, mask), NUM_BINS)

    def one(asked: np.ndarray, *each: np.ndarray) -> tuple[object, ...]:
        *told, use = each
        asked = asked[use].astype(float)
        late, made, square, product = (row[use].astype(float) for row in told)
        there = np.all([np.isfinite(row) for row in (late, made, square, product)], axis=0)
        values = arrays.estimate(asked, late, made, square, product, edges)._asdict()
        values["fit_status"] = int(arrays.num_answered(asked, there, edges) < arrays.MIN_PERIODS)
        if values["fit_status"]:
            values = {
                name: value if name in _COUNTED else np.full(np.shape(value), np.nan)
                for name, value in values.items()
            }
        return tuple(values[name] for name in _FIELDS)

    return apply(
        one,
        (period, *rows, mask),
        [("trial",)] * 6,
        _FIELDS,
        method="synchronization",
        parameters={},
    )
