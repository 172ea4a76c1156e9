"""Results as files that say what they hold and where they came from.

A run is one immutable ``xarray.DataTree``: ``/training``, ``/checkpoints``, ``/evaluation``,
``/behaviour``. :func:`run_tree` builds it, :func:`validate` judges it, :func:`save` and :func:`load` carry
it to netCDF4 or zarr and back.
"""

from throughtime.results.build import run_tree
from throughtime.results.checkpoints import params_of, rule_state_of
from throughtime.results.content import content_sha256
from throughtime.results.errors import ResultsError
from throughtime.results.evaluation import evaluation_dataset
from throughtime.results.examples import example_trials, perfect_trials
from throughtime.results.export import export_numpy
from throughtime.results.files import load as load_tree
from throughtime.results.flags import labels
from throughtime.results.run import Run, load, save
from throughtime.results.validate import Problem, validate

__all__ = [
    "Problem",
    "ResultsError",
    "Run",
    "content_sha256",
    "evaluation_dataset",
    "example_trials",
    "export_numpy",
    "labels",
    "load",
    "load_tree",
    "params_of",
    "perfect_trials",
    "rule_state_of",
    "run_tree",
    "save",
    "validate",
]
