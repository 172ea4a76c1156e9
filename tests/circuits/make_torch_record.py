"""What PyTorch computes with its recurrent layers, in float64: ``torch_record.npz`` beside this file.

With PyTorch installed, ``python tests/circuits/make_torch_record.py`` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

RECORD = Path(__file__).with_name("torch_record.npz")
KINDS = ("lstm", "gru", "rnn-tanh", "rnn-relu")
NUM_INPUTS, NUM_UNITS, NUM_STEPS, BATCH = 3, 5, 7, 2


def torch_numbers() -> dict[str, np.ndarray]:
    """For each kind of layer weights, outputs, the loss ``Σ outputs · direction`` and its gradients.

    Names are ``kind/array`` and ``kind/grad/array``; beside them ``inputs`` (trial, time, input),
    ``direction`` (trial, time, unit) and the version of PyTorch, ``torch``.
    """
    import torch

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(BATCH, NUM_STEPS, NUM_INPUTS))
    direction = rng.normal(size=(BATCH, NUM_STEPS, NUM_UNITS))
    numbers = {"torch": np.array(str(torch.__version__)), "inputs": inputs, "direction": direction}
    for kind in KINDS:
        name, _, nonlinearity = kind.partition("-")
        extra = {"nonlinearity": nonlinearity} if nonlinearity else {}
        layer = getattr(torch.nn, name.upper())(NUM_INPUTS, NUM_UNITS, batch_first=True, **extra).double()
        for array in layer.parameters():
            array.data = torch.from_numpy(0.6 * rng.normal(size=tuple(array.shape)))
        outputs, _ = layer(torch.from_numpy(inputs))
        loss = (outputs * torch.from_numpy(direction)).sum()
        loss.backward()
        numbers[f"{kind}/outputs"], numbers[f"{kind}/loss"] = outputs.detach().numpy(), loss.detach().numpy()
        for array_name, array in layer.named_parameters():
            numbers[f"{kind}/{array_name}"] = array.detach().numpy()
            numbers[f"{kind}/grad/{array_name}"] = array.grad.numpy()
    return numbers


if __name__ == "__main__":
    np.savez_compressed(RECORD, **torch_numbers())
