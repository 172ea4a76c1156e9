"""From the tree of a run back to the plain records that it was made of, bit for bit."""

from __future__ import annotations

import json
from typing import Any

import jax
import numpy as np
import xarray as xr

from throughtime.results import labels
from throughtime.results.schema import stored_name
from throughtime.training.record import EvaluationRecord, TrainingRecord

CURVES = ("loss", "gradient_norm", "clipped_fraction", "learning_rate", "score")
COUNTS = ("criterion_update", "diverged_update", "num_updates", "trials_seen", "forward_passes")
WEIGHTS = ("recurrent", "input", "bias", "readout", "readout_bias", "tau")


def training_record(tree: xr.DataTree, config: dict[str, Any]) -> TrainingRecord:
    """What training found.

    Args:
        tree: of a run or a part.
        config: its configuration, with objects.
    """
    training, kept = tree["training"].to_dataset(), tree["checkpoints"].to_dataset()
    circuit, rule = config["circuit"], config["rule"]

    def begun(key: Any) -> Any:
        return rule.init(circuit, circuit.init(key=key), key=key)

    held = {}
    for name in jax.eval_shape(begun, jax.random.key(0)):
        held[name] = f"rule_{name}" if f"rule_{name}" in kept else stored_name(name)
    free = {
        name: f"free_{name}" if f"free_{name}" in kept else stored_name(name)
        for name in json.loads(kept.attrs["parameters"])
    }
    names = (*WEIGHTS, "output_feedback") if circuit.output_feedback else WEIGHTS
    shaped = "stage_update" in training
    return TrainingRecord(
        config=config,
        seeds=training["seed"].values,
        update=training["update"].values,
        curves={name: training[name].values for name in CURVES},
        status=training["status"].values,
        **{name: training[name].values for name in COUNTS},
        checkpoint_update=kept["checkpoint_update"].values,
        params={name: _whole(kept[stored]) for name, stored in free.items()},
        weights={name: _whole(kept[stored_name(name)]) for name in names},
        rule_state={name: _whole(kept[stored]) for name, stored in held.items()},
        init_sha256=json.loads(tree.attrs["init_sha256"]),
        data_sha256=json.loads(tree.attrs["data_sha256"]),
        stage=training["current_stage"].values if shaped else None,
        stage_update=training["stage_update"].values if shaped else None,
    )


def evaluation_record(tree: xr.DataTree, task: Any, circuit: Any) -> EvaluationRecord | None:
    """Test trials at the end of training, or None where there were none."""
    if "evaluation" not in tree.children:
        return None
    data = tree["evaluation"].to_dataset()
    trial = jax.eval_shape(task.trial, jax.random.key(0))
    scores = jax.eval_shape(task.score, trial.targets, trial)

    def per_trial(kind: str, like: dict[str, Any]) -> dict[str, np.ndarray]:
        stored = {name: f"{name}_{kind}" if f"{name}_{kind}" in data else name for name in like}
        return {name: data[stored[name]].values.astype(like[name].dtype) for name in like}

    states = labels(data["state"]) if "state" in data.coords else []
    edges = [data[name].values for name in ("epoch_onset", "epoch_offset")] if trial.epochs else []
    return EvaluationRecord(
        dt=float(task.dt),
        seeds=data["seed"].values,
        **{name: data[name].values for name in ("inputs", "targets", "mask", "outputs", "rates")},
        valid=data["valid"].values.astype(bool),
        states={name: data["states"].values[:, :, :, index] for index, name in enumerate(states)},
        epochs={
            name: np.stack([edge[..., index] for edge in edges], axis=-1)
            for index, name in enumerate(trial.epochs)
        },
        conditions=per_trial("condition", trial.conditions),
        scores=per_trial("score", scores),
        input_names=tuple(task.input_names),
        output_names=tuple(task.output_names),
        circuit=circuit,
    )


def join_training(parts: list[TrainingRecord], config: dict[str, Any]) -> TrainingRecord:
    """Records of some seeds each as the record of all, as if they had been trained together.

    Where all seeds of one part were done before those of another, its curves go on as NaN and its checkpoints
    with its final weights, which is what those of a seed that is done look like.

    Args:
        parts: of trainings that differ in their seeds only.
        config: configuration of all seeds.
    """
    longest = max((part.update for part in parts), key=len)
    rows, columns = len(longest), max(part.checkpoint_update.shape[1] for part in parts)

    def series(values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([_lengthened(one, rows, np.nan) for one in values])

    def kept(values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([_lengthened(one, columns, None) for one in values])

    def each(name: str) -> dict[str, np.ndarray]:
        found = [getattr(part, name) for part in parts]
        return {key: kept([one[key] for one in found]) for key in found[0]}

    def plain(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    shaped = parts[0].stage is not None
    return TrainingRecord(
        config=config,
        seeds=plain("seeds"),
        update=longest,
        curves={name: series([part.curves[name] for part in parts]) for name in parts[0].curves},
        status=plain("status"),
        **{name: plain(name) for name in COUNTS},
        checkpoint_update=kept([part.checkpoint_update for part in parts]),
        params=each("params"),
        weights=each("weights"),
        rule_state=each("rule_state"),
        init_sha256={seed: digest for part in parts for seed, digest in part.init_sha256.items()},
        data_sha256={seed: digest for part in parts for seed, digest in part.data_sha256.items()},
        stage=np.concatenate([_lengthened(part.stage, rows, None) for part in parts]) if shaped else None,
        stage_update=plain("stage_update") if shaped else None,
    )


def join_evaluations(parts: list[EvaluationRecord]) -> EvaluationRecord:
    """Test trials of some seeds each as those of all."""
    first = parts[0]
    arrays = ("seeds", "inputs", "targets", "mask", "valid", "outputs", "rates")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays
    }
    for name in ("states", "epochs", "conditions", "scores"):
        keys = getattr(first, name)
        joined[name] = {key: np.concatenate([getattr(part, name)[key] for part in parts]) for key in keys}
    return EvaluationRecord(
        dt=first.dt,
        **joined,
        input_names=first.input_names,
        output_names=first.output_names,
        circuit=first.circuit,
    )


def _whole(variable: xr.DataArray) -> np.ndarray:
    """Array (seed, checkpoint, …) in the shape it had before it was stored flat."""
    values = variable.values
    if "shape" not in variable.attrs:
        return values
    shape = json.loads(variable.attrs["shape"])
    return values[..., : int(np.prod(shape))].reshape(*values.shape[:2], *shape)


def _lengthened(values: Any, length: int, fill: float | None) -> np.ndarray:
    """Array with its second axis continued by a number, or by its last entry."""
    missing = length - values.shape[1]
    if not missing:
        return np.asarray(values)
    more = np.repeat(values[:, -1:], missing, axis=1)
    if fill is not None:
        more = np.full_like(more, fill)
    return np.concatenate([values, more], axis=1)
