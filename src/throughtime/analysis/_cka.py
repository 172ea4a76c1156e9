"""Centred kernel alignment of datasets; see :mod:`throughtime.analysis.arrays.cka`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field
from throughtime.analysis._pairs import apply_pairs
from throughtime.analysis.arrays import cka as arrays

FIELDS = {
    "cka": Field((), "1", "centred kernel alignment"),
    "n": Field((), "1", "samples"),
    "p": Field((), "1", "units of the first representation"),
    "q": Field((), "1", "units of the second representation"),
}


def cka(
    x: xr.DataArray, y: xr.DataArray, *, debiased: bool = True, sample_dims: Sequence[str] | None = None
) -> xr.Dataset:
    """Linear CKA of two representations of the same samples, seed by seed.

    See :func:`throughtime.analysis.arrays.cka.cka`. A sample with a NaN in a unit of either takes no part.

    Args:
        x, y: (…, unit) each; numbers of units may differ, labels of common dims may not.
        debiased: see the array function.
        sample_dims: dims whose elements are samples; if not given, all but ``run``, ``seed``, ``checkpoint``
            and ``unit``.

    Returns:
        Dataset of ``cka``, ``n``, ``p``, ``q`` and ``status`` over the remaining dims: 1 for a seed that was
        refused among others, which is NaN.

    Raises:
        ValueError: as the array function; for dims that are missing or labels that differ.

    Example:
        >>> u = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> x, y = (xr.DataArray(u * scale, dims=("trial", "unit")) for scale in ([2.0, 1.0], [1.0, 1.0]))
        >>> float(cka(x, y, debiased=False).cka.round(6))
        0.857493
    """

    def one(first: np.ndarray, second: np.ndarray) -> Sequence[Any]:
        return arrays.cka(first, second, debiased=debiased)

    options = {"debiased": int(debiased)}
    return apply_pairs(one, x, y, FIELDS, sample_dims=sample_dims, method="cka", parameters=options)
