"""Checks of what a connectivity is given, each with the value found and a remedy."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def number(owner: str, name: str, value: Any, low: float, high: float, words: str) -> None:
    """Refuse what is no finite number from ``low`` to ``high``; ``words`` say what is expected, and a remedy.

    Example:
        >>> number("Sparse", "plastic_units", 2, 0, 1, "a number from 0 to 1; use 0.6 for 60 %")
        Traceback (most recent call last):
        ValueError: Sparse: plastic_units 2 is not a number from 0 to 1; use 0.6 for 60 %.
    """
    fine = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (fine and low <= value <= high):
        raise ValueError(f"{owner}: {name} {value!r} is not {words}.")


def whole(owner: str, name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number of at least ``least``."""
    if not (isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least):
        raise ValueError(f"{owner}: {name} {value!r} is not a whole number >= {least}.")


def flag(owner: str, name: str, value: Any) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise ValueError(f"{owner}: {name} {value!r} is neither True nor False.")


def synapse_mask(owner: str, name: str, given: ArrayLike | FrozenArray) -> FrozenArray:
    """A square mask of booleans (or zeros and ones) in which something is True.

    Raises:
        ValueError: for another shape, other values, or nothing that is True.
    """
    values = np.asarray(given)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
        raise ValueError(
            f"{owner}: {name} has shape {values.shape}, expected (unit, presynaptic_unit); give one entry a "
            "synapse."
        )
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(f"{owner}: {name} has entries other than True and False; compare the array first.")
    if not values.any():
        raise ValueError(f"{owner}: {name} is True nowhere; mark at least one synapse.")
    return FrozenArray(values.astype(bool))


def fits(owner: str, name: str, mask: FrozenArray, num_units: int) -> np.ndarray:
    """The values of a mask of ``num_units`` units.

    Raises:
        ValueError: for a mask of another number of units.
    """
    if mask.shape != (num_units, num_units):
        raise ValueError(
            f"{owner}: {name} has shape {mask.shape}, expected {(num_units, num_units)}; give one entry a "
            f"synapse of the circuit's {num_units} units."
        )
    return mask.values
