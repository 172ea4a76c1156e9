"""Produced intervals against the intervals asked for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, assign, bin_edges, level_means, level_sums
from throughtime.analysis.arrays.regression import Line, line
from throughtime.analysis.arrays.resample import draws_within, percentile_interval

MIN_INTERVALS, MIN_TRIALS = 3, 2


class Timing(NamedTuple):
    """Accuracy and precision of timing at ``L`` intervals; ms unless stated.

    Attributes:
        interval: (L,) mean interval asked for.
        mean, sd: (L,) mean and SD (n − 1) of the produced intervals; NaN below one and two responses.
        num_trials: (L,) trials. missing: (L,) fraction without a response (1).
        slope (1), intercept: least squares of produced on asked, over trials.
        slope_interval: (2,) confidence interval of the slope.
        indifference: interval produced without bias, intercept / (1 − slope); NaN at slope 1.
        bias: BIAS, the root mean square over intervals of (mean produced − interval).
        variance: VAR, the mean over intervals of the variance, ms².
        rmse: √(BIAS² + VAR).
        weber_fraction: mean over intervals of SD / mean (1).
        sd_intercept, sd_slope (1): generalised Weber law SD = a + wT, least squares over intervals.
        beta: exponent of SD ∝ T^β, weighted least squares of log SD on log T (1).
        beta_interval: (2,) confidence interval of β.
        sd_scale: predicted SD at the geometric mean interval ``interval_scale`` of the power law.
        fraction_missing: fraction of all trials without a response (1).
    """

    interval: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    num_trials: np.ndarray
    missing: np.ndarray
    slope: float
    intercept: float
    slope_interval: np.ndarray
    indifference: float
    bias: float
    variance: float
    rmse: float
    weber_fraction: float
    sd_intercept: float
    sd_slope: float
    beta: float
    beta_interval: np.ndarray
    sd_scale: float
    interval_scale: float
    fraction_missing: float


def timing(
    interval: np.ndarray,
    produced: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    edges: np.ndarray | None = None,
    confidence: float = 0.95,
    num_resamples: int = 0,
    seed: int = 0,
) -> Timing:
    """Slope, bias, variance and the law of variability of an interval production task.

    BIAS² + VAR = RMSE² (Jazayeri and Shadlen 2010, Nature Neuroscience). A Weber law is β near 1;
    accumulated independent noise alone gives β = ½. Continuous intervals are binned (distinct ones, up
    to ``num_bins``, are levels of their own); so that the width of a bin adds nothing to its SD, each
    response is first moved along the fitted line to the mean interval of its bin.

    Args:
        interval: (trial,) interval asked for, ms.
        produced: (trial,) interval produced, ms; NaN where there was no response.
        num_bins, binning, edges: see :func:`~throughtime.analysis.arrays.levels.bin_edges`.
        confidence: coverage of the intervals of slope and β.
        num_resamples: 0 for least-squares (t) intervals; otherwise percentile bootstrap intervals over
            trials, drawn within levels.
        seed: of the bootstrap.

    Raises:
        ValueError: for fewer than 3 intervals (or fewer than 3 with 2 responses), fewer than 2 trials at
            an interval, intervals that are not finite and positive, infinite responses, unequal lengths.

    Example:
        >>> asked = np.repeat([600.0, 800.0, 1000.0], 2)
        >>> produced = 0.8 * asked + 160 + np.tile([-10.0, 10.0], 3)
        >>> result = timing(asked, produced)
        >>> round(result.slope, 6), round(result.indifference, 3)
        (0.8, 800.0)
    """
    checks.fraction("confidence", confidence)
    interval, produced, edges = prepare(interval, produced, num_bins, binning, edges)
    answered = num_answered(interval, produced, edges)
    if answered < MIN_INTERVALS:
        raise ValueError(
            f"produced: {answered} intervals have {MIN_TRIALS} responses; a fit needs {MIN_INTERVALS}. "
            "Train longer or evaluate more trials."
        )
    return estimate(interval, produced, edges, confidence, num_resamples, seed)


def prepare(
    interval: np.ndarray,
    produced: np.ndarray,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    edges: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both arrays as float64 with the edges of their levels, after every refusal but missing responses."""
    interval = checks.vector("interval", checks.finite("interval", interval))
    produced = checks.vector("produced", np.asarray(produced, dtype=np.float64))
    checks.same_length(interval=interval, produced=produced)
    if np.isinf(produced).any():
        raise ValueError(
            f"produced: {int(np.isinf(produced).sum())} infinite values; mark a missing response with NaN."
        )
    if interval.size and interval.min() <= 0:
        raise ValueError(f"interval: found {interval.min():g} ms; intervals are positive, drop catch trials.")
    edges = bin_edges(interval, num_bins, binning) if edges is None else np.asarray(edges)
    count = np.bincount(assign(interval, edges), minlength=len(edges) + 1)
    if count.size < MIN_INTERVALS:
        raise ValueError(f"interval: {count.size} distinct intervals; use at least {MIN_INTERVALS}.")
    if count.min() < MIN_TRIALS:
        raise ValueError(
            f"interval: {count.min()} trials in one of {count.size} intervals; use at least {MIN_TRIALS} "
            "each, or fewer bins."
        )
    return interval, produced, edges


