"""Temporal scaling: does activity stretch with the interval?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.warp import NUM_PHASES, align, group_means, warp

MIN_CONDITIONS = 2
MIN_PHASES = 2


class ScalingIndex(NamedTuple):
    """Scaling of ``N`` units; 1 is perfect scaling, 0 none.

    Attributes:
        scaling_index: (component,) descending.
        axis: (component, N) unit vectors in the space of units, one a component.
        population: 1 − tr S_residual / tr S_total over all units.
        unit_scaling_index: (N,) of each unit alone; NaN for a unit without variance.
        population_unwarped, unit_unwarped: the null: the same from onset-aligned activity in absolute
            time, up to the shortest duration.
        warped: (condition, phase, N) warped condition means the index was computed from.
    """

    scaling_index: np.ndarray
    axis: np.ndarray
    population: float
    unit_scaling_index: np.ndarray
    population_unwarped: float
    unit_unwarped: np.ndarray
    warped: np.ndarray


def scaling_index(
    activity: np.ndarray,
    time: np.ndarray,
    onset: np.ndarray,
    duration: np.ndarray,
    condition: np.ndarray | None = None,
    *,
    num_phases: int = NUM_PHASES,
    variance: float = 0.999,
) -> ScalingIndex:
    """Share of the variance over conditions and time that rescaling time explains.

    Each trial is warped to [0, 1], trials are averaged by condition, and for a direction w
    SI(w) = 1 − wᵀS_residual w / wᵀS_total w, with S_residual the scatter about the mean over conditions at
    each phase and S_total the scatter about the grand mean. Components are the generalised eigenvectors
    of (S_residual, S_total) in the principal components holding ``variance``. Operational definition
    after Bi and Zhou 2020, PNAS. A ramp to no bound (r = t) already gives 9/13, so compare with the unwarped
    null, never with 0.

    Args:
        activity: (trial, time, unit) on a uniform time axis. time: (time,) ms.
        onset: (trial,) start of the interval (Set), ms. duration: (trial,) its length, ms; trials with a
            NaN in either are left out.
        condition: (trial,) labels over which trials are averaged; each trial is its own if not given.
        num_phases: midpoints of [0, 1] at which activity is read.
        variance: share of total variance kept before components are sought.

    Raises:
        ValueError: for fewer than 2 conditions or 2 distinct durations, non-finite activity inside an
            interval, an interval past the recording, zero variance, unequal lengths.

    Example:
        >>> time = np.arange(0.5, 200.0)
        >>> stretched = np.stack([np.sin(time / 100), np.sin(time / 200)])[..., None]
        >>> result = scaling_index(stretched, time, np.zeros(2), np.array([100.0, 200.0]))
        >>> round(result.population, 4), result.population_unwarped < 0.9
        (1.0, True)
    """
    activity = np.asarray(activity, dtype=np.float64)
    onset, duration = np.asarray(onset, dtype=np.float64), np.asarray(duration, dtype=np.float64)
    labels = np.arange(len(duration)) if condition is None else np.asarray(condition)
    checks.same_length(activity=activity, onset=onset, duration=duration, condition=labels)
    if activity.ndim != 3:
        raise ValueError(f"activity: shape {activity.shape}; expected (trial, time, unit).")
    if num_phases < MIN_PHASES:
        raise ValueError(f"num_phases: {num_phases}; use at least {MIN_PHASES}.")
    checks.fraction("variance", variance)
    kept = np.isfinite(onset) & np.isfinite(duration)
    activity, onset, duration = activity[kept], onset[kept], duration[kept]
    groups, index = np.unique(labels[kept], return_inverse=True)
    if groups.size < MIN_CONDITIONS or np.unique(duration).size < MIN_CONDITIONS:
        raise ValueError(
            f"duration: {np.unique(duration).size} distinct in {groups.size} conditions; scaling needs "
            f"at least {MIN_CONDITIONS}."
        )
    each = warp(activity, time, onset, duration, num_phases=num_phases)
    checks.finite(
        "activity", each, "an interval runs past the recording or holds NaN; drop such trials, or units"
    )
    warped = group_means(each, index, groups.size)
    lag = (np.arange(num_phases) + 0.5) / num_phases * duration.min()
    unwarped = group_means(align(activity, time, onset, lag), index, groups.size)

    residual, total = scatter(warped)
    if not np.trace(total) > 1e-24 * (warped**2).mean((0, 1)).sum():
        raise ValueError("activity: zero variance over conditions and time; scaling is not defined.")
    index_of, axis = _components(residual, total, variance)
    null_residual, null_total = scatter(unwarped)
    return ScalingIndex(
        scaling_index=index_of,
        axis=axis,
        population=float(1 - np.trace(residual) / np.trace(total)),
        unit_scaling_index=_ratio(np.diag(residual), np.diag(total)),
        population_unwarped=float(_ratio(np.trace(null_residual), np.trace(null_total))),
        unit_unwarped=_ratio(np.diag(null_residual), np.diag(null_total)),
        warped=warped,
    )


def scatter(warped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scatter about the condition mean at each phase, and about the grand mean, (unit, unit) each.

    Args:
        warped: (condition, phase, unit).
    """
    units = warped.shape[-1]
    residual = (warped - warped.mean(0)).reshape(-1, units)
    total = (warped - warped.mean((0, 1))).reshape(-1, units)
    return residual.T @ residual / len(residual), total.T @ total / len(total)


def _components(residual: np.ndarray, total: np.ndarray, variance: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.linalg import eigh

    value, vector = np.linalg.eigh(total)
    value, vector = value[::-1], vector[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(value) / value.sum(), variance) + 1)
    kept = min(kept, int((value > 1e-12 * value[0]).sum()))
    basis = vector[:, :kept]
    ratio, weights = eigh(basis.T @ residual @ basis, np.diag(value[:kept]))
    axis = (basis @ weights).T
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    largest = np.abs(axis).argmax(1)
    return 1 - ratio, axis * np.sign(axis[np.arange(kept), largest])[:, None]


def _ratio(residual: np.ndarray, total: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 1e-12 * np.max(total), 1 - residual / total, np.nan)
