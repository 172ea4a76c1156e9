"""Activity read off at times of its own: aligned to an event, or as a fraction of an interval."""

from __future__ import annotations

import numpy as np

from throughtime.analysis.arrays import checks

NUM_PHASES = 100


def phases(num_phases: int = NUM_PHASES) -> np.ndarray:
    """Midpoints of ``num_phases`` equal bins of [0, 1].

    Example:
        >>> phases(4)
        array([0.125, 0.375, 0.625, 0.875])
    """
    return (np.arange(num_phases) + 0.5) / num_phases


def align(activity: np.ndarray, time: np.ndarray, onset: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Activity of each trial at ``onset + lag``, by linear interpolation between samples.

    Samples at uniformly spaced bin centres reach half a bin beyond the first and the last; over that
    half bin the line is continued. Beyond it the result is NaN.

    Args:
        activity: (trial, time, …). time: (time,) ms, uniformly spaced.
        onset: (trial,) ms, NaN for trials without the event. lag: (lag,) or (trial, lag) ms.

    Returns:
        (trial, lag, …) float64.

    Raises:
        ValueError: for unequal lengths, fewer than 2 samples or a non-uniform time axis.

    Example:
        >>> time = np.array([10.0, 30.0, 50.0])
        >>> align(np.array([[0.0, 1.0, 2.0]]), time, np.array([20.0]), np.array([0.0, 20.0]))
        array([[0.5, 1.5]])
    """
    activity = np.asarray(activity)
    time = checks.vector("time", checks.finite("time", time))
    onset = checks.vector("onset", np.asarray(onset, dtype=np.float64))
    checks.same_length(activity=activity, onset=onset)
    if activity.ndim < 2 or activity.shape[1] != time.size:
        raise ValueError(f"activity: shape {activity.shape}; expected (trial, {time.size} times, …).")
    if time.size < 2:
        raise ValueError(f"time: {time.size} samples; use at least 2.")
    dt = (time[-1] - time[0]) / (time.size - 1)
    if not np.allclose(np.diff(time), dt, rtol=1e-6, atol=0):
        raise ValueError("time: samples are not uniformly spaced; resample first.")
    at = (onset[:, None] + np.broadcast_to(lag, (onset.size, np.shape(lag)[-1])) - time[0]) / dt
    inside = (at >= -0.5 - 1e-9) & (at <= time.size - 0.5 + 1e-9)
    low = np.clip(np.floor(np.where(inside, at, 0.0)), 0, time.size - 2).astype(int)
    weight = np.where(inside, at - low, np.nan)
    rows = np.arange(onset.size)[:, None]
    weight = weight.reshape(weight.shape + (1,) * (activity.ndim - 2))
    before, after = activity[rows, low], activity[rows, low + 1]
    return before * (1 - weight) + after * weight


def warp(
    activity: np.ndarray,
    time: np.ndarray,
    onset: np.ndarray,
    duration: np.ndarray,
    *,
    num_phases: int = NUM_PHASES,
) -> np.ndarray:
    """Activity of each trial between ``onset`` and ``onset + duration``, its time axis stretched to [0, 1].

    Args:
        activity: (trial, time, …). time: (time,) ms. onset, duration: (trial,) ms.
        num_phases: number of equal bins of [0, 1] at whose midpoints activity is read.

    Returns:
        (trial, phase, …) float64, NaN where the interval runs past the recording.

    Raises:
        ValueError: as :func:`align`; for a duration that is not positive.

    Example:
        >>> time = np.arange(5.0, 200.0, 10.0)
        >>> ramp = np.stack([time / 100, time / 200])
        >>> warp(ramp, time, np.zeros(2), np.array([100.0, 200.0]), num_phases=2)
        array([[0.25, 0.75],
               [0.25, 0.75]])
    """
    duration = checks.vector("duration", np.asarray(duration, dtype=np.float64))
    checks.same_length(onset=np.asarray(onset), duration=duration)
    if (duration <= 0).any():
        raise ValueError(f"duration: found {duration.min():g} ms; durations are positive.")
    return align(activity, time, onset, duration[:, None] * phases(num_phases))


def group_means(
    values: np.ndarray, index: np.ndarray, num_groups: int, *, complete: bool = False
) -> np.ndarray:
    """Mean over the trials (axis 0) of each group, (group, …), leaving NaN entries out.

    With ``complete`` the mean is NaN where any trial of the group is, so that a trace does not jump as
    trials of different length drop out.

    Example:
        >>> group_means(np.array([[1.0], [3.0], [np.nan]]), np.array([0, 0, 0]), 1)
        array([[2.]])
    """
    total = np.full((num_groups, *values.shape[1:]), np.nan)
    for group in range(num_groups):
        member = values[index == group]
        there = np.isfinite(member)
        count = there.sum(0)
        mean = np.where(there, member, 0.0).sum(0) / np.maximum(count, 1)
        total[group] = np.where(count >= max(1, len(member) if complete else 1), mean, np.nan)
    return total
