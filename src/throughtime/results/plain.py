"""Attributes as plain Python values, whatever a file format made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain_attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as str, int, float or a list of at least two of these.

    NumPy scalars and arrays become Python values, a list of one its entry (netCDF cannot tell them apart),
    booleans 0/1, dicts JSON; ``None`` and empty lists are left out.

    Example:
        >>> plain_attributes({"a": np.int64(1), "b": np.array([1.5]), "c": [True, False], "d": None})
        {'a': 1, 'b': 1.5, 'c': [1, 0]}
    """
    plain = {str(name): _plain(value) for name, value in attrs.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return items if len(items) > 1 else items[0] if items else None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return value
