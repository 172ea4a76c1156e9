"""Distances of many systems, each from each."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays import dsa as dynamics
from throughtime.analysis.arrays import rsa as conditions
from throughtime.analysis.arrays.cca import cca
from throughtime.analysis.arrays.cka import cka
from throughtime.analysis.arrays.linear_operator import linear_operator
from throughtime.analysis.arrays.shape_distance import shape_distance

Comparison = Callable[[Any, Any], float]


class Measure(NamedTuple):
    """How two systems are compared.

    Attributes:
        compare: two prepared systems to a distance. units, long_name: of it.
        prepare: one system, its name first, to what is compared; done once for each.
        sampled: whether samples pair up between systems, so that one missing in either is left out of both.
        seeded: whether ``compare`` draws and takes a ``seed``.
    """

    compare: Callable[..., float]
    units: str
    long_name: str
    prepare: Callable[..., Any] | None = None
    sampled: bool = True
    seeded: bool = False


class DistanceMatrix(NamedTuple):
    """Distances between ``n`` systems.

    Attributes:
        distance: (n, n) symmetric, 0 on the diagonal; NaN where a pair was refused.
        status: (n,) 0, or 1 for a system refused in every pair.
        refusal: the first refusal's message, empty if there was none.
        num_warned: pairs that the measure warned of, as ``"dsa"`` does where only one start came to the best.
        units, long_name: of the distance.
    """

    distance: np.ndarray
    status: np.ndarray
    refusal: str
    num_warned: int
    units: str
    long_name: str


def distance_matrix(
    systems: Sequence[np.ndarray],
    *,
    measure: str | Comparison = "shape_distance",
    seed: int | None = None,
    **options: Any,
) -> DistanceMatrix:
    """Distance of each system from each other one, by one of :data:`MEASURES`.

    ``"shape_distance"`` gives the angle θ, ``"cka"`` 1 − CKA, ``"cca"`` 1 − the mean correlation, ``"rsa"``
    1 − Spearman's ρ, ``"dsa"`` its angle and ``"spectrum_distance"`` that of the eigenvalues of such fits.
    Angles are metrics; the differences from 1 are not.

    Args:
        systems: of each the array that the measure takes: (sample, unit) for ``"shape_distance"``, ``"cka"``
            and ``"cca"``, where a sample with a NaN in either system takes no part; (condition, unit) or
            (repeat, condition, unit) for ``"rsa"``; (trial, time, unit) for the last two.
        measure: name, or a symmetric function of two arrays to a number.
        seed: of the random starts of ``"dsa"``.
        options: of the measure, as ``alpha``, ``debiased``, ``variance``, ``metric``, ``rank``.

    Raises:
        ValueError: for fewer than two systems, an unknown measure or option, a missing seed; as the measure,
            if it refuses every pair. A pair refused among others is NaN. What the measure warns of is
            counted, and told in one warning.

    Source: that of the measure.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal((20, 3))
        >>> found = distance_matrix([x, 2 * x, rng.standard_normal((20, 3))])
        >>> float(found.distance[0, 1].round(6)), bool(found.distance[0, 2] > 0.5)
        (0.0, True)
    """
    if len(systems) < 2:
        raise ValueError(f"systems: {len(systems)}; give at least two to compare.")
    prepare: Callable[..., Any] | None
    compare: Comparison
    if callable(measure):
        chosen = Measure(measure, "1", "distance")
        prepare, compare = None, partial(measure, **options)
    else:
        chosen = _chosen(measure)
        prepare, compare = _bound(measure, chosen, seed, options)
    ready, refusals = [], []
    for index, system in enumerate(systems):
        try:
            array = np.asarray(system, np.float64)
            ready.append(array if prepare is None else prepare(array, name=f"systems[{index}]"))
        except ValueError as refusal:
            ready.append(None)
            refusals.append(refusal)
    distance = np.zeros((len(systems), len(systems)))
    warned = []
    for i, j in zip(*np.triu_indices(len(systems), 1), strict=True):
        value = np.nan
        if ready[i] is not None and ready[j] is not None:
            pair = _shared(ready[i], ready[j]) if chosen.sampled else (ready[i], ready[j])
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                try:
                    value = compare(*pair)
                except ValueError as refusal:
                    refusals.append(ValueError(f"systems {i} and {j}: {refusal}"))
            warned += told[:1]
        distance[i, j] = distance[j, i] = value
    there = np.isfinite(distance).sum(1) > 1
    if refusals and not there.any():
        raise refusals[0]
    if warned:
        pairs = len(systems) * (len(systems) - 1) // 2
        warnings.warn(f"{len(warned)} of {pairs} pairs, first: {warned[0].message}", stacklevel=2)
    lost = ~there
    distance[lost, lost] = np.nan
    first = str(refusals[0]) if refusals else ""
    return DistanceMatrix(distance, lost.astype(np.int8), first, len(warned), chosen.units, chosen.long_name)


def _shared(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples that neither array lacks."""
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        return x, y
    there = ~(np.isnan(x).any(1) | np.isnan(y).any(1))
    return x[there], y[there]


