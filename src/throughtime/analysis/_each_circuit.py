"""One function that runs a circuit, or one for each seed, beside arrays with or without seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from throughtime.analysis.arrays.simulate import Simulate


def each_circuit(simulate: Simulate | Sequence[Simulate]) -> tuple[list[Simulate], xr.DataArray]:
    """All functions, and their places: a number, or (seed,) for a sequence of them.

    Example:
        >>> functions, place = each_circuit([abs, abs])
        >>> len(functions), place.dims
        (2, ('seed',))
    """
    if callable(simulate):
        return [simulate], xr.DataArray(0)
    functions = list(simulate)
    if not functions:
        raise ValueError("simulate: an empty sequence; pass one function, or one for each seed.")
    return functions, xr.DataArray(np.arange(len(functions)), dims="seed")


def with_dims(name: str, array: xr.DataArray, core: tuple[str, ...], place: xr.DataArray) -> xr.DataArray:
    """``array``, refused without the dims ``core``, or with other seeds than there are circuits."""
    if not set(core) <= set(array.dims):
        raise ValueError(f"{name}: dims {array.dims}; expected (…, {', '.join(core)}).")
    if "seed" in array.dims and array.sizes["seed"] != place.sizes.get("seed"):
        circuits = place.sizes.get("seed", "one")
        raise ValueError(
            f"{name}: {array.sizes['seed']} seeds, {circuits} to simulate; pass a function for each seed."
        )
    return array
