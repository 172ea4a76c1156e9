"""The one function that workers execute: a cell of a study, from its identity to its file."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime import api
from throughtime.comparison.held_out import held_out_losses
from throughtime.comparison.study import Study as Shared
from throughtime.objectives import SquaredError
from throughtime.results import params_of
from throughtime.studies.failures import storage_error
from throughtime.studies.folder import Declared, Folder
from throughtime.studies.plans import Cell, Combination, combinations
from throughtime.studies.tuned import tuning_tree

if TYPE_CHECKING:
    import xarray as xr

DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Outcome:
    """How a cell ended.

    Attributes:
        identity: of the cell.
        status: ``"done"`` or ``"failed"``.
        record: its summary, or what went wrong.
        computed: whether it was computed now; False for one that was done already.
    """

    identity: str
    status: str
    record: dict[str, Any]
    computed: bool


def run_cell(folder: str | os.PathLike[str], identity: str) -> Outcome:
    """Do one cell of the study that is declared in a folder, unless it is done.

    Training resumes from the state that another process left of the same cell.

    Args:
        folder: of the study. identity: of the cell.

    Returns:
        an :class:`Outcome`; a cell that raises is recorded with its reason and does not raise here.

    Raises:
        StorageError: where the disk is full or the folder cannot be written.
        CodeError: where this process has other code than the one that declared the study.
        ValueError: for a cell that no declaration of the folder has.
    """
    place = Folder(folder)
    declared = place.declared(identity)
    cell = declared.cells[identity]
    if (summary := place.summary(cell)) is not None:
        return Outcome(identity, DONE, summary, False)
    scratch, done, began = place.begin(cell), False, time.perf_counter()
    try:
        tree = WORK[cell.kind](place, declared, cell, scratch)
        tree.attrs |= {"cell": cell.identity, "seconds": time.perf_counter() - began}
        summary, done = place.write_part(cell, tree), True
        return Outcome(identity, DONE, summary, True)
    except Exception as error:
        if (stop := storage_error(error, place.path)) is not None:
            raise stop from error
        if (summary := place.summary(cell)) is not None:  # another process was faster, and tidied up
            return Outcome(identity, DONE, summary, False)
        return Outcome(identity, FAILED, place.fail(cell, error, time.perf_counter() - began), True)
    finally:
        place.end(cell, scratch, done)


def combination(declared: Declared, cell: Cell) -> Combination:
    """The objects a cell is about."""
    return next(one for one in combinations(declared.study) if one.labels == cell.labels)


def train(place: Folder, declared: Declared, cell: Cell, scratch: Path) -> xr.DataTree:
    """The tree of a run of the cell's seeds, as ``tt.train`` gives it."""
    one = combination(declared, cell)
    step = None
    if cell.needs:
        tune = place.summary(declared.cells[cell.needs[0]])
        if tune is None:
            raise ValueError("cell: its step size is not found yet; run the cells it needs first.")
        step = tune["step_size"]
    rule, settings = one.settings(cell.seeds, step)
    tree = api.train(
        one.task, one.circuit, rule, test_trials=declared.study.test_trials, command=declared.command,
        checkpoint=scratch / "state.npz", progress=False, **settings,
    ).tree  # fmt: skip
    each = [params_of(tree, seed) for seed in cell.seeds]
    losses = held_out_losses(
        one.task,
        one.circuit,
        settings.get("objective") or SquaredError(),
        {name: np.stack([params[name] for params in each]) for name in each[0]},
        data_seeds=json.loads(tree.attrs["config"])["training"]["data_seeds"],
        status=tree["training/status"].values,
        carry_state=settings.get("carry_state", False),
    )
    told = [float(loss) if np.isfinite(loss) else None for loss in losses]
    tree.attrs |= {
        "kind": "part",
        "held_out_loss": json.dumps(dict(zip(map(str, cell.seeds), told, strict=True))),
    }
    if step is not None:
        tree.attrs["step_size"] = step
    return tree


def tune(place: Folder, declared: Declared, cell: Cell, scratch: Path) -> xr.DataTree:
    """What every step size came to on the tuning seeds, as a tree."""
    one, study = combination(declared, cell), declared.study
    if study.tuning is None:
        raise ValueError("cell: the study has no tuning; declare it again.")
    grid = study.tuning.grids(label for label, _ in study.rules)[cell.rule]
    shared = Shared(one.task, one.circuit, one.common, one.match, scratch, False)
    found = shared.tune(one.rule, "state", grid, cell.seeds, study.tuning.num_updates)
    return tuning_tree(found, one, study.tuning, declared.command)


def measure(place: Folder, declared: Declared, cell: Cell, scratch: Path) -> xr.DataTree:
    """Measures and evaluations of a run that is complete; it is merged first where it is not."""
    from throughtime.studies.measuring import measured

    path = place.merge(declared.runs[cell.labels])
    return measured(path, declared.study, combination(declared, cell), declared.command)


WORK = {"train": train, "tune": tune, "measure": measure}
