"""Divisions of conditions in two: which a plane can separate, and how parallel their pairs lie."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np

from throughtime.analysis.arrays import checks

RANK_TOLERANCE = 1e-6
"""Directions in which points spread by less than this share of their widest spread are taken as flat."""
LEAST_MARGIN = 1e-6
MOST_TO_COUNT = 12


def balanced_dichotomies(num_conditions: int) -> np.ndarray:
    """(dichotomy, condition) of −1 and 1: every division in halves, once; condition 0 has −1.

    Raises:
        ValueError: for an odd number of conditions, or fewer than 4.

    Example:
        >>> balanced_dichotomies(4).tolist()
        [[-1, -1, 1, 1], [-1, 1, -1, 1], [-1, 1, 1, -1]]
    """
    if num_conditions < 4 or num_conditions % 2:
        raise ValueError(
            f"condition: {num_conditions} conditions; balanced dichotomies take an even number of at least "
            "4: leave one out, or average over one."
        )
    half = num_conditions // 2
    found = []
    for others in combinations(range(1, num_conditions), half - 1):
        sides = np.ones(num_conditions, int)
        sides[[0, *others]] = -1
        found.append(sides)
    return np.stack(found)


def whitened(points: np.ndarray) -> np.ndarray:
    """(condition, rank) coordinates of points in the space they span, spread equally in each direction.

    Which divisions a plane separates stays the same, as under every invertible affine map.
    """
    centred = points - points.mean(0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    size = np.linalg.norm(points)
    keep = (singular > RANK_TOLERANCE * singular[0]) & (singular > 1e-12 * size)
    return left[:, keep] * np.sqrt(len(points))


def separable(points: np.ndarray, dichotomies: np.ndarray) -> np.ndarray:
    """(dichotomy,) whether a plane has the conditions of −1 on one side and those of 1 on the other.

    A linear program looks for the widest margin m: maximise m with y_c (w·x_c + b) ≥ m and |w|, |b| ≤ 1, in
    the whitened space of the points. A side without conditions is always separated.

    Args:
        points: (condition, unit). dichotomies: (dichotomy, condition) of −1 and 1.

    Raises:
        ValueError: for points that are not finite or all the same, or shapes that do not fit.

    Example:
        >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> separable(square, balanced_dichotomies(4))
        array([ True,  True, False])
    """
    points = checks.finite("points", points)
    sides = np.asarray(dichotomies)
    if (
        points.ndim != 2
        or sides.ndim != 2
        or sides.shape[1] != len(points)
        or set(np.unique(sides)) - {-1, 1}
    ):
        raise ValueError(
            f"points, dichotomies: shapes {points.shape} and {sides.shape}; expected (condition, unit) and "
            "−1 or 1 over (dichotomy, condition)."
        )
    space = whitened(points)
    if not space.shape[1]:
        raise ValueError("points: all the same; there is nothing to separate.")
    if space.shape[1] == len(points) - 1:  # in general position each division is separable
        return np.ones(len(sides), bool)
    known: dict[bytes, bool] = {}
    found = np.zeros(len(sides), bool)
    for index, each in enumerate(sides):
        same = (each * each[0]).tobytes()
        if same not in known:
            known[same] = bool(np.ptp(each) == 0) or _margin(space, each) > LEAST_MARGIN
        found[index] = known[same]
    return found


def _margin(space: np.ndarray, side: np.ndarray) -> float:
    from scipy.optimize import linprog

    num_points, rank = space.shape
    signed = side[:, None] * np.column_stack([space, np.ones(num_points)])
    result = linprog(
        np.append(np.zeros(rank + 1), -1.0),
        A_ub=np.column_stack([-signed, np.ones(num_points)]),
        b_ub=np.zeros(num_points),
        bounds=[(-1.0, 1.0)] * (rank + 1) + [(None, None)],
        method="highs",
    )
    return float(-result.fun)


def count_separable(points: np.ndarray) -> tuple[int, int]:
    """How many of all divisions of the conditions a plane separates, and how many divisions there are.

    Every assignment of conditions to two named sides counts, those with an empty side too: 2ᶜ for C
    conditions. In general position it is 2 Σ_{k ≤ r} (C − 1 choose k) for points of r dimensions (Cover 1965,
    IEEE Transactions on Electronic Computers).

    Raises:
        ValueError: for more than 12 conditions, and as :func:`separable`.

    Example:
        >>> count_separable(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
        (14, 16)
    """
    number = len(points)
    if number > MOST_TO_COUNT:
        raise ValueError(
            f"points: {number} conditions have 2^{number} divisions; count up to {MOST_TO_COUNT}."
        )
    bits = (np.arange(2**number)[:, None] >> np.arange(number)) & 1
    return int(separable(points, 2 * bits - 1).sum()), 2**number


def pairings(half: int) -> np.ndarray:
    """(pairing, half) of positions: the condition of the other side that each condition is paired with."""
    return np.array(list(permutations(range(half))))


def parallelism(points: np.ndarray, side: np.ndarray) -> tuple[float, np.ndarray]:
    """How parallel the differences between paired conditions of both sides are, for the best pairing.

    Args:
        points: (condition, unit). side: (condition,) of −1 and 1, equally many.

    Returns:
        The mean cosine between all pairs of difference vectors, largest over pairings, and the pairs (half,
        2) of conditions (of 1, of −1). Two conditions at one point have cosine 0 with all others.

    Example:
        >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> parallelism(square, np.array([-1, -1, 1, 1]))[0]
        1.0
    """
    upper, lower = np.flatnonzero(side == 1), np.flatnonzero(side == -1)
    half = len(upper)
    vectors = (points[upper][:, None] - points[lower][None]).reshape(half * half, -1)
    length = np.linalg.norm(vectors, axis=1)
    there = length > 1e-12 * length.max()
    unit = np.where(there[:, None], vectors / np.where(there, length, 1.0)[:, None], 0.0)
    cosine = unit @ unit.T
    order = pairings(half)
    chosen = np.arange(half) * half + order
    one, two = np.triu_indices(half, 1)
    mean = cosine[chosen[:, one], chosen[:, two]].mean(1)
    best = int(np.argmax(mean > mean.max() - 1e-12))
    return float(mean[best].clip(-1.0, 1.0)), np.column_stack([upper, lower[order[best]]])
