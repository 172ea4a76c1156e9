"""Refusals shared by the analyses: argument, value found, remedy."""

from __future__ import annotations

from typing import Any

import numpy as np


class DegenerateError(ValueError):
    """Sound data in which nothing varies, so that what is asked has no answer; among others it is a NaN."""


def finite(name: str, values: Any, remedy: str = "drop or repair these samples first") -> np.ndarray:
    """``values`` as a float64 array, refused when any entry is NaN or infinite.

    Raises:
        ValueError: naming the argument and the number of non-finite entries.

    Example:
        >>> finite("interval", [1, 2])
        array([1., 2.])
    """
    array = np.asarray(values, dtype=np.float64)
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise ValueError(f"{name}: {bad} of {array.size} values are not finite; {remedy}.")
    return array


def vector(name: str, values: np.ndarray) -> np.ndarray:
    """``values``, refused unless one-dimensional."""
    if values.ndim != 1:
        raise ValueError(f"{name}: expected one value a trial, got shape {values.shape}; flatten it first.")
    return values


def same_length(**arrays: np.ndarray) -> None:
    """Refuse arrays whose first axes differ, naming each with its length."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"unequal lengths: {found}; pass one value a trial to each.")


def binary(name: str, values: Any) -> np.ndarray:
    """``values`` as float64, refused unless each is 0 or 1 (or a boolean).

    Example:
        >>> binary("correct", [True, False])
        array([1., 0.])
    """
    array = vector(name, finite(name, values))
    found = np.unique(array)
    if not np.isin(found, (0.0, 1.0)).all():
        raise ValueError(f"{name}: expected 0 and 1, found {found[:4].tolist()}; pass a boolean a trial.")
    return array


def fraction(name: str, value: float) -> float:
    """``value``, refused unless strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name}: {value} is not between 0 and 1; use for example 0.95.")
    return value


def paired(x: Any, y: Any, *, axis: int = -1, fewest: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two representations of the same samples as centred float64 matrices (sample, unit).

    Raises:
        ValueError: for non-finite entries, samples that do not pair, too few of them, or zero variance.
    """
    found = []
    for name, values in (("x", x), ("y", y)):
        array = finite(name, values, "leave padding out, in both alike")
        if array.ndim < 2:
            raise ValueError(f"{name}: shape {array.shape}; expected (sample, unit).")
        moved = np.moveaxis(array, axis, -1)
        found.append((moved.shape[:-1], moved.reshape(-1, moved.shape[-1])))
    (shape, first), (other, second) = found
    if shape != other:
        raise ValueError(
            f"y: samples of shape {other}, x has {shape}; pass the same samples in the same order."
        )
    if len(first) < fewest:
        raise ValueError(f"x: {len(first)} samples; use at least {fewest}.")
    centred = []
    for name, values in (("x", first), ("y", second)):
        away = values - values.mean(0)
        if not (away**2).sum() > 1e-24 * (values**2).sum():
            raise ValueError(f"{name}: zero variance in every unit; there is nothing to compare.")
        centred.append(away)
    return centred[0], centred[1]


def duration(name: str, value: float) -> float:
    """``value`` in ms, refused unless finite and positive.

    Example:
        >>> duration("dt", 20)
        20.0
    """
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name}: {value!r} ms is not a positive number; pass a duration in ms.")
    return float(value)
