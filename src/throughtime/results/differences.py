"""In what several results differ: configurations key by key, datasets variable by variable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

ROLES = ("task", "circuit", "rule")
FOLLOWS_TASK = ("circuit.dt", "circuit.num_inputs", "circuit.num_outputs")
"""What a circuit cannot but take from its task."""
COMPARED = ("units", "flag_values", "flag_meanings")
ABSENT = "<absent>"
SHOWN = 5


def flattened(config: Any, prefix: str = "") -> dict[str, Any]:
    """Configuration as dotted keys and plain values; arrays and lists stay whole.

    Example:
        >>> flattened({"rule": {"class": "m:R", "gain": 2.0}, "keep": [1, 2]})
        {'rule.class': 'm:R', 'rule.gain': 2.0, 'keep': [1, 2]}
    """
    if not (isinstance(config, Mapping) and config) or config.keys() in (
        {"float"},
        {"array", "dtype", "shape"},
    ):
        return {prefix: config}
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flattened(value, f"{prefix}.{name}" if prefix else str(name))
    return found


def at(config: Mapping[str, Any], key: str) -> Any:
    """Value of a dotted key; :data:`ABSENT` where the configuration has none.

    Example:
        >>> at({"rule": {"gain": 2.0}}, "rule.gain"), at({"rule": {}}, "rule.gain")
        (2.0, '<absent>')
    """
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value


def scope(key: str, names: Mapping[str, Any]) -> tuple[str, ...]:
    """Among which runs a key of the configuration must be the same: those that share these names.

    Args:
        key: dotted.
        names: task, circuit and rule of the run by their names.

    Example:
        >>> run = {"task": "cue-set-go", "circuit": "circuit", "rule": "rflo"}
        >>> scope("rule.gain", run), scope("circuit.dt", run), scope("training.clip", run)
        (('rflo',), ('circuit', 'cue-set-go'), ())
    """
    role = key.partition(".")[0]
    if role not in ROLES:
        return ()
    return (str(names[role]), str(names["task"])) if key in FOLLOWS_TASK else (str(names[role]),)


def short(value: Any, most: int = 40) -> str:
    """A value of a configuration as one short word: a class by its name, arrays and lists as JSON.

    Example:
        >>> short({"class": "m:Rflo", "gain": 1}), short([1, 2]), short(None), short(0.1)
        ('Rflo', '[1,2]', 'null', '0.1')
    """
    if isinstance(value, Mapping) and "class" in value:
        return str(value["class"]).rpartition(":")[2]
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def dataset_difference(first: xr.Dataset, other: xr.Dataset) -> str:
    """The first thing in which two datasets cannot stand side by side; empty if there is none.

    Variables, their dims, dtypes, units and flags must be the same, and so must all coordinates.

    Example:
        >>> one = xr.Dataset({"x": ("unit", [1.0, 2.0], {"units": "1"})})
        >>> dataset_difference(one, one.isel(unit=[0]))
        'x has unit 1 long, not 2'
    """
    names, others = set(map(str, first.variables)), set(map(str, other.variables))
    if names != others:
        more, fewer = sorted(others - names), sorted(names - others)
        told = [f"it has also {', '.join(more)}"] * bool(more) + [f"it lacks {', '.join(fewer)}"] * bool(
            fewer
        )
        return " and ".join(told)
    for name in sorted(names):
        one, two = first[name], other[name]
        if one.dims != two.dims:
            return f"{name} has dims {two.dims}, not {one.dims}"
        if one.dtype != two.dtype:
            return f"{name} has dtype {two.dtype}, not {one.dtype}"
        for key in COMPARED:
            if one.attrs.get(key) != two.attrs.get(key):
                return f"{name} has {key} {two.attrs.get(key)!r}, not {one.attrs.get(key)!r}"
        for dim in one.dims:
            if first.sizes[dim] != other.sizes[dim]:
                return f"{name} has {dim} {other.sizes[dim]} long, not {first.sizes[dim]}"
    for name in sorted(map(str, first.coords)):
        if not np.array_equal(
            first[name].values, other[name].values, equal_nan=first[name].dtype.kind == "f"
        ):
            return f"coordinate {name} has other values"
    return ""
