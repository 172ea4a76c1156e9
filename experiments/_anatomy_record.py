"""Cells on disk, and the one small record that is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from _anatomy_measure import MEASURES
from _anatomy_plan import SLOT, TASKS, Cell, Form, declaration
from _study import keep

from throughtime import config, runtime
from throughtime.results import provenance
from throughtime.results.flags import flag_attributes

PARTS = ("untrained", "clipping", "pilot", "trained", "memory")
DIMS = {
    "untrained": ("option",),
    "clipping": ("option",),
    "pilot": ("task", "option"),
    "trained": ("task", "option", "condition"),
    "memory": ("condition",),
}
CONDITIONS = {"trained": ("1", "lag of the task, slots"), "memory": ("1", "steps of a trial")}


def measure(cell: Cell, folder: Path) -> xr.Dataset:
    """Measure a cell and keep it: the file appears whole or not at all, and is never changed again."""
    return keep(cell, folder, lambda one: MEASURES[one.part](one.declared))


def labelled(names: Sequence[str], long_name: str) -> dict[str, Any]:
    """Attributes of a coordinate of names."""
    return {"units": "1", "long_name": long_name, **flag_attributes(list(names))}


def together(part: str, found: dict[tuple[Any, ...], xr.Dataset]) -> xr.Dataset:
    """Cells of one part as one dataset, labels -> dims; what a cell lacks is NaN."""
    dims = DIMS[part]
    labels = [list(dict.fromkeys(key[index] for key in found)) for index in range(len(dims))]

    def level(prefix: tuple[Any, ...]) -> xr.Dataset:
        if len(prefix) == len(dims):
            return found[prefix].drop_attrs(deep=False)
        every = [level((*prefix, label)) for label in labels[len(prefix)]]
        return xr.concat(every, dims[len(prefix)], join="outer", data_vars="all", coords="minimal")

    data = level(())
    for dim, values in zip(dims, labels, strict=True):
        if dim == "condition":
            units, words = CONDITIONS[part]
            data[dim] = (dim, np.array(values), {"units": units, "long_name": words})
        else:
            words = "task" if dim == "task" else "circuit" if part != "clipping" else "optimiser, clipping"
            data[dim] = (dim, np.arange(len(values)), labelled(values, words))
    return data


def by_measure(found: dict[tuple[Any, ...], xr.Dataset]) -> xr.Dataset:
    """Trained cells; a score that only one task has keeps no dim task."""
    own = {name: template.criterion[0].measure for name, (template, *_) in TASKS.items()}
    rest = {key: one.drop_vars(own[key[0]]) for key, one in found.items()}
    data = together("trained", rest)
    for index, (task, name) in enumerate(own.items()):
        scores = {key: one[[name]] for key, one in found.items() if key[0] == task}
        data[name] = together("trained", scores)[name].isel(task=0, drop=True)
        data[name].attrs["task"] = index
    slots = [SLOT * lag for lag in data["condition"].values]
    data["task_lag"] = ("condition", slots, {"units": "ms", "long_name": "lag of the task"})
    return data


def combine(form: Form, found: dict[Cell, xr.Dataset]) -> xr.DataTree:
    """The record: one group a part, without raw activity."""
    groups: dict[str, xr.Dataset] = {}
    for part in PARTS:
        own = {cell.labels: data for cell, data in found.items() if cell.part == part}
        data = by_measure(own) if part == "trained" else together(part, own)
        if part == "memory":
            data["exponent"] = exponents(data["peak_memory"])
        groups[f"/{part}"] = small(data)
    declared = declaration(form)
    digest = config.sha256(declared)
    codes = sorted({str(data.attrs["code_sha256"]) for data in found.values()})
    attrs = {
        **provenance.library_attributes("study"),
        "title": "What happens to gradients on their way back in time, and what is learned at long lags",
        "form": form.name,
        "config": config.canonical(declared),
        "config_sha256": digest,
        "run_id": digest[:16],
        "code_sha256": " ".join(codes),
        "device_kind": provenance.device_kind(),
        "num_cores": runtime.available_cores(),
        "seconds": float(sum(data.attrs["seconds"] for data in found.values())),
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **groups})


def exponents(memory: xr.DataArray) -> xr.DataArray:
    """Exponent p of peak memory ∝ steps^p over the longer half of the trials, (option,)."""
    count = memory.sizes["condition"]
    longer = memory.isel(condition=slice(min(count // 2, count - 2), None)).transpose("condition", ...)
    steps = np.log(longer["condition"].values.astype(float))
    centred = steps - steps.mean()
    values = np.log(np.maximum(longer.values, 1.0))
    slope = (centred[:, None] * values).sum(0) / (centred**2).sum()
    attrs = {"units": "1", "long_name": "exponent of peak memory over steps"}
    return xr.DataArray(slope, {"option": memory["option"]}, attrs=attrs)


def small(data: xr.Dataset) -> xr.Dataset:
    """Curves in single precision; norms stay double, whose range they need."""
    for name, array in data.data_vars.items():
        if array.dtype == np.float64 and array.ndim and "norm" not in str(name):
            data[name] = array.astype(np.float32)
    return data
