"""Levels of a graded condition: distinct values as they are, continuous values in bins."""

from __future__ import annotations

from typing import Literal

import numpy as np

from throughtime.analysis.arrays.checks import finite

NUM_BINS = 10
Binning = Literal["quantile", "equal"]


def bin_edges(values: np.ndarray, num_bins: int = NUM_BINS, binning: Binning = "quantile") -> np.ndarray:
    """Inner edges that split ``values`` into levels.

    At most ``num_bins`` distinct values are levels of their own (edges halfway between neighbours).
    More are continuous: ``"quantile"`` bins hold equal numbers of trials, ``"equal"`` bins are equally
    wide. Edges are computed once over all seeds, so that bins mean the same in each.

    Args:
        values: any shape, finite.
        num_bins: largest number of levels.
        binning: how continuous values are split.

    Returns:
        (num_levels − 1,) increasing edges, in the units of ``values``.

    Raises:
        ValueError: for non-finite values, fewer than one bin or an unknown ``binning``.

    Example:
        >>> bin_edges([400, 800, 400, 600])
        array([500., 700.])
        >>> bin_edges(np.arange(100.0), num_bins=4)
        array([24.75, 49.5 , 74.25])
    """
    values = finite("values", values)
    if num_bins < 1:
        raise ValueError(f"num_bins: got {num_bins}; use at least 1.")
    distinct = np.unique(values)
    if distinct.size <= num_bins:
        return (distinct[1:] + distinct[:-1]) / 2
    if binning == "quantile":
        return np.unique(np.quantile(values, np.arange(1, num_bins) / num_bins))
    if binning == "equal":
        return np.linspace(distinct[0], distinct[-1], num_bins + 1)[1:-1]
    raise ValueError(f"binning: unknown {binning!r}; use 'quantile' or 'equal'.")


def assign(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Index of the level each value falls into, 0 to ``len(edges)``.

    Example:
        >>> assign([400, 800, 400, 600], [500.0, 700.0])
        array([0, 2, 0, 1])
    """
    return np.searchsorted(np.asarray(edges), np.asarray(values), side="right")


def level_sums(index: np.ndarray, values: np.ndarray, num_levels: int) -> np.ndarray:
    """Sum of ``values`` over the trials of each level, (num_levels,)."""
    return np.bincount(index, weights=values, minlength=num_levels)


def level_means(index: np.ndarray, values: np.ndarray, num_levels: int) -> np.ndarray:
    """Mean of ``values`` over the trials of each level, (num_levels,); NaN where there is none."""
    count = np.bincount(index, minlength=num_levels).astype(float)
    count[count == 0] = np.nan
    return level_sums(index, values, num_levels) / count
