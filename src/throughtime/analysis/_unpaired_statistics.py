"""Unpaired comparisons of datasets; see :mod:`throughtime.analysis.arrays.unpaired_statistics`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._comparisons import OTHER_SEED, SEED, estimates, family, finish, p_fields, sides
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import replicates
from throughtime.analysis.arrays import unpaired_statistics as arrays


def unpaired_statistics(
    values: xr.DataArray,
    other: xr.DataArray | None = None,
    *,
    reference: str | int | None = None,
    dim: str = "rule",
    failed: str | float = "worst",
    higher_is_better: bool | None = None,
    family_size: int | None = None,
    level: float = 0.05,
    confidence: float = 0.95,
    num_resamples: int = replicates.NUM_RESAMPLES,
    random_seed: int = 0,
) -> xr.Dataset:
    """Differences between groups of seeds that are not pairs, with exact Mann–Whitney tests.

    See :func:`throughtime.analysis.arrays.unpaired_statistics.unpaired_statistics`; arguments, family and
    refusals are those of :func:`paired_statistics`, but the seeds may differ in label and number.

    Returns:
        Dataset over (…, [dim without the reference]): ``mean_difference, lower, upper, median_difference,
        median_lower, median_upper`` in the units of ``values``, ``cohen_d, rank_biserial, p, p_holm,
        p_minimum, num_seeds, num_seeds_reference, num_failed, num_failed_reference, p_status``.

    Raises:
        ValueError: as the array function; for both or none of ``other`` and ``reference``, or an unknown
            label.

    Example:
        >>> score = xr.DataArray(np.arange(8.0).reshape(2, 4), dims=("rule", "seed"))
        >>> unpaired_statistics(score, reference=0)["p"].values.round(4).tolist()
        [0.0286]
    """
    first, second, named = sides(values, other, reference, dim)
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
            x, y, failed, higher_is_better, options["family_size"], level, confidence,
            num_resamples, random_seed,
        )  # fmt: skip
        ends = (*found.interval, found.median_difference, *found.median_interval)
        counts = (found.num_seeds_first, found.num_seeds_second)
        lost = (found.num_failed_first, found.num_failed_second, found.status)
        return (
            found.mean_difference, *ends, found.cohen_d, found.rank_biserial, found.p, found.p_minimum,
            *counts, *lost,
        )  # fmt: skip

    fields = {
        **estimates(str(values.attrs.get("units", "1")), values),
        "cohen_d": Field((), "1", "difference of means over the pooled SD"),
        "rank_biserial": Field((), "1", "rank-biserial correlation"),
        **p_fields(),
        "num_seeds": Field((), "1", "seeds"),
        "num_seeds_reference": Field((), "1", "seeds of what is subtracted"),
        "num_failed": Field((), "1", "failed seeds"),
        "num_failed_reference": Field((), "1", "failed seeds of what is subtracted"),
        "p_status": Field((), "1", "whether there is a p value"),
    }
    second = second.drop_vars(SEED, errors="ignore").rename({SEED: OTHER_SEED})
    dataset = apply(
        one, (first, second), [(SEED,), (OTHER_SEED,)], fields, method="unpaired_statistics",
        parameters={"test": "mann-whitney", **options, **named},
    )  # fmt: skip
    return finish(dataset, first, second)
