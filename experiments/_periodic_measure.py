"""One cell of the study of periodic output: circuits of all seeds learn side by side, trial by trial."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import throughtime as tt
from throughtime.circuits import Circuit, Dale, Dense, Leaky, Learned
from throughtime.training.loop import train
from throughtime.training.prepare import Job, prepare
from throughtime.training.update import one_update, start

TAU = 10.0
"""Time constant in ms, and in steps of 1 ms."""
INITIAL_RATE = 0.1
READOUT_SIZE = 0.1
SAMPLES = 200
"""Samples of the output that are kept, whatever the period."""
UNTRAINED = ("input", "bias", "readout_bias", "initial_rate")
"""What the publication does not have (there is no input and no bias), and the initial state."""
LAST = 100
"""Trials at the end whose mean loss counts as the loss after training."""


def circuit_of(declared: Mapping[str, Any], task: Any) -> Circuit:
    """The circuit of a cell: rates ``τ dr/dt = −r + φ(W r)``, all starting from the same small rate."""
    base = Dense(gain=declared["gain"])
    dale = declared["excitatory"]
    return tt.circuits.for_task(
        task,
        declared["num_units"],
        dynamics=Leaky(tau=TAU, activation="tanh" if dale is None else "retanh", form="rate"),
        recurrent=base if dale is None else Dale(excitatory=dale, base=base),
        initial=Learned(),
        fixed=UNTRAINED,
    )


def initial_params(circuit: Circuit, seed: int) -> dict[str, Any]:
    """Weights as the circuit draws them, but W_out uniform in ±0.1/√n, and every initial rate 0.1."""
    key = jax.random.key(seed)
    size, shape = READOUT_SIZE / circuit.num_units**0.5, (circuit.num_outputs, circuit.num_units)
    drawn = jax.random.uniform(jax.random.fold_in(key, 1), shape, jnp.float32, -size, size)
    rates = jnp.full(circuit.num_units, INITIAL_RATE, jnp.float32)
    return {**circuit.init(key=key), "readout": drawn, "initial_rate": rates}


def job_of(declared: Mapping[str, Any]) -> Job:
    """The run of a cell: one trial an update, plain gradient descent after each trial.

    The published loss is half the mean squared error; half the learning rate of the mean squared error here
    makes the same steps.
    """
    task = tt.tasks.SineGeneration.murray(period=declared["period"] * TAU)
    circuit = circuit_of(declared, task)
    seeds = range(declared["num_seeds"])
    each = [initial_params(circuit, seed) for seed in seeds]
    known = inspect.signature(train).parameters.values()
    defaults = {one.name: one.default for one in known if one.kind is one.KEYWORD_ONLY}
    wishes = {
        "seeds": seeds, "num_updates": declared["num_trials"], "batch_size": 1, "optimizer": "sgd",
        "learning_rate": declared["learning_rate"] / 2, "stop": "budget",
        "params": {name: np.stack([np.asarray(one[name]) for one in each]) for name in each[0]},
    }  # fmt: skip
    asked = {name: value for name, value in defaults.items() if name not in ("checkpoint", "progress")}
    rule = tt.rules.make(declared["rule"], **declared["options"])
    return prepare(task, circuit, rule, **{**asked, **wishes})


@partial(jax.jit, static_argnames="plan")
def advance(plan: Any, states: Any, first: Any, count: Any, rate: Any) -> Any:
    """``count`` updates of all seeds side by side: the update of ``throughtime.training.train`` under a vmap.

    A circuit of 30 units that takes one trial at a time costs less per seed so. A seed whose loss or gradient
    is not finite stands still.

    Returns:
        states; mean of the losses before the updates, (seed,), half the mean squared error; NaN once it
        diverged.
    """

    def one(state: Any, update: Any) -> tuple[Any, Any]:
        after, measures = one_update(plan, state, update, rate)
        kept = jax.tree.map(lambda new, old: jnp.where(state.active, new, old), after, state)
        return kept, jnp.where(kept.active, 0.5 * measures[0], jnp.nan)

    def body(index: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        states, total = carry
        states, losses = jax.vmap(one, (0, None))(states, first + index)
        return states, total + losses

    zero = jnp.zeros(states.active.shape, jnp.float32)
    states, total = jax.lax.fori_loop(0, count, body, (states, zero))
    return states, total / count


def marks_of(num_trials: int) -> list[int]:
    """Trials after which loss and alignment are kept: 12 a decade, and where the last ones begin and end."""
    before_last = num_trials - min(LAST, num_trials // 2)
    decades = np.log10(before_last)
    spaced = {round(float(x)) for x in np.logspace(0, decades, 1 + int(12 * decades))}
    return sorted(spaced | {before_last, num_trials})


def alignment(states: Any) -> np.ndarray:
    """Cosine between B and W_outᵀ, (seed,); NaN for a rule without B."""
    readout = np.asarray(states.params["readout"], np.float64)
    if "rule_feedback" not in states.rule:
        return np.full(len(readout), np.nan)
    feedback = np.swapaxes(np.asarray(states.rule["rule_feedback"], np.float64), 1, 2)
    norms = np.linalg.norm(readout, axis=(1, 2)) * np.linalg.norm(feedback, axis=(1, 2))
    return (readout * feedback).sum((1, 2)) / norms


def output_of(job: Job, params: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Output and target of a seed over one period, each (time,)."""
    task, circuit = job.plan.task, job.plan.circuit
    trial = task.trial(jax.random.key(0))
    ran = circuit.run({name: jnp.asarray(value) for name, value in params.items()}, trial.inputs)
    at = (np.arange(task.num_steps) + 0.5) / task.num_steps
    phase = (np.arange(SAMPLES) + 0.5) / SAMPLES
    return np.interp(phase, at, ran.outputs[:, 0]), np.interp(phase, at, trial.targets[:, 0])


