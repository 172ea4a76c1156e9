"""Activity aligned to an event, or stretched over an interval, and averaged by condition."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import describe
from throughtime.analysis.arrays import warp as arrays


def align(
    activity: xr.DataArray,
    onset: xr.DataArray,
    lag: np.ndarray,
    *,
    condition: xr.DataArray | None = None,
    num_conditions: int | None = None,
    until: xr.DataArray | None = None,
    complete: bool = False,
) -> xr.DataArray:
    """Activity at ``onset + lag``, trial by trial or averaged over the trials of each condition.

    See :func:`throughtime.analysis.arrays.warp.align`. NaN outside the recording; averages leave NaN out.

    Args:
        activity: (trial, time, channel). onset: (trial,) ms.
        lag: (lag,) ms.
        condition: (trial,) integer group of each trial, negative to leave it out; no average if not given.
        num_conditions: number of groups; the largest label + 1 if not given.
        until: (trial,) ms, end of the part of each trial to use.
        complete: average only where every trial of the condition takes part.

    Returns:
        (trial or condition, lag, channel).

    Raises:
        ValueError: as the array function.

    Example:
        >>> time = xr.DataArray(np.arange(10.0, 100.0, 20.0), dims="time", attrs={"units": "ms"})
        >>> activity = xr.DataArray(np.ones((2, 5, 3)), dims=("trial", "time", "unit"), coords={"time": time})
        >>> onset = xr.DataArray([20.0, 40.0], dims="trial")
        >>> align(activity, onset, np.array([0.0, 20.0])).shape
        (2, 2, 3)
    """
    ordered = activity.transpose("trial", "time", ...)
    lag = np.asarray(lag, dtype=np.float64)
    values = arrays.align(ordered.values, ordered["time"].values, onset.values, lag)
    if until is not None:
        late = (onset.values[:, None] + lag) > until.values[:, None]
        values[late] = np.nan
    axis = xr.DataArray(lag, dims="lag", attrs={"units": "ms", "long_name": "time from event"})
    return _group(ordered, values, axis, condition, num_conditions, "align", complete)


def warp(
    activity: xr.DataArray,
    onset: xr.DataArray,
    duration: xr.DataArray,
    *,
    condition: xr.DataArray | None = None,
    num_conditions: int | None = None,
    num_phases: int = arrays.NUM_PHASES,
) -> xr.DataArray:
    """Activity over the interval from ``onset`` to ``onset + duration``, stretched to [0, 1].

    See :func:`throughtime.analysis.arrays.warp.warp`; arguments otherwise as :func:`align`.

    Returns:
        (trial or condition, phase, channel).

    Raises:
        ValueError: as the array function.
    """
    ordered = activity.transpose("trial", "time", ...)
    values = arrays.warp(
        ordered.values, ordered["time"].values, onset.values, duration.values, num_phases=num_phases
    )
    axis = xr.DataArray(
        arrays.phases(num_phases),
        dims="phase",
        attrs={"units": "1", "long_name": "fraction of interval"},
    )
    return _group(ordered, values, axis, condition, num_conditions, "warp")


def _group(
    activity: xr.DataArray,
    values: np.ndarray,
    axis: xr.DataArray,
    condition: xr.DataArray | None,
    num_conditions: int | None,
    method: str,
    complete: bool = False,
) -> xr.DataArray:
    first = "trial"
    if condition is not None:
        label = condition.values.astype(int)
        count = int(label.max()) + 1 if num_conditions is None else num_conditions
        values = arrays.group_means(values, label, count, complete=complete)
        first = "condition"
    channels = activity.dims[2:]
    coords = {name: activity[name] for name in channels if name in activity.coords}
    result = xr.DataArray(values, dims=(first, axis.dims[0], *channels), coords=coords, name="activity")
    result = result.assign_coords({axis.dims[0]: axis})
    result.attrs = dict(activity.attrs)
    return describe(result.to_dataset(), method, {})["activity"]
