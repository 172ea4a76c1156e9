"""Kinematics of trajectories: how fast, and how far apart, conditions run along a common course."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.pca import pca
from throughtime.analysis.arrays.regression import line

MIN_CONDITIONS = 2
MIN_TIMES = 3


class Kinematics(NamedTuple):
    """Course of ``C`` conditions beside that of a reference.

    Attributes:
        nearest_time: (C, time) time at which the condition comes nearest to the state of the reference, ms;
            NaN where the reference has no state.
        distance: (C, time) distance there, in units of ``activity``; positive on the side of the last
            condition, negative on that of the first.
        slope: (C,) of nearest time against time of the reference; 1 for the reference itself, 2 for a
            condition that takes twice as long over the same course.
        intercept: (C,) ms, of the same line.
        relative_speed: (C,) 1 / slope.
        num_times: (C,) times the line was fitted to: those whose nearest state is not an end of the course.
        reference: position of the reference. num_components: principal components kept.
    """

    nearest_time: np.ndarray
    distance: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray
    relative_speed: np.ndarray
    num_times: np.ndarray
    reference: int
    num_components: int


def kinematics(
    activity: np.ndarray,
    time: np.ndarray,
    *,
    axis: int = -1,
    reference: int | None = None,
    variance: float = 0.95,
    interpolate: bool = True,
) -> Kinematics:
    """Nearest states of every condition to those of a reference condition (KiNeT).

    Trajectories are projected on the principal components that hold ``variance``, which leaves noise out.
    For each state s_ref(t) of the reference the nearest state s_c(t_c) of each other condition is found;
    t_c against t has slope T_c / T_ref where both run along the same course in times T_c and T_ref. The sign
    of the distance is that of (s_c − s_ref) · (s_last − s_first), with the states of the first and the last
    condition that are nearest at the same t, so conditions should be given in the order of what they
    stand for. Operational definition, after the method of Remington, Narain, Hosseini and Jazayeri 2018,
    Neuron; there, states are those sampled.

    Args:
        activity: (condition, time, unit), averaged over trials and aligned to the start; NaN in all units
            before a condition begins and after it ends.
        time: (time,) ms. axis: axis of units.
        reference: position of the reference condition; the middle one if not given.
        variance: share of the variance, of all conditions together, that the components kept hold.
        interpolate: look for the nearest point of the course between samples too, on straight lines.

    Raises:
        ValueError: for fewer than 2 conditions, or 3 times in one; units missing at some of the times; gaps;
            lengths that differ; zero variance; a reference that is not there.

    Example:
        >>> time = np.arange(5.0, 400.0, 10.0)
        >>> course = lambda phase: np.stack([np.sin(2 * phase), phase**2], -1)
        >>> activity = np.stack([course(time / 400), course(time / 300)])
        >>> activity[1, time > 300] = np.nan
        >>> kinematics(activity, time, reference=0).slope.round(2)
        array([1.  , 0.75])
    """
    moved = np.moveaxis(np.asarray(activity, dtype=np.float64), axis, -1)
    time = checks.vector("time", checks.finite("time", time))
    if moved.ndim != 3:
        raise ValueError(f"activity: shape {moved.shape}; expected (condition, time, unit).")
    if moved.shape[1] != time.size:
        raise ValueError(
            f"unequal lengths: activity {moved.shape[1]} times, time {time.size}; cut to the same."
        )
    if not (np.diff(time) > 0).all():
        raise ValueError("time: does not increase; sort it first.")
    count = len(moved)
    if count < MIN_CONDITIONS:
        raise ValueError(f"activity: {count} conditions; kinematics compare at least {MIN_CONDITIONS}.")
    chosen = count // 2 if reference is None else reference
    if not 0 <= chosen < count:
        raise ValueError(f"reference: {reference} of {count} conditions; use 0 to {count - 1}.")
    if not 0 < variance <= 1:
        raise ValueError(f"variance: {variance}; use a share above 0 and up to 1.")
    there = _recorded(moved)
    fit = pca(moved, valid=there)
    kept = int(np.searchsorted(np.cumsum(fit.explained_variance_ratio), variance - 1e-12) + 1)
    states = fit.score[..., : min(kept, len(fit.component))]

    use = there[chosen]
    origin = states[chosen, use]
    nearest = np.empty((count, len(origin), states.shape[-1]))
    nearest_time = np.full((count, time.size), np.nan)
    inner = np.zeros((count, time.size), bool)
    for c in range(count):
        path, at = states[c, there[c]], time[there[c]]
        nearest[c], nearest_time[c, use] = (
            (origin, at) if c == chosen else _nearest(origin, path, at, interpolate)
        )
        inner[c, use] = (nearest_time[c, use] > at[0]) & (nearest_time[c, use] < at[-1])
    away = nearest - origin
    side = np.sign((away * (nearest[-1] - nearest[0])).sum(-1))
    distance = np.full((count, time.size), np.nan)
    distance[:, use] = np.linalg.norm(away, axis=-1) * np.where(side == 0, 1, side)
    lines = [line(time[inner[c]], nearest_time[c, inner[c]]) for c in range(count)]
    slope = np.array([each.slope for each in lines])
    with np.errstate(divide="ignore"):
        speed = 1 / slope
    return Kinematics(
        nearest_time=nearest_time,
        distance=distance,
        slope=slope,
        intercept=np.array([each.intercept for each in lines]),
        relative_speed=speed,
        num_times=inner.sum(1),
        reference=chosen,
        num_components=states.shape[-1],
    )


def _recorded(activity: np.ndarray) -> np.ndarray:
    """(condition, time) where there are states; all units or none, without gaps."""
    known = np.isfinite(activity)
    there = known.all(-1)
    partly = int((known.any(-1) & ~there).sum())
    if partly:
        raise ValueError(
            f"activity: units are missing at {partly} of {there.size} states; drop the units that are not "
            "there in every condition, or average over more trials."
        )
    num_times = there.sum(1)
    if num_times.min() < MIN_TIMES:
        raise ValueError(
            f"activity: {num_times.min()} times in condition {num_times.argmin()}; use at least {MIN_TIMES}."
        )
    starts = (np.diff(there.astype(int), axis=1, prepend=0) == 1).sum(1)
    if starts.max() > 1:
        raise ValueError(
            f"activity: condition {starts.argmax()} has {starts.max() - 1} gaps; fill them, or cut it there."
        )
    return there


def _nearest(
    origin: np.ndarray, path: np.ndarray, time: np.ndarray, interpolate: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest point of ``path`` to each of ``origin``, and its time."""
    if not interpolate:
        at = ((origin[:, None] - path) ** 2).sum(-1).argmin(1)
        return path[at], time[at]
    step = np.diff(path, axis=0)
    length = (step**2).sum(-1)
    along = origin @ step.T - (path[:-1] * step).sum(-1)
    share = np.clip(along / np.where(length > 0, length, 1.0), 0, 1)
    square = ((origin[:, None] - path[:-1]) ** 2).sum(-1) - 2 * share * along + share**2 * length
    at, row = square.argmin(1), np.arange(len(origin))
    share = share[row, at]
    return path[at] + share[:, None] * step[at], time[at] + share * np.diff(time)[at]
