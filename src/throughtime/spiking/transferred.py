"""What a transfer to integrate-and-fire neurons found, as a dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from throughtime.spiking.brian import TARGETS
from throughtime.spiking.lif import LIF, Spikes
from throughtime.spiking.likeness import Likeness

VERSION = 1
STATUSES = ("transferred", "inaccurate", "diverged", "tau_too_short", "loss_too_high", "rates_inaccurate")


@dataclass(frozen=True)
class Options:
    """Options of :func:`throughtime.spiking.transfer`, checked."""

    inverse_lambdas: tuple[float, ...]
    num_trials: int
    fresh_trials: int
    loss_below: float
    accuracy_at_least: float
    kept_trials: int
    num_components: int
    peak: float | None
    neurons: LIF
    target: str

    def __post_init__(self) -> None:
        grid = self.inverse_lambdas
        if not grid or not all(math.isfinite(one) and one > 0 for one in grid) or len(set(grid)) < len(grid):
            raise ValueError(f"transfer: inverse_lambdas {grid!r}; expected distinct numbers > 0, in Hz.")
        for name in ("num_trials", "fresh_trials", "kept_trials", "num_components"):
            value = getattr(self, name)
            if not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
                raise ValueError(f"transfer: {name} {value!r} is not a whole number >= 1.")
        if not self.loss_below > 0:
            raise ValueError(
                f"transfer: loss_below {self.loss_below!r} is not a positive number; math.inf sets no bound."
            )
        if not 0 <= self.accuracy_at_least <= 1:
            raise ValueError(f"transfer: accuracy_at_least {self.accuracy_at_least!r} does not lie in 0 … 1.")
        if self.target not in TARGETS:
            raise ValueError(
                f"transfer: target {self.target!r} is not known; use one of {', '.join(TARGETS)}."
            )


@dataclass(frozen=True)
class Found:
    """One seed: how it ended, why it was refused (None if it was not), and what was measured till then."""

    status: str
    reason: str | None
    rate_error: float = math.nan
    rate_accuracy: float = math.nan
    accuracy: np.ndarray | None = None
    mean_rate: np.ndarray | None = None
    best: int | None = None
    final_accuracy: float = math.nan
    final_mean_rate: float = math.nan
    likeness: Likeness | None = None
    rates: np.ndarray | None = None
    spiking_rates: np.ndarray | None = None
    outputs: np.ndarray | None = None
    spiking_outputs: np.ndarray | None = None
    targets: np.ndarray | None = None
    epochs: np.ndarray | None = None
    spikes: Spikes = field(default_factory=lambda: Spikes(*(np.zeros(0, int) for _ in range(3))))


def dataset(
    task: Any, circuit: Any, seeds: Sequence[int], found: Sequence[Found], options: Options
) -> xr.Dataset:
    """All seeds in one dataset, as :func:`throughtime.spiking.transfer` describes it."""
    kept = min(options.kept_trials, options.fresh_trials)
    sizes = {
        "parameter": len(options.inverse_lambdas),
        "trial": kept,
        "time": int(task.num_steps),
        "unit": circuit.num_units,
        "output": circuit.num_outputs,
        "component": options.num_components,
        "epoch": len(task.epoch_names),
    }

    def stacked(values: Sequence[Any], dims: tuple[str, ...], units: str, long_name: str) -> xr.Variable:
        shape = tuple(sizes[dim] for dim in dims)
        dtype = np.float32 if "time" in dims else np.float64
        each = [np.full(shape, np.nan) if value is None else value for value in values]
        attrs = {"units": units, "long_name": long_name}
        return xr.Variable(("seed", *dims), np.stack([np.asarray(one, dtype) for one in each]), attrs)

    grid = np.asarray(options.inverse_lambdas)
    alike = [one.likeness for one in found]
    best = [math.nan if one.best is None else grid[one.best] for one in found]
    timed = ("trial", "time")
    # fmt: off
    variables = {
        "rate_accuracy": stacked(_each(found, "rate_accuracy"), (), "1",
                                 "fraction of correct trials of the rate circuit"),
        "rate_error": stacked(_each(found, "rate_error"), (), "1",
                              "root of a trial's summed squared error in the rate circuit"),
        "accuracy": stacked(_each(found, "accuracy"), ("parameter",), "1",
                            "fraction of correct trials of the spiking circuit"),
        "mean_rate": stacked(_each(found, "mean_rate"), ("parameter",), "Hz", "mean firing rate"),
        "best_inverse_lambda": stacked(best, (), "Hz", "1/λ with most correct trials"),
        "final_accuracy": stacked(_each(found, "final_accuracy"), (), "1",
                                  "fraction of correct fresh trials of the spiking circuit"),
        "final_mean_rate": stacked(_each(found, "final_mean_rate"), (), "Hz",
                                   "mean firing rate in fresh trials"),
        "cka": stacked(_each(alike, "cka"), (), "1", "debiased CKA of rates and filtered spikes"),
        "procrustes_angle": stacked(_each(alike, "angle"), (), "rad",
                                    "Procrustes angle of rates and filtered spikes"),
        "component_correlation": stacked(_each(alike, "correlation"), ("component",), "1",
                                         "correlation of rates and filtered spikes on the component"),
        "explained_variance_ratio": stacked(_each(alike, "explained"), ("component",), "1",
                                            "share of the variance of the rates"),
        "rate_components": stacked(_first(_each(alike, "rates"), kept), (*timed, "component"), "1",
                                   "rates on their principal components"),
        "spiking_components": stacked(_first(_each(alike, "spikes"), kept), (*timed, "component"), "1",
                                      "filtered spikes on the principal components of the rates"),
        "rates": stacked(_each(found, "rates"), (*timed, "unit"), "1", "rate in the rate circuit"),
        "spiking_rates": stacked(_each(found, "spiking_rates"), (*timed, "unit"), "1",
                                 "λ times the filtered spikes of the unit"),
        "outputs": stacked(_each(found, "outputs"), (*timed, "output"), "1", "output of the rate circuit"),
        "spiking_outputs": stacked(_each(found, "spiking_outputs"), (*timed, "output"), "1",
                                   "output of the spiking circuit"),
        "targets": stacked(_each(found, "targets"), (*timed, "output"), "1", "target output"),
    }
    # fmt: on
    edges = [None if one.epochs is None else np.moveaxis(one.epochs, -1, 0) for one in found]
    for index, name in enumerate(("onset", "offset")):
        of_epoch = [None if one is None else one[index] for one in edges]
        text = f"{'onset' if name == 'onset' else 'end'} of the epoch"
        variables[f"epoch_{name}"] = stacked(of_epoch, ("trial", "epoch"), "ms", text)
    variables["transfer_status"] = xr.Variable(
        "seed",
        np.array([STATUSES.index(one.status) for one in found], np.int64),
        {"units": "1", "long_name": "how the transfer ended", **_flags(STATUSES)},
    )
    spikes = _spikes(seeds, found, options.neurons.dt)
    time = (np.arange(sizes["time"]) + 0.5) * float(task.dt)
    coords = {
        "seed": _coordinate("seed", np.asarray(seeds, np.int64), "seed"),
        "parameter": _coordinate("parameter", grid, "1/λ, the firing rate that a rate of 1 stands for", "Hz"),
        "time": _coordinate("time", time, "time of the centre of the bin", "ms"),
        "spike": _coordinate("spike", np.arange(len(spikes["spike_time"])), "spike"),
        **{
            dim: _coordinate(dim, np.arange(sizes[dim]), label)
            for dim, label in (
                ("trial", "fresh trial"),
                ("unit", "unit"),
                ("component", "principal component of the rates"),
            )
        },
        "output": _coordinate(
            "output", np.arange(sizes["output"]), "output channel", names=task.output_names
        ),
        "epoch": _coordinate("epoch", np.arange(sizes["epoch"]), "epoch", names=task.epoch_names),
    }
    if circuit.recurrent.cell_type_names:
        types = np.asarray(circuit.recurrent.cell_types(circuit.num_units))
        described = {"units": "1", "long_name": "cell type of the unit"}
        coords["cell_type"] = xr.Variable(
            "unit", types, {**described, **_flags(circuit.recurrent.cell_type_names)}
        )
    attrs: dict[str, Any] = {"method": "transfer", "version": VERSION}
    reasons = [
        f"seed {seed}: {one.reason}" for seed, one in zip(seeds, found, strict=True) if one.reason is not None
    ]
    if reasons:
        attrs["refusal"] = "; ".join(reasons)
    return xr.Dataset({**variables, **spikes}, coords, attrs)


def _each(objects: Sequence[Any], name: str) -> list[Any]:
    return [getattr(one, name, None) for one in objects]


def _first(values: list[Any], number: int) -> list[Any]:
    return [None if value is None else value[:number] for value in values]


def _coordinate(
    dim: str, values: np.ndarray, long_name: str, units: str = "1", names: Sequence[str] = ()
) -> xr.Variable:
    return xr.Variable(dim, values, {"units": units, "long_name": long_name, **_flags(names)})


def _flags(names: Sequence[str]) -> dict[str, Any]:
    """The names of codes 0, 1, … as attributes; those of one code are no list."""
    codes = list(range(len(names)))
    return {
        "flag_values": codes if len(codes) > 1 else 0, "flag_meanings": " ".join(names),
    } if names else {}  # fmt: skip


def _spikes(seeds: Sequence[int], found: Sequence[Found], dt: float) -> dict[str, xr.Variable]:
    """All spikes of all seeds along one dim; a spike's time is the end of its step."""
    each = [one.spikes for one in found]
    label = np.repeat(np.asarray(seeds, np.int64), [len(one.step) for one in each])
    replica, unit, step = (np.concatenate(parts) for parts in zip(*each, strict=True))
    columns = (
        ("spike_seed", label, "1", "seed of the circuit that spiked"),
        ("spike_trial", replica.astype(np.int32), "1", "fresh trial of the spike"),
        ("spike_unit", unit.astype(np.int32), "1", "unit that spiked"),
        ("spike_time", (step + 1) * dt, "ms", "time of the spike"),
    )
    return {
        name: xr.Variable("spike", values, {"units": units, "long_name": text})
        for name, values, units, text in columns
    }
