"""Patterns in time at several speeds: are they stretched as asked, and how does their precision change?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, assign, bin_edges, level_means, level_sums
from throughtime.analysis.arrays.regression import line

MIN_SPEEDS, MIN_TRIALS = 2, 2


class TemporalScaling(NamedTuple):
    """Patterns of ``P`` peaks at ``L`` speeds; 1 unless stated.

    Attributes:
        speed: (L,) asked for. target: (L,) scale asked for, the mean of 1/speed.
        mean, sd: (L,) mean and SD (n − 1) of the scale.
        error: (L,) relative error of the mean scale.
        time, time_sd: (L, P) mean and SD (n − 1) of the time of each peak, ms.
        weber: (L,) slope of the SD of peak times on the mean time, least squares over peaks.
        cvs: (L,) mean over peaks of SD over mean time.
        num_trials: (L,) trials. missing: (L,) fraction without a scale.
        slope, intercept: least squares of the scale on the one asked for, over trials.
        worst_error: largest size of ``error`` over speeds.
        weber_slope, cv: means of ``weber`` and ``cvs`` over speeds.
        cv_slope: change of ``cvs`` as the speed doubles, least squares over speeds; negative where faster
            patterns are more precise.
        fraction_missing: of all trials.
    """

    speed: np.ndarray
    target: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    error: np.ndarray
    time: np.ndarray
    time_sd: np.ndarray
    weber: np.ndarray
    cvs: np.ndarray
    num_trials: np.ndarray
    missing: np.ndarray
    slope: float
    intercept: float
    worst_error: float
    weber_slope: float
    cv: float
    cv_slope: float
    fraction_missing: float


def temporal_scaling(speed: np.ndarray, scale: np.ndarray, peaks: np.ndarray) -> TemporalScaling:
    """Scale against speed, SD of peak times against time, and their ratio against speed.

    The times of the peaks of one speed have an SD that grows in proportion to time where Weber's law holds;
    ``weber`` is the factor without, ``cvs`` with an SD that is there at time 0 already. Where the speed
    changes the factor (the Weber-speed effect; Hardy et al. 2018, Nature Communications), ``cv_slope`` is not
    0.

    Args:
        speed: (trial,) speed asked for, in units of that of the pattern at scale 1.
        scale: (trial,) scale of the pattern that was produced; NaN where there was none.
        peaks: (trial, peak) times of its peaks, ms; NaN where one could not be told.

    Raises:
        ValueError: for fewer than 2 speeds, or fewer than 2 with 2 trials that have a scale, speeds that are
            not finite and positive, infinite values, unequal lengths, peaks without a second axis.

    Example:
        >>> asked = np.repeat([0.5, 1.0], 2)
        >>> off = np.tile([-0.1, 0.1], 2)
        >>> made = (1 + off) / asked
        >>> found = temporal_scaling(asked, made, made[:, None] * np.array([100.0, 200.0]))
        >>> round(found.slope, 6), found.time_sd.round(1).tolist(), found.weber.round(3).tolist()
        (1.0, [[28.3, 56.6], [14.1, 28.3]], [0.141, 0.141])
    """
    speed = checks.vector("speed", checks.finite("speed", speed))
    scale = checks.vector("scale", np.asarray(scale, dtype=np.float64))
    times = np.asarray(peaks, dtype=np.float64)
    if times.ndim != 2:
        raise ValueError(f"peaks: expected (trial, peak), got shape {times.shape}; stack one column a peak.")
    checks.same_length(speed=speed, scale=scale, peaks=times)
    for name, values in (("scale", scale), ("peaks", times)):
        if np.isinf(values).any():
            raise ValueError(f"{name}: {int(np.isinf(values).sum())} infinite values; mark missing ones NaN.")
    if speed.size and speed.min() <= 0:
        raise ValueError(f"speed: found {speed.min():g}; speeds are positive.")
    edges = bin_edges(speed, NUM_BINS) if speed.size else np.empty(0)
    answered = num_answered(speed, scale, edges)
    if answered < MIN_SPEEDS:
        raise ValueError(
            f"scale: {answered} speeds have {MIN_TRIALS} trials with a scale; a fit needs {MIN_SPEEDS}. "
            "Train longer or evaluate more trials."
        )
    return estimate(speed, scale, times, edges)


def num_answered(speed: np.ndarray, scale: np.ndarray, edges: np.ndarray) -> int:
    """Number of levels with enough trials that have a scale."""
    there = np.isfinite(scale)
    return int((np.bincount(assign(speed[there], edges), minlength=1) >= MIN_TRIALS).sum())


def estimate(speed: np.ndarray, scale: np.ndarray, peaks: np.ndarray, edges: np.ndarray) -> TemporalScaling:
    """:func:`temporal_scaling` without its refusals: NaN where the data do not determine a number."""
    levels, index = len(edges) + 1, assign(speed, edges)
    num_trials = np.bincount(index, minlength=levels)
    target = level_means(index, 1 / speed, levels)
    centre = level_means(index, speed, levels)
    there = np.isfinite(scale)
    mean, sd = _moments(index[there], scale[there], levels)
    columns = [
        _moments(index[use], column[use], levels)
        for column, use in zip(peaks.T, np.isfinite(peaks.T), strict=True)
    ]
    time, time_sd = (np.stack(rows, axis=1) for rows in zip(*columns, strict=True))

    weber = np.array([_slope(x, y) for x, y in zip(time, time_sd, strict=True)])
    with np.errstate(divide="ignore", invalid="ignore"):
        cvs = np.array([_mean(row) for row in time_sd / np.where(time > 0, time, np.nan)])
        missing = 1 - np.bincount(index[there], minlength=levels) / np.where(
            num_trials > 0, num_trials, np.nan
        )
        error = mean / target - 1
    law = line(1 / speed[there], scale[there])
    sizes = np.abs(error[np.isfinite(error)])
    return TemporalScaling(
        speed=centre,
        target=target,
        mean=mean,
        sd=sd,
        error=error,
        time=time,
        time_sd=time_sd,
        weber=weber,
        cvs=cvs,
        num_trials=num_trials,
        missing=missing,
        slope=law.slope,
        intercept=law.intercept,
        worst_error=float(sizes.max()) if sizes.size else np.nan,
        weber_slope=_mean(weber),
        cv=_mean(cvs),
        cv_slope=_slope(np.log2(centre), cvs),
        fraction_missing=float(1 - there.mean()) if there.size else np.nan,
    )


def _moments(index: np.ndarray, values: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD (n − 1) at each level."""
    count = np.bincount(index, minlength=levels)
    mean = level_means(index, values, levels)
    squares = level_sums(index, (values - mean[index]) ** 2, levels)
    return mean, np.sqrt(squares / np.where(count >= MIN_TRIALS, count - 1, np.nan))


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    use = np.isfinite(x) & np.isfinite(y)
    return float(line(x[use], y[use]).slope)


def _mean(values: np.ndarray) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else np.nan
