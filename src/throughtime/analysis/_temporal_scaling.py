"""Patterns at several speeds of datasets; see :mod:`throughtime.analysis.arrays.temporal_scaling`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import temporal_scaling as arrays

_LEVEL, _PEAK = ("condition",), ("condition", "rank")
_FIELDS = {
    "speed": Field(_LEVEL, "1", "speed"),
    "inverse": Field(_LEVEL, "1", "1 / speed"),
    "mean_scale": Field(_LEVEL, "1", "scale"),
    "scale_sd": Field(_LEVEL, "1", "SD of scale"),
    "peak_time": Field(_PEAK, "ms", "time of peak"),
    "peak_sd": Field(_PEAK, "ms", "SD of time of peak"),
    "weber_slopes": Field(_LEVEL, "1", "slope of SD on time"),
    "weber_intercepts": Field(_LEVEL, "ms", "SD extrapolated to time 0"),
    "cvs": Field(_LEVEL, "1", "SD over time"),
    "num_trials": Field(_LEVEL, "1", "trials"),
    "missing": Field(_LEVEL, "1", "fraction without a scale"),
    "slope": Field((), "1", "slope of scale on 1 / speed"),
    "worst_error": Field((), "1", "largest relative error of a mean scale"),
    "weber_slope": Field((), "1", "mean slope of SD on time"),
    "cv": Field((), "1", "mean SD over time"),
    "cv_slope": Field((), "1", "change of SD over time as the speed doubles"),
    "fraction_missing": Field((), "1", "fraction of trials without a scale"),
    "fit_status": Field((), "1", "0 fitted, 1 too few trials with a scale"),
}
_RENAMED = {"peak_time": "time", "peak_sd": "sd"}
_COUNTED = ("speed", "inverse", "num_trials", "missing", "fraction_missing")


def temporal_scaling(
    speed: xr.DataArray, scale: xr.DataArray, *, where: xr.DataArray | None = None, **peaks: xr.DataArray
) -> xr.Dataset:
    """Scale of patterns against 1/speed, and the precision of their peaks, seed by seed.

    See :func:`throughtime.analysis.arrays.temporal_scaling.temporal_scaling`. Speeds are those of all seeds;
    trials of trained and untrained ones may be given together. A seed without a speed at which 2 trials have
    a scale has NaN in place of fits, with ``fit_status`` 1.

    Args:
        speed: (…, trial) asked for. scale: (…, trial), NaN where there was none.
        where: (…, trial) trials to use.
        peaks: ``peak_1``, ``peak_2``, …, (…, trial): their times, ms; NaN where one could not be told.

    Returns:
        Dataset: ``peak_time, peak_sd`` (…, condition, rank), ``speed, inverse, mean_scale, scale_sd,
        weber_slopes, weber_intercepts, cvs, num_trials, missing`` (…, condition), ``slope, worst_error,
        weber_slope, cv, cv_slope, fraction_missing, fit_status`` (…).

    Raises:
        ValueError: as the array function, for all seeds together, and for peaks that are not ``peak_1`` and
            on.

    Example:
        >>> asked = xr.DataArray([0.5, 0.5, 1.0, 1.0], dims="trial")
        >>> made = 1.0 / asked + xr.DataArray([-0.1, 0.1, -0.1, 0.1], dims="trial")
        >>> result = temporal_scaling(asked, made, peak_1=100 * made, peak_2=200 * made)
        >>> float(result.slope.round(6)), result.cvs.values.round(3).tolist()
        (1.0, [0.071, 0.141])
    """
    names = [f"peak_{place + 1}" for place in range(len(peaks))]
    if not peaks or set(names) != set(peaks):
        found = ", ".join(peaks) or "none"
        raise ValueError(f"peaks: expected one array a peak, peak_1, peak_2, …; found {found}.")
    rows = [peaks[name] for name in names]
    mask = trial_mask(where, speed)
    asked = pooled(speed, mask)
    arrays.temporal_scaling(asked, pooled(scale, mask), np.stack([pooled(row, mask) for row in rows], axis=1))
    speeds = np.unique(asked)

    def one(of: np.ndarray, made: np.ndarray, *each: np.ndarray) -> tuple[object, ...]:
        *times, use = each
        of, made = of[use].astype(float), made[use].astype(float)
        columns = np.stack([row[use] for row in times], axis=1).astype(float)
        values = arrays.estimate(of, made, columns, speeds)._asdict()
        status = int(not arrays.answered(of, made))
        if status:
            values = {
                name: value if name in _COUNTED else np.full(np.shape(value), np.nan)
                for name, value in values.items()
            }
        values["fit_status"] = status
        return tuple(values[_RENAMED.get(name, name)] for name in _FIELDS)

    return apply(
        one,
        (speed, scale, *rows, mask),
        [("trial",)] * (len(rows) + 3),
        _FIELDS,
        method="temporal_scaling",
        parameters={},
    )
