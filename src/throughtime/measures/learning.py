"""Measures of how a circuit learned: gradients, curvature, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.circuits.readout import read_out
from throughtime.measures.base import BySeed, Together
from throughtime.measures.loss import batch_loss, decision_steps, double
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


@dataclass(frozen=True)
class Sharpness(BySeed):
    """Largest and smallest eigenvalue of the Hessian of the loss on noise-free trials, and its trace.

    The loss is the run's objective, penalties included, whatever its rule followed.

    Attributes:
        num_trials: trials of the batch.
        num_probes: random vectors for the trace.
        tolerance: of the eigenvalues; see the analysis.
    """

    num_trials: int = 16
    num_probes: int = 10
    tolerance: float = 1e-4

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.sharpness`."""
        batch, objective = material.batch(seed, min(self.num_trials, material.num_trials)), material.objective

        def loss(params: Any) -> Any:
            return batch_loss(material.circuit, objective, params, batch)

        rate = material.run.config["training"]["learning_rate"]
        return analysis.sharpness(
            loss,
            material.params(seed),
            seed=0,
            learning_rate=float(rate) if isinstance(rate, int | float) else None,
            num_probes=self.num_probes,
            tolerance=self.tolerance,
            regularised=objective.has_penalty or objective.has_weight_penalty,
        )


@dataclass(frozen=True)
class KernelAlignment(BySeed):
    """How far the kernels of the representation and of the tangent have turned since before training.

    The representation is that of noise-free rates at the last step that bears loss, the tangent kernel that
    of the outputs there. Lazy learning leaves both at 1.

    Attributes:
        num_trials: trials; the tangent kernel has one row a trial and output.
    """

    num_trials: int = 16

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.kernel_alignment`."""
        batch, circuit = material.batch(seed, min(self.num_trials, material.num_trials)), material.circuit
        last = jnp.asarray(decision_steps(batch))
        start = material.at(0)

        def decided(params: Any, x: Any, valid: Any, at: Any) -> Any:
            return circuit.run(params, x, valid=valid).rates[at]

        with jax.enable_x64(True):
            over_trials = jax.vmap(decided, in_axes=(None, 0, 0, 0))
            after, before = (
                xr.DataArray(
                    np.asarray(over_trials(double(one.params(seed)), batch.inputs, batch.valid, last)),
                    dims=("trial", "unit"),
                )
                for one in (material, start)
            )

        def outputs(params: Any, index: Any) -> Any:
            at = jnp.asarray(index, int)
            return circuit.run(params, batch.inputs[at], valid=batch.valid[at]).outputs[last[at]]

        return analysis.kernel_alignment(
            after,
            start_rates=before,
            outputs=outputs,
            params=material.params(seed),
            start_params=start.params(seed),
            inputs=xr.DataArray(np.arange(len(last), dtype=float), dims="trial"),
        )


@dataclass(frozen=True)
class WeightChange(Together):
    """Size, ranks and directions of what training did to the recurrent weights, checkpoint by checkpoint.

    Attributes:
        num_draws: changes without structure that it is compared with.
    """

    num_draws: int = 200

    def of_seeds(self, material: Material, seeds: list[int]) -> xr.Dataset:
        """See :func:`throughtime.analysis.weight_change`."""
        group = material.run.tree["checkpoints"].to_dataset().sel(seed=seeds)
        ends = group.sizes["checkpoint"]
        last = material.checkpoint % ends
        if last == 0:
            raise ValueError("checkpoint: 0 is before training; choose a later one.")
        weights = group["recurrent"].astype(float).isel(checkpoint=slice(last + 1))
        found = analysis.weight_change(
            weights,
            seed=0,
            input_weights=_one_matrix(material.weights("input").sel(seed=seeds)),
            readout=material.weights("readout").sel(seed=seeds).astype(float),
            num_draws=self.num_draws,
        )
        return found.assign_coords(
            checkpoint_update=group["checkpoint_update"].isel(checkpoint=slice(last + 1))
        )


def _one_matrix(weights: xr.DataArray) -> xr.DataArray | None:
    """Input weights of one matrix; where every gate has its own there is no one subspace of inputs."""
    extra = set(weights.dims) - {"seed", "unit", "input"}
    return None if extra else weights.astype(float)


@dataclass(frozen=True)
class FlowField(Together):
    """Whether activity came to flow as the rule's feedback weights assign credit, or as the readout would.

    Needs a rule that holds feedback weights of its own, such as ``rflo`` with random feedback.
    """

    def of_seeds(self, material: Material, seeds: list[int]) -> xr.Dataset:
        """See :func:`throughtime.analysis.flow_field`."""
        group = material.run.tree["checkpoints"].to_dataset().sel(seed=seeds)
        if "rule_feedback" not in group:
            raise ValueError(
                "rule: it holds no feedback weights, so the assumed decoder is the readout itself; use a "
                "rule with feedback='random'."
            )
        assumed = group["rule_feedback"].isel(checkpoint=material.checkpoint, drop=True)
        return analysis.flow_field(
            material.at(0).quiet.sel(seed=seeds),
            material.quiet.sel(seed=seeds),
            assumed=assumed.transpose("seed", "output", "unit").astype(float),
            true=material.weights("readout").sel(seed=seeds).astype(float),
        )
