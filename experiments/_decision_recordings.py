"""Recordings to analyse: spikes of a decision circuit of integrate-and-fire neurons, simulated in Brian2.

Two pools of excitatory neurons receive evidence for either choice, excite themselves through slow synapses
and inhibit each other, so that one of them wins (after Wang 2002, Neuron 36:955, with current-based
synapses and direct inhibition between pools). All trials are simulated at once, as copies of the circuit
that do not know of each other. What is left of it afterwards is what an experimenter has: spike times,
unequal numbers of trials a condition, and units that were lost in some of the trials.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from throughtime.spiking.brian import simulator

POOL = 30
"""Neurons of a pool."""
DT = 0.5  # ms


class Recordings(NamedTuple):
    """Spikes of ``num_units`` neurons in many trials.

    Attributes:
        trial, unit: (spike,) whose spike it is. spike_time: (spike,) ms from the start of the trial.
        coherence: (trial,) signed strength of the evidence, positive for the first pool.
        choice: (trial,) 1 where the first pool fired more at the end.
        held: (trial, unit) whether the unit was held in the recording in this trial.
        duration, stimulus: ms, of a trial, and (onset, end) of the stimulus.
    """

    trial: np.ndarray
    unit: np.ndarray
    spike_time: np.ndarray
    coherence: np.ndarray
    choice: np.ndarray
    held: np.ndarray
    duration: float
    stimulus: tuple[float, float]


def simulate(
    coherence: np.ndarray,
    *,
    seed: int,
    duration: float = 1400.0,
    stimulus: tuple[float, float] = (200.0, 1000.0),
    share_lost: float = 0.1,
) -> Recordings:
    """Simulate one trial for each entry of ``coherence``.

    Membranes: τ_m dv/dt = −v + I + noise, τ_m = 20 ms, threshold 1, reset 0, refractory for 2 ms.
    Synapses: τ_s ds/dt = −s with a jump of 1/pool size at each spike, τ_s = 100 ms; a neuron receives
    w₊ s_own − w₋ s_other. Stimulus: (1 ± coherence) times a constant, for the two pools.

    Args:
        coherence: (trial,) signed, between −1 and 1.
        seed: of the noise, of what differs between neurons, and of which units are lost when.
        duration, stimulus: ms. share_lost: share of units that are lost at some trial, or gained.
    """
    with simulator() as b2:
        return _simulate(b2, np.asarray(coherence, float), seed, duration, stimulus, share_lost)


def _simulate(
    b2: Any,
    coherence: np.ndarray,
    seed: int,
    duration: float,
    stimulus: tuple[float, float],
    share_lost: float,
) -> Recordings:
    b2.seed(seed)
    b2.defaultclock.dt = DT * b2.ms
    rng = np.random.default_rng(seed)
    num_units, num_trials = 2 * POOL, coherence.size
    edges = np.arange(0.0, duration, DT)
    on = (edges >= stimulus[0]) & (edges < stimulus[1])
    namespace = {
        "tau_m": 20 * b2.ms, "tau_s": 100 * b2.ms, "sigma": 0.35, "w_plus": 0.2, "w_minus": 0.2,
        "gate": b2.TimedArray(on.astype(float), dt=DT * b2.ms),
    }  # fmt: skip
    membrane = """
        dv/dt = (-v + background + evidence * gate(t) + w_plus * own - w_minus * other) / tau_m
                + sigma * sqrt(2 / tau_m) * xi : 1 (unless refractory)
        own : 1 (linked)
        other : 1 (linked)
        background : 1 (constant)
        evidence : 1 (constant)
    """
    neurons = b2.NeuronGroup(
        num_trials * num_units, membrane, threshold="v > 1", reset="v = 0", refractory=2 * b2.ms,
        method="euler", namespace=namespace, name="neurons",
    )  # fmt: skip
    synapses = b2.NeuronGroup(
        2 * num_trials, "ds/dt = -s / tau_s : 1", method="exact", namespace=namespace, name="pools"
    )
    index = np.arange(num_trials * num_units)
    trial, unit = index // num_units, index % num_units
    pool = unit // POOL
    onto = b2.Synapses(neurons, synapses, on_pre=f"s_post += {1 / POOL}", name="transmission")
    onto.connect(i=index, j=2 * trial + pool)
    neurons.own = b2.linked_var(synapses, "s", index=2 * trial + pool)
    neurons.other = b2.linked_var(synapses, "s", index=2 * trial + 1 - pool)
    gain = rng.uniform(0.5, 1.5, num_units)  # of the evidence, unit by unit
    level = 0.45 + 0.05 * rng.standard_normal(num_units)
    sign = np.where(pool == 0, 1.0, -1.0)
    neurons.background = level[unit]
    neurons.evidence = 0.3 * gain[unit] * (1 + sign * coherence[trial])
    neurons.v = rng.uniform(0, 0.8, index.size)
    monitor = b2.SpikeMonitor(neurons, name="spikes")
    b2.Network(neurons, synapses, onto, monitor).run(duration * b2.ms)
    which, when = np.asarray(monitor.i), np.asarray(monitor.t / b2.ms)
    order = np.lexsort((when, which))
    which, when = which[order], when[order]
    spike_trial, spike_unit = which // num_units, which % num_units
    late = when > duration - 300.0
    count = np.zeros((num_trials, 2))
    np.add.at(count, (spike_trial[late], spike_unit[late] // POOL), 1)
    held = _held(rng, num_trials, num_units, share_lost)
    kept = held[spike_trial, spike_unit]
    return Recordings(
        trial=spike_trial[kept], unit=spike_unit[kept], spike_time=when[kept], coherence=coherence,
        choice=(count[:, 0] > count[:, 1]).astype(int), held=held, duration=duration, stimulus=stimulus,
    )  # fmt: skip


def _held(rng: np.random.Generator, num_trials: int, num_units: int, share: float) -> np.ndarray:
    """Which units were held when: some are lost at a trial, or found only then."""
    held = np.ones((num_trials, num_units), bool)
    for unit in np.flatnonzero(rng.random(num_units) < share):
        at = int(rng.integers(num_trials // 5, 4 * num_trials // 5))
        held[slice(at, None) if rng.random() < 0.5 else slice(0, at), unit] = False
    return held


def coherences(num_trials: int, seed: int) -> np.ndarray:
    """Signed coherences as in an experiment: five strengths, drawn at random, so numbers of trials differ."""
    rng = np.random.default_rng([seed, 1])
    strengths: Any = np.array([0.032, 0.064, 0.128, 0.256, 0.512])
    return rng.choice(strengths, num_trials) * rng.choice([-1.0, 1.0], num_trials)
