"""Whether two stimuli are called alike because of their category or because they are near each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, assign, bin_edges, level_means, level_sums


class Category(NamedTuple):
    """Answers "match" at ``L`` distances.

    Attributes:
        distance: (L,) mean distance of the two stimuli, in its units.
        same_fraction, different_fraction: (L,) fraction answered "match" within a category and between two;
            NaN where there was no such trial.
        num_trials, num_same: (L,) trials, and those within a category.
        category_effect: rise of the probability of "match" by sharing a category, at equal distance.
        distance_effect: its fall from the nearest to the farthest pair, at equal category.
    """

    distance: np.ndarray
    same_fraction: np.ndarray
    different_fraction: np.ndarray
    num_trials: np.ndarray
    num_same: np.ndarray
    category_effect: float
    distance_effect: float


def category(
    distance: np.ndarray,
    same: np.ndarray,
    choice: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    edges: np.ndarray | None = None,
) -> Category:
    """Effects of category and of distance on answers "match", told apart by regression.

    Ordinary least squares of the choice, P(match) = a + c · same − b · distance / (largest − smallest one).
    Choices by category alone have c = 1 and b = 0, choices by distance alone c = 0 and b > 0. This works
    because distances within and between categories overlap: neighbours on both sides of the boundary are
    near, directions at both ends of a category are far.

    Args:
        distance: (trial,) between the stimuli, such as the angle between two directions.
        same: (trial,) 1 where both are of one category. choice: (trial,) 1 for "match".
        num_bins, binning: how continuous distances are binned for the curves; the regression uses every
            trial as it is. edges: bin edges to use instead.

    Raises:
        ValueError: for no trials, unequal lengths, distances that are not finite, values of ``same`` or
            ``choice`` that are not 0 or 1, and trials whose category and distance cannot be told apart.

    Source: Freedman & Assad 2006, Nature 443:85 (the task, in monkeys).

    Example:
        >>> distance, same = np.array([0.0, 60.0, 60.0, 120.0]), np.array([1, 1, 0, 0])
        >>> found = category(distance, same, same)
        >>> round(found.category_effect, 6), abs(round(found.distance_effect, 6))
        (1.0, 0.0)
    """
    distance = checks.vector("distance", checks.finite("distance", distance))
    same, choice = checks.binary("same", same), checks.binary("choice", choice)
    checks.same_length(distance=distance, same=same, choice=choice)
    if distance.size == 0:
        raise ValueError("distance: 0 trials; pass at least 1.")
    edges = bin_edges(distance, num_bins, binning) if edges is None else np.asarray(edges)
    result = estimate(distance, same, choice, edges=edges)
    if np.isnan(result.category_effect):
        raise ValueError(
            "distance, same: the distance tells the category (or one of them never varies); pass pairs "
            "within and between categories at overlapping distances."
        )
    return result


def estimate(distance: np.ndarray, same: np.ndarray, choice: np.ndarray, *, edges: np.ndarray) -> Category:
    """:func:`category` without its refusals: NaN where there is nothing to count."""
    num_levels = len(edges) + 1
    index = assign(distance, edges)
    within, between = same == 1, same == 0
    span = float(np.ptp(distance)) if distance.size else 0.0
    effects = np.full(2, np.nan)
    if span > 0:
        regressors = np.stack([np.ones(same.size), same, -(distance - distance.mean()) / span], axis=1)
        solution, _, rank, _ = np.linalg.lstsq(regressors, choice, rcond=1e-9)
        effects = solution[1:] if rank == 3 else effects
    return Category(
        distance=level_means(index, distance, num_levels),
        same_fraction=level_means(index[within], choice[within], num_levels),
        different_fraction=level_means(index[between], choice[between], num_levels),
        num_trials=np.bincount(index, minlength=num_levels),
        num_same=level_sums(index, same, num_levels).astype(int),
        category_effect=float(effects[0]),
        distance_effect=float(effects[1]),
    )
