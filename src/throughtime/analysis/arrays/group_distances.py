"""Distances between groups of systems, with those within a group as the null."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import fraction
from throughtime.analysis.arrays.replicates import TESTED, status

EDGES = (2.5, 97.5)


class GroupDistances(NamedTuple):
    """Comparison of the systems of two labels.

    Attributes:
        between_distance: mean distance of a system of one from one of the other.
        within_distance: mean of ``within_first`` and ``within_second``, the mean distances of two systems of
            the same label: what seeds alone make different.
        within_first, within_second: see there.
        within_lower, within_upper: 2.5 and 97.5 % of all distances within either label.
        excess: between_distance − within_distance.
        matched_distance: mean distance of systems of one seed, left out of all others; NaN if not paired.
        p: share of relabellings with as large an excess, the given one among them; NaN where refused.
        p_minimum: the smallest that it could be.
        p_status: 0 tested, 1 p_minimum is too large, 2 all distances are equal.
        num_first, num_second: systems.
    """

    between_distance: float
    within_distance: float
    within_first: float
    within_second: float
    within_lower: float
    within_upper: float
    excess: float
    matched_distance: float
    p: float
    p_minimum: float
    p_status: int
    num_first: int
    num_second: int


def group_distances(
    distance: np.ndarray,
    second: np.ndarray,
    *,
    replicate: np.ndarray | None = None,
    seed: int = 0,
    num_permutations: int = 10_000,
    level: float = 0.05,
    family_size: int = 1,
) -> GroupDistances:
    """Are systems of two labels farther from each other than from others of their own label?

    excess = mean d(a, b) − ½ mean d(a, a′) − ½ mean d(b, b′), half an energy distance: for the distances that
    embed (Euclidean ones among them) it is 0 in expectation where both labels draw from one distribution, and
    positive otherwise. Distances that share a system are not independent, so p comes from relabelling
    systems, one-sided: all relabellings if there are at most ``num_permutations``, else random ones. With
    n each, p_minimum = 2/C(2n, n): .1, .0286, .0079 for n = 3, 4, 5.

    Systems with a common ``replicate`` (the same seed under two rules: same initial weights, same trials) are
    no strangers. Then pairs of the same replicate are left out, and labels are exchanged replicate by
    replicate, which leaves p_minimum = 2^{1−n}.

    Args:
        distance: (n, n) symmetric. second: (n,) True for systems of the second label.
        replicate: (n,) of each system; each occurs once under either label. None if there is none.
        seed: of random relabellings. num_permutations: see above.
        level, family_size: p is refused where p_minimum × family_size > level.

    Raises:
        ValueError: for a matrix that is not square, symmetric and finite, labels of another length, fewer
            than two systems of a label, or replicates that do not match.

    Source: energy distance, Székely & Rizzo 2013, J. Stat. Plan. Inference 143:1249; a test of distances by
    relabelling, Anderson 2001, Austral Ecol. 26:32.

    Example:
        >>> place = np.array([0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0])
        >>> found = group_distances(np.abs(place[:, None] - place), place > 5)
        >>> found.between_distance, round(found.within_distance, 4), round(found.p, 4)
        (10.0, 1.6667, 0.0286)
    """
    distance, second = _checked(distance, second)
    fraction("level", level)
    if family_size < 1 or num_permutations < 99:
        raise ValueError(
            f"family_size, num_permutations: {family_size}, {num_permutations}; use at least 1 and 99."
        )
    count = np.array([(~second).sum(), second.sum()])
    if count.min() < 2:
        raise ValueError(
            f"second: {count[0]} systems of the first label and {count[1]} of the second; without two of "
            "either there is no distance within it."
        )
    strangers = ~np.eye(len(distance), dtype=bool)
    matched = np.nan
    rng = np.random.default_rng(seed)
    if replicate is None:
        labels, exact = _splits(second, num_permutations, rng)
        p_minimum = (2 if count[0] == count[1] else 1) / comb(count.sum(), count[0])
    else:
        same, order = _matched(np.asarray(replicate), second)
        strangers &= ~same
        matched = float(distance[same & ~np.eye(len(distance), dtype=bool)].mean())
        labels, exact = _exchanges(order, num_permutations, rng)
        p_minimum = 2.0 ** (1 - count[0])
    p_minimum = p_minimum if exact else max(p_minimum, 1 / (1 + num_permutations))
    between, first_own, second_own = (
        means[0] for means in _means(distance, strangers, second[None].astype(float))
    )
    excess = between - (first_own + second_own) / 2
    upper = np.triu(np.ones_like(strangers), 1).astype(bool)
    own = distance[(second[:, None] == second) & upper]
    state = status(bool(np.ptp(distance[upper]) == 0), p_minimum, family_size, level)
    p = np.nan
    if state == TESTED:
        drawn_between, drawn_first, drawn_second = _means(distance, strangers, labels)
        drawn = drawn_between - (drawn_first + drawn_second) / 2
        above = int((drawn >= excess - 1e-12 * np.abs(distance).max()).sum())
        p = above / len(drawn) if exact else (1 + above) / (1 + len(drawn))
    lower_edge, upper_edge = np.percentile(own, EDGES)
    return GroupDistances(
        float(between), float(first_own + second_own) / 2, float(first_own), float(second_own),
        float(lower_edge), float(upper_edge), float(excess), matched, float(p), float(p_minimum), int(state),
        int(count[0]), int(count[1]),
    )  # fmt: skip


def _means(
    distance: np.ndarray, strangers: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean distances between labels, within the first and within the second, for each row of ``labels``."""
    weight, weighted = strangers.astype(float), np.where(strangers, distance, 0.0)

    def mean(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return ((rows @ weighted) * columns).sum(1) / ((rows @ weight) * columns).sum(1)

    return mean(labels, 1 - labels), mean(1 - labels, 1 - labels), mean(labels, labels)


def _splits(second: np.ndarray, most: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Relabellings of systems (row, n), and whether they are all there are."""
    size, chosen = len(second), int(second.sum())
    if comb(size, chosen) <= most:
        picked = np.array(list(combinations(range(size), chosen)))
        labels = np.zeros((len(picked), size))
        np.put_along_axis(labels, picked, 1.0, axis=1)
        return labels, True
    return rng.permuted(np.tile(second.astype(float), (most, 1)), axis=1), False


def _exchanges(order: np.ndarray, most: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Relabellings that exchange the two systems of a replicate; ``order`` (2, replicate) says which."""
    pairs = order.shape[1]
    exact = 2**pairs <= most
    if exact:
        flips = (np.arange(2**pairs)[:, None] >> np.arange(pairs)) % 2
    else:
        flips = rng.integers(0, 2, (most, pairs))
    labels = np.zeros((len(flips), order.size))
    labels[:, order[0]], labels[:, order[1]] = flips, 1 - flips
    return labels, exact


def _matched(replicate: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs share a replicate, and the system of each replicate under either label."""
    if replicate.shape != second.shape:
        raise ValueError(
            f"replicate: shape {replicate.shape}, {len(second)} systems; give one for each, or none."
        )
    sides = [np.flatnonzero(~second), np.flatnonzero(second)]
    order = np.array([side[np.argsort(replicate[side], kind="stable")] for side in sides], dtype=object)
    names = [replicate[np.asarray(side, int)] for side in order]
    if not np.array_equal(*names) or np.unique(names[0]).size < names[0].size:
        raise ValueError(
            f"replicate: {names[0].tolist()} under one label and {names[1].tolist()} under the other; pairs "
            "need the same ones, each once. Leave the others out, or compare without pairing."
        )
    return replicate[:, None] == replicate, np.stack([np.asarray(side, int) for side in order])


def _checked(distance: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distance, second = np.asarray(distance, np.float64), np.asarray(second, bool)
    if distance.ndim != 2 or distance.shape[0] != distance.shape[1] or second.shape != distance.shape[:1]:
        raise ValueError(
            f"distance: shape {distance.shape} with {second.size} labels; expected a square matrix and a "
            "label a system."
        )
    bad = int(distance.size - np.isfinite(distance).sum())
    if bad:
        raise ValueError(f"distance: {bad} values are not finite; leave these systems out.")
    if not np.allclose(distance, distance.T, rtol=1e-9, atol=1e-12):
        raise ValueError("distance: not symmetric; average the matrix and its transpose if that is meant.")
    return distance, second