def measure(declared: Mapping[str, Any]) -> xr.Dataset:
    """Train a cell.

    Returns:
        ``loss`` (seed, update), the mean since the mark before; ``alignment`` (seed, update); an update is a
        trial. ``final_loss`` (seed,), of the last trials; ``diverged`` (seed,); ``produced`` and ``target``
        (time,) of the seed whose final loss is the median.
    """
    job = job_of(declared)
    states = jax.tree.map(jnp.asarray, start(job.plan, *job.seeds, job.params))
    rate = jnp.float32(job.rates[0])
    marks = marks_of(declared["num_trials"])
    losses, cosines = [], []
    for first, mark in zip([0, *marks], marks, strict=False):
        states, mean = advance(job.plan, states, jnp.int32(first), jnp.int32(mark - first), rate)
        losses.append(np.asarray(mean, np.float64))
        cosines.append(alignment(states))
    final = losses[-1]
    middle = int(np.argsort(np.where(np.isfinite(final), final, np.inf))[len(final) // 2])
    output, target = output_of(job, {name: value[middle] for name, value in states.params.items()})
    one, per_seed = {"units": "1"}, ("seed", "update")
    return xr.Dataset(
        {
            "loss": (per_seed, np.float32(losses).T, {**one, "long_name": "half the mean squared error"}),
            "alignment": (per_seed, np.float32(cosines).T, {**one, "long_name": "cos(B, W_out^T)"}),
            "final_loss": ("seed", final, {**one, "long_name": f"mean loss of the last {LAST} trials"}),
            "diverged": ("seed", (~np.asarray(states.active)).astype(np.int8), one),
            "produced": ("time", np.float32(output), {**one, "long_name": "output of the median seed"}),
            "target": ("time", np.float32(target), {**one, "long_name": "target"}),
        },
        {
            "seed": ("seed", np.array(job.labels), one),
            "update": ("update", np.array(marks), {**one, "long_name": "trials"}),
            "time": ("time", (np.arange(SAMPLES) + 0.5) / SAMPLES, {**one, "long_name": "time / period"}),
        },
    )
