"""Produced intervals group by group, such as prior by prior."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays import timing as single
from throughtime.analysis.arrays.levels import NUM_BINS, bin_edges


class TimingBy(NamedTuple):
    """Timing in ``G`` groups with ``C`` intervals in all; groups are ordered by their mean interval.

    Attributes:
        group: (G,) value of the group.
        slopes, lowers, uppers: (G,) least squares of produced on asked within the group, and its confidence
            interval (1). intercepts: (G,) ms.
        indifferences: (G,) interval produced without bias, ms; NaN at slope 1.
        shortest, longest: (G,) range of the intervals asked for, ms.
        differences, difference_lowers, difference_uppers: (G,) produced interval less that of the group
            before, at intervals both ask for, and its confidence interval, ms; NaN for the first group and
            where nothing is shared.
        interval_group, interval, mean, sd, num_trials: (C,) as in
            :class:`~throughtime.analysis.arrays.timing.Timing`, with the index of the group.
        slope: common to all groups, each with an intercept of its own (1).
        lowest_slope, highest_slope: over groups (1).
        shared_difference: mean of ``differences``, ms.
        inside: fraction of groups whose indifference point is inside their range (1).
        fraction_missing: fraction of all trials without a response (1).
    """

    group: np.ndarray
    slopes: np.ndarray
    lowers: np.ndarray
    uppers: np.ndarray
    intercepts: np.ndarray
    indifferences: np.ndarray
    shortest: np.ndarray
    longest: np.ndarray
    differences: np.ndarray
    difference_lowers: np.ndarray
    difference_uppers: np.ndarray
    interval_group: np.ndarray
    interval: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    num_trials: np.ndarray
    slope: float
    lowest_slope: float
    highest_slope: float
    shared_difference: float
    inside: float
    fraction_missing: float


def timing_by(
    interval: np.ndarray,
    produced: np.ndarray,
    group: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    confidence: float = 0.95,
) -> TimingBy:
    """Slope and indifference point of every group, and what groups make of the intervals they share.

    Who combines a noisy measurement with a prior produces with a slope below 1 around an indifference point
    inside the prior, and produces one and the same interval longer under a prior of longer intervals: a
    positive shared difference. The slope within groups keeps out a subject that produces one interval a
    group.

    The shared difference is that of the mean produced intervals, over trials whose interval lies in the
    range of both groups; where these differ, it is adjusted along the slope that they have in common there.

    Args:
        interval: (trial,) interval asked for, ms.
        produced: (trial,) interval produced, ms; NaN where there was no response.
        group: (trial,) such as the index of the prior.
        num_bins: largest number of intervals a group shows.
        confidence: coverage of the intervals of slopes and differences.

    Raises:
        ValueError: as :func:`~throughtime.analysis.arrays.timing.timing`, for any group, naming it.

    Source: Jazayeri and Shadlen 2010, Nature Neuroscience 13:1020.

    Example:
        >>> asked = np.repeat([600.0, 700.0, 800.0, 800.0, 900.0, 1000.0], 2)
        >>> prior = np.repeat([0, 1], 6)
        >>> middle = np.where(prior == 0, 700, 900)
        >>> found = timing_by(asked, middle + 0.75 * (asked - middle), prior)
        >>> round(found.slope, 6), found.indifferences.round(3).tolist(), round(found.shared_difference, 3)
        (0.75, [700.0, 900.0], 50.0)
    """
    checks.fraction("confidence", confidence)
    interval, produced, group, groups, edges = prepare(interval, produced, group, num_bins)
    for value, inner in zip(groups, edges, strict=True):
        member = group == value
        if (
            answered := single.num_answered(interval[member], produced[member], inner)
        ) < single.MIN_INTERVALS:
            raise ValueError(
                f"produced: in group {value:g}, {answered} intervals have {single.MIN_TRIALS} responses; a "
                f"fit needs {single.MIN_INTERVALS}. Train longer or evaluate more trials."
            )
    return estimate(interval, produced, group, groups, edges, confidence)


def prepare(
    interval: np.ndarray, produced: np.ndarray, group: np.ndarray, num_bins: int = NUM_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    """The arrays as float64, the groups in order and the edges of each, after the refusals of the input."""
    interval = checks.vector("interval", checks.finite("interval", interval))
    produced = checks.vector("produced", np.asarray(produced, dtype=np.float64))
    group = checks.vector("group", checks.finite("group", group))
    checks.same_length(interval=interval, produced=produced, group=group)
    if not group.size:
        raise ValueError("group: 0 trials; pass at least 6.")
    groups, edges = ordered(interval, group), []
    for value in groups:
        member = group == value
        try:
            edges.append(single.prepare(interval[member], produced[member], num_bins)[2])
        except ValueError as error:
            raise ValueError(f"group {value:g}: {error}") from None
    return interval, produced, group, groups, edges


def ordered(interval: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Values (G,) of the groups, by their mean interval."""
    values, index = np.unique(group, return_inverse=True)
    means = (
        np.bincount(index, weights=interval) / np.maximum(np.bincount(index), 1) if values.size else values
    )
    return values[np.argsort(means, kind="stable")]


