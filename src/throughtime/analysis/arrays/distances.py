"""Distances among many systems, within groups and between them, and a map of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import finite


class GroupedDistances(NamedTuple):
    """Distances of ``n`` systems in ``g`` groups, such as the seeds of a rule.

    Attributes:
        distance: (n, n), symmetric, with a zero diagonal.
        between: (g, g) median over pairs of systems of either group, pairs of one and the same seed left out;
            on the diagonal over pairs within the group: what seeds alone do.
        same_seed: (g, g) median over pairs of the same seed; NaN on the diagonal and where there are none.
        null: (g, g) mean of the two groups' own medians, the null of ``between``.
    """

    distance: np.ndarray
    between: np.ndarray
    same_seed: np.ndarray
    null: np.ndarray


def distance_matrix(systems: Sequence[Any], distance: Callable[[Any, Any], float]) -> np.ndarray:
    """Distance of every pair of systems, (n, n); one call a pair.

    Example:
        >>> distance_matrix([0.0, 1.0, 3.0], lambda a, b: abs(a - b))[0]
        array([0., 1., 3.])
    """
    found = np.zeros((len(systems), len(systems)))
    for row in range(len(systems)):
        for column in range(row):
            found[row, column] = found[column, row] = distance(systems[row], systems[column])
    return found


def grouped(distance: np.ndarray, group: np.ndarray, seed: np.ndarray) -> GroupedDistances:
    """Medians of distances between groups, beside what there is within groups.

    Two groups differ by more than their seeds do where ``between`` is above ``null``. Pairs of the same seed
    share initial weights and trials, so they are told apart.

    Args:
        distance: (n, n). group, seed: (n,) codes from 0 on, and numbers.

    Raises:
        ValueError: for non-finite or asymmetric distances, or lengths that differ.

    Example:
        >>> d = distance_matrix([0.0, 0.2, 1.0, 1.2], lambda a, b: abs(a - b))
        >>> found = grouped(d, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
        >>> found.between.round(3).tolist(), found.null.round(3).tolist()
        ([[0.2, 1.0], [1.0, 0.2]], [[0.2, 0.2], [0.2, 0.2]])
    """
    distance = finite("distance", distance, "leave systems out that diverged")
    if distance.ndim != 2 or not np.allclose(distance, distance.T):
        raise ValueError(f"distance: shape {distance.shape}; expected a symmetric matrix.")
    if not len(group) == len(seed) == len(distance):
        raise ValueError(
            f"group, seed: {len(group)} and {len(seed)} entries for {len(distance)} systems; give one each."
        )
    count = int(np.max(group)) + 1
    between, same = np.full((count, count), np.nan), np.full((count, count), np.nan)
    alike = seed[:, None] == seed
    upper = ~np.eye(len(distance), dtype=bool)
    for row in range(count):
        for column in range(count):
            pairs = (group[:, None] == row) & (group == column) & upper
            between[row, column] = _median(distance[pairs & ~alike])
            if row != column:
                same[row, column] = _median(distance[pairs & alike])
    own = np.diag(between)
    return GroupedDistances(distance, between, same, (own[:, None] + own) / 2)


def embedding(distance: np.ndarray, num_components: int = 2) -> tuple[np.ndarray, float]:
    """Points whose Euclidean distances are as given, as far as they can be (classical scaling).

    With D² centred to K = −½ J D² J, points are eigenvectors of K times the roots of its eigenvalues.

    Args:
        distance: (n, n), symmetric. num_components: of the points.

    Returns:
        points (n, component), centred, of descending variance; and the share of Σ|λ| that their eigenvalues
        hold, 1 where the map is exact.

    Raises:
        ValueError: for non-finite distances, or fewer than 2 systems.

    Source: Torgerson 1952, Psychometrika 17:401.

    Example:
        >>> d = distance_matrix([0.0, 1.0, 3.0], lambda a, b: abs(a - b))
        >>> points, share = embedding(d, 1)
        >>> np.abs(np.diff(points[:, 0])).round(6), round(share, 6)
        (array([1., 2.]), 1.0)
    """
    distance = finite("distance", distance, "leave systems out that diverged")
    if len(distance) < 2:
        raise ValueError(f"distance: {len(distance)} systems; a map needs at least 2.")
    squared = distance**2
    kernel = -0.5 * (squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean())
    value, vector = np.linalg.eigh(kernel)
    value, vector = value[::-1], vector[:, ::-1]
    largest = np.abs(vector).argmax(0)
    vector = vector * np.sign(vector[largest, np.arange(len(value))])
    count = min(num_components, len(value))
    points = np.zeros((len(distance), num_components))
    points[:, :count] = vector[:, :count] * np.sqrt(np.maximum(value[:count], 0))
    total = np.abs(value).sum()
    return points, float(np.maximum(value[:count], 0).sum() / total) if total > 0 else 1.0


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else np.nan
