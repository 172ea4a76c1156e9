"""Dynamical similarity: are two linear systems one and the same, seen in other coordinates?"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import finite
from throughtime.analysis.arrays.conjugacy import aligned_eigenvectors, haar, search
from throughtime.analysis.arrays.linear_operator import linear_operator

AGREE, SAME = 1e-3, 1e-6
"""Distances of two starts that count as the same, and a distance that counts as 0, rad."""
STARTS = ("eigenvectors", "identity", "random")
MAX_ITERATIONS, TOLERANCE = 5000, 1e-8


class DSA(NamedTuple):
    """Dissimilarity of two dynamics.

    Attributes:
        dsa: rad, from 0 (the same up to a rotation or reflection) to π.
        spectrum_distance: root mean square distance of the eigenvalues, best matched; 0 is necessary for
            ``dsa`` to be 0, and no search is needed for it.
        start_distance: (start,) what the search came to from each start: eigenvectors, identity, random ones.
        spread: largest less smallest of these, rad.
        winner: index of the best start. num_agreeing: starts that came as far, itself included.
        num_converged: starts that came to a stationary point.
        rotation: (r, r) the best C.
    """

    dsa: float
    spectrum_distance: float
    start_distance: np.ndarray
    spread: float
    winner: int
    num_agreeing: int
    num_converged: int
    rotation: np.ndarray


def dsa(
    x: np.ndarray,
    y: np.ndarray,
    *,
    seed: int,
    num_delays: int = 1,
    rank: int | None = None,
    ridge: float = 0.0,
    whiten: bool = False,
    inputs_x: np.ndarray | None = None,
    inputs_y: np.ndarray | None = None,
    n_restarts: int = 20,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
) -> DSA:
    """Dynamical similarity analysis of two sets of trajectories.

    Each is delay-embedded and fitted by linear dynamics (see :mod:`.linear_operator`);
    with inputs, s_{t+1} = A s_t + B u_t is fitted and A alone compared. Then see :func:`compare_operators`.

    Args:
        x, y: (trial, time, unit) or (time, unit); trials and units need not be the same.
        seed: of the random starts.
        num_delays, rank, ridge, whiten, inputs_x, inputs_y: of the fits; give a ``rank`` where numbers of
            units differ. The authors' program whitens; without, maps other than rotations count.
        n_restarts, max_iterations, tolerance: of the comparison.

    Raises:
        ValueError: as the fit, or for fits of unequal rank.

    Source: Ostrow, Eisen, Kozachkov & Fiete 2023, NeurIPS. The search is ours: a monotone iteration without
    step size, begun from matched eigenvectors and from random matrices of both determinants.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = [rng.standard_normal(3)]
        >>> a = np.array([[0.8, 0.3, 0.0], [-0.3, 0.8, 0.1], [0.0, 0.0, 0.6]])
        >>> for _ in range(40):
        ...     x.append(a @ x[-1] + rng.standard_normal(3))
        >>> x = np.array(x)
        >>> q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        >>> round(dsa(x, x @ q, seed=0).dsa, 6)
        0.0
    """
    first, second = (
        linear_operator(
            values, num_delays=num_delays, rank=rank, ridge=ridge, whiten=whiten, inputs=told, name=name
        ).operator
        for name, values, told in (("x", x, inputs_x), ("y", y, inputs_y))
    )
    if len(first) != len(second):
        raise ValueError(
            f"y: rank {len(second)}, x has {len(first)}; give both the same rank, at most the lower one."
        )
    return compare_operators(
        first, second, seed=seed, n_restarts=n_restarts, max_iterations=max_iterations, tolerance=tolerance
    )


def compare_operators(
    a: np.ndarray,
    b: np.ndarray,
    *,
    seed: int,
    n_restarts: int = 20,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
) -> DSA:
    """Angle between two linear maps after the best orthogonal change of coordinates.

    With Â = A/‖A‖_F, the distance is 2 arcsin(½ min_C ‖Â − CB̂Cᵀ‖_F) over orthogonal C: the angle whose cosine
    is max tr(ÂᵀCB̂Cᵀ), but exact near 0. See :func:`throughtime.analysis.arrays.conjugacy.search` for the
    maximisation. Local maxima are common: where fewer than two starts come as far as the best, a warning says
    so, and the value is an upper bound; at 0 one start is proof enough.

    Args:
        a, b: (r, r).
        seed: of the random starts. n_restarts: how many, half of them of either determinant; may be 0.
        max_iterations, tolerance: of a start.

    Raises:
        ValueError: for maps that are not square, of unequal size, not finite, or zero.

    Example:
        >>> def turn(angle):
        ...     return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        >>> found = compare_operators(turn(0.3), turn(-0.5), seed=0)
        >>> round(found.dsa, 9), round(found.spectrum_distance, 7)
        (0.2, 0.1996668)
    """
    a, b = (_square(name, values) for name, values in (("a", a), ("b", b)))
    if a.shape != b.shape:
        raise ValueError(f"b: rank {len(b)}, a has {len(a)}; fit both with the same rank to compare them.")
    if n_restarts < 0:
        raise ValueError(f"n_restarts: {n_restarts}; use 0 or more.")
    unit_a, unit_b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    given = np.stack([aligned_eigenvectors(unit_a, unit_b), np.eye(len(a))])
    starts = np.concatenate([given, haar(len(a), n_restarts, seed)])
    rotations, converged = search(unit_a, unit_b, starts, max_iterations=max_iterations, tolerance=tolerance)
    gaps = np.linalg.norm(unit_a - rotations @ unit_b @ rotations.transpose(0, 2, 1), axis=(1, 2))
    distances = 2 * np.arcsin(np.minimum(gaps / 2, 1.0))
    winner = int(np.argmax(distances <= distances.min() + SAME))
    num_agreeing = int((distances <= distances[winner] + AGREE).sum())
    if num_agreeing < 2 and distances[winner] > SAME:
        warnings.warn(
            f"dsa: only one of {len(starts)} starts came to {distances[winner]:.3g} rad, the next best to "
            f"{np.sort(distances)[1]:.3g}; the true distance may be lower. Use more n_restarts or a lower "
            "rank.",
            stacklevel=2,
        )
    return DSA(
        float(distances[winner]), spectrum_distance(a, b), distances, float(np.ptp(distances)), winner,
        num_agreeing, int(converged.sum()), rotations[winner],
    )  # fmt: skip


def spectrum_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean |λ − μ|² of the eigenvalues of two matrices under the best matching."""
    from scipy.optimize import linear_sum_assignment

    cost = np.abs(np.linalg.eigvals(a)[:, None] - np.linalg.eigvals(b)[None]) ** 2
    return float(np.sqrt(cost[linear_sum_assignment(cost)].mean()))


def _square(name: str, values: np.ndarray) -> np.ndarray:
    array = finite(name, values, "refit it")
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"{name}: shape {array.shape}; expected a square matrix.")
    if not np.linalg.norm(array) > 0:
        raise ValueError(f"{name}: all entries are 0; such dynamics has no direction to compare.")
    return array
