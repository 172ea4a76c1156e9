"""Paired comparisons of datasets; see :mod:`throughtime.analysis.arrays.paired_statistics`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._comparisons import (
    OTHER_SEED,
    SEED,
    estimates,
    family,
    finish,
    labels_of,
    name_of,
    p_fields,
    sides,
)
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import paired_statistics as arrays
from throughtime.analysis.arrays import replicates


def paired_statistics(
    values: xr.DataArray,
    other: xr.DataArray | None = None,
    *,
    reference: str | int | None = None,
    dim: str = "rule",
    test: str = "sign-flip",
    failed: str | float = "worst",
    higher_is_better: bool | None = None,
    family_size: int | None = None,
    level: float = 0.05,
    confidence: float = 0.95,
    num_resamples: int = replicates.NUM_RESAMPLES,
    random_seed: int = 0,
) -> xr.Dataset:
    """Differences seed by seed, from a reference along ``dim`` or from another array, with exact tests.

    See :func:`throughtime.analysis.arrays.paired_statistics.paired_statistics` for tests, effect sizes,
    failed seeds and the refusal of p values. The family that Holm's correction counts is every comparison
    returned, unless a larger one is declared. A comparison whose values are the same in every seed is a
    member without p, ``p_status`` 2.

    Args:
        values: (…, [dim,] seed), NaN where a seed failed. other: (…, seed), subtracted; the same seeds in the
            same order.
        reference: label of ``dim`` that is subtracted from each of the others: a name of its
            ``flag_meanings`` or a value of its coordinate. Exactly one of ``other`` and ``reference``.
        dim: dim of the labels.
        family_size: comparisons in the declared family; those returned if not given.
        test, failed, higher_is_better, level, confidence, num_resamples, random_seed: see the array function.

    Returns:
        Dataset over (…, [dim without the reference]): ``mean_difference, lower, upper, median_difference,
        median_lower, median_upper`` in the units of ``values``, ``d_z, rank_biserial, p, p_holm, p_minimum,
        num_seeds, num_failed, num_failed_reference, ranked, p_status``; ``difference`` (…, seed). Why p is
        missing is the attribute ``reason`` of ``p``.

    Raises:
        ValueError: as the array function; for both or none of ``other`` and ``reference``, an unknown
            label, or seeds that differ.

    Example:
        >>> score = xr.DataArray(np.arange(12.0).reshape(2, 6) ** 2, dims=("rule", "seed"))
        >>> found = paired_statistics(score, reference=0)
        >>> found["rule"].values.tolist(), found["p"].values.tolist(), float(found["mean_difference"][0])
        ([1], [0.03125], 66.0)
    """
    first, second, named = sides(values, other, reference, dim)
    if not np.array_equal(labels_of(first, SEED), labels_of(second, SEED)):
        raise ValueError(
            "values, other: their seeds differ; pairs need the same seeds in the same order, "
            "unpaired_statistics does not."
        )
    options: dict[str, Any] = {
        "failed": failed,
        "higher_is_better": None if higher_is_better is None else int(higher_is_better),
        "family_size": family(family_size, first, second),
        "level": level,
        "confidence": confidence,
        "num_resamples": num_resamples,
        "random_seed": random_seed,
    }

    def one(x: np.ndarray, y: np.ndarray) -> tuple[object, ...]:
        found = arrays.estimate(
            x, y, test, failed, higher_is_better, options["family_size"], level, confidence,
            num_resamples, random_seed,
        )  # fmt: skip
        ends = (*found.interval, found.median_difference, *found.median_interval)
        counts = (found.num_seeds, found.num_failed_first, found.num_failed_second, found.ranked)
        effects = (found.d_z, found.rank_biserial, found.p, found.p_minimum)
        return found.difference, found.mean_difference, *ends, *effects, *counts, found.status

    units = str(values.attrs.get("units", "1"))
    fields = {
        "difference": Field(
            (SEED,), units, f"difference in {name_of(values)}, infinite beside a failed seed"
        ),
        **estimates(units, values),
        "d_z": Field((), "1", "mean over SD of the differences"),
        "rank_biserial": Field((), "1", "matched-pairs rank-biserial correlation"),
        **p_fields(),
        "num_seeds": Field((), "1", "pairs of seeds"),
        "num_failed": Field((), "1", "failed seeds"),
        "num_failed_reference": Field((), "1", "failed seeds of what is subtracted"),
        "ranked": Field((), "1", "whether the test is of signed ranks"),
        "p_status": Field((), "1", "whether there is a p value"),
    }
    # the seed is the replicate: what is carried over is its labels, not a call for each
    first, second = first.rename({SEED: OTHER_SEED}), second.rename({SEED: OTHER_SEED})
    dataset = apply(
        one, (first, second), [(OTHER_SEED,)] * 2, fields, method="paired_statistics",
        parameters={"test": test, **options, **named},
    )  # fmt: skip
    if OTHER_SEED in first.coords:
        dataset = dataset.assign_coords({SEED: (SEED, first[OTHER_SEED].values, first[OTHER_SEED].attrs)})
    return finish(dataset, first, second)
