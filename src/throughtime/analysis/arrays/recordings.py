"""Recorded spikes as rates, with trials and units that are missing."""

from __future__ import annotations

import numpy as np

from throughtime.analysis.arrays import checks

TRUNCATE = 4.0
"""Standard deviations after which the smoothing kernel ends."""


def bin_centres(duration: float, dt: float, start: float = 0.0) -> np.ndarray:
    """Centres of the bins of ``dt`` that fit into ``duration``, ms.

    Raises:
        ValueError: for a bin that is not positive or longer than the duration.

    Example:
        >>> bin_centres(100.0, 20.0).tolist()
        [10.0, 30.0, 50.0, 70.0, 90.0]
    """
    if not 0 < dt <= duration:
        raise ValueError(f"dt: {dt:g} ms for {duration:g} ms; use bins above 0 and up to the duration.")
    return start + (np.arange(int(duration / dt + 1e-9)) + 0.5) * dt


def spike_counts(
    spike_time: np.ndarray,
    trial: np.ndarray,
    unit: np.ndarray,
    *,
    num_trials: int,
    num_units: int,
    duration: float,
    dt: float,
    start: float = 0.0,
) -> np.ndarray:
    """(trial, time, unit) numbers of spikes in bins of ``dt``, the first of which begins at ``start``.

    A spike on the edge of two bins belongs to the later one.

    Args:
        spike_time: (spike,) ms. trial, unit: (spike,) position of each spike's trial and unit.
        duration, dt, start: of a trial, of a bin, and time at which the first bin begins, ms. A last bin that
            the duration does not fill is left out, with its spikes.

    Raises:
        ValueError: for unequal lengths, or spikes outside the trial, the trials or the units.

    Example:
        >>> counts = spike_counts(
        ...     [3.0, 10.0, 11.0], [0, 0, 1], [0, 0, 0], num_trials=2, num_units=1, duration=20.0, dt=10.0
        ... )
        >>> counts[..., 0].tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """
    when = checks.vector("spike_time", checks.finite("spike_time", spike_time))
    places = {"trial": (np.asarray(trial), num_trials), "unit": (np.asarray(unit), num_units)}
    checks.same_length(spike_time=when, trial=places["trial"][0], unit=places["unit"][0])
    for name, (place, number) in places.items():
        if place.size and (place.min() < 0 or place.max() >= number):
            raise ValueError(
                f"{name}: spikes of {name} {place.min()} to {place.max()}, there are {number}; "
                "declare them all."
            )
    outside = int(((when < start) | (when >= start + duration)).sum())
    if outside:
        raise ValueError(
            f"spike_time: {outside} of {when.size} spikes lie outside {start:g} to {start + duration:g} ms; "
            "give times from the start of the trial, drop these, or set start and duration."
        )
    num_bins = bin_centres(duration, dt).size
    at = np.floor((when - start) / dt + 1e-9).astype(int)
    full = at < num_bins
    counts = np.zeros((num_trials, num_bins, num_units))
    np.add.at(counts, (places["trial"][0][full], at[full], places["unit"][0][full]), 1)
    return counts


def rates_from_counts(
    counts: np.ndarray, dt: float, *, axis: int = 1, smoothing: float | None = None
) -> np.ndarray:
    """Rates in Hz from numbers of spikes in bins of ``dt`` ms, smoothed by a Gaussian if asked.

    The kernel is divided by the part of it that lies within what was recorded, so that a constant rate stays
    what it is at the edges and beside missing bins.

    Args:
        counts: bins on ``axis``; NaN where the unit was not recorded, which stays NaN.
        dt: ms. axis: axis of bins. smoothing: standard deviation of the Gaussian, ms.

    Raises:
        ValueError: for numbers that are not counts, or a negative standard deviation.

    Example:
        >>> rates_from_counts(np.array([[0.0, 1.0, 2.0]]), 20.0).tolist()
        [[0.0, 50.0, 100.0]]
    """
    counts = np.asarray(counts, dtype=np.float64)
    there = np.isfinite(counts)
    if (counts[there] < 0).any() or (counts[there] != np.round(counts[there])).any():
        raise ValueError(
            "counts: found numbers that are negative or not whole; pass numbers of spikes a bin (rates in "
            "Hz are ready to analyse as they are)."
        )
    if not dt > 0 or (smoothing is not None and not smoothing > 0):
        raise ValueError(f"dt {dt}, smoothing {smoothing}: use positive ms, or None not to smooth.")
    rates = 1000.0 * counts / dt
    if smoothing is None:
        return rates
    from scipy.ndimage import gaussian_filter1d

    def smooth(values: np.ndarray) -> np.ndarray:
        return gaussian_filter1d(values, smoothing / dt, axis=axis, mode="constant", truncate=TRUNCATE)

    weight = smooth(there.astype(np.float64))
    total = smooth(np.where(there, rates, 0.0))
    return np.where(there, total / np.where(there, weight, 1.0), np.nan)


def means_by_condition(
    activity: np.ndarray, condition: np.ndarray, num_conditions: int, *, min_trials: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Means over the trials of each condition in which a unit is there, and their numbers.

    Args:
        activity: (trial, time, unit), NaN where missing. condition: (trial,) codes, negative to leave out.
        min_trials: means of fewer trials are NaN.

    Returns:
        (condition, time, unit) means and (condition, unit) numbers of trials with any value.

    Example:
        >>> activity = np.array([[[1.0, 2.0]], [[3.0, np.nan]], [[9.0, 9.0]]])
        >>> mean, count = means_by_condition(activity, np.array([0, 0, 1]), 2)
        >>> mean[:, 0].tolist(), count.tolist()
        ([[2.0, 2.0], [9.0, 9.0]], [[2, 1], [1, 1]])
    """
    mean = np.full((num_conditions, *activity.shape[1:]), np.nan)
    count = np.zeros((num_conditions, activity.shape[-1]), int)
    for code in range(num_conditions):
        member = activity[condition == code]
        there = np.isfinite(member)
        num = there.sum(0)
        total = np.where(there, member, 0.0).sum(0)
        mean[code] = np.where(num >= max(min_trials, 1), total / np.maximum(num, 1), np.nan)
        count[code] = there.any(1).sum(0)
    return mean, count


def equal_numbers(condition: np.ndarray, seed: int, *, num_trials: int | None = None) -> np.ndarray:
    """Positions of the same number of trials of each condition, drawn without replacement, in their order.

    Args:
        condition: (trial,) codes, negative for trials that cannot be drawn.
        num_trials: of each condition; those of the rarest if not given.

    Raises:
        ValueError: without trials, or where a condition has fewer than asked.

    Example:
        >>> equal_numbers(np.array([0, 1, 1, -1, 1, 0]), seed=0).size
        4
    """
    codes, counts = np.unique(condition[condition >= 0], return_counts=True)
    if not codes.size:
        raise ValueError("condition: no trial has one; nothing can be drawn.")
    number = int(counts.min()) if num_trials is None else num_trials
    if not 1 <= number <= counts.min():
        raise ValueError(
            f"num_trials: {number}, condition {codes[counts.argmin()]} has {counts.min()} trials; use 1 to "
            f"{counts.min()}, or leave out conditions with few trials."
        )
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(np.flatnonzero(condition == code), number, replace=False) for code in codes]
    return np.sort(np.concatenate(drawn))
