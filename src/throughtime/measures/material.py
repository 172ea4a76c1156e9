"""What measures of a run are taken from: its circuits, and held-out trials through them."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import xarray as xr

from throughtime import api, keys
from throughtime.analysis._align import align
from throughtime.analysis._circuit_step import CircuitStep, circuit_step
from throughtime.measures.conditions import Conditions
from throughtime.measures.loss import double
from throughtime.results import labels
from throughtime.results.flags import flag_attributes
from throughtime.results.schema import stored_name
from throughtime.training.record import DIVERGED

if TYPE_CHECKING:
    from throughtime.results import Run

PURPOSE = "analysis"


class Material(Conditions):
    """A run at one checkpoint, and trials of the stream ``analysis``, which training never sees.

    Args:
        run: a trained or loaded run.
        checkpoint: which recorded weights; negative counts from the last.
        num_trials: trials a seed.

    Attributes:
        run, checkpoint, num_trials: as given.
        seeds: labels of the seeds.
    """

    def __init__(self, run: Run, *, checkpoint: int = -1, num_trials: int = 64) -> None:
        self.run, self.checkpoint, self.num_trials = run, checkpoint, num_trials
        self.seeds = run.seeds
        self._others: dict[tuple[int, int], Material] = {}

    @functools.cached_property
    def circuit(self) -> Any:
        """The circuit without its noise."""
        return dataclasses.replace(self.run.circuit, noise_sd=0.0)

    @functools.cached_property
    def usable(self) -> dict[int, bool]:
        """Seed -> whether its weights can be analysed: a diverged seed's can be only before it diverged."""
        status = self.run.tree["training"].to_dataset()["status"].values
        return {
            seed: bool(code != DIVERGED or np.isfinite(np.concatenate(self._flat(seed))).all())
            for seed, code in zip(self.seeds, status, strict=True)
        }

    def _flat(self, seed: int) -> list[np.ndarray]:
        return [np.ravel(value).astype(float) for value in self.params(seed).values()]

    def at(self, checkpoint: int) -> Material:
        """The same trials through the weights of another checkpoint; run once for all measures."""
        return self._others.setdefault(
            (checkpoint, self.num_trials),
            Material(self.run, checkpoint=checkpoint, num_trials=self.num_trials),
        )

    def with_trials(self, num_trials: int) -> Material:
        """The same circuits in at least so many trials."""
        if num_trials <= self.num_trials:
            return self
        return self._others.setdefault(
            (self.checkpoint, num_trials),
            Material(self.run, checkpoint=self.checkpoint, num_trials=num_trials),
        )

    @functools.cached_property
    def trials(self) -> xr.Dataset:
        """Held-out trials (seed, trial, …) with the circuit's noise on."""
        return self._evaluated(noise=True)

    @functools.cached_property
    def quiet(self) -> xr.Dataset:
        """The same trials without the circuit's noise."""
        return self._evaluated(noise=False)

    def _evaluated(self, noise: bool) -> xr.Dataset:
        return api.evaluate(
            self.run, self.num_trials, checkpoint=self.checkpoint, purpose=PURPOSE, noise=noise
        )

    def params(self, seed: int) -> dict[str, np.ndarray]:
        """Free parameters of one seed."""
        return self.run.params(seed, self.checkpoint)

    def step(self, seed: int) -> CircuitStep:
        """The noise-free step of one seed's circuit; see :func:`throughtime.analysis.circuit_step`."""
        return circuit_step(self.circuit, self.params(seed))

    def weights(self, name: str) -> xr.DataArray:
        """Effective weights (seed, …) at the checkpoint, under the name ``circuit.weights`` gives them."""
        group = self.run.tree["checkpoints"].to_dataset()
        return group[stored_name(name)].isel(checkpoint=self.checkpoint, drop=True)

    def batch(self, seed: int, num_trials: int | None = None) -> Any:
        """The trials of one seed as the task makes them, leaves (trial, …), in float64."""
        index = self.seeds.index(seed)
        data_seed = self.run.config["training"]["data_seeds"][index]
        each = keys.trial_keys(keys.seed_key(data_seed, "data"), PURPOSE, 0, num_trials or self.num_trials)
        trials = jax.jit(jax.vmap(self.run.task.trial))(each)
        with jax.enable_x64(True):
            return double(trials)

    @property
    def objective(self) -> Any:
        """What the circuits were trained to make small."""
        return self.run.config["objective"]

    def rates_within(self, epoch: str | None = None) -> xr.DataArray:
        """Noise-free rates (seed, trial, time, unit), NaN outside the trial and, if given, the epoch."""
        valid = self.quiet["valid"].astype(bool)
        return self.quiet["rates"].where(valid if epoch is None else valid & self.within(epoch))

    def aligned(self, seed: int, epoch: str | None = None, *, num_times: int | None = None) -> xr.DataArray:
        """Rates (trial, lag, unit) of one seed, its noise on, over the shortest duration of an epoch.

        Args:
            seed: whose. epoch: see :meth:`epoch`. num_times: times, evenly spaced; every bin by default.

        Raises:
            ValueError: for an epoch that is absent from every trial.
        """
        name, onset, offset = self.epoch(epoch)
        onset, offset = onset.sel(seed=seed), offset.sel(seed=seed)
        dt = float(self.run.task.dt)
        length = offset - onset
        there = length.where(length > dt / 2)
        if not bool(there.notnull().any()):
            raise ValueError(f"epoch: {name!r} has no duration in any trial; choose another.")
        steps = max(int(float(there.min()) / dt + 0.5), 1)
        index = np.arange(steps)
        if num_times is not None and num_times < steps:
            index = np.unique(np.linspace(0, steps - 1, num_times).round().astype(int))
        rates = self.trials["rates"].sel(seed=seed).astype(float)
        return align(rates, onset.where(there.notnull()), (index + 0.5) * dt)

    def at_end(self, epoch: str | None = None, *, of: str = "rates", noise: bool = False) -> xr.DataArray:
        """Rates or states (seed, trial, …) in the last bin of an epoch; see :meth:`epoch`."""
        inside = self.within(epoch)
        index = xr.DataArray(np.arange(inside.sizes["time"]), dims="time")
        last = index.where(inside, -1).max("time")
        recorded = (self.trials if noise else self.quiet)[of]
        return recorded.isel(time=last.clip(0)).drop_vars("time").where(last >= 0)

    def epoch(self, name: str | None = None) -> tuple[str, xr.DataArray, xr.DataArray]:
        """Name, onset and end (seed, trial) of an epoch; of the longest, the whole trial apart, by default.

        Raises:
            ValueError: for an epoch the task does not have.
        """
        names = labels(self.trials["epoch"])
        onset, offset = self.trials["epoch_onset"], self.trials["epoch_offset"]
        if name is None:
            length = (offset - onset).mean(("seed", "trial"))
            whole = float(length.max())
            inner = length.where(length < 0.999 * whole)
            index = int(np.nanargmax((inner if bool(inner.notnull().any()) else length).values))
        elif name in names:
            index = names.index(name)
        else:
            raise ValueError(f"epoch: the task has no {name!r}; choose of {', '.join(names)}.")
        return names[index], onset.isel(epoch=index, drop=True), offset.isel(epoch=index, drop=True)

    def within(self, name: str | None = None) -> xr.DataArray:
        """Whether each sample (seed, trial, time) lies in an epoch and in the trial."""
        _, onset, offset = self.epoch(name)
        time = self.trials["time"]
        inside = (time > onset) & (time < offset) & self.trials["valid"].astype(bool)
        return inside.transpose("seed", "trial", "time")

    def constant_inputs(self, epoch: str | None = None, by: str | None = None) -> xr.DataArray:
        """Inputs that hold during an epoch: (seed, input_condition, input), medians over trials and times.

        Args:
            epoch: see :meth:`epoch`. by: a condition: one input for each of its levels; else one for all.
        """
        inside = self.within(epoch)
        inputs = self.quiet["inputs"].where(inside)
        if by is None:
            found = [inputs.median(("trial", "time"))]
            names = ["all"]
        else:
            values = self.condition(by)
            levels = np.unique(values.values[np.isfinite(values.values)])
            found = [inputs.where(values == level).median(("trial", "time")) for level in levels]
            names = [f"{by}={level:g}" for level in levels]
        stacked = xr.concat(found, "input_condition").transpose("seed", "input_condition", "input")
        return stacked.assign_coords(
            input_condition=(
                "input_condition",
                np.arange(len(names)),
                {"units": "1", "long_name": "constant input", **flag_attributes(names)},
            )
        )
