"""Measures of a circuit as a dynamical system: where it stands still, and how fast it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.memory_capacity import SAMPLES_PER_UNIT
from throughtime.measures.base import BySeed

if TYPE_CHECKING:
    from throughtime.analysis._circuit_step import CircuitStep
    from throughtime.measures.material import Material


def visited(material: Material, seed: int, epoch: str | None) -> tuple[CircuitStep, np.ndarray]:
    """Step of a seed's circuit, and the states (sample, state) of its noise-free trials within an epoch."""
    step = material.step(seed)
    states = step.vectors(material.quiet["states"].sel(seed=seed)).transpose("trial", "time", "state")
    inside = material.within(epoch).sel(seed=seed).transpose("trial", "time").values
    if not inside.any():
        raise ValueError(f"epoch: {material.epoch(epoch)[0]!r} has no duration in any trial; choose another.")
    return step, states.values[inside]


@dataclass(frozen=True)
class FixedPoints(BySeed):
    """Fixed and slow points under the input that holds during an epoch.

    Starts are states that the circuit went through in that epoch, half of them mixed, all with noise added.

    Attributes:
        epoch: whose median input is held; the longest but the whole trial by default.
        by: a condition: one input for each of its levels.
        num_starts: starts of the search under each input.
        scatter: noise added to them, in standard deviations of the states.
        alpha: dt/τ, for circuits whose neurons have several variables.
        period: 2 to search two steps together, for cycles of two states.
    """

    epoch: str | None = None
    by: str | None = None
    num_starts: int = 512
    scatter: float = 0.2
    alpha: float | None = None
    period: int = 1

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.fixed_points`."""
        step, states = visited(material, seed, self.epoch)
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet(np.ones(4), self.num_starts)
        shares[: self.num_starts // 2] = (1.0, 0.0, 0.0, 0.0)
        starts = np.einsum("ck,cks->cs", shares, states[rng.integers(len(states), size=shares.shape)])
        starts += self.scatter * states.std() * rng.standard_normal(starts.shape)
        inputs = material.constant_inputs(self.epoch, self.by).sel(seed=seed, drop=True).astype(float)
        return analysis.fixed_points(
            step.step,
            xr.DataArray(starts, dims=("trial", "state")),
            alpha=step.alpha if self.alpha is None else self.alpha,
            inputs=inputs,
            data=xr.DataArray(states, dims=("trial", "state")),
            period=self.period,
        )


@dataclass(frozen=True)
class JacobianSpectrum(BySeed):
    """Eigenvalues, time constants and selection vectors at the states at the end of an epoch.

    Attributes:
        epoch: the longest but the whole trial by default.
        num_states: trials, the first ones, whose state is looked at.
    """

    epoch: str | None = None
    num_states: int = 8

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.jacobian_spectrum`."""
        step = material.step(seed)
        ends = step.vectors(material.at_end(self.epoch, of="states").sel(seed=seed))
        inputs = material.at_end(self.epoch, of="inputs").sel(seed=seed).astype(float)
        first = {"trial": slice(self.num_states)}
        return analysis.jacobian_spectrum(
            step.step, ends.isel(first), dt=step.dt, inputs=inputs.isel(first).reset_coords(drop=True)
        )


@dataclass(frozen=True)
class LyapunovSpectrum(BySeed):
    """Lyapunov exponents under the input that holds during an epoch.

    Attributes:
        epoch: whose median input is held; the longest but the whole trial by default.
        num_steps, burn_in: of the trajectory, which begins where the circuit begins.
        num_exponents: the largest ones; all by default.
    """

    epoch: str | None = None
    num_steps: int = 5000
    burn_in: int = 1000
    num_exponents: int | None = None

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.lyapunov_spectrum`."""
        step = material.step(seed)
        held = (
            material.constant_inputs(self.epoch).sel(seed=seed, drop=True).isel(input_condition=0, drop=True)
        )
        steps = self.num_steps + self.burn_in
        inputs = np.broadcast_to(held.values.astype(float), (steps, held.size))
        return analysis.lyapunov_spectrum(
            step.step,
            xr.DataArray(step.start, dims="state"),
            dt=step.dt,
            inputs=xr.DataArray(inputs, dims=("time", "input")),
            num_steps=self.num_steps,
            burn_in=self.burn_in,
            num_exponents=self.num_exponents,
        ).drop_vars("input", errors="ignore")


@dataclass(frozen=True)
class AutocorrelationTimescale(BySeed):
    """Time constants of the units' autocorrelation across trials, the circuit's noise on.

    Attributes:
        epoch: whose shortest duration is the window; the longest but the whole trial by default.
    """

    epoch: str | None = None

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.autocorrelation_timescale`."""
        rates = material.aligned(seed, self.epoch)
        return analysis.autocorrelation_timescale(rates)


@dataclass(frozen=True)
class MemoryCapacity(BySeed):
    """How much of white noise on one input the circuit holds, lag by lag; not of trials of the task.

    The other inputs are 0, and the circuit begins where it begins.

    Attributes:
        channel: name of the input; the first by default.
        scale: standard deviation of the noise, one number a step; what a circuit holds depends on it.
        max_lag: steps; twice the number of units by default.
        burn_in: steps left out at the start.
        num_steps: steps after them; by default as few as the analysis takes, 50 a unit and 4 a lag.
    """

    channel: str | None = None
    scale: float = 0.1
    max_lag: int | None = None
    burn_in: int = 100
    num_steps: int | None = None

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.memory_capacity`."""
        names = tuple(material.run.task.input_names)
        if self.channel is not None and self.channel not in names:
            raise ValueError(f"channel: no input {self.channel!r}; the task has {', '.join(names)}.")
        name = names[0] if self.channel is None else self.channel
        num_units = int(material.circuit.num_units)
        lags = 2 * num_units if self.max_lag is None else self.max_lag
        steps = max(SAMPLES_PER_UNIT * num_units, 4 * lags) if self.num_steps is None else self.num_steps
        noise = self.scale * np.random.default_rng(0).standard_normal(steps + self.burn_in)
        inputs = xr.DataArray(np.zeros((noise.size, len(names))), dims=("time", "input"))
        inputs[:, names.index(name)] = noise
        run = analysis.circuit_simulator(material.circuit, material.params(seed), inputs, lambda outputs: 0.0)
        step = material.step(seed)
        return analysis.memory_capacity(
            xr.DataArray(noise, dims="time"),
            xr.DataArray(step.rates(run()[0]), dims=("time", "unit")),
            dt=step.dt,
            max_lag=lags,
            burn_in=self.burn_in,
        ).assign_attrs(channel=name, scale=self.scale)
