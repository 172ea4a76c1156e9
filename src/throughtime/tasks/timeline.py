"""The time axis of a trial: bins, their averages over events, and noise that means the same at every dt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jax import Array
    from jax.typing import ArrayLike

NOISE_TIME_CONSTANT = 100.0
"""τ_n in ms: a unit of the battery that gives σ its meaning, not a property of any circuit."""


@dataclass(frozen=True)
class Timeline:
    """Bins ``[k·dt, (k+1)·dt)`` for ``k < num_steps``; times in ms."""

    num_steps: int
    dt: float

    @property
    def starts(self) -> np.ndarray:
        """Left edges (time,)."""
        return (np.arange(self.num_steps) * self.dt).astype(np.float32)

    @property
    def ends(self) -> np.ndarray:
        """Right edges (time,)."""
        return (np.arange(1, self.num_steps + 1) * self.dt).astype(np.float32)

    @property
    def centres(self) -> np.ndarray:
        """Bin centres (time,), where smooth signals are evaluated."""
        return ((np.arange(self.num_steps) + 0.5) * self.dt).astype(np.float32)

    def box(self, onset: ArrayLike, offset: ArrayLike = math.inf) -> Array:
        """Bin averages (time,) of an event that is 1 on [onset, offset): overlap of bin and event over dt.

        Edges need not be multiples of dt, a pulse shorter than dt keeps its area, and an absent event
        (NaN) is zero.

        Example:
            >>> Timeline(4, 20.0).box(10.0, 45.0).tolist()
            [0.5, 1.0, 0.25, 0.0]
        """
        overlap = (jnp.minimum(self.ends, offset) - jnp.maximum(self.starts, onset)) / self.dt
        return jnp.where(overlap > 0, jnp.minimum(overlap, 1.0), 0.0)

    def noise_scale(self, sigma: float) -> float:
        """SD per sample of input noise σ: σ √(2 τ_n / dt).

        The mean over any window T then has variance 2 σ² τ_n / T at every dt; σ is the SD that a leaky
        unit of time constant τ_n would show at small dt.
        """
        return sigma * math.sqrt(2 * NOISE_TIME_CONSTANT / self.dt)


def mixed(weights: Array, values: Array) -> Array:
    """``values`` (event, channel) by their ``weights`` (time, event), in full precision on every device."""
    return jnp.matmul(weights, values, precision="highest")
