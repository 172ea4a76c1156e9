"""Representational similarity: do two systems find the same conditions alike?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import finite

FEWEST = 4


class RSA(NamedTuple):
    """Comparison of two dissimilarity matrices of ``n`` conditions.

    Attributes:
        spearman, pearson: correlations of their upper triangles.
        p_value: share of permutations of conditions with as high a Spearman correlation, the one observed
            among them.
        dissimilarity_x, dissimilarity_y: (n, n) each.
        num_permutations: drawn.
    """

    spearman: float
    pearson: float
    p_value: float
    dissimilarity_x: np.ndarray
    dissimilarity_y: np.ndarray
    num_permutations: int


def rsa(
    x: np.ndarray, y: np.ndarray, *, seed: int, metric: str = "correlation", num_permutations: int = 1000
) -> RSA:
    """Rank correlation of the dissimilarities between conditions in X and in Y.

    Args:
        x, y: (condition, unit) means, with any metric of :func:`scipy.spatial.distance.pdist`; or (repeat,
            condition, unit), at least two repeats each, for the cross-validated squared Euclidean distance,
            whatever ``metric`` says: the plain one of noisy means is biased upward.
        seed: of the permutations. metric: of the dissimilarities. num_permutations: how many, may be 0.

    Raises:
        ValueError: for non-finite entries, unequal conditions, fewer than 4 of them, a single repeat, or
            dissimilarities that are all equal or not defined.

    Source: Kriegeskorte, Mur & Bandettini 2008, Front. Syst. Neurosci. 2:4; cross-validation, Walther et al.
    2016, NeuroImage 137:188.

    Example:
        >>> points = np.array([[0.0], [1.0], [3.0], [7.0]])
        >>> found = rsa(points, points @ [[0.0, -1.0]], seed=0, metric="euclidean", num_permutations=0)
        >>> round(found.spearman, 9)
        1.0
    """
    first, second = (dissimilarity(values, metric, name) for name, values in (("x", x), ("y", y)))
    return compare_dissimilarities(first, second, seed=seed, num_permutations=num_permutations)


def dissimilarity(values: np.ndarray, metric: str = "correlation", name: str = "x") -> np.ndarray:
    """Dissimilarity matrix (condition, condition) of means, or of repeats by cross-validation.

    With repeats, d_ij is the mean over pairs of different repeats a, b of (x_ia − x_ja)·(x_ib − x_jb),
    divided by the number of units; it is unbiased, and negative by chance where conditions are alike.
    """
    from scipy.spatial.distance import pdist, squareform

    array = finite(name, values, "average over the trials that are there, drop units without any")
    if array.ndim not in (2, 3):
        raise ValueError(
            f"{name}: shape {array.shape}; expected (condition, unit) or (repeat, condition, unit)."
        )
    if array.shape[-2] < FEWEST:
        raise ValueError(f"{name}: {array.shape[-2]} conditions; use at least {FEWEST}.")
    if array.ndim == 3:
        return _crossvalidated(name, array)
    with np.errstate(invalid="ignore", divide="ignore"):
        distances = pdist(array, metric)
    if not np.isfinite(distances).all():
        raise ValueError(
            f"{name}: {metric} distances are not defined for a condition without variance over units; use "
            "metric='euclidean', or leave it out."
        )
    return np.asarray(squareform(distances))


def _crossvalidated(name: str, repeats: np.ndarray) -> np.ndarray:
    count = len(repeats)
    if count < 2:
        raise ValueError(f"{name}: one repeat cannot be cross-validated; use at least 2, or pass means.")
    away = repeats[:, :, None] - repeats[:, None]
    total = away.sum(0)
    cross = (total**2).sum(-1) - (away**2).sum((0, -1))  # pairs of different repeats, both ways
    return np.asarray(cross / (count * (count - 1)) / repeats.shape[-1])


def compare_dissimilarities(
    first: np.ndarray, second: np.ndarray, *, seed: int, num_permutations: int = 1000
) -> RSA:
    """Correlation of the upper triangles of two dissimilarity matrices, and its permutation p-value.

    Example:
        >>> points = np.array([0.0, 1.0, 3.0, 7.0])
        >>> d = np.abs(points[:, None] - points)
        >>> found = compare_dissimilarities(d, d**2, seed=0, num_permutations=0)
        >>> round(found.spearman, 9), round(found.pearson, 6)
        (1.0, 0.980025)
    """
    from scipy.stats import rankdata

    if first.shape != second.shape:
        raise ValueError(
            f"y: {len(second)} conditions, x has {len(first)}; pass the same ones in the same order."
        )
    upper = np.triu_indices(len(first), 1)
    one, other = first[upper], second[upper]
    for name, values in (("x", one), ("y", other)):
        if not np.ptp(values) > 1e-12 * np.abs(values).max():
            raise ValueError(f"{name}: all dissimilarities are equal; their order means nothing.")
    ranks = np.zeros_like(second)
    ranks[upper] = rankdata(other)
    ranks += ranks.T
    own = rankdata(one)
    observed = _correlation(own, ranks[upper])
    rng = np.random.default_rng(seed)
    drawn = [
        _correlation(own, ranks[np.ix_(order, order)][upper])
        for order in (rng.permutation(len(first)) for _ in range(num_permutations))
    ]
    above = int((np.asarray(drawn) >= observed - 1e-12).sum())
    p_value = (1 + above) / (1 + num_permutations) if num_permutations else np.nan
    return RSA(observed, _correlation(one, other), p_value, first, second, num_permutations)


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])
