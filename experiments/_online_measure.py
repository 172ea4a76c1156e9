"""What the cells of the study of online rules measure: learning curves, and alignment of gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr
from _online_plan import FROZEN, LEARNED
from _study import Cell

import throughtime as tt
from throughtime import keys, training
from throughtime.results.flags import flag_attributes
from throughtime.training.record import DIVERGED, TrainingRecord

SETTINGS = (
    "seeds", "num_updates", "batch_size", "learning_rate", "objective", "optimizer", "stop", "carry_state",
    "eval_every", "log_every", "keep",
)  # fmt: skip
WITHIN = "recurrent"
"""The weights whose gradients are compared."""


def run(declared: Mapping[str, Any], **other: Any) -> TrainingRecord:
    """Train as declared."""
    settings = {name: declared[name] for name in SETTINGS if name in declared} | other
    rule = settings.pop("rule", declared["rule"])
    return training.train(declared["task"], declared["circuit"], rule, progress=False, **settings)


def measure(cell: Cell) -> xr.Dataset:
    """The dataset of a cell."""
    return alignment(cell.declared) if cell.labels[0] == "alignment" else curves(cell.declared)


def curves(declared: Mapping[str, Any]) -> xr.Dataset:
    """Loss of a time step (seed, update), in single precision, and which seeds diverged."""
    found = run(declared)
    words = {"units": "1", "long_name": "loss, mean since the last row"}
    diverged = {"units": "1", "long_name": "first update with a non-finite loss, 0 if none"}
    return xr.Dataset(
        {
            "loss": (("seed", "update"), found.curves["loss"].astype(np.float32), words),
            "diverged_at": ("seed", np.where(found.status == DIVERGED, found.diverged_update, 0), diverged),
        },
        {
            "seed": ("seed", found.seeds, {"units": "1", "long_name": "seed"}),
            "update": (
                "update",
                found.update // declared.get("cuts", 1),
                {"units": "1", "long_name": "trials of the stream"},
            ),
        },
    )


def alignment(declared: Mapping[str, Any]) -> xr.Dataset:
    """Cosine of each rule's gradient with the exact one, (option, checkpoint, seed), along one trajectory.

    Gradients are sums over trials that start at rest; the mean over draws where a rule draws. Predictors
    that learn have seen the weights of the checkpoint for ``settle`` updates.
    """
    along, rules = declared["along"], declared["rules"]
    circuit, task = along["circuit"], along["task"]
    trained = run(along)
    num_checkpoints = trained.checkpoint_update.shape[1]
    found = np.full((len(rules), num_checkpoints, len(trained.seeds)), np.nan)
    settled = {
        (label, index): settle(along, rules[label], trained, index, declared["settle"])
        for label in LEARNED
        if label in rules
        for index in range(num_checkpoints)
    }
    for index, place in np.ndindex(found.shape[1:]):
        seed = int(trained.seeds[place])
        root = keys.seed_key(seed, "data")
        each = keys.trial_keys(root, "analysis", index, declared["num_trials"])
        compared = tt.compare_gradients(
            circuit,
            {name: values[place, index] for name, values in trained.params.items()},
            jax.vmap(task.trial)(each),
            rules,
            key=keys.seed_key(seed, "rule"),
            draws=declared["draws"],
            objective=along["objective"],
            states={
                label: {name: values[place] for name, values in state.items()}
                for (label, at), state in settled.items()
                if at == index
            },
        )
        block = tt.results.labels(compared["block"]).index(WITHIN)
        found[:, index, place] = compared["cosine"].isel(block=block).values
    updates = trained.checkpoint_update[0]
    return xr.Dataset(
        {
            "cosine": (
                ("option", "checkpoint", "seed"),
                found,
                {"units": "1", "long_name": "cosine with the exact gradient of the recurrent weights"},
            )
        },
        {
            "option": ("option", np.arange(len(rules)), {"units": "1", **flag_attributes(list(rules))}),
            "checkpoint": ("checkpoint", updates, {"units": "1", "long_name": "trials of the stream"}),
            "seed": ("seed", trained.seeds, {"units": "1", "long_name": "seed"}),
        },
    )


def settle(
    along: Mapping[str, Any], rule: Any, trained: TrainingRecord, index: int, num_updates: int
) -> dict[str, np.ndarray]:
    """State (seed, …) of a rule whose predictors learned beside the weights of a checkpoint."""
    params = {name: values[:, index] for name, values in trained.params.items()}
    still = {"rule": dataclasses.replace(rule, step_size=FROZEN), "learning_rate": 1.0}
    long = {"num_updates": num_updates, "eval_every": num_updates, "log_every": num_updates, "keep": ()}
    found = run(along, params=params, **still, **long)
    return {name: values[:, -1] for name, values in found.rule_state.items()}
