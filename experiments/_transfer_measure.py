"""One cell of the study of rate circuits turned into spiking ones: train a circuit, and transfer it."""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import throughtime as tt
from throughtime.circuits import Circuit, Dale, Dense, Leaky, Sparse
from throughtime.objectives import Objective
from throughtime.results import Run
from throughtime.results.flags import flag_attributes
from throughtime.spiking import LIF, transfer

TAU_LOW = 20.0
TAU_HIGH = {"go-no-go": 50.0, "contextual-integration": 100.0}
PEAK = {"go-no-go": None, "contextual-integration": 0.7}
"""What an output must exceed for a correct choice, published; None: the score of the task is that rule."""
NOISE_PER_STEP = 0.1
READOUT_SD = 0.01
SMOOTH = 1e-12
ERROR_BELOW, ACCURACY_AT_LEAST = 7.0, 0.95
"""When a rate circuit counts as trained, and the second also when a transfer counts as a success."""
START = (-65.0, 30.0)
"""Voltages before the first step, published: most neurons spike at once, as rates begin at φ(0) = ½."""
STEP_NOISE = 0.1
VARIANTS: dict[str, tuple[LIF, bool]] = {
    "program": (LIF(start=START, noise=STEP_NOISE), False),
    "equations": (LIF(start=START), False),
    "balanced": (LIF(start=START), True),
    "no_refractory_period": (LIF(start=START, refractory=0.0), False),
    "single_exponential": (LIF(start=START, tau_rise=0.0), False),
}
"""Name -> neurons, and whether excitation and inhibition cancel in the rate circuit's initial weights."""
KINDS = ("nogo", "go")
KEPT = 24
"""Fresh trials among which the examples are found, and over which trajectories are averaged."""
TIMED = ("rates", "spiking_rates", "outputs", "spiking_outputs", "targets")
EDGES = ("epoch_onset", "epoch_offset")
SPIKES = ("spike_seed", "spike_trial", "spike_unit", "spike_time")


@dataclass(frozen=True)
class RootSquaredError(Objective):
    """``√Σ mask (z − z*)²``, over the steps and outputs of a trial: the published loss."""

    def __call__(self, outputs: jax.Array, trial: tt.Trial) -> jax.Array:
        """Loss of one trial, scalar; smooth where nothing is wrong."""
        return jnp.sqrt(jnp.sum(trial.mask * (outputs - trial.targets) ** 2) + SMOOTH)


def task_of(name: str, shorter: int) -> Any:
    """The published task, or one whose epochs are shorter."""
    task: Any = tt.tasks.make(name, **({"variant": "kim"} if name == "contextual-integration" else {}))
    if shorter == 1:
        return task
    lengths = {each: getattr(task, each) / shorter for each in task.duration_fields}
    return tt.tasks.make(name, variant="kim", **lengths) if PEAK[name] else tt.tasks.make(name, **lengths)


def circuit_of(task: Any, name: str, num_units: int, seed: int, balanced: bool) -> Circuit:
    """Sigmoid units in the current form under Dale's law; each seed has synapses of its own."""
    tau = math.sqrt(TAU_LOW * TAU_HIGH[name])
    return tt.circuits.for_task(
        task,
        num_units,
        dynamics=Leaky(tau=tau, activation="sigmoid", tau_range=(TAU_LOW, TAU_HIGH[name])),
        recurrent=Dale(balanced=balanced, base=Sparse(density=0.2, mask_seed=seed, base=Dense(gain=1.5))),
        noise=NOISE_PER_STEP * math.sqrt(tau / (2 * task.dt)),
        fixed=("bias", "input"),
    )


def initial_params(circuit: Circuit, seed: int) -> dict[str, np.ndarray]:
    """As drawn, but every input weight of SD 1 and every readout weight of SD 0.01."""
    params = jax.jit(lambda key: circuit.init(key=key))(jax.random.key(seed))
    factors = {
        "input": math.sqrt(circuit.num_inputs),
        "readout": READOUT_SD * math.sqrt(circuit.num_units),
    }
    return {name: factors.get(name, 1.0) * np.asarray(values) for name, values in params.items()}


@lru_cache(maxsize=64)
def trained(
    name: str,
    seed: int,
    balanced: bool,
    num_units: int,
    shorter: int,
    num_updates: int,
    batch_size: int,
    learning_rate: float,
) -> Run:
    """One circuit, trained for all of its updates; kept, since it is transferred in several variants."""
    task = task_of(name, shorter)
    circuit = circuit_of(task, name, num_units, seed, balanced)
    return tt.train(
        task, circuit, tt.rules.make("bptt"), seeds=[seed], params=initial_params(circuit, seed),
        objective=RootSquaredError(), num_updates=num_updates, batch_size=batch_size,
        learning_rate=learning_rate, stop="budget",
        eval_every=min(250, num_updates), log_every=min(50, num_updates), test_trials=0, progress=False,
    )  # fmt: skip


