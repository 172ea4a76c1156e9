"""Baseline: an eager PyTorch loop on one thread, input product hoisted, gradient by autograd."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.workload import Workload


def gradient(work: Workload) -> Callable[..., dict[str, np.ndarray]]:
    """``(noise=None) -> grads``; noise (time, trial, unit), drawn inside where None and the workload has any.

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


def vanilla(work: Workload) -> Callable[[], dict[str, np.ndarray]]:
    """``torch.nn.RNN`` (tanh, α = 1) with a linear readout, ``() -> grads``; only one of its biases learns.

    Raises:
        ImportError: where torch is not installed.
        ValueError: for a workload that is no vanilla circuit.
    """
    import torch

    torch.set_num_threads(1)
    if work.alpha != 1 or work.form != "rate" or work.noise:
        raise ValueError("torch.nn.RNN: expected the rate form with tau = dt and no noise.")
    inputs, targets, mask = (torch.tensor(work.arrays[name]) for name in ("inputs", "targets", "mask"))
    net = torch.nn.RNN(inputs.shape[-1], work.num_units, nonlinearity="tanh")
    read = torch.nn.Linear(work.num_units, targets.shape[-1])
    owned = {
        "recurrent": net.weight_hh_l0,
        "input": net.weight_ih_l0,
        "bias": net.bias_ih_l0,
        "readout": read.weight,
        "readout_bias": read.bias,
    }
    with torch.no_grad():
        net.bias_hh_l0.zero_()
        for name, leaf in owned.items():
            leaf.copy_(torch.tensor(np.asarray(work.params[name])))

    def run() -> dict[str, np.ndarray]:
        outputs = read(net(inputs)[0])
        loss = ((mask * (outputs - targets) ** 2).sum((0, 2)) / mask.sum((0, 2))).mean()
        slopes = torch.autograd.grad(loss, list(owned.values()))
        return {name: slope.numpy() for name, slope in zip(owned, slopes, strict=True)}

    return run
