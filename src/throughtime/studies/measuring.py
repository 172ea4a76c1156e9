"""Measures of a run that is complete, and what its circuits score in other conditions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from throughtime import results, training
from throughtime.comparison.held_out import held_out_losses
from throughtime.measures import analyse
from throughtime.objectives import SquaredError
from throughtime.results.content import local_datasets
from throughtime.results.flags import flag_attributes
from throughtime.results.provenance import library_attributes, strip_paths
from throughtime.results.schema import attributes
from throughtime.studies.plans import changed_task
from throughtime.training.record import DIVERGED

if TYPE_CHECKING:
    from throughtime.results import Run
    from throughtime.studies.declaration import Study
    from throughtime.studies.plans import Combination

KEPT = ("/analysis", "/evaluations")


def measured(path: Path, study: Study, one: Combination, command: str | None = None) -> xr.DataTree:
    """Tree of kind ``analysis`` with the groups ``/analysis/<measure>`` and ``/evaluations``.

    Args:
        path: of the run. study, one: what it belongs to.
        command: the command line to cite.
    """
    run = results.load(path)
    groups: dict[str, xr.Dataset] = {}
    if study.measures:
        found = analyse(run, study.measures, num_trials=study.measure_trials)
        groups = {where: data for where, data in local_datasets(found.tree) if where.startswith(KEPT)}
    evaluated = evaluations(run, study, one)
    if evaluated is not None:
        groups["/evaluations"] = evaluated
    attrs: dict[Any, Any] = dict(run.tree.attrs)
    attrs |= {**library_attributes("analysis"), "parent_run": attrs["run_id"]}
    for name in ("cells", "held_out_loss", "plan"):
        attrs.pop(name, None)
    if command is not None:
        attrs["command"] = strip_paths(command)
    groups["/"] = xr.Dataset(attrs=attrs)
    return xr.DataTree.from_dict(groups)


def evaluations(run: Run, study: Study, one: Combination) -> xr.Dataset | None:
    """``score`` (fraction correct, catch trials apart) and ``loss`` (seed, condition) on held-out trials, NaN
    for a seed that diverged; ``condition`` is the evaluation. None where none is declared for the task.
    """
    tasks = {label: changed_task(one.task, fields) for label, fields in study.evaluations}
    tasks = {label: task for label, task in tasks.items() if task is not None}
    if not tasks:
        return None
    config, seeds = run.config["training"], run.seeds
    every = [run.params(seed) for seed in seeds]
    params = {name: np.stack([params[name] for params in every]) for name in every[0]}
    status = run.tree["training/status"].values
    common: dict[str, Any] = {
        "data_seeds": config["data_seeds"],
        "carry_state": bool(config.get("carry_state")),
    }
    scores, losses = [], []
    for task in tasks.values():
        record = training.evaluate(
            task, run.circuit, params, seeds=seeds, num_trials=study.test_trials or 64, **common
        )
        correct = np.asarray(record.scores["correct"], float)
        catch = np.asarray(record.conditions.get("catch", np.zeros(correct.shape)), bool)
        count = (~catch).sum(1)
        right = np.where(catch, 0, correct).sum(1)
        score = np.divide(right, count, out=np.full(count.shape, np.nan), where=count > 0)
        scores.append(np.where(status == DIVERGED, np.nan, score))
        objective = run.config.get("objective") or SquaredError()
        losses.append(held_out_losses(task, run.circuit, objective, params, status=status, **common))
    dims = ("seed", "condition")
    return xr.Dataset(
        {
            "score": (dims, np.stack(scores, 1), attributes("score")),
            "loss": (dims, np.stack(losses, 1), attributes("loss", long_name="loss on held-out trials")),
        },
        {
            "seed": ("seed", np.asarray(seeds), attributes("seed")),
            "condition": (
                "condition",
                np.arange(len(tasks)),
                attributes("condition", long_name="evaluation", **flag_attributes(list(tasks))),
            ),
        },
    )
