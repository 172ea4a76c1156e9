"""Averages over the cells of a factorial design, and how much to regularise a demixing of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.dpca import (
    NUM_COMPONENTS,
    TIME,
    Groups,
    default_groups,
    dpca,
    grouped_marginals,
)

NUM_SPLITS = 10


class Cells(NamedTuple):
    """Averages over the trials of each combination of levels.

    Attributes:
        mean: (…levels, time, unit). num_trials: (…levels).
        noise_covariance: (unit, unit) covariance of single trials around their average, mean over cells and
            times; NaN where a cell has a single trial.
    """

    mean: np.ndarray
    num_trials: np.ndarray
    noise_covariance: np.ndarray


class ChosenRidge(NamedTuple):
    """``R`` candidates.

    Attributes:
        ridge: the candidate of least error.
        error: (R,) squared error of the marginals of held-out trials as a share of the variance, mean over
            splits.
    """

    ridge: float
    error: np.ndarray


def cells(activity: np.ndarray, labels: np.ndarray, shape: Sequence[int]) -> Cells:
    """Averages over the trials of each cell of a complete design.

    Args:
        activity: (trial, time, unit). labels: (trial, factor) levels from 0. shape: levels of each factor.

    Raises:
        ValueError: for cells without trials.

    Example:
        >>> cells(np.array([[[1.0]], [[3.0]], [[7.0]]]), np.array([[0], [0], [1]]), (2,)).mean.ravel()
        array([2., 7.])
    """
    activity = checks.finite("activity", activity, "cut to times and units that all trials have")
    code = np.ravel_multi_index(tuple(np.asarray(labels).T), tuple(shape))
    count = np.bincount(code, minlength=int(np.prod(shape)))
    empty = np.flatnonzero(count == 0)
    if empty.size:
        first = tuple(int(level) for level in np.unravel_index(empty[0], tuple(shape)))
        raise ValueError(
            f"factors: {empty.size} of {count.size} cells have no trials, the first of levels {first}; leave "
            "out levels that lack cells, or a factor."
        )
    member = np.zeros((count.size, code.size))
    member[code, np.arange(code.size)] = 1 / count[code]
    mean = np.tensordot(member, activity, 1)
    num_units = activity.shape[-1]
    noise = np.full((num_units, num_units), np.nan)
    if count.min() > 1:
        weight = np.sqrt(1 / ((count - 1) * count.size * activity.shape[1]))
        away = ((activity - mean[code]) * weight[code, None, None]).reshape(-1, num_units)
        noise = away.T @ away
    return Cells(mean.reshape(*shape, *activity.shape[1:]), count.reshape(shape), noise)


def choose_ridge(
    activity: np.ndarray,
    labels: np.ndarray,
    factors: Sequence[str],
    ridges: Sequence[float],
    *,
    seed: int,
    groups: Groups | None = None,
    num_components: int = NUM_COMPONENTS,
    noise: bool = False,
    num_splits: int = NUM_SPLITS,
) -> ChosenRidge:
    """The penalty with which components of some trials restore the marginals from others best.

    In each split one trial of each cell is held out. Components are found from the averages X of the rest,
    and the error is Σ_φ ‖X_φ − F D Y‖² / ‖X‖² with Y the held-out trials (after Kobak et al. 2016, eLife).

    Args:
        activity: (trial, time, unit). labels: (trial, factor) levels from 0, of the factors but time.
        factors: names of the factors, time last. ridges: candidates.
        seed: of the splits. groups, num_components: see :func:`throughtime.analysis.arrays.dpca.dpca`.
        noise: whether the covariance of the trials that are left takes part.
        num_splits: how often.

    Raises:
        ValueError: for cells with fewer than 2 trials (3 with ``noise``), or options out of range.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> levels = np.repeat([[0], [1]], 4, axis=0)
        >>> activity = levels[:, :, None] + rng.standard_normal((8, 3, 5))
        >>> choose_ridge(activity, levels, ("side", "time"), [0.0, 0.1], seed=0).error.shape
        (2,)
    """
    activity, labels = np.asarray(activity, dtype=np.float64), np.asarray(labels)
    shape = tuple(int(level) + 1 for level in labels.max(0))
    if num_splits < 1 or not len(ridges):
        raise ValueError(f"num_splits {num_splits}, ridges {list(ridges)}: use at least one of each.")
    if tuple(factors)[-1] != TIME or len(factors) != len(shape) + 1:
        raise ValueError(f"factors: {tuple(factors)} for {len(shape)} columns of labels; time comes last.")
    fewest, found = 3 if noise else 2, int(cells(activity, labels, shape).num_trials.min())
    if found < fewest:
        raise ValueError(
            f"activity: {found} trial in a cell; holding one out takes at least {fewest} in every cell, or "
            "give one ridge."
        )
    chosen = default_groups(factors) if groups is None else groups
    code = np.ravel_multi_index(tuple(labels.T), shape)
    rng = np.random.default_rng(seed)
    error = np.zeros((num_splits, len(ridges)))
    for split in range(num_splits):
        order = rng.permutation(len(code))
        held = order[np.unique(code[order], return_index=True)[1]]
        rest = np.setdiff1d(order, held)
        trained = cells(activity[rest], labels[rest], shape)
        for at, ridge in enumerate(ridges):
            fit = dpca(
                trained.mean, factors, groups=chosen, num_components=num_components, ridge=ridge,
                noise_covariance=trained.noise_covariance if noise else None,
            )  # fmt: skip
            new = cells(activity[held], labels[held], shape).mean - fit.mean
            centred = trained.mean - fit.mean
            for index, part in enumerate(grouped_marginals(centred, factors, chosen)):
                own = (fit.group == index) & np.isfinite(fit.decoder[:, 0])
                guess = new @ fit.decoder[own].T @ fit.encoder[own]
                error[split, at] += ((part - guess) ** 2).sum() / (centred**2).sum()
    mean_error = error.mean(0)
    return ChosenRidge(float(ridges[int(mean_error.argmin())]), mean_error)
