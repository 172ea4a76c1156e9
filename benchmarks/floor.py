"""The floor: only the three matrix products of a training step, by the BLAS under NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def flop(num_trials: int, num_steps: int, num_units: int) -> int:
    """Floating-point operations of the three products, ``6 B T N²``.

    Example:
        >>> flop(64, 150, 128)
        943718400
    """
    return 6 * num_trials * num_steps * num_units**2


def products(weights: np.ndarray, sent: np.ndarray, credit: np.ndarray) -> Callable[[], np.ndarray]:
    """A function that makes the products of one step and returns the recurrent weight gradient.

    Forward ``r_{t−1} Wᵀ`` and backward ``δ_t W`` step by step into one buffer, then ``Σ δ_t r_{t−1}ᵀ`` as
    one product over all steps and trials. Operands are the rates and credits of the real step.

    Args:
        weights: (unit, presynaptic_unit); sent, credit: (time, trial, unit), all float32.
    """
    weights, sent, credit = (np.ascontiguousarray(array, np.float32) for array in (weights, sent, credit))
    transposed, num_units = weights.T, len(weights)
    buffer, total = np.empty_like(sent[0]), np.empty_like(weights)
    rows_sent, rows_credit = sent.reshape(-1, num_units), credit.reshape(-1, num_units)

    def run() -> np.ndarray:
        for rate in sent:
            np.matmul(rate, transposed, out=buffer)
        for delta in credit[::-1]:
            np.matmul(delta, weights, out=buffer)
        return np.matmul(rows_credit.T, rows_sent, out=total)

    return run
