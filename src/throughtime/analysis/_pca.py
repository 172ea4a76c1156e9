"""Principal components of datasets; see :mod:`throughtime.analysis.arrays.pca`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._by_trial import in_units
from throughtime.analysis._named import Field, apply
from throughtime.analysis._pairs import LEADING
from throughtime.analysis.arrays import pca as arrays


def pca(
    rates: xr.DataArray,
    *,
    sample_dims: tuple[str, ...] | None = None,
    num_components: int | None = None,
    soft_normalization: float | None = None,
    valid: xr.DataArray | None = None,
) -> xr.Dataset:
    """Principal components over units, one set for each element of the remaining dims (seeds).

    See :func:`throughtime.analysis.arrays.pca.pca`. Averages are taken before the call (for instance by
    :func:`throughtime.analysis.align`). Units that are NaN throughout are left out and NaN in the result;
    then samples with a NaN take no part. A seed that is refused among others is NaN with ``fit_status`` 1;
    the first refusal is the attribute ``refusal``.

    Args:
        rates: (…, unit). sample_dims: dims whose elements are samples; all but ``run``, ``seed``,
            ``checkpoint`` and ``unit`` if not given.
        num_components, soft_normalization: see the array function.
        valid: boolean over sample dims; False samples take no part.

    Returns:
        Dataset: ``components`` (…, component, unit), ``score`` (…, *sample_dims, component),
        ``explained_variance, explained_variance_ratio`` (…, component), ``mean, scale`` (…, unit),
        ``fit_status`` (…).

    Raises:
        ValueError: as the array function, if every element is refused.

    Example:
        >>> rates = xr.DataArray(np.eye(4)[:, :2], dims=("time", "unit"))
        >>> dict(pca(rates).sizes)
        {'component': 2, 'unit': 2, 'time': 4}
    """
    if sample_dims is None:
        sample_dims = tuple(str(dim) for dim in rates.dims if dim not in (*LEADING, "unit"))
    known = rates.notnull()
    mask = (known | ~known.any(sample_dims)).all("unit")
    if valid is not None:
        mask = mask & valid.astype(bool)
    num_units = rates.sizes["unit"]
    limit = num_units if num_components is None else num_components

    def one(activity: np.ndarray, use: np.ndarray) -> tuple[np.ndarray, ...]:
        there = ~np.isnan(activity).reshape(-1, num_units).all(0)
        most = min(int(there.sum()), int(use.sum()) - 1)
        count = min(limit, most) if num_components is None else limit
        result = arrays.pca(
            activity[..., there], num_components=count, soft_normalization=soft_normalization,
            valid=use.astype(bool),
        )  # fmt: skip
        more = limit - count
        component = np.pad(result.component, ((0, more), (0, 0)), constant_values=np.nan)
        return (
            in_units(component, there),
            _pad(result.score, more),
            _pad(result.explained_variance, more),
            _pad(result.explained_variance_ratio, more),
            in_units(result.mean, there),
            in_units(result.scale, there),
        )

    fields = {
        "components": Field(("component", "unit"), "1", "loading of each unit"),
        "score": Field((*sample_dims, "component"), "1", "principal component"),
        "explained_variance": Field(("component",), "1", "variance"),
        "explained_variance_ratio": Field(("component",), "1", "share of variance"),
        "mean": Field(("unit",), "1", "mean subtracted"),
        "scale": Field(("unit",), "1", "each unit was divided by this"),
    }
    options = {
        "centring": "unit mean",
        "averaging": "before the call",
        "samples": " ".join(sample_dims),
        "soft_normalization": soft_normalization,
    }
    sizes = {str(dim): size for dim, size in rates.sizes.items()} | {"component": limit}
    attempts = Attempts(one, blank(fields, sizes))
    dataset = apply(
        attempts,
        (rates, mask),
        [(*sample_dims, "unit"), sample_dims],
        fields | {"fit_status": STATUS},
        method="pca",
        parameters=options | {"num_components": limit},
    )
    names = (name for name in rates.coords if set(rates[name].dims) <= set(dataset.dims))
    return attempts.told(dataset).assign_coords({name: rates[name] for name in names})


def _pad(values: np.ndarray, more: int) -> np.ndarray:
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, more)], constant_values=np.nan)
