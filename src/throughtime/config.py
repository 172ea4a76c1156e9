"""Configuration objects as canonical JSON and back; their hashes name runs."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib
import json
import math
from typing import Any

import numpy as np

from throughtime.frozen import FrozenArray

LATER = "later"
"""Key of a field's metadata: the field is younger than records that exist, see :func:`encode`."""


def encode(value: Any) -> Any:
    """Plain JSON types for a configuration value (nested frozen dataclasses of plain values).

    A dataclass becomes ``{"class": "module:Name", field: value, ...}``, a :class:`FrozenArray` its dtype,
    shape and base64 content, a non-finite float ``{"float": "inf"}``; tuples become lists. A field declared
    with ``metadata={"later": True}`` is left out while it has its default, so that a class can get a new
    field without a new hash for every configuration that does not use it.

    Raises:
        TypeError: for a value that is none of these, naming its type.
    """
    if isinstance(value, FrozenArray):
        little = value.values.astype(value.values.dtype.newbyteorder("<"), copy=False)
        content = base64.b64encode(little.tobytes()).decode()
        return {"array": content, "dtype": value.values.dtype.str[1:], "shape": list(value.shape)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        fields = {
            f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if _written(value, f)
        }
        return {"class": f"{kind.__module__}:{kind.__qualname__}", **fields}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, tuple | list | range):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {str(name): encode(item) for name, item in value.items()}
    raise TypeError(
        f"configuration: cannot write a {type(value).__name__} as JSON; use plain values, tuples, "
        "FrozenArray or frozen dataclasses of them."
    )


def _written(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Whether a field stands in the configuration of its object."""
    return field.init and not (field.metadata.get(LATER) and getattr(value, field.name) == field.default)


def decode(value: Any) -> Any:
    """Inverse of :func:`encode`; lists come back as tuples.

    Classes are found by importing the module that defined them. A name that does not lead to a
    dataclass is refused.
    """
    if isinstance(value, list):
        return tuple(decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "class" in value:
        kind = _find(value["class"])
        return kind(**{name: decode(item) for name, item in value.items() if name != "class"})
    if value.keys() == {"float"}:
        return float(value["float"])
    if value.keys() == {"array", "dtype", "shape"}:
        flat = np.frombuffer(base64.b64decode(value["array"]), dtype=np.dtype("<" + value["dtype"]))
        return FrozenArray(flat.reshape(value["shape"]))
    return {name: decode(item) for name, item in value.items()}


def _find(path: str) -> type:
    module, _, name = path.partition(":")
    try:
        target: Any = importlib.import_module(module)
        for part in name.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"configuration: class {path!r} cannot be found; import or install the module that defines it."
        ) from error
    if not (isinstance(target, type) and dataclasses.is_dataclass(target)):
        raise ValueError(f"configuration: {path!r} is not a configuration dataclass.")
    return target


def canonical(value: Any) -> str:
    """Canonical JSON of a configuration: keys sorted, no spaces, non-ASCII kept.

    Example:
        >>> canonical({"b": 1, "a": (1.5, None)})
        '{"a":[1.5,null],"b":1}'
    """
    return json.dumps(
        encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of a configuration."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
