"""Canonical correlations of datasets; see :mod:`throughtime.analysis.arrays.cca`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field
from throughtime.analysis._pairs import apply_pairs
from throughtime.analysis.arrays import cca as arrays

FIELDS = {
    "correlation": Field(("component",), "1", "canonical correlation"),
    "mean": Field((), "1", "mean canonical correlation"),
    "num_directions_x": Field((), "1", "directions of the first representation"),
    "num_directions_y": Field((), "1", "directions of the second representation"),
}


def cca(
    x: xr.DataArray,
    y: xr.DataArray,
    *,
    variance: float | None = None,
    sample_dims: Sequence[str] | None = None,
) -> xr.Dataset:
    """Canonical correlations of two representations of the same samples, seed by seed.

    See :func:`throughtime.analysis.arrays.cca.cca`. A sample with a NaN in a unit of either takes no part.

    Args:
        x, y: (…, unit) each; numbers of units may differ, labels of common dims may not.
        variance: share of variance kept first, as 0.99 (SVCCA); None for CCA.
        sample_dims: dims whose elements are samples; if not given, all but ``run``, ``seed``, ``checkpoint``
            and ``unit``.

    Returns:
        Dataset: ``correlation`` (…, component), NaN beyond those there are; ``mean``, ``num_directions_x,
        num_directions_y`` and ``status`` (…): 1 for a seed that was refused among others, which is NaN.

    Raises:
        ValueError: as the array function; for dims that are missing or labels that differ.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = xr.DataArray(rng.standard_normal((50, 3)), dims=("trial", "unit"))
        >>> y = xr.DataArray(x.values @ rng.standard_normal((3, 3)), dims=("trial", "unit"))
        >>> cca(x, y).correlation.values.round(9)
        array([1., 1., 1.])
    """
    most = min(x.sizes.get("unit", 0), y.sizes.get("unit", 0))

    def one(first: np.ndarray, second: np.ndarray) -> Sequence[Any]:
        found = arrays.cca(first, second, variance=variance)
        short = most - found.correlation.size
        padded = np.pad(found.correlation, (0, short), constant_values=np.nan)
        return padded, found.mean, *found.num_directions

    options = {"variance": variance}
    return apply_pairs(one, x, y, FIELDS, sample_dims=sample_dims, method="cca", parameters=options)
