"""Canonical correlations of two representations, of all directions or of those with variance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import fraction, paired


class CCA(NamedTuple):
    """Correlations between two representations.

    Attributes:
        correlation: (component,) canonical correlations, descending.
        mean: over components.
        num_directions: of either representation that took part.
    """

    correlation: np.ndarray
    mean: float
    num_directions: tuple[int, int]


def cca(x: np.ndarray, y: np.ndarray, *, variance: float | None = None, axis: int = -1) -> CCA:
    """Canonical correlations of X (n × p) and Y (n × q): singular values of Q_xᵀQ_y.

    Q_x and Q_y are orthonormal bases of the columns of the centred data (QR). Correlations do not change
    under any invertible map of either, so directions of hardly any variance count as much as others. SVCCA
    first keeps the principal components that hold ``variance``.

    Args:
        x, y: units on ``axis``, the same samples in the same order on all others.
        variance: share of the variance kept (SVCCA, usually 0.99); None for all directions.
        axis: of units.

    Raises:
        ValueError: for non-finite entries, unequal samples, zero variance, or as few samples as directions
            n ≤ p + q, where correlations are 1 whatever the data.

    Source: Hotelling 1936, Biometrika 28:321; SVCCA, Raghu et al. 2017, NeurIPS.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal((50, 3))
        >>> cca(x, x @ rng.standard_normal((3, 3))).correlation.round(9)
        array([1., 1., 1.])
    """
    if variance is not None:
        fraction("variance", variance)
    x, y = paired(x, y, axis=axis)
    bases = []
    for values in (x, y):
        left, singular, _ = np.linalg.svd(values, full_matrices=False)
        rank = int((singular > singular[0] * max(values.shape) * np.finfo(float).eps).sum())
        if variance is not None:
            share = np.cumsum(singular**2) / np.sum(singular**2)
            rank = min(rank, int(np.searchsorted(share, variance - 1e-12) + 1))
        bases.append(left[:, :rank])
    counts = (bases[0].shape[1], bases[1].shape[1])
    if len(x) <= sum(counts):
        remedy = "keep fewer with variance=0.99 (SVCCA)" if variance is None else "keep less variance"
        raise ValueError(
            f"x: {len(x)} samples for {counts[0]} + {counts[1]} directions, whose correlations would be 1 "
            f"whatever the data; use more samples, or {remedy}."
        )
    correlation = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).clip(0.0, 1.0)
    return CCA(correlation, float(correlation.mean()), counts)
