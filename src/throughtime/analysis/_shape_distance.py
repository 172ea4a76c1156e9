"""Shape distances of datasets; see :mod:`throughtime.analysis.arrays.shape_distance`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field
from throughtime.analysis._pairs import apply_pairs
from throughtime.analysis.arrays import shape_distance as arrays

FIELDS = {
    "angle": Field((), "rad", "shape distance"),
    "squared_distance": Field((), "1", "squared size-and-shape distance"),
}


def shape_distance(
    x: xr.DataArray, y: xr.DataArray, *, alpha: float = 1.0, sample_dims: Sequence[str] | None = None
) -> xr.Dataset:
    """What is left between two representations of the same samples after the best rotation, seed by seed.

    See :func:`throughtime.analysis.arrays.shape_distance.shape_distance`. A sample with a NaN in a unit of
    either takes no part.

    Args:
        x, y: (…, unit) each; numbers of units may differ, labels of common dims may not.
        alpha: from 1 (Procrustes) to 0 (CCA).
        sample_dims: dims whose elements are samples; if not given, all but ``run``, ``seed``, ``checkpoint``
            and ``unit``.

    Returns:
        Dataset of ``angle`` (rad), ``squared_distance`` and ``status`` over the remaining dims: 1 for a seed
        that was refused among others, which is NaN.

    Raises:
        ValueError: as the array function; for dims that are missing or labels that differ.

    Example:
        >>> u = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) / 2
        >>> x, y = (xr.DataArray(u * scale, dims=("trial", "unit")) for scale in ([2.0, 1.0], [1.0, 1.0]))
        >>> float(shape_distance(x, y).angle.round(10))
        0.3217505544
    """

    def one(first: np.ndarray, second: np.ndarray) -> Sequence[Any]:
        return arrays.shape_distance(first, second, alpha=alpha)

    return apply_pairs(
        one,
        x,
        y,
        FIELDS,
        sample_dims=sample_dims,
        method="shape_distance",
        parameters={"alpha": float(alpha)},
    )
