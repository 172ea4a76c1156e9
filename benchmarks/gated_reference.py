"""The judge of gated contenders: BPTT of a batch through an LSTM or a GRU in plain NumPy, float64.

Written from the equations of the layers, gate by gate and one step at a time, with every derivative by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.reference import Reference, judge
from benchmarks.workload import Workload

Arrays = dict[str, np.ndarray]
Back = Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]


def solve(work: Workload) -> Reference:
    """Run the batch forward and back; ``credit`` is (time, trial, recurrent gate · unit)."""
    p = {name: np.asarray(value, float) for name, value in work.params.items()}
    x = work.arrays["inputs"].astype(float)
    recurrent, fed = work.circuit.dynamics.recurrent_drives, work.circuit.dynamics.input_drives
    h = np.zeros((len(x) + 1, work.num_trials, work.num_units))
    external = np.zeros((*x.shape[:2], len(p["bias"]), work.num_units)) + p["bias"]
    external[:, :, fed] += np.einsum("tbk,gik->tbgi", x, p["input"], optimize=True)
    rows = p["recurrent"].reshape(-1, work.num_units)

    def drive(t: int) -> np.ndarray:
        total = external[t].copy()
        total[:, recurrent] += (h[t] @ rows.T).reshape(work.num_trials, len(recurrent), -1)
        return np.swapaxes(total, 0, 1)

    back = (lstm if work.form == "lstm" else gru)(h, drive)
    loss, error = judge(work, h[1:], p)
    delta = np.zeros_like(external)
    arriving = np.zeros_like(h[0])
    for t in range(len(x) - 1, -1, -1):
        now, kept = back(t, error[t] @ p["readout"] + arriving)
        delta[t] = np.swapaxes(now, 0, 1)
        arriving = kept + delta[t][:, recurrent].reshape(work.num_trials, -1) @ rows
    through = delta[:, :, recurrent]
    grads = {
        "recurrent": np.einsum("tbgi,tbj->gij", through, h[:-1], optimize=True),
        "input": np.einsum("tbgi,tbk->gik", delta[:, :, fed], x, optimize=True),
        "bias": delta.sum((0, 1)),
        "readout": np.einsum("tbo,tbi->oi", error, h[1:], optimize=True),
        "readout_bias": error.sum((0, 1)),
    }
    return Reference(loss, grads, h[:-1], through.reshape(*x.shape[:2], -1))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(h: np.ndarray, drive: Callable[[int], np.ndarray]) -> Back:
    """Fill the hidden states; return ``(t, credit of h_t) -> (credit of the drives, of h_{t−1} itself)``."""
    c = np.zeros_like(h)
    gates: list[Any] = []
    for t in range(len(h) - 1):
        forget, enter, leave, candidate = drive(t)
        f, i, o, g = sigmoid(forget), sigmoid(enter), sigmoid(leave), np.tanh(candidate)
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
        gates.append((f, i, o, g))
    of_cell = np.zeros_like(h[0])

    def back(t: int, of_hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal of_cell
        f, i, o, g = gates[t]
        shown = np.tanh(c[t + 1])
        total = of_cell + of_hidden * o * (1 - shown**2)
        of_cell = total * f
        of_drives = (
            total * c[t] * f * (1 - f),
            total * g * i * (1 - i),
            of_hidden * shown * o * (1 - o),
            total * i * (1 - g**2),
        )
        return np.stack(of_drives), np.zeros_like(total)

    return back


def gru(h: np.ndarray, drive: Callable[[int], np.ndarray]) -> Back:
    """As :func:`lstm`; drives are reset, update, recurrent candidate, input candidate."""
    gates: list[Any] = []
    for t in range(len(h) - 1):
        reset, update, inner, outer = drive(t)
        r, z = sigmoid(reset), sigmoid(update)
        n = np.tanh(outer + r * inner)
        h[t + 1] = z * h[t] + (1 - z) * n
        gates.append((r, z, n, inner))

    def back(t: int, of_hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r, z, n, inner = gates[t]
        of_candidate = of_hidden * (1 - z) * (1 - n**2)
        of_drives = (
            of_candidate * inner * r * (1 - r),
            of_hidden * (h[t] - n) * z * (1 - z),
            of_candidate * r,
            of_candidate,
        )
        return np.stack(of_drives), of_hidden * z

    return back
