"""Results as files that say what they hold and where they came from.

A run is one immutable ``xarray.DataTree``: ``/training``, ``/checkpoints``, ``/evaluation``,
``/behaviour``. :func:`run_tree` builds it, :func:`validate` judges it, :func:`save` and :func:`load` carry
it to netCDF4 or zarr and back. What needs a circuit, and so JAX, is imported when it is first used: a file
is opened, judged and shown without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from throughtime.results.combine import combine, study_tree
from throughtime.results.content import content_sha256
from throughtime.results.errors import ResultsError
from throughtime.results.files import load as load_tree
from throughtime.results.flags import labels
from throughtime.results.validate import Problem, validate

if TYPE_CHECKING:
    from throughtime.results.build import run_tree
    from throughtime.results.checkpoints import params_of, rule_state_of
    from throughtime.results.evaluation import evaluation_dataset
    from throughtime.results.examples import example_trials, perfect_trials
    from throughtime.results.export import export_brian2, export_numpy
    from throughtime.results.run import Run, load, save

_NAMES = {
    "Run": "run",
    "evaluation_dataset": "evaluation",
    "example_trials": "examples",
    "export_brian2": "export",
    "export_numpy": "export",
    "load": "run",
    "params_of": "checkpoints",
    "perfect_trials": "examples",
    "rule_state_of": "checkpoints",
    "run_tree": "build",
    "save": "run",
}

__all__ = [
    "Problem",
    "ResultsError",
    "Run",
    "combine",
    "content_sha256",
    "evaluation_dataset",
    "example_trials",
    "export_brian2",
    "export_numpy",
    "labels",
    "load",
    "load_tree",
    "params_of",
    "perfect_trials",
    "rule_state_of",
    "run_tree",
    "save",
    "study_tree",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"throughtime.results.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'throughtime.results' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
