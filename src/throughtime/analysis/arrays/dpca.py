"""Components of activity that belong to one factor of a task each: demixed principal components."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks

Groups = Mapping[str, Sequence[Collection[str]]]

TIME = "time"
NUM_COMPONENTS = 5
RANK_TOLERANCE = 1e-6
"""Directions with less than this share of the largest amplitude are taken as flat."""


class DPCA(NamedTuple):
    """``G`` groups of marginals, ``C`` components, those of the first group first, ``N`` units.

    Attributes:
        encoder: (C, N) unit rows, orthogonal within a group; the largest entry of each is positive. NaN where
            a group has fewer directions than asked.
        decoder: (C, N) rows that read a component from activity.
        score: (…factors, C) centred activity on the decoders.
        explained_variance: (C,) share of the variance that a component alone restores.
        component_marginal_variance: (C, G) share of each group in the variance of a score.
        marginal_variance: (G,) share of each group in the variance of the activity.
        group: (C,) position of each component's group.
        names: of the groups.
        mean: (N,) centre that was subtracted.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    score: np.ndarray
    explained_variance: np.ndarray
    component_marginal_variance: np.ndarray
    marginal_variance: np.ndarray
    group: np.ndarray
    names: tuple[str, ...]
    mean: np.ndarray


def dpca(
    activity: np.ndarray,
    factors: Sequence[str],
    *,
    axis: int = -1,
    groups: Groups | None = None,
    num_components: int = NUM_COMPONENTS,
    ridge: float = 0.0,
    noise_covariance: np.ndarray | None = None,
) -> DPCA:
    """Linear read-outs of what each factor, or each interaction of factors, contributes to activity.

    The averages X (unit, sample), centred, are the sum of marginals X_φ, one for each set φ of factors: what
    depends on all factors in φ and on no others, by inclusion and exclusion of means. For each group of
    marginals, with X_φ their sum, encoder F and decoder D of rank q minimise::

        ‖X_φ − F D X‖² + μ ‖D‖² + M tr(F D C (F D)ᵀ)

    with μ = ``ridge`` · ‖X‖², C the covariance of single trials around the averages and M the number of
    samples. With K = XXᵀ + μI + MC and A = X_φ Xᵀ K⁻¹ (pseudo-inverse), F are the leading eigenvectors of
    A K Aᵀ and D = FᵀA. Without μ and C these are the left singular vectors of A X (Kobak et al. 2016, eLife).

    Args:
        activity: averages over trials, complete: an axis for each factor and units on ``axis``.
        factors: names of the axes other than ``axis``, in their order, such as ``("stimulus", "time")``.
        axis: axis of units.
        groups: name -> sets of factors whose marginals it holds. By default each set of factors other than
            ``"time"`` together with its interaction with time, and time alone.
        num_components: of each group.
        ridge: μ as a share of ‖X‖²; 0 for none.
        noise_covariance: (unit, unit) C.

    Raises:
        ValueError: for missing cells, zero variance, a factor with one level, names that do not fit, sets in
            two groups, or options out of range.

    Example:
        >>> stimulus, time = np.array([-1.0, 1.0])[:, None, None], np.linspace(-1, 1, 5)[None, :, None]
        >>> activity = stimulus * np.array([0.0, 1.0]) + 2 * time * np.array([1.0, 0.0])
        >>> found = dpca(activity, ("stimulus", "time"), num_components=1)
        >>> found.names, found.encoder.round(6) + 0.0, found.marginal_variance.round(6)
        (('time', 'stimulus'), array([[1., 0.],
               [0., 1.]]), array([0.666667, 0.333333]))
    """
    rates = np.moveaxis(checks.finite("activity", activity, _COMPLETE), axis, -1)
    names = tuple(factors)
    _check_factors(rates, names)
    chosen = default_groups(names) if groups is None else _checked(groups, names)
    if num_components < 1 or not 0 <= ridge < np.inf:
        raise ValueError(
            f"num_components {num_components}, ridge {ridge}: use at least 1, and a finite share from 0."
        )
    num_units = rates.shape[-1]
    mean = rates.reshape(-1, num_units).mean(0)
    centred = rates - mean
    total = float((centred**2).sum())
    if not total > 1e-24 * (rates**2).sum():
        raise ValueError("activity: zero variance in every unit; there are no components to find.")
    flat = centred.reshape(-1, num_units)
    parts = np.stack([part.reshape(-1, num_units) for part in grouped_marginals(centred, names, chosen)])
    row_basis, inverse = _row_space(flat, ridge * total, noise_covariance)
    least = RANK_TOLERANCE * np.sqrt(total)
    pairs = [_fit(part, row_basis, inverse, num_components, least) for part in parts]
    encoder, decoder = (np.concatenate(each) for each in zip(*pairs, strict=True))
    score = flat @ decoder.T
    variance = (score**2).sum(0)
    restored = 2 * ((flat @ encoder.T) * score).sum(0) - variance
    by_group = ((parts @ decoder.T) ** 2).sum(1).T
    return DPCA(
        encoder=encoder,
        decoder=decoder,
        score=score.reshape(*rates.shape[:-1], -1),
        explained_variance=restored / total,
        component_marginal_variance=by_group / variance[:, None],
        marginal_variance=(parts**2).sum((1, 2)) / total,
        group=np.repeat(np.arange(len(chosen)), num_components),
        names=tuple(chosen),
        mean=mean,
    )


