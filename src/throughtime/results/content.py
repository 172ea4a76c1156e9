"""What a results tree says, as one hash: the same for the same numbers, whatever file holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import xarray as xr


def local_datasets(tree: xr.DataTree) -> Iterator[tuple[str, xr.Dataset]]:
    """Path (``/``, ``/training``, …) and own dataset of every group, sorted by path."""
    groups = {"/" if key == "." else f"/{key}": node for key, node in tree.subtree_with_keys}
    for path in sorted(groups):
        yield path, groups[path].to_dataset(inherit=False)


def content_sha256(tree: xr.DataTree) -> str:
    """SHA-256 (hex) of the path, dtype, shape and little-endian C-order bytes of every variable.

    Attributes do not count: two runs of one configuration on one machine have equal hashes although
    they were made at different times.

    Example:
        >>> one = xr.DataTree.from_dict({"/training": xr.Dataset({"loss": ("update", [1.0, 0.5])})})
        >>> content_sha256(one) == content_sha256(one.copy()), content_sha256(one)[:8]
        (True, '7686538a')
    """
    variables = {
        f"{path.rstrip('/')}/{name}": variable
        for path, dataset in local_datasets(tree)
        for name, variable in dataset.variables.items()
    }
    digest = hashlib.sha256()
    for path in sorted(variables):
        values = np.asarray(variables[path].values)
        little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).reshape(values.shape)
        digest.update(f"{path}\0{little.dtype.str}\0{little.shape}\0".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()
