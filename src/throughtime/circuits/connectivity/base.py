"""The contract of a connectivity: free parameters in, effective recurrent weights out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from jax import Array

    from throughtime.circuits.dynamics.base import Dynamics, Params


@dataclass(frozen=True)
class Connectivity:
    """Base of all recurrent connectivities.

    Free parameters are what an optimiser moves; ``weights`` turns them into the effective matrix and so
    holds every constraint exactly after every update. Gradients by effective weights are pulled back
    through it by the chain rule. Connectivities compose by nesting: one that has a ``base`` constrains
    what the base gives.
    """

    def init(self, num_units: int, num_gates: int, *, key: Array) -> Params:
        """Free parameters; ``recurrent`` is (unit, presynaptic_unit), or (gate, …) for several gates."""
        raise TypeError(f"{type(self).__name__} must define init(num_units, num_gates, key=...).")

    def init_within(self, num_units: int, num_gates: int, existing: np.ndarray, *, key: Array) -> Params:
        """:meth:`init` inside a connectivity that keeps only the synapses ``existing``.

        It differs from ``init`` where initial weights depend on which synapses there are, as rows that sum
        to zero do.

        Args:
            existing: (unit, presynaptic_unit) bool, what the connectivities around this one leave.
        """
        return self.init(num_units, num_gates, key=key)

    @property
    def zero_mean(self) -> bool:
        """Whether initial weights scatter around zero at every synapse, as masks and signs suppose.

        They are then rescaled so that a constraint keeps the spectral radius.
        """
        return True

    def weights(self, params: Params) -> Array:
        """Effective recurrent weights, ([gate,] unit, presynaptic_unit)."""
        return params["recurrent"]

    def free(self, weights: np.ndarray) -> Params:
        """Free parameters whose effective weights are ``weights``: the inverse of :meth:`weights`.

        Args:
            weights: ([gate,] unit, presynaptic_unit).

        Raises:
            ValueError: if no free parameters give these weights (a sign, a zero or a rank is violated).
        """
        import jax.numpy as jnp

        return {"recurrent": jnp.asarray(weights, float)}

    @property
    def fixed_params(self) -> tuple[str, ...]:
        """Names of entries of ``init`` that no update may move (weights that do not learn)."""
        return ()

    @property
    def max_rank(self) -> int | None:
        """Largest rank of the effective weights where a constraint bounds it, else None."""
        return None

    def existing(self, num_units: int) -> Array:
        """Which synapses exist, (unit, presynaptic_unit) bool."""
        import jax.numpy as jnp

        return jnp.ones((num_units, num_units), bool)

    def cell_types(self, num_units: int) -> Array:
        """Integer cell type of each unit, (unit,); one type by default."""
        import jax.numpy as jnp

        return jnp.zeros(num_units, jnp.int32)

    @property
    def cell_type_names(self) -> tuple[str, ...]:
        """Names of the cell types, in the order of their integers; empty where units have no type."""
        return ()

    def regions(self, num_units: int) -> Array:
        """Integer region of each unit, (unit,); one region by default."""
        import jax.numpy as jnp

        return jnp.zeros(num_units, jnp.int32)

    @property
    def region_names(self) -> tuple[str, ...]:
        """Names of the regions, in the order of their integers; empty where there are none."""
        return ()

    def check(self, num_units: int, dynamics: Dynamics) -> None:
        """Refuse a circuit this connectivity cannot serve."""
