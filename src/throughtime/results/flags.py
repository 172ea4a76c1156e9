"""Categories as integers that name themselves: ``flag_values`` and ``flag_meanings``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.results.errors import ResultsError


def flag_attributes(names: Sequence[str]) -> dict[str, Any]:
    """Attributes that give the codes ``0 … n-1`` the given names.

    White space in a name becomes an underscore; a name that would then occur twice, or be empty, is
    told apart by its code. A single code is a plain integer: netCDF returns a list of one as a scalar.

    Example:
        >>> flag_attributes(["go cue", "noise"])
        {'flag_values': [0, 1], 'flag_meanings': 'go_cue noise'}
    """
    if not names:
        return {}
    labels: list[str] = []
    for code, name in enumerate(names):
        label = re.sub(r"\s+", "_", str(name).strip())
        labels.append(label if label and label not in labels else f"{label}_{code}")
    codes = list(range(len(labels)))
    return {"flag_values": codes if len(codes) > 1 else codes[0], "flag_meanings": " ".join(labels)}


def encode_flags(values: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Integer codes and flag attributes of boolean or string values; numbers pass unchanged.

    Args:
        values: array of any shape.

    Returns:
        The array to store, of the same shape, and its flag attributes (empty for numbers).

    Example:
        >>> encode_flags(np.array([True, False]))
        (array([1, 0], dtype=int8), {'flag_values': [0, 1], 'flag_meanings': 'false true'})
    """
    values = np.asarray(values)
    if values.dtype.kind == "b":
        return values.astype(np.int8), flag_attributes(["false", "true"])
    if values.dtype.kind in "USO":
        text = [v.decode() if isinstance(v, bytes) else str(v) for v in values.ravel().tolist()]
        names, codes = np.unique(np.array(text, dtype=np.str_), return_inverse=True)
        return codes.reshape(values.shape).astype(np.int32), flag_attributes([str(name) for name in names])
    return values, {}


def flag_table(attrs: dict[Any, Any]) -> dict[int, str]:
    """Code -> label of a variable's attributes; empty where it has no flags."""
    if "flag_values" not in attrs:
        return {}
    meanings = str(attrs.get("flag_meanings", "")).split()
    return {
        int(code): name for code, name in zip(np.atleast_1d(attrs["flag_values"]), meanings, strict=False)
    }


def labels(coordinate: xr.DataArray) -> list[str]:
    """Labels of a coordinate or variable, in its order.

    Args:
        coordinate: integers with ``flag_values`` and ``flag_meanings``; anything else is shown as text.

    Raises:
        ResultsError: for a code that has no meaning.

    Example:
        >>> labels(xr.DataArray([1, 0, 1], dims="input", attrs=flag_attributes(["fixation", "go"])))
        ['go', 'fixation', 'go']
    """
    table = flag_table(coordinate.attrs)
    values = np.asarray(coordinate.values).ravel().tolist()
    if not table:
        return [str(value) for value in values]
    unknown = sorted(set(values) - set(table))
    if unknown:
        raise ResultsError(
            f"labels: {coordinate.name!r} holds {unknown}, but its flag_values are {sorted(table)}; "
            "write the file again with a meaning for every code."
        )
    return [table[value] for value in values]
