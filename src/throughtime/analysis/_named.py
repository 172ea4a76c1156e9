"""From array functions to datasets: dims, coordinates, units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

VERSION = 1


class Field(NamedTuple):
    """One returned variable: its dims beyond those mapped over, its units and its long name."""

    dims: tuple[str, ...]
    units: str
    long_name: str


def apply(
    function: Callable[..., Sequence[Any]],
    arrays: Sequence[xr.DataArray],
    core_dims: Sequence[tuple[str, ...]],
    fields: Mapping[str, Field],
    *,
    method: str,
    parameters: Mapping[str, Any],
) -> xr.Dataset:
    """Dataset of what ``function`` returns, one call for each element of the dims that are not core dims.

    Args:
        function: arrays over the core dims in, one value a field out, in the order of ``fields``.
        arrays: named arrays. core_dims: the dims of each that ``function`` receives.
        fields: name -> dims, units and long name of each result.
        method: name of the analysis, kept in the attributes. parameters: its options, kept likewise.

    Returns:
        Dataset with an integer coordinate for every new dim.
    """
    out_dims = [list(field.dims) for field in fields.values()]

    def call(*values: Any) -> Any:
        found = tuple(np.asarray(value) for value in function(*values))
        return found if len(found) > 1 else found[0]

    results = xr.apply_ufunc(
        call,
        *arrays,
        input_core_dims=[list(dims) for dims in core_dims],
        output_core_dims=out_dims,
        exclude_dims={dim for dims in core_dims for dim in dims} & {dim for dims in out_dims for dim in dims},
        vectorize=True,
    )
    dataset = xr.Dataset(dict(zip(fields, results if len(fields) > 1 else (results,), strict=True)))
    for name, field in fields.items():
        dataset[name].attrs = {"units": field.units, "long_name": field.long_name}
    return describe(dataset, method, parameters)


def describe(dataset: xr.Dataset, method: str, parameters: Mapping[str, Any]) -> xr.Dataset:
    """``dataset`` with an integer coordinate for each dim without one, and the attributes of an analysis."""
    for dim, size in dataset.sizes.items():
        if dim not in dataset.coords:
            index = xr.DataArray(np.arange(size), dims=str(dim), attrs={"units": "1", "long_name": f"{dim}"})
            dataset = dataset.assign_coords({dim: index})
    options = {name: value for name, value in parameters.items() if value is not None}
    dataset.attrs = {"method": method, "version": VERSION, **options}
    return dataset


def with_flags(dataset: xr.Dataset, group: xr.DataArray) -> xr.Dataset:
    """``dataset`` whose variable ``group`` has the names of the codes that ``group`` had."""
    names = {key: group.attrs[key] for key in ("flag_values", "flag_meanings") if key in group.attrs}
    dataset["group"].attrs |= names
    return dataset


def trial_mask(where: xr.DataArray | None, *arrays: xr.DataArray) -> xr.DataArray:
    """Boolean (…, trial): trials that take part, by ``where`` and by every array being finite there."""
    mask = xr.ones_like(arrays[0], dtype=bool) if where is None else where.astype(bool)
    for array in arrays:
        mask = mask & np.isfinite(array)
    return mask


def pooled(array: xr.DataArray, mask: xr.DataArray) -> np.ndarray:
    """Values of all trials that take part, of all seeds, in one vector."""
    array, mask = xr.broadcast(array, mask)
    return np.asarray(array.values)[mask.transpose(*array.dims).values.astype(bool)]
