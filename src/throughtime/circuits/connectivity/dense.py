"""All-to-all recurrent weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from throughtime.circuits.connectivity import checks
from throughtime.circuits.connectivity.base import Connectivity
from throughtime.circuits.connectivity.initialisers import DISTRIBUTIONS
from throughtime.circuits.connectivity.nested import refuse_absent
from throughtime.registry import unknown

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params


@dataclass(frozen=True)
class Dense(Connectivity):
    """All-to-all weights ``W ~ gain · N(0, 1/num_units)``, or drawn otherwise.

    Attributes:
        gain: spectral radius of the initial weights for many units; above 1 an untrained tanh circuit is
            chaotic.
        distribution: how the initial weights are drawn. ``normal``; ``orthogonal``: all singular values are
            ``gain``; ``identity``: ``gain`` on the diagonal, 0 elsewhere (Le, Jaitly & Hinton 2015, arXiv
            1504.00941); ``balanced``: normal with rows that sum to 0 (Rajan & Abbott 2006, Phys. Rev. Lett.
            97:188104). See :mod:`~throughtime.circuits.connectivity.initialisers`.
        self_connections: whether units have a synapse onto themselves. Taking the diagonal away leaves an
            orthogonal draw only nearly orthogonal; rows of a balanced one still sum to 0.

    Source: random weights and their gain: Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61:259.

    Raises:
        ValueError: for a gain below 0, an unknown distribution, or an identity without self-connections.

    Example:
        >>> import jax
        >>> Dense(gain=1.5).init(200, 1, key=jax.random.key(0))["recurrent"].shape
        (200, 200)
        >>> balanced = Dense(distribution="balanced", self_connections=False)
        >>> params = balanced.init(200, 1, key=jax.random.key(0))
        >>> bool(abs(balanced.weights(params).sum(1)).max() < 1e-5)
        True
    """

    gain: float = 1.0
    distribution: str = "normal"
    self_connections: bool = True

    def __post_init__(self) -> None:
        checks.number("Dense", "gain", self.gain, 0, math.inf, "a number >= 0; use about 1")
        if self.distribution not in DISTRIBUTIONS:
            listing = f"one of {', '.join(DISTRIBUTIONS)}"
            raise unknown("distribution", str(self.distribution), DISTRIBUTIONS, listing)
        checks.flag("Dense", "self_connections", self.self_connections)
        if not (self.zero_mean or self.self_connections):
            raise ValueError(
                f"Dense: self_connections False leaves nothing of distribution {self.distribution!r}; use "
                "another distribution."
            )

    @property
    def zero_mean(self) -> bool:
        """False for ``identity``: its weights are not drawn at random."""
        return self.distribution != "identity"

    def init(self, num_units: int, num_gates: int, *, key: Array) -> Params:
        """Draw the weights of every gate."""
        return self.init_within(num_units, num_gates, np.ones((num_units, num_units), bool), key=key)

    def init_within(self, num_units: int, num_gates: int, existing: np.ndarray, *, key: Array) -> Params:
        """Draw the weights of every gate; balanced ones sum to 0 over the synapses that exist."""
        shape = (num_units, num_units) if num_gates == 1 else (num_gates, num_units, num_units)
        kept = existing & self._kept(num_units)
        return {"recurrent": self._cut(DISTRIBUTIONS[self.distribution](self.gain, shape, kept, key=key))}

    def weights(self, params: Params) -> Array:
        """The free parameters; without self-connections 0 on the diagonal."""
        return self._cut(params["recurrent"])

    def free(self, weights: np.ndarray) -> Params:
        """The weights themselves.

        Raises:
            ValueError: for a self-connection where there are none.
        """
        weights = np.asarray(weights)
        refuse_absent("Dense", weights, self._kept(weights.shape[-1]))
        return super().free(weights)

    def existing(self, num_units: int) -> Array:
        """All, but for the diagonal without self-connections."""
        return jnp.asarray(self._kept(num_units))

    def _kept(self, num_units: int) -> np.ndarray:
        return (
            np.ones((num_units, num_units), bool) if self.self_connections else ~np.eye(num_units, dtype=bool)
        )

    def _cut(self, weights: Array) -> Array:
        return weights if self.self_connections else jnp.where(self._kept(weights.shape[-1]), weights, 0.0)
