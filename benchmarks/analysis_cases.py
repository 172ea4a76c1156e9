"""Cases of analyses of dynamics: whole calls as a user makes them, compilation within."""

from __future__ import annotations

import time

import jax.numpy as jnp
import numpy as np

from benchmarks.cases import Builders
from benchmarks.timing import Found
from throughtime.analysis.arrays import fixed_points as points
from throughtime.analysis.arrays.lyapunov_spectrum import lyapunov_spectrum

GAIN, LOW_RANK, ALPHA = 1.3, 2.0, 0.2
SETTLED = 0.8
"""Share of starts that have to end at fixed points for their time to count."""


def fixed_points(num_units: int, num_starts: int, repeats: int = 3) -> Builders:
    """Median seconds from starts to the fixed points of a tanh circuit, random and of rank two, that settles.

    Starts are states that it went through, with noise. What is found is put into the equation anew.
    """
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.standard_normal((num_units, 2)))[0]
    weights = GAIN * rng.standard_normal((num_units, num_units)) / np.sqrt(num_units)
    weights += LOW_RANK * basis @ basis.T
    states = rng.standard_normal((num_starts, num_units))
    for _ in range(100):
        states += ALPHA * (np.tanh(states) @ weights.T - states)
    starts = states + 0.1 * rng.standard_normal(states.shape)

    def once() -> float:
        began = time.perf_counter()
        found = points.fixed_points(lambda s: s + ALPHA * (weights @ jnp.tanh(s) - s), starts, alpha=ALPHA)
        seconds = time.perf_counter() - began
        fixed = found.kind == 0
        share = found.n_starts[fixed].sum() / num_starts
        at = found.location[fixed]
        if share < SETTLED or not np.allclose(np.tanh(at) @ weights.T, at, rtol=0, atol=1e-10):
            raise ValueError(f"{share:.0%} of the starts ended at fixed points, or these do not stand still.")
        return seconds

    return {"search": lambda: Found(float(np.median([once() for _ in range(repeats)])))}


def lyapunov(num_units: int, num_steps: int, burn_in: int = 1000, repeats: int = 3) -> Builders:
    """Median seconds to all Lyapunov exponents of a random tanh circuit, over all of ``num_steps``.

    It comes to rest, so that the largest exponent and the sum are known from the eigenvalues of its weights.
    """
    rng = np.random.default_rng(1)
    weights = 0.8 * rng.standard_normal((num_units, num_units)) / np.sqrt(num_units)
    wanted = np.log(np.abs(1 + ALPHA * (np.linalg.eigvals(weights) - 1)))

    def once() -> float:
        began = time.perf_counter()
        found = lyapunov_spectrum(
            lambda s: s + ALPHA * (weights @ jnp.tanh(s) - s),
            rng.standard_normal(num_units),
            dt=1.0,
            num_steps=num_steps - burn_in,
            burn_in=burn_in,
        )
        seconds = time.perf_counter() - began
        apart = abs(found.exponent[0] - wanted.max()), abs(found.mean_log_det / wanted.sum() - 1)
        if max(apart) > 1e-3:
            raise ValueError(f"largest exponent and sum are {apart} from those of the weights.")
        return seconds

    return {"spectrum": lambda: Found(float(np.median([once() for _ in range(repeats)])))}
