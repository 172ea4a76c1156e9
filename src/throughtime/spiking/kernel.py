"""Spike trains behind the filter of a synapse."""

from __future__ import annotations

import numpy as np

from throughtime.spiking.lif import LIF, Spikes

ENTRIES_AT_ONCE = 4_000_000


def filtered(
    neurons: LIF, spikes: Spikes, tau: np.ndarray, *, num_replicas: int, num_bins: int, bin_width: float
) -> np.ndarray:
    """Filtered trains s at the end of each bin, (replica, time, unit), in 1/ms.

    The forward Euler solution, with the step of ``neurons``, of::

        ds/dt = −s/τ_i + k,   dk/dt = −k/τ_r,   own spike: k += 1/(τ_r τ_i)

    (with ``tau_rise`` of 0: s += 1/τ_i), in closed form: m steps after a spike, s is
    dt/(τ_r τ_i) · (p^m − q^m)/(p − q) with p = 1 − dt/τ_i and q = 1 − dt/τ_r. Its area is 1, so that s is the
    firing rate in spikes a ms; 1000 s is in Hz, and λ s (λ in ms) takes the place of the unit's rate r.

    Args:
        neurons: constants.
        spikes: from :func:`throughtime.spiking.simulate`; of replicas 0 … num_replicas − 1.
        tau: τ_i, (unit,), ms.
        num_bins: bins of time. bin_width: ms.

    Raises:
        ValueError: for a bin that is not a whole number of steps.

    Example:
        >>> one = Spikes(np.array([0]), np.array([0]), np.array([0]))
        >>> train = filtered(LIF(), one, np.array([20.0]), num_replicas=1, num_bins=8000, bin_width=0.05)
        >>> round(float(train.sum() * 0.05), 6)
        1.0
    """
    tau = np.asarray(tau, float)
    per_bin = neurons.steps_of("bin_width", bin_width)
    p, q, fast = _factors(neurons, tau)
    slow_keeps, fast_keeps, passes = p**per_bin, q**per_bin, _passed(p, q, per_bin) * neurons.dt
    found = np.empty((num_replicas, num_bins, len(tau)))
    for first in range(0, num_replicas, max(1, ENTRIES_AT_ONCE // found[0].size)):
        part = found[first : first + max(1, ENTRIES_AT_ONCE // found[0].size)]
        low, high = np.searchsorted(spikes.replica, [first, first + len(part)])
        replica, unit, step = (each[low:high] for each in spikes)
        bin_index, within = np.divmod(step, per_bin)
        left = per_bin - 1 - within  # steps from the spike to the end of its bin
        place = np.ravel_multi_index((replica - first, bin_index, unit), part.shape)

        def summed(amounts: np.ndarray, place: np.ndarray = place, part: np.ndarray = part) -> np.ndarray:
            return np.bincount(place, amounts, part.size).reshape(part.shape)

        if fast is None:
            part[:] = summed(p[unit] ** left / tau[unit])
            entering = np.zeros_like(part)
        else:
            part[:] = summed(fast[unit] * neurons.dt * _passed(p[unit], q[unit], left))
            entering = summed(fast[unit] * q[unit] ** left)
        for now in range(1, num_bins):
            part[:, now] += slow_keeps * part[:, now - 1] + passes * entering[:, now - 1]
            entering[:, now] += fast_keeps * entering[:, now - 1]
    return found


def _factors(neurons: LIF, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """What s and k keep in a step, (unit,), and by how much a spike raises k; None without k."""
    p = 1 - neurons.dt / tau
    if neurons.tau_rise == 0:
        return p, np.zeros_like(tau), None
    return p, np.full_like(tau, 1 - neurons.dt / neurons.tau_rise), 1 / (neurons.tau_rise * tau)


def _passed(p: np.ndarray, q: np.ndarray, steps: np.ndarray | int) -> np.ndarray:
    """(p^m − q^m)/(p − q), and m p^(m − 1) where both are equal."""
    steps = np.asarray(steps)
    apart = np.where(p == q, 1.0, p - q)
    same = steps * p ** np.maximum(steps - 1, 0)
    return np.where(p == q, same, (p**steps - q**steps) / apart)
