"""Trials to a criterion that some seeds never reach: medians and tests that leave no seed out."""

from __future__ import annotations

import math
import warnings
from math import comb
from typing import NamedTuple

import numpy as np


class Median(NamedTuple):
    """Number of trials by which half of the seeds have reached the criterion, and its interval.

    Each is infinite where it was not reached within the budget, NaN where there are no seeds.
    """

    value: float
    lower: float
    upper: float


def times(
    criterion_trials: np.ndarray, trials_seen: np.ndarray, never: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """When each seed reached the criterion, or until when it is known that it did not.

    A seed whose budget ended is censored there. One that diverged or failed would never have reached it,
    however long it went on: its time is infinite, where dropping it at its last trial would take it for one
    of which nothing more is known.

    Args:
        criterion_trials: (seed,) trials at which the criterion was reached, NaN for a seed that did not.
        trials_seen: (seed,) trials until the end of training.
        never: (seed,) whether the seed diverged or failed.

    Returns:
        (seed,) times, and whether each is a bound from below.

    Example:
        >>> times(np.array([8.0, np.nan, np.nan]), np.array([8, 40, 3]), np.array([False, False, True]))
        (array([ 8., 40., inf]), array([False,  True,  True]))
    """
    reached = np.isfinite(criterion_trials) & ~never
    seen = np.where(reached, criterion_trials, trials_seen).astype(float)
    return np.where(never, np.inf, seen), ~reached


def median(found: np.ndarray, censored: np.ndarray, confidence: float = 0.95) -> Median:
    """Median of the Kaplan–Meier estimate, with the interval of Brookmeyer and Crowley.

    With n_i seeds still on their way before time t_i and d_i that reach the criterion then, the share that
    has not reached it by t is ``S(t) = Π_{t_i ≤ t} (1 − d_i/n_i)`` (Kaplan and Meier 1958, JASA); the median
    is the first t with S(t) ≤ 1/2. The interval is where bands of S, symmetric in log(−log S), pass through
    1/2 (Brookmeyer and Crowley 1982, Biometrics); with few seeds it is wide, and often open to the right.
    Where all have reached it, S = 0 has no such band: it begins at 0, and ends, if no seed was censored, at
    the exact binomial bound ``1 − (α/2)^{1/n}`` of n seeds.

    Args:
        found, censored: (seed,) as :func:`times` gives them.
        confidence: of the interval.

    Example:
        >>> median(np.array([2.0, 4.0, 6.0, 9.0, 9.0]), np.array([False, False, False, True, True])).value
        6.0
        >>> median(np.array([2.0, 9.0, 9.0]), np.array([False, True, True])).value
        inf
        >>> median(np.full(6, 4.0), np.zeros(6, bool))
        Median(value=4.0, lower=4.0, upper=4.0)
    """
    from scipy.stats import CensoredData, ecdf

    if not found.size:
        return Median(math.nan, math.nan, math.nan)
    if censored.all():
        return Median(math.inf, math.inf, math.inf)
    share = ecdf(CensoredData.right_censored(_bounded(found, found), censored)).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bands are undefined where all or none have reached it
        band = share.confidence_interval(confidence, method="log-log")
    low, high = band.low.probabilities.copy(), band.high.probabilities.copy()
    none_left = share.probabilities == 0
    low[none_left] = 0.0
    if not censored.any():
        high[none_left] = 1.0 - (0.5 * (1.0 - confidence)) ** (1.0 / found.size)
    return Median(*(_passes(share.quantiles, one) for one in (share.probabilities, low, high)))


class LogRank(NamedTuple):
    """Difference in how soon two groups of seeds reach the criterion.

    Attributes:
        statistic: standard normal deviate; positive where the first group reaches it later.
        p: two-sided, from the normal approximation but never below ``p_minimum``; NaN where it is refused.
        p_minimum: share of the two most extreme ways of dividing the seeds into groups of these sizes.
    """

    statistic: float
    p: float
    p_minimum: float


def log_rank(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    largest_p_minimum: float = 1.0,
) -> LogRank:
    """Log-rank test of two groups, unpaired (Mantel 1966, Cancer Chemotherapy Reports).

    Args:
        first, second: times of the seeds, and whether they are censored; see :func:`times`.
        largest_p_minimum: of p that is not refused.

    Returns:
        with NaN for the statistic and p where nobody reached the criterion.

    Example:
        >>> quick, slow = np.arange(1.0, 7.0), np.arange(11.0, 17.0)
        >>> everyone = np.zeros(6, bool)
        >>> found = log_rank((slow, everyone), (quick, everyone))
        >>> round(found.statistic, 3), round(found.p, 4), round(found.p_minimum, 4)
        (3.478, 0.0022, 0.0022)
    """
    from scipy.stats import CensoredData, logrank

    minimum = 2.0 / comb(first[0].size + second[0].size, first[0].size)
    if first[1].all() and second[1].all():
        return LogRank(math.nan, math.nan, minimum)
    every = np.concatenate([first[0], second[0]])
    sides = [CensoredData.right_censored(_bounded(when, every), lost) for when, lost in (first, second)]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = logrank(*sides)
    statistic = -float(found.statistic)
    refused = minimum > largest_p_minimum or not math.isfinite(statistic)
    return LogRank(statistic, math.nan if refused else max(float(found.pvalue), minimum), minimum)


def _bounded(when: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Times with the last of all in place of those that are infinite: nothing happens after it."""
    return np.where(np.isfinite(when), when, every[np.isfinite(every)].max(initial=1.0))


def _passes(at: np.ndarray, share: np.ndarray) -> float:
    """First place at which a falling share is a half or less; infinite where it stays above."""
    low = np.flatnonzero(share <= 0.5)  # NaN is not
    return float(at[low[0]]) if low.size else math.inf
