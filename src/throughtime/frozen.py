"""Arrays inside configuration objects: immutable, hashable by content, printable as JSON."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class FrozenArray:
    """A read-only array that can be a field of a frozen dataclass.

    Two frozen arrays are equal when dtype, shape and content are; the hash is the content's SHA-256, so
    a configuration that holds one is a valid static argument of ``jax.jit``.

    Example:
        >>> mask = FrozenArray([[True, False], [False, True]])
        >>> mask == FrozenArray(mask.values) and hash(mask) == hash(FrozenArray(mask.values))
        True
        >>> mask.shape
        (2, 2)
    """

    __slots__ = ("digest", "values")

    values: np.ndarray
    digest: str

    def __init__(self, values: ArrayLike) -> None:
        array = np.array(values, order="C", copy=True)
        if array.dtype.kind not in "bifu":
            raise ValueError(
                f"FrozenArray: expected a boolean or real array, got dtype {array.dtype}; convert it first."
            )
        array.flags.writeable = False
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        content = f"{array.dtype.str[1:]}{array.shape}".encode() + little.tobytes()
        object.__setattr__(self, "values", array)
        object.__setattr__(self, "digest", hashlib.sha256(content).hexdigest())

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.values.shape

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"FrozenArray is immutable; make a new one instead of setting {name!r}.")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype) if copy else np.asarray(self.values, dtype=dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenArray) and self.digest == other.digest

    def __hash__(self) -> int:
        return int(self.digest[:15], 16)

    def __repr__(self) -> str:
        return f"FrozenArray(shape={self.shape}, dtype={self.values.dtype}, digest={self.digest[:8]})"

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenArray, (np.array(self.values),)
