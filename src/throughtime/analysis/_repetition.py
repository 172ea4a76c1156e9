"""False alarms to repeated stimuli in datasets; see :mod:`throughtime.analysis.arrays.repetition`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import repetition as arrays

_KIND = ("condition",)


def repetition(
    matches: xr.DataArray,
    hits: xr.DataArray,
    repeated: xr.DataArray,
    repeated_false_alarms: xr.DataArray,
    new: xr.DataArray,
    new_false_alarms: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    confidence: float = 0.95,
) -> xr.Dataset:
    """False alarms to repeated against new non-matches, seed by seed.

    See :func:`throughtime.analysis.arrays.repetition.repetition`.

    Args:
        matches, hits, repeated, repeated_false_alarms, new, new_false_alarms: (…, trial) counts.
        where: (…, trial) trials to use. confidence: coverage of the intervals.

    Returns:
        Dataset: ``fraction_match, lower, upper, num_trials`` (…, condition) for matches, repeated and new
        non-matches, ``hit_rate, repeated_rate, new_rate, repetition_effect, repeated_d_prime,
        new_d_prime`` (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> one = xr.DataArray(np.ones(4), dims="trial")
        >>> result = repetition(one, one, one, one.where([1, 1, 1, 0], 0), one, 0 * one)
        >>> float(result.repetition_effect), result.condition.attrs["flag_meanings"]
        (0.75, 'match repeated new')
    """
    given = (matches, hits, repeated, repeated_false_alarms, new, new_false_alarms)
    mask = trial_mask(where, *given)
    arrays.repetition(*(pooled(array, mask) for array in given), confidence=confidence)

    def one(*counts: np.ndarray) -> tuple[object, ...]:
        *counted, use = counts
        return tuple(arrays.estimate(*(each[use].astype(float) for each in counted), confidence=confidence))

    fields = {
        "fraction_match": Field(_KIND, "1", "fraction answered match"),
        "lower": Field(_KIND, "1", "lower Wilson bound"),
        "upper": Field(_KIND, "1", "upper Wilson bound"),
        "num_trials": Field(_KIND, "1", "tests"),
        "hit_rate": Field((), "1", "hit rate"),
        "repeated_rate": Field((), "1", "false alarm rate of repeated non-matches"),
        "new_rate": Field((), "1", "false alarm rate of new non-matches"),
        "repetition_effect": Field((), "1", "false alarms to repeated less those to new non-matches"),
        "repeated_d_prime": Field((), "1", "d′ against repeated non-matches"),
        "new_d_prime": Field((), "1", "d′ against new non-matches"),
    }
    dataset = apply(
        one,
        (*given, mask),
        [("trial",)] * 7,
        fields,
        method="repetition",
        parameters={"confidence": confidence},
    )
    dataset["condition"].attrs |= {"flag_values": [0, 1, 2], "flag_meanings": " ".join(arrays.KINDS)}
    return dataset