def estimate(
    interval: np.ndarray,
    produced: np.ndarray,
    group: np.ndarray,
    groups: np.ndarray,
    edges: Sequence[np.ndarray] | None = None,
    confidence: float = 0.95,
) -> TimingBy:
    """:func:`timing_by` without its refusals: NaN where the data do not determine a number."""
    members = [group == value for value in groups]
    if edges is None:
        edges = [bin_edges(interval[member], NUM_BINS) for member in members]
    fits = [
        single.estimate(interval[member], produced[member], inner, confidence)
        for member, inner in zip(members, edges, strict=True)
    ]
    shortest = np.array([interval[member].min(initial=np.inf) for member in members])
    longest = np.array([interval[member].max(initial=-np.inf) for member in members])
    pairs = itertools.pairwise(members)
    nothing = (np.nan,) * 3
    differences = np.array([nothing, *(_shared(interval, produced, *pair, confidence) for pair in pairs)])
    there = np.isfinite(produced)
    slopes = np.array([fit.slope for fit in fits])
    indifferences = np.array([fit.indifference for fit in fits])
    lowers, uppers = np.array([fit.slope_interval for fit in fits]).reshape(-1, 2).T
    inside = (indifferences >= shortest) & (indifferences <= longest)
    determined = np.isfinite(slopes)
    cells = {name: _joined([getattr(fit, name) for fit in fits]) for name in ("interval", "mean", "sd")}
    return TimingBy(
        group=groups,
        slopes=slopes,
        lowers=lowers,
        uppers=uppers,
        intercepts=np.array([fit.intercept for fit in fits]),
        indifferences=indifferences,
        shortest=shortest,
        longest=longest,
        differences=differences[: groups.size, 0],
        difference_lowers=differences[: groups.size, 1],
        difference_uppers=differences[: groups.size, 2],
        interval_group=np.repeat(np.arange(groups.size), [fit.interval.size for fit in fits]),
        **cells,
        num_trials=_joined([fit.num_trials for fit in fits]).astype(int),
        slope=_common_slope([(interval[m & there], produced[m & there]) for m in members]),
        lowest_slope=float(slopes[determined].min()) if determined.any() else np.nan,
        highest_slope=float(slopes[determined].max()) if determined.any() else np.nan,
        shared_difference=_mean(differences[:, 0]),
        inside=float(inside[determined].mean()) if determined.any() else np.nan,
        fraction_missing=float(1 - there.mean()) if there.size else np.nan,
    )


def _shared(
    interval: np.ndarray, produced: np.ndarray, first: np.ndarray, second: np.ndarray, confidence: float
) -> tuple[float, float, float]:
    """Second less first group at intervals in the range of both, with its t interval."""
    from scipy.special import stdtrit

    low = max(interval[member].min(initial=np.inf) for member in (first, second))
    high = min(interval[member].max(initial=-np.inf) for member in (first, second))
    within = (interval >= low * (1 - 1e-9)) & (interval <= high * (1 + 1e-9)) & np.isfinite(produced)
    sides = [(interval[member & within], produced[member & within]) for member in (first, second)]
    (x1, y1), (x2, y2) = sides
    if min(x1.size, x2.size) < single.MIN_TRIALS:
        return np.nan, np.nan, np.nan
    slope = _common_slope(sides)
    graded = np.isfinite(slope)
    slope = slope if graded else 0.0
    apart = x2.mean() - x1.mean()
    difference = y2.mean() - y1.mean() - slope * apart
    residuals = [y - y.mean() - slope * (x - x.mean()) for x, y in sides]
    spread = sum(((x - x.mean()) ** 2).sum() for x, _ in sides)
    freedom = x1.size + x2.size - 2 - int(graded)
    squares = sum((residual**2).sum() for residual in residuals)
    error = 1 / x1.size + 1 / x2.size + (apart**2 / spread if graded else 0.0)
    half = np.nan
    if freedom > 0:
        half = float(stdtrit(freedom, (1 + confidence) / 2)) * np.sqrt(squares / freedom * error)
    return float(difference), float(difference - half), float(difference + half)


def _common_slope(sides: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Least-squares slope with an intercept for each group; NaN without spread in the intervals."""
    sides = [(x, y) for x, y in sides if x.size]
    product = sum(((x - x.mean()) * (y - y.mean())).sum() for x, y in sides)
    spread = sum(((x - x.mean()) ** 2).sum() for x, _ in sides)
    scale = sum((x**2).sum() for x, _ in sides)
    return float(product / spread) if spread > 1e-18 * scale else np.nan


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else np.nan
