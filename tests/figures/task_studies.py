"""A record of a few tasks with made-up numbers, as the experiment would write it."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import xarray as xr

from throughtime.cli.scripts import imported

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "evidence.py") as study:
    recording = importlib.import_module("_task_record")

NAMES = ("cue-set-go", "delayed-match-to-sample", "evidence-accumulation", "sine-generation", "ready-set-go")


def trained(cell, num_trials: int) -> xr.Dataset:
    """How training of a cell ended, and what its circuits did."""
    g = np.random.default_rng(cell.index)
    num_seeds = len(cell.seeds)
    shape = (num_seeds, num_trials)
    level = recording.level_of(cell) * np.ones(shape)
    graded = g.integers(-3, 4, shape).astype(float)
    interval = level if cell.name == "sine-generation" else g.choice([600.0, 800.0, 1000.0], shape)
    made = {
        "interval": interval,
        "produced": interval * (1 + 0.05 * g.standard_normal(shape)),
        "group": g.integers(0, 2, shape).astype(float),
        "level": g.choice([500.0, 1000.0], shape),
        "correct": (g.random(shape) < 0.9).astype(float),
        "stimulus": graded,
        "choice": (graded + g.standard_normal(shape) > 0).astype(float),
    }
    arguments = [argument for argument, _ in cell.task.signature.variables]
    updates = np.where(cell.index < 2, 100, -1) * np.ones(num_seeds, int)
    columns = {"num_updates": abs(updates), "criterion_update": updates, "status": (updates < 0).astype(int)}
    columns |= {
        name: 0.5 + 0.1 * g.random(num_seeds) for name in ("score", "loss", "measure", "training_time")
    }
    return xr.Dataset(
        {name: ("seed", values) for name, values in columns.items()}
        | {name: (("seed", "trial"), made[name].astype(np.float32), {"units": "1"}) for name in arguments}
    )


def ceiling(cell) -> xr.Dataset:
    """What untrained circuits reach: enough at the first value, less at others."""
    reached = np.full((3, 2), int(cell.index == 0))
    return xr.Dataset(
        {
            "ceiling": (("option", "draw"), 0.5 + 0.4 * reached),
            "ceiling_reached": (("option", "draw"), reached),
            "ceiling_time": 1.0,
        }
    )


def tasks(seeds: int, trials: int, units: int) -> xr.DataTree:
    """The record, one ceiling and one value of a task missing."""
    cells = [cell for cell in study.cells(only=NAMES) if cell.part != "probe"]
    left_out = {("levels", "cue-set-go", 2), ("ceiling", "sine-generation", 1)}
    found = {
        cell: ceiling(cell) if cell.part == "ceiling" else trained(cell, trials)
        for cell in cells
        if (cell.part, cell.name, cell.index) not in left_out
    }
    return recording.Record(cells, found).tree()
