"""Bootstrap over trials within levels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def draws_within(level: np.ndarray, num_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Positions of trials drawn with replacement, as many from each level as it has.

    Example:
        >>> level = np.array([1, 0, 1, 1])
        >>> [np.bincount(level[pick]).tolist() for pick in draws_within(level, 2, seed=0)]
        [[1, 3], [1, 3]]
    """
    generator = np.random.default_rng(seed)
    order = np.argsort(level, kind="stable")
    of = level[order]
    size = np.bincount(level)
    first = (np.cumsum(size) - size)[of]
    for _ in range(num_resamples):
        yield order[first + (generator.random(of.size) * size[of]).astype(int)]


def percentile_interval(values: np.ndarray, confidence: float) -> np.ndarray:
    """(2,) central interval of the finite values; NaN if there is none.

    Example:
        >>> percentile_interval(np.arange(101.0), 0.9)
        array([ 5., 95.])
    """
    kept = values[np.isfinite(values)]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    return np.quantile(kept, tails) if kept.size else np.full(2, np.nan)
