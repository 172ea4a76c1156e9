"""Representational similarity of datasets; see :mod:`throughtime.analysis.arrays.rsa`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field
from throughtime.analysis._pairs import OTHER_UNIT, UNIT, apply_or_mark, other_units, require, same_labels
from throughtime.analysis.arrays import rsa as arrays

FIELDS = {
    "spearman": Field((), "1", "Spearman correlation of dissimilarities"),
    "pearson": Field((), "1", "Pearson correlation of dissimilarities"),
    "p": Field((), "1", "p value, conditions permuted"),
    "dissimilarity_x": Field(("condition", "other_condition"), "1", "dissimilarity of conditions"),
    "dissimilarity_y": Field(("condition", "other_condition"), "1", "dissimilarity of conditions"),
}


def rsa(
    x: xr.DataArray,
    y: xr.DataArray,
    *,
    seed: int,
    metric: str = "correlation",
    repeat_dim: str | None = None,
    num_permutations: int = 1000,
) -> xr.Dataset:
    """Rank correlation of the dissimilarities between conditions in two representations, seed by seed.

    See :func:`throughtime.analysis.arrays.rsa.rsa`.

    Args:
        x, y: (…, condition, unit) means, or (…, repeat, condition, unit); numbers of units and of repeats may
            differ, conditions may not.
        seed: of the permutations, the same for every element of the other dims. num_permutations: how many.
        metric: of means, see the array function.
        repeat_dim: dim of the repeats, such as ``"trial"``, for the cross-validated squared distance.

    Returns:
        Dataset: ``spearman, pearson, p, status`` (…), ``dissimilarity_x, dissimilarity_y`` (…, condition,
        other_condition). A seed that was refused among others has status 1 and is NaN.

    Raises:
        ValueError: as the array function; for dims that are missing or conditions that differ.

    Example:
        >>> points = xr.DataArray([[0.0], [1.0], [3.0], [7.0]], dims=("condition", "unit"))
        >>> float(rsa(points, -points, seed=0, metric="euclidean").spearman.round(9))
        1.0
    """
    repeats = () if repeat_dim is None else (repeat_dim,)
    core = (*repeats, "condition", UNIT)
    for name, array in (("x", x), ("y", y)):
        require(name, array, core)
    same_labels(x, y, [str(dim) for dim in x.dims if dim not in (*repeats, UNIT)])

    def one(first: np.ndarray, second: np.ndarray) -> Sequence[Any]:
        found = arrays.rsa(first, second, seed=seed, metric=metric, num_permutations=num_permutations)
        return (
            found.spearman, found.pearson, found.p_value, found.dissimilarity_x, found.dissimilarity_y,
        )  # fmt: skip

    other = other_units(y)
    inner = core
    if repeats:
        other = other.drop_vars(repeats, errors="ignore").rename({repeat_dim: "other_repeat"})
        inner = ("other_repeat", "condition", UNIT)
    dataset = apply_or_mark(
        one,
        [x, other],
        [core, (*inner[:-1], OTHER_UNIT)],
        FIELDS,
        method="rsa",
        parameters={
            "metric": metric if repeat_dim is None else "crossvalidated",
            "num_permutations": num_permutations,
            "seed": seed,
        },
    )
    if "condition" in x.coords:
        labels = x["condition"].variable
        dataset = dataset.assign_coords(
            condition=x["condition"], other_condition=("other_condition", labels.values, labels.attrs)
        )
    return dataset
