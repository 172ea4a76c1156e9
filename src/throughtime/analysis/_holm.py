"""Holm's correction of datasets; see :mod:`throughtime.analysis.arrays.holm`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import describe
from throughtime.analysis.arrays import holm as correction


def holm(
    p: xr.DataArray, *, dims: tuple[str, ...] | None = None, family_size: int | None = None
) -> xr.Dataset:
    """Holm-adjusted p values; see :func:`throughtime.analysis.arrays.holm.holm`.

    Args:
        p: any dims; NaN where a comparison has no p value.
        dims: of one family, all if not given; elements of the others are families of their own.
        family_size: size of a family declared larger than what is given.

    Returns:
        Dataset of ``p_holm``, dims of ``p``.

    Raises:
        ValueError: as the array function, or for dims that ``p`` does not have.

    Example:
        >>> holm(xr.DataArray([0.01, 0.04, 0.03, 0.005], dims="rule"))["p_holm"].values
        array([0.03, 0.06, 0.06, 0.02])
    """
    over = tuple(str(dim) for dim in p.dims) if dims is None else tuple(dims)
    missing = [dim for dim in over if dim not in p.dims]
    if missing:
        raise ValueError(f"dims: p has no {', '.join(missing)}; it has {', '.join(map(str, p.dims))}.")
    adjusted = xr.apply_ufunc(
        lambda family: correction.holm(family, family_size=family_size),
        p, input_core_dims=[list(over)], output_core_dims=[list(over)], vectorize=True,
    ).transpose(*p.dims)  # fmt: skip
    dataset = adjusted.rename("p_holm").to_dataset()
    dataset["p_holm"].attrs = {"units": "1", "long_name": "p value, Holm-adjusted"}
    size = int(np.prod([p.sizes[dim] for dim in over])) if family_size is None else family_size
    return describe(dataset, "holm", {"family_size": size})
