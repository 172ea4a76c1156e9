"""Task variance: which units serve which of the tasks that one circuit does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MIN_TASKS = 2
MIN_VARIANCE = 1e-3
MAX_CLUSTERS = 29
NUM_STARTS = 20
UNASSIGNED = -1


class TaskVariance(NamedTuple):
    """Variances of ``N`` units in ``K`` tasks, and of ``D`` random rotations of the units as control.

    Attributes:
        task_variance: (N, K). normalized: (N, K) divided by the maximum over tasks; NaN for units left out.
        cluster: (N,) 0, 1, … in the order of the task their units vary most in; −1 for units left out.
        num_clusters: the number with the best silhouette; 1 where there is nothing to divide.
        silhouette: mean silhouette width of the clusters, at most 1; NaN for a single cluster.
        fractional_variance: (N, K, K) of first against second task, −1 to 1; NaN where neither has variance.
        task_variance_rotated: (D, N, K). silhouette_rotated: (D,). fractional_variance_rotated: (D, N, K, K).
    """

    task_variance: np.ndarray
    normalized: np.ndarray
    cluster: np.ndarray
    num_clusters: int
    silhouette: float
    fractional_variance: np.ndarray
    task_variance_rotated: np.ndarray
    silhouette_rotated: np.ndarray
    fractional_variance_rotated: np.ndarray


def task_variance(
    activity: Sequence[np.ndarray] | np.ndarray,
    *,
    seed: int,
    axis: int = -1,
    min_variance: float = MIN_VARIANCE,
    max_clusters: int = MAX_CLUSTERS,
    num_starts: int = NUM_STARTS,
    num_rotations: int = 10,
) -> TaskVariance:
    """Variance over conditions in each task, clusters of units by it, and its contrast between two tasks.

    With r_i(c, t) the rate of unit i in condition c of task A, without noise,

        TV_i(A) = mean_t var_c r_i(c, t),    FTV_i(A, B) = (TV_i(A) − TV_i(B)) / (TV_i(A) + TV_i(B)).

    Units whose TV summed over tasks exceeds ``min_variance`` are divided by their maximum and clustered by
    k-means, with the number of clusters whose silhouette is best (Yang, Joglekar, Song, Newsome and
    Wang 2019, Nature Neuroscience). As a control the same is done after random rotations of the units, which
    keep the population's variance in each task but mix the units.

    Args:
        activity: one array a task, (condition, time, unit), of the same units; NaN in all units at samples
            that take no part: fixation, padding.
        seed: of the starts of k-means and of the rotations. axis: axis of units.
        min_variance: in squared units of ``activity``; suits rates of order 1.
        max_clusters: largest number tried; there are never more than distinct units.
        num_starts: starts of k-means. num_rotations: rotations of the control; 0 for none.

    Raises:
        ValueError: for one task; tasks with other units, without two conditions at one time, or with
            units missing from some samples; if no unit varies enough.

    Example:
        >>> swing = np.array([1.0, -1.0])[:, None, None] * np.ones((2, 5, 1))
        >>> first = np.concatenate([swing, swing, 0 * swing, 0 * swing], -1)
        >>> found = task_variance([first, first[..., ::-1]], seed=0)
        >>> found.fractional_variance[:, 0, 1], found.cluster, found.silhouette
        (array([ 1.,  1., -1., -1.]), array([0, 0, 1, 1]), 1.0)
    """
    tasks = [np.moveaxis(np.asarray(each, dtype=np.float64), axis, -1) for each in activity]
    if len(tasks) < MIN_TASKS:
        raise ValueError(f"activity: {len(tasks)} task; variances are compared between at least {MIN_TASKS}.")
    shapes = [each.shape for each in tasks]
    if any(len(shape) != 3 for shape in shapes) or len({shape[-1] for shape in shapes}) > 1:
        raise ValueError(
            f"activity: shapes {shapes}; expected (condition, time, unit) with the same units in every task."
        )
    if min_variance < 0 or max_clusters < 2 or num_starts < 1 or num_rotations < 0:
        raise ValueError(
            f"min_variance {min_variance}, max_clusters {max_clusters}, num_starts {num_starts}, "
            f"num_rotations {num_rotations}: use at least 0, 2, 1 and 0."
        )
    covariance = np.stack([_covariance(each, name) for name, each in enumerate(tasks)], -1)
    variance = np.diagonal(covariance).T
    if not (variance.sum(1) > min_variance).any():
        raise ValueError(
            f"activity: the largest summed variance of a unit is {variance.sum(1).max(initial=0.0):.3g}, not "
            f"above min_variance {min_variance:g}; check that conditions differ, or lower it."
        )
    rng = np.random.default_rng(seed)
    cluster, count, silhouette = _clusters(variance, min_variance, max_clusters, num_starts, rng)
    rotated = _rotated(covariance, num_rotations, rng)
    control = [_clusters(each, min_variance, max_clusters, num_starts, rng)[2] for each in rotated]
    return TaskVariance(
        task_variance=variance,
        normalized=_normalized(variance, min_variance),
        cluster=cluster,
        num_clusters=count,
        silhouette=silhouette,
        fractional_variance=_fractional(variance, min_variance),
        task_variance_rotated=rotated,
        silhouette_rotated=np.array(control, dtype=np.float64),
        fractional_variance_rotated=_fractional(rotated, min_variance),
    )


def _covariance(activity: np.ndarray, name: int) -> np.ndarray:
    """(unit, unit): covariance over conditions, averaged over times with at least two of them."""
    known = np.isfinite(activity)
    there = known.all(-1)
    partly = int((known.any(-1) & ~there).sum())
    if partly:
        raise ValueError(
            f"activity: units are missing at {partly} of {there.size} samples of task {name}; drop the units "
            "that are not there in every condition of every task, or average over more trials."
        )
    count = there.sum(0)
    if not (count > 1).any():
        raise ValueError(
            f"activity: task {name} never has two conditions at one time; variance over conditions needs two."
        )
    kept = np.where(there[..., None], activity, 0.0)[:, count > 1]
    count = count[count > 1]
    away = (kept - (kept.sum(0) / count[:, None])) * there[:, there.sum(0) > 1][..., None]
    weighted = away / np.sqrt(count)[:, None]
    flat = weighted.reshape(-1, activity.shape[-1])
    return flat.T @ flat / count.size


def _normalized(variance: np.ndarray, min_variance: float) -> np.ndarray:
    kept = variance.sum(-1) > min_variance
    return np.where(kept[:, None], variance / np.where(kept, variance.max(-1), 1.0)[:, None], np.nan)


def _fractional(variance: np.ndarray, min_variance: float) -> np.ndarray:
    first, second = variance[..., :, None], variance[..., None, :]
    known = first + second > min_variance
    return np.where(known, (first - second) / np.where(known, first + second, 1.0), np.nan)


def _rotated(covariance: np.ndarray, num_rotations: int, rng: np.random.Generator) -> np.ndarray:
    """(rotation, unit, task): variances of units that are mixed by random orthogonal matrices."""
    from scipy.stats import ortho_group

    num_units, num_tasks = len(covariance), covariance.shape[-1]
    found = np.empty((num_rotations, num_units, num_tasks))
    for draw in range(num_rotations):
        mixing = ortho_group.rvs(num_units, random_state=rng) if num_units > 1 else np.ones((1, 1))
        found[draw] = np.einsum("ij,jka,ik->ia", mixing, covariance, mixing, optimize=True)
    return np.maximum(found, 0.0)


def _clusters(
    variance: np.ndarray, min_variance: float, max_clusters: int, num_starts: int, rng: np.random.Generator
) -> tuple[np.ndarray, int, float]:
    """(unit,) cluster of each unit, their number and their silhouette."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    from throughtime.analysis.arrays.blas import single_threaded

    normalized = _normalized(variance, min_variance)
    kept = np.isfinite(normalized).all(1)
    rows = normalized[kept]
    largest = min(max_clusters, len(np.unique(rows.round(9), axis=0)), len(rows) - 1)
    best, silhouette = np.zeros(len(rows), int), np.nan
    with single_threaded():
        for count in range(2, largest + 1):
            fit = KMeans(count, n_init=num_starts, random_state=int(rng.integers(2**31))).fit(rows)
            width = float(silhouette_score(rows, fit.labels_))
            if not width <= silhouette + 1e-12:
                best, silhouette = fit.labels_, width
            if silhouette > 1 - 1e-12:
                break
    labels = np.unique(best)
    centres = [rows[best == label].mean(0) for label in labels] if len(rows) else []
    order = sorted(
        range(len(centres)), key=lambda k: (int(centres[k].argmax()), -int((best == labels[k]).sum()))
    )
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    cluster = np.full(len(variance), UNASSIGNED)
    cluster[kept] = place[np.searchsorted(labels, best)]
    return cluster, len(order), silhouette
