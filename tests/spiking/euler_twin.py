"""A network of LIF neurons in plain NumPy, one neuron's equation a line, written from the equations alone."""

from __future__ import annotations

import numpy as np

from throughtime.spiking import LIF


def twin(
    neurons: LIF,
    W: np.ndarray,
    drive: np.ndarray,
    tau: np.ndarray,
    scale: float,
    steps_per_bin: int,
    start: np.ndarray,
    current: np.ndarray,
    *,
    frozen_steps: int | None = None,
    exponential: bool = False,
) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Spikes (step, unit) of one trial and the filtered trains (time, unit) at the ends of bins.

    ``frozen_steps`` is the step after a spike in which v moves again; ``exponential`` lets the synapses decay
    by exponentials, not by Euler steps.
    """
    dt, tau_m, tau_r = neurons.dt, neurons.tau_membrane, neurons.tau_rise
    rest = round(neurons.refractory / dt) if frozen_steps is None else frozen_steps
    v, I = start.astype(float).copy(), current.astype(float).copy()
    h, s, k = np.zeros_like(v), np.zeros_like(v), np.zeros_like(v)
    last = np.full(len(v), -(10**6))
    spikes, trains = [], []
    for step in range(len(drive) * steps_per_bin):
        u = drive[step // steps_per_bin]
        moves = step - last >= rest
        new_v = np.where(moves, v + dt * (-v + neurons.bias + I + u) / tau_m, v)
        if tau_r == 0:
            I, s = I - dt * I / tau, s - dt * s / tau
        elif exponential:
            I, h = I * np.exp(-dt / tau) + dt * h, h * np.exp(-dt / tau_r)
            s, k = s * np.exp(-dt / tau) + dt * k, k * np.exp(-dt / tau_r)
        else:
            I, h = I + dt * (-I / tau + h), h - dt * h / tau_r
            s, k = s + dt * (-s / tau + k), k - dt * k / tau_r
        v = new_v
        for unit in np.flatnonzero(v >= neurons.threshold):
            spikes.append((step, int(unit)))
            if tau_r == 0:
                I = I + scale * W[:, unit] / tau
                s[unit] += 1 / tau[unit]
            else:
                h = h + scale * W[:, unit] / (tau_r * tau)
                k[unit] += 1 / (tau_r * tau[unit])
            last[unit], v[unit] = step, neurons.reset
        if (step + 1) % steps_per_bin == 0:
            trains.append(s.copy())
    return spikes, np.array(trains)
