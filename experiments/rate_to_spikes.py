"""Rate circuits turned into integrate-and-fire ones by one number (Kim, Li & Sejnowski 2019).

The committed record is ``evidence/rate_to_spikes.nc``. Circuits of sigmoid units are trained by
backpropagation through time. Then each unit is replaced by a leaky integrate-and-fire neuron: recurrent and
readout weights are multiplied by λ, everything else stays. 1/λ is the firing rate that a rate of 1 stands
for; it is searched on a grid, and the best is tried on fresh trials.

Published (R. Kim, Y. Li & T. J. Sejnowski, PNAS 116:22811, and its public program): the current form, Dale's
law with a fifth of the units inhibitory, synapses with probability 0.2, gain 1.5, no biases, input weights
N(0, 1) and fixed, readout weights N(0, 0.01²), noise of SD 0.1 on every state and step of 5 ms, time
constants trained within 20 to 50 ms (go/no-go, 200 units) or 20 to 100 ms (contextual integration, 250
units), Adam with 0.01; trained when at least 95 % of the trials are right and the root of a trial's summed
squared error is below 7. A transfer succeeds if the spikes are right in at least 95 % of the trials. Of 100
go/no-go circuits 94 succeeded, with a mean of 98.8 ± 4.7 % right; contextual integration had 97.0 ± 6.6 %,
without a refractory period 92.8 ± 14.3 %, with synapses of one exponential 95.7 ± 7.3 %.

The same by construction: all of that, the neurons, their grid of 1/λ, and voltages that begin between −65 and
30 mV. The published equations have no noise; the public program adds normal noise of 0.1 mV to every voltage
in every step of 0.05 ms. Variants: ``program``, with that noise; ``equations``, without it; ``balanced``,
without it, where inhibitory initial weights are larger, so that they cancel the four times as many excitatory
ones of every unit; ``no_refractory_period`` and ``single_exponential`` (synapses and output), without noise.

Departures, and why:

- Batches of 8 trials instead of 1, and a number of updates that is the same for all seeds instead of a stop
  at the criterion, which published go/no-go circuits meet after 1500 updates at the earliest.
- Time constants start from the geometric mean of their bounds, published scattered around the middle. Weights
  keep their sign by |θ|, published by max(θ, 0).
- The readout bias is kept in the spiking circuit; the public program leaves it out. Filters are stepped by
  forward Euler as the equations say, in the program by exponentials.
- Inputs of go/no-go have a little noise, so that trials differ without the noise of the program.

Cells are kept below ``--out``, so the command can be stopped at any time and goes on where it was.

Usage: ``python experiments/rate_to_spikes.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from _study import Cell, Study, command_line, entry
from _transfer_measure import ACCURACY_AT_LEAST, measure, words

from throughtime.results.flags import flag_attributes, labels

NAME = "rate_to_spikes"
TASKS = ("go-no-go", "contextual-integration")
PUBLISHED: dict[tuple[str, str], dict[str, float]] = {
    ("go-no-go", "program"): {"success": 0.94, "accuracy": 0.988, "accuracy_sd": 0.047, "number": 100},
    ("contextual-integration", "program"): {"accuracy": 0.970, "accuracy_sd": 0.066},
    ("contextual-integration", "no_refractory_period"): {"accuracy": 0.928, "accuracy_sd": 0.143},
    ("contextual-integration", "single_exponential"): {"accuracy": 0.957, "accuracy_sd": 0.073},
}
"""(task, variant) -> share of circuits that succeeded, mean and SD of their accuracy, number of circuits."""
EXAMPLE = ("go-no-go", 0)
"""Task and seed of the circuit that is shown, in the first variant."""
FIXED = "fixed"
"""Label of the example with a given λ."""
SMALL = {"spike": "int32", "spike_seed": "int8", "spike_unit": "int16", "spike_time": "float32"}
TOLD = (
    "num_trained", "num_successes", "success_lower", "success_upper", "published_success",
    "published_accuracy", "published_accuracy_sd",
)  # fmt: skip
SHOWN = ("rate_accuracy", "rate_error", "final_accuracy", "best_inverse_lambda", "final_mean_rate")
"""What :func:`report` prints of a task and variant, and of each of their circuits."""


@dataclass(frozen=True)
class Form:
    """The numbers of a form, those of tasks in the order of :data:`TASKS`.

    Attributes:
        num_seeds: circuits of each task.
        num_units: of each task. num_updates: of training, of each task, of batch_size trials.
        learning_rate: of adam.
        variants: names in :data:`VARIANTS`, of each task.
        inverse_lambdas: 1/λ that are tried, Hz.
        num_trials: trials with each 1/λ; fresh_trials: with the best.
        shorter: durations of the tasks' epochs are divided by it; 1 as published.
        fixed_inverse_lambda: 1/λ at which the example is tried once more, Hz.
    """

    name: str
    num_seeds: tuple[int, int] = (10, 6)
    num_units: tuple[int, int] = (200, 250)
    num_updates: tuple[int, int] = (1600, 2000)
    batch_size: int = 8
    learning_rate: float = 0.01
    variants: tuple[tuple[str, ...], tuple[str, ...]] = (
        ("program", "equations", "balanced"),
        ("program", "equations", "no_refractory_period", "single_exponential"),
    )
    inverse_lambdas: tuple[float, ...] = field(default=tuple(float(rate) for rate in range(20, 80, 5)))
    num_trials: int = 50
    fresh_trials: int = 100
    shorter: int = 1
    fixed_inverse_lambda: float = 50.0


FULL = Form("full")
QUICK = Form(
    "quick", num_seeds=(1, 1), num_units=(40, 40), num_updates=(60, 20), inverse_lambdas=(30.0, 60.0),
    num_trials=6, fresh_trials=12, shorter=5,
)  # fmt: skip
FORMS = {form.name: form for form in (FULL, QUICK)}


def cells(form: Form) -> Iterator[Cell]:
    """One circuit of a task in one variant each; the first variant of all tasks first, one more λ last."""
    for rank in range(max(map(len, form.variants))):
        for index, task in enumerate(TASKS):
            for kind in form.variants[index][rank : rank + 1]:
                for seed in range(form.num_seeds[index]):
                    declared = {
                        "task": task, "variant": kind, "seed": seed, "num_units": form.num_units[index],
                        "num_updates": form.num_updates[index], "batch_size": form.batch_size,
                        "learning_rate": form.learning_rate, "inverse_lambdas": list(form.inverse_lambdas),
                        "num_trials": form.num_trials, "fresh_trials": form.fresh_trials,
                        "shorter": form.shorter, "example": (task, seed) == EXAMPLE and rank == 0,
                    }  # fmt: skip
                    if declared["example"]:
                        shown = declared
                    yield Cell((task, kind, seed), declared)
    fixed = {**shown, "inverse_lambdas": [form.fixed_inverse_lambda]}
    yield Cell((shown["task"], FIXED, shown["seed"]), fixed)


def combine(found: Mapping[Cell, xr.Dataset]) -> dict[str, xr.Dataset]:
    """One group a task, variants along ``option`` and circuits along ``draw``; the example apart.

    A record has one list of seeds, and tasks have different ones: circuits lie along the dim ``draw``.
    """
    groups: dict[str, xr.Dataset] = {}
    main = {cell: data for cell, data in found.items() if cell.labels[1] != FIXED}
    for task in TASKS:
        own = {cell: data for cell, data in main.items() if cell.declared["task"] == task}
        kinds = list(dict.fromkeys(str(cell.declared["variant"]) for cell in own))
        stacked = [
            xr.concat(
                [summary(data) for cell, data in own.items() if cell.declared["variant"] == kind],
                "draw", data_vars="all", coords="minimal", combine_attrs="override",
            )
            for kind in kinds
        ]  # fmt: skip
        data = xr.concat(stacked, "option", data_vars="all", coords="minimal", combine_attrs="override")
        data = data.assign(rated(data, task, kinds))
        groups[f"/{task}"] = data.assign_coords(
            option=("option", np.arange(len(kinds)), words("variant", **flag_attributes(kinds))),
            draw=("draw", np.arange(data.sizes["draw"]), words("circuit")),
        )
    groups["/example"] = shown(*(data for data in found.values() if "spike" in data.dims))
    return groups


def shown(data: xr.Dataset, fixed: xr.Dataset) -> xr.Dataset:
    """The example with the best λ, and its output in the same trials with the given one."""
    out = data[[name for name, values in data.data_vars.items() if shows(values)]]
    if not out["targets"].equals(fixed["targets"]):
        raise ValueError("shown: the two transfers of the example are not of the same trials.")
    out["fixed_outputs"] = fixed["spiking_outputs"]
    for name, one, label in (
        ("best_inverse_lambda", data, "1/λ of the example"),
        ("fixed_inverse_lambda", fixed, "1/λ of the example, not the best"),
    ):
        out[name] = ("seed", [one["best_inverse_lambda"].item()], words(label, "Hz"))
    for name, dtype in SMALL.items():
        out[name] = out[name].astype(dtype).assign_attrs(out[name].attrs)
    return plain(out.drop_attrs(deep=False))


def shows(values: xr.DataArray) -> bool:
    """Whether the variable belongs to the example."""
    return bool({"seed", "spike"} & set(values.dims))


def summary(data: xr.Dataset) -> xr.Dataset:
    """What all circuits have."""
    own = data[[name for name, values in data.data_vars.items() if not shows(values)]]
    return plain(own.drop_vars([name for name in own.coords if name not in own.sizes]).drop_attrs(deep=False))


def plain(data: xr.Dataset) -> xr.Dataset:
    """``data`` with a coordinate for every dim."""
    for dim, size in data.sizes.items():
        if dim not in data.coords:
            label = str(dim).replace("_", " ")
            data = data.assign_coords({dim: (dim, np.arange(size), words(label))})
    return data


def rated(data: xr.Dataset, task: str, kinds: list[str]) -> dict[str, tuple[Any, ...]]:
    """Successes of trained circuits with Wilson's 95 % interval, and what is published, for each option."""
    trained = data["trained"].transpose("option", "draw").values == 1
    right = data["final_accuracy"].transpose("option", "draw").values >= ACCURACY_AT_LEAST
    rows = np.array(
        [wilson(int((right & trained)[k].sum()), int(trained[k].sum())) for k in range(len(kinds))]
    )
    out: dict[str, tuple[Any, ...]] = {
        "num_trained": ("option", trained.sum(1), words("rate circuits that were trained")),
        "num_successes": (
            "option",
            (right & trained).sum(1),
            words("trained circuits that were transferred"),
        ),
    }
    for index, name in enumerate(("success", "success_lower", "success_upper")):
        text = "share of trained circuits that were transferred" + ("", ", lower", ", upper")[index]
        out[name] = ("option", rows[:, index], words(text + (", 95 %" if index else "")))
    for name, text in (
        ("success", "share of circuits that were transferred"),
        ("accuracy", "mean fraction of correct trials"),
        ("accuracy_sd", "SD of the fraction of correct trials"),
        ("number", "number of circuits"),
    ):
        values = [PUBLISHED.get((task, kind), {}).get(name, np.nan) for kind in kinds]
        out[f"published_{name}"] = ("option", values, words(f"published {text}"))
    return out


