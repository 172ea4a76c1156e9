"""Transport with one number for every pair of cell types: what diffusible modulators can carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime.credit.transport import Transport

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights

LOCAL, DIFFUSE, EXACT = "local", "diffuse", "exact"
SIGN, CELL = "sign", "cell"
KINDS, TYPES = (LOCAL, DIFFUSE, EXACT), (SIGN, CELL)


@dataclass(frozen=True)
class TypeMeans(Transport):
    """``W̃_kj = w̄_αβ`` for the types α of k and β of j: the mean weight from type β to type α.

    Each type releases a modulator of its own; a neuron feels it with the affinity of its type. ``local``: the
    modulator reaches only neurons with a synapse onto the releasing one, ``W̃ = C ∘ w̄`` with C the synapses
    that exist and w̄ the mean over them. ``diffuse``: it reaches all neurons, and w̄ is the mean over all
    pairs, synapse or none, so both kinds carry the same in sum. ``exact``: the weights themselves, a control.

    The means follow the weights as they are learned; the types do not change.

    Attributes:
        kind: ``local``, ``diffuse`` or ``exact``.
        types: ``sign``: two types, by the sign of the mean of a unit's initial outgoing weights, which under
            Dale's law are excitation and inhibition; ``cell``: the cell types of the circuit.

    Source: Liu et al. 2021, PNAS 118:e2111821118. Which of the two means is published is not known here.

    Example:
        >>> TypeMeans("diffuse").signals
        ('type modulators',)
    """

    kind: str = LOCAL
    types: str = SIGN

    def __post_init__(self) -> None:
        for name, known in (("kind", KINDS), ("types", TYPES)):
            given = getattr(self, name)
            if given not in known:
                raise ValueError(
                    f"TypeMeans: {name} {given!r} is not known; use {' or '.join(map(repr, known))}."
                )

    @property
    def signals(self) -> tuple[str, ...]:
        """The modulators of the types; for exact weights those weights and what their targets do."""
        return ("others' weights", "others' states") if self.kind == EXACT else ("type modulators",)

    def init(self, circuit: Circuit, params: dict[str, Array], *, key: Array) -> dict[str, Array]:
        """Types of the units, (unit, type) with a 1 for each unit's own; the rule state's ``rule_types``.

        Raises:
            ValueError: for the cell types of a circuit that has none.
        """
        weights = circuit.weights(params)
        if self.types == CELL:
            names = circuit.recurrent.cell_type_names
            if not names:
                raise ValueError(
                    f"TypeMeans: units of {type(circuit.recurrent).__name__} have no cell types; use Dale "
                    "connectivity, or types='sign'."
                )
            return {"rule_types": jax.nn.one_hot(weights.cell_types, len(names), dtype=params["bias"].dtype)}
        outgoing = weights.recurrent.reshape(-1, circuit.num_units).mean(0)
        types = jnp.where(outgoing >= 0, 0, 1)
        return {"rule_types": jax.nn.one_hot(types, 2, dtype=params["bias"].dtype)}

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """The mean of its two types at every pair."""
        if self.kind == EXACT:
            return weights.recurrent
        types = state["rule_types"].astype(weights.recurrent.dtype)
        exists = jnp.asarray(weights.existing, types.dtype)
        if self.kind == DIFFUSE:
            exists = jnp.ones_like(exists)
        total = types.T @ (exists * weights.recurrent) @ types
        means = total / jnp.maximum(types.T @ exists @ types, 1)
        return exists * (types @ means @ types.T)
