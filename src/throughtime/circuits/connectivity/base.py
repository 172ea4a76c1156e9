"""The contract of a connectivity: free parameters in, effective recurrent weights out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Dynamics, Params


@dataclass(frozen=True)
class Connectivity:
    """Base of all recurrent connectivities.

    Free parameters are what an optimiser moves; ``weights`` turns them into the effective matrix and so
    holds every constraint exactly after every update. Gradients by effective weights are pulled back
    through it by the chain rule.
    """

    def init(self, num_units: int, num_gates: int, *, key: Array) -> Params:
        """Free parameters; ``recurrent`` is (unit, presynaptic_unit), or (gate, …) for several gates."""
        raise TypeError(f"{type(self).__name__} must define init(num_units, num_gates, key=...).")

    def weights(self, params: Params) -> Array:
        """Effective recurrent weights, ([gate,] unit, presynaptic_unit)."""
        return params["recurrent"]

    def existing(self, num_units: int) -> Array:
        """Which synapses exist, (unit, presynaptic_unit) bool."""
        import jax.numpy as jnp

        return jnp.ones((num_units, num_units), bool)

    def cell_types(self, num_units: int) -> Array:
        """Integer cell type of each unit, (unit,); one type by default."""
        import jax.numpy as jnp

        return jnp.zeros(num_units, jnp.int32)

    def check(self, num_units: int, dynamics: Dynamics) -> None:
        """Refuse a circuit this connectivity cannot serve."""
