"""Maps of circuits by their distances; see :mod:`throughtime.analysis.arrays.embedding`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import describe
from throughtime.analysis.arrays import embedding as arrays

KEPT = ("label", "replicate", "status")


def embedding(matrix: xr.Dataset, *, num_components: int = 2) -> xr.Dataset:
    """A map of circuits whose distances are as near as can be to those of a matrix.

    See :func:`throughtime.analysis.arrays.embedding.embedding`. Circuits that were refused have no place.

    Args:
        matrix: what :func:`distance_matrix` returns. num_components: of the map.

    Returns:
        Dataset: ``location`` (run, component), in the units of the distance; ``stress``; and ``label``,
        ``replicate`` and ``status`` (run) of the matrix.

    Raises:
        ValueError: as the array function.

    Example:
        >>> from throughtime.analysis import distance_matrix
        >>> rng = np.random.default_rng(0)
        >>> rates = xr.DataArray(rng.standard_normal((5, 30, 4)), dims=("seed", "trial", "unit"))
        >>> dict(embedding(distance_matrix(rates)).location.sizes)
        {'run': 5, 'component': 2}
    """
    distance = matrix["distance"].values
    there = np.isfinite(distance).sum(1) > 1
    found = arrays.embedding(distance[np.ix_(there, there)], num_components=num_components)
    location = np.full((len(distance), num_components), np.nan)
    location[there] = found.location
    units = matrix["distance"].attrs.get("units", "1")
    dataset = matrix[[name for name in KEPT if name in matrix]].drop_vars("other_run", errors="ignore")
    name = str(matrix["distance"].attrs.get("long_name", "distance"))
    dataset["location"] = (("run", "component"), location, {"units": units, "long_name": f"map of {name}"})
    dataset["stress"] = ((), found.stress, {"units": "1", "long_name": "stress"})
    told = {key: value for key, value in matrix.attrs.items() if key == "measure"}
    return describe(dataset, "embedding", told | {"num_components": num_components})
