"""Baselines in PyTorch on one thread, gradients by autograd: an eager loop, and the layers it comes with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import Workload
from throughtime.circuits import to_torch

Slopes = tuple[Any, ...]
LAYER = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
# PyTorch stacks input, forget, candidate, output and reset, update, candidate: where each of our gates is
GATES = {"lstm": (1, 0, 3, 2), "gru": (0, 1, 2)}


def gradient(work: Workload) -> Callable[..., dict[str, np.ndarray]]:
    """An eager loop over leaky units with the input product hoisted, ``(noise=None) -> grads``.

    Noise is (time, trial, unit), drawn inside where it is None and the workload has any.

    Raises:
        ImportError: where torch is not installed.
    """
    import torch

    torch.set_num_threads(1)
    alpha, form, scale = work.alpha, work.form, work.noise_scale
    p = {name: torch.tensor(np.asarray(value), requires_grad=True) for name, value in work.params.items()}
    inputs, targets, mask = (torch.tensor(work.arrays[name]) for name in ("inputs", "targets", "mask"))
    shape = (work.num_steps, work.num_trials, work.num_units)

    def run(noise: np.ndarray | None = None) -> dict[str, np.ndarray]:
        drive = inputs @ p["input"].T + p["bias"]
        if noise is not None:
            drive = drive + torch.tensor(noise)
        elif scale > 0:
            drive = drive + scale * torch.randn(shape)
        state = rate = torch.zeros(shape[1:])
        transposed, rates = p["recurrent"].T, []
        for arriving in drive.unbind(0):
            total = torch.addmm(arriving, rate, transposed)
            if form == "current":
                state = (1 - alpha) * state + alpha * total
                rate = torch.tanh(state)
            else:
                rate = (1 - alpha) * rate + alpha * torch.tanh(total)
            rates.append(rate)
        outputs = torch.stack(rates) @ p["readout"].T + p["readout_bias"]
        loss = ((mask * (outputs - targets) ** 2).sum((0, 2)) / mask.sum((0, 2))).mean()
        return {
            name: slope.numpy()
            for name, slope in zip(p, torch.autograd.grad(loss, list(p.values())), strict=True)
        }

    return run


def layer(work: Workload) -> tuple[Callable[[], Slopes], Callable[[Slopes], dict[str, np.ndarray]]]:
    """``torch.nn.RNN`` (tanh, α = 1), ``nn.LSTM`` or ``nn.GRU`` with a linear readout, on one thread.

    Returns:
        ``() -> slopes``, which is what is timed, and ``slopes -> grads`` under the names and in the order of
        gates of the circuit.

    Raises:
        ImportError: where torch is not installed.
        ValueError: for a workload that is no such layer.
    """
    import torch

    torch.set_num_threads(1)
    if not work.gated and (work.alpha != 1 or work.form != "rate"):
        raise ValueError("torch.nn.RNN: expected the rate form with tau = dt.")
    if work.noise:
        raise ValueError("torch.nn: layers have no noise.")
    inputs, targets, mask = (torch.tensor(work.arrays[name]) for name in ("inputs", "targets", "mask"))
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}.get(work.form, torch.nn.RNN)
    net = kind(inputs.shape[-1], work.num_units)
    read = torch.nn.Linear(work.num_units, targets.shape[-1])
    state = to_torch(work.circuit, work.params)
    net.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    with torch.no_grad():
        read.weight.copy_(torch.tensor(np.asarray(work.params["readout"])))
        read.bias.copy_(torch.tensor(np.asarray(work.params["readout_bias"])))
    # The two biases of a row are a sum, but for the candidate of a GRU: one inside the reset, one outside.
    owned = {name: getattr(net, name) for name in LAYER if work.form == "gru" or name != "bias_hh_l0"}
    owned.update(readout=read.weight, readout_bias=read.bias)

    def run() -> Slopes:
        outputs = read(net(inputs)[0])
        loss = ((mask * (outputs - targets) ** 2).sum((0, 2)) / mask.sum((0, 2))).mean()
        return torch.autograd.grad(loss, list(owned.values()))

    def named(slopes: Slopes) -> dict[str, np.ndarray]:
        found = {name: slope.numpy() for name, slope in zip(owned, slopes, strict=True)}
        return as_circuit(work, found)

    return run, named


def as_circuit(work: Workload, slopes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gradients by the arrays of a layer and its readout, as those of the circuit."""
    order, units = list(GATES.get(work.form, (0,))), work.num_units

    def block(name: str) -> np.ndarray:
        rows = slopes[name].reshape(len(order), units, *slopes[name].shape[1:])[order]
        return rows if work.gated else rows[0]

    bias = block("bias_ih_l0")
    if work.form == "gru":
        bias = np.concatenate([bias[:2], block("bias_hh_l0")[2:], bias[2:]])
    return {
        "input": block("weight_ih_l0"),
        "recurrent": block("weight_hh_l0"),
        "bias": bias,
        **{name: slopes[name] for name in ("readout", "readout_bias")},
    }