def _chosen(measure: str) -> Measure:
    if measure not in MEASURES:
        raise ValueError(f"measure: unknown {measure!r}; use one of {', '.join(MEASURES)}, or a function.")
    return MEASURES[measure]


def _bound(
    name: str, measure: Measure, seed: int | None, options: dict[str, Any]
) -> tuple[Callable[..., Any] | None, Comparison]:
    """Preparation and comparison with the options that each of them takes."""
    taken: set[str] = set()
    parts: list[Any] = []
    for function in (measure.prepare, measure.compare):
        known = set() if function is None else set(inspect.signature(function).parameters) - {"name", "seed"}
        parts.append(None if function is None else partial(function, **_picked(options, known)))
        taken |= known - {"x", "y", "a", "b", "first", "second"}
    unknown = sorted(set(options) - taken)
    if unknown:
        raise ValueError(f"{unknown[0]}: no option of {name}; it has {', '.join(sorted(taken)) or 'none'}.")
    if measure.seeded:
        if seed is None:
            raise ValueError(f"seed: none given; {name} starts at random, so give an integer.")
        parts[1] = partial(parts[1], seed=seed)
    return parts[0], parts[1]


def _picked(options: dict[str, Any], known: set[str]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key in known}


def _shape(x: np.ndarray, y: np.ndarray, *, alpha: float = 1.0) -> float:
    return shape_distance(x, y, alpha=alpha).angle


def _cka(x: np.ndarray, y: np.ndarray, *, debiased: bool = True) -> float:
    return 1 - cka(x, y, debiased=debiased).cka


def _cca(x: np.ndarray, y: np.ndarray, *, variance: float | None = None) -> float:
    return 1 - cca(x, y, variance=variance).mean


def _dissimilarity(values: np.ndarray, *, metric: str = "correlation", name: str) -> np.ndarray:
    return conditions.dissimilarity(values, metric, name)


def _rsa(first: np.ndarray, second: np.ndarray) -> float:
    return 1 - conditions.compare_dissimilarities(first, second, seed=0, num_permutations=0).spearman


def _fitted(
    activity: np.ndarray,
    *,
    num_delays: int = 1,
    rank: int | None = None,
    ridge: float = 0.0,
    whiten: bool = False,
    name: str,
) -> np.ndarray:
    return linear_operator(
        activity, num_delays=num_delays, rank=rank, ridge=ridge, whiten=whiten, name=name
    ).operator


def _dsa(a: np.ndarray, b: np.ndarray, *, seed: int, n_restarts: int = 20) -> float:
    return dynamics.compare_operators(a, b, seed=seed, n_restarts=n_restarts).dsa


def _spectrum(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        raise ValueError(f"b: rank {len(b)}, a has {len(a)}; fit both with the same rank to compare them.")
    return dynamics.spectrum_distance(a, b)


MEASURES = {
    "shape_distance": Measure(_shape, "rad", "shape distance"),
    "cka": Measure(_cka, "1", "1 − CKA"),
    "cca": Measure(_cca, "1", "1 − mean canonical correlation"),
    "rsa": Measure(_rsa, "1", "1 − Spearman correlation of dissimilarities", _dissimilarity, sampled=False),
    "dsa": Measure(_dsa, "rad", "dynamical dissimilarity", _fitted, sampled=False, seeded=True),
    "spectrum_distance": Measure(_spectrum, "1", "distance of spectra", _fitted, sampled=False),
}
"""Measures by name."""
