"""One cell of the study of evidence accumulation: train a rule on a circuit, and see where the memory is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

import throughtime as tt
from throughtime import training
from throughtime.circuits import Adaptive, Circuit
from throughtime.objectives import CrossEntropy
from throughtime.results.flags import flag_attributes

GROUPS = ("left", "right", "recall", "noise")
STATES = ("adaptation", "current")
SHOWN_MS = 30.0
"""Spacing of the samples in time that are kept."""


def parts_of(declared: Mapping[str, Any]) -> tuple[Any, Circuit, Any]:
    """Task, circuit and rule of a cell."""
    task = tt.tasks.EvidenceAccumulation.bellec(dt=declared["dt"])
    units, adaptive = declared["num_units"], declared["num_adaptive"]
    strength = np.where(np.arange(units) < units - adaptive, 0.0, declared["strength"])
    dynamics = Adaptive(
        tau=declared["tau"],
        activation=declared["activation"],
        tau_adaptation=declared["tau_adaptation"],
        strength=tt.FrozenArray(strength),
    )
    circuit = tt.circuits.for_task(task, units, dynamics=dynamics, readout_tau=declared["readout_tau"])
    return task, circuit, tt.rules.make(declared["rule"], **declared["options"])


def correlation(states: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Mean over units of |correlation over trials| of (trial, time, unit) with (trial,): (time,).

    A unit that is the same in all trials counts with 0; without units NaN.
    """
    if not states.shape[-1]:
        return np.full(states.shape[1], np.nan)
    centred = states - states.mean(0)
    about = evidence - evidence.mean()
    scale = np.sqrt((centred**2).sum(0) * (about**2).sum())
    together = np.abs(np.einsum("ktn,k->tn", centred, about))
    return np.where(scale > 1e-12, together / np.where(scale > 1e-12, scale, 1.0), 0.0).mean(-1)


def tested(task: Any, circuit: Circuit, params: Mapping[str, Any], seed: int, num_trials: int) -> Any:
    """Held-out trials of one seed: what it chose, and what its units know of the evidence."""
    one = {name: value[None] for name, value in params.items()}
    seen = training.evaluate(task, circuit, one, seeds=[seed], num_trials=num_trials)
    difference = seen.conditions["difference"][0]
    choice = seen.scores["choice"][0]
    levels = np.arange(-task.num_cues, task.num_cues + 1, 2)
    with_level = [choice[difference == level] for level in levels]
    every = max(1, round(SHOWN_MS / task.dt))
    adapting = np.asarray(circuit.dynamics.strength, float) > 0
    units = {"adaptation": adapting, "current": adapting if adapting.any() else ~adapting}
    known = {name: seen.states[name][0][:, ::every][..., units[name]].astype(float) for name in STATES}
    trial = int(np.argmin(np.abs(difference - 3)))  # an example with 5 cues of 7 on the right
    inputs = seen.inputs[0, trial].reshape(task.num_steps, len(GROUPS), -1).mean(-1)
    whole = task.num_steps // every * every  # bins of the example are means, not single samples of spikes
    binned = inputs[:whole].reshape(-1, every, len(GROUPS)).mean(1)
    outputs = seen.outputs[0, trial, ::every].astype(float)
    surplus = np.exp(outputs - outputs.max(-1, keepdims=True))
    return {
        "correct": float(seen.scores["correct"][0].mean()),
        "right": np.array([np.nan if not len(found) else found.mean() for found in with_level]),
        "memory": np.stack([correlation(known[name], difference.astype(float)) for name in STATES]),
        "inputs": binned,
        "answer": (surplus / surplus.sum(-1, keepdims=True))[: len(binned), 1],
    }


def measure(declared: Mapping[str, Any]) -> xr.Dataset:
    """Train a cell until each seed meets the criterion or the budget is spent, and test it.

    Returns:
        ``score`` and ``loss`` (seed, update); ``criterion_update``, ``diverged_update`` (seed,), −1: never;
        ``test_correct`` (seed,); ``chose_right`` (seed, condition) by the difference of counts; ``memory``
        (seed, state, time); ``shown_inputs`` (time, input) and ``answer`` (time,) of one trial of the median
        seed.
    """
    task, circuit, rule = parts_of(declared)
    every = declared["eval_every"]
    record = training.train(
        task, circuit, rule, seeds=declared["seeds"], num_updates=declared["num_updates"],
        batch_size=declared["batch_size"], learning_rate=declared["learning_rate"], optimizer="adam",
        objective=CrossEntropy(), stop="criterion", eval_every=every, log_every=every, progress=False,
    )  # fmt: skip
    final = {name: value[:, -1] for name, value in record.params.items()}
    tests = [
        tested(task, circuit, {name: value[place] for name, value in final.items()}, seed, declared["trials"])
        for place, seed in enumerate(declared["seeds"])
    ]
    padded = {
        name: np.full((len(record.seeds), declared["num_updates"] // every), np.nan)
        for name in ("score", "loss")
    }
    for name, values in padded.items():
        values[:, : len(record.update)] = record.curves[name]
    met = np.where(record.criterion_update < 0, np.inf, record.criterion_update)
    example = tests[int(np.argsort(met, kind="stable")[len(met) // 2])]
    one: dict[str, Any] = {"units": "1"}
    time = SHOWN_MS * np.arange(len(example["answer"]))
    return xr.Dataset(
        {
            "score": (("seed", "update"), padded["score"], {**one, "long_name": "fraction correct"}),
            "loss": (("seed", "update"), padded["loss"], {**one, "long_name": "cross-entropy, nats"}),
            "criterion_update": ("seed", record.criterion_update, one),
            "diverged_update": ("seed", record.diverged_update, one),
            "test_correct": ("seed", [test["correct"] for test in tests], one),
            "chose_right": (("seed", "condition"), np.stack([test["right"] for test in tests]), one),
            "memory": (
                ("seed", "state", "time"),
                np.stack([test["memory"][:, : len(time)] for test in tests]),
                {**one, "long_name": "|correlation| with the evidence, mean over units"},
            ),
            "shown_inputs": (("time", "input"), example["inputs"], {**one, "long_name": "mean of a group"}),
            "answer": ("time", example["answer"], {**one, "long_name": "probability of right"}),
        },
        {
            "seed": ("seed", record.seeds, one),
            "update": ("update", every * (1 + np.arange(padded["loss"].shape[1])), one),
            "condition": (
                "condition", np.arange(-task.num_cues, task.num_cues + 1, 2),
                {**one, "long_name": "cues on the right less cues on the left"},
            ),
            "state": ("state", range(len(STATES)), {**one, **flag_attributes(STATES)}),
            "input": ("input", range(len(GROUPS)), {**one, **flag_attributes(GROUPS)}),
            "time": ("time", time, {"units": "ms", "long_name": "time"}),
        },
    )  # fmt: skip
