"""Dimensionality of datasets; see :mod:`throughtime.analysis.arrays.dimensionality`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._named import Field, apply
from throughtime.analysis._pairs import LEADING
from throughtime.analysis.arrays import dimensionality as arrays

FIELDS = {
    "participation_ratio": Field((), "1", "participation ratio"),
    "participation_ratio_corrected": Field((), "1", "participation ratio, corrected for sample size"),
    "num_components_90": Field((), "1", "components holding 90 % of the variance"),
    "num_components_95": Field((), "1", "components holding 95 % of the variance"),
    "num_samples": Field((), "1", "samples"),
    "eigenvalue": Field(("component",), "1", "variance of each component"),
}


def dimensionality(rates: xr.DataArray, *, sample_dims: tuple[str, ...] | None = None) -> xr.Dataset:
    """Participation ratio, raw and corrected, for each element of the remaining dims (seeds).

    See :func:`throughtime.analysis.arrays.dimensionality.dimensionality`. The correction takes samples
    as independent: pass trials at one time, not neighbouring times. Units that are NaN throughout are left
    out, then samples with a NaN. A seed that is refused among others is NaN with ``fit_status`` 1; the first
    refusal is the attribute ``refusal``.

    Args:
        rates: (…, unit). sample_dims: dims whose elements are samples; all but ``run``, ``seed``,
            ``checkpoint`` and ``unit`` if not given.

    Returns:
        Dataset of the scalars of the array function (…), ``eigenvalue`` (…, component) and ``fit_status``
        (…).

    Raises:
        ValueError: as the array function, if every element is refused.

    Example:
        >>> rates = xr.DataArray(np.vstack([np.eye(3), -np.eye(3)]), dims=("trial", "unit"))
        >>> float(dimensionality(rates).participation_ratio.round(6))
        3.0
    """
    if sample_dims is None:
        sample_dims = tuple(str(dim) for dim in rates.dims if dim not in (*LEADING, "unit"))
    num_units = rates.sizes["unit"]

    def one(activity: np.ndarray) -> tuple[object, ...]:
        flat = activity.reshape(-1, num_units)
        flat = flat[:, ~np.isnan(flat).all(0)]
        result = arrays.dimensionality(flat[np.isfinite(flat).all(1)])
        short = num_units - result.eigenvalue.size
        return (*result[:-1], np.pad(result.eigenvalue, (0, short)))

    counts = dict.fromkeys(("num_components_90", "num_components_95", "num_samples"), 0)
    attempts = Attempts(one, blank(FIELDS, {"component": num_units}, counts))
    dataset = apply(
        attempts, (rates,), [(*sample_dims, "unit")], FIELDS | {"fit_status": STATUS},
        method="dimensionality", parameters={},
    )  # fmt: skip
    return attempts.told(dataset)
