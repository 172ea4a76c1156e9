"""Circuits of every kind, and records as if each had been trained."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from tests.results.records import (
    CHECKPOINTS,
    INPUTS,
    OUTPUTS,
    SAMPLES,
    SEEDS,
    TRIALS,
    UNITS,
    ToyTask,
    evaluation_record,
    training_record,
)
from throughtime.circuits import (
    GRU,
    LSTM,
    Adaptive,
    Circuit,
    Dale,
    Dense,
    Leaky,
    Learned,
    LowRank,
    MultiRegion,
    Scattered,
    ShortTermPlasticity,
    Sparse,
    WarmUp,
)
from throughtime.training.finish import _effective
from throughtime.training.record import EvaluationRecord, TrainingRecord

REGIONS = MultiRegion(sizes=(3, 2), names=("cortex", "striatum"))
POSITIVE = Leaky(activation="softplus")
HALF = np.arange(UNITS) % 2 == 0

# name -> fields of the circuit, and dims of some arrays after (seed, checkpoint)
CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[str, ...]]]] = {
    "gru": (
        {"dynamics": GRU()},
        {
            "recurrent": ("recurrent_gate", "unit", "presynaptic_unit"),
            "input_weights": ("input_gate", "unit", "input"),
            "bias": ("gate", "unit"),
        },
    ),
    "gru, reset before": (
        {"dynamics": GRU(reset="before")},
        {"recurrent": ("gate", "unit", "presynaptic_unit"), "input_weights": ("gate", "unit", "input")},
    ),
    "gru, low rank": (
        {"dynamics": GRU(), "recurrent": LowRank(rank=2)},
        {
            "free_left": ("recurrent_gate", "unit", "rank"),
            "free_right": ("recurrent_gate", "presynaptic_unit", "rank"),
        },
    ),
    "lstm, learned state": (
        {"dynamics": LSTM(), "initial": Learned()},
        {"bias": ("gate", "unit"), "free_initial_cell": ("unit",), "free_initial_hidden": ("unit",)},
    ),
    "as many units as gates": (
        {"num_units": 4, "dynamics": LSTM()},
        {"recurrent": ("gate", "unit", "presynaptic_unit"), "bias": ("gate", "unit")},
    ),
    "as many inputs as gates": (
        {"num_inputs": 4, "dynamics": LSTM()},
        {"input_weights": ("gate", "unit", "input"), "bias": ("gate", "unit")},
    ),
    "adaptive, warm-up": ({"dynamics": Adaptive(), "initial": WarmUp(40.0)}, {"bias": ("unit",)}),
    "short-term plasticity": ({"dynamics": ShortTermPlasticity(), "initial": Learned()}, {"tau": ("unit",)}),
    "trained tau": (
        {"dynamics": Leaky(tau=60.0, tau_range=(25.0, 200.0))},
        {"free_tau_logit": ("unit",), "tau": ("unit",)},
    ),
    "sparse, Dale": (
        {"dynamics": POSITIVE, "recurrent": Dale(base=Sparse(density=0.7, plastic_units=0.6))},
        {
            "free_recurrent": ("unit", "presynaptic_unit"),
            "free_recurrent_fixed": ("unit", "presynaptic_unit"),
        },
    ),
    "low rank on random": (
        {"recurrent": LowRank(rank=2, base=Dense(gain=0.8))},  # as many ranks as inputs
        {"free_left": ("unit", "rank"), "free_right": ("presynaptic_unit", "rank")},
    ),
    "regions, Dale": (
        {"dynamics": POSITIVE, "recurrent": Dale(excitatory=0.6, base=REGIONS)},
        {"recurrent": ("unit", "presynaptic_unit")},
    ),
    "output fed back, gru": (
        {"dynamics": GRU(), "output_feedback": True},
        {
            "output_feedback": ("input_gate", "unit", "output"),
            "input_weights": ("input_gate", "unit", "input"),
        },
    ),
    "output fed back, reset before": (
        {"dynamics": GRU(reset="before"), "output_feedback": True, "initial": Learned()},
        {"output_feedback": ("gate", "unit", "output")},
    ),
    "output fed back, plasticity": (
        {"dynamics": ShortTermPlasticity(form="rate"), "output_feedback": True},
        {"output_feedback": ("unit", "output")},
    ),
    "leaky readout, held rates, scattered": (
        {
            "dynamics": Leaky(held_rates=(0.5, *[np.nan] * (UNITS - 1))),
            "readout_tau": 60.0,
            "initial": Scattered(),
        },
        {"free_initial_current": ("unit",)},
    ),
    "leaky readout, held rates, plasticity": (
        {
            "dynamics": ShortTermPlasticity(held_rates=(*[np.nan] * (UNITS - 1), 2.0)),
            "readout_tau": 60.0,
        },
        {"bias": ("unit",)},
    ),
    "masks and signs": (
        {
            "input_mask": np.repeat(HALF[:, None], INPUTS, axis=1),
            "readout_mask": ~HALF[None],
            "non_negative": ("input", "readout"),
            "fixed": ("input",),
        },
        {"free_input": ("unit", "input"), "free_readout": ("output", "unit")},
    ),
}


def circuit_of(case: str) -> Circuit:
    return Circuit(**{"num_inputs": INPUTS, "num_units": UNITS, "num_outputs": OUTPUTS, **CASES[case][0]})


def records(circuit: Circuit, dtype: type = np.float32) -> tuple[TrainingRecord, EvaluationRecord]:
    """What training and evaluation would hand over; every parameter is moved away from its first value.

    Args:
        dtype: of the parameters; float64 needs ``jax.enable_x64``.
    """
    draw = np.random.default_rng(0)
    params = {
        name: (np.asarray(value) + draw.normal(size=(SEEDS, CHECKPOINTS, *value.shape)) / 3).astype(dtype)
        for name, value in circuit.init(key=jax.random.key(0)).items()
    }
    record = training_record()
    weights = _effective(circuit, params)
    names = [*record.weights, *(["output_feedback"] if circuit.output_feedback else [])]
    weights = {name: np.asarray(weights[name]) for name in names}
    task = ToyTask(input_names=tuple(f"x{i}" for i in range(circuit.num_inputs)))
    config = {**record.config, "task": task, "circuit": circuit}
    shape = (SEEDS, TRIALS, SAMPLES)
    recorded = draw.normal(size=(*shape, circuit.num_units)).astype(np.float32)
    evaluation = evaluation_record(
        inputs=np.zeros((*shape, circuit.num_inputs), np.float32),
        input_names=task.input_names,
        rates=recorded,
        states=dict.fromkeys(circuit.dynamics.state_names, recorded),
        circuit=circuit,
    )
    record = dataclasses.replace(record, config=config, params=params, weights=weights, rule_state={})
    return record, evaluation
