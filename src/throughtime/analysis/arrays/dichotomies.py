"""Divisions of conditions in two: which a plane can separate, and how parallel their pairs lie."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np

from throughtime.analysis.arrays import checks

RANK_TOLERANCE = 1e-6
"""Points are flat in directions in which they extend by less than this share of their size."""
LEAST_MARGIN = 1e-6
MOST_TO_COUNT = 12
MOST_WITHOUT_SAMPLING, MOST = 12, 16


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


def choose_dichotomies(
    number: int, variables: np.ndarray | None, num_dichotomies: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Balanced dichotomies, those of variables first, and which variable each is.

    Args:
        number: of conditions. variables: (condition, variable) two values each, equally often.
        num_dichotomies: a random sample of so many, drawn by ``seed``; all if None.

    Returns:
        (dichotomy, condition) −1 or 1, and (dichotomy,) position of the variable, −1 for none.

    Raises:
        ValueError: as :func:`throughtime.analysis.arrays.geometry.geometry`.

    Example:
        >>> sides, variable = choose_dichotomies(4, np.array([[1], [0], [1], [0]]), None, seed=0)
        >>> sides[0], variable
        (array([-1,  1, -1,  1]), array([ 0, -1, -1]))
    """
    if number > MOST or (number > MOST_WITHOUT_SAMPLING and num_dichotomies is None):
        remedy = "give num_dichotomies" if number <= MOST else "average over some"
        raise ValueError(
            f"condition: {number} conditions; their dichotomies and pairings are too many: {remedy}."
        )
    every = balanced_dichotomies(number)
    first = np.zeros((0, number), int)
    if variables is not None:
        first = np.stack([_side(column, at, number) for at, column in enumerate(np.asarray(variables).T)])
        if len(np.unique(first, axis=0)) < len(first):
            raise ValueError("variables: two divide the conditions alike; leave one out.")
    rest = every[~(every[:, None] == first[None]).all(2).any(1)]
    if num_dichotomies is not None:
        if not max(len(first), 1) <= num_dichotomies <= len(every):
            raise ValueError(
                f"num_dichotomies: {num_dichotomies} of {len(every)}, with {len(first)} variables; use one a "
                "variable or more."
            )
        number = num_dichotomies - len(first)
        drawn = np.random.default_rng(seed).choice(len(rest), number, replace=False)
        rest = rest[np.sort(drawn)]
    return np.concatenate([first, rest]), np.append(np.arange(len(first)), np.full(len(rest), -1))


def _side(values: np.ndarray, position: int, number: int) -> np.ndarray:
    """−1 and 1 for a variable's two values, condition 0 with −1."""
    if values.shape != (number,):
        raise ValueError(f"variables: {len(values)} rows for {number} conditions; give one row a condition.")
    found, counts = np.unique(values, return_counts=True)
    if len(found) != 2 or counts[0] != counts[1]:
        raise ValueError(
            f"variables: number {position} has values {found.tolist()} in {counts.tolist()} conditions; use "
            "two values in as many conditions each."
        )
    return np.where(values == values[0], -1, 1)


def spanned(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(condition, rank) orthonormal coordinates of points in the space they span, and (rank,) their extent.

    Coordinates times extent are the points around their mean, turned. Directions in which they extend less
    than :data:`RANK_TOLERANCE` of their size are rounding and left out.
    """
    left, singular, _ = np.linalg.svd(points - points.mean(0), full_matrices=False)
    keep = singular > RANK_TOLERANCE * np.linalg.norm(points)
    return left[:, keep], singular[keep]


def separable(points: np.ndarray, dichotomies: np.ndarray) -> np.ndarray:
    """(dichotomy,) whether a plane has the conditions of −1 on one side and those of 1 on the other.

    A linear program looks for the widest margin m: maximise m with y_c (w·x_c + b) ≥ m and |w|, |b| ≤ 1, in
    coordinates in which the points extend equally in all directions. A side without conditions is always
    separated.

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
    space = spanned(points)[0] * np.sqrt(len(points))  # affine maps leave what a plane separates as it is
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
