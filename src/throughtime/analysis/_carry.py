"""Coordinates of what goes in, on what comes out."""

from __future__ import annotations

import xarray as xr


def carried(dataset: xr.Dataset, *arrays: xr.DataArray) -> xr.Dataset:
    """``dataset`` with the coordinates of ``arrays`` whose dims it has; the first that has one gives it.

    Example:
        >>> rates = xr.DataArray([1.0, 2.0], dims="unit", coords={"unit": [4, 7]})
        >>> carried(xr.Dataset({"peak": ("unit", [0.0, 1.0])}), rates)["unit"].values.tolist()
        [4, 7]
    """
    given: dict[str, xr.DataArray] = {}
    for array in arrays:
        for name, coordinate in array.coords.items():
            fits = all(dataset.sizes.get(dim) == size for dim, size in coordinate.sizes.items())
            fits = fits and not (coordinate.ndim == 0 and name in dataset.dims)
            if fits and str(name) not in given and name not in dataset.data_vars:
                given[str(name)] = coordinate.drop_vars([n for n in coordinate.coords if n != name])
    return dataset.assign_coords(given)
