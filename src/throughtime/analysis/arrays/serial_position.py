"""Accuracy by serial position: are the first items of a sequence remembered, the last, or those between?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.accuracy import wilson_interval


class SerialPosition(NamedTuple):
    """Accuracy at ``R`` ranks in sequences of ``L`` lengths.

    Attributes:
        length: (L,) numbers of items, increasing.
        position: (R,) ranks, from 1.
        fraction_correct: (L, R) items right at each rank; NaN beyond the length.
        lower, upper: (L, R) Wilson score interval.
        whole: (L,) fraction of sequences with all items right.
        num_trials: (L,) trials.
        overall: fraction of all items right.
        worst: smallest fraction right of a rank, over all lengths.
        primacy, recency: fraction right of the first, and of the last, item less that of the items between;
            over sequences of at least three, NaN if there is none.
    """

    length: np.ndarray
    position: np.ndarray
    fraction_correct: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    whole: np.ndarray
    num_trials: np.ndarray
    overall: float
    worst: float
    primacy: float
    recency: float


def serial_position(length: np.ndarray, items: np.ndarray) -> SerialPosition:
    """Accuracy by rank and length of the sequence, with primacy and recency.

    Items between first and last are averaged within a sequence, so that all sequences count alike.

    Args:
        length: (trial,) number of items. items: (trial, rank) whether each was right, 0 or 1; what is there
            beyond the length does not count.

    Raises:
        ValueError: for no trials, unequal numbers of them, lengths that are no whole numbers from 1 to the
            number of ranks, or items that are not 0 or 1.

    Source: common practice.

    Example:
        >>> found = serial_position([3, 3, 2], [[1, 0, 1], [1, 1, 1], [1, 0, 0]])
        >>> found.length, found.fraction_correct
        (array([2, 3]), array([[1. , 0. , nan],
               [1. , 0.5, 1. ]]))
        >>> found.primacy, found.recency, found.whole
        (0.5, 0.5, array([0. , 0.5]))
    """
    length = checks.vector("length", checks.finite("length", length))
    ranked = np.asarray(items, dtype=np.float64)
    if ranked.ndim != 2:
        raise ValueError(f"items: expected (trial, rank), got shape {ranked.shape}; stack one column a rank.")
    checks.same_length(length=length, items=ranked)
    if length.size == 0:
        raise ValueError("length: 0 trials; pass at least 1.")
    most = ranked.shape[1]
    if (length != np.round(length)).any() or length.min() < 1 or length.max() > most:
        raise ValueError(f"length: expected whole numbers from 1 to {most}, the number of ranks in items.")
    checks.binary("items", ranked[np.arange(1, most + 1) <= length[:, None]])
    return estimate(length, ranked)


def estimate(length: np.ndarray, items: np.ndarray, lengths: np.ndarray | None = None) -> SerialPosition:
    """:func:`serial_position` without its refusals: NaN where there is nothing to count.

    ``lengths`` are the lengths to report; by default those that occur.
    """
    lengths = np.unique(length) if lengths is None else np.asarray(lengths)
    ranks = np.arange(1, items.shape[1] + 1)
    there = ranks <= length[:, None]
    right = np.where(there, items, 0.0)
    of_length = (length == lengths[:, None]).astype(float)
    num_trials = of_length.sum(1)
    count = np.where(ranks <= lengths[:, None], num_trials[:, None], 0)
    successes = of_length @ right
    lower, upper = wilson_interval(successes, count)
    trials = np.where(num_trials > 0, num_trials, np.nan)

    long = length >= 3
    between = there & (ranks > 1) & (ranks < length[:, None])
    middle = (right * between).sum(1)[long] / between.sum(1)[long]
    last = (right * (ranks == length[:, None])).sum(1)
    seen = there.sum(0)
    by_rank = right.sum(0)[seen > 0] / seen[seen > 0]
    return SerialPosition(
        length=lengths.astype(int),
        position=ranks,
        fraction_correct=successes / np.where(count > 0, count, np.nan),
        lower=lower,
        upper=upper,
        whole=of_length @ (right.sum(1) == length) / trials,
        num_trials=num_trials.astype(int),
        overall=float(right.sum() / there.sum()) if there.any() else np.nan,
        worst=float(by_rank.min()) if by_rank.size else np.nan,
        primacy=float((right[long, 0] - middle).mean()) if long.any() else np.nan,
        recency=float((last[long] - middle).mean()) if long.any() else np.nan,
    )
