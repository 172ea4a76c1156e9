"""A trained rate circuit in a block of trials, and the LIF network that takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import keys
from throughtime.circuits.simulate import forward
from throughtime.spiking import success
from throughtime.spiking.kernel import filtered
from throughtime.spiking.lif import LIF, Spikes, simulate

if TYPE_CHECKING:
    from throughtime.spiking.transferred import Options
    from throughtime.trial import Trial

GRID, FRESH = 0, 1  # blocks of trials of the purpose "transfer"
ENTRIES_AT_ONCE = 8_000_000  # filtered trains in memory


class Rates(NamedTuple):
    """What the rate circuit did in a block of trials, its noise on; NumPy arrays, leaves (trial, …)."""

    trials: Trial
    rates: np.ndarray
    outputs: np.ndarray
    start: np.ndarray


def rate_block(task: Any, circuit: Any, params: Any, seed: int, block: int, num_trials: int) -> Rates:
    """A block of trials of the purpose ``transfer`` in the rate circuit, its noise on."""
    found = _run_rates(task, circuit, num_trials, params, jnp.uint32(seed), block)
    return Rates(*jax.tree.map(np.asarray, found))


def _compute(task: Any, circuit: Any, num_trials: int, params: Any, seed: Any, block: Any) -> Any:
    each = keys.trial_keys(keys.seed_key(seed, "data"), "transfer", block, num_trials)
    trials = jax.vmap(task.trial)(each)
    unfolded, outputs = forward(circuit, params, circuit.weights(params), trials, each)
    start = jax.vmap(lambda key: jax.random.uniform(keys.stream(key, "spiking"), (circuit.num_units,)))(each)
    return trials, jnp.swapaxes(unfolded.read, 0, 1), jnp.swapaxes(outputs, 0, 1), start


_run_rates = jax.jit(_compute, static_argnums=(0, 1, 2))


def correct(task: Any, outputs: np.ndarray, trials: Trial, peak: float | None) -> np.ndarray:
    """Whether each trial was correct, (trial,), by the task's score or by the peak."""
    found = success.correct(task, jnp.asarray(outputs, jnp.float32), trials, peak=peak)
    return np.asarray(found, bool)


class Network(NamedTuple):
    """The LIF network of one seed."""

    neurons: LIF
    recurrent: np.ndarray
    input: np.ndarray
    bias: np.ndarray
    readout: np.ndarray
    readout_bias: np.ndarray
    tau: np.ndarray
    current: np.ndarray
    dt: float
    target: str
    seed: int

    @classmethod
    def of(cls, circuit: Any, params: Any, options: Options, seed: int) -> Network:
        """The effective weights of ``params``, and the current that the circuit begins with."""
        weights = circuit.weights(params)
        return cls(
            neurons=options.neurons,
            recurrent=np.asarray(weights.recurrent, float),
            input=np.asarray(weights.input, float),
            bias=np.asarray(weights.bias, float),
            readout=np.asarray(weights.readout, float),
            readout_bias=np.asarray(weights.readout_bias, float),
            tau=np.asarray(weights.tau, float),
            current=np.asarray(circuit.initial_state(params)["current"], float),
            dt=float(circuit.dt),
            target=options.target,
            seed=seed,
        )

    def run(self, given: Rates, inverse: np.ndarray, trial: np.ndarray | None, block: int) -> Spikes:
        """Spikes of one replica for each entry of ``inverse`` (Hz)."""
        low, high = self.neurons.start
        return simulate(
            self.neurons,
            recurrent=self.recurrent,
            drive=np.asarray(given.trials.inputs, float) @ self.input.T + self.bias,
            tau=self.tau,
            scale=1000 / inverse,
            bin_width=self.dt,
            trial=trial,
            start=low + (high - low) * np.asarray(given.start, float),
            current=self.current,
            target=self.target,
            seed=2 * self.seed + block,
        )

    def rates(self, given: Rates, spikes: Spikes, inverse: np.ndarray) -> np.ndarray:
        """λ s of each replica, (replica, time, unit)."""
        trains = filtered(
            self.neurons,
            spikes,
            self.tau,
            num_replicas=len(inverse),
            num_bins=given.rates.shape[1],
            bin_width=self.dt,
        )
        trains *= (1000 / inverse)[:, None, None]
        return trains

    def outputs(self, sent: np.ndarray) -> np.ndarray:
        """λ W_out s + b_out, (replica, time, output)."""
        return sent @ self.readout.T + self.readout_bias

    def mean_rates(self, given: Rates, spikes: Spikes, trial: np.ndarray | None = None) -> np.ndarray:
        """Spikes a second and unit while the trial is valid, (replica,), Hz."""
        valid = given.trials.valid if trial is None else given.trials.valid[trial]
        bins = spikes.step // self.neurons.steps_of("dt", self.dt)
        counted = np.bincount(spikes.replica, valid[spikes.replica, bins], len(valid))
        return counted * 1000 / (valid.sum(1) * self.dt * len(self.tau))

    def grid(
        self, task: Any, given: Rates, inverse: np.ndarray, peak: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy and mean rate (Hz) at each 1/λ."""
        trials, values = len(given.start), len(inverse)
        trial, value = np.repeat(np.arange(trials), values), np.tile(inverse, trials)
        spikes = self.run(given, value, trial, GRID)
        outputs = []
        together = max(1, ENTRIES_AT_ONCE // given.rates[0].size)
        for first in range(0, len(value), together):
            last = min(first + together, len(value))
            low, high = np.searchsorted(spikes.replica, [first, last])
            part = Spikes(spikes.replica[low:high] - first, spikes.unit[low:high], spikes.step[low:high])
            outputs.append(self.outputs(self.rates(given, part, value[first:last])))
        grouped = np.concatenate(outputs).reshape(trials, values, *outputs[0].shape[1:])
        right = [correct(task, grouped[:, index], given.trials, peak) for index in range(values)]
        mean_rate = self.mean_rates(given, spikes, trial).reshape(trials, values).mean(0)
        return np.mean(right, axis=1), mean_rate
