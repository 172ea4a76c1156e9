"""Sequentiality: do units peak one after the other, and only then?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks

MIN_BINS = 4
FLOOR = 1e-3


class Sequentiality(NamedTuple):
    """How sequential the activity of ``N`` units is.

    Attributes:
        sequentiality: entropy + mean of ``log_ratio`` over units that are active.
        entropy: of the distribution of peak times over bins, nats; log(bins) when peaks tile the time, 0 when
            all fall into one bin or no unit has a peak.
        log_ratio: (N,) log of the ridge-to-background ratio; 0 for constant rates, NaN for units left out.
        peak_time: (N,) time of the highest rate, ms; NaN for constant rates and units left out.
        peak_share: (bin,) share of the peaks in each bin. bin_centre: (bin,) its time, ms.
        num_units: units that are active.
    """

    sequentiality: float
    entropy: float
    log_ratio: np.ndarray
    peak_time: np.ndarray
    peak_share: np.ndarray
    bin_centre: np.ndarray
    num_units: int


def sequentiality(
    activity: np.ndarray,
    time: np.ndarray,
    *,
    axis: int = -1,
    num_bins: int = 20,
    min_rate: float = 0.0,
) -> Sequentiality:
    """Entropy of peak times plus the mean log of how far activity stands out around the peak.

    With p_k the share of units whose peak lies in the k-th of ``num_bins`` equal bins of the time covered,
    and for unit i the ratio R_i of its mean rate within one bin width of its peak to its mean rate at all
    other times,

        sequentiality = −Σ_k p_k log p_k + mean_i log R_i.

    A burst of all units at once has a large ratio and no entropy, ramps have entropy 0 and small ratios,
    unrelated noise has entropy and no ratio. A background below ``FLOOR`` (one thousandth) of the unit's
    peak counts as that much, so that ratios stay finite. The number depends on the bins: compare circuits at
    the same ones. Operational definition, after Orhan and Ma 2019, Nature Neuroscience, whose released
    program adds a tenth of a count to each bin and takes a window of a fixed number of steps.

    Args:
        activity: rates, not negative, averaged over trials; units on ``axis``, times on the other.
        time: (time,) ms, uniformly spaced.
        axis: axis of units.
        num_bins: bins of the distribution of peaks.
        min_rate: units whose mean rate is not above it are left out (silent units always are).

    Raises:
        ValueError: for rates that are negative or not finite, lengths that differ, times that are not uniform
            or fewer than bins, fewer than 4 bins, or no active unit.

    Example:
        >>> time = np.arange(0.5, 200.0)
        >>> bumps = np.exp(-(((time[:, None] - np.arange(5.0, 200.0, 10.0)) / 8) ** 2))
        >>> found = sequentiality(bumps, time)
        >>> round(found.entropy, 4), float(np.log(20).round(4)), float(found.peak_time[3])
        (2.9957, 2.9957, 34.5)
    """
    rates = checks.finite(
        "activity", activity, "average over trials, and drop units that are missing, before the call"
    )
    time = checks.vector("time", checks.finite("time", time))
    if rates.ndim != 2 or not rates.size:
        raise ValueError(f"activity: shape {rates.shape}; expected units and times, averaged over trials.")
    rates = np.moveaxis(rates, axis, -1)
    checks.same_length(activity=rates, time=time)
    if num_bins < MIN_BINS:
        raise ValueError(f"num_bins: {num_bins}; use at least {MIN_BINS}, so that there is a background.")
    if time.size < num_bins:
        raise ValueError(f"num_bins: {num_bins} for {time.size} times; use at most one bin a time.")
    step = np.diff(time)
    if not np.allclose(step, step[0], rtol=1e-6, atol=0) or step[0] <= 0:
        raise ValueError("time: samples are not uniformly spaced; resample first.")
    if rates.min() < 0:
        raise ValueError(
            f"activity: rates down to {rates.min():g}; ratios need rates that are not negative: "
            "take a circuit with such rates, or the rates above each unit's minimum."
        )
    active = rates.mean(0) > max(min_rate, 0.0)
    if not active.any():
        raise ValueError(f"activity: no unit has a mean rate above {max(min_rate, 0.0):g}; lower min_rate.")

    start, stop = time[0] - step[0] / 2, time[-1] + step[0] / 2
    edges = np.linspace(start, stop, num_bins + 1)
    peaked = active & (np.ptp(rates, axis=0) > 1e-12 * rates.max(0))
    at = rates.argmax(0)
    width = (stop - start) / num_bins
    near = np.abs(time[:, None] - time[at]) <= width + 1e-9 * width
    ridge = _mean_where(rates, near)
    background = np.maximum(_mean_where(rates, ~near), FLOOR * rates.max(0))
    log_ratio = np.where(active, 0.0, np.nan)
    log_ratio[peaked] = np.log(ridge[peaked] / background[peaked])
    counts = np.histogram(time[at][peaked], edges)[0]
    share = counts / max(counts.sum(), 1)
    entropy = float(-(share[share > 0] * np.log(share[share > 0])).sum())
    return Sequentiality(
        sequentiality=entropy + float(log_ratio[active].mean()),
        entropy=abs(entropy),
        log_ratio=log_ratio,
        peak_time=np.where(peaked, time[at], np.nan),
        peak_share=share,
        bin_centre=(edges[:-1] + edges[1:]) / 2,
        num_units=int(active.sum()),
    )


def _mean_where(rates: np.ndarray, where: np.ndarray) -> np.ndarray:
    return (rates * where).sum(0) / where.sum(0)
