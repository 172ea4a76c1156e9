"""Trials that every circuit of a comparison is measured with, and what they see of a circuit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import keys
from throughtime.measures.loss import batch_loss, decision_steps, double

PURPOSE = "analysis"
MOST_TIMES = 16
MOST_ROWS = 256


class Activity(NamedTuple):
    """What a circuit did in the probe trials, in float64.

    Attributes:
        rates: (trial, time, unit). outputs: (trial, time, output).
        loss: mean loss over the trials. fraction_correct: of the trials that are no catch trials.
    """

    rates: np.ndarray
    outputs: np.ndarray
    loss: float
    fraction_correct: float


class Probe:
    """One batch of held-out trials, the same for every rule and seed, run without noise in float64.

    Args:
        task, circuit, objective: those of the comparison.
        data_seed: whose stream of trials for analysis is used; no training sees it.
        num_trials: trials.
    """

    def __init__(self, task: Any, circuit: Any, objective: Any, *, data_seed: int, num_trials: int) -> None:
        self.task, self.objective = task, objective
        self.circuit = dataclasses.replace(circuit, noise_sd=0.0)
        each = keys.trial_keys(keys.seed_key(data_seed, "data"), PURPOSE, 0, num_trials)
        trials = jax.jit(jax.vmap(task.trial))(each)
        with jax.enable_x64(True):
            self.trials = double(trials)

    @cached_property
    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Trial and time of the samples at which activity is compared: at most 16 times, evenly spaced."""
        valid = np.asarray(self.trials.valid, bool)
        steps = valid.shape[1]
        times = np.unique(np.linspace(0, steps - 1, min(MOST_TIMES, steps)).round().astype(int))
        trial, index = np.nonzero(valid[:, times])
        return trial, times[index]

    @cached_property
    def decision(self) -> np.ndarray:
        """(trial,) the step of the decision; see :func:`throughtime.measures.loss.decision_steps`."""
        return decision_steps(self.trials)

    @property
    def regularised(self) -> int:
        """Whether penalties count in the loss."""
        return int(self.objective.has_penalty or self.objective.has_weight_penalty)

    def numbers(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters in float64."""
        with jax.enable_x64(True):
            return double(dict(params))

    def activity(self, params: Mapping[str, Any]) -> Activity:
        """What the circuit does; NaN where it diverges."""
        with jax.enable_x64(True):
            found = _activity(self.task, self.circuit, self.objective, self.numbers(params), self.trials)
        rates, outputs, loss, correct = map(np.asarray, found)
        catch = self.trials.conditions.get("catch")
        counted = correct if catch is None else correct[~np.asarray(catch, bool)]
        return Activity(rates, outputs, float(loss), float(counted.mean()) if counted.size else np.nan)

    def loss_of(self, count: int) -> Callable[[Any], Any]:
        """Loss of the first trials, penalties included: a function of parameters, for JAX to derive."""
        trials = jax.tree.map(lambda leaf: leaf[:count], self.trials)
        return lambda params: batch_loss(self.circuit, self.objective, params, trials)

    @property
    def num_tangent_trials(self) -> int:
        """Trials whose outputs at the decision make the tangent kernel: at most 256 numbers."""
        return max(2, min(len(self.decision), MOST_ROWS // self.trials.targets.shape[-1]))

    def decision_output(self, params: Any, index: Any) -> Any:
        """Outputs (output,) of one trial at the decision, for JAX to differentiate."""
        at = jnp.asarray(index, int)
        inputs, valid = self.trials.inputs[at], self.trials.valid[at]
        return self.circuit.run(params, inputs, valid=valid).outputs[jnp.asarray(self.decision)[at]]


@partial(jax.jit, static_argnums=(0, 1, 2))
def _activity(task: Any, circuit: Any, objective: Any, params: Any, trials: Any) -> Any:
    def one(trial: Any) -> Any:
        path = circuit.run(params, trial.inputs, valid=trial.valid)
        return path.rates, path.outputs, task.score(path.outputs, trial)["correct"]

    rates, outputs, correct = jax.vmap(one)(trials)
    return rates, outputs, batch_loss(circuit, objective, params, trials), correct
