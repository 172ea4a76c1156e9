"""Detection by level of datasets; see :mod:`throughtime.analysis.arrays.detection`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import detection as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, bin_edges

_LEVEL = ("condition",)


def detection(
    level: xr.DataArray,
    targets: xr.DataArray,
    hits: xr.DataArray,
    lures: xr.DataArray,
    false_alarms: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
) -> xr.Dataset:
    """Hits, false alarms and d′ by level of a condition, seed by seed.

    See :func:`throughtime.analysis.arrays.detection.detection`. Bins of a continuous condition are common
    to all seeds; ``level`` keeps its units and long name.

    Args:
        level: (…, trial) the condition. targets, hits, lures, false_alarms: (…, trial) counts.
        where: (…, trial) trials to use. num_bins, binning: see the array function.

    Returns:
        Dataset: ``level, hit_rate, false_alarm_rate, d_prime, bias, num_trials, num_targets, num_lures``
        (…, condition), ``overall_hit_rate, overall_false_alarm_rate, overall_d_prime, overall_bias,
        worst_d_prime`` (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> one = lambda *values: xr.DataArray(list(values), dims="trial")
        >>> result = detection(one(1, 2), one(9, 9), one(9, 4), one(9, 9), one(0, 4))
        >>> result.d_prime.values.round(2)
        array([3.29, 0.  ])
    """
    given = {"targets": targets, "hits": hits, "lures": lures, "false_alarms": false_alarms}
    mask = trial_mask(where, level, *given.values())
    values = pooled(level, mask)
    arrays.detection(
        values,
        **{name: pooled(array, mask) for name, array in given.items()},
        num_bins=num_bins,
        binning=binning,
    )
    edges = bin_edges(values, num_bins, binning)

    def one(of: np.ndarray, *counts: np.ndarray) -> tuple[object, ...]:
        *counted, use = counts
        return tuple(arrays.estimate(*(each[use].astype(float) for each in (of, *counted)), edges=edges))

    units = str(level.attrs.get("units", "1"))
    fields = {
        "level": Field(_LEVEL, units, str(level.attrs.get("long_name", level.name or "level"))),
        "hit_rate": Field(_LEVEL, "1", "hit rate"),
        "false_alarm_rate": Field(_LEVEL, "1", "false alarm rate"),
        "d_prime": Field(_LEVEL, "1", "d′"),
        "bias": Field(_LEVEL, "1", "bias towards lures"),
        "num_trials": Field(_LEVEL, "1", "trials"),
        "num_targets": Field(_LEVEL, "1", "targets"),
        "num_lures": Field(_LEVEL, "1", "lures"),
        "overall_hit_rate": Field((), "1", "hit rate of all trials"),
        "overall_false_alarm_rate": Field((), "1", "false alarm rate of all trials"),
        "overall_d_prime": Field((), "1", "d′ of all trials"),
        "overall_bias": Field((), "1", "bias of all trials"),
        "worst_d_prime": Field((), "1", "d′ at the worst level"),
    }
    return apply(
        one,
        (level, *given.values(), mask),
        [("trial",)] * 6,
        fields,
        method="detection",
        parameters={"num_bins": num_bins, "binning": binning},
    )
