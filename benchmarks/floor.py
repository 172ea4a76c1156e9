"""The floor: only the three matrix products of a training step, by the BLAS under NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def flop(num_trials: int, num_steps: int, num_units: int, num_gates: int = 1) -> int:
    """Floating-point operations of the three products, ``6 B T G N²`` with G drives of each unit.

    Example:
        >>> flop(64, 150, 128), flop(64, 150, 128, num_gates=4)
        (943718400, 3774873600)
    """
    return 6 * num_trials * num_steps * num_gates * num_units**2


def products(weights: np.ndarray, sent: np.ndarray, credit: np.ndarray) -> Callable[[], np.ndarray]:
    """A function that makes the products of one step and returns the recurrent weight gradient.

    Forward ``r_{t−1} Wᵀ`` and backward ``δ_t W`` step by step into one buffer, then ``Σ δ_t r_{t−1}ᵀ`` as
    one product over all steps and trials. Operands are the rates and credits of the real step.

    Args:
        weights: ([gate,] unit, presynaptic_unit).
        sent: (time, trial, unit); credit: (time, trial, [gate ·] unit); all float32.

    Returns:
        ``() -> gradient`` with the shape of ``weights``.
    """
    shape = np.shape(weights)
    weights, sent, credit = (np.ascontiguousarray(array, np.float32) for array in (weights, sent, credit))
    weights = weights.reshape(-1, shape[-1])
    transposed, total = weights.T, np.empty_like(weights)
    arriving, leaving = np.empty_like(credit[0]), np.empty_like(sent[0])
    rows_sent, rows_credit = sent.reshape(-1, shape[-1]), credit.reshape(-1, len(weights))

    def run() -> np.ndarray:
        for rate in sent:
            np.matmul(rate, transposed, out=arriving)
        for delta in credit[::-1]:
            np.matmul(delta, weights, out=leaving)
        return np.matmul(rows_credit.T, rows_sent, out=total).reshape(shape)

    return run
