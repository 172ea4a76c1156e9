"""From a rate circuit to integrate-and-fire neurons with the same weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import jax.numpy as jnp
import numpy as np

from throughtime import config
from throughtime.spiking import preconditions, success
from throughtime.spiking.lif import LIF, Spikes
from throughtime.spiking.likeness import likeness
from throughtime.spiking.network import FRESH, GRID, Network, correct, rate_block
from throughtime.spiking.transferred import Found, Options, dataset

if TYPE_CHECKING:
    import xarray as xr


class Transferable(Protocol):
    """What is transferred: a run, or a :class:`Trained` circuit."""

    @property
    def task(self) -> Any:
        """The task."""

    @property
    def circuit(self) -> Any:
        """The circuit."""

    @property
    def seeds(self) -> Sequence[int]:
        """Labels of the seeds."""

    def params(self, seed: int, checkpoint: int = -1) -> Mapping[str, Any]:
        """Parameters of one seed."""


@dataclass(frozen=True)
class Trained:
    """One circuit with its parameters, in the place of a run.

    Attributes:
        task, circuit: what was trained on what. weights: its parameters. seed: label, and seed of the trials.
    """

    task: Any
    circuit: Any
    weights: Mapping[str, Any]
    seed: int = 0

    @property
    def seeds(self) -> list[int]:
        """The one label."""
        return [self.seed]

    def params(self, seed: int, checkpoint: int = -1) -> Mapping[str, Any]:
        """The parameters."""
        return self.weights


def transfer(
    run: Transferable,
    *,
    task: Any = None,
    checkpoint: int = -1,
    inverse_lambdas: Sequence[float] = tuple(range(20, 80, 5)),
    num_trials: int = 100,
    fresh_trials: int = 100,
    loss_below: float = 7.0,
    accuracy_at_least: float = 0.95,
    peak: float | None = None,
    neurons: LIF | None = None,
    kept_trials: int = 4,
    num_components: int = 3,
    target: str = "numpy",
) -> xr.Dataset:
    """Give trained rate circuits integrate-and-fire neurons for units, and see whether they do the task.

    The recurrent weights and those of the readout are multiplied by λ, input weights, biases and τ_i stay as
    they are; see :class:`LIF` for the equations. The output is λ W_out s + b_out at the end of each bin of
    the task, as the rate circuit's is that of the state after the step. 1/λ, the firing rate that a rate of 1
    stands for, is searched: the value with which most of ``num_trials`` trials are correct, the first of
    equals, is then tried on ``fresh_trials`` others. Trials are those of the purpose ``transfer``, which
    neither training nor tests see. v before the first step is drawn for every unit and trial; I begins with
    the current that the rate circuit has there.

    Args:
        run: a run (its ``task``, ``circuit``, ``seeds`` and ``params``), or a :class:`Trained` circuit, of
            leaky units in the current form.
        task: another task with the same channels and dt; that of the run by default.
        checkpoint: which recorded weights.
        inverse_lambdas: 1/λ to try, Hz.
        num_trials, fresh_trials: trials of a seed for each λ, and with the best.
        loss_below: what the root of a trial's summed squared error, on average, has to be below in the rate
            circuit; published for 200 to 500 steps. It grows with the root of the number of steps.
        accuracy_at_least: share of correct trials that the rate circuit must, and the spikes should, reach.
        peak: for a choice reported by sign, what the output has to exceed once in the response for a trial
            to be correct, the published rule (0.7); the task's own score by default.
        neurons: constants; ``LIF()`` by default.
        kept_trials: of the fresh trials, whose rates, outputs and spikes are returned.
        num_components: principal components of the rates.
        target: what Brian2 makes code for, ``numpy`` or ``cython``.

    Returns:
        Dataset with, for every ``seed``: ``transfer_status``; ``rate_accuracy``, ``rate_error`` before;
        ``accuracy`` and ``mean_rate`` (Hz) over ``parameter`` = 1/λ (Hz); ``best_inverse_lambda``,
        ``final_accuracy`` on fresh trials with its ``final_mean_rate``; how alike λ s and the rates are over
        the fresh trials (``cka``, ``procrustes_angle``, ``component_correlation``: each component of the
        rates against λ s on the same axis); ``rates``, ``spiking_rates`` (λ s), ``outputs``,
        ``spiking_outputs``, ``targets``, epochs and components of the kept trials; and all their spikes on
        the dim ``spike``. A seed that is refused is NaN, with its reason in ``transfer_status``.

    Raises:
        ValueError: for a circuit without a counterpart, and where the only seed is refused.

    Warns:
        UserWarning: for softplus, and fewer than 200 units.

    Source: Kim, Li and Sejnowski (2019) Proceedings of the National Academy of Sciences 116:22811;
    simulated by Brian2: Stimberg, Brette & Goodman 2019, eLife 8:e47314.
    """
    task = run.task if task is None else task
    neurons = LIF() if neurons is None else neurons
    options = Options(
        inverse_lambdas=tuple(map(float, inverse_lambdas)),
        num_trials=num_trials,
        fresh_trials=fresh_trials,
        loss_below=loss_below,
        accuracy_at_least=accuracy_at_least,
        kept_trials=kept_trials,
        num_components=num_components,
        peak=peak,
        neurons=neurons,
        target=target,
    )
    preconditions.check_circuit(task, run.circuit, neurons)
    if num_components > run.circuit.num_units:
        raise ValueError(
            f"transfer: num_components {num_components} is more than the circuit has units, "
            f"{run.circuit.num_units}; use fewer."
        )
    success.check_peak(task, peak)
    found = []
    for seed in run.seeds:
        one = _one(task, run.circuit, run.params(seed, checkpoint), int(seed), options)
        if one.reason is not None and len(run.seeds) == 1:
            raise ValueError(f"transfer: seed {seed}: {one.reason}.")
        found.append(one)
    described = {**vars(options), "checkpoint": checkpoint, **({} if task == run.task else {"task": task})}
    return dataset(task, run.circuit, run.seeds, found, options).assign_attrs(
        params=config.canonical(described)
    )


def _one(task: Any, circuit: Any, params: Mapping[str, Any], seed: int, options: Options) -> Found:
    """One seed: its refusal, or all that was found."""
    if not all(np.isfinite(np.asarray(each)).all() for each in params.values()):
        return Found("diverged", "its parameters are not finite: training diverged")
    params = {name: jnp.asarray(each) for name, each in params.items()}
    weights = circuit.weights(params)
    reason = preconditions.tau_problem(float(np.min(weights.tau)))
    if reason is not None:
        return Found("tau_too_short", reason)
    before = rate_block(task, circuit, params, seed, GRID, options.num_trials)
    error = float(success.errors(before.outputs, before.trials).mean())
    right = float(correct(task, before.outputs, before.trials, options.peak).mean())
    for status, reason in (
        ("loss_too_high", preconditions.loss_problem(error, options.loss_below)),
        ("rates_inaccurate", preconditions.accuracy_problem(right, options.accuracy_at_least)),
    ):
        if reason is not None:
            return Found(status, reason, error, right)
    network = Network.of(circuit, params, options, seed)
    grid = np.asarray(options.inverse_lambdas)
    accuracy, mean_rate = network.grid(task, before, grid, options.peak)
    best = int(np.argmax(accuracy))
    fresh = rate_block(task, circuit, params, seed, FRESH, options.fresh_trials)
    chosen = np.full(options.fresh_trials, grid[best])
    spikes = network.run(fresh, chosen, None, FRESH)
    sent = network.rates(fresh, spikes, chosen)
    outputs = network.outputs(sent)
    final = float(correct(task, outputs, fresh.trials, options.peak).mean())
    valid = np.asarray(fresh.trials.valid)
    alike = likeness(fresh.rates, sent, valid, options.num_components)
    kept = min(options.kept_trials, options.fresh_trials)
    return Found(
        "transferred" if final >= options.accuracy_at_least else "inaccurate",
        None,
        error,
        right,
        accuracy=accuracy,
        mean_rate=mean_rate,
        best=best,
        final_accuracy=final,
        final_mean_rate=float(network.mean_rates(fresh, spikes).mean()),
        likeness=alike,
        rates=fresh.rates[:kept],
        spiking_rates=sent[:kept],
        outputs=fresh.outputs[:kept],
        spiking_outputs=outputs[:kept],
        targets=np.asarray(fresh.trials.targets)[:kept],
        epochs=np.stack([np.stack(fresh.trials.epochs[name], -1) for name in task.epoch_names], 1)[:kept],
        spikes=Spikes(*(each[spikes.replica < kept] for each in spikes)),
    )
