"""Dynamical similarity of datasets; see :mod:`throughtime.analysis.arrays.dsa`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._blocks import LEADING
from throughtime.analysis._named import Field
from throughtime.analysis._pairs import UNIT, apply_or_mark, require, same_labels
from throughtime.analysis.arrays import dsa as arrays

FIELDS = {
    "dsa": Field((), "rad", "dynamical dissimilarity"),
    "spectrum_distance": Field((), "1", "distance of spectra"),
    "start_distance": Field(("start",), "rad", "distance that the start came to"),
    "spread": Field((), "rad", "spread over starts"),
    "winner": Field((), "1", "best start"),
    "num_agreeing": Field((), "1", "starts that came as far as the best"),
    "num_converged": Field((), "1", "starts that came to a stationary point"),
}
PRIVATE = ("trial", "time", UNIT, "input")


def dsa(
    x: xr.DataArray,
    y: xr.DataArray,
    *,
    seed: int,
    num_delays: int = 1,
    rank: int | None = None,
    ridge: float = 0.0,
    whiten: bool = False,
    inputs_x: xr.DataArray | None = None,
    inputs_y: xr.DataArray | None = None,
    n_restarts: int = 20,
) -> xr.Dataset:
    """Dynamical similarity analysis of two sets of trajectories, seed by seed.

    See :func:`throughtime.analysis.arrays.dsa.dsa`. A trial ends where a unit is NaN.

    Args:
        x, y: (…, time, unit) or (…, trial, time, unit) each; trials, times and units need not be the same.
        seed: of the random starts, the same for every element of the other dims.
        num_delays, rank, ridge, whiten, n_restarts: see the array function.
        inputs_x, inputs_y: (…, [trial,] time, input) that drove either; both or none.

    Returns:
        Dataset: ``dsa`` and ``spread`` (rad), ``spectrum_distance``, ``winner``, ``num_agreeing``,
        ``num_converged`` and ``status`` (…), ``start_distance`` (…, start; rad) with the coordinate
        ``start_kind``. A seed that was refused among others has status 1 and is NaN.

    Raises:
        ValueError: as the array function; for dims that are missing or seeds that differ.

    Example:
        >>> def spiral(angle):
        ...     turn = 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        ...     states = [np.array([1.0, 0.0])]
        ...     for _ in range(9):
        ...         states.append(turn @ states[-1])
        ...     return xr.DataArray(np.array(states), dims=("time", "unit"))
        >>> found = dsa(spiral(0.3), spiral(0.5), seed=0, whiten=True)
        >>> round(float(found.spectrum_distance / 0.9), 6)  # 2 sin 0.1
        0.199667
    """
    if (inputs_x is None) != (inputs_y is None):
        raise ValueError("inputs_x, inputs_y: one of them given; pass what drove both, or neither.")
    arrays_given: list[xr.DataArray] = []
    core_dims: list[tuple[str, ...]] = []
    given = (("x", x, UNIT), ("y", y, UNIT), ("inputs_x", inputs_x, "input"), ("inputs_y", inputs_y, "input"))
    for name, array, last in given:
        if array is None:
            continue
        require(name, array, ("time", last))
        strange = [str(dim) for dim in array.dims if dim not in (*LEADING, "trial", "time", last)]
        if strange:
            raise ValueError(f"{name}: dims {array.dims}; select an element of {', '.join(strange)}.")
        same_labels(x, array, [dim for dim in LEADING if dim in array.dims])
        core = tuple(dim for dim in ("trial", "time", last) if dim in array.dims)
        own = {dim: f"{name}_{dim}" for dim in core}
        arrays_given.append(array.reset_coords(drop=True).drop_vars(core, errors="ignore").rename(own))
        core_dims.append(tuple(own.values()))

    def one(first: np.ndarray, second: np.ndarray, *told: np.ndarray) -> Sequence[Any]:
        found = arrays.dsa(
            first, second, seed=seed, num_delays=num_delays, rank=rank, ridge=ridge, whiten=whiten,
            inputs_x=told[0] if told else None, inputs_y=told[1] if told else None, n_restarts=n_restarts,
        )  # fmt: skip
        return tuple(getattr(found, name) for name in FIELDS)

    dataset = apply_or_mark(
        one,
        arrays_given,
        core_dims,
        FIELDS,
        method="dsa",
        parameters={
            "num_delays": num_delays, "rank": rank, "ridge": float(ridge), "whiten": int(whiten),
            "n_restarts": n_restarts, "seed": seed,
        },
    )  # fmt: skip
    kinds = np.minimum(np.arange(dataset.sizes["start"]), len(arrays.STARTS) - 1).astype(np.int8)
    flags = {"flag_values": list(range(len(arrays.STARTS))), "flag_meanings": " ".join(arrays.STARTS)}
    named = {"units": "1", "long_name": "kind of start", **flags}
    return dataset.assign_coords(start_kind=("start", kinds, named))
