"""Two conditions compared seed by seed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks, replicates

MAX_EXACT = 16
TESTS = ("sign-flip", "wilcoxon")


class PairedStatistics(NamedTuple):
    """First minus second, over ``n`` pairs.

    Attributes:
        difference: (n,) first − second; ±∞ where one of the two failed and is ranked worst, 0 where both did.
        mean_difference: their mean; NaN where one is infinite.
        interval: (2,) BCa interval of the mean; NaN where there is no mean or no spread.
        median_difference: their median. median_interval: (2,) its order-statistic interval; bounds may be ±∞,
            and are where too few pairs leave the median unbounded.
        d_z: mean over SD (n − 1) of the differences; NaN without mean or spread.
        rank_biserial: rank sum of positive minus that of negative differences, over both.
        p: two-sided; NaN where ``status`` is not 0.
        p_minimum: smallest value that p can take.
        num_seeds: n. num_failed_first, num_failed_second: failed seeds.
        ranked: 1 where the test is of signed ranks, 0 where it is of the mean.
        status: 0 tested, 1 too few seeds for the family at this level.
    """

    difference: np.ndarray
    mean_difference: float
    interval: np.ndarray
    median_difference: float
    median_interval: np.ndarray
    d_z: float
    rank_biserial: float
    p: float
    p_minimum: float
    num_seeds: int
    num_failed_first: int
    num_failed_second: int
    ranked: int
    status: int


def paired_statistics(
    first: np.ndarray,
    second: np.ndarray,
    *,
    test: str = "sign-flip",
    failed: str | float = "worst",
    higher_is_better: bool | None = None,
    family_size: int = 1,
    level: float = 0.05,
    confidence: float = 0.95,
    num_resamples: int = replicates.NUM_RESAMPLES,
    seed: int = 0,
) -> PairedStatistics:
    """Effect, interval and exact test of paired differences d_i = first_i − second_i.

    If the labels of a pair mean nothing, the sign of each d_i is a coin flip. p is the share of the 2ⁿ sign
    patterns whose statistic is at least as far out as the one found, both tails counted, with

    - ``"sign-flip"``: the mean of d (Fisher 1935, The Design of Experiments);
    - ``"wilcoxon"``: the sum of signed ranks of \\|d\\|, ties at mid-ranks and zeros left out (Wilcoxon 1945,
      Biometrics Bulletin).

    All patterns are gone through up to 16 pairs, ``num_resamples`` random ones beyond. However large the
    effect, p is not below ``p_minimum`` = 2^(1 − n) (beyond 16 pairs, not below 2/(num_resamples + 1)
    either): six pairs are needed for .05, ten for a family of 25. Where ``p_minimum`` × ``family_size``
    exceeds ``level`` no result could be significant after Holm's correction, and p is refused: NaN, with
    status 1. Effect and interval are given all the same.

    A seed that failed (NaN) is never dropped. Ranked worst it has no value, so there is no mean: the test
    is of signed ranks whatever ``test`` says, and the median takes the place of the mean.

    Effect sizes: d_z = mean/SD (Lakens 2013, Frontiers in Psychology); matched-pairs rank-biserial
    correlation (R₊ − R₋)/(R₊ + R₋) (Kerby 2014, Comprehensive Psychology). Interval of the mean:
    bias-corrected and accelerated bootstrap over pairs (Efron 1987, JASA), too narrow for a handful
    of pairs. Interval of the median: the narrowest symmetric pair of order statistics that covers it with at
    least ``confidence``.

    Args:
        first, second: (seed,) one value a seed, the same seeds in the same order; NaN where a seed failed.
        test: ``"sign-flip"`` or ``"wilcoxon"``.
        failed: ``"worst"``, ``"refuse"``, or the value that a failed seed is given (chance for a score, say).
        higher_is_better: which end is worst; needed where a seed failed and is ranked.
        family_size: comparisons in the declared family. level: that they are judged at.
        confidence: of the intervals. num_resamples: of bootstrap and random flips. seed: of both.

    Raises:
        ValueError: for unequal lengths, fewer than 3 pairs, infinite values, differences that are all 0, or
            options out of range.

    Example:
        >>> found = paired_statistics(np.arange(1.0, 7.0), np.zeros(6))
        >>> found.p, found.p_minimum, found.rank_biserial, found.median_interval
        (0.03125, 0.03125, 1.0, array([1., 6.]))
    """
    found = estimate(
        first, second, test, failed, higher_is_better, family_size, level, confidence, num_resamples, seed
    )
    if found.status == replicates.IDENTICAL:
        raise ValueError(
            f"first, second: all {found.num_seeds} differences are 0; there is nothing to test. "
            "Compare different conditions."
        )
    return found


def estimate(
    first: Any,
    second: Any,
    test: str = "sign-flip",
    failed: str | float = "worst",
    higher_is_better: bool | None = None,
    family_size: int = 1,
    level: float = 0.05,
    confidence: float = 0.95,
    num_resamples: int = replicates.NUM_RESAMPLES,
    seed: int = 0,
) -> PairedStatistics:
    """:func:`paired_statistics` with status 2 where it refuses differences that are all 0."""
    if test not in TESTS:
        raise ValueError(f"test: unknown {test!r}; use one of {', '.join(TESTS)}.")
    replicates.options(level, family_size, num_resamples)
    checks.fraction("confidence", confidence)
    first, second, lost, other_lost = replicates.scores(first, second, failed, higher_is_better)
    if first.size != second.size:
        raise ValueError(
            f"unequal lengths: first {first.size}, second {second.size}; give the same seeds to both."
        )
    same = first == second  # also where both are infinite
    difference = np.zeros(first.size)
    np.subtract(first, second, out=difference, where=~same)
    count = difference.size
    signed = signed_ranks(difference)
    ranked = test == "wilcoxon" or not np.isfinite(difference).all()
    minimum = _p_minimum(count, num_resamples)
    status = replicates.status(bool(same.all()), minimum, family_size, level)
    tested = status == replicates.TESTED
    total = np.abs(signed).sum()
    finite = bool(np.isfinite(difference).all())
    spread = float(difference.std(ddof=1)) if finite and np.ptp(difference) > 0 else np.nan
    mean = float(difference.mean()) if finite else np.nan
    return PairedStatistics(
        difference=difference,
        mean_difference=mean,
        interval=replicates.bca_interval((difference,), np.mean, confidence, num_resamples, seed),
        median_difference=replicates.median(difference),
        median_interval=median_interval(difference, confidence),
        d_z=mean / spread,
        rank_biserial=float(signed.sum() / total) if total else np.nan,
        p=sign_flip(signed if ranked else difference, num_resamples, seed) if tested else np.nan,
        p_minimum=minimum,
        num_seeds=count,
        num_failed_first=int(lost.sum()),
        num_failed_second=int(other_lost.sum()),
        ranked=int(ranked),
        status=status,
    )


def signed_ranks(difference: np.ndarray) -> np.ndarray:
    """(n,) mid-ranks of the sizes of differences that are not 0, with their signs; 0 for the rest.

    Example:
        >>> signed_ranks(np.array([3.0, -1.0, 0.0, 1.0]))
        array([ 3. , -1.5,  0. ,  1.5])
    """
    from scipy.stats import rankdata

    ranks = np.zeros(difference.size)
    there = difference != 0
    if there.any():
        ranks[there] = np.sign(difference[there]) * rankdata(np.abs(difference[there]))
    return ranks


def sign_flip(values: np.ndarray, num_resamples: int, seed: int) -> float:
    """Two-sided p of the mean of ``values`` among those under flips of their signs.

    Example:
        >>> sign_flip(np.ones(5), 999, 0)
        0.0625
    """
    from scipy.stats import permutation_test

    found = permutation_test(
        (values,), lambda x, axis: x.mean(axis), permutation_type="samples", vectorized=True,
        n_resamples=np.inf if values.size <= MAX_EXACT else num_resamples, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.pvalue)


def median_interval(values: np.ndarray, confidence: float) -> np.ndarray:
    """(2,) interval of the median between order statistics; unbounded where no pair of them suffices.

    Example:
        >>> median_interval(np.arange(10.0), 0.95), median_interval(np.arange(5.0), 0.95)
        (array([1., 8.]), array([-inf,  inf]))
    """
    from scipy.stats import binom

    out = int((binom.cdf(np.arange(values.size), values.size, 0.5) <= (1 - confidence) / 2 + 1e-12).sum())
    if not out:
        return np.array([-np.inf, np.inf])
    return np.sort(values)[[out - 1, values.size - out]]


def _p_minimum(count: int, num_resamples: int) -> float:
    exact = 2.0 ** (1 - count)
    return exact if count <= MAX_EXACT else max(exact, 2.0 / (num_resamples + 1))
