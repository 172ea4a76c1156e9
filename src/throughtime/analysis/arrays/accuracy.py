"""Fraction correct against the level of a condition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, assign, bin_edges, level_means, level_sums


class Accuracy(NamedTuple):
    """Fraction correct of ``L`` levels.

    Attributes:
        level: (L,) mean of the condition over the trials of the level, in its units.
        fraction_correct: (L,), NaN where the level has no trial.
        lower, upper: (L,) Wilson score interval.
        num_trials: (L,) trials.
        overall: fraction correct of all trials.
        worst: smallest of ``fraction_correct``.
    """

    level: np.ndarray
    fraction_correct: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    num_trials: np.ndarray
    overall: float
    worst: float


def wilson_interval(
    successes: np.ndarray, count: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of a binomial proportion (Wilson 1927, Journal of the American Statistical Association).

    With p = k/n and z the normal quantile, the bounds are
    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n); unlike p ± z SE they stay inside [0, 1] and do not
    shrink to nothing at p = 0 or 1.

    Example:
        >>> lower, upper = wilson_interval(np.array([10.0]), np.array([10.0]))
        >>> float(lower[0].round(4)), float(upper[0].round(4))
        (0.7225, 1.0)
    """
    from scipy.special import ndtri

    checks.fraction("confidence", confidence)
    z = float(ndtri((1 + confidence) / 2))
    n = np.where(count > 0, count, np.nan).astype(float)
    p = successes / n
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return np.clip((centre - half) / scale, 0.0, 1.0), np.clip((centre + half) / scale, 0.0, 1.0)


def accuracy(
    level: np.ndarray,
    correct: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    edges: np.ndarray | None = None,
    confidence: float = 0.95,
) -> Accuracy:
    """Fraction correct by level of a condition such as the delay, with Wilson intervals.

    Args:
        level: (trial,) the condition; continuous values are binned, see
            :func:`~throughtime.analysis.arrays.levels.bin_edges`.
        correct: (trial,) 0 or 1.
        num_bins, binning: how continuous levels are binned.
        edges: bin edges to use instead.
        confidence: coverage of the intervals.

    Raises:
        ValueError: for no trials, unequal lengths, non-finite levels or entries of ``correct`` that are
            not 0 or 1.

    Example:
        >>> result = accuracy(np.array([500, 500, 1000, 1000]), np.array([1, 1, 1, 0]))
        >>> result.fraction_correct, result.overall
        (array([1. , 0.5]), 0.75)
    """
    level = checks.vector("level", checks.finite("level", level))
    correct = checks.binary("correct", correct)
    checks.same_length(level=level, correct=correct)
    if level.size == 0:
        raise ValueError("level: 0 trials; pass at least 1.")
    edges = bin_edges(level, num_bins, binning) if edges is None else np.asarray(edges)
    return estimate(level, correct, edges, confidence)


def estimate(level: np.ndarray, correct: np.ndarray, edges: np.ndarray, confidence: float = 0.95) -> Accuracy:
    """:func:`accuracy` without its refusals: NaN where there is nothing to count."""
    num_levels = len(edges) + 1
    index = assign(level, edges)
    count = np.bincount(index, minlength=num_levels)
    successes = level_sums(index, correct, num_levels)
    fraction = level_means(index, correct, num_levels)
    lower, upper = wilson_interval(successes, count, confidence=confidence)
    some = count > 0
    return Accuracy(
        level=level_means(index, level, num_levels),
        fraction_correct=fraction,
        lower=lower,
        upper=upper,
        num_trials=count,
        overall=float(correct.mean()) if correct.size else np.nan,
        worst=float(fraction[some].min()) if some.any() else np.nan,
    )
