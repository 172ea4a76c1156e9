"""Spread and bias of reported angles against the level of a condition, such as a delay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, assign, bin_edges, level_means, level_sums
from throughtime.analysis.arrays.regression import Line, line
from throughtime.analysis.arrays.resample import draws_within, percentile_interval

MIN_TRIALS = 2


class CircularError(NamedTuple):
    """Angular errors at ``L`` levels; rad unless stated.

    Attributes:
        level: (L,) mean of the condition over the trials of the level, in its units.
        sd: (L,) circular SD, √V with V = −ln R²; NaN below two answers, or where errors have no direction.
        mean: (L,) direction of the mean error.
        num_trials: (L,) trials. missing: (L,) fraction without an answer (1).
        slope: of V on the level, rad² per unit of the level. intercept: rad².
        slope_interval: (2,) confidence interval of the slope.
        overall_sd: circular SD of all errors.
        bias: direction of the mean of all errors.
        fraction_missing: fraction of all trials without an answer (1).
    """

    level: np.ndarray
    sd: np.ndarray
    mean: np.ndarray
    num_trials: np.ndarray
    missing: np.ndarray
    slope: float
    intercept: float
    slope_interval: np.ndarray
    overall_sd: float
    bias: float
    fraction_missing: float


def circular_error(
    level: np.ndarray,
    error: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    edges: np.ndarray | None = None,
    confidence: float = 0.95,
    num_resamples: int = 0,
    seed: int = 0,
) -> CircularError:
    """Circular SD and bias of angular errors by level, and the growth of their variance with it.

    With R the length of the mean of e^(i·error), V = −ln R² is the variance of a normal distribution wrapped
    around the circle (Mardia and Jupp 2000, Directional Statistics), so a bump that diffuses with coefficient
    D has V = V₀ + 2D·delay. R² is estimated without bias from n answers, (nR̂² − 1)/(n − 1). The line weighs
    levels by their numbers of answers.

    Args:
        level: (trial,) the condition; continuous values are binned, see
            :func:`~throughtime.analysis.arrays.levels.bin_edges`.
        error: (trial,) angular error, rad; NaN where there was no answer.
        num_bins, binning, edges: how levels are binned.
        confidence: coverage of the interval of the slope.
        num_resamples: 0 for a least-squares (t) interval over levels; otherwise a percentile bootstrap
            interval over trials, drawn within levels. seed: of the bootstrap.

    Raises:
        ValueError: for no trials, no level with two answers, infinite errors, levels that are not finite, or
            unequal lengths.

    Example:
        >>> delay = np.repeat([1000.0, 2000.0], 2)
        >>> result = circular_error(delay, np.array([0.3, -0.1, 0.5, -0.3]))
        >>> result.sd.round(2), result.mean.round(2)
        (array([0.29, 0.6 ]), array([0.1, 0.1]))
    """
    checks.fraction("confidence", confidence)
    level, error, edges = prepare(level, error, num_bins, binning, edges)
    return estimate(level, error, edges, confidence, num_resamples, seed)


def prepare(
    level: np.ndarray,
    error: np.ndarray,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    edges: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both arrays as float64 with the edges of their levels, after every refusal."""
    level = checks.vector("level", checks.finite("level", level))
    error = checks.vector("error", np.asarray(error, dtype=np.float64))
    checks.same_length(level=level, error=error)
    if level.size == 0:
        raise ValueError("level: 0 trials; pass at least 1.")
    if np.isinf(error).any():
        raise ValueError(
            f"error: {int(np.isinf(error).sum())} infinite values; mark a missing answer with NaN."
        )
    edges = bin_edges(level, num_bins, binning) if edges is None else np.asarray(edges)
    answers = np.bincount(assign(level[np.isfinite(error)], edges), minlength=len(edges) + 1)
    if answers.max() < MIN_TRIALS:
        raise ValueError(
            f"error: no level has {MIN_TRIALS} answers; a spread needs them. Train longer or evaluate more "
            "trials."
        )
    return level, error, edges


def estimate(
    level: np.ndarray,
    error: np.ndarray,
    edges: np.ndarray,
    confidence: float = 0.95,
    num_resamples: int = 0,
    seed: int = 0,
) -> CircularError:
    """:func:`circular_error` without its refusals: NaN where the data do not determine a number."""
    num_levels = len(edges) + 1
    index = assign(level, edges)
    count = np.bincount(index, minlength=num_levels)
    there = np.isfinite(error)
    of, angle = index[there], error[there]
    centre = level_means(index, level, num_levels)
    variance, mean, answers = _moments(of, angle, num_levels)
    fit = _line(centre, variance, answers, confidence)
    interval = fit.interval
    if num_resamples:
        slopes = []
        for pick in draws_within(of, num_resamples, seed):
            again, _, _ = _moments(of, angle[pick], num_levels)
            slopes.append(_line(centre, again, answers, confidence).slope)
        interval = percentile_interval(np.array(slopes), confidence)
    (overall,), (bias,), _ = _moments(np.zeros(angle.size, int), angle, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = 1 - answers / np.where(count > 0, count, np.nan)
    return CircularError(
        level=centre,
        sd=np.sqrt(variance),
        mean=mean,
        num_trials=count,
        missing=missing,
        slope=fit.slope,
        intercept=fit.intercept,
        slope_interval=interval,
        overall_sd=float(np.sqrt(overall)),
        bias=float(bias),
        fraction_missing=float(1 - there.mean()) if error.size else np.nan,
    )


def _moments(index: np.ndarray, error: np.ndarray, num_levels: int) -> tuple[np.ndarray, ...]:
    """Variance −ln R², mean direction and number of answers, each (L,)."""
    n = np.bincount(index, minlength=num_levels)
    x, y = (level_sums(index, part, num_levels) for part in (np.cos(error), np.sin(error)))
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = ((x**2 + y**2) / n - 1) / (n - 1)
        variance = np.where((n >= MIN_TRIALS) & (squared > 0), -np.log(np.minimum(squared, 1)), np.nan)
    return variance, np.where(n > 0, np.arctan2(y, x), np.nan), n


def _line(level: np.ndarray, variance: np.ndarray, answers: np.ndarray, confidence: float) -> Line:
    """Line through the levels that have a variance, weighed by their answers."""
    use = np.isfinite(variance)
    return line(level[use], variance[use], answers[use].astype(float), confidence=confidence)
