"""The runs that are to be combined, and whether they may be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from throughtime.registry import unknown
from throughtime.results import files
from throughtime.results.differences import ABSENT, ROLES, SHOWN, at, flattened, scope
from throughtime.results.errors import ResultsError
from throughtime.results.validate import validate

KINDS = ("run", "analysis")
PAIRS = {"init_sha256": "initial weights", "data_sha256": "trials"}


class Member(NamedTuple):
    """One of the runs: how messages name it, its root attributes and configuration, seeds, and the group."""

    name: str
    attrs: dict[str, Any]
    config: dict[str, Any]
    seeds: tuple[int, ...]
    data: xr.Dataset


def several(paths: Any) -> list[Any]:
    """What was given, as a list."""
    if isinstance(paths, str | os.PathLike):
        raise ResultsError(f"combine: expected several files, got {os.fspath(paths)!r}; write [{paths!r}].")
    given = list(paths)
    if not given:
        raise ResultsError("combine: no runs given; name the files of at least one.")
    return given


def member_of(given: Any, group: str, reduce: Callable[[xr.Dataset], xr.Dataset] | None) -> Member:
    """One run, read and judged."""
    is_file = isinstance(given, str | os.PathLike)
    tree = files.load(given) if is_file else getattr(given, "tree", given)
    if not isinstance(tree, xr.DataTree):
        raise ResultsError(f"combine: expected files, runs or trees, got {type(given).__name__}.")
    attrs: dict[str, Any] = {str(key): value for key, value in tree.attrs.items()}
    name = Path(given).name if is_file else f"run {attrs.get('run_id', 'without run_id')}"
    if attrs.get("kind") not in KINDS:
        raise ResultsError(
            f"combine: {name} is of kind {attrs.get('kind')!r}; expected runs, or runs with analyses."
        )
    problems = validate(tree)
    if problems:
        raise ResultsError(
            f"combine: {name} breaks {len(problems)} rules of the format, first {problems[0]} Write it again."
        )
    there = {path.strip("/") for path in tree.groups}
    if group not in there:
        raise ResultsError(
            f"combine: {name} has no group {group!r}; it has {', '.join(sorted(filter(None, there)))}."
        )
    data = tree[group].to_dataset()
    if not data.data_vars:
        reason = str(data.attrs.get("refusal", "nothing was measured there"))
        raise ResultsError(f"combine: group {group!r} of {name} is empty: {reason}")
    if reduce is not None:
        data = reduce(data)
    if taken := sorted({"run", *ROLES} & set(map(str, data.dims))):
        raise ResultsError(
            f"combine: group {group!r} has a dim {taken[0]!r}, which names what runs differ in; rename or "
            "reduce it first: reduce=lambda dataset: …"
        )
    seeds = tuple(int(seed) for seed in tree["training"].to_dataset()["seed"].values)
    return Member(name, attrs, json.loads(attrs["config"]), seeds, data)


def same_schema(members: list[Member]) -> None:
    """Refuse runs of different versions of the format."""
    versions = {member.attrs["schema_version"] for member in members}
    if len(versions) > 1:
        raise ResultsError(
            f"combine: schema versions {sorted(versions)} differ; write the older files again."
        )


def distinct_runs(members: list[Member]) -> None:
    """Refuse a run that is there twice."""
    seen: dict[str, str] = {}
    for member in members:
        run_id = str(member.attrs["run_id"])
        if run_id in seen:
            raise ResultsError(
                f"combine: {member.name} and {seen[run_id]} are the same run {run_id}; name each run once."
            )
        seen[run_id] = member.name


def same_seeds(members: list[Member]) -> None:
    """Refuse runs of other seeds, or in another order."""
    for member in members[1:]:
        if member.seeds != members[0].seeds:
            raise ResultsError(
                f"combine: {member.name} has seeds {list(member.seeds)}, {members[0].name} has "
                f"{list(members[0].seeds)}; combine runs of the same seeds in the same order."
            )


def declared(members: list[Member], swept: Sequence[str]) -> None:
    """Refuse configurations that differ in more than names and declared keys.

    With this two runs of one cell (task, circuit, rule and swept values) are one run, which is refused too.
    """
    if isinstance(swept, str):
        raise ResultsError(f"combine: swept is the text {swept!r}; write [{swept!r}].")
    flat = [flattened(member.config) for member in members]
    known = sorted(set().union(*flat))
    for key in swept:
        if all(at(member.config, key) == ABSENT for member in members):
            raise ResultsError(f"combine: {unknown('swept key', key, known, 'the config of a run')}")
    fixed = [key for key in known if not any(key == one or key.startswith(f"{one}.") for one in swept)]
    seen: dict[Any, tuple[Any, str]] = {}
    for member, one in zip(members, flat, strict=True):
        lost, before = [], ""
        for key in fixed:
            value = one.get(key, ABSENT)
            first, name = seen.setdefault((key, scope(key, member.attrs)), (value, member.name))
            if first != value:
                lost.append(key)
                before = name
        if lost:
            more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
            raise ResultsError(
                f"combine: {member.name} differs from {before} in {', '.join(lost[:SHOWN])}{more}; combine "
                f"runs that differ only in what is compared, or declare it: swept=[{lost[0]!r}]."
            )


def cell(member: Member, swept: Sequence[str]) -> tuple[str, ...]:
    """Task, circuit, rule, and swept values as text that tells them apart."""
    values = (at(member.config, key) for key in swept)
    return *(str(member.attrs[role]) for role in ROLES), *(json.dumps(v, sort_keys=True) for v in values)


def pairs(members: list[Member]) -> None:
    """Refuse runs whose seeds had other initial weights or other trials."""
    for name, what in PAIRS.items():
        first = json.loads(members[0].attrs[name])
        for member in members[1:]:
            other = json.loads(member.attrs[name])
            lost = [seed for seed in first if first[seed] != other.get(seed)]
            if lost:
                raise ResultsError(
                    f"combine: {member.name} had other {what} than {members[0].name} for seed {lost[0]} "
                    f"({name}), so seeds are no pairs; combine with paired=False and compare unpaired."
                )
