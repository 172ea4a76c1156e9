"""All-to-all recurrent weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime.circuits.connectivity.base import Connectivity

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params


@dataclass(frozen=True)
class Dense(Connectivity):
    """All-to-all weights ``W ~ gain · N(0, 1/num_units)``.

    Attributes:
        gain: spectral radius of the initial weights for many units; above 1 an untrained tanh circuit is
            chaotic (Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61:259).

    Example:
        >>> import jax
        >>> Dense(gain=1.5).init(200, 1, key=jax.random.key(0))["recurrent"].shape
        (200, 200)
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.gain) and self.gain >= 0):
            raise ValueError(f"Dense: gain {self.gain!r} is not a number >= 0; use about 1.")

    def init(self, num_units: int, num_gates: int, *, key: Array) -> Params:
        """Draw the weights of every gate."""
        shape = (num_units, num_units) if num_gates == 1 else (num_gates, num_units, num_units)
        scale = self.gain / math.sqrt(num_units)
        return {"recurrent": scale * jax.random.normal(key, shape, jnp.float32)}