_COMPLETE = "the design must be complete: leave out levels that lack cells, or average over fewer factors"


def default_groups(factors: Sequence[str]) -> dict[str, list[tuple[str, ...]]]:
    """Time alone, then each set of other factors with its interaction with time.

    Example:
        >>> default_groups(("stimulus", "time"))
        {'time': [('time',)], 'stimulus': [('stimulus',), ('stimulus', 'time')]}
    """
    others = [name for name in factors if name != TIME]
    timed = TIME in factors
    found: dict[str, list[tuple[str, ...]]] = {TIME: [(TIME,)]} if timed else {}
    for size in range(1, len(others) + 1):
        for each in combinations(others, size):
            found["×".join(each)] = [each, (*each, TIME)] if timed else [each]
    return found


def grouped_marginals(activity: np.ndarray, factors: Sequence[str], groups: Groups) -> Iterable[np.ndarray]:
    """The marginals of each group summed, in the shape of ``activity``, whose last axis is units."""
    axes = range(len(factors))
    found: dict[frozenset[int], np.ndarray] = {}
    for size in range(len(factors) + 1):
        for kept in combinations(axes, size):
            rest = tuple(axis for axis in axes if axis not in kept)
            part = activity.mean(rest, keepdims=True)
            for less in range(size):
                part = part - sum(found[frozenset(each)] for each in combinations(kept, less))
            found[frozenset(kept)] = part
    place = {name: axis for axis, name in enumerate(factors)}
    for sets in groups.values():
        total = sum(found[frozenset(place[name] for name in each)] for each in sets)
        yield np.broadcast_to(total, activity.shape)


def _row_space(
    flat: np.ndarray, penalty: float, noise_covariance: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(sample, r) V and (r, unit) S⁻¹Uᵀ, where USVᵀ is X beside the roots of the penalties: UᵀKU = S²."""
    num_samples, num_units = flat.shape
    stacked = [flat]
    if penalty > 0:
        stacked.append(np.sqrt(penalty) * np.eye(num_units))
    if noise_covariance is not None:
        noise = checks.finite("noise_covariance", noise_covariance, "it takes 2 trials in every cell")
        if noise.shape != (num_units, num_units) or not np.allclose(noise, noise.T):
            raise ValueError(
                f"noise_covariance: shape {noise.shape}; use a symmetric matrix of {num_units} units."
            )
        value, vector = np.linalg.eigh(num_samples * noise)
        stacked.append((vector * np.sqrt(value.clip(min=0.0))).T)
    left, singular, right = np.linalg.svd(np.concatenate(stacked), full_matrices=False)
    keep = singular > RANK_TOLERANCE * singular[0]
    return left[:num_samples, keep], right[keep] / singular[keep, None]


def _fit(
    part: np.ndarray, row_basis: np.ndarray, inverse: np.ndarray, count: int, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Encoder and decoder rows of one group; NaN beyond its rank."""
    num_units = part.shape[1]
    encoder, decoder = np.full((2, count, num_units), np.nan)
    reached = part.T @ row_basis
    vector, singular, _ = np.linalg.svd(reached, full_matrices=False)
    size = min(count, int((singular > least).sum()))
    rows = vector[:, :size].T
    largest = rows[np.arange(size), np.abs(rows).argmax(1)]
    rows = rows * np.sign(largest)[:, None]
    encoder[:size], decoder[:size] = rows, rows @ reached @ inverse
    return encoder, decoder


def _check_factors(rates: np.ndarray, factors: tuple[str, ...]) -> None:
    if rates.ndim != len(factors) + 1 or len(set(factors)) != len(factors):
        raise ValueError(
            f"factors: {factors} for averages with {rates.ndim - 1} axes beside units; name each axis once."
        )
    single = [name for name, size in zip(factors, rates.shape, strict=False) if size < 2]
    if single:
        raise ValueError(
            f"activity: one level of {single[0]}; a factor needs at least two, or average over it."
        )


def _checked(groups: Groups, factors: tuple[str, ...]) -> dict[str, list[tuple[str, ...]]]:
    if not groups:
        raise ValueError("groups: none; name at least one, or leave the argument out.")
    found = {name: [tuple(each) for each in sets] for name, sets in groups.items()}
    seen: set[frozenset[str]] = set()
    for name, sets in found.items():
        for each in sets:
            unknown = [factor for factor in each if factor not in factors]
            if unknown or not each:
                raise ValueError(f"groups: {name!r} holds the set {each}; use factors among {factors}.")
            if frozenset(each) in seen:
                raise ValueError(f"groups: the set {each} is in two groups, or twice in one; keep one.")
            seen.add(frozenset(each))
        if not sets:
            raise ValueError(f"groups: {name!r} holds no set of factors; leave it out.")
    return found
