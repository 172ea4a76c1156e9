"""Files as cells of a study write them, with made-up numbers: what is read need not be trained."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jax
import numpy as np
import xarray as xr

from throughtime import training
from throughtime.results import files
from throughtime.results.build import training_dataset
from throughtime.results.checkpoints import checkpoints_dataset
from throughtime.results.flags import flag_attributes
from throughtime.results.provenance import library_attributes, run_attributes
from throughtime.results.schema import attributes
from throughtime.studies import Cell, Folder, Study
from throughtime.studies.plans import combinations
from throughtime.training.record import NEVER, TrainingRecord

EVERY, UPDATES, BATCH = 2, 6, 2
SECONDS = 3.0


def record_of(
    cell: Cell, study: Study, offset: float = 0.0
) -> tuple[TrainingRecord, dict[str, float | None]]:
    """What training of a cell found, and held-out losses: the same for a seed whatever cell it is in.

    Seed 1 reaches the criterion after 4 updates, seed 2 diverges at update 3, others end their budget.
    """
    one = next(one for one in combinations(study) if one.labels == cell.labels)
    rule, settings = one.settings(cell.seeds, 0.01 if one.tuned else None)
    config = training.configuration(one.task, one.circuit, rule, **settings)
    seeds = np.array(cell.seeds)
    update = np.arange(EVERY, UPDATES + 1, EVERY)
    made = np.select([seeds == 1, seeds == 2], [4, 3], UPDATES)
    base = hash_of(*cell.labels) + offset + seeds[:, None] + update / 100
    curves = {
        name: base + 10 * k for k, name in enumerate(("loss", "score", "gradient_norm", "clipped_fraction"))
    }
    curves["learning_rate"] = np.full(base.shape, 0.01)
    for values in curves.values():
        values[update[None] > made[:, None]] = np.nan
    kept = update[: int(np.ceil(made.max() / EVERY))]
    curves = {name: values[:, : kept.size] for name, values in curves.items()}
    found = TrainingRecord(
        config=config, seeds=seeds, update=kept, curves=curves,
        status=np.select([seeds == 1, seeds == 2], [0, 2], 1),
        criterion_update=np.where(seeds == 1, 4, NEVER),
        diverged_update=np.where(seeds == 2, 3, NEVER),
        num_updates=made, trials_seen=BATCH * made, forward_passes=BATCH * made,
        checkpoint_update=np.zeros((seeds.size, 1), int), params={}, weights={}, rule_state={},
        init_sha256={str(seed): "i" for seed in cell.seeds},
        data_sha256={str(seed): "d" for seed in cell.seeds},
    )  # fmt: skip
    losses = {str(seed): None if seed == 2 else float(seed) + 0.5 for seed in cell.seeds}
    return found, losses


def hash_of(*labels: str) -> float:
    """A number for a combination."""
    return float(sum(ord(letter) for letter in "".join(labels)))


def part(cell: Cell, study: Study, **changes: Any) -> xr.DataTree:
    """The file of a cell that trained."""
    found, losses = record_of(cell, study)
    found = dataclasses.replace(found, **changes)
    attrs = run_attributes(
        found.config, dtype="float32", init_sha256=found.init_sha256, data_sha256=found.data_sha256
    )
    attrs |= {
        "kind": "part", "cell": cell.identity, "seconds": SECONDS, "held_out_loss": json.dumps(losses),
        "device_kind": "cpu",
    }  # fmt: skip
    groups = {"/": xr.Dataset(attrs=attrs), "/training": training_dataset(found)}
    if found.params:
        groups["/checkpoints"] = checkpoints_dataset(found)
    return xr.DataTree.from_dict(groups)


def weights(cell: Cell, study: Study) -> dict[str, Any]:
    """Fields of a record: every circuit as it is before training, the same for all rules."""
    one = next(one for one in combinations(study) if one.labels == cell.labels)
    each = [one.circuit.init(key=jax.random.key(seed)) for seed in cell.seeds]
    params = {name: np.stack([np.asarray(params[name]) for params in each])[:, None] for name in each[0]}
    tau = np.broadcast_to(np.float32(one.circuit.dynamics.tau), (len(each), 1, one.circuit.num_units))
    return {"params": params, "weights": {**params, "tau": tau}}


def merge(place: Folder, study: Study, plan: Any, **changes: Any) -> None:
    """What is left of a run whose parts were merged: its file, and the summaries of its cells."""
    whole = Cell("train", *plan.labels, plan.seeds, plan.identity)
    tree = part(whole, study, **changes)
    cells = {cell.identity: {} for cell in plan.cells}
    tree.attrs |= {"kind": "run", "plan": plan.identity, "cells": json.dumps(cells)}
    name = "-".join((*plan.labels, str(tree.attrs["run_id"])))
    files.save(tree, place.path / "runs" / f"{name}.nc")
    for cell in plan.cells:
        place.part_path(cell).unlink()


def measured(cell: Cell, groups: dict[str, xr.Dataset], conditions: tuple[str, ...] = ()) -> xr.DataTree:
    """The file of a cell that measured."""
    attrs = {**library_attributes("analysis"), "parent_run": "0" * 16, "cell": cell.identity, "seconds": 1.0}
    tree = {"/": xr.Dataset(attrs=attrs)}
    if groups:
        tree["/analysis"] = xr.Dataset()
        tree |= {f"/analysis/{name}": data for name, data in groups.items()}
    if conditions:
        values = np.array(cell.seeds)[:, None] + np.arange(len(conditions)) / 10
        variables = {
            name: (("seed", "condition"), values * sign, attributes(name))
            for name, sign in (("score", 1), ("loss", -1))
        }
        told = attributes("condition", **flag_attributes(conditions))
        coords = {
            "seed": ("seed", np.array(cell.seeds), attributes("seed")),
            "condition": ("condition", np.arange(len(conditions)), told),
        }
        tree["/evaluations"] = xr.Dataset(variables, coords)
    return xr.DataTree.from_dict(tree)


def measure(seeds: tuple[int, ...], size: int = 2, start: int = 0, **attrs: Any) -> xr.Dataset:
    """What a measure found: floats, integers, flags, and one variable along a dim of its own."""
    number = np.arange(len(seeds), dtype=float) + start
    status = {"units": "1", "long_name": "status", **flag_attributes(["fine", "lost"])}
    plain = {"units": "1", "long_name": "number"}
    return xr.Dataset(
        {
            "ratio": ("seed", number, plain),
            "count": ("seed", number.astype(int), plain),
            "status": ("seed", (number % 2).astype(np.int8), status),
            "share": (("component", "seed"), number + np.arange(size)[:, None] / 10, plain),
            "constant": ("component", np.arange(size, dtype=float), plain),
        },
        {
            "seed": ("seed", np.array(seeds), attributes("seed")),
            "component": ("component", np.arange(size), attributes("component")),
        },
        {"method": "pca", "version": 1, "params": "{}", "input_sha256": str(start), **attrs},
    )
