"""Two conditions compared over seeds that are not pairs."""

from __future__ import annotations

from math import comb
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks, replicates

MAX_EXACT = 20_000
"""Splits of tied ranks that are gone through one by one: two groups of eight."""


class UnpairedStatistics(NamedTuple):
    """First against second, ``n`` and ``m`` seeds.

    Attributes:
        mean_difference: difference of the means; NaN where a failed seed is ranked worst.
        interval: (2,) its BCa interval; NaN without mean or spread.
        median_difference: median of all n·m differences (Hodges–Lehmann), that of two failed seeds being 0.
        median_interval: (2,) its interval; bounds may be ±∞.
        cohen_d: mean difference over the pooled SD; NaN without mean or spread.
        rank_biserial: chance that first exceeds second minus the chance of the reverse.
        p: two-sided; NaN where ``status`` is not 0.
        p_minimum: smallest value that p can take.
        num_seeds_first, num_seeds_second: n and m.
        num_failed_first, num_failed_second: failed seeds.
        status: 0 tested, 1 too few seeds for the family at this level.
    """

    mean_difference: float
    interval: np.ndarray
    median_difference: float
    median_interval: np.ndarray
    cohen_d: float
    rank_biserial: float
    p: float
    p_minimum: float
    num_seeds_first: int
    num_seeds_second: int
    num_failed_first: int
    num_failed_second: int
    status: int


def unpaired_statistics(
    first: np.ndarray,
    second: np.ndarray,
    *,
    failed: str | float = "worst",
    higher_is_better: bool | None = None,
    family_size: int = 1,
    level: float = 0.05,
    confidence: float = 0.95,
    num_resamples: int = replicates.NUM_RESAMPLES,
    seed: int = 0,
) -> UnpairedStatistics:
    """Effect, interval and exact Mann–Whitney test of two groups of seeds.

    U is the number of pairs (i, j) with first_i > second_j, ties counting half; p is its two-sided exact p
    (Mann and Whitney 1947, Annals of Mathematical Statistics). Where values tie, all splits of the
    ranks are gone through if there are at most 20 000, ``num_resamples`` random ones otherwise. p is not
    below ``p_minimum`` = 2/C(n + m, n); refusal for small groups and failed seeds are treated as in
    :func:`throughtime.analysis.arrays.paired_statistics.paired_statistics`, which is the stronger test where
    seeds are pairs.

    The rank-biserial correlation is 2U/(nm) − 1. The interval of the mean is a BCa bootstrap over both groups
    (Efron 1987, JASA), that of the median difference inverts the Mann–Whitney test (Hodges and Lehmann 1963,
    Annals of Mathematical Statistics).

    Args:
        first, second: (seed,) one value a seed, NaN where a seed failed; any two numbers of seeds.
        failed, higher_is_better, family_size, level, confidence, num_resamples, seed: as there.

    Raises:
        ValueError: for fewer than 3 seeds a group, infinite values, values that are all the same, or options
            out of range.

    Example:
        >>> found = unpaired_statistics(np.arange(4.0, 8.0), np.arange(4.0))
        >>> round(found.p, 4), found.rank_biserial, found.median_difference
        (0.0286, 1.0, 4.0)
    """
    found = estimate(
        first, second, failed, higher_is_better, family_size, level, confidence, num_resamples, seed
    )
    if found.status == replicates.IDENTICAL:
        total = found.num_seeds_first + found.num_seeds_second
        raise ValueError(
            f"first, second: all {total} values are the same; there is nothing to test. "
            "Compare different conditions."
        )
    return found


