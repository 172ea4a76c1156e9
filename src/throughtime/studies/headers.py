"""What a group of a results file holds, without its numbers: quick to read for thousands of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from throughtime.results.differences import COMPARED
from throughtime.results.plain import plain_attributes

SEED = "seed"
OF_LAYOUT = ("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "coordinates")


class Header(NamedTuple):
    """One variable: dims, shape, dtype and attributes; for a coordinate also its values."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    attrs: dict[str, Any]
    values: np.ndarray | None = None


class Headers(NamedTuple):
    """One group: attributes, variables and coordinates by name."""

    attrs: dict[str, Any]
    variables: dict[str, Header]
    coords: dict[str, Header]

    def along(self, name: str) -> dict[str, Header]:
        """Coordinates of a variable but for those along ``seed``."""
        dims = set(self.variables[name].dims)
        return {one: header for one, header in self.coords.items() if set(header.dims) <= dims - {SEED}}


def dims_of(array: Any) -> tuple[str, ...]:
    """Names of the dims of an open variable; a coordinate of its own dim has that."""
    if array.is_scale:
        return (str(array.name).rpartition("/")[2],)
    return tuple(str(scale[0].name).rpartition("/")[2] for scale in array.dims)


def read(path: Path, group: str, full: bool = True) -> Headers | None:
    """Headers of a group of a netCDF4 file; None where the file has no such group.

    Args:
        path: of the file. group: in it.
        full: read all attributes of variables, and not only those that are compared.

    Raises:
        FileNotFoundError: where there is no file.
    """
    with h5py.File(path, "r") as file:
        if group not in file:
            return None
        node = file[group]
        arrays = {str(name): array for name, array in node.items() if isinstance(array, h5py.Dataset)}
        named = {one for array in arrays.values() for one in _coordinates(array)}
        variables, coords = {}, {}
        for name, array in arrays.items():
            header = Header(dims_of(array), array.shape, array.dtype, _attributes(array, full))
            if array.is_scale or name in named:
                coords[name] = header._replace(values=np.asarray(array[()]))
            else:
                variables[name] = header
        return Headers(_attributes(node), variables, coords)


def difference(first: Headers, other: Headers, name: str) -> str:
    """In what a variable of two groups differs, seeds apart, so that it cannot stand in one array; or ""."""
    one, two = first.variables[name], other.variables[name]
    if one.dims != two.dims:
        return f"{name} has dims {two.dims}, not {one.dims}"
    if one.dtype != two.dtype:
        return f"{name} has dtype {two.dtype}, not {one.dtype}"
    for key in COMPARED:
        if one.attrs.get(key) != two.attrs.get(key):
            return f"{name} has {key} {two.attrs.get(key)!r}, not {one.attrs.get(key)!r}"
    for dim, size, others in zip(one.dims, one.shape, two.shape, strict=True):
        if size != others and dim != SEED:
            return f"{name} has {dim} {others} long, not {size}"
    coords, more = first.along(name), other.along(name)
    for coord in sorted({*coords, *more}):
        if coord not in coords or coord not in more or not same(coords[coord], more[coord]):
            return f"coordinate {coord} has other values"
    return ""


def same(one: Header, other: Header) -> bool:
    """Whether two coordinates are one."""
    flags = all(one.attrs.get(key) == other.attrs.get(key) for key in COMPARED)
    return flags and one.dims == other.dims and np.array_equal(_values(one), _values(other))


def _values(header: Header) -> np.ndarray:
    return np.zeros(0) if header.values is None else header.values


def _coordinates(array: Any) -> list[str]:
    return plain_attributes({"names": array.attrs.get("coordinates", b"")})["names"].split()


def _attributes(node: Any, full: bool = True) -> dict[str, Any]:
    attrs = node.attrs
    if full:
        names = [name for name in attrs if name not in OF_LAYOUT and not name.startswith("_N")]
    else:
        names = [name for name in COMPARED if name in attrs]
    return plain_attributes({name: attrs[name] for name in names})