def wilson(successes: int, number: int) -> tuple[float, float, float]:
    """Share of successes and its 95 % interval; NaN of none.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22:209.
    """
    from scipy.stats import binomtest

    if number == 0:
        return np.nan, np.nan, np.nan
    interval = binomtest(successes, number).proportion_ci(method="wilson")
    return successes / number, float(interval.low), float(interval.high)


def study(form: Form | str = FULL) -> Study:
    """The study in a form."""
    chosen = FORMS[form] if isinstance(form, str) else form
    return Study(
        name=NAME,
        title="Rate circuits turned into integrate-and-fire ones",
        form=chosen.name,
        cells=lambda found: cells(chosen),
        measure=lambda cell: measure(cell.declared),
        combine=combine,
        declaration={"cells": {cell.name: dict(cell.declared) for cell in cells(chosen)}},
        not_run=(
            f"100 circuits of go/no-go: {chosen.num_seeds[0]} run",
            f"100 trials with each 1/λ: {chosen.num_trials} run",
            "softplus and rectified units, other upper bounds of the time constants, sizes and gains",
            "delayed exclusive or",
        ),
    )


def report(tree: xr.DataTree) -> None:
    """Print what was found for each task and variant."""
    for task in TASKS:
        data = tree[task].to_dataset()
        for index, kind in enumerate(labels(data["option"])):
            one = data.isel(option=index)
            final, told = one["final_accuracy"].values, {name: float(one[name]) for name in TOLD}
            print(
                f"{task}, {kind}: {told['num_successes']:g} of {told['num_trained']:g} trained circuits "
                f"({len(final)} in all) transferred, 95 % interval {told['success_lower']:.2f} to "
                f"{told['success_upper']:.2f}, published {told['published_success']:.2f}; accuracy "
                f"{final.mean():.3f} ± {final.std(ddof=min(1, len(final) - 1)):.3f}, published "
                f"{told['published_accuracy']:.3f} ± {told['published_accuracy_sd']:.3f}"
            )
            for name in SHOWN:
                print(f"  {name} {np.round(one[name].values, 2).tolist()} {one[name].attrs['units']}")


main = entry(str(__doc__), study, report)

if __name__ == "__main__":
    sys.exit(command_line(str(__doc__), study, report))
