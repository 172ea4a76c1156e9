"""One dataset from the same group of several runs, every difference between them declared or refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from throughtime import config
from throughtime.results import members as checks
from throughtime.results.differences import ROLES, at, dataset_difference, short
from throughtime.results.errors import ResultsError
from throughtime.results.flags import flag_attributes
from throughtime.results.members import Member
from throughtime.results.provenance import library_attributes
from throughtime.results.schema import DIMS, attributes, units_of

OF_ROOT = ("run_id", "config", "config_sha256", "run_ids", "group")


def combine(
    paths: Iterable[Any],
    group: str,
    *,
    swept: Sequence[str] = (),
    paired: bool = False,
    unstack: bool = False,
    reduce: Callable[[xr.Dataset], xr.Dataset] | None = None,
) -> xr.Dataset:
    """The same group of several runs side by side, along a leading dim ``run``.

    Nothing is aligned, filled or cast: runs that differ in more than what is declared are refused, with the
    first difference. Tasks, circuits and rules may differ: those of another name in everything, with another
    task also in what a circuit takes from it (channels and time step); those of the same name only in
    ``swept`` keys.

    Args:
        paths: files of runs, or of runs with analyses, runs or their trees; at least one.
        group: such as ``"training"`` or ``"analysis/pca"``.
        swept: dotted keys of the configuration that may differ, such as ``"training.learning_rate"`` or
            ``"circuit.num_units"``; one stands for all below it.
        paired: require that a seed had the same initial weights and the same trials in all runs.
        unstack: replace ``run`` by dims ``task``, ``circuit``, ``rule`` and, where keys are swept,
            ``option``. Every combination must be there.
        reduce: applied to the group of each run before they are put together, for runs that differ in
            ``time`` or ``unit``.

    Returns:
        Dataset with dim ``run``, whose coordinate has the run ids as ``flag_meanings``; coordinates ``task``,
        ``circuit`` and ``rule`` (run), integers with names; and one for each swept key (its dots are
        underscores): numbers, or integers with names. Attributes are those the groups agree in and those of
        the root of a file of kind ``study``, with ``run_ids`` as JSON. :func:`study_tree` makes it a tree
        to be saved.

    Raises:
        ResultsError: for files that cannot be read, break the format or hold no runs; another schema version;
            a run that is there twice; other seeds, variables, dims, dtypes, units or coordinates;
            configurations that differ in keys not swept (so that no two runs are of one cell), or a swept key
            that none has; pairs that are none; or a grid with holes.

    Example:
        >>> combine([], "training")
        Traceback (most recent call last):
        throughtime.results.errors.ResultsError: combine: no runs given; name the files of at least one.
    """
    members = [checks.member_of(given, group.strip("/"), reduce) for given in checks.several(paths)]
    checks.same_schema(members)
    checks.distinct_runs(members)
    checks.same_seeds(members)
    checks.declared(members, swept)
    cells = [checks.cell(member, swept) for member in members]
    for member in members[1:]:
        if difference := dataset_difference(members[0].data, member.data):
            raise ResultsError(
                f"combine: {member.name} cannot stand beside {members[0].name}: {difference}. Combine what "
                "is alike, or bring it into one form first: reduce=lambda dataset: …"
            )
    if paired:
        checks.pairs(members)
    dataset = xr.concat(
        [member.data for member in members], "run", join="exact", data_vars="all", coords="minimal",
        compat="equals", combine_attrs="drop_conflicts",
    )  # fmt: skip
    dataset = dataset.assign_coords(_coordinates(members, swept, set(map(str, dataset.variables))))
    dataset.attrs |= _root(members, group.strip("/"), swept, paired)
    return _unstacked(dataset, members, cells, swept) if unstack else dataset


def study_tree(dataset: xr.Dataset) -> xr.DataTree:
    """A combined dataset as a tree of kind ``study``, for :func:`throughtime.results.save`.

    Raises:
        ResultsError: for a dataset that :func:`combine` did not make.
    """
    if dataset.attrs.get("kind") != "study" or "group" not in dataset.attrs:
        raise ResultsError(
            "study_tree: expected a dataset that combine returned; it has no attribute 'group'."
        )
    names = {*library_attributes("study"), *OF_ROOT}
    own = dataset.copy()
    own.attrs = {name: value for name, value in dataset.attrs.items() if name not in names}
    root = {name: value for name, value in dataset.attrs.items() if name in names}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=root), f"/{root['group']}": own})


def _coordinates(members: list[Member], swept: Sequence[str], taken: set[str]) -> dict[str, Any]:
    run_ids = [str(member.attrs["run_id"]) for member in members]
    found: dict[str, Any] = {
        "run": ("run", np.arange(len(members)), attributes("run", **flag_attributes(run_ids)))
    }
    for role in ROLES:
        found[role] = _named("run", role, [str(member.attrs[role]) for member in members])
    for key in swept:
        name = key.replace(".", "_")
        if name in taken | DIMS:
            raise ResultsError(
                f"combine: swept key {key!r} would be named {name!r}, which is taken; declare a field "
                "below it, or rename the variable by reduce."
            )
        found[name] = _swept("run", key, [at(member.config, key) for member in members])
    return found


def _named(dim: str, name: str, texts: list[str]) -> tuple[str, np.ndarray, dict[str, Any]]:
    names = list(dict.fromkeys(texts))
    codes = np.array([names.index(text) for text in texts], np.int32)
    return dim, codes, attributes(name, **flag_attributes(names))


def _swept(dim: str, key: str, values: list[Any]) -> tuple[str, np.ndarray, dict[str, Any]]:
    long_name = key.replace(".", " ").replace("_", " ")
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return dim, np.asarray(values), {"units": units_of(key.rpartition(".")[2]), "long_name": long_name}
    exact = [json.dumps(value, sort_keys=True) for value in values]
    each = dict(zip(exact, map(short, values), strict=True))
    codes = np.array([list(each).index(text) for text in exact], np.int32)
    return dim, codes, {"units": "1", "long_name": long_name, **flag_attributes(list(each.values()))}


def _root(members: list[Member], group: str, swept: Sequence[str], paired: bool) -> dict[str, Any]:
    run_ids = [str(member.attrs["run_id"]) for member in members]
    settings = {"combine": group, "runs": run_ids, "swept": list(swept), "paired": paired}
    digest = config.sha256(settings)
    return {
        **library_attributes("study"),
        "group": group,
        "run_id": digest[:16],
        "run_ids": json.dumps(run_ids),
        "config": config.canonical(settings),
        "config_sha256": digest,
    }


def _unstacked(
    dataset: xr.Dataset, members: list[Member], cells: list[tuple[str, ...]], swept: Sequence[str]
) -> xr.Dataset:
    """``run`` as a full grid of tasks, circuits, rules and options."""
    rows: list[Any] = [(*cell[:3], cell[3:]) for cell in cells] if swept else [cell[:3] for cell in cells]
    axes = [list(dict.fromkeys(row[k] for row in rows)) for k in range(len(rows[0]))]
    place = {row: index for index, row in enumerate(rows)}
    order = []
    for row in product(*axes):
        if row not in place:
            told = [*row[:3], *(row[3] if swept else ())]
            raise ResultsError(
                f"combine: there is no run of {', '.join(told)}, so the runs are no full grid; run it, leave "
                "out what lacks a counterpart, or combine with unstack=False."
            )
        order.append(place[row])
    names = [*ROLES, *(["option"] if swept else [])]
    sizes = [len(axis) for axis in axes]
    sorted_ = dataset.isel(run=order)
    variables: dict[Any, Any] = {}
    for name, array in sorted_.data_vars.items():
        rest = [dim for dim in array.dims if dim != "run"]
        values = array.transpose("run", *rest).values
        variables[name] = ((*names, *rest), values.reshape(*sizes, *values.shape[1:]), array.attrs)
    coords: dict[Any, Any] = {
        name: array for name, array in sorted_.coords.items() if "run" not in array.dims
    }
    for k, role in enumerate(ROLES):
        coords[role] = _named(role, role, [str(label) for label in axes[k]])
    if swept:
        first = [
            next(m for m, row in zip(members, rows, strict=True) if row[3] == option) for option in axes[3]
        ]
        values_of: dict[str, list[Any]] = {key: [at(one.config, key) for one in first] for key in swept}
        texts = [",".join(f"{key}={short(values_of[key][n])}" for key in swept) for n in range(len(first))]
        coords["option"] = _named("option", "option", texts)
        for key, each in values_of.items():
            coords[key.replace(".", "_")] = _swept("option", key, each)
    attrs = {**dataset.attrs, "run_ids": json.dumps([members[index].attrs["run_id"] for index in order])}
    return xr.Dataset(variables, coords, attrs)
