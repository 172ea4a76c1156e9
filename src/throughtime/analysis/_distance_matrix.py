"""Distances of many circuits, each from each; see :mod:`throughtime.analysis.arrays.distance_matrix`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from throughtime.analysis._labels import names_of
from throughtime.analysis._named import describe
from throughtime.analysis._pairs import STATUS, UNIT, require, same_labels
from throughtime.analysis.arrays import distance_matrix as arrays

SYSTEM_DIMS = ("run", "rule", "task", "option", "checkpoint", "seed")
DYNAMICS = ("dsa", "spectrum_distance")
RUN, OTHER_RUN, SEED = "run", "other_run", "seed"


class System(NamedTuple):
    """One circuit: its activity, the name of its group, its seed (−1 without), its place along other dims."""

    activity: xr.DataArray
    name: str
    replicate: int
    place: dict[str, Any]


def distance_matrix(
    systems: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    measure: str | Callable[[np.ndarray, np.ndarray], float] = "shape_distance",
    label: str | None = None,
    sample_dims: Sequence[str] | None = None,
    repeat_dim: str | None = None,
    seed: int | None = None,
    **options: Any,
) -> xr.Dataset:
    """Distance of each circuit from each other one, such as all seeds of several rules.

    See :func:`throughtime.analysis.arrays.distance_matrix.distance_matrix` for the measures. A circuit with a
    NaN in all samples (a diverged one) is refused, and NaN in the matrix. :func:`group_distances` then sets
    distances between labels beside those within, :func:`embedding` makes a map.

    Args:
        systems: by label, activity of its circuits (…, unit), whose numbers of units may differ; or one
            array. Every element of the dims ``run, rule, task, option, checkpoint, seed`` is a circuit.
        measure: ``"shape_distance"``, ``"cka"``, ``"cca"``: all other dims are samples, the same ones for all
            circuits. ``"rsa"``: of (condition, unit), and ``repeat_dim``. ``"dsa"``, ``"spectrum_distance"``:
            of (time, unit) or (trial, time, unit). Or a symmetric function of two arrays (sample, unit).
        label: dim, or coordinate along one, that tells groups apart in one array; the first of the dims above
            but ``seed`` if not given.
        sample_dims: dims whose elements are samples, if not all others.
        repeat_dim: dim of the repeats of conditions, for the cross-validated distance of ``"rsa"``.
        seed: of the random starts of ``"dsa"``. options: of the measure, as ``alpha`` or ``rank``.

    Returns:
        Dataset: ``distance`` (run, other_run); ``label``, with names, ``replicate`` (the seed, −1 without)
        and ``status`` (run); ``system_checkpoint`` and the like where circuits differ along further dims.

    Raises:
        ValueError: as the array function; for missing dims, or samples that differ between labels.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> rates = xr.DataArray(rng.standard_normal((2, 3, 30, 4)), dims=("rule", "seed", "trial", "unit"))
        >>> found = distance_matrix(rates, measure="cka")
        >>> found.distance.shape, found.label.values.tolist(), found.replicate.values.tolist()
        ((6, 6), [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2])
    """
    members = _members(systems, label)
    activity = [_arranged(one, members[0], measure, sample_dims, repeat_dim) for one in members]
    found = arrays.distance_matrix(activity, measure=measure, seed=seed, **options)
    names = list(dict.fromkeys(one.name for one in members))
    codes = np.array([names.index(one.name) for one in members], np.int32)
    flags = {
        "flag_values": list(range(len(names))) if len(names) > 1 else 0,
        "flag_meanings": " ".join("_".join(name.split()) for name in names),
    }
    variables: dict[str, Any] = {
        "distance": ((RUN, OTHER_RUN), found.distance, _named(found.long_name, found.units)),
        "label": (RUN, codes, _named("label") | flags),
        "replicate": (RUN, np.array([one.replicate for one in members]), _named("seed, −1 without")),
        "status": (RUN, found.status, _named("how the computation ended") | STATUS),
    }
    for dim in members[0].place:
        variables[f"system_{dim}"] = (RUN, np.array([one.place[dim] for one in members]), _named(dim))
    told = {"measure": measure if isinstance(measure, str) else getattr(measure, "__name__", "function")}
    kept = {key: int(value) if isinstance(value, bool) else value for key, value in options.items()}
    plain = {key: value for key, value in kept.items() if isinstance(value, str | int | float)}
    extra = {"seed": seed, "refusal": found.refusal or None, "num_warned": found.num_warned or None}
    return describe(xr.Dataset(variables), "distance_matrix", told | plain | extra)


def _members(systems: xr.DataArray | Mapping[str, xr.DataArray], label: str | None) -> list[System]:
    if isinstance(systems, Mapping):
        if label is not None:
            raise ValueError(f"label: {label!r} with systems by label; their names are the labels.")
        dims = {dim for array in systems.values() for dim in array.dims if dim in SYSTEM_DIMS}
        for name, array in systems.items():
            require(name, array, (*sorted(dims), UNIT))
        return [one for name, array in systems.items() for one in _split(array, str(name), None)]
    require("systems", systems, (UNIT,))
    there = [dim for dim in SYSTEM_DIMS if dim in systems.dims]
    if not there:
        raise ValueError(f"systems: dims {systems.dims} have none of {', '.join(SYSTEM_DIMS)}; name one so.")
    chosen = label or next((dim for dim in there if dim != SEED), None)
    if label is not None and label not in systems.dims and label not in systems.coords:
        raise ValueError(f"label: {label!r} is neither a dim nor a coordinate of systems.")
    return list(_split(systems, "all", chosen))


def _split(array: xr.DataArray, name: str, label: str | None) -> list[System]:
    """The circuits of one array, in the order of its dims in :data:`SYSTEM_DIMS`."""
    dims = [dim for dim in SYSTEM_DIMS if dim in array.dims]
    found = []
    for index in product(*(range(array.sizes[dim]) for dim in dims)):
        at = dict(zip(dims, index, strict=True))
        one = array.isel(at)
        place = {dim: array[dim].values[k].item() if dim in array.coords else k for dim, k in at.items()}
        called = name if label is None else _name(array, one, label, place)
        seed = place.pop(SEED, -1)
        place.pop(label or "", None)
        place.pop(RUN, None)
        numbers = {dim: value for dim, value in place.items() if not isinstance(value, str)}
        found.append(System(one.reset_coords(drop=True), called, int(seed), numbers))
    return found


def _name(array: xr.DataArray, one: xr.DataArray, label: str, place: dict[str, Any]) -> str:
    if label in place:
        value = place[label]
    else:
        if one[label].ndim:
            raise ValueError(
                f"label: {label!r} has dims {array[label].dims}; use one along a dim of circuits."
            )
        value = one[label].item()
    known = names_of(array[label]) if label in array.coords else {}
    return known.get(value, f"{value:g}" if isinstance(value, float) else str(value))


def _arranged(
    one: System,
    first: System,
    measure: str | Callable[..., float],
    sample_dims: Sequence[str] | None,
    repeat_dim: str | None,
) -> np.ndarray:
    """Activity as the measure takes it."""
    array = one.activity
    if measure == "rsa":
        dims = (*(() if repeat_dim is None else (repeat_dim,)), "condition", UNIT)
        require(one.name, array, dims)
        same_labels(first.activity, array, ["condition"])
        return array.transpose(*dims).values
    if measure in DYNAMICS:
        dims = tuple(dim for dim in ("trial", "time", UNIT) if dim in array.dims or dim == "time")
        require(one.name, array, dims)
        return array.transpose(*dims).values
    samples = [str(dim) for dim in first.activity.dims if dim != UNIT] if sample_dims is None else sample_dims
    require(one.name, array, (*samples, UNIT))
    same_labels(first.activity, array, samples)
    return array.transpose(*samples, UNIT).values.reshape(-1, array.sizes[UNIT])


def _named(long_name: str, units: str = "1") -> dict[str, Any]:
    return {"units": units, "long_name": long_name}
