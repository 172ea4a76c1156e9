"""Accuracy by serial position of datasets; see :mod:`throughtime.analysis.arrays.serial_position`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import serial_position as arrays

_EACH, _RANK = ("condition",), ("condition", "rank")


def serial_position(
    length: xr.DataArray, *, where: xr.DataArray | None = None, **items: xr.DataArray
) -> xr.Dataset:
    """Accuracy by rank and length of the sequence, with primacy and recency, seed by seed.

    See :func:`throughtime.analysis.arrays.serial_position.serial_position`. Lengths are those of all seeds.

    Args:
        length: (…, trial) number of items. where: (…, trial) trials to use.
        items: ``item_1``, ``item_2``, …, (…, trial): whether the item at each rank was right.

    Returns:
        Dataset: ``fraction_correct, lower, upper`` (…, condition, rank), ``length, whole, num_trials``
        (…, condition), ``position`` (…, rank), ``overall, worst, primacy, recency`` (…).

    Raises:
        ValueError: as the array function, for all seeds together, and for ranks that are not ``item_1`` and
            on.

    Example:
        >>> one = lambda *values: xr.DataArray(list(values), dims="trial")
        >>> result = serial_position(one(3, 3), item_1=one(1, 1), item_2=one(1, 0), item_3=one(1, 1))
        >>> result.fraction_correct.values, float(result.primacy)
        (array([[1. , 0.5, 1. ]]), 0.5)
    """
    names = [f"item_{rank + 1}" for rank in range(len(items))]
    if not items or set(names) != set(items):
        found = ", ".join(items) or "none"
        raise ValueError(f"items: expected one array a rank, item_1, item_2, …; found {found}.")
    ranked = [items[name] for name in names]
    mask = trial_mask(where, length)
    values = pooled(length, mask)
    arrays.serial_position(values, np.stack([pooled(item, mask) for item in ranked], axis=1))
    lengths = np.unique(values)

    def one(of: np.ndarray, *each: np.ndarray) -> tuple[object, ...]:
        *right, use = each
        columns = np.stack([item[use] for item in right], axis=1).astype(float)
        return tuple(arrays.estimate(of[use].astype(float), columns, lengths))

    fields = {
        "length": Field(_EACH, "1", "items in the sequence"),
        "position": Field(("rank",), "1", "serial position"),
        "fraction_correct": Field(_RANK, "1", "fraction correct"),
        "lower": Field(_RANK, "1", "lower Wilson bound"),
        "upper": Field(_RANK, "1", "upper Wilson bound"),
        "whole": Field(_EACH, "1", "fraction of sequences with all items right"),
        "num_trials": Field(_EACH, "1", "trials"),
        "overall": Field((), "1", "fraction of all items right"),
        "worst": Field((), "1", "fraction correct at the worst position"),
        "primacy": Field((), "1", "first less middle items"),
        "recency": Field((), "1", "last less middle items"),
    }
    return apply(
        one,
        (length, *ranked, mask),
        [("trial",)] * (len(ranked) + 2),
        fields,
        method="serial_position",
        parameters={},
    )
