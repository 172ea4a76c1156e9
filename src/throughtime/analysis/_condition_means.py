"""Unequal numbers of trials and missing units: averages, equal draws, complete data."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._carry import carried
from throughtime.analysis._labels import coded
from throughtime.analysis._named import Field, apply
from throughtime.analysis._recordings import name_of
from throughtime.analysis.arrays import recordings as arrays


def condition_means(rates: xr.DataArray, condition: xr.DataArray, *, min_trials: int = 1) -> xr.Dataset:
    """Rates averaged over the trials of each condition that a unit has, whatever their number.

    Args:
        rates: (…, trial, time, unit), NaN where missing.
        condition: (…, trial) integer codes, negative to leave a trial out; or other numbers, NaN to leave it
            out; or text.
        min_trials: means of fewer trials are NaN.

    Returns:
        Dataset: ``rates`` (…, condition, time, unit) and ``num_trials`` (…, condition, unit). Numbers that
        are not codes become a coordinate over ``condition``, under their name.

    Raises:
        ValueError: without trials, or without a condition.

    Example:
        >>> rates = xr.DataArray([[[1.0]], [[3.0]], [[9.0]]], dims=("trial", "time", "unit"))
        >>> coherence = xr.DataArray([-0.1, -0.1, 0.1], dims="trial", name="coherence")
        >>> found = condition_means(rates, coherence)
        >>> found.rates[:, 0, 0].values.tolist(), found.coherence.values.tolist()
        ([2.0, 9.0], [-0.1, 0.1])
    """
    for name, array in (("rates", rates), ("condition", condition)):
        if "trial" not in array.dims:
            raise ValueError(f"{name}: dims {array.dims}; expected a dim trial.")
    codes, label = condition_codes(condition)
    number = label.sizes["condition"]

    def one(activity: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return arrays.means_by_condition(activity, code, number, min_trials=min_trials)

    fields = {
        "rates": Field(("condition", "time", "unit"), str(rates.attrs.get("units", "1")), "mean rate"),
        "num_trials": Field(("condition", "unit"), "1", "trials"),
    }
    bare = rates.drop_vars([name for name in rates.coords if "trial" in rates[name].dims])
    dataset = apply(
        one, (bare, codes), [("trial", "time", "unit"), ("trial",)], fields,
        method="condition_means", parameters={"min_trials": min_trials},
    )  # fmt: skip
    return carried(dataset.drop_vars("condition").assign_coords(label.coords), bare)


def equal_trials(
    rates: xr.DataArray, condition: xr.DataArray, *, random_seed: int, num_trials: int | None = None
) -> xr.DataArray:
    """The same number of trials of each condition, drawn without replacement.

    Trials in which no unit was recorded are never drawn; for trials with all units, call :func:`complete`
    first.

    Args:
        rates: (trial, …). condition: (trial,), as in :func:`condition_means`.
        num_trials: of each condition; those of the rarest if not given.

    Returns:
        ``rates`` of the trials drawn, with the condition as a coordinate, under its name.

    Raises:
        ValueError: for conditions that differ between seeds, or with fewer trials than asked.

    Example:
        >>> rates = xr.DataArray(np.zeros((5, 2, 1)), dims=("trial", "time", "unit"))
        >>> side = xr.DataArray([0, 0, 1, 1, 1], dims="trial", name="side")
        >>> equal_trials(rates, side, random_seed=0).side.values.tolist()
        [0, 0, 1, 1]
    """
    if condition.dims != ("trial",) or "trial" not in rates.dims:
        raise ValueError(
            f"rates, condition: dims {rates.dims} and {condition.dims}; expected (trial, …) and (trial,): "
            "select one seed at a time."
        )
    there = rates.notnull().any([dim for dim in rates.dims if dim != "trial"])
    codes = np.where(there.values, condition_codes(condition)[0].values, -1)
    drawn = arrays.equal_numbers(codes, random_seed, num_trials=num_trials)
    name = name_of(condition)
    label = coded(condition.reset_coords(drop=True).rename(name))
    return rates.assign_coords({name: label}).isel(trial=drawn)


def complete(rates: xr.DataArray, *, drop: str = "unit") -> xr.DataArray:
    """``rates`` without NaN, for analyses that need every unit in every trial.

    Units that were never there, and trials without any unit, are left out first.

    Args:
        rates: (trial or condition, time, unit).
        drop: ``"unit"`` drops the units that are missing from some trial, ``"trial"`` the trials (or
            conditions) from which some unit is missing.

    Raises:
        ValueError: where nothing is left; for times that are missing, as after trials that end early.

    Example:
        >>> rates = xr.DataArray([[[1.0, np.nan]], [[1.0, 2.0]]], dims=("trial", "time", "unit"))
        >>> complete(rates).sizes["unit"], complete(rates, drop="trial").sizes["trial"]
        (1, 1)
    """
    if drop not in ("unit", "trial"):
        raise ValueError(f"drop: unknown {drop!r}; use 'unit' or 'trial'.")
    row = "trial" if "trial" in rates.dims else "condition"
    if set(rates.dims) != {row, "time", "unit"}:
        raise ValueError(
            f"rates: dims {rates.dims}; expected (trial or condition, time, unit): select one seed at a time."
        )
    known = rates.notnull()
    held = known.any("time")
    gaps = int((held & ~known.all("time")).sum())
    if gaps:
        raise ValueError(
            f"rates: {gaps} of {held.size} records have times that are missing, as after trials that end "
            "early; cut to the times that all have, for instance by align(rates, onset, lag)."
        )
    present = held.transpose(row, "unit").values
    rows, units = np.flatnonzero(present.any(1)), np.flatnonzero(present.any(0))
    rest = present[np.ix_(rows, units)]
    if drop == "unit":
        units = units[rest.all(0)]
    else:
        rows = rows[rest.all(1)]
    if not rows.size or not units.size:
        raise ValueError(
            f"drop: no {drop} is complete; drop the other way, or average: condition_means(rates, condition)."
        )
    return rates.isel({row: rows, "unit": units})


def condition_codes(condition: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Codes from 0 of the conditions of trials, −1 for none; the conditions (condition,) with their labels.

    Example:
        >>> codes, label = condition_codes(xr.DataArray([0.5, np.nan, -0.5], dims="trial", name="side"))
        >>> codes.values.tolist(), label.side.values.tolist()
        ([1, -1, 0], [-0.5, 0.5])
    """
    named = coded(condition)
    values = np.asarray(named.values)
    whole = values.dtype.kind in "iub"
    used = values[values >= 0] if whole else values[np.isfinite(values)]
    found, index = np.unique(used, return_inverse=True)
    if not found.size:
        raise ValueError("condition: no trial has one; codes are not negative, other numbers are finite.")
    codes = np.full(values.shape, -1)
    codes[(values >= 0) if whole else np.isfinite(values)] = index.ravel()
    flags = {name: named.attrs[name] for name in ("flag_values", "flag_meanings") if name in named.attrs}
    attrs = {"units": "1", "long_name": str(condition.attrs.get("long_name", condition.name or "condition"))}
    label = xr.DataArray(
        np.zeros(found.size), dims="condition",
        coords={"condition": ("condition", found if whole else np.arange(found.size), attrs | flags)},
    )  # fmt: skip
    if not whole:
        units = str(condition.attrs.get("units", "1"))
        label = label.assign_coords({name_of(condition): ("condition", found, attrs | {"units": units})})
    return named.copy(data=codes), label
