"""Points whose distances are as near as can be to given ones: multidimensional scaling."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np


class Embedding(NamedTuple):
    """A map of systems.

    Attributes:
        location: (system, component) centred, on principal axes, in the units of the distance.
        stress: √(Σ(d − δ)²/Σδ²) of distances d of the map and given ones δ; 0 where they fit.
    """

    location: np.ndarray
    stress: float


def embedding(distance: np.ndarray, *, num_components: int = 2, max_iterations: int = 1000) -> Embedding:
    """Metric multidimensional scaling, from the classical solution on.

    Minimises Σ(d_ij − δ_ij)² by majorisation (SMACOF), begun from Torgerson's eigenvectors of −½HΔ²H, so that
    nothing is random. Small negative δ, which unbiased measures can give, count as 0.

    Args:
        distance: (n, n) symmetric δ. num_components: of the map, below n.
        max_iterations: of the majorisation.

    Raises:
        ValueError: for a matrix that is not square, symmetric and finite, or of zeros; for fewer than 3
            systems or too many components.

    Source: Torgerson 1952, Psychometrika 17:401; majorisation, de Leeuw 1977; stress, Kruskal 1964,
    Psychometrika 29:1.

    Example:
        >>> points = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0], [0.0, 1.0]])
        >>> given = np.linalg.norm(points[:, None] - points, axis=-1)
        >>> found = embedding(given)
        >>> bool(np.allclose(np.linalg.norm(found.location[:, None] - found.location, axis=-1), given))
        True
    """
    from sklearn.manifold import smacof

    given = np.asarray(distance, np.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1]:
        raise ValueError(f"distance: shape {given.shape}; expected a square matrix.")
    if not np.isfinite(given).all():
        raise ValueError("distance: some values are not finite; leave these systems out.")
    if not np.allclose(given, given.T, rtol=1e-9, atol=1e-12):
        raise ValueError("distance: not symmetric; average the matrix and its transpose if that is meant.")
    if len(given) < 3 or not 1 <= num_components < len(given):
        raise ValueError(
            f"num_components: {num_components} with {len(given)} systems; use at least 3 systems and fewer "
            "components than systems."
        )
    given = np.where(np.eye(len(given), dtype=bool), 0.0, (given + given.T) / 2).clip(min=0.0)
    if not given.any():
        raise ValueError("distance: all distances are 0; there is nothing to map.")
    start = _classical(given, num_components)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of defaults that are all given here
        found, _ = smacof(
            given, metric=True, n_components=num_components, init=start, n_init=1, max_iter=max_iterations,
            eps=1e-9, normalized_stress=False,
        )  # fmt: skip
    location = min(start, found, key=lambda points: _stress(points, given))
    location = location - location.mean(0)
    turned = location @ np.linalg.svd(location, full_matrices=False)[2].T
    largest = np.abs(turned).argmax(0)
    sign = np.where(turned[largest, np.arange(num_components)] < 0, -1.0, 1.0)
    return Embedding(turned * sign, _stress(turned, given))


def _classical(given: np.ndarray, num_components: int) -> np.ndarray:
    squared = given**2
    centred = squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean()
    value, vector = np.linalg.eigh(-centred / 2)
    value, vector = value[::-1][:num_components], vector[:, ::-1][:, :num_components]
    return vector * np.sqrt(value.clip(min=0))


def _stress(points: np.ndarray, given: np.ndarray) -> float:
    found = np.linalg.norm(points[:, None] - points, axis=-1)
    return float(np.sqrt(((found - given) ** 2).sum() / (given**2).sum()))
