"""Task variance of datasets; see :mod:`throughtime.analysis.arrays.task_variance`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._carry import carried
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import task_variance as arrays

OTHER = "other_task"


def task_variance(
    rates: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    random_seed: int = 0,
    valid: xr.DataArray | Mapping[str, xr.DataArray] | None = None,
    min_variance: float = arrays.MIN_VARIANCE,
    max_clusters: int = arrays.MAX_CLUSTERS,
    num_starts: int = arrays.NUM_STARTS,
    num_rotations: int = 10,
) -> xr.Dataset:
    """Variance of units in each task, clusters and contrasts, for each element of other dims (seeds).

    See :func:`throughtime.analysis.arrays.task_variance.task_variance`. Rates are those of a run without
    noise, with one trial a condition (rename ``trial`` to ``condition``), or averages over trials.
    A seed that is refused among others is NaN with ``fit_status`` 1; the first refusal is the attribute
    ``refusal``.

    Args:
        rates: name of a task -> (…, condition, time, unit), whose conditions and times may differ in number;
            or (…, task, condition, time, unit), NaN where there is nothing. A unit that is NaN
            throughout is left out.
        random_seed: of k-means and the rotations.
        valid: booleans without ``unit``, in the same form; False samples (fixation, padding) take no part.
        min_variance, max_clusters, num_starts, num_rotations: see the array function.

    Returns:
        Dataset: ``task_variance, normalized_task_variance`` (…, unit, task), ``cluster`` (…, unit),
        ``num_clusters, silhouette, fit_status`` (…), ``fractional_variance`` (…, unit, task, other_task),
        ``task_variance_rotated, fractional_variance_rotated, silhouette_rotated`` with a leading ``draw``.

    Raises:
        ValueError: as the array function, if every element is refused; for dims that are not there.

    Example:
        >>> swing = xr.DataArray([1.0, -1.0], dims="condition").expand_dims(time=3)
        >>> first = xr.concat([swing, 0 * swing], dim="unit")
        >>> found = task_variance({"go": first, "anti": first.isel(unit=[1, 0])})
        >>> found.fractional_variance.sel(task=0, other_task=1).values, found.task.attrs["flag_meanings"]
        (array([ 1., -1.]), 'go anti')
    """
    stacked = _stacked(rates)
    if valid is not None:
        mask = _stacked(valid)
        beyond = {str(dim): size for dim, size in mask.sizes.items() if stacked.sizes.get(dim) != size}
        if beyond:
            raise ValueError(f"valid: sizes {beyond} differ from those of rates, {dict(stacked.sizes)}.")
        stacked = stacked.where(mask.fillna(0).astype(bool))
    num_units = stacked.sizes["unit"]

    def one(activity: np.ndarray) -> tuple[object, ...]:
        there = ~np.isnan(activity).all((0, 1, 2))
        found = arrays.task_variance(
            activity[..., there], seed=random_seed, min_variance=min_variance, max_clusters=max_clusters,
            num_starts=num_starts, num_rotations=num_rotations,
        )  # fmt: skip
        cluster = np.full(num_units, arrays.UNASSIGNED)
        cluster[there] = found.cluster
        return (
            _at(found.task_variance, there, 0), _at(found.normalized, there, 0), cluster, found.num_clusters,
            found.silhouette, _at(found.fractional_variance, there, 0),
            _at(found.task_variance_rotated, there, 1), _at(found.fractional_variance_rotated, there, 1),
            found.silhouette_rotated,
        )  # fmt: skip

    fields = {
        "task_variance": Field(("unit", "task"), "1", "variance over conditions, squared rate"),
        "normalized_task_variance": Field(("unit", "task"), "1", "task variance over its maximum"),
        "cluster": Field(("unit",), "1", "cluster, -1 for units that do not vary"),
        "num_clusters": Field((), "1", "clusters"),
        "silhouette": Field((), "1", "silhouette of the clusters"),
        "fractional_variance": Field(("unit", "task", OTHER), "1", "fractional task variance"),
        "task_variance_rotated": Field(("draw", "unit", "task"), "1", "task variance of rotated units"),
        "fractional_variance_rotated": Field(
            ("draw", "unit", "task", OTHER), "1", "fractional task variance of rotated units"
        ),
        "silhouette_rotated": Field(("draw",), "1", "silhouette of the clusters of rotated units"),
    }
    options = {
        "random_seed": random_seed,
        "min_variance": min_variance,
        "max_clusters": max_clusters,
        "num_starts": num_starts,
        "num_rotations": num_rotations,
    }
    sizes = {
        "unit": num_units,
        "task": stacked.sizes["task"],
        OTHER: stacked.sizes["task"],
        "draw": num_rotations,
    }
    attempts = Attempts(one, blank(fields, sizes, {"cluster": arrays.UNASSIGNED, "num_clusters": 0}))
    dataset = apply(
        attempts, (stacked,), [("task", "condition", "time", "unit")], fields | {"fit_status": STATUS},
        method="task_variance", parameters=options,
    )  # fmt: skip
    dataset = attempts.told(dataset)
    names = stacked["task"] if "task" in stacked.coords else dataset["task"]
    dataset = dataset.assign_coords(
        task=names, other_task=(OTHER, names.values, names.attrs | {"long_name": "other task"})
    )
    kept = stacked.drop_vars([name for name in ("condition", "time") if name in stacked.coords])
    return carried(dataset, kept)


def _stacked(arrays_of: xr.DataArray | Mapping[str, xr.DataArray]) -> xr.DataArray:
    """(…, task, condition, time, …), NaN where a task has fewer conditions or times than another."""
    if isinstance(arrays_of, xr.DataArray):
        lacking = {"task", "condition", "time"} - set(arrays_of.dims)
        if lacking:
            raise ValueError(
                f"rates, valid: dims {arrays_of.dims} lack {', '.join(sorted(lacking))}; pass a mapping of "
                "tasks, or an array with these dims."
            )
        return arrays_of.astype(float)
    for name, each in arrays_of.items():
        if not {"condition", "time"} <= set(each.dims):
            raise ValueError(
                f"rates, valid: {name!r} has dims {each.dims}; expected condition, time and the rest: "
                "average over trials, or rename trial to condition where each is one."
            )
    if not arrays_of:
        raise ValueError("rates: no tasks; pass one array a task.")
    largest = {dim: max(each.sizes[dim] for each in arrays_of.values()) for dim in ("condition", "time")}
    padded = []
    for each in arrays_of.values():
        bare = each.drop_vars([name for name in each.coords if {"condition", "time"} & set(each[name].dims)])
        more = {dim: (0, largest[dim] - each.sizes[dim]) for dim in largest}
        padded.append(bare.astype(float).pad(more, constant_values=np.nan))
    names = ["_".join(str(name).split()) for name in arrays_of]
    codes = list(range(len(names)))
    flags = {"flag_values": codes if len(codes) > 1 else 0, "flag_meanings": " ".join(names)}
    task = xr.DataArray(codes, dims="task", attrs={"units": "1", "long_name": "task", **flags})
    units = [each["unit"].values.tolist() for each in padded if "unit" in each.dims]
    if any(each != units[0] for each in units):
        raise ValueError(
            "rates: the units differ between tasks; give the same in every task, NaN where one was lost."
        )
    stacked = xr.concat(
        padded, dim="task", join="exact", combine_attrs="override", coords="minimal", compat="override"
    )
    return stacked.assign_coords(task=task)


def _at(values: np.ndarray, there: np.ndarray, axis: int) -> np.ndarray:
    """``values`` of the units that are there, NaN for the others."""
    shape = list(values.shape)
    shape[axis] = there.size
    full = np.full(shape, np.nan)
    full[(slice(None),) * axis + (there,)] = values
    return full
