"""The two file formats: how a tree is written to a path and read back, bits unchanged."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import xarray as xr

from throughtime.results.content import local_datasets

COMPRESS_BYTES = 1 << 13
ONE_CHUNK_BYTES = 1 << 24
# Groups of many small variables are written and read five times faster than by h5netcdf.
ENGINE: Literal["netcdf4"] = "netcdf4"
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Layout(NamedTuple):
    """One file format.

    Attributes:
        write: (tree, path) -> None; whole on disk when it returns.
        read: path -> tree in memory, nothing decoded. open: path -> the same with Dask arrays.
        why_foreign: path -> why it cannot be of this format, or "".
    """

    write: Callable[[xr.DataTree, Path], None]
    read: Callable[[Path], xr.DataTree]
    open: Callable[[Path], xr.DataTree]
    why_foreign: Callable[[Path], str]


def write_netcdf(tree: xr.DataTree, path: Path) -> None:
    """Write netCDF4; float arrays from :data:`COMPRESS_BYTES` on are shuffled and deflated.

    The file is made in memory first: HDF5 crashes the process when the disk it writes to is full.
    """
    encoding = _encodings(tree, {"zlib": True, "complevel": 2, "shuffle": True}, {})
    content = tree.to_netcdf(engine=ENGINE, format="NETCDF4", encoding=encoding)
    path.write_bytes(content)
    sync(path)


def write_zarr(tree: xr.DataTree, path: Path) -> None:
    """Write zarr v3 without consolidated metadata, which is not part of its specification.

    Chunks that equal the fill value are written too: left out, -0.0 and the bits of NaNs would be lost.
    """
    encoding = _encodings(tree, {}, {"compressors": None})
    for group, dataset in local_datasets(tree):
        for name, variable in dataset.variables.items():
            options = encoding[group][str(name)]
            options["write_empty_chunks"] = True
            if variable.chunks is None and 0 < variable.nbytes <= ONE_CHUNK_BYTES and variable.ndim:
                options["chunks"] = variable.shape
    tree.to_zarr(path, mode="w-", encoding=encoding, consolidated=False, zarr_format=3)
    for folder, _, files in os.walk(path):
        for name in files:
            sync(Path(folder, name))
        sync(Path(folder))


def rechunked(tree: xr.DataTree) -> xr.DataTree:
    """A tree whose Dask arrays have chunks of a size that a zarr folder is written in.

    Chunks are put together, last axes first, and never taken apart: so they are read one after the other.
    """
    groups = {}
    for group, dataset in local_datasets(tree):
        for name, variable in dataset.variables.items():
            if variable.chunks is not None:
                sizes = _grown(variable.shape, variable.chunks, variable.dtype.itemsize)
                dataset[name] = variable.chunk(dict(zip(variable.dims, sizes, strict=True)))
        groups[group] = dataset
    return xr.DataTree.from_dict(groups)


def _grown(shape: tuple[int, ...], chunks: tuple[tuple[int, ...], ...], itemsize: int) -> list[int]:
    """Sizes of chunks of at most :data:`ONE_CHUNK_BYTES` that whole chunks make up.

    Example:
        >>> _grown((50, 3, 1 << 18), ((1,) * 50, (1, 1, 1), (1 << 18,)), 8)
        [2, 3, 262144]
    """
    sizes = [max(of_axis, default=1) for of_axis in chunks]
    for axis in reversed(range(len(shape))):
        room = ONE_CHUNK_BYTES // max(1, itemsize * math.prod(sizes))
        sizes[axis] = min(shape[axis], sizes[axis] * max(1, room))
        if sizes[axis] < shape[axis]:
            break
    return sizes


def open_netcdf(path: Path) -> xr.DataTree:
    """Open netCDF4 with Dask arrays."""
    return _open(path, chunks={}, engine=ENGINE)


def open_zarr(path: Path) -> xr.DataTree:
    """Open a zarr v3 folder with Dask arrays."""
    return _open(path, chunks={}, engine="zarr", consolidated=False, zarr_format=3)


def read_netcdf(path: Path) -> xr.DataTree:
    """Read netCDF4 into memory and close the file."""
    with _open(path, engine=ENGINE) as tree:
        return tree.load()


def read_zarr(path: Path) -> xr.DataTree:
    """Read a zarr v3 folder into memory."""
    with _open(path, engine="zarr", consolidated=False, zarr_format=3) as tree:
        return tree.load()


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk (where the system lets a folder be asked)."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, **options: Any) -> xr.DataTree:
    # Masking would replace the bits of NaNs; nothing here is a date.
    return xr.open_datatree(path, mask_and_scale=False, decode_times=False, **options)


def _encodings(
    tree: xr.DataTree, large: dict[str, Any], small: dict[str, Any]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Group -> variable -> encoding, ``large`` for big float arrays and ``small`` for all others."""
    return {
        group: {
            str(name): {
                "_FillValue": None,
                **(large if v.dtype.kind == "f" and v.nbytes >= COMPRESS_BYTES else small),
            }
            for name, v in dataset.variables.items()
        }
        for group, dataset in local_datasets(tree)
    }


def _why_foreign_netcdf(path: Path) -> str:
    if path.is_dir():
        return "it is a folder; a zarr folder has the suffix .zarr"
    try:
        with path.open("rb") as file:
            signature = file.read(len(HDF5_SIGNATURE))
    except OSError as error:
        return f"it cannot be opened ({error.strerror})"
    return "" if signature == HDF5_SIGNATURE else "it is not netCDF4 (HDF5)"


def _why_foreign_zarr(path: Path) -> str:
    if not path.is_dir():
        return "it is not a folder"
    return "" if (path / "zarr.json").is_file() else "the folder holds no zarr.json, so it is not zarr v3"


LAYOUTS = {
    ".nc": Layout(write_netcdf, read_netcdf, open_netcdf, _why_foreign_netcdf),
    ".zarr": Layout(write_zarr, read_zarr, open_zarr, _why_foreign_zarr),
}
