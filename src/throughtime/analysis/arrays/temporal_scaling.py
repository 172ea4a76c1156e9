"""Patterns in time at several speeds: are they stretched as asked, and how does their precision change?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import level_means, level_sums
from throughtime.analysis.arrays.regression import Line, line

MIN_TRIALS = 2


class TemporalScaling(NamedTuple):
    """Patterns of ``P`` peaks at ``L`` speeds; 1 unless stated.

    Attributes:
        speed: (L,) asked for, increasing. inverse: (L,) scale asked for, 1/speed.
        mean_scale, scale_sd: (L,) mean and SD (n − 1) of the scale.
        time, sd: (L, P) mean and SD (n − 1) of the time of each peak, ms.
        weber_slopes, weber_intercepts (ms): (L,) SD = a + wt over the peaks of a speed, least squares.
        cvs: (L,) mean over peaks of SD over mean time.
        num_trials: (L,) trials. missing: (L,) fraction without a scale.
        slope: of the scale on the one asked for, least squares over trials.
        worst_error: largest relative error of a mean scale, over speeds.
        weber_slope, cv: means of ``weber_slopes`` and ``cvs`` over speeds.
        cv_slope: change of ``cvs`` as the speed doubles, least squares over speeds; negative where faster
            patterns are more precise.
        fraction_missing: of all trials.
    """

    speed: np.ndarray
    inverse: np.ndarray
    mean_scale: np.ndarray
    scale_sd: np.ndarray
    time: np.ndarray
    sd: np.ndarray
    weber_slopes: np.ndarray
    weber_intercepts: np.ndarray
    cvs: np.ndarray
    num_trials: np.ndarray
    missing: np.ndarray
    slope: float
    worst_error: float
    weber_slope: float
    cv: float
    cv_slope: float
    fraction_missing: float


def temporal_scaling(speed: np.ndarray, scale: np.ndarray, peaks: np.ndarray) -> TemporalScaling:
    """Scale against 1/speed, SD of peak times against time, and their ratio against speed.

    Where Weber's law holds, the SD of the peaks of one speed grows in proportion to their time: w is that
    slope, and the ratio of SD to time is the same number unless there is an SD at time 0 already. Where
    faster patterns are more precise (the Weber-speed effect; Hardy et al. 2018, Nature Communications), both
    fall with speed.

    Args:
        speed: (trial,) asked for, in units of that of the pattern at scale 1.
        scale: (trial,) of the pattern that was produced; NaN where there was none.
        peaks: (trial, peak) their times, ms; NaN where one could not be told.

    Raises:
        ValueError: for no speed at which 2 trials have a scale, speeds that are not finite and positive,
            infinite values, unequal lengths, peaks without a second axis.

    Example:
        >>> asked = np.repeat([0.5, 1.0], 2)
        >>> made = (1 + np.tile([-0.1, 0.1], 2)) / asked
        >>> found = temporal_scaling(asked, made, made[:, None] * np.array([100.0, 200.0]))
        >>> round(found.slope, 6), found.sd.round(1).tolist(), found.weber_slopes.round(3).tolist()
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
    if not answered(speed, scale):
        raise ValueError(
            f"scale: no speed has {MIN_TRIALS} trials with a scale. Train longer or evaluate more trials."
        )
    return estimate(speed, scale, times)


def answered(speed: np.ndarray, scale: np.ndarray) -> bool:
    """Whether any speed has enough trials with a scale."""
    counts = np.unique(speed[np.isfinite(scale)], return_counts=True)[1]
    return bool((counts >= MIN_TRIALS).any())


def estimate(
    speed: np.ndarray, scale: np.ndarray, peaks: np.ndarray, speeds: np.ndarray | None = None
) -> TemporalScaling:
    """:func:`temporal_scaling` without its refusals: NaN where the data do not determine a number.

    ``speeds`` are those to report, among them all that occur; by default those that occur.
    """
    speeds = np.unique(speed) if speeds is None else np.asarray(speeds)
    index, levels = np.searchsorted(speeds, speed), len(speeds)
    num_trials = np.bincount(index, minlength=levels)
    there = np.isfinite(scale)
    mean_scale, scale_sd, scaled = _moments(index[there], scale[there], levels)
    time, sd = np.full((2, levels, peaks.shape[1]), np.nan)
    for place, column in enumerate(peaks.T):
        use = np.isfinite(column)
        time[:, place], sd[:, place], _ = _moments(index[use], column[use], levels)

    laws = [_law(x, y) for x, y in zip(time, sd, strict=True)]
    ratios = sd / np.where(time > 0, time, np.nan)
    cvs = np.array([_mean(row) for row in ratios])
    weber_slopes = np.array([law.slope for law in laws])
    errors = np.abs(mean_scale * speeds - 1)
    return TemporalScaling(
        speed=speeds,
        inverse=1 / speeds,
        mean_scale=mean_scale,
        scale_sd=scale_sd,
        time=time,
        sd=sd,
        weber_slopes=weber_slopes,
        weber_intercepts=np.array([law.intercept for law in laws]),
        cvs=cvs,
        num_trials=num_trials,
        missing=1 - scaled / np.where(num_trials > 0, num_trials, np.nan),
        slope=line(1 / speed[there], scale[there]).slope,
        worst_error=float(np.nanmax(errors)) if np.isfinite(errors).any() else np.nan,
        weber_slope=_mean(weber_slopes),
        cv=_mean(cvs),
        cv_slope=_law(np.log2(speeds), cvs).slope,
        fraction_missing=float(1 - there.mean()) if there.size else np.nan,
    )


def _moments(index: np.ndarray, values: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, SD (n − 1) and number of values at each level."""
    count = np.bincount(index, minlength=levels)
    mean = level_means(index, values, levels)
    squares = level_sums(index, (values - mean[index]) ** 2, levels)
    return mean, np.sqrt(squares / np.where(count >= MIN_TRIALS, count - 1, np.nan)), count


def _law(x: np.ndarray, y: np.ndarray) -> Line:
    """Least-squares line through the finite points."""
    use = np.isfinite(x) & np.isfinite(y)
    return line(x[use], y[use])


def _mean(values: np.ndarray) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else np.nan
