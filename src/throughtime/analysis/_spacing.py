"""The length of a time step, from the coordinate of time."""

from __future__ import annotations

import numpy as np
import xarray as xr


def spacing(array: xr.DataArray, dim: str, name: str) -> float:
    """Distance of neighbouring values of the coordinate ``dim``, in its units.

    Args:
        name: of ``array``, for messages.

    Raises:
        ValueError: without that coordinate, or if it is not evenly spaced.

    Example:
        >>> rates = xr.DataArray(np.zeros(3), dims="time", coords={"time": [10.0, 30.0, 50.0]})
        >>> spacing(rates, "time", "rates")
        20.0
    """
    values = array[dim].values if dim in array.coords else np.zeros(0)
    steps = np.diff(values)
    if not steps.size or not np.allclose(steps, steps.mean(), rtol=1e-6, atol=0):
        raise ValueError(f"dt: not given, and {name} have no evenly spaced coordinate {dim}; pass dt in ms.")
    return float(steps.mean())
