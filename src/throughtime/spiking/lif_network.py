"""Replicas of one LIF network side by side in Brian2."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.spiking.brian import simulator

if TYPE_CHECKING:
    from throughtime.spiking.lif import LIF

NEURONS_AT_ONCE, SYNAPSES_AT_ONCE = 60_000, 4_000_000  # what a processor's caches and memory hold


def blocks(num_replicas: int, num_units: int, num_synapses: int) -> list[slice]:
    """Replicas of one Brian2 network each, about equally many."""
    most = max(1, min(NEURONS_AT_ONCE // num_units, SYNAPSES_AT_ONCE // max(1, num_synapses)))
    size = math.ceil(num_replicas / math.ceil(num_replicas / most))
    return [slice(first, min(first + size, num_replicas)) for first in range(0, num_replicas, size)]


def spikes_of(
    neurons: LIF,
    W: np.ndarray,
    drive: np.ndarray,
    tau: np.ndarray,
    scale: np.ndarray,
    per_bin: int,
    row: np.ndarray,
    start: np.ndarray,
    current: np.ndarray,
    target: str,
    seed: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spikes (replica, unit, step) of the replicas of one Brian2 network."""
    replicas, units, bins = len(scale), len(W), drive.shape[1]
    double = neurons.tau_rise > 0
    sleeps = neurons.refractory_steps > 1  # a spike ends its own step: one step of rest is none
    with simulator(target) as b2, _random_state(b2, seed):
        ms, dt = b2.ms, neurons.dt * b2.ms
        held = b2.TimedArray(drive.swapaxes(0, 1).reshape(bins, -1), dt=per_bin * dt, name="held")
        group = b2.NeuronGroup(
            replicas * units,
            _equations(double),
            threshold="v >= threshold",
            reset="v = reset; awake = 0" if sleeps else "v = reset",
            method="euler",
            dt=dt,
            order=0,
            name="neurons",  # compiled code is found again by its names
            dtype=np.float64,
            namespace={
                "held": held,
                "threshold": neurons.threshold,
                "reset": neurons.reset,
                "bias": neurons.bias,
                "noise": neurons.noise,
                "membrane_rate": 1 / (neurons.tau_membrane * ms),
                "rise_rate": 1 / (neurons.tau_rise * ms) if double else 0 / ms,
                "per_ms": 1 / ms,
            },
        )
        push = "push = bias + held(t, row)"
        group.run_regularly(push, dt=per_bin * dt, when="start", order=0, name="pushing")
        if neurons.noise > 0:
            group.run_regularly("v += noise * randn()", when="groups", order=1, name="noise")
        group.v, group.I, group.awake = start[row].ravel(), np.tile(current, replicas), 1
        group.decay_rate = np.tile(1 / tau, replicas)
        rise = neurons.tau_rise if double else 1.0
        group.gain = np.outer(scale, 1 / (rise * tau)).ravel()
        group.row = (row[:, None] * units + np.arange(units)).ravel()
        parts = [group, *_synapses(b2, group, W, replicas, double)]
        if sleeps:
            parts.append(_waking(b2, group, (neurons.refractory_steps - 1) * dt))
        monitor = b2.SpikeMonitor(group, when="thresholds", order=1, name="spikes")
        b2.Network(*parts, monitor).run(bins * per_bin * dt, namespace={})
        neuron, step = np.array(monitor.i), np.rint(np.asarray(monitor.t / dt)).astype(int)
    replica, unit = np.divmod(neuron, units)
    order = np.lexsort((unit, step, replica))
    return replica[order], unit[order], step[order]


def _equations(double: bool) -> str:
    filters = "dI/dt = (h - I*decay_rate)*per_ms : 1\ndh/dt = -h*rise_rate : 1"
    return f"""
    dv/dt = awake*(push + I - v)*membrane_rate : 1
    {filters if double else "dI/dt = -I*decay_rate*per_ms : 1"}
    awake : 1
    push : 1
    decay_rate : 1 (constant)
    gain : 1 (constant)
    row : integer (constant)
    """


def _synapses(b2: Any, group: Any, W: np.ndarray, replicas: int, double: bool) -> list[Any]:
    """The recurrent synapses of every replica; none where no weight differs from 0."""
    pre, post = np.nonzero(W.T)
    if not len(pre):
        return []
    jump = "h_post += weight*gain_post" if double else "I_post += weight*gain_post"
    synapses = b2.Synapses(
        group,
        group,
        "weight : 1 (constant)",
        on_pre=jump,
        clock=group.clock,
        order=0,
        name="recurrent",
        dtype=np.float64,
    )
    first = np.arange(0, replicas * len(W), len(W), dtype=np.int32)[:, None]
    synapses.connect(i=(first + pre.astype(np.int32)).ravel(), j=(first + post.astype(np.int32)).ravel())
    synapses.weight = np.tile(W.T[pre, post], replicas)
    synapses.pre.order = 0
    return [synapses]


def _waking(b2: Any, group: Any, delay: Any) -> Any:
    """From each neuron onto itself: the spike that ends its rest, much cheaper than asking all each step."""
    waking = b2.Synapses(
        group, group, on_pre="awake_post = 1", delay=delay, clock=group.clock, order=1, name="waking"
    )
    waking.connect(j="i")
    waking.pre.order = 1
    return waking


class _random_state:
    """Brian2 seeds NumPy's global generator; afterwards it is as before."""

    def __init__(self, b2: Any, seed: tuple[int, int]) -> None:
        self.b2, self.seed = b2, seed

    def __enter__(self) -> None:
        self.before = np.random.get_state()  # noqa: NPY002
        self.b2.seed(int(np.random.SeedSequence(self.seed).generate_state(1)[0]))

    def __exit__(self, *exception: object) -> None:
        np.random.set_state(self.before)  # noqa: NPY002
