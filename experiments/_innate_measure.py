"""One cell of the study of innate trajectories: a circuit that learns to repeat one, then to time with it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime.circuits import Circuit, Dense, Leaky, Sparse
from throughtime.rules import Force, InnateTraining
from throughtime.tasks import DelayedPulse
from throughtime.tasks.criterion import Criterion
from throughtime.training import train

TAU, GAIN, DENSITY, PLASTIC = 10.0, 1.5, 0.1, 0.6
DRIVE_NOISE = 0.001
"""SD of the published noise, which is added to the drive at every step of 1 ms."""
PERTURBATION, ONSET = 0.5, 500.0
"""Amplitude, and ms after the onset of the pulse, or where the delay is shorter than that in its middle."""
EVERY = 2
"""Steps from one update to the next."""
SHOWN_UNITS = 3
BETWEEN = 10
"""Steps from one kept sample to the next."""


@dataclass(frozen=True, kw_only=True)
class Timed(DelayedPulse):
    """The published task; one held-out trial is run at the end of training, since tests are made here."""

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """As the task's, of one trial."""
        return (Criterion("correct", at_least=0.9, trials=1),)


def task_of(declared: Mapping[str, Any]) -> Timed:
    """A peak so long after the end of the pulse."""
    pulse = 50.0
    onset = min(ONSET, pulse + declared["delay"] / 2)
    return Timed.laje(
        delay=pulse + declared["delay"], pulse=pulse, wait=declared["wait"], perturbation_onset=onset
    )


def circuit_of(declared: Mapping[str, Any]) -> Circuit:
    """The circuit of a seed; which synapses exist and which units learn is its own."""
    recurrent = Sparse(
        density=declared["density"],
        plastic_units=PLASTIC,
        mask_seed=declared["seed"],
        self_connections=False,
        base=Dense(gain=GAIN),
    )
    return Circuit(
        num_inputs=2,
        num_units=declared["num_units"],
        num_outputs=1,
        dt=1.0,
        dynamics=Leaky(tau=TAU),
        recurrent=recurrent,
        noise_sd=DRIVE_NOISE / math.sqrt(2 * TAU),
        fixed=("input", "bias", "readout_bias"),
    )


def initial_params(circuit: Circuit, seed: int) -> dict[str, Any]:
    """As drawn, but input weights N(0, 1) whatever the number of inputs."""
    params = circuit.init(key=jax.random.key(seed))
    return {**params, "input": math.sqrt(circuit.num_inputs) * params["input"]}


