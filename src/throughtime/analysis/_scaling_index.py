"""Temporal scaling of datasets; see :mod:`throughtime.analysis.arrays.scaling_index`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import FLAGS, STATUS
from throughtime.analysis._by_trial import in_units
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import scaling_index as arrays
from throughtime.analysis.arrays.warp import NUM_PHASES

FIELDS = {
    "scaling_index": Field(("component",), "1", "scaling index"),
    "axis": Field(("component", "unit"), "1", "loading of each unit"),
    "population": Field((), "1", "scaling index of the population"),
    "unit_scaling_index": Field(("unit",), "1", "scaling index of each unit"),
    "population_unwarped": Field((), "1", "same in absolute time, population"),
    "unit_unwarped": Field(("unit",), "1", "same in absolute time, each unit"),
    "fit_status": STATUS,
}


def scaling_index(
    rates: xr.DataArray,
    onset: xr.DataArray,
    duration: xr.DataArray,
    *,
    condition: xr.DataArray | None = None,
    num_phases: int = NUM_PHASES,
    variance: float = 0.999,
) -> xr.Dataset:
    """Scaling index of components, units and population, with its null in absolute time, seed by seed.

    See :func:`throughtime.analysis.arrays.scaling_index.scaling_index`. Trials without onset, duration or
    (where it is negative) condition are left out, and so are units that are NaN throughout. A seed the array
    function refuses (too few responses, no variance, a diverged circuit) is NaN with ``fit_status`` 1; the
    first refusal is the attribute ``refusal``.

    Args:
        rates: (…, trial, time, unit). onset, duration: (…, trial) ms.
        condition: (…, trial) integer group. num_phases, variance: see the array function.

    Returns:
        Dataset: ``scaling_index`` (…, component), ``axis`` (…, component, unit), ``unit_scaling_index,
        unit_unwarped`` (…, unit), ``population, population_unwarped, fit_status`` (…). Components beyond
        those found are NaN.

    Example:
        >>> time = xr.DataArray(np.arange(0.5, 200.0), dims="time")
        >>> length = xr.DataArray([100.0, 200.0], dims="trial")
        >>> rates = np.sin(time / length).expand_dims("unit").transpose("trial", "time", "unit")
        >>> float(scaling_index(rates.assign_coords(time=time), 0 * length, length).population.round(4))
        1.0
    """
    num_units = rates.sizes["unit"]
    each = xr.DataArray(np.arange(duration.sizes["trial"]), dims="trial")
    group = each if condition is None else condition
    refusals: list[ValueError] = []

    def one(
        activity: np.ndarray, time: np.ndarray, begin: np.ndarray, length: np.ndarray, label: np.ndarray
    ) -> tuple[object, ...]:
        kept = np.asarray(label) >= 0
        activity = activity[kept]
        there = ~np.isnan(activity).all((0, 1))
        try:
            result = arrays.scaling_index(
                activity[..., there], time, begin[kept], length[kept], label[kept],
                num_phases=num_phases, variance=variance,
            )  # fmt: skip
        except ValueError as refusal:
            refusals.append(refusal)
            blank, units = np.full((num_units, num_units), np.nan), np.full(num_units, np.nan)
            return units, blank, np.nan, units, np.nan, units, 1
        index, axis = np.full(num_units, np.nan), np.full((num_units, num_units), np.nan)
        index[: result.scaling_index.size] = result.scaling_index
        axis[: len(result.axis)] = in_units(result.axis, there)
        of_units, null = (in_units(each, there) for each in (result.unit_scaling_index, result.unit_unwarped))
        return index, axis, result.population, of_units, result.population_unwarped, null, 0

    dataset = apply(
        one,
        (rates, rates["time"], onset, duration, group),
        [("trial", "time", "unit"), ("time",), ("trial",), ("trial",), ("trial",)],
        FIELDS,
        method="scaling_index",
        parameters={"num_phases": num_phases, "variance": variance},
    )
    dataset["fit_status"].attrs |= FLAGS
    if refusals:
        dataset.attrs["refusal"] = str(refusals[0])
    if "unit" in rates.coords:
        dataset = dataset.assign_coords(unit=rates["unit"])
    return dataset
