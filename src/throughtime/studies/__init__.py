"""Studies: tasks × circuits × rules × options on many seeds, declared once, run on any number of workers.

A :class:`Study` says what is trained; its folder holds what was found, one file a cell, and takes up where it
was left. See :mod:`throughtime.studies.declaration` and :mod:`throughtime.studies.folder`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# These have the names of their modules, which would take their places if they were imported later.
from throughtime.studies.combine import combine
from throughtime.studies.export import export
from throughtime.studies.statistics import statistics
from throughtime.studies.table import table

if TYPE_CHECKING:
    from throughtime.studies import report
    from throughtime.studies.cells import Outcome, run_cell
    from throughtime.studies.clusters import slurm
    from throughtime.studies.declaration import CircuitPlan, Study, Tuning
    from throughtime.studies.execution import Result, run_study
    from throughtime.studies.failures import CodeError, SchedulerError, StorageError
    from throughtime.studies.folder import Folder
    from throughtime.studies.merge import merge_run
    from throughtime.studies.plans import Cell, RunPlan
    from throughtime.studies.script import command_line
    from throughtime.studies.status import Status

# name -> module that defines it; each is imported when it is first used
_NAMES = {
    "Cell": "plans",
    "CircuitPlan": "declaration",
    "CodeError": "failures",
    "Folder": "folder",
    "Outcome": "cells",
    "Result": "execution",
    "RunPlan": "plans",
    "SchedulerError": "failures",
    "Status": "status",
    "StorageError": "failures",
    "Study": "declaration",
    "Tuning": "declaration",
    "command_line": "script",
    "merge_run": "merge",
    "run_cell": "cells",
    "run_study": "execution",
    "slurm": "clusters",
}

__all__ = [
    "Cell",
    "CircuitPlan",
    "CodeError",
    "Folder",
    "Outcome",
    "Result",
    "RunPlan",
    "SchedulerError",
    "Status",
    "StorageError",
    "Study",
    "Tuning",
    "combine",
    "command_line",
    "export",
    "merge_run",
    "report",
    "run_cell",
    "run_study",
    "slurm",
    "statistics",
    "table",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"throughtime.studies.{_NAMES[name]}"), name)
    if name == "report":
        return importlib.import_module("throughtime.studies.report")
    raise AttributeError(f"module 'throughtime.studies' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
