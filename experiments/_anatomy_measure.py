"""How each kind of cell of the study of gradients is measured: a declaration in, a small dataset out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import throughtime as tt
from throughtime import keys
from throughtime.results.schema import attributes

ROOT = Path(__file__).resolve().parent.parent
BLOCK = 128
"""Test trials whose activity is in memory at once."""

CURVES = ("loss", "score", "gradient_norm", "clipped_fraction")
OUTCOMES = ("status", "criterion_update", "diverged_update", "num_updates")
NORMS = ("jacobian_norm", "loss_gradient_norm")
LAG = {"units": "ms", "long_name": "time before the end of the trial"}
LONG_NAMES = {
    "jacobian_norm": "‖∂h_T/∂h_t‖",
    "loss_gradient_norm": "‖∂L/∂h_t‖",
    "symbol_accuracy": "symbol accuracy",
    "squared_error": "squared error",
}


def variable(name: str, dims: Sequence[str], values: Any, **extra: Any) -> tuple[Any, ...]:
    """A variable with units and long name; floating-point numbers in single precision where they fit."""
    values = np.asarray(values)
    found = attributes(name, **({"long_name": LONG_NAMES[name]} if name in LONG_NAMES else {}))
    return tuple(dims), values, {**found, **extra}


def held_out_trials(task: Any, seed: int, number: int) -> Any:
    """Trials no training has seen, the same for every circuit."""
    root = keys.seed_key(seed, "data")
    return jax.jit(jax.vmap(task.trial))(keys.trial_keys(root, "analysis", 0, number))


def norms_of(
    circuit: Any, params: dict[str, Any], task: Any, objective: Any, *, seed: int, trials: int, back: Any
) -> xr.Dataset:
    """Norms of ∂h_T/∂h_t and ∂L/∂h_t over the lag from the end of the trial, (trial, lag).

    L is the objective over the last epoch alone, recall or response: what is due before needs no memory, and
    its errors would hide the credit that comes from afar.
    """
    batch = jax.tree.map(np.asarray, held_out_trials(task, seed, trials))
    onset = batch.epochs[task.epoch_names[-1]][0]
    late = (task.time >= onset[:, None])[..., None]
    arrays = {"inputs": batch.inputs, "targets": batch.targets, "mask": batch.mask * late}
    dims = {"inputs": "input", "targets": "output", "mask": "output"}
    named = {
        name: xr.DataArray(np.asarray(array, float), dims=("trial", "time", dims[name]))
        for name, array in arrays.items()
    }
    double = {name: np.asarray(value, float) for name, value in params.items()}

    def loss(states: Any, targets: Any, mask: Any) -> Any:
        numbers = {name: jnp.asarray(value) for name, value in double.items()}
        weights = circuit.weights(numbers)
        read = jax.vmap(lambda state: circuit.dynamics.readout(numbers, state))(states)
        outputs = read @ weights.readout.T + weights.readout_bias
        return objective(outputs, tt.Trial(targets, targets, mask, None, {}, {}))

    dt, steps = float(task.dt), task.num_steps
    back = np.array([step for step in back if step <= steps])
    found = tt.analysis.gradient_norms(
        circuit,
        params,
        named["inputs"],
        loss,
        targets=(named["targets"], named["mask"]),
        dt=dt,
        lags=back * dt,
    )
    by_lag = found["loss_gradient_norm"].values[:, ::-1][:, np.minimum(back, steps - 1)]
    by_lag = np.where(back < steps, by_lag, np.nan)  # no state before the first is perturbed
    return xr.Dataset(
        {
            "jacobian_norm": variable("jacobian_norm", ("trial", "lag"), found["jacobian_norm"].values),
            "loss_gradient_norm": variable("loss_gradient_norm", ("trial", "lag"), by_lag),
            "diverged": ("trial", found["fit_status"].values),
        },
        {"lag": ("lag", back * dt, LAG)},
    )


def untrained(declared: dict[str, Any]) -> xr.Dataset:
    """Median and quartiles of both norms over all seeds and trials, (lag,)."""
    circuit, task = declared["circuit"], declared["task"]
    found = []
    for seed in declared["seeds"]:
        params = circuit.init(key=keys.seed_key(seed, "init"))
        one = norms_of(
            circuit, params, task, declared["objective"],
            seed=seed, trials=declared["trials"], back=declared["back"],
        )  # fmt: skip
        found.append(one)
    every = xr.concat(found, "trial")
    variables: dict[str, Any] = {}
    for name in NORMS:
        for ending, quantile in (("", 0.5), ("_lower", 0.25), ("_upper", 0.75)):
            values = every[name].quantile(quantile, "trial").values
            words = LONG_NAMES[name] + ("" if not ending else f", {ending[1:]} quartile")
            variables[name + ending] = variable(name, ("lag",), values, long_name=words)
    count = int(every["diverged"].sum())
    variables["num_diverged"] = variable("num_diverged", (), count, long_name="trials that diverged")
    return xr.Dataset(variables, {"lag": every["lag"]})


def train(declared: dict[str, Any], *ignored: str, **more: Any) -> Any:
    """The run of a declaration."""
    settings = {name: value for name, value in declared.items() if name not in ("task", "circuit", *ignored)}
    rule = tt.rules.make("bptt")
    return tt.train(declared["task"], declared["circuit"], rule, test_trials=0, **settings, **more)


def curves_of(run: Any, declared: dict[str, Any]) -> xr.Dataset:
    """Curves (seed, update), over the whole budget, and how each seed ended, (seed,)."""
    training = run.tree["training"].to_dataset()
    every, budget = declared["log_every"], declared["num_updates"]
    whole = np.unique([*range(every, budget, every), budget])
    curves = training[list(CURVES)].reindex(update=whole)
    variables = {
        name: variable(name, ("seed", "update"), curves[name].transpose("seed", "update").astype(np.float32))
        for name in CURVES
    }
    for name in OUTCOMES:
        flags = {key: value for key, value in training[name].attrs.items() if key.startswith("flag_")}
        variables[name] = variable(name, ("seed",), training[name].values, **flags)
    seeds, updates = list(declared["seeds"]), whole.astype(np.int64)
    return xr.Dataset(
        variables,
        {
            "seed": ("seed", seeds, attributes("seed")),
            "update": ("update", updates, attributes("update")),
        },
    )


def clipping(declared: dict[str, Any]) -> xr.Dataset:
    """Every update's loss and gradient norm."""
    return curves_of(train(declared), declared).drop_vars("score")


