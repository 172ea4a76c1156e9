"""Timing by group of datasets; see :mod:`throughtime.analysis.arrays.timing_by`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask, with_flags
from throughtime.analysis.arrays import timing as single
from throughtime.analysis.arrays import timing_by as arrays
from throughtime.analysis.arrays.levels import NUM_BINS

_GROUP, _LEVEL = ("input_condition",), ("condition",)


def timing_by(
    interval: xr.DataArray,
    produced: xr.DataArray,
    group: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    confidence: float = 0.95,
) -> xr.Dataset:
    """Produced against asked intervals group by group, and at intervals groups share, seed by seed.

    See :func:`throughtime.analysis.arrays.timing_by.timing_by`. Groups, ordered by their mean interval, and
    the bins of continuous intervals are common to all seeds. A seed with a group of fewer than 3 intervals
    with 2 responses has NaN in place of fits, with ``fit_status`` 1.

    Args:
        interval, produced: (…, trial) ms; ``produced`` is NaN where there was no response.
        group: (…, trial) such as the condition ``prior``; its long name is kept.
        where: (…, trial) trials to use; leave catch trials out. num_bins, confidence: see the array function.

    Returns:
        Dataset: ``group, slopes, lowers, uppers, intercepts, indifferences, shortest, longest, differences,
        difference_lowers, difference_uppers`` (…, input_condition); ``interval_group`` (index of the group),
        ``interval, mean, sd, num_trials`` (…, condition); ``slope, lowest_slope, highest_slope,
        shared_difference, inside, fraction_missing, fit_status`` (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> asked = xr.DataArray(np.repeat([600.0, 700.0, 800.0, 800.0, 900.0, 1000.0], 2), dims="trial")
        >>> prior = xr.DataArray(np.repeat([0, 1], 6), dims="trial", name="prior")
        >>> middle = xr.where(prior == 0, 700, 900)
        >>> result = timing_by(asked, middle + 0.75 * (asked - middle), prior)
        >>> float(result.shared_difference.round(6)), dict(result.sizes)
        (50.0, {'input_condition': 2, 'condition': 6})
    """
    mask = trial_mask(where, interval, group)
    of, made, by = (pooled(array, mask) for array in (interval, produced, group))
    arrays.timing_by(of, made, by, num_bins=num_bins, confidence=confidence)
    *_, groups, edges = arrays.prepare(of, made, by, num_bins)

    def one(asked: np.ndarray, made: np.ndarray, by: np.ndarray, use: np.ndarray) -> tuple[object, ...]:
        asked, made, by = asked[use].astype(float), made[use].astype(float), by[use].astype(float)
        values = arrays.estimate(asked, made, by, groups, edges, confidence)._asdict()
        answered = [
            single.num_answered(asked[by == value], made[by == value], inner)
            for value, inner in zip(groups, edges, strict=True)
        ]
        values["fit_status"] = int(min(answered) < single.MIN_INTERVALS)
        if values["fit_status"]:
            values = {
                name: value if name in _COUNTED else np.full(np.shape(value), np.nan)
                for name, value in values.items()
            }
        return tuple(values[name] for name in fields)

    units, name = str(group.attrs.get("units", "1")), str(group.attrs.get("long_name", group.name or "group"))
    fields = {"group": Field(_GROUP, units, name)} | _FIELDS
    dataset = apply(
        one,
        (interval, produced, group, mask),
        [("trial",)] * 4,
        fields,
        method="timing_by",
        parameters={"num_bins": num_bins, "confidence": confidence},
    )
    return with_flags(dataset, group)


_COUNTED = (
    "group", "shortest", "longest", "interval_group", "interval", "num_trials", "fraction_missing",
    "fit_status",
)  # fmt: skip
_FIELDS = {
    "slopes": Field(_GROUP, "1", "slope of produced on asked"),
    "lowers": Field(_GROUP, "1", "lower confidence bound of the slope"),
    "uppers": Field(_GROUP, "1", "upper confidence bound of the slope"),
    "intercepts": Field(_GROUP, "ms", "intercept"),
    "indifferences": Field(_GROUP, "ms", "interval produced without bias"),
    "shortest": Field(_GROUP, "ms", "shortest target interval"),
    "longest": Field(_GROUP, "ms", "longest target interval"),
    "differences": Field(_GROUP, "ms", "produced interval less that of the group before"),
    "difference_lowers": Field(_GROUP, "ms", "lower confidence bound of the difference"),
    "difference_uppers": Field(_GROUP, "ms", "upper confidence bound of the difference"),
    "interval_group": Field(_LEVEL, "1", "index of the group"),
    "interval": Field(_LEVEL, "ms", "target interval"),
    "mean": Field(_LEVEL, "ms", "mean produced interval"),
    "sd": Field(_LEVEL, "ms", "SD of produced interval"),
    "num_trials": Field(_LEVEL, "1", "trials"),
    "slope": Field((), "1", "slope within groups"),
    "lowest_slope": Field((), "1", "lowest slope of a group"),
    "highest_slope": Field((), "1", "highest slope of a group"),
    "shared_difference": Field((), "ms", "difference between neighbouring groups at shared intervals"),
    "inside": Field((), "1", "fraction of groups with their indifference point inside their range"),
    "fraction_missing": Field((), "1", "fraction without a response"),
    "fit_status": Field((), "1", "0 fitted, 1 too few responses"),
}
