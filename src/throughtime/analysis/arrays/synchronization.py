"""Beats that go on without a metronome: how far from their targets, how regular, how corrected."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, assign, bin_edges, level_means, level_sums
from throughtime.analysis.arrays.regression import line

MIN_PERIODS, MIN_TRIALS = 2, 2


class Synchronization(NamedTuple):
    """Beats at ``L`` periods; ms unless stated.

    Attributes:
        period: (L,) mean period asked for.
        mean, sd: (L,) mean of the produced intervals, and their SD over intervals of all trials.
        mean_asynchrony, asynchrony_error: (L,) mean of beats less their targets, and its standard error over
            trials.
        lags: (L,) correlation of successive intervals (1).
        num_trials: (L,) trials. missing: (L,) fraction whose beats could not be told (1).
        asynchrony: mean over all trials.
        asynchrony_slope: of the mean asynchrony on the period, over periods (1).
        slope: of produced on asked period, over trials (1).
        sd_intercept, sd_slope (1): SD = a + wT, least squares over periods.
        cv: mean over periods of SD over mean (1).
        lag_one: correlation of successive intervals, all periods together (1).
        fraction_missing: of all trials (1).
    """

    period: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    mean_asynchrony: np.ndarray
    asynchrony_error: np.ndarray
    lags: np.ndarray
    num_trials: np.ndarray
    missing: np.ndarray
    asynchrony: float
    asynchrony_slope: float
    slope: float
    sd_intercept: float
    sd_slope: float
    cv: float
    lag_one: float
    fraction_missing: float


def synchronization(
    period: np.ndarray,
    asynchrony: np.ndarray,
    produced: np.ndarray,
    squared_error: np.ndarray,
    successive_error: np.ndarray,
) -> Synchronization:
    """Asynchrony, variability and lag-1 autocorrelation of beats against the period.

    Intervals of one period have the mean M = (1 + b)T over all of its trials. With e the relative errors of
    intervals, the means of e² and of the product of successive e are variance and autocovariance (in units
    of T²) plus b². Taken over all trials of a period they are not biased, as they are within a trial of few
    intervals. A lag-1 autocorrelation of −½ is that of a perfect clock whose beats are blurred, 0 that of
    intervals which add up without any memory of a beat (Wing and Kristofferson 1973, Perception &
    Psychophysics); a slow drift makes it positive.

    Args:
        period: (trial,) T asked for, ms.
        asynchrony: (trial,) mean of beats less their targets, ms; NaN where beats could not be told.
        produced: (trial,) mean interval between beats, ms; NaN likewise, as are the last two.
        squared_error: (trial,) mean e².
        successive_error: (trial,) mean product of successive e.

    Raises:
        ValueError: for fewer than 2 periods, or fewer than 2 with 2 trials that have beats, periods that are
            not finite and positive, infinite values, unequal lengths.

    Example:
        >>> asked = np.repeat([200.0, 400.0], 2)
        >>> made = 1.05 * asked + np.tile([-1.0, 1.0], 2)
        >>> found = synchronization(asked, made - asked, made, np.full(4, 0.0125), np.full(4, 0.0))
        >>> round(found.slope, 6), found.sd.round(3).tolist(), round(found.lag_one, 6)
        (1.05, [20.0, 40.0], -0.25)
    """
    period = checks.vector("period", checks.finite("period", period))
    rows = {
        "asynchrony": asynchrony, "produced": produced, "squared_error": squared_error,
        "successive_error": successive_error,
    }  # fmt: skip
    values = {name: checks.vector(name, np.asarray(row, dtype=np.float64)) for name, row in rows.items()}
    checks.same_length(period=period, **values)
    for name, row in values.items():
        if np.isinf(row).any():
            raise ValueError(f"{name}: {int(np.isinf(row).sum())} infinite values; mark missing ones NaN.")
    if period.size and period.min() <= 0:
        raise ValueError(f"period: found {period.min():g} ms; periods are positive.")
    there = np.all([np.isfinite(row) for row in values.values()], axis=0)
    edges = bin_edges(period, NUM_BINS) if period.size else np.empty(0)
    answered = num_answered(period, there, edges)
    if answered < MIN_PERIODS:
        raise ValueError(
            f"produced: {answered} periods have {MIN_TRIALS} trials with beats; a fit needs {MIN_PERIODS}. "
            "Train longer or evaluate more trials."
        )
    offset, made, square, product = values.values()
    return estimate(period, offset, made, square, product, edges)


def num_answered(period: np.ndarray, there: np.ndarray, edges: np.ndarray) -> int:
    """Number of levels with enough trials that have beats."""
    return int((np.bincount(assign(period[there], edges), minlength=1) >= MIN_TRIALS).sum())


def estimate(
    period: np.ndarray,
    asynchrony: np.ndarray,
    produced: np.ndarray,
    squared_error: np.ndarray,
    successive_error: np.ndarray,
    edges: np.ndarray,
) -> Synchronization:
    """:func:`synchronization` without its refusals: NaN where the data do not determine a number."""
    rows = (asynchrony, produced, squared_error, successive_error)
    there = np.all([np.isfinite(row) for row in rows], axis=0)
    levels, index = len(edges) + 1, assign(period, edges)
    num_trials = np.bincount(index, minlength=levels)
    centre = level_means(index, period, levels)
    asked, at = period[there], index[there]
    offset, made, square, product = (row[there] for row in rows)
    responses = np.bincount(at, minlength=levels)
    enough = responses >= MIN_TRIALS
    known = np.where(enough, responses, np.nan)

    bias = level_means(at, made / asked - 1, levels)
    variance = np.maximum(level_means(at, square, levels) - bias**2, 0)
    covariance = level_means(at, product, levels) - bias**2
    spread = np.where(enough & (variance > 1e-12), variance, np.nan)
    sd = np.where(enough, centre * np.sqrt(variance), np.nan)
    mean = centre * (1 + bias)
    late = level_means(at, offset, levels)
    squares = level_sums(at, (offset - late[at]) ** 2, levels)
    varied = np.isfinite(spread)
    weight = responses[varied]
    growth, drift = line(centre[enough], sd[enough]), line(centre[enough], late[enough])
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (weight * covariance[varied]).sum() / (weight * variance[varied]).sum()
        missing = 1 - responses / np.where(num_trials > 0, num_trials, np.nan)
        ratios = (sd / mean)[enough]
    return Synchronization(
        period=centre,
        mean=mean,
        sd=sd,
        mean_asynchrony=late,
        asynchrony_error=np.sqrt(squares / (known - 1) / known),
        lags=covariance / spread,
        num_trials=num_trials,
        missing=missing,
        asynchrony=float(offset.mean()) if offset.size else np.nan,
        asynchrony_slope=drift.slope,
        slope=line(asked, made).slope,
        sd_intercept=growth.intercept,
        sd_slope=growth.slope,
        cv=float(ratios.mean()) if ratios.size else np.nan,
        lag_one=float(pooled),
        fraction_missing=float(1 - there.mean()) if there.size else np.nan,
    )
