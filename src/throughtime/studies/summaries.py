"""What a cell found, in a few numbers, read off its file alone: a summary that is lost is made again."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.results import labels
from throughtime.training.record import DIVERGED

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.studies.plans import Cell

COUNTS = ("criterion_update", "diverged_update", "num_updates", "trials_seen", "forward_passes")


def facts(cell: Cell) -> dict[str, Any]:
    """What a cell is: identity, name, kind, labels and seeds."""
    return {
        "identity": cell.identity,
        "name": cell.name,
        "kind": cell.kind,
        "task": cell.task,
        "circuit": cell.circuit,
        "rule": cell.rule,
        "option": cell.option,
        "seeds": cell.seeds,
    }


def summary_of(cell: Cell, tree: xr.DataTree) -> dict[str, Any]:
    """Summary of a cell from its tree, but for the size and hash of the file.

    A cell that trains: per seed how it ended, its counts, ``final_loss`` (on held-out trials, with the final
    weights at rest) and ``final_score`` (the last that was measured), NaN for a seed that diverged. One that
    tunes: step sizes, losses and the size chosen. One that measures: measures that were refused, and why.
    """
    attrs = tree.attrs
    found = {
        **facts(cell),
        "seconds": float(attrs["seconds"]),
        "device_kind": str(attrs.get("device_kind", "unknown")),
        "finished_at": str(attrs["created_at"]),
    }
    return found | READ[cell.kind](cell, tree)


def _trained(cell: Cell, tree: xr.DataTree) -> dict[str, Any]:
    training = tree["training"].to_dataset()
    diverged = training["status"].values == DIVERGED
    losses = json.loads(tree.attrs["held_out_loss"])
    scores = [
        math.nan if lost else _last(row) for lost, row in zip(diverged, training["score"].values, strict=True)
    ]
    rate = json.loads(tree.attrs["config"])["training"]["learning_rate"]
    step = tree.attrs.get("step_size", rate if isinstance(rate, int | float) else math.nan)
    return {
        "status": labels(training["status"]),
        "final_loss": [math.nan if losses[str(seed)] is None else losses[str(seed)] for seed in cell.seeds],
        "final_score": scores,
        **{name: training[name].values.tolist() for name in COUNTS},
        "learning_rate": float(step),
        "run_id": str(tree.attrs["run_id"]),
    }


def _tuned(cell: Cell, tree: xr.DataTree) -> dict[str, Any]:
    tuning = tree["tuning"].to_dataset()
    best = int(tuning.attrs["best"])
    return {
        "step_sizes": tuning["step_size"].values.tolist(),
        "losses": tuning["loss"].values.tolist(),
        "num_diverged": tuning["num_diverged"].values.tolist(),
        "best": best,
        "step_size": float(tuning["step_size"].values[best]),
    }


def _measured(cell: Cell, tree: xr.DataTree) -> dict[str, Any]:
    children = tree["analysis"].children if "analysis" in tree.children else {}
    refusals = {
        str(name): str(node.attrs["refusal"]) for name, node in children.items() if "refusal" in node.attrs
    }
    return {
        "measures": sorted(map(str, children)),
        "refusals": tuple(sorted(refusals.items())),
        "parent_run": str(tree.attrs["parent_run"]),
    }


READ = {"train": _trained, "tune": _tuned, "measure": _measured}


def _last(values: np.ndarray) -> float:
    measured = values[np.isfinite(values)]
    return float(measured[-1]) if measured.size else math.nan
