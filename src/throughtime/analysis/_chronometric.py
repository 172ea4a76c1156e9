"""Reaction times of datasets; see :mod:`throughtime.analysis.arrays.chronometric`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import chronometric as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, bin_edges

_LEVEL = ("condition",)


def chronometric(
    stimulus: xr.DataArray,
    reaction_time: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    confidence: float = 0.95,
) -> xr.Dataset:
    """Reaction time against the strength of the stimulus, seed by seed.

    See :func:`throughtime.analysis.arrays.chronometric.chronometric`. Bins of continuous strengths are
    common to all seeds. A seed with responses at fewer than two strengths has NaN as its slope, with
    ``fit_status`` 1.

    Args:
        stimulus: (…, trial) strength, signed or not. reaction_time: (…, trial) ms, NaN without a response.
        where: (…, trial) trials to use; leave catch trials out. num_bins, confidence: see the array function.

    Returns:
        Dataset: ``strength, reaction_times, sds, num_trials`` (…, condition); ``slope, lower, upper,
        intercept, mean, fraction_missing, fit_status`` (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> coherence = xr.DataArray([-1.0, 1.0, 2.0, -4.0], dims="trial")
        >>> result = chronometric(coherence, xr.DataArray([700.0, 700.0, 600.0, 500.0], dims="trial"))
        >>> float(result.slope.round(6)), result.sds.attrs["units"]
        (-100.0, 'ms')
    """
    mask = trial_mask(where, stimulus)
    of, times = pooled(stimulus, mask), pooled(reaction_time, mask)
    arrays.chronometric(of, times, num_bins=num_bins, confidence=confidence)
    edges = bin_edges(np.abs(of), num_bins)

    def one(of: np.ndarray, times: np.ndarray, use: np.ndarray) -> tuple[object, ...]:
        found = arrays.estimate(of[use].astype(float), times[use].astype(float), edges, confidence)
        return (*found, int(np.isnan(found.slope)))

    units = str(stimulus.attrs.get("units", "1"))
    name = str(stimulus.attrs.get("long_name", stimulus.name or "strength"))
    fields = {
        "strength": Field(_LEVEL, units, name),
        "reaction_times": Field(_LEVEL, "ms", "mean reaction time"),
        "sds": Field(_LEVEL, "ms", "SD of the reaction time"),
        "num_trials": Field(_LEVEL, "1", "trials"),
        "slope": Field((), "ms", "change of the reaction time by a doubling of the strength"),
        "lower": Field((), "ms", "lower confidence bound of the slope"),
        "upper": Field((), "ms", "upper confidence bound of the slope"),
        "intercept": Field((), "ms", "reaction time at strength 1"),
        "mean": Field((), "ms", "mean reaction time of all trials"),
        "fraction_missing": Field((), "1", "fraction without a response"),
        "fit_status": Field((), "1", "0 fitted, 1 too few responses"),
    }
    return apply(
        one,
        (stimulus, reaction_time, mask),
        [("trial",)] * 3,
        fields,
        method="chronometric",
        parameters={"num_bins": num_bins, "confidence": confidence},
    )
