"""Lines of seeds behind their median."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting.marks import by_seed


def seed_lines(array: xr.DataArray, *along: str) -> np.ndarray:
    """Values (seed, *along) as floats.

    Raises:
        ValueError: for other dims.

    Example:
        >>> seed_lines(xr.DataArray([1, 2], dims="lag"), "lag")
        array([[1., 2.]])
    """
    array = by_seed(array)
    if set(array.dims) != {"seed", *along}:
        raise ValueError(
            f"measured: {array.name} has dims {array.dims}; the panel draws {', '.join(('seed', *along))}: "
            "select an element of the others."
        )
    return np.asarray(array.transpose("seed", *along).values, dtype=float)


def middle(values: np.ndarray) -> np.ndarray:
    """Median over the first axis of the finite values; NaN where there are none.

    Example:
        >>> middle(np.array([[1.0, np.nan], [3.0, np.nan]]))
        array([ 2., nan])
    """
    there = np.where(np.isfinite(values), values, np.nan)
    none = np.isnan(there).all(0)
    return np.where(none, np.nan, np.nanmedian(np.where(none, 0.0, there), axis=0))


def draw(ax: Axes, x: np.ndarray, values: np.ndarray, color: Any, **options: Any) -> np.ndarray:
    """Thin lines of seeds (seed, x) and a thick one of their median, which is returned; one seed is thick."""
    shown = np.where(np.isfinite(values), values, np.nan)
    if len(shown) > 1:
        for series in shown:
            ax.plot(x, series, color=color, lw=0.5, alpha=0.4, zorder=2)
    typical = middle(values)
    ax.plot(x, typical, color=color, zorder=3, **({"lw": 1.4} | options))
    return typical
