"""The rules every results tree obeys; saving refuses a tree that breaks one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from throughtime.results.schema import (
    DIMS,
    KINDS,
    REQUIRED,
    REQUIRED_OF_RUN,
    SCHEMA_NAME,
    SCHEMA_VERSION,
    UNITS,
)

PAIR = ("unit", "presynaptic_unit")
LABELS = ("task", "circuit", "rule")
FILL = ("_FillValue", "missing_value")
PLAIN = (
    "use a str, int, float or a list of at least two of one of them (bool as 0/1, dict as JSON, None as no "
    "attribute)."
)
STORED = (
    "write categories as integers with flag_values and flag_meanings, complex numbers as a _real and an "
    "_imag variable."
)


class Problem(NamedTuple):
    """One broken rule: group path, variable (empty for the group itself), rule number, remedy."""

    path: str
    variable: str
    rule: int
    remedy: str

    def __str__(self) -> str:
        place = f"{self.path.rstrip('/')}/{self.variable}" if self.variable else self.path
        return f"{place} (rule {self.rule}): {self.remedy}"


class Group(NamedTuple):
    """One group of the tree: its path, its own variables, and the same with inherited coordinates."""

    path: str
    node: xr.DataTree
    own: xr.Dataset
    full: xr.Dataset


Found = Iterator[tuple[str, str]]  # variable, remedy


def validate(tree: xr.DataTree) -> list[Problem]:
    """Problems of a results tree, by rule and then by path; an empty list means it may be saved.

    Example:
        >>> for problem in validate(xr.DataTree.from_dict({"/training": xr.Dataset({"x": 1.0})}))[-1:]:
        ...     problem.path, problem.variable, problem.rule
        ('/training', 'x', 6)
    """
    nodes = {"/" if key == "." else f"/{key}": node for key, node in tree.subtree_with_keys}
    groups = [
        Group(p, nodes[p], nodes[p].to_dataset(inherit=False), nodes[p].to_dataset()) for p in sorted(nodes)
    ]
    problems = []
    for number, rule in sorted(RULES.items()):
        seen: dict[str, Any] = {}
        for group in groups:
            problems += [Problem(group.path, name, number, remedy) for name, remedy in rule(group, seen)]
    return problems


def root_is_bare(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 1: the root is empty but for the required attributes, of a schema version we know."""
    if group.path != "/":
        return
    attrs = group.own.attrs
    for name in map(str, group.own.variables):
        yield name, "the root holds attributes only; move the variable into a group."
    if attrs.get("schema_name") != SCHEMA_NAME:
        yield "", f"attribute schema_name must be {SCHEMA_NAME!r}, found {attrs.get('schema_name')!r}."
    if attrs.get("schema_version") not in range(1, SCHEMA_VERSION + 1):
        found = attrs.get("schema_version")
        yield "", f"attribute schema_version must be at most {SCHEMA_VERSION}, found {found!r}."
    kind = attrs.get("kind")
    if kind not in KINDS:
        yield "", f"attribute kind must be one of {', '.join(KINDS)}, found {kind!r}."
    required = REQUIRED + (REQUIRED_OF_RUN if kind in ("run", "part") else ())
    missing = [name for name in required if name not in attrs]
    if missing:
        yield "", f"add the missing root attributes: {', '.join(missing)}."


