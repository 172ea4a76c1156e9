"""Small synthetic records: what training and evaluation would hand over, without either."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import xarray as xr

from throughtime.frozen import FrozenArray
from throughtime.results import run_tree
from throughtime.training.record import NEVER, EvaluationRecord, TrainingRecord

SEEDS, UPDATES, CHECKPOINTS = 3, 5, 2
TRIALS, SAMPLES, UNITS, INPUTS, OUTPUTS = 4, 6, 5, 2, 1
TAU = FrozenArray(np.full(UNITS, 100.0, np.float32))


@dataclasses.dataclass(frozen=True)
class ToyTask:
    dt: float = 20.0
    input_names: tuple[str, ...] = ("fixation", "go cue")
    output_names: tuple[str, ...] = ("ramp",)


@dataclasses.dataclass(frozen=True)
class ToyCircuit:
    num_units: int = UNITS
    tau: FrozenArray = TAU


@dataclasses.dataclass(frozen=True)
class ToyRule:
    name: str = "kf_rtrl"
    feedback: str = "random"


def training_record(*, gates: int = 0, **changes: Any) -> TrainingRecord:
    """Seeds 3, 1, 7: criterion reached, budget exhausted, diverged (NaN after update 20)."""
    draw = np.random.default_rng(1)
    gate = (gates,) if gates else ()

    def array(*shape: int) -> np.ndarray:
        return draw.normal(size=(SEEDS, CHECKPOINTS, *shape)).astype(np.float32)

    weights = {
        "recurrent": array(*gate, UNITS, UNITS),
        "input": array(*gate, UNITS, INPUTS),
        "bias": np.zeros((SEEDS, CHECKPOINTS, *gate, UNITS), np.float32),
        "readout": array(OUTPUTS, UNITS),
        "readout_bias": array(OUTPUTS),
        "tau": np.full((SEEDS, CHECKPOINTS, UNITS), 100.0, np.float32),
    }
    weights["recurrent"][2, 1] = np.nan  # the diverged seed
    params = {name: values.copy() for name, values in weights.items() if name != "tau"}
    curves = {
        name: draw.uniform(0.1, 1.0, (SEEDS, UPDATES))
        for name in ("loss", "score", "gradient_norm", "clipped_fraction", "learning_rate")
    }
    for values in curves.values():
        values[0, 4:] = np.nan
        values[2, 2:] = np.nan
    curves["score"][1, 3:] = np.nan  # the score is not measured in every block
    record = TrainingRecord(
        config={
            "task": ToyTask(),
            "circuit": ToyCircuit(),
            "rule": ToyRule(),
            "objective": None,
            "training": {"num_updates": 50, "seeds": (3, 1, 7), "clip": float("inf")},
        },
        seeds=np.array([3, 1, 7]),
        update=np.array([10, 20, 30, 40, 50]),
        curves=curves,
        status=np.array([0, 1, 2]),
        criterion_update=np.array([40, NEVER, NEVER]),
        diverged_update=np.array([NEVER, NEVER, 25]),
        num_updates=np.array([40, 50, 25]),
        trials_seen=np.array([400, 500, 250]),
        forward_passes=np.array([400, 500, 250]),
        checkpoint_update=np.array([[0, 40], [0, 50], [0, 25]]),
        params=params,
        weights=weights,
        rule_state={"rule_feedback": array(UNITS, OUTPUTS)},
        init_sha256={"3": "aa", "1": "bb", "7": "cc"},
        data_sha256={"3": "dd", "1": "ee", "7": "ff"},
    )
    return dataclasses.replace(record, **changes)


def evaluation_record(**changes: Any) -> EvaluationRecord:
    """Four trials a seed; the second epoch is absent from the last trial."""
    draw = np.random.default_rng(2)

    def array(*shape: int) -> np.ndarray:
        return draw.normal(size=(SEEDS, TRIALS, *shape)).astype(np.float32)

    offset = np.full((SEEDS, TRIALS, 2), [60.0, 120.0])
    offset[:, -1] = np.nan
    record = EvaluationRecord(
        dt=20.0,
        seeds=np.array([3, 1, 7]),
        inputs=array(SAMPLES, INPUTS),
        targets=array(SAMPLES, OUTPUTS),
        mask=np.ones((SEEDS, TRIALS, SAMPLES, OUTPUTS), np.float32),
        valid=np.ones((SEEDS, TRIALS, SAMPLES), bool),
        outputs=array(SAMPLES, OUTPUTS),
        rates=array(SAMPLES, UNITS),
        states={"x": array(SAMPLES, UNITS), "adaptation": array(SAMPLES, UNITS)},
        epochs={"sample": np.full((SEEDS, TRIALS, 2), [0.0, 60.0]), "delay": offset},
        conditions={
            "delay": np.tile(np.array([500.0, 1000.0, 500.0, 1000.0], np.float32), (SEEDS, 1)),
            "match": np.tile([True, False, False, True], (SEEDS, 1)),
            "context": np.tile(["motion", "colour map", "motion", "motion"], (SEEDS, 1)),
            "task": np.tile([0, 1, 0, 0], (SEEDS, 1)),
            "choice": np.tile([2, 1, 2, 1], (SEEDS, 1)),
        },
        scores={
            "correct": np.array([[True, False, True, True], [True, True, True, True], [False] * 4]),
            "choice": np.tile([1, 0, 1, 0], (SEEDS, 1)),
            "response_time": array().astype(np.float64),
        },
        input_names=("fixation", "go cue"),
        output_names=("ramp",),
    )
    return dataclasses.replace(record, **changes)


def example_tree(**changes: Any) -> xr.DataTree:
    """A run with evaluation; ``changes`` replace fields of its training record."""
    return run_tree(training_record(**changes), evaluation_record(), command="throughtime train")
