"""Selectivity of units in datasets; see :mod:`throughtime.analysis.arrays.selectivity`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._by_trial import in_units, named_codes, per_trial
from throughtime.analysis._carry import carried
from throughtime.analysis._condition_means import condition_codes
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import selectivity as arrays

ABSENT = -1
_TERMS = ("parameter", "unit")
FIELDS = {
    "f": Field(_TERMS, "1", "F statistic"),
    "p": Field(_TERMS, "1", "p value"),
    "p_adjusted": Field(_TERMS, "1", "p value adjusted over units"),
    "share": Field(_TERMS, "1", "share of the unit's variance"),
    "category": Field(("unit",), "1", "selectivity"),
    "class_share": Field(("option",), "1", "share of units"),
    "num_units": Field((), "1", "units"),
    "num_trials": Field((), "1", "trials"),
}


def selectivity(
    rates: xr.DataArray,
    factors: Mapping[str, xr.DataArray],
    *,
    where: xr.DataArray | None = None,
    alpha: float = arrays.ALPHA,
) -> xr.Dataset:
    """Class of each unit by two variables: none, pure, linear mixed or nonlinear mixed.

    See :func:`throughtime.analysis.arrays.selectivity.selectivity`; it is done for each element of the dims
    that are neither trials nor units: seeds, and times unless rates are averaged over a window. p values are
    adjusted over the units of one element. Trials without rates or without a level are left out, and so are
    units without rates (``category`` −1); draw equal numbers of trials with
    :func:`throughtime.analysis.equal_trials` where they differ. An element that is refused among others is
    NaN with ``fit_status`` 1; the first refusal is the attribute ``refusal``.

    Args:
        rates: (…, trial, unit).
        factors: two, name -> (…, trial) levels, as the conditions of
            :func:`throughtime.analysis.condition_means`.
        where: (…, trial) booleans; False leaves a trial out.
        alpha: see the array function.

    Returns:
        Dataset: ``f, p, p_adjusted, share`` (…, parameter, unit), one ``parameter`` a factor and one their
        interaction; ``category`` (…, unit); ``class_share`` (…, option), one ``option`` a class; ``num_units,
        num_trials, fit_status`` (…).

    Raises:
        ValueError: as the array function, if every element is refused; for other than two factors.

    Example:
        >>> side, rule = (xr.DataArray(np.array(x), dims="trial") for x in ([0, 0, 1, 1] * 2, [0, 1] * 4))
        >>> rates = xr.concat([1.0 * side, 1.0 * side * rule], dim="unit")
        >>> found = selectivity(rates, {"side": side, "rule": rule})
        >>> found.category.values, found.category.attrs["flag_meanings"]
        (array([1, 3]), 'absent none pure linear_mixed nonlinear_mixed')
    """
    lacking = {"trial", "unit"} - set(rates.dims)
    if lacking:
        raise ValueError(
            f"rates: dims {rates.dims} lack {', '.join(sorted(lacking))}; expected (…, trial, unit)."
        )
    if len(factors) != 2:
        raise ValueError(f"factors: {len(factors)}; give two, each under its name.")
    bare = per_trial(rates)
    codes = [per_trial(condition_codes(each)[0]) for each in factors.values()]
    if where is not None:
        codes[0] = codes[0].where(per_trial(where).astype(bool), -1).astype(int)

    def one(activity: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[Any, ...]:
        take = (first >= 0) & (second >= 0) & ~np.isnan(activity).all(1)
        activity = activity[take]
        there = ~np.isnan(activity).all(0)
        found = arrays.selectivity(activity[:, there], first[take], second[take], alpha=alpha)
        category = np.full(there.size, ABSENT)
        category[there] = found.category
        tables = (in_units(each, there) for each in found[:4])
        return *tables, category, found.class_share, int(there.sum()), int(take.sum())

    sizes = {"unit": bare.sizes["unit"], "parameter": 3, "option": len(arrays.CLASSES)}
    attempts = Attempts(one, blank(FIELDS, sizes, {"category": ABSENT, "num_units": 0, "num_trials": 0}))
    dataset = apply(
        attempts, (bare, *codes), [("trial", "unit"), ("trial",), ("trial",)],
        FIELDS | {"fit_status": STATUS}, method="selectivity", parameters={"alpha": alpha},
    )  # fmt: skip
    terms = [*factors, "×".join(factors)]
    dataset = attempts.told(dataset).assign_coords(
        parameter=named_codes("parameter", terms, "effect"),
        option=named_codes("option", arrays.CLASSES, "selectivity"),
    )
    dataset["category"] = dataset["category"].astype(int)
    dataset["category"].attrs |= {
        "flag_values": list(range(ABSENT, len(arrays.CLASSES))),
        "flag_meanings": " ".join(("absent", *arrays.CLASSES)),
    }
    return carried(dataset, rates)
