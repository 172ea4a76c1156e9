"""What tests of comparisons between systems share."""

import numpy as np
import xarray as xr

from throughtime.results.validate import validate

U = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) / 2
"""Centred orthonormal columns."""
STRETCHED = U * [2.0, 1.0]


def rotation(size, rng):
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def stored(dataset):
    """Problems that a results file would refuse the dataset for."""
    tree = xr.DataTree.from_dict({"/analysis/one": dataset})
    return [problem for problem in validate(tree) if problem.path != "/"]


def named(values, *dims):
    labels = {
        dim: (dim, np.arange(size), {"units": "1"}) for dim, size in zip(dims, values.shape, strict=True)
    }
    return xr.DataArray(values, dims=dims, coords=labels, attrs={"units": "1"})