def attributes_are_plain(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 2: an attribute is a str, int, float or a list of at least two of one of these."""
    for name, attrs in [("", group.own.attrs)] + [(str(n), v.attrs) for n, v in group.own.variables.items()]:
        for key, value in attrs.items():
            if not _is_plain(value):
                found = f"attribute {key!r} is {type(value).__name__} {value!r:.60}"
                yield name, f"{found}; {PLAIN}"


def dims_are_known(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 3: dims in the vocabulary, none twice in a variable, none used as the name of anything else.

    A coordinate along another dim (``cell_type`` on ``unit``) has a name of its own, like a variable; but
    what tells combined runs apart may be called ``task``, ``circuit`` and ``rule`` (run).
    """
    for name, variable in group.own.variables.items():
        for dim in sorted({str(d) for d in variable.dims} - DIMS):
            yield str(name), f"dim {dim!r} is unknown; rename it to one of {', '.join(sorted(DIMS))}."
        if len(set(variable.dims)) < variable.ndim:
            yield str(name), f"a dim occurs twice in {variable.dims}; rename one, as in {', '.join(PAIR)}."
        labels = name in LABELS and variable.dims == ("run",)
        elsewhere = name in group.own.data_vars or not (variable.dims in ((), (name,)) or labels)
        if name in DIMS and elsewhere:
            yield str(name), "a variable must not have the name of a dim; rename the variable."


def coordinates_are_sound(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 4: every dim has a coordinate, unique and finite; time is uniformly spaced."""
    for dim in map(str, group.own.dims):
        # Indexing makes up a range for a dim without coordinate, so ask by name first.
        if dim not in group.full.coords or group.full.coords[dim].dims != (dim,):
            yield dim, f"dim {dim!r} has no coordinate; add one of that name."
            continue
        values = group.full.coords[dim].values
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            yield dim, "the coordinate is not finite; give every entry a number."
        elif np.unique(values).size < values.size:
            yield dim, "the coordinate has equal entries; give every entry its own label."
        elif dim == "time" and values.size > 2 and not np.allclose(np.diff(values), values[1] - values[0]):
            yield dim, "time is not uniformly spaced; resample to one dt."


def seeds_agree(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 5: seed is identical, in the same order, in all groups that have it."""
    if "seed" in group.own.coords:
        values = group.own["seed"].values
        first, expected = seen.setdefault("seed", (group.path, values))
        if not np.array_equal(values, expected):
            yield "seed", f"differs from seed of {first}; give both groups the same seeds in the same order."


def units_agree(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 6: unit equals presynaptic_unit; units present and allowed."""
    coords = group.full.coords
    for name, variable in group.own.variables.items():
        sides = [coords[dim].values for dim in PAIR if dim in variable.dims and dim in coords]
        if len(sides) == 2 and not np.array_equal(sides[0], sides[1]):
            yield str(name), "unit and presynaptic_unit differ; give both the same labels in the same order."
        found = variable.attrs.get("units")
        if not (isinstance(found, str) and found in UNITS):
            yield str(name), f"attribute units must be one of {', '.join(UNITS)}, found {found!r}."


def arrays_are_real(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 7: no complex, object or string arrays; flags have a meaning for every code."""
    for name, variable in group.own.variables.items():
        if variable.dtype.kind not in "biuf":
            yield str(name), f"dtype {variable.dtype} is not stored; {STORED}"
        attrs = variable.attrs
        if "flag_values" not in attrs and "flag_meanings" not in attrs:
            continue
        codes = np.atleast_1d(np.asarray(attrs.get("flag_values", [])))
        if codes.size != len(str(attrs.get("flag_meanings", "")).split()):
            yield str(name), "flag_values and flag_meanings differ in number; labels must not contain spaces."
        elif variable.dtype.kind in "iu" and not np.isin(variable.values, codes).all():
            yield str(name), "holds codes that flag_values lacks; add a flag for each."


def integers_are_complete(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 8: integer variables have no missing values."""
    for name, variable in group.own.variables.items():
        if variable.dtype.kind == "f" and "flag_values" in variable.attrs:
            yield str(name), "has flags but is not integer; write a status code in place of missing values."
        elif variable.dtype.kind in "iub" and any(
            k in variable.attrs or k in variable.encoding for k in FILL
        ):
            yield str(name), "an integer must not have a fill value; use a status code for missing values."


def identity_matches(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 9: config_sha256 and run_id match config."""
    attrs = group.own.attrs
    if group.path != "/" or "config" not in attrs:
        return
    digest = hashlib.sha256(str(attrs["config"]).encode()).hexdigest()
    if attrs.get("config_sha256") != digest:
        yield "", f"config_sha256 does not match config; it should be {digest}."
    if attrs.get("run_id") != digest[:16]:
        yield "", f"run_id does not match config; it should be {digest[:16]}."


def names_are_distinct(group: Group, seen: dict[str, Any]) -> Found:
    """Rule 10: no child group shares a name with a variable of its parent."""
    for name in group.node.children:
        if name in group.own.variables:
            yield name, "a group and a variable share this name; rename one."


RULES: dict[int, Callable[[Group, dict[str, Any]], Found]] = {
    1: root_is_bare,
    2: attributes_are_plain,
    3: dims_are_known,
    4: coordinates_are_sound,
    5: seeds_agree,
    6: units_agree,
    7: arrays_are_real,
    8: integers_are_complete,
    9: identity_matches,
    10: names_are_distinct,
}


def _is_plain(value: Any) -> bool:
    if type(value) is list:
        return len(value) >= 2 and len({type(item) for item in value}) == 1 and all(map(_is_scalar, value))
    return _is_scalar(value)


def _is_scalar(value: Any) -> bool:
    if type(value) is int:
        return -(2**63) <= value < 2**63
    return type(value) in (str, float)
