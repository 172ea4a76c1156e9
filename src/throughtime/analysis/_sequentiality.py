"""Sequentiality of datasets; see :mod:`throughtime.analysis.arrays.sequentiality`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._carry import carried
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import sequentiality as arrays

# `lag` holds the bins of peak times: a second axis of time
FIELDS = {
    "sequentiality": Field((), "1", "sequentiality"),
    "entropy": Field((), "1", "entropy of peak times"),
    "mean_log_ratio": Field((), "1", "mean log ridge-to-background ratio"),
    "log_ratio": Field(("unit",), "1", "log ridge-to-background ratio"),
    "peak_time": Field(("unit",), "ms", "time of the peak"),
    "peak_share": Field(("lag",), "1", "share of peaks"),
    "num_units": Field((), "1", "active units"),
}


def sequentiality(rates: xr.DataArray, *, num_bins: int = 20, min_rate: float = 0.0) -> xr.Dataset:
    """Sequentiality for each element of the remaining dims (seeds, conditions).

    See :func:`throughtime.analysis.arrays.sequentiality.sequentiality`. Average over trials first, by
    :func:`throughtime.analysis.condition_means` where their numbers differ, and select the delay by
    ``rates.sel(time=slice(onset, offset))``. An element that the array function refuses among others (a
    diverged seed) is NaN with ``fit_status`` 1; the first refusal is the attribute ``refusal``.

    Args:
        rates: (…, time, unit), not negative; a unit that is NaN throughout is left out.
        num_bins, min_rate: see the array function.

    Returns:
        Dataset: ``sequentiality, entropy, mean_log_ratio, num_units, fit_status`` (…), ``log_ratio,
        peak_time`` (…, unit), ``peak_share`` (…, lag) with the centres of the bins as ``lag``; the ``rates``
        themselves, for the map of units in the order of their peaks.

    Raises:
        ValueError: for the refusal of the array function, if every element is refused; for trials.

    Example:
        >>> time = np.arange(0.5, 200.0)
        >>> bumps = np.exp(-(((time[:, None] - np.arange(5.0, 200.0, 10.0)) / 8) ** 2))
        >>> rates = xr.DataArray(bumps, dims=("time", "unit"), coords={"time": time})
        >>> float(sequentiality(rates).entropy.round(4)), float(np.log(20).round(4))
        (2.9957, 2.9957)
    """
    if "trial" in rates.dims:
        raise ValueError(
            "rates: has trials; average them first, rates.mean('trial') or condition_means(rates, condition)."
        )
    num_units = rates.sizes["unit"]

    def one(activity: np.ndarray, time: np.ndarray) -> tuple[object, ...]:
        there = ~np.isnan(activity).all(0)
        ratio, peak = np.full((2, num_units), np.nan)
        found = arrays.sequentiality(activity[:, there], time, num_bins=num_bins, min_rate=min_rate)
        ratio[there], peak[there] = found.log_ratio, found.peak_time
        mean = found.sequentiality - found.entropy
        return found.sequentiality, found.entropy, mean, ratio, peak, found.peak_share, found.num_units

    attempts = Attempts(one, blank(FIELDS, {"unit": num_units, "lag": num_bins}, {"num_units": 0}))
    dataset = apply(
        attempts,
        (rates, rates["time"]),
        [("time", "unit"), ("time",)],
        FIELDS | {"fit_status": STATUS},
        method="sequentiality",
        parameters={"num_bins": num_bins, "min_rate": min_rate, "floor": arrays.FLOOR},
    )
    dataset = attempts.told(dataset)
    time = rates["time"].values
    half = (time[1] - time[0]) / 2
    edges = np.linspace(time[0] - half, time[-1] + half, num_bins + 1)
    centre = xr.DataArray(
        (edges[:-1] + edges[1:]) / 2, dims="lag", attrs={"units": "ms", "long_name": "time of the peak"}
    )
    dataset = carried(dataset.assign_coords(lag=centre), rates)
    named = {"units": "1", "long_name": "rate"} | rates.attrs
    return dataset.assign(rates=rates.reset_coords(drop=True).assign_attrs(named))
