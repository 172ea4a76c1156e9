"""Finished parts become the file of their run: the same tree as one training of all seeds gives."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime import results, training
from throughtime.results import run_tree
from throughtime.studies import files
from throughtime.studies.parts import (
    evaluation_record,
    join_evaluations,
    join_training,
    training_record,
)
from throughtime.studies.plans import Cell, RunPlan, combinations

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.studies.folder import Folder
    from throughtime.studies.plans import Combination

OF_CELLS = ("seconds", "device_kind", "created_at", "held_out_loss", "step_size", "run_id")
BY_SEED = ("init_sha256", "data_sha256")
"""Attributes of a run that have an entry for every seed."""


def merge_run(folder: str | os.PathLike[str], identity: str, keep_parts: bool = False) -> str:
    """Merge the parts of one run of the study that is declared in a folder; its file.

    Args:
        folder: of the study. identity: of the run (``RunPlan.identity``).
        keep_parts: leave the parts where they are.

    Raises:
        ValueError: for a run that is not declared, or whose cells are not all done.
        StorageError: where the disk is full or the folder cannot be written.
    """
    from throughtime.studies.folder import Folder

    place = Folder(folder)
    plans = [plan for plan in place.declared().runs.values() if plan.identity == identity]
    if not plans:
        raise ValueError(f"study: no run {identity[:12]} is declared in {place.path.name}.")
    return str(place.merge(plans[0], keep_parts=keep_parts))


def merge(place: Folder, plan: RunPlan, keep_parts: bool = False) -> Path:
    """The file of a run, made of its parts where it is not there yet; see :func:`merge_run`.

    The parts are removed when the file is there. What their cells found in short stays.
    """
    path = place.run_path(plan) or _found_again(place, plan)
    if path is None:
        try:
            parts = [_part(place, cell) for cell in plan.cells]
        except results.ResultsError:  # another process was faster, and the parts are gone
            path = place.run_path(plan)
            if path is None:
                raise
        else:
            path = _written(place, plan, parts)
    if not keep_parts:
        for cell in plan.cells:
            if (place.path / "cells" / f"{cell.name}.json").exists():
                files.remove(place.part_path(cell))
    return path


def open_run(place: Folder, plan: RunPlan) -> xr.DataTree | None:
    """A run as far as it is there: its file, or its parts as one tree; None where no cell of it is done."""
    path = place.run_path(plan)
    if path is not None:
        return results.load_tree(path)
    found = [(cell, _found(place, cell)) for cell in plan.cells]
    there = [(cell, tree) for cell, tree in found if tree is not None]
    return merged(place, plan, there) if there else None


def merged(place: Folder, plan: RunPlan, parts: list[tuple[Cell, xr.DataTree]]) -> xr.DataTree:
    """The tree of a run from the trees of some of its cells, in the order of its seeds."""
    declared = place.declared(plan.cells[0].identity)
    one = next(one for one in combinations(declared.study) if one.labels == plan.labels)
    step = parts[0][1].attrs.get("step_size")
    seeds = tuple(seed for cell, _ in parts for seed in cell.seeds)
    whole = _config(one, seeds, step)
    records = [training_record(tree, _config(one, cell.seeds, step)) for cell, tree in parts]
    tests = [evaluation_record(tree, one.task, whole["circuit"]) for _, tree in parts]
    told = [test for test in tests if test is not None]
    tree = run_tree(
        join_training(records, whole), join_evaluations(told) if told else None, command=declared.command
    )
    tree.attrs |= _about(place, plan, parts)
    return tree


def _config(one: Combination, seeds: tuple[int, ...], step: float | None) -> dict[str, Any]:
    rule, settings = one.settings(seeds, step)
    return training.configuration(one.task, one.circuit, rule, **settings)


def _about(place: Folder, plan: RunPlan, parts: list[tuple[Cell, xr.DataTree]]) -> dict[str, Any]:
    """Root attributes that tell of the parts: where they were made, and what their summaries are made of."""
    trees = [tree for _, tree in parts]
    losses: dict[str, Any] = {}
    for tree in trees:
        losses |= json.loads(tree.attrs["held_out_loss"])
    cells = {cell.identity: _told(place, cell, tree) for cell, tree in parts}
    about = {
        "plan": plan.identity,
        "device_kind": ", ".join(sorted({str(tree.attrs["device_kind"]) for tree in trees})),
        "deterministic": min(int(tree.attrs["deterministic"]) for tree in trees),
        "seconds": float(sum(tree.attrs["seconds"] for tree in trees)),
        "held_out_loss": json.dumps(losses),
        "cells": json.dumps(cells),
    }
    if "step_size" in trees[0].attrs:
        about["step_size"] = trees[0].attrs["step_size"]
    return about


def _told(place: Folder, cell: Cell, tree: xr.DataTree) -> dict[str, Any]:
    """What a run keeps of a part, beside its arrays."""
    if "cells" in tree.attrs:  # it lies in a run of fewer or other seeds
        known: dict[str, Any] = json.loads(str(tree.attrs["cells"]))[cell.identity]
        return known
    return {
        **{name: tree.attrs[name] for name in OF_CELLS if name in tree.attrs},
        "content_sha256": results.content_sha256(tree),
        "bytes": _size(place.part_path(cell)),
    }


def _part(place: Folder, cell: Cell) -> tuple[Cell, xr.DataTree]:
    path = place.part_path(cell)
    if not path.exists() and place.summary(cell) is None:
        raise ValueError(f"study: {cell.name} is not done; run it before its run is merged.")
    tree = _found(place, cell)
    return cell, results.load_tree(path) if tree is None else tree  # which says what is not there


def _found(place: Folder, cell: Cell) -> xr.DataTree | None:
    """The part of a cell: its file, or its seeds in a run it was merged into; None where it is not done."""
    path = place.part_path(cell)
    if not path.exists():
        return _within(place, cell)
    tree = results.load_tree(path)
    if tree.attrs.get("cell") != cell.identity:
        raise ValueError(
            f"study: {path.name} is the part of another cell; remove it, and run the study again."
        )
    return tree


def _within(place: Folder, cell: Cell) -> xr.DataTree | None:
    """The seeds of a cell in a run that it was merged into, of this declaration or of one before it."""
    for path in _runs_with(place, cell):
        _, cells = files.told_of_run(path)
        if cell.identity in cells:
            tree = results.load_tree(path)
            part = tree.sel(seed=list(cell.seeds))
            of_seeds = {name: _of(cell.seeds, str(tree.attrs[name])) for name in BY_SEED}
            part.attrs = {**tree.attrs, **cells[cell.identity], **of_seeds}
            return part
    return None


def _runs_with(place: Folder, cell: Cell) -> Iterator[Path]:
    """Files of runs that may hold a cell: its plan's, and any of its labels if the study was another."""
    plan = place.declared(cell.identity).runs.get(cell.labels)
    path = None if plan is None else place.run_path(plan)
    if path is not None:
        yield path
    if files.names(place.path / "history"):
        prefix = "-".join(cell.labels) + "-"
        for name in files.names(place.path / "runs", ".nc"):
            if name.startswith(prefix):
                yield place.path / "runs" / name


