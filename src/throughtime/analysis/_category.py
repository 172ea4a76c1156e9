"""Effects of category and distance in datasets; see :mod:`throughtime.analysis.arrays.category`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import category as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, bin_edges

_LEVEL = ("condition",)


def category(
    distance: xr.DataArray,
    same: xr.DataArray,
    choice: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
) -> xr.Dataset:
    """Effects of category and of distance on answers "match", seed by seed.

    See :func:`throughtime.analysis.arrays.category.category`. Bins of a continuous distance are common to
    all seeds; ``distance`` keeps its units and long name.

    Args:
        distance: (…, trial). same, choice: (…, trial) 0 or 1.
        where: (…, trial) trials to use. num_bins, binning: see the array function.

    Returns:
        Dataset: ``distance, same_fraction, different_fraction, num_trials, num_same`` (…, condition),
        ``category_effect, distance_effect`` (…).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> distance = xr.DataArray([0.0, 60.0, 60.0, 120.0], dims="trial", attrs={"units": "degree"})
        >>> same = xr.DataArray([1, 1, 0, 0], dims="trial")
        >>> result = category(distance, same, same)
        >>> result.different_fraction.values, result.distance.attrs["units"]
        (array([nan,  0.,  0.]), 'degree')
    """
    mask = trial_mask(where, distance, same, choice)
    values = pooled(distance, mask)
    arrays.category(values, pooled(same, mask), pooled(choice, mask), num_bins=num_bins, binning=binning)
    edges = bin_edges(values, num_bins, binning)

    def one(apart: np.ndarray, alike: np.ndarray, chosen: np.ndarray, use: np.ndarray) -> tuple[object, ...]:
        return tuple(
            arrays.estimate(*(each[use].astype(float) for each in (apart, alike, chosen)), edges=edges)
        )

    units = str(distance.attrs.get("units", "1"))
    fields = {
        "distance": Field(_LEVEL, units, str(distance.attrs.get("long_name", distance.name or "distance"))),
        "same_fraction": Field(_LEVEL, "1", "fraction answered match, one category"),
        "different_fraction": Field(_LEVEL, "1", "fraction answered match, two categories"),
        "num_trials": Field(_LEVEL, "1", "trials"),
        "num_same": Field(_LEVEL, "1", "trials within a category"),
        "category_effect": Field((), "1", "effect of category at equal distance"),
        "distance_effect": Field((), "1", "effect of distance at equal category"),
    }
    return apply(
        one,
        (distance, same, choice, mask),
        [("trial",)] * 4,
        fields,
        method="category",
        parameters={"num_bins": num_bins, "binning": binning},
    )
