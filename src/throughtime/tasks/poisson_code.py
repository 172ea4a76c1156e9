"""What can be read out of the spike counts of a population of tuned Poisson units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e

if TYPE_CHECKING:
    from jax import Array
    from jax.typing import ArrayLike

LARGEST_COUNT = 50.0
"""Largest expected number of spikes of a unit: sums of Poisson terms stay exact in 32 bits."""
GUESS = math.pi / 4
"""Mean absolute error, rad, of an orientation reported at random."""


def bell(position: ArrayLike, centres: np.ndarray, width: float) -> Array:
    """Tuning (unit,) along a line: exp(−(position − centre)²/2w²).

    Example:
        >>> bell(0.0, np.array([-10.0, 0.0, 20.0]), 10.0).round(3).tolist()
        [0.607..., 1.0, 0.135...]
    """
    return jnp.exp(-0.5 * jnp.square((position - centres.astype(np.float32)) / np.float32(width)))


def resultant(counts: Array) -> Array:
    """Sufficient statistic (…, 2) of counts (…, unit): real and imaginary part of S = Σ n_i e^(2jφ_i).

    Units have the preferred orientations φ_i = πi/n and the tuning exp(κ(cos 2(θ − φ_i) − 1)). If they are
    dense enough for their summed tuning to be flat, the posterior of 2θ is von Mises with mean arg S and
    concentration κ|S|.

    Example:
        >>> resultant(jnp.array([2.0, 0.0, 1.0, 1.0])).round(3).tolist()
        [1.0, -1.0]
    """
    doubled = 2 * np.pi * np.arange(counts.shape[-1]) / counts.shape[-1]
    return counts @ np.stack([np.cos(doubled), np.sin(doubled)], axis=1).astype(np.float32)


def half_angle(doubled: ArrayLike) -> Array:
    """Orientation in [−π/2, π/2) of a doubled angle.

    Example:
        >>> round(float(half_angle(2 * 3.0)), 4)
        -0.1416
    """
    return jnp.mod(doubled + jnp.float32(np.pi), 2 * np.pi) / 2 - np.float32(np.pi / 2)


def change_log_odds(first: Array, second: Array, concentration: float) -> Array:
    """ln P(counts | two orientations) − ln P(counts | one), from statistics S (…, 2) of :func:`resultant`.

    ln I₀(κ|S₁|) + ln I₀(κ|S₂|) − ln I₀(κ|S₁ + S₂|): each term is the likelihood of an orientation, integrated
    over a uniform prior.

    Example:
        >>> one, other = jnp.array([4.0, 0.0]), jnp.array([-4.0, 0.0])
        >>> bool(change_log_odds(one, one, 2.0) < 0 < change_log_odds(one, other, 2.0))
        True
    """
    terms = [
        _log_i0(concentration * jnp.linalg.norm(each, axis=-1)) for each in (first, second, first + second)
    ]
    return terms[0] + terms[1] - terms[2]


def comparison(counts: Array, means: np.ndarray, scale: Array) -> Array:
    """P(first > second) of two positions on a grid with equal prior probabilities, from the counts (2, unit).

    Ties count half.

    Args:
        counts: of the first and of the second stimulus.
        means: (position, unit) tuning on the grid, positions increasing.
        scale: (2,) expected number of a unit at its peak.

    Example:
        >>> means = np.array([[1.0, 0.1], [0.1, 1.0]], np.float32)
        >>> counts = jnp.array([[0.0, 9.0], [9.0, 0.0]])
        >>> round(float(comparison(counts, means, jnp.array([5.0, 5.0]))), 3)
        1.0
    """
    likelihood = counts @ np.log(means).T - scale[:, None] * means.sum(1)
    weight = jnp.exp(likelihood - likelihood.max(1, keepdims=True))
    first, second = weight / weight.sum(1, keepdims=True)
    below = jnp.cumsum(second) - second / 2
    return jnp.sum(first * below)


def line_centres(num_units: int, reach: float) -> np.ndarray:
    """Preferred positions (unit,) of units spread evenly from −``reach`` to ``reach``."""
    return np.linspace(-reach, reach, num_units)


def _log_i0(x: Array) -> Array:
    return jnp.log(i0e(x)) + x
