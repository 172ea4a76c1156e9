"""Measures of how a circuit learned: gradients, curvature, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.circuits.readout import read_out
from throughtime.measures.base import BySeed
from throughtime.measures.loss import double
from throughtime.trial import Trial

if TYPE_CHECKING:
    from throughtime.measures.material import Material


@dataclass(frozen=True)
class GradientNorms(BySeed):
    """Norms of the gradients by the state, and their slopes over lag, in noise-free trials.

    Attributes:
        num_trials: trials of each seed, the first ones.
        num_lags: lags at which the Jacobian's norm is taken, evenly over the trial.
    """

    num_trials: int = 8
    num_lags: int = 40

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.gradient_norms`."""
        circuit, params, objective = material.circuit, material.params(seed), material.objective
        batch = material.batch(seed, min(self.num_trials, material.num_trials))
        dt, steps = float(circuit.dt), batch.inputs.shape[1]
        lags = np.unique(np.linspace(0, steps, min(self.num_lags, steps) + 1).round()) * dt
        with jax.enable_x64(True):
            numbers = double(params)
            weights = circuit.weights(numbers)

        def loss(states: Any, targets: Any, mask: Any, valid: Any) -> Any:
            read = jax.vmap(lambda state: circuit.dynamics.readout(numbers, state))(states)
            outputs = read_out(circuit, weights, read, valid)
            return objective(outputs, Trial(targets, targets, mask, valid, {}, {}))

        def named(values: Any, *dims: str) -> xr.DataArray:
            return xr.DataArray(np.asarray(values), dims=("trial", "time", *dims))

        valid = named(batch.valid)
        targets = (named(batch.targets, "output"), named(batch.mask, "output"), valid)
        inputs = named(batch.inputs, "input")
        return analysis.gradient_norms(
            circuit, params, inputs, loss, targets=targets, valid=valid, dt=dt, lags=lags
        )
