"""Kinematics of datasets; see :mod:`throughtime.analysis.arrays.kinematics`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._carry import carried
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import kinematics as arrays


def kinematics(
    rates: xr.DataArray,
    *,
    reference: int | None = None,
    variance: float = 0.95,
    interpolate: bool = True,
) -> xr.Dataset:
    """Nearest states of conditions to those of a reference, for each element of the remaining dims (seeds).

    See :func:`throughtime.analysis.arrays.kinematics.kinematics`. Average over trials first: with
    :func:`throughtime.analysis.align` (``until`` ends a condition) or
    :func:`throughtime.analysis.condition_means`. A seed the array function refuses among others is NaN with
    ``fit_status`` 1; the first refusal is the attribute ``refusal``.

    Args:
        rates: (…, condition, time or lag, unit), conditions in order; a unit that is NaN throughout is left
            out.
        reference, variance, interpolate: see the array function.

    Returns:
        Dataset: ``nearest_time, distance`` (…, condition, time or lag), ``slope, intercept, relative_speed,
        num_times`` (…, condition), ``num_components, fit_status`` (…). The reference is the attribute
        ``reference``.

    Raises:
        ValueError: for the refusal of the array function, if every element is refused; for trials.

    Example:
        >>> time = np.arange(5.0, 400.0, 10.0)
        >>> course = np.stack([np.sin(time / 200), (time / 400) ** 2], -1)
        >>> both = np.stack([course, course + [0.0, 1.0]])
        >>> rates = xr.DataArray(both, dims=("condition", "time", "unit"), coords={"time": time})
        >>> kinematics(rates, reference=0).slope.dims
        ('condition',)
    """
    if "trial" in rates.dims or "condition" not in rates.dims:
        raise ValueError(
            f"rates: dims {rates.dims}; expected (…, condition, time, unit): average over the trials of each "
            "condition first, by condition_means(rates, condition) or align(rates, onset, lag, condition=…)."
        )
    axis = "lag" if "lag" in rates.dims else "time"
    shape = (rates.sizes["condition"], rates.sizes[axis])
    chosen = shape[0] // 2 if reference is None else reference

    def one(activity: np.ndarray, time: np.ndarray) -> tuple[object, ...]:
        there = ~np.isnan(activity).all((0, 1))
        found = arrays.kinematics(
            activity[..., there], time, reference=chosen, variance=variance, interpolate=interpolate
        )
        fitted = (found.slope, found.intercept, found.relative_speed, found.num_times)
        return found.nearest_time, found.distance, *fitted, found.num_components

    fields = {
        "nearest_time": Field(("condition", axis), "ms", "time of the nearest state"),
        "distance": Field(("condition", axis), str(rates.attrs.get("units", "1")), "distance from reference"),
        "slope": Field(("condition",), "1", "slope of nearest time"),
        "intercept": Field(("condition",), "ms", "intercept of nearest time"),
        "relative_speed": Field(("condition",), "1", "speed relative to the reference"),
        "num_times": Field(("condition",), "1", "times the slope was fitted to"),
        "num_components": Field((), "1", "principal components kept"),
    }
    options = {"reference": chosen, "variance": variance, "interpolate": int(interpolate)}
    sizes = {"condition": shape[0], axis: shape[1]}
    attempts = Attempts(one, blank(fields, sizes, {"num_times": 0, "num_components": 0}))
    dataset = apply(
        attempts, (rates, rates[axis]), [("condition", axis, "unit"), (axis,)],
        fields | {"fit_status": STATUS}, method="kinematics", parameters=options,
    )  # fmt: skip
    return carried(attempts.told(dataset), rates)
