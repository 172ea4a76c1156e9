"""How much worse a subject is than the best read-out of what it was told, by level of a condition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, assign, bin_edges, level_means, level_sums


class FractionalLoss(NamedTuple):
    """Fractional losses of ``L`` levels.

    Attributes:
        level: (L,) mean of the condition over the trials of the level, in its units.
        loss: (L,) Σ excess / Σ reference, NaN where the level has no reference.
        lower, upper: (L,) confidence interval.
        num_trials: (L,) trials.
        fractional_loss: of all trials.
        worst: largest of ``loss``.
    """

    level: np.ndarray
    loss: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    num_trials: np.ndarray
    fractional_loss: float
    worst: float


def fractional_loss(
    level: np.ndarray,
    excess: np.ndarray,
    reference: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    edges: np.ndarray | None = None,
    confidence: float = 0.95,
) -> FractionalLoss:
    """Fractional loss Σ excess / Σ reference, by level of a condition such as the delay.

    0 is as good as the best read-out, 1 worse by the whole reference: an error twice as large where the
    reference is the error of that read-out, no better than guessing where it is what the read-out gains over
    a guess. A subject that knows more than was told can be below 0. Intervals are those of a ratio of means,
    with variance Σ (excess − loss · reference)² / (Σ reference)².

    Args:
        level: (trial,) the condition; continuous values are binned, see
            :func:`~throughtime.analysis.arrays.levels.bin_edges`.
        excess: (trial,) loss beyond that of the best read-out.
        reference: (trial,) what it is measured by, in the same units; its mean is positive.
        num_bins, binning: how continuous levels are binned. edges: bin edges to use instead.
        confidence: coverage of the intervals.

    Raises:
        ValueError: for no trials, unequal lengths, values that are not finite, or a reference that does not
            sum to more than 0.

    Source: Orhan & Ma 2019, Nature Neuroscience 22:275 (fractional loss relative to an ideal observer).

    Example:
        >>> delay = np.array([500.0, 500.0, 1000.0, 1000.0])
        >>> result = fractional_loss(delay, np.array([0.0, 1.0, 2.0, 1.0]), np.full(4, 2.0))
        >>> result.loss, result.fractional_loss
        (array([0.25, 0.75]), 0.5)
    """
    checks.fraction("confidence", confidence)
    level = checks.vector("level", checks.finite("level", level))
    excess = checks.vector("excess", checks.finite("excess", excess))
    reference = checks.vector("reference", checks.finite("reference", reference))
    checks.same_length(level=level, excess=excess, reference=reference)
    if level.size == 0:
        raise ValueError("level: 0 trials; pass at least 1.")
    if reference.sum() <= 0:
        raise ValueError(
            f"reference: sums to {reference.sum():.4g}; pass trials in which the best read-out has something "
            "to lose."
        )
    edges = bin_edges(level, num_bins, binning) if edges is None else np.asarray(edges)
    return estimate(level, excess, reference, edges, confidence)


def estimate(
    level: np.ndarray,
    excess: np.ndarray,
    reference: np.ndarray,
    edges: np.ndarray,
    confidence: float = 0.95,
) -> FractionalLoss:
    """:func:`fractional_loss` without its refusals: NaN without a reference, or for a loss not finite."""
    from scipy.special import ndtri

    num_levels = len(edges) + 1
    index = assign(level, edges)
    total = level_sums(index, reference, num_levels)
    total = np.where(total > 0, total, np.nan)
    loss = level_sums(index, excess, num_levels) / total
    with np.errstate(invalid="ignore"):
        spread = level_sums(index, np.square(excess - loss[index] * reference), num_levels)
    half = float(ndtri((1 + confidence) / 2)) * np.sqrt(spread) / total
    overall = float(reference.sum())
    some = np.isfinite(loss)
    return FractionalLoss(
        level=level_means(index, level, num_levels),
        loss=loss,
        lower=loss - half,
        upper=loss + half,
        num_trials=np.bincount(index, minlength=num_levels),
        fractional_loss=float(excess.sum()) / overall if overall > 0 else np.nan,
        worst=float(loss[some].max()) if some.any() and np.isfinite(excess).all() else np.nan,
    )
