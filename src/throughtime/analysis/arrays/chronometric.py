"""Reaction time against the strength of a stimulus."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, assign, bin_edges, level_means

MIN_STRENGTHS = 2


class Chronometric(NamedTuple):
    """Reaction times at ``L`` strengths.

    Attributes:
        strength: (L,) mean size of the stimulus, in its units.
        reaction_times, sds: (L,) mean and SD of the reaction time, ms; NaN where there was no (one) response.
        num_trials: (L,) trials.
        slope: change by a doubling of the strength, ms. lower, upper: its confidence interval.
        intercept: reaction time at strength 1, ms.
        mean: of all trials with a response, ms.
        fraction_missing: fraction of all trials without a response (1).
    """

    strength: np.ndarray
    reaction_times: np.ndarray
    sds: np.ndarray
    num_trials: np.ndarray
    slope: float
    lower: float
    upper: float
    intercept: float
    mean: float
    fraction_missing: float


def chronometric(
    stimulus: np.ndarray,
    reaction_time: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    confidence: float = 0.95,
) -> Chronometric:
    """Mean reaction time by strength |stimulus|, and its slope per doubling of the strength.

    The slope is that of ordinary least squares of the reaction time on log₂ |stimulus|, over trials with a
    response and a strength above 0. It is negative in a subject that needs less time for stronger evidence,
    and 0 in one that answers by the clock.

    Args:
        stimulus: (trial,) strength, signed or not.
        reaction_time: (trial,) ms; NaN where there was no response.
        num_bins: largest number of strengths shown. confidence: coverage of the interval.

    Raises:
        ValueError: for unequal lengths, stimuli that are not finite, infinite reaction times, or responses at
            fewer than two strengths above 0.

    Source: Roitman & Shadlen 2002, Journal of Neuroscience 22:9475.

    Example:
        >>> coherence = np.array([-1.0, 1.0, 2.0, -2.0, 4.0, 4.0])
        >>> found = chronometric(coherence, np.array([700.0, 700.0, 600.0, 600.0, 500.0, np.nan]))
        >>> round(found.slope, 6), round(found.intercept, 6), found.reaction_times
        (-100.0, 700.0, array([700., 600., 500.]))
    """
    checks.fraction("confidence", confidence)
    stimulus = checks.vector("stimulus", checks.finite("stimulus", stimulus))
    reaction_time = checks.vector("reaction_time", np.asarray(reaction_time, dtype=np.float64))
    checks.same_length(stimulus=stimulus, reaction_time=reaction_time)
    if np.isinf(reaction_time).any():
        raise ValueError(
            f"reaction_time: {int(np.isinf(reaction_time).sum())} infinite values; mark a missing response "
            "with NaN."
        )
    answered = np.unique(np.abs(stimulus[np.isfinite(reaction_time)]))
    if (found := int((answered > 0).sum())) < MIN_STRENGTHS:
        raise ValueError(
            f"reaction_time: responses at {found} strengths above 0; a slope needs {MIN_STRENGTHS}. Train "
            "longer or evaluate more trials."
        )
    return estimate(stimulus, reaction_time, bin_edges(np.abs(stimulus), num_bins), confidence)


def estimate(
    stimulus: np.ndarray, reaction_time: np.ndarray, edges: np.ndarray, confidence: float = 0.95
) -> Chronometric:
    """:func:`chronometric` without its refusals: NaN where the data do not determine a number."""
    from scipy.special import stdtrit

    num_levels = len(edges) + 1
    size, there = np.abs(stimulus), np.isfinite(reaction_time)
    index, time = assign(size, edges), reaction_time[there]
    means = level_means(index[there], time, num_levels)
    count = np.bincount(index[there], minlength=num_levels)
    square = level_means(index[there], (time - means[index[there]]) ** 2, num_levels)
    with np.errstate(invalid="ignore", divide="ignore"):
        sds = np.sqrt(square * count / np.where(count > 1, count - 1, np.nan))
    used = there & (size > 0)
    x, y = np.log2(size[used]), reaction_time[used]
    slope = intercept = half = np.nan
    if x.size and np.ptp(x) > 0:
        spread = ((x - x.mean()) ** 2).sum()
        slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
        intercept = float(y.mean() - slope * x.mean())
        if (freedom := x.size - 2) > 0:
            residual = ((y - intercept - slope * x) ** 2).sum()
            half = float(stdtrit(freedom, (1 + confidence) / 2) * np.sqrt(residual / freedom / spread))
    return Chronometric(
        strength=level_means(index, size, num_levels),
        reaction_times=means,
        sds=sds,
        num_trials=np.bincount(index, minlength=num_levels),
        slope=slope,
        lower=slope - half,
        upper=slope + half,
        intercept=intercept,
        mean=float(time.mean()) if time.size else np.nan,
        fraction_missing=float(1 - there.mean()) if there.size else np.nan,
    )