def trained(
    task: Timed, circuit: Circuit, rule: Any, params: Any, trials: int, seed: int, keep: Any = ()
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Parameters at every checkpoint, and the trials made there."""
    found = train(
        task, circuit, rule, seeds=[seed], params=params, num_updates=trials, batch_size=1, optimizer="sgd",
        learning_rate=1.0, stop="budget", eval_every=trials, log_every=trials, keep=keep,
    )  # fmt: skip
    made = found.checkpoint_update[0]
    each = [{name: value[0, index] for name, value in found.params.items()} for index in range(len(made))]
    return each, made


@partial(jax.jit, static_argnames=("circuit",))
def run_all(circuit: Circuit, params: Any, inputs: Any, noise: Any) -> tuple[Any, Any]:
    """Rates (trial, time, unit) and outputs (trial, time, output) of trials with the same inputs."""
    ran = jax.vmap(lambda noise: circuit.run(params, inputs, noise=noise))(noise)
    return ran.rates, ran.outputs


def correlation(rates: np.ndarray, innate: np.ndarray) -> float:
    """Pearson correlation of a unit's rate with its innate rate, (time, unit) both; the mean over units.

    Example:
        >>> wave = np.sin(np.arange(20.0))[:, None] * np.ones(3)
        >>> round(correlation(2 * wave + 1, wave), 6), round(correlation(-wave, wave), 6)
        (1.0, -1.0)
    """
    one, other = (array - array.mean(0) for array in (np.float64(rates), np.float64(innate)))
    norms = np.sqrt((one**2).sum(0) * (other**2).sum(0))
    return float(((one * other).sum(0) / np.maximum(norms, 1e-30)).mean())


@dataclass(frozen=True)
class Tested:
    """What a circuit does on trials with noise, with and without the perturbation.

    Attributes:
        correlation: (trial,) with the innate trajectory, from the end of the pulse on.
        r2, peak_time: (trial,) scores.
        outputs: (trial, time); rates: (time, unit) of the first trial.
    """

    correlation: np.ndarray
    r2: np.ndarray
    peak_time: np.ndarray
    outputs: np.ndarray
    rates: np.ndarray


def tested(
    task: Timed, circuit: Circuit, params: Any, innate: np.ndarray, trials: int, perturbed: bool, first: int
) -> Tested:
    """Run trials whose noise is that of ``first`` and what follows, which no training has."""
    task = dataclasses.replace(task, perturbation=PERTURBATION if perturbed else 0.0)
    trial = task.trial(jax.random.key(0))
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(1), first + jnp.arange(trials))
    noise = jax.vmap(lambda key: circuit.noise(key, task.num_steps))(keys)
    rates, outputs = run_all(circuit, params, trial.inputs, noise)
    scores = [task.score(one, trial) for one in outputs]
    after = np.asarray(trial.mask[:, 0]) > 0
    rates = np.asarray(rates)
    return Tested(
        correlation=np.array([correlation(one[after], innate[after]) for one in rates]),
        r2=np.array([float(one["r2"]) for one in scores]),
        peak_time=np.array([float(one["peak_time"]) for one in scores]),
        outputs=np.asarray(outputs)[..., 0],
        rates=rates[0],
    )


def measure(declared: Mapping[str, Any]) -> xr.Dataset:
    """Train and test a circuit.

    Returns:
        ``correlation`` (update, option), with the innate trajectory after so many trials of training, without
        and with the perturbation; ``r2`` and ``peak_time`` (option, trial) after all training, and
        ``correlation_untrained``, ``correlation_trained`` (option, trial); of the first trials ``answer``
        (option, trial, time) with ``wanted`` (time,), and ``rate`` (block, unit, time) of a few units:
        innate, and perturbed before and after training.
    """
    task, circuit, seed = task_of(declared), circuit_of(declared), declared["seed"]
    tests, first = declared["test_trials"], 1000 * seed
    params = initial_params(circuit, seed)
    trial = task.trial(jax.random.key(0))
    innate = np.asarray(circuit.run(params, trial.inputs).rates)
    checkpoints, made = trained(
        task,
        circuit,
        InnateTraining(every=EVERY),
        params,
        declared["recurrent_trials"],
        seed,
        declared["keep"],
    )
    way = np.array(
        [
            [
                tested(task, circuit, one, innate, 2, on, first + 500).correlation.mean()
                for on in (False, True)
            ]
            for one in checkpoints
        ]
    )
    final, _ = trained(task, circuit, Force(every=EVERY), checkpoints[-1], declared["readout_trials"], seed)
    after = [tested(task, circuit, final[-1], innate, tests, on, first) for on in (False, True)]
    before = [tested(task, circuit, params, innate, tests, on, first) for on in (False, True)]
    sampled = slice(BETWEEN - 1, None, BETWEEN)
    learning = np.flatnonzero(circuit.recurrent.learns(circuit.num_units)[:, 0])[:SHOWN_UNITS]
    rates = np.stack([one[sampled, learning].T for one in (innate, before[1].rates, after[1].rates)])
    one, per_trial = {"units": "1"}, ("option", "trial")
    return xr.Dataset(
        {
            "correlation": (("update", "option"), way, one),
            "correlation_untrained": (per_trial, np.stack([one.correlation for one in before]), one),
            "correlation_trained": (per_trial, np.stack([one.correlation for one in after]), one),
            "r2": (per_trial, np.stack([one.r2 for one in after]), one),
            "peak_time": (per_trial, np.stack([one.peak_time for one in after]), {"units": "ms"}),
            "answer": ((*per_trial, "time"), np.stack([one.outputs[:, sampled] for one in after]), one),
            "wanted": ("time", np.asarray(trial.targets)[sampled, 0], one),
            "rate": (("block", "unit", "time"), rates, one),
        },
        {
            "update": ("update", made, one),
            "time": ("time", BETWEEN * (1.0 + np.arange(rates.shape[-1])), {"units": "ms"}),
        },
    ).astype(np.float32)
