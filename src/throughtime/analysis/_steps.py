"""Steps and states of one circuit or of many, as analyses of dynamics take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import xarray as xr

Step = Callable[..., Any]


def each_seed(
    step: Step | Sequence[Step], states: xr.DataArray, name: str, **others: xr.DataArray | None
) -> list[Step]:
    """The step of every element of the dim ``seed`` of ``states``; a single one where there is no such dim.

    Args:
        step: of all seeds, or one a seed in the order of ``states``.
        name: of ``states``, for messages.
        others: arrays of the same seeds, or without seeds.

    Raises:
        ValueError: for states without the dim ``state``, or another number of steps, or of seeds in one of
            the others, than of seeds in ``states``.

    Example:
        >>> states = xr.DataArray([[0.0], [1.0]], dims=("seed", "state"))
        >>> len(each_seed(abs, states, "starts"))
        2
    """
    if "state" not in states.dims:
        raise ValueError(f"{name}: dims {states.dims} lack state; name the components of a state so.")
    count = states.sizes.get("seed", 1)
    for other, array in others.items():
        if array is not None and "seed" in array.dims and array.sizes["seed"] != states.sizes.get("seed"):
            raise ValueError(
                f"{other}: {array.sizes['seed']} seeds, {name} have {states.sizes.get('seed', 'none')}; give "
                f"both the same seeds, or {other} none."
            )
    if callable(step):
        return [step] * count
    if "seed" not in states.dims or len(step) != count:
        found = f"{count} seeds" if "seed" in states.dims else "no dim seed"
        raise ValueError(
            f"step: {len(step)} steps, {name} have {found}; pass one step, or one for each seed."
        )
    return list(step)


@overload
def at(array: xr.DataArray, **positions: int) -> xr.DataArray: ...
@overload
def at(array: None, **positions: int) -> None: ...
def at(array: xr.DataArray | None, **positions: int) -> xr.DataArray | None:
    """``array`` at a position of each dim that it has; all of it along dims it does not have.

    Example:
        >>> float(at(xr.DataArray([1.0, 2.0], dims="seed"), seed=1, input_condition=3))
        2.0
    """
    if array is None:
        return None
    return array.isel({dim: position for dim, position in positions.items() if dim in array.dims})


def coordinates(dataset: xr.Dataset, *arrays: xr.DataArray | None) -> xr.Dataset:
    """``dataset`` with the coordinates of ``arrays`` that lie along its dims; those without units get 1."""
    for array in arrays:
        if array is not None:
            names = (name for name in array.coords if set(array[name].dims) <= set(dataset.dims))
            dataset = dataset.assign_coords({name: array[name] for name in names})
    for name, coordinate in dataset.coords.items():
        coordinate.attrs = {"units": "1", "long_name": str(name).replace("_", " ")} | coordinate.attrs
    return dataset
