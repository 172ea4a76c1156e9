"""From the plain records of training and evaluation to the tree of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from throughtime.results.checkpoints import checkpoints_dataset
from throughtime.results.errors import ResultsError
from throughtime.results.evaluation import behaviour_dataset, evaluation_dataset
from throughtime.results.flags import flag_attributes
from throughtime.results.provenance import run_attributes
from throughtime.results.schema import attributes
from throughtime.training.record import STATUS_MEANINGS, EvaluationRecord, TrainingRecord

COUNTS = ("criterion_update", "diverged_update", "num_updates", "trials_seen", "forward_passes")


def run_tree(
    record: TrainingRecord, evaluation: EvaluationRecord | None = None, *, command: str | None = None
) -> xr.DataTree:
    """The tree of a run: ``/training``, ``/checkpoints`` and, of evaluated circuits, ``/evaluation`` and
    ``/behaviour``; the root holds attributes only.

    Args:
        record: what training found, for all seeds.
        evaluation: held-out trials of the same seeds in the same order.
        command: command line that made the run; absolute paths in it are cut to their last part.

    Raises:
        ResultsError: if training and evaluation have different seeds.
    """
    names = _channel_names(record, evaluation)
    groups = {
        "/": xr.Dataset(attrs=_root(record, command)),
        "/training": training_dataset(record),
        "/checkpoints": checkpoints_dataset(record, input_names=names[0], output_names=names[1]),
    }
    if evaluation is not None:
        if not np.array_equal(record.seeds, evaluation.seeds):
            raise ResultsError(
                f"run_tree: evaluation has seeds {np.asarray(evaluation.seeds).tolist()}, training has "
                f"{np.asarray(record.seeds).tolist()}; evaluate the same seeds in the same order."
            )
        groups["/evaluation"] = evaluation_dataset(evaluation)
        groups["/behaviour"] = behaviour_dataset(evaluation, groups["/evaluation"])
    return xr.DataTree.from_dict(groups)


def training_dataset(record: TrainingRecord) -> xr.Dataset:
    """Group ``/training``: curves (seed, update) in float64, and how each seed ended (seed).

    With a curriculum also the stage of every row, and when each stage began (seed, stage).
    """
    variables: dict[str, Any] = {
        name: (("seed", "update"), np.asarray(values, dtype=np.float64), attributes(name))
        for name, values in record.curves.items()
    }
    status = attributes("status", **flag_attributes(STATUS_MEANINGS))
    variables["status"] = ("seed", np.asarray(record.status), status)
    for name in COUNTS:
        variables[name] = ("seed", np.asarray(getattr(record, name)), attributes(name))
    coords = {
        "seed": ("seed", np.asarray(record.seeds), attributes("seed")),
        "update": ("update", np.asarray(record.update), attributes("update")),
    }
    if record.stage_update is not None:
        variables["current_stage"] = (
            ("seed", "update"), np.asarray(record.stage), attributes("current_stage")
        )  # fmt: skip
        variables["stage_update"] = (("seed", "stage"), record.stage_update, attributes("stage_update"))
        coords["stage"] = ("stage", np.arange(record.stage_update.shape[1]), attributes("stage"))
    return xr.Dataset(variables, coords)


def _root(record: TrainingRecord, command: str | None) -> dict[str, Any]:
    floats = [values.dtype for values in record.params.values() if values.dtype.kind == "f"]
    return run_attributes(
        record.config,
        dtype=str(np.result_type(*floats)) if floats else "none",
        init_sha256=record.init_sha256,
        data_sha256=record.data_sha256,
        command=command,
    )


def _channel_names(
    record: TrainingRecord, evaluation: EvaluationRecord | None
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    source = evaluation if evaluation is not None else record.config.get("task")
    return getattr(source, "input_names", None), getattr(source, "output_names", None)
