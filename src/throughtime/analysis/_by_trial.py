"""Rates and variables of single trials, as analyses of coding take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr


def time_dim(rates: xr.DataArray) -> str:
    """``"lag"`` where rates are aligned to an event, ``"time"`` otherwise.

    Raises:
        ValueError: without a dim of trials, times or units.

    Example:
        >>> time_dim(xr.DataArray(np.zeros((2, 3, 4)), dims=("trial", "lag", "unit")))
        'lag'
    """
    dim = "lag" if "lag" in rates.dims else "time"
    lacking = {"trial", dim, "unit"} - set(rates.dims)
    if lacking:
        raise ValueError(
            f"rates: dims {rates.dims} lack {', '.join(sorted(lacking))}; expected (…, trial, time, unit)."
        )
    return dim


def stacked(variables: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """(…, trial, parameter) float64, the variables in their order, with their names.

    Raises:
        ValueError: without variables, or for one without a dim of trials.

    Example:
        >>> side = xr.DataArray([0, 1], dims="trial")
        >>> both = stacked({"side": side, "rule": 1 - side})
        >>> both.values.tolist(), both.parameter.attrs["flag_meanings"]
        ([[0.0, 1.0], [1.0, 0.0]], 'side rule')
    """
    if not variables:
        raise ValueError("variables: none; give one array over trials for each, under its name.")
    for name, each in variables.items():
        if "trial" not in each.dims or each.dtype.kind not in "biuf":
            raise ValueError(
                f"variables: {name!r} is {each.dtype} over {each.dims}; expected numbers over (…, trial)."
            )
    found = [per_trial(each).astype(np.float64) for each in variables.values()]
    together = xr.broadcast(*xr.align(*found, join="exact"))
    kept = xr.concat(together, dim="parameter", coords="minimal", compat="override", join="exact")
    return kept.transpose(..., "trial", "parameter").assign_coords(
        parameter=named_codes("parameter", list(variables), "variable")
    )


def per_trial(array: xr.DataArray) -> xr.DataArray:
    """``array`` with no coordinates but those of its other dims, so that trials pair by position.

    Example:
        >>> rates = xr.DataArray([1.0], dims="trial", coords={"trial": [7], "side": ("trial", [0])})
        >>> list(per_trial(rates).coords)
        []
    """
    others = [name for name in array.coords if array[name].dims == (name,) and name != "trial"]
    return array.drop_vars([name for name in array.coords if name not in others]).rename(None)


def named_codes(dim: str, names: Sequence[str], long_name: str) -> xr.DataArray:
    """Coordinate 0, 1, … of ``dim`` that carries names.

    Example:
        >>> named_codes("parameter", ["go cue"], "variable").attrs["flag_meanings"]
        'go_cue'
    """
    codes = list(range(len(names)))
    attrs: dict[str, Any] = {
        "units": "1",
        "long_name": long_name,
        "flag_values": codes if len(codes) > 1 else 0,
        "flag_meanings": " ".join("_".join(str(name).split()) for name in names),
    }
    return xr.DataArray(codes, dims=dim, attrs=attrs)


def takes_part(rates: xr.DataArray, *labels: xr.DataArray, where: xr.DataArray | None = None) -> xr.DataArray:
    """(…, trial): trials with any rate, with finite labels, and within ``where``.

    Example:
        >>> rates = xr.DataArray([[1.0], [np.nan], [2.0]], dims=("trial", "unit"))
        >>> takes_part(rates, xr.DataArray([0.0, 1.0, np.nan], dims="trial")).values
        array([ True, False, False])
    """
    use = rates.notnull().any([dim for dim in rates.dims if dim in ("time", "lag", "unit")])
    for label in labels:
        known = label.notnull()
        use = use & (known.all("parameter") if "parameter" in known.dims else known)
    return use if where is None else use & per_trial(where).astype(bool)


def in_units(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Values of the units that are there, last axis, among NaN for the others.

    Example:
        >>> in_units(np.array([1.0]), np.array([False, True]))
        array([nan,  1.])
    """
    full = np.full((*values.shape[:-1], there.size), np.nan)
    full[..., there] = values
    return full


def combinations(design: xr.DataArray, use: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Codes (…, trial) of the combinations of variables, the same in all seeds, and their coordinate.

    Args:
        design: (…, trial, parameter). use: (…, trial) booleans; False has the code −1.

    Example:
        >>> design = stacked({"side": xr.DataArray([1, 0, 1], dims="trial")})
        >>> codes, label = combinations(design, xr.DataArray([True, True, False], dims="trial"))
        >>> codes.values.tolist(), label.condition.values.tolist()
        ([1, 0, -1], [0, 1])
    """
    design, use = xr.broadcast(design, use, exclude=["parameter"])
    design = design.transpose(..., "parameter")
    taken = use.transpose(*design.dims[:-1]).values
    codes = np.full(taken.shape, -1)
    if taken.any():
        codes[taken] = np.unique(design.values[taken], axis=0, return_inverse=True)[1].ravel()
    attrs = {"units": "1", "long_name": "combination of the variables"}
    number = np.arange(max(int(codes.max()) + 1, 1))
    label = xr.DataArray(
        np.zeros(number.size), dims="condition", coords={"condition": ("condition", number, attrs)}
    )
    return use.transpose(*design.dims[:-1]).copy(data=codes), label