def _of(seeds: tuple[int, ...], told: str) -> str:
    """What is told of these seeds, as JSON by seed."""
    known = json.loads(told)
    return json.dumps({str(seed): known[str(seed)] for seed in seeds})


def _written(place: Folder, plan: RunPlan, parts: list[tuple[Cell, xr.DataTree]]) -> Path:
    tree = merged(place, plan, parts)
    name = "-".join((*plan.labels, str(tree.attrs["run_id"])))
    room = place.path / "runs"
    with files.storage():
        path = room / f"{name}.nc"
        if not files.write_once(tree, path) and not _same(path, tree):
            # the same configuration gave other numbers with code as it was before
            path = room / f"{name}-{plan.identity[:12]}.nc"
            if not files.write_once(tree, path) and not _same(path, tree):
                raise ValueError(f"study: {path.name} is there with other content; move it away.")
        _note(place, plan, path, tree)
    return path


def _note(place: Folder, plan: RunPlan, path: Path, tree: xr.DataTree) -> None:
    files.write_json(
        place.path / "runs" / f"{plan.name}.json",
        {
            "identity": plan.identity,
            "file": path.name,
            "run_id": tree.attrs["run_id"],
            "content_sha256": results.content_sha256(tree),
            "bytes": path.stat().st_size,
        },
    )


def _same(path: Path, tree: xr.DataTree) -> bool:
    there = results.load_tree(path)
    return results.content_sha256(there) == results.content_sha256(tree)


def _found_again(place: Folder, plan: RunPlan) -> Path | None:
    """The file of a run whose note was lost."""
    prefix = "-".join(plan.labels) + "-"
    for name in files.names(place.path / "runs", ".nc"):
        if not name.startswith(prefix) or all(place.part_path(cell).exists() for cell in plan.cells):
            continue
        tree = results.load_tree(place.path / "runs" / name)
        if tree.attrs.get("plan") == plan.identity:
            path = place.path / "runs" / name
            with files.storage():
                _note(place, plan, path, tree)
            return path
    return None


def rebuilt(place: Folder, cell: Cell) -> tuple[xr.DataTree, dict[str, Any]] | None:
    """What is left of a cell's part once that is merged: enough of it for its summary; its hash and size."""
    part = _within(place, cell)
    if part is None:
        return None
    told = _told(place, cell, part)
    return part, {name: told[name] for name in ("content_sha256", "bytes")}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
