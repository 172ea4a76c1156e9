"""One cell of the study of learning from reward: a few seeds, trial by trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime.circuits import Circuit, Dense, Leaky, Scattered
from throughtime.objectives import AbsoluteError
from throughtime.results.flags import flag_attributes
from throughtime.rules import Miconi
from throughtime.tasks import DelayedMatchToSample
from throughtime.training import Clip, train

TAU, GAIN = 30.0, 1.5
OUTPUT_UNIT = 0
HELD = {1: 1.0, 10: 1.0, 11: -1.0}
"""Currents at which units are held; they transmit tanh of it."""
STEPS: dict[str, tuple[float, Clip]] = {
    "cubic": (0.1, Clip(3e-3, by="value")),
    "node": (0.001, Clip(0.3, by="value")),
}
"""Learning rate and clipping before it: published steps are clipped to ±3e-4 after it."""
WINDOW = 100
CRITERIA = {
    "error below 1 in at least 95": (1.0, 95),
    "error below 1 in more than 95": (1.0, 96),
    "error below 0.5 in at least 95": (0.5, 95),
}
"""Words -> bound of the error, least number of trials among ``WINDOW`` successive ones."""
BLOCK = 20
"""Trials whose mean error is kept."""
BETWEEN = 10
"""Steps from one kept sample of an output to the next."""
KINDS = ((0, 0), (0, 1), (1, 0), (1, 1))


def task_of(shorter: int) -> DelayedMatchToSample:
    """The published task, or one whose epochs are shorter."""
    task = DelayedMatchToSample.miconi()
    names = ("sample", "delay", "test", "response", "grace")
    return DelayedMatchToSample.miconi(**{name: getattr(task, name) / shorter for name in names})


def circuit_of(num_units: int) -> Circuit:
    """The circuit: only recurrent weights learn, and the output is the rate of one unit."""
    held = np.full(num_units, np.nan)
    for unit, current in HELD.items():
        held[unit] = np.tanh(current)
    return Circuit(
        num_inputs=2,
        num_units=num_units,
        num_outputs=1,
        dt=1.0,
        dynamics=Leaky(tau=TAU, held_rates=held),
        recurrent=Dense(gain=GAIN),
        initial=Scattered(0.1),
        fixed=("input", "bias", "readout", "readout_bias"),
    )


def initial_params(circuit: Circuit, seed: int) -> dict[str, Any]:
    """As drawn, but input weights uniform in ±1, none to the output unit, whose rate is the output."""
    key = jax.random.key(seed)
    params = circuit.init(key=key)
    drawn = jax.random.uniform(jax.random.fold_in(key, 1), params["input"].shape, jnp.float32, -1.0, 1.0)
    return {
        **params,
        "input": drawn.at[OUTPUT_UNIT].set(0.0),
        "readout": jnp.zeros_like(params["readout"]).at[0, OUTPUT_UNIT].set(1.0),
    }


def first_met(errors: np.ndarray, bound: float, least: int) -> int:
    """Trials made when first ``least`` of the last ``WINDOW`` had an error below ``bound``; −1: never."""
    good = np.cumsum(np.concatenate([[0], errors < bound]))
    met = np.flatnonzero(good[WINDOW:] - good[:-WINDOW] >= least)
    return int(met[0]) + WINDOW if len(met) else -1


def answers(task: DelayedMatchToSample, circuit: Circuit, params: Mapping[str, Any]) -> np.ndarray:
    """Output on a trial of every kind without perturbations, (kind, sample)."""
    trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(0), 64))
    drawn = np.stack([np.asarray(trials.conditions[name]) for name in ("sample", "test")], axis=1)
    chosen = np.array([int(np.flatnonzero((drawn == kind).all(1))[0]) for kind in KINDS])
    run = jax.jit(jax.vmap(lambda inputs: circuit.run(dict(params), inputs).outputs[:, 0]))
    return np.asarray(run(trials.inputs[chosen]))[:, BETWEEN - 1 :: BETWEEN]


def measure(declared: Mapping[str, Any]) -> xr.Dataset:
    """Train a few seeds.

    Returns:
        ``error`` (seed, trial), means of blocks of trials; ``success`` (seed, update), whether the error of a
        trial was below 1; ``criterion_trial`` (seed, condition); ``answer`` (seed, option, time) after
        training; ``accuracy`` (seed,) on held-out trials without perturbations; ``diverged`` (seed,).
    """
    task, circuit = task_of(declared["shorter"]), circuit_of(declared["num_units"])
    seeds, num_trials = declared["seeds"], declared["num_trials"]
    each = [initial_params(circuit, seed) for seed in seeds]
    rate, clip = STEPS[declared["variant"]]
    found = train(
        task,
        circuit,
        Miconi(eligibility=declared["variant"], condition=("sample", "test")),
        seeds=seeds,
        params={name: np.stack([np.asarray(one[name]) for one in each]) for name in each[0]},
        num_updates=num_trials,
        batch_size=1,
        objective=AbsoluteError(),
        optimizer="sgd",
        learning_rate=rate,
        clip=clip,
        stop="budget",
        eval_every=num_trials,
        log_every=1,
    )
    errors = found.curves["loss"]
    blocks = errors[:, : num_trials // BLOCK * BLOCK].reshape(len(seeds), -1, BLOCK)
    finals = [{name: value[index, -1] for name, value in found.params.items()} for index in range(len(seeds))]
    outputs = np.stack([answers(task, circuit, params) for params in finals])
    criteria = [[first_met(one, *criterion) for criterion in CRITERIA.values()] for one in errors]
    one = {"units": "1"}
    return xr.Dataset(
        {
            "error": (
                ("seed", "trial"),
                np.float32(blocks.mean(-1)),
                {**one, "long_name": "mean absolute error"},
            ),
            "success": (
                ("seed", "update"),
                np.int8(errors < CRITERIA["error below 1 in at least 95"][0]),
                one,
            ),
            "criterion_trial": (
                ("seed", "condition"),
                np.int32(criteria),
                {**one, "long_name": "trials to criterion"},
            ),
            "answer": (
                ("seed", "option", "time"),
                np.float32(outputs),
                {**one, "long_name": "rate of the output"},
            ),
            "accuracy": ("seed", found.curves["score"][:, -1], {**one, "long_name": "fraction correct"}),
            "diverged": ("seed", np.int8(found.diverged_update >= 0), {**one, "long_name": "diverged"}),
        },
        {
            "seed": ("seed", np.array(seeds), one),
            "trial": ("trial", BLOCK * (1 + np.arange(blocks.shape[1])), {**one, "long_name": "trials"}),
            "update": ("update", 1 + np.arange(num_trials), {**one, "long_name": "trials"}),
            "condition": ("condition", np.arange(len(CRITERIA)), {**one, **flag_attributes(list(CRITERIA))}),
            "option": (
                "option",
                np.arange(len(KINDS)),
                {**one, **flag_attributes([f"{a}{b}" for a, b in KINDS])},
            ),
            "time": (
                "time",
                BETWEEN * (1.0 + np.arange(outputs.shape[-1])),
                {"units": "ms", "long_name": "time"},
            ),
        },
    )
