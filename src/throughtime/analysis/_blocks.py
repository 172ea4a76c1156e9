"""Parameters as datasets: which dims are circuits, and which belong to a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

LEADING = ("run", "seed", "checkpoint")
UPDATE = "checkpoint_update"


class Blocks(NamedTuple):
    """Blocks of parameters.

    Attributes:
        names, arrays: of each. core_dims: the dims of each that are its own. leading: those that tell
            circuits apart.
    """

    names: tuple[str, ...]
    arrays: list[xr.DataArray]
    core_dims: list[tuple[str, ...]]
    leading: tuple[str, ...]


def blocks(params: xr.Dataset | Mapping[str, Any], leading: tuple[str, ...] = LEADING) -> Blocks:
    """Parameters by block; arrays without names are those of one circuit.

    Raises:
        ValueError: where there are none.

    Example:
        >>> found = blocks({"bias": xr.DataArray(np.ones((4, 3)), dims=("seed", "unit")), "gain": 2.0})
        >>> found.names, found.leading, [array.shape for array in found.arrays]
        (('bias', 'gain'), ('seed',), [(4, 3), ()])
    """
    given = params.data_vars if isinstance(params, xr.Dataset) else params
    named = {str(name): _array(str(name), value) for name, value in given.items() if name != UPDATE}
    if not named:
        raise ValueError("params: no parameters; give an array for each, by name.")
    core = [tuple(str(dim) for dim in array.dims if dim not in leading) for array in named.values()]
    there = {dim for array in named.values() for dim in array.dims}
    kept = tuple(dim for dim in leading if dim in there)
    return Blocks(tuple(named), list(named.values()), core, kept)


def with_update(dataset: xr.Dataset, params: xr.Dataset | Mapping[str, Any]) -> xr.Dataset:
    """``dataset`` with the updates of its checkpoints, where the parameters have them, as a coordinate."""
    if UPDATE not in params:
        return dataset
    update = params[UPDATE]
    update = update if isinstance(update, xr.DataArray) else xr.DataArray(update, dims="checkpoint")
    attrs = {"units": "1", "long_name": "updates made at the checkpoint"} | dict(update.attrs)
    return dataset.assign_coords({UPDATE: (update.dims, update.values, attrs)})


def _array(name: str, value: Any) -> xr.DataArray:
    if isinstance(value, xr.DataArray):
        return value.reset_coords(drop=True)
    value = np.asarray(value)
    return xr.DataArray(value, dims=[f"{name}_{axis}" for axis in range(value.ndim)])
