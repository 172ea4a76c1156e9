"""Two representations by name: the same samples, units of their own, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._blocks import LEADING
from throughtime.analysis._named import Field, apply, describe

UNIT, OTHER_UNIT = "unit", "other_unit"
STATUS = {"flag_values": [0, 1], "flag_meanings": "computed refused"}
STATUS_FIELD = Field((), "1", "how the computation ended")


def sample_dims_of(array: xr.DataArray, given: Sequence[str] | None) -> tuple[str, ...]:
    """Dims whose elements are samples: those given, or all but units and those that tell circuits apart."""
    if given is not None:
        return tuple(given)
    return tuple(str(dim) for dim in array.dims if dim not in (*LEADING, UNIT))


def require(name: str, array: xr.DataArray, dims: Sequence[str]) -> None:
    """Refuse an array that lacks one of these dims."""
    missing = [dim for dim in dims if dim not in array.dims]
    if missing:
        raise ValueError(f"{name}: dims {array.dims} lack {', '.join(missing)}; name them so.")


def same_labels(x: xr.DataArray, y: xr.DataArray, dims: Sequence[str]) -> None:
    """Refuse arrays whose elements along common dims are not the same, or not in the same order."""
    for dim in dims:
        if dim not in x.dims or dim not in y.dims:
            continue
        labelled = dim in x.coords and dim in y.coords
        if x.sizes[dim] != y.sizes[dim] or (labelled and not np.array_equal(x[dim].values, y[dim].values)):
            raise ValueError(
                f"y: {y.sizes[dim]} elements of {dim!r}, x has {x.sizes[dim]}, or their labels differ; pass "
                "the same ones in the same order."
            )


def apply_pairs(
    function: Callable[[np.ndarray, np.ndarray], Sequence[Any]],
    x: xr.DataArray,
    y: xr.DataArray,
    fields: Mapping[str, Field],
    *,
    sample_dims: Sequence[str] | None,
    method: str,
    parameters: Mapping[str, Any],
) -> xr.Dataset:
    """``function`` of samples by units, one call for each element of the other dims.

    A sample with a NaN in a unit of either array takes no part. Where dims remain, one element that
    ``function`` refuses is NaN with ``status`` 1, and the first refusal is an attribute; one alone raises.

    Raises:
        ValueError: for missing dims, or samples or seeds that differ between the arrays.
    """
    samples = sample_dims_of(x, sample_dims)
    for name, array in (("x", x), ("y", y)):
        require(name, array, (*samples, UNIT))
    rest = [str(dim) for dim in x.dims if dim not in (*samples, UNIT)]
    same_labels(x, y, (*samples, *rest))

    def flat(first: np.ndarray, second: np.ndarray) -> Sequence[Any]:
        first, second = (values.reshape(-1, values.shape[-1]) for values in (first, second))
        there = ~(np.isnan(first).any(1) | np.isnan(second).any(1))
        if there.size and not there.any():
            raise ValueError(
                "x, y: every sample has a NaN in some unit; drop the units that are missing, for instance by "
                "complete(rates)."
            )
        return function(first[there], second[there])

    core = [(*samples, UNIT), (*samples, OTHER_UNIT)]
    return apply_or_mark(flat, [x, other_units(y)], core, fields, method=method, parameters=parameters)


def apply_or_mark(
    function: Callable[..., Sequence[Any]],
    arrays: Sequence[xr.DataArray],
    core_dims: Sequence[tuple[str, ...]],
    fields: Mapping[str, Field],
    *,
    method: str,
    parameters: Mapping[str, Any],
) -> xr.Dataset:
    """:func:`~throughtime.analysis._named.apply`, where a refusal among others is NaN with ``status`` 1."""
    mapped = any(set(array.dims) > set(core) for array, core in zip(arrays, core_dims, strict=True))
    shapes: list[tuple[int, ...]] = []
    found: list[tuple[Any, ...]] = []
    refusals: list[ValueError] = []

    def one(*values: np.ndarray) -> tuple[int]:
        try:
            result = tuple(np.asarray(value) for value in function(*values))
            shapes[:] = [value.shape for value in result]
        except ValueError as refusal:
            if not mapped:
                raise
            refusals.append(refusal)
            result = ()
        found.append(result)
        return (len(found) - 1,)

    calls = apply(one, arrays, core_dims, {"call": STATUS_FIELD}, method=method, parameters={})
    if not shapes:
        raise refusals[0]
    blank = tuple(np.full(shape, np.nan) for shape in shapes)
    filled = [result or blank for result in found]
    dims, order = calls["call"].dims, calls["call"].values.astype(int)
    dataset = calls.drop_vars("call")
    for position, (name, field) in enumerate(fields.items()):
        values = np.array([result[position] for result in filled])[order]
        named = {"units": field.units, "long_name": field.long_name}
        dataset[name] = ((*dims, *field.dims), values, named)
    status = np.array([0 if result else 1 for result in found], np.int8)[order]
    named = {"units": STATUS_FIELD.units, "long_name": STATUS_FIELD.long_name}
    dataset["status"] = (dims, status, named | STATUS)
    dataset = describe(dataset, method, parameters)
    if refusals:
        dataset.attrs["refusal"] = str(refusals[0])
    return dataset


def other_units(y: xr.DataArray) -> xr.DataArray:
    """The second array with a name of its own for units, so that theirs need not be the same."""
    return y.drop_vars([name for name in y.coords if UNIT in y[name].dims]).rename({UNIT: OTHER_UNIT})