def measure(declared: Mapping[str, Any]) -> xr.Dataset:
    """Train one circuit and transfer it, in one variant.

    Returns:
        ``rate_accuracy``, ``rate_error``, ``criterion_update``, ``num_updates``, ``final_accuracy``,
        ``final_mean_rate``, ``best_inverse_lambda``, ``cka`` and whether the rate circuit was ``trained``;
        ``accuracy`` and ``mean_rate`` (parameter,); ``component_correlation`` (component,). If declared an
        ``example``, also one trial of each kind, with a dim ``seed``.
    """
    name, seed = declared["task"], declared["seed"]
    neurons, balanced = VARIANTS[declared["variant"]]
    recipe = ("num_units", "shorter", "num_updates", "batch_size", "learning_rate")
    run = trained(name, seed, balanced, *(declared[each] for each in recipe))
    with warnings.catch_warnings():
        if declared["num_units"] < 200:  # the quick form knows
            warnings.simplefilter("ignore", UserWarning)
        found = transfer(
            run,
            inverse_lambdas=declared["inverse_lambdas"],
            num_trials=declared["num_trials"],
            fresh_trials=declared["fresh_trials"],
            peak=PEAK[name],
            neurons=neurons,
            kept_trials=min(KEPT, declared["fresh_trials"]),
            target="cython" if shutil.which("c++") else "numpy",
            loss_below=math.inf,  # judged below: a circuit that was not trained is a result too
            accuracy_at_least=0.0,
        )
    kept = (
        "rate_accuracy", "rate_error", "accuracy", "mean_rate", "best_inverse_lambda", "final_accuracy",
        "final_mean_rate", "cka", "component_correlation", "explained_variance_ratio",
    )  # fmt: skip
    out = found[list(kept)].isel(seed=0, drop=True)
    before = (out["rate_error"] < ERROR_BELOW) & (out["rate_accuracy"] >= ACCURACY_AT_LEAST)
    flags = flag_attributes(["false", "true"])
    out["trained"] = ((), int(before), words("whether the rate circuit was trained", **flags))
    training = run.tree["training"].to_dataset().isel(seed=0, drop=True)
    for each in ("criterion_update", "num_updates"):
        out[each] = training[each]
    if declared["example"]:
        shown = example(found, seed)
        out = out.assign(shown.data_vars).assign_coords(shown.coords)
    return out.drop_attrs(deep=False)


def words(long_name: str, units: str = "1", **more: Any) -> dict[str, Any]:
    """Attributes of a variable."""
    return {"units": units, "long_name": long_name, **more}


def example(found: xr.Dataset, seed: int) -> xr.Dataset:
    """The first trial without and the first with a stimulus, as they are in what was found.

    Returns:
        ``rates``, ``spiking_rates``, ``outputs``, ``spiking_outputs``, ``targets``, the edges of epochs and
        the spikes of the two trials; and trajectories on the components, means over all trials of a kind
        (``rate_trajectory`` and ``spiking_trajectory``).
    """
    asked = found["targets"].isel(seed=0, output=0).max("time").values > 0.5
    if asked.all() or not asked.any():
        raise ValueError(
            f"example: the {len(asked)} trials kept of seed {seed} are all of one kind; keep more of them."
        )
    first = [int(np.flatnonzero(asked == kind)[0]) for kind in (False, True)]
    mine = np.isin(found["spike_trial"].values, first)
    out = found[[*TIMED, *EDGES, *SPIKES]].isel(trial=first, spike=np.flatnonzero(mine))
    out["spike_trial"] = out["spike_trial"].copy(data=(out["spike_trial"].values == first[1]).astype(np.int8))
    for name in ("rates", "spiking_rates"):
        out[name] = out[name].round(2).astype(np.float32).assign_attrs(found[name].attrs)
    for kind, name in (("rate", "rate_components"), ("spiking", "spiking_components")):
        course = found[name].transpose("seed", "trial", "time", "component")
        means = np.stack([course.values[:, asked == one].mean(1) for one in (False, True)], axis=1)
        attrs = {**course.attrs, "num_trials": [int((~asked).sum()), int(asked.sum())]}
        out[f"{kind}_trajectory"] = (course.dims, means.astype(np.float32), attrs)
    trials = ("trial", np.arange(2), words("kind of trial", **flag_attributes(KINDS)))
    return out.assign_coords(trial=trials, spike=("spike", np.arange(int(mine.sum())), words("spike")))
