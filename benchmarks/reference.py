"""The judge of all contenders: BPTT of a batch in plain NumPy, float64, one step at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.workload import Workload


class Reference(NamedTuple):
    """Loss and gradient of a workload, and the operands of its recurrent products.

    Attributes:
        loss: mean over trials of the masked squared error.
        grads: by every parameter.
        sent: (time, trial, unit) rates r_{t−1} that reached the synapses.
        credit: (time, trial, unit) δ_t = ∂L/∂u_t of drives with recurrent synapses; gates side by side.
    """

    loss: float
    grads: dict[str, np.ndarray]
    sent: np.ndarray
    credit: np.ndarray


def solve(work: Workload) -> Reference:
    """Run the batch forward and back."""
    if work.gated:
        from benchmarks import gated_reference

        return gated_reference.solve(work)
    p = {name: np.asarray(value, float) for name, value in work.params.items()}
    x, noise = work.arrays["inputs"].astype(float), work.drawn_noise.astype(float)
    steps, trials, units = noise.shape
    alpha, current = work.alpha, work.form == "current"
    s = np.zeros((steps + 1, trials, units))
    u = x @ p["input"].T + p["bias"] + noise
    for t in range(steps):
        u[t] += (np.tanh(s[t]) if current else s[t]) @ p["recurrent"].T
        s[t + 1] = (1 - alpha) * s[t] + alpha * (u[t] if current else np.tanh(u[t]))
    r = np.tanh(s) if current else s
    loss, error = judge(work, r[1:], p)
    slope = 1 - r[1:] ** 2 if current else 1 - np.tanh(u) ** 2
    delta, kept = np.zeros_like(u), np.zeros((trials, units))
    arriving = np.zeros((trials, units))
    for t in range(steps - 1, -1, -1):
        reaching = error[t] @ p["readout"] + arriving
        kept = (1 - alpha) * kept + (reaching * slope[t] if current else reaching)
        delta[t] = alpha * (kept if current else kept * slope[t])
        arriving = delta[t] @ p["recurrent"]
    grads = {
        "recurrent": np.einsum("tbi,tbj->ij", delta, r[:-1], optimize=True),
        "input": np.einsum("tbi,tbj->ij", delta, x, optimize=True),
        "bias": delta.sum((0, 1)),
        "readout": np.einsum("tbo,tbi->oi", error, r[1:], optimize=True),
        "readout_bias": error.sum((0, 1)),
    }
    return Reference(loss, grads, r[:-1], delta)


def judge(work: Workload, rates: np.ndarray, p: dict[str, np.ndarray]) -> tuple[float, np.ndarray]:
    """Loss, and its derivative by the outputs (time, trial, output), of rates (time, trial, unit)."""
    y, m = (work.arrays[name].astype(float) for name in ("targets", "mask"))
    z = rates @ p["readout"].T + p["readout_bias"]
    weight = m / m.sum((0, 2))[:, None] / work.num_trials
    return float((weight * (z - y) ** 2).sum()), 2 * weight * (z - y)


def relative_error(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """Largest ``‖found − wanted‖ / ‖wanted‖`` over the arrays of ``found``; ``wanted`` may have more."""
    if not found:
        raise ValueError("relative_error: nothing to compare.")
    pairs = [(np.asarray(value, float), wanted[name]) for name, value in found.items()]
    return max(float(np.linalg.norm(f - w) / max(np.linalg.norm(w), 1e-30)) for f, w in pairs)