def pilot(declared: dict[str, Any]) -> xr.Dataset:
    """Loss at the end of a short training, for every learning rate: median over seeds, (condition,).

    The loss is the mean over the last tenth of the updates, infinite for a seed that diverged.
    """
    losses = []
    for rate in declared["rates"]:
        training = train(declared, "rates", learning_rate=rate).tree["training"].to_dataset()
        last = training["loss"].values[:, -1]
        losses.append(np.median(np.where(np.isfinite(last), last, np.inf)))
    chosen = float(declared["rates"][int(np.argmin(losses))])
    rates = np.array(declared["rates"])
    return xr.Dataset(
        {
            "loss": variable("loss", ("condition",), losses, long_name="training loss at the end"),
            "learning_rate": variable("learning_rate", (), chosen, long_name="learning rate chosen"),
        },
        {"condition": ("condition", rates, {"units": "1", "long_name": "learning rate"})},
    )


def trained(declared: dict[str, Any]) -> xr.Dataset:
    """Curves, held-out score, and both gradient norms before and after training."""
    run = train(declared, "norm_trials", "test_trials", "back")
    task, circuit, objective = declared["task"], declared["circuit"], declared["objective"]
    data = curves_of(run, declared)
    measure = task.criterion[0].measure
    data[measure] = variable(measure, ("seed",), held_out(run, measure, declared["test_trials"]))
    rows = []
    for checkpoint in (0, -1):
        for seed in run.seeds:
            found = norms_of(
                circuit, run.params(seed, checkpoint), task, objective,
                seed=seed, trials=declared["norm_trials"], back=declared["back"],
            )  # fmt: skip
            rows.append(found[list(NORMS)].median("trial", skipna=False))
    each = xr.concat(rows, "row")
    data["lag"] = each["lag"]
    flags = {"flag_values": [0, 1], "flag_meanings": "before_training after_training"}
    data["checkpoint"] = ("checkpoint", np.arange(2), {**attributes("checkpoint"), **flags})
    for name in NORMS:
        values = each[name].values.reshape(2, len(run.seeds), -1)
        data[name] = variable(name, ("checkpoint", "seed", "lag"), values)
    return data


def held_out(run: Any, measure: str, number: int) -> np.ndarray:
    """Mean score of every seed on test trials, with the final weights, (seed,).

    A seed that diverged is scored with its last finite weights.
    """
    blocks = []
    for block, first in enumerate(range(0, number, BLOCK)):
        size = min(BLOCK, number - first)
        found = tt.evaluate(run, num_trials=size, purpose="test", update=block)
        blocks.append(found[measure].transpose("seed", "trial").values)
    return np.concatenate(blocks, 1).mean(1)


def memory(declared: dict[str, Any]) -> xr.Dataset:
    """Time and peak memory of a gradient, with the states of whole trials and of segments, (option,)."""
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks.memory import measure
    finally:
        sys.path.remove(str(ROOT))
    sizes = {name: declared[name] for name in ("num_units", "num_trials", "repeats")}
    found = measure((declared["num_steps"],), **sizes).isel(num_steps=0, drop=True)
    names = {"whole": "whole", "sqrt": "segments"}
    flags = tt.results.flags.flag_attributes([names[str(name)] for name in found["option"].values])
    found = found.assign_coords(option=("option", np.arange(found.sizes["option"]), {"units": "1", **flags}))
    for array in found.data_vars.values():
        if array.attrs["units"] == "bytes":
            array.attrs["units"] = "byte"
    return found


MEASURES: dict[str, Callable[[dict[str, Any]], xr.Dataset]] = {
    "untrained": untrained,
    "clipping": clipping,
    "pilot": pilot,
    "trained": trained,
    "memory": memory,
}