def num_answered(interval: np.ndarray, produced: np.ndarray, edges: np.ndarray) -> int:
    """Number of levels with enough responses for a mean and an SD."""
    responses = np.bincount(assign(interval[np.isfinite(produced)], edges), minlength=len(edges) + 1)
    return int((responses >= MIN_TRIALS).sum())


def estimate(
    interval: np.ndarray,
    produced: np.ndarray,
    edges: np.ndarray,
    confidence: float = 0.95,
    num_resamples: int = 0,
    seed: int = 0,
) -> Timing:
    """:func:`timing` without its refusals: NaN where the data do not determine a number."""
    num_levels = len(edges) + 1
    index = assign(interval, edges)
    count = np.bincount(index, minlength=num_levels)
    there = np.isfinite(produced)
    x, y, level = interval[there], produced[there], index[there]
    centre = level_means(index, interval, num_levels)
    fit = line(x, y, confidence=confidence)
    mean, sd, responses = _moments(x, y, level, centre, fit.slope, num_levels)
    bias = _root_mean((mean - centre) ** 2)
    variance = _mean(sd**2)
    wide = responses >= MIN_TRIALS
    spread = line(centre[wide], sd[wide], confidence=confidence)
    law, interval_scale = _power_law(centre, sd, responses, confidence)
    slope_interval, beta_interval = fit.interval, law.interval
    if num_resamples:
        slope_interval, beta_interval = _bootstrap(
            x, y, level, centre, num_levels, confidence, num_resamples, seed
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = 1 - responses / np.where(count > 0, count, np.nan)
        indifference = fit.intercept / (1 - fit.slope) if abs(1 - fit.slope) > 1e-12 else np.nan
        weber = _mean(sd / mean)
    return Timing(
        interval=centre,
        mean=mean,
        sd=sd,
        num_trials=count,
        missing=missing,
        slope=fit.slope,
        intercept=fit.intercept,
        slope_interval=slope_interval,
        indifference=float(indifference),
        bias=bias,
        variance=variance,
        rmse=float(np.sqrt(bias**2 + variance)),
        weber_fraction=weber,
        sd_intercept=spread.intercept,
        sd_slope=spread.slope,
        beta=law.slope,
        beta_interval=beta_interval,
        sd_scale=float(np.exp(law.intercept)),
        interval_scale=interval_scale,
        fraction_missing=float(1 - there.mean()) if there.size else np.nan,
    )


def _moments(
    x: np.ndarray, y: np.ndarray, level: np.ndarray, centre: np.ndarray, slope: float, num_levels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, SD and number of responses at each level, responses moved along the line to its centre."""
    moved = y - (slope if np.isfinite(slope) else 0.0) * (x - centre[level])
    responses = np.bincount(level, minlength=num_levels)
    mean = level_means(level, moved, num_levels)
    squares = level_sums(level, (moved - mean[level]) ** 2, num_levels)
    sd = np.sqrt(squares / np.where(responses >= MIN_TRIALS, responses - 1, np.nan))
    return mean, sd, responses


def _power_law(
    centre: np.ndarray, sd: np.ndarray, responses: np.ndarray, confidence: float
) -> tuple[Line, float]:
    """Log SD on log (T / reference), and the reference: the weighted geometric mean interval.

    Weights are n − 1, since var(log s) ≈ 1 / (2(n − 1)).
    """
    use = np.isfinite(sd) & (sd > 1e-9 * centre)
    weight = responses[use] - 1.0
    if use.sum() < MIN_INTERVALS:
        return line(np.empty(0), np.empty(0)), np.nan
    log_t = np.log(centre[use])
    reference = float((weight * log_t).sum() / weight.sum())
    return line(log_t - reference, np.log(sd[use]), weight, confidence=confidence), float(np.exp(reference))


def _bootstrap(
    x: np.ndarray,
    y: np.ndarray,
    level: np.ndarray,
    centre: np.ndarray,
    num_levels: int,
    confidence: float,
    num_resamples: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals of slope and β over trials drawn with replacement within each level."""
    slopes, betas = np.full(num_resamples, np.nan), np.full(num_resamples, np.nan)
    for k, pick in enumerate(draws_within(level, num_resamples, seed)):
        slopes[k] = line(x[pick], y[pick]).slope
        _, sd, responses = _moments(x[pick], y[pick], level[pick], centre, slopes[k], num_levels)
        betas[k] = _power_law(centre, sd, responses, confidence)[0].slope
    return percentile_interval(slopes, confidence), percentile_interval(betas, confidence)


def _mean(values: np.ndarray) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else np.nan


def _root_mean(values: np.ndarray) -> float:
    return float(np.sqrt(_mean(values)))
