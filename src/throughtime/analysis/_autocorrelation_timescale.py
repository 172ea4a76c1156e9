"""Timescales of datasets; see :mod:`throughtime.analysis.arrays.autocorrelation_timescale`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import Attempts, blank
from throughtime.analysis._by_trial import time_dim
from throughtime.analysis._named import Field, apply
from throughtime.analysis._spacing import spacing
from throughtime.analysis._steps import coordinates
from throughtime.analysis.arrays import autocorrelation_timescale as arrays

FIELDS = {
    "tau": Field(("unit",), "ms", "autocorrelation timescale"),
    "amplitude": Field(("unit",), "1", "amplitude of the decay"),
    "offset": Field(("unit",), "1", "offset of the decay, relative to its amplitude"),
    "r2": Field(("unit",), "1", "share of variance that the fit explains"),
    "fit_status": Field(("unit",), "1", "how the fit ended"),
    "autocorrelation": Field(("unit", "lag"), "1", "autocorrelation"),
    "fitted": Field(("unit", "lag"), "1", "fitted autocorrelation"),
    "num_pairs": Field(("lag",), "1", "pairs of bins at this lag"),
    "num_trials": Field((), "1", "trials"),
}
REFUSED = len(arrays.STATUS)


def autocorrelation_timescale(
    rates: xr.DataArray,
    *,
    dt: float | None = None,
    min_lag: float | None = None,
    max_lag: float | None = None,
) -> xr.Dataset:
    """Time constant of each unit's autocorrelation across trials, for each element of the other dims (seeds).

    See :func:`throughtime.analysis.arrays.autocorrelation_timescale.autocorrelation_timescale`. Trials with a
    NaN anywhere take no part; select a window that lies within every trial first, of noisy trials alike: what
    is decided by the condition of a trial correlates as long as it lasts.

    Args:
        rates: (…, trial, time, unit), or with ``lag`` in place of ``time`` where rates are aligned.
        dt: length of a bin, ms; the spacing of the coordinate of time if not given.
        min_lag, max_lag: lags fitted, ms.

    Returns:
        Dataset: ``tau`` (…, unit) ms, ``amplitude, offset, r2, fit_status`` (…, unit), ``autocorrelation,
        fitted`` (…, unit, lag), ``num_pairs`` (…, lag), ``num_trials`` (…). A seed that the array function
        refuses is NaN, with the reason in the attribute ``refusal``.

    Raises:
        ValueError: as the array function, if no seed can be computed, or without the dims above.

    Example:
        >>> x = np.random.default_rng(0).standard_normal((200, 1, 1)).repeat(12, axis=1)
        >>> x *= np.exp(-np.arange(12) / 5.0)[:, None]  # one number a trial, scaled: correlation 1
        >>> x += 0.5 * np.random.default_rng(1).standard_normal(x.shape)
        >>> found = autocorrelation_timescale(xr.DataArray(x, dims=("trial", "time", "unit")), dt=10.0)
        >>> dict(found.sizes), found.tau.attrs["units"]
        ({'unit': 1, 'lag': 11}, 'ms')
    """
    dim = time_dim(rates)
    step = spacing(rates, dim, "rates") if dt is None else dt
    lag = arrays.lags_in_bins(rates.sizes[dim], step, min_lag, max_lag) * step

    def one(values: np.ndarray) -> tuple[object, ...]:
        kept = values[np.isfinite(values).all((1, 2))]
        found = arrays.autocorrelation_timescale(kept, dt=step, min_lag=min_lag, max_lag=max_lag)
        return (
            found.tau, found.amplitude, found.offset, found.r2, found.status, found.autocorrelation,
            found.fitted, found.num_pairs, len(kept),
        )  # fmt: skip

    sizes = {"unit": rates.sizes["unit"], "lag": len(lag)}
    fill = {"fit_status": REFUSED, "num_trials": 0, "num_pairs": 0}
    attempts = Attempts(one, blank(FIELDS, sizes, fill))
    named = rates if dim == "time" else rates.rename(lag="time")
    dataset = apply(
        lambda values: attempts(values)[:-1],
        (named,),
        [("trial", "time", "unit")],
        FIELDS,
        method="autocorrelation_timescale",
        parameters={"dt": float(step), "min_lag": min_lag, "max_lag": max_lag},
    )
    dataset["fit_status"] = dataset["fit_status"].astype(np.int8)
    dataset["fit_status"].attrs |= {
        "flag_values": list(range(REFUSED + 1)),
        "flag_meanings": " ".join((*arrays.STATUS, "refused")),
    }
    dataset = dataset.assign_coords(lag=("lag", lag, {"units": "ms", "long_name": "lag"}))
    return coordinates(attempts.told(dataset), named.drop_vars("time", errors="ignore"))
