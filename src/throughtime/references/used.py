"""What a result was made with: the members its configurations name, and its analyses."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from throughtime import config
from throughtime.references.bibliography import mentions
from throughtime.references.sources import OURS, keys_of, keys_of_analysis, source_of
from throughtime.registry import kebab
from throughtime.results.content import local_datasets
from throughtime.results.flags import labels

CONFIGURATIONS = ("config", "params")
"""Attributes that hold a configuration as JSON."""
BY_KEY = {
    "task": "task",
    "tasks": "task",
    "rule": "rule",
    "rules": "rule",
    "dynamics": "dynamics",
    "recurrent": "connectivity",
    "initial": "initial state",
    "objective": "objective",
    "neurons": "neurons",
}
"""Entry of a configuration -> kind of the object that stands there, where its class does not tell."""
MEASURED_IN = ("/analysis", "/measures")
"""Groups of a run and of a study whose own groups have the names of their measures."""
UNKNOWN_PARTS = "dynamics and connectivity of its runs"


@dataclass(frozen=True, order=True)
class Used:
    """One member, and what to cite for it.

    Attributes:
        kind: such as ``task`` or ``analysis``. name: that of the registry, or of the class.
        keys: of the bibliography.
        by_hand: what else is to be cited, in words; "" for nothing.
    """

    kind: str
    name: str
    keys: tuple[str, ...]
    by_hand: str = ""


def used_in(tree: xr.DataTree) -> set[Used]:
    """Members and analyses of a results tree."""
    groups = [data for _, data in local_datasets(tree)]
    found = {one for data in groups for one in _configured(data.attrs)}
    kinds = {one.kind for one in found}
    for kind in {"task", "rule"} - kinds:
        found |= {_named(kind, name) for data in groups for name in _names(data, kind)}
    if "dynamics" not in kinds and {"task", "rule"} <= {one.kind for one in found}:
        found.add(Used("circuit", UNKNOWN_PARTS, (), "name the files of the runs too"))
    return found | {analysis for path, data in local_datasets(tree) for analysis in _analyses(path, data)}


def members_of(encoded: Any, key: str = "") -> Iterator[Used]:
    """Members of a configuration as :func:`throughtime.config.encode` writes it.

    Args:
        encoded: the configuration or a part of it.
        key: of the entry it stands in.

    Example:
        >>> sorted(one.name for one in members_of({"rule": {"class": "throughtime.rules.bptt:BPTT"}}))
        ['bptt']
    """
    if isinstance(encoded, list):
        for item in encoded:
            yield from members_of(item, key)
    elif isinstance(encoded, Mapping):
        if isinstance(encoded.get("class"), str):
            yield from _member(encoded, key)
        for name, item in encoded.items():
            yield from members_of(item, name if name in BY_KEY or "class" in encoded else key)


def _configured(attrs: Mapping[Any, Any]) -> Iterator[Used]:
    for name in CONFIGURATIONS:
        if isinstance(attrs.get(name), str):
            try:
                encoded = json.loads(attrs[name])
            except ValueError:
                continue
            yield from members_of(encoded)


def _member(encoded: Mapping[str, Any], key: str) -> Iterator[Used]:
    """A class of a configuration, where it is one of a kind that has sources."""
    path = str(encoded["class"])
    ours = path.startswith("throughtime.")
    name = kebab(path.rpartition(":")[2].rpartition(".")[2])
    try:
        member = config.decode(dict(encoded))
    except (TypeError, ValueError):  # its module is not here, or its fields are others by now
        if key in BY_KEY:
            yield Used(BY_KEY[key], name, (), f"class {path} cannot be made again here")
        return
    yield from _parts_by_default(member)
    kind = next((kind for base, kind in _kinds() if isinstance(member, base)), None)
    if kind is None and (key not in BY_KEY or (ours and not source_of(type(member)))):
        return
    yield _used(kind or BY_KEY[key], _tables().get(type(member), name), member, ours)


def _parts_by_default(member: Any) -> Iterator[Used]:
    """Parts that a study leaves to the circuits that are made for its tasks."""
    from throughtime.circuits import Circuit
    from throughtime.studies.declaration import CircuitPlan

    if isinstance(member, CircuitPlan):
        plain = Circuit(num_inputs=1, num_units=1, num_outputs=1)
        for name in ("dynamics", "recurrent"):
            if getattr(member, name) is None:
                yield from members_of(config.encode(getattr(plain, name)))


def _used(kind: str, name: str, member: Any, ours: bool) -> Used:
    source = source_of(member if isinstance(member, type) else type(member))
    keys = keys_of(member)
    known = ours or any(words in source for words in OURS)
    resolved = bool(keys) and all(mention.keys for mention in mentions(source))
    return Used(kind, name, keys, "" if known or resolved else source or "no source declared")


def _named(kind: str, name: str) -> Used:
    """A task or a rule that a file names without its class."""
    from throughtime import rules, tasks

    try:
        return _used(kind, name, (tasks if kind == "task" else rules).get(name), True)
    except ValueError:
        return Used(kind, name, (), "not a name of this library")


def _names(data: xr.Dataset, kind: str) -> Iterable[str]:
    if isinstance(data.attrs.get(kind), str):
        return [data.attrs[kind]]
    return labels(data[kind]) if kind in data.coords and "flag_meanings" in data[kind].attrs else []


def _analyses(path: str, data: xr.Dataset) -> Iterator[Used]:
    from throughtime import analysis
    from throughtime.comparison.learned import ANALYSES

    parent, _, room = path.rpartition("/")
    methods: set[str] = set()
    if room == "learned":
        methods = {ANALYSES[name] for name in _measured(data) if name in ANALYSES}
    elif room == "distances":
        methods = {name for name in _measured(data) if name in analysis.__all__}
    elif data.data_vars and ("method" in data.attrs or parent in MEASURED_IN):
        methods = {str(data.attrs.get("method", room))}
        if data.attrs.get("measure") in analysis.__all__:  # what a matrix of distances is made of
            methods.add(data.attrs["measure"])
    for method in methods:
        keys = keys_of_analysis(method)
        yield Used("analysis", method, keys or (), "no source declared" if keys is None else "")


def _measured(data: xr.Dataset) -> list[str]:
    """Variables that hold a number."""
    return [str(name) for name, values in data.data_vars.items() if bool(np.isfinite(values).any())]


@functools.cache
def _kinds() -> tuple[tuple[type, str], ...]:
    from throughtime import circuits, objectives, rules, tasks
    from throughtime.credit.feedback import Feedback
    from throughtime.credit.transport import Transport

    return (
        (tasks.Task, "task"),
        (rules.Rule, "rule"),
        (circuits.Dynamics, "dynamics"),
        (circuits.Connectivity, "connectivity"),
        (circuits.Initial, "initial state"),
        (Feedback, "feedback"),
        (Transport, "transport"),
        (objectives.Penalty, "penalty"),
        (objectives.Objective, "objective"),
    )


@functools.cache
def _tables() -> dict[type, str]:
    """Class -> name in its registry, where that is not the name of the class."""
    from throughtime import rules
    from throughtime.credit.feedback import FEEDBACKS

    return {kind: name for table in (rules.RULES, FEEDBACKS) for name, kind in table.items()}
