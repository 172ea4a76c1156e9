"""Shape distances: metrics between representations after the best rotation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import paired


class ShapeDistance(NamedTuple):
    """Distance of two representations.

    Attributes:
        angle: rad, between 0 and π/2: of shapes, which have no size.
        squared_distance: of shapes with their size, in squared units of the activity.
    """

    angle: float
    squared_distance: float


def shape_distance(x: np.ndarray, y: np.ndarray, *, alpha: float = 1.0, axis: int = -1) -> ShapeDistance:
    """Procrustes angle θ = arccos(‖XᵀY‖_*/(‖X‖‖Y‖)) of centred data, and ‖X‖² + ‖Y‖² − 2‖XᵀY‖_*.

    Both are what is left after the best rotation or reflection of one onto the other: ‖·‖_* is the sum of
    singular values. θ and the root of the second are metrics. With α < 1 each is first whitened in part,
    X → X(αI + (1 − α)(XᵀX)^{−1/2}); at α = 0 every direction counts alike, any invertible map is ignored, and
    θ is an angle of canonical correlations. Strictly in between, the size of the activity matters: the larger
    it is, the less the whitened part counts.

    Args:
        x, y: units on ``axis``, the same samples in the same order on all others; unequal numbers of units
            are made up by silent ones.
        alpha: α, between 0 and 1. axis: of units.

    Raises:
        ValueError: for non-finite entries, unequal samples, zero variance, α outside 0 to 1, or α < 1 with
            fewer samples than units.

    Source: Williams, Kunz, Kornblith & Linderman 2021, NeurIPS.

    Example:
        >>> u = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) / 2
        >>> found = shape_distance(u * [2.0, 1.0], u)
        >>> round(found.angle, 10), round(found.squared_distance, 10)
        (0.3217505544, 1.0)
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha: {alpha!r}; use a number from 0 (CCA) to 1 (Procrustes).")
    x, y = paired(x, y, axis=axis)
    if alpha < 1:
        x, y = _whitened("x", x, alpha), _whitened("y", y, alpha)
    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(values, ((0, 0), (0, width - values.shape[1]))) for values in (x, y))
    left, _, right = np.linalg.svd(x.T @ y)
    turned = y @ (left @ right).T
    # lengths of what is left keep their digits near 0, where arccos and differences of squares lose half
    away = x / np.linalg.norm(x) - turned / np.linalg.norm(turned)
    angle = 2 * np.arcsin(min(float(np.linalg.norm(away)) / 2, 1.0))
    return ShapeDistance(float(angle), float(((x - turned) ** 2).sum()))


def _whitened(name: str, values: np.ndarray, alpha: float) -> np.ndarray:
    """X(αI + (1 − α)(XᵀX)^{−1/2}), directions without variance left out."""
    if len(values) <= values.shape[1]:
        raise ValueError(
            f"{name}: {len(values)} samples of {values.shape[1]} units, too few to whiten them with "
            "alpha < 1; use more samples, principal components, or alpha=1."
        )
    left, singular, right = np.linalg.svd(values, full_matrices=False)
    kept = singular > singular[0] * max(values.shape) * np.finfo(float).eps
    return (left[:, kept] * (alpha * singular[kept] + (1 - alpha))) @ right[kept]