def estimate(
    first: Any,
    second: Any,
    failed: str | float = "worst",
    higher_is_better: bool | None = None,
    family_size: int = 1,
    level: float = 0.05,
    confidence: float = 0.95,
    num_resamples: int = replicates.NUM_RESAMPLES,
    seed: int = 0,
) -> UnpairedStatistics:
    """:func:`unpaired_statistics` with status 2 where it refuses values that are all the same."""
    from scipy.stats import rankdata

    replicates.options(level, family_size, num_resamples)
    checks.fraction("confidence", confidence)
    first, second, lost, other_lost = replicates.scores(first, second, failed, higher_is_better)
    n, m = first.size, second.size
    ranks = rankdata(np.concatenate([first, second]))
    tied = np.unique(ranks).size < ranks.size
    exact = not tied or comb(n + m, n) <= MAX_EXACT
    minimum = 2.0 / comb(n + m, n)
    minimum = minimum if exact else max(minimum, 2.0 / (num_resamples + 1))
    status = replicates.status(bool(np.ptp(ranks) == 0), minimum, family_size, level)
    tested = status == replicates.TESTED
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    finite = bool(np.isfinite(first).all() and np.isfinite(second).all())
    mean = float(first.mean() - second.mean()) if finite else np.nan
    pooled = np.nan
    if finite and (np.ptp(first) > 0 or np.ptp(second) > 0):
        pooled = float(np.sqrt(((n - 1) * first.var(ddof=1) + (m - 1) * second.var(ddof=1)) / (n + m - 2)))
    same = first[:, None] == second
    apart = np.zeros((n, m))
    np.subtract(first[:, None], second, out=apart, where=~same)
    ordered = np.sort(apart.ravel())
    return UnpairedStatistics(
        mean_difference=mean,
        interval=replicates.bca_interval((first, second), _mean_difference, confidence, num_resamples, seed),
        median_difference=replicates.median(ordered),
        median_interval=_shift_interval(ordered, n, m, confidence),
        cohen_d=mean / pooled,
        rank_biserial=2 * u / (n * m) - 1,
        p=mann_whitney(ranks[:n], ranks[n:], num_resamples if tied else 0, seed) if tested else np.nan,
        p_minimum=minimum,
        num_seeds_first=n,
        num_seeds_second=m,
        num_failed_first=int(lost.sum()),
        num_failed_second=int(other_lost.sum()),
        status=status,
    )


def mann_whitney(first: np.ndarray, second: np.ndarray, num_resamples: int, seed: int) -> float:
    """Two-sided p of ranks; ``num_resamples`` 0 where none are tied.

    Example:
        >>> round(mann_whitney(np.array([4.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0]), 0, 0), 9)
        0.1
    """
    from scipy.stats import mannwhitneyu, permutation_test

    if not num_resamples:
        return float(mannwhitneyu(first, second, method="exact").pvalue)
    exact = comb(first.size + second.size, first.size) <= MAX_EXACT
    found = permutation_test(
        (first, second), _mean_difference, permutation_type="independent", vectorized=True,
        n_resamples=np.inf if exact else num_resamples, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.pvalue)


def u_counts(n: int, m: int) -> np.ndarray:
    """(n·m + 1,) splits of n + m ranks at which U is 0, 1, …: coefficients of the Gaussian binomial.

    Example:
        >>> u_counts(2, 2).tolist()
        [1.0, 1.0, 2.0, 1.0, 1.0]
    """
    counts = np.zeros(n * m + 1)
    counts[0] = 1.0
    for k in range(1, n + 1):
        power = m + k
        counts[power:] = counts[power:] - counts[: max(counts.size - power, 0)]  # times 1 − q^(m + k)
        for start in range(k):  # over 1 − q^k
            counts[start::k] = np.cumsum(counts[start::k])
    return counts


def _mean_difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.asarray(x.mean(axis) - y.mean(axis))


def _shift_interval(ordered: np.ndarray, n: int, m: int, confidence: float) -> np.ndarray:
    share = np.cumsum(u_counts(n, m)) / comb(n + m, n)
    out = int((share <= (1 - confidence) / 2 + 1e-12).sum())
    if not out:
        return np.array([-np.inf, np.inf])
    return ordered[[out - 1, ordered.size - out]]
