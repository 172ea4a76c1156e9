"""Targeted dimensionality reduction of datasets; see :mod:`throughtime.analysis.arrays.tdr`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._by_trial import combinations, in_units, per_trial, stacked, takes_part, time_dim
from throughtime.analysis._carry import carried
from throughtime.analysis._condition_means import condition_codes
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import tdr as arrays


def tdr(
    rates: xr.DataArray,
    variables: Mapping[str, xr.DataArray],
    *,
    condition: xr.DataArray | None = None,
    where: xr.DataArray | None = None,
    num_components: int = arrays.NUM_COMPONENTS,
    standardize: bool = True,
) -> xr.Dataset:
    """One axis a task variable, and condition averages on these axes, for each element of other dims (seeds).

    See :func:`throughtime.analysis.arrays.tdr.tdr`. Trials without rates or with a NaN in a variable are left
    out, and so are units without rates. A seed that is refused among others is NaN with ``fit_status`` 1; the
    first refusal is the attribute ``refusal``.

    Args:
        rates: (…, trial, time or lag, unit), for instance aligned to an event.
        variables: name -> (…, trial) numbers, in the order in which axes are made orthogonal.
        condition: (…, trial) what is averaged over, as in :func:`throughtime.analysis.condition_means`; each
            combination of the variables if not given.
        where: (…, trial) booleans; False leaves a trial out.
        num_components, standardize: see the array function.

    Returns:
        Dataset: ``axis`` (…, parameter, unit), ``peak_time`` (…, parameter; ms), ``coefficient`` (…,
        parameter, time, unit), ``coefficient_norm`` (…, parameter, time), ``score`` (…, condition, time,
        parameter), ``value`` (…, condition, parameter), ``mean, scale`` (…, unit), ``components_kept,
        fit_status`` (…).

    Raises:
        ValueError: as the array function, if every element is refused; for dims that are not there.

    Example:
        >>> side = xr.DataArray([-1.0, 1.0, -1.0, 1.0], dims="trial")
        >>> found = tdr((side * xr.DataArray([3.0, 4.0], dims="unit")).expand_dims(time=2), {"side": side})
        >>> found.axis.values.round(3).tolist(), found.sizes["condition"]
        ([[0.707, 0.707]], 2)
    """
    dim = time_dim(rates)
    bare, design = per_trial(rates), stacked(variables)
    use = takes_part(bare, design, where=where)
    if condition is None:
        codes, label = combinations(design, use)
    else:
        codes, label = condition_codes(condition)
        codes = per_trial(codes)
        use = use & (codes >= 0)
    sizes = {str(name): size for each in (rates, design, label) for name, size in each.sizes.items()}
    units = str(rates.attrs.get("units", "1"))
    scaled = "1" if standardize else units
    fields = {
        "axis": Field(("parameter", "unit"), "1", "axis of the variable"),
        "peak_time": Field(("parameter",), "ms", "time at which the variable is strongest"),
        "coefficient": Field(("parameter", dim, "unit"), scaled, "regression coefficient"),
        "coefficient_norm": Field(("parameter", dim), scaled, "norm of the regression coefficients"),
        "score": Field(("condition", dim, "parameter"), scaled, "activity on the axis"),
        "value": Field(("condition", "parameter"), "1", "mean of the variable"),
        "mean": Field(("unit",), units, "mean rate"),
        "scale": Field(("unit",), units, "rates were divided by this"),
        "components_kept": Field((), "1", "principal components kept"),
    }

    def one(activity: np.ndarray, x: np.ndarray, code: np.ndarray, time: np.ndarray, take: np.ndarray) -> Any:
        activity, x, code = activity[take], x[take], code[take]
        there = ~np.isnan(activity).all((0, 1))
        found = arrays.tdr(
            activity[..., there], x, condition=code, num_components=num_components, standardize=standardize
        )
        present = np.unique(code)
        score = np.full((sizes["condition"], sizes[dim], sizes["parameter"]), np.nan)
        value = np.full((sizes["condition"], sizes["parameter"]), np.nan)
        score[present], value[present] = found.score, found.value
        of_units = (
            in_units(each, there) for each in (found.axis, found.coefficient, found.mean, found.scale)
        )
        axis, coefficient, mean, scale = of_units
        return (
            axis, time[found.peak], coefficient, found.coefficient_norm, score, value, mean, scale,
            found.num_components,
        )  # fmt: skip

    attempts = Attempts(one, blank(fields, sizes, {"components_kept": 0}))
    dataset = apply(
        attempts,
        (bare, design, codes, bare[dim].astype(float), use),
        [("trial", dim, "unit"), ("trial", "parameter"), ("trial",), (dim,), ("trial",)],
        fields | {"fit_status": STATUS},
        method="tdr",
        parameters={"num_components": num_components, "standardize": int(standardize)},
    )  # fmt: skip
    dataset = attempts.told(dataset).drop_vars(["parameter", "condition"])
    return carried(dataset.assign_coords(label.coords).assign_coords(parameter=design["parameter"]), rates)
