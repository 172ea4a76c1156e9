"""Memory capacity of datasets; see :mod:`throughtime.analysis.arrays.memory_capacity`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import Attempts, blank
from throughtime.analysis._named import Field, apply
from throughtime.analysis._spacing import spacing
from throughtime.analysis._steps import coordinates
from throughtime.analysis.arrays import memory_capacity as arrays

FIELDS = {
    "r2": Field(("lag",), "1", "share of the input recalled"),
    "capacity": Field((), "1", "memory capacity"),
    "bound": Field((), "1", "largest capacity possible, the number of units"),
    "fit_status": Field((), "1", "how the computation ended"),
}


def memory_capacity(
    inputs: xr.DataArray,
    rates: xr.DataArray,
    *,
    dt: float | None = None,
    ridge: float = 1e-8,
    max_lag: int | None = None,
    burn_in: int = 0,
) -> xr.Dataset:
    """Linear memory of a white input, for each element of the other dims (seeds, trials).

    See :func:`throughtime.analysis.arrays.memory_capacity.memory_capacity`.

    Args:
        inputs: (…, time) or (…, time, input) of one input: independent numbers, one a step.
        rates: (…, time, unit) after the step in which the input of the same bin came, as circuits record it.
        dt: step, ms; the spacing of the coordinate ``time`` of ``rates`` if not given.
        ridge, max_lag, burn_in: see the array function; the last two in steps.

    Returns:
        Dataset: ``r2`` (…, lag), ``capacity, bound, fit_status`` (…). Lags are in ms from the beginning of
        the bin of the input to the state. A seed that the array function refuses is NaN, with the reason in
        the attribute ``refusal``.

    Raises:
        ValueError: as the array function, if no seed can be computed, or without the dims above.

    Example:
        >>> u = xr.DataArray(np.random.default_rng(0).standard_normal(2000), dims="time")
        >>> line = xr.concat([u, u.roll(time=1)], dim="unit").transpose("time", "unit")
        >>> found = memory_capacity(u, line, dt=20.0)
        >>> found.r2.values.round(2), found["lag"].values
        (array([1., 1., 0., 0.]), array([20., 40., 60., 80.]))
    """
    if not {"time", "unit"} <= set(rates.dims):
        raise ValueError(f"rates: dims {rates.dims}; expected (…, time, unit).")
    if "input" in inputs.dims:
        if inputs.sizes["input"] != 1:
            raise ValueError(f"inputs: {inputs.sizes['input']} inputs; select one, and drive with it alone.")
        inputs = inputs.isel(input=0, drop=True)
    step = spacing(rates, "time", "rates") if dt is None else dt
    lags = 2 * rates.sizes["unit"] if max_lag is None else max_lag

    def one(drive: np.ndarray, activity: np.ndarray) -> tuple[object, ...]:
        found = arrays.memory_capacity(drive, activity, ridge=ridge, max_lag=max_lag, burn_in=burn_in)
        return found.r2, found.capacity, found.bound

    attempts = Attempts(one, blank(FIELDS, {"lag": lags}, {"bound": rates.sizes["unit"]})[:-1])
    dataset = apply(
        attempts,
        (inputs.drop_vars("time", errors="ignore"), rates.drop_vars("time", errors="ignore")),
        [("time",), ("time", "unit")],
        FIELDS,
        method="memory_capacity",
        parameters={"dt": float(step), "ridge": ridge, "max_lag": lags, "burn_in": burn_in},
    )
    dataset["fit_status"] = dataset["fit_status"].astype(np.int8)
    dataset["fit_status"].attrs |= {"flag_values": [0, 1], "flag_meanings": "computed refused"}
    lag = step * np.arange(1, lags + 1)
    dataset = dataset.assign_coords(lag=("lag", lag, {"units": "ms", "long_name": "time since the input"}))
    return coordinates(attempts.told(dataset), rates, inputs)
