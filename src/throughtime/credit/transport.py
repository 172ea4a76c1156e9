"""How credit crosses a synapse on its way back: the matrix W̃ of ``m_t = Σ_g (W̃ᵍ)ᵀ δᵍ_{t+1}``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights


@dataclass(frozen=True)
class Transport:
    """Base of all transports."""

    def init(self, circuit: Circuit, params: dict[str, Array], *, key: Array) -> dict[str, Array]:
        """Arrays the transport keeps in the rule's state; none by default."""
        return {}

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """W̃, ([gate,] unit, presynaptic_unit), or None where no credit crosses any synapse."""
        raise TypeError(f"{type(self).__name__} must define matrix(weights, state).")


@dataclass(frozen=True)
class Exact(Transport):
    """``W̃ = W``: credit crosses each synapse backwards with the synapse's own weight."""

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """The effective recurrent weights."""
        return weights.recurrent


@dataclass(frozen=True)
class NoTransport(Transport):
    """``W̃ = 0``: a neuron's credit never crosses a synapse; its own memory remains."""

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """None: no product is made at all."""
        return None


@dataclass(frozen=True)
class RandomTransport(Transport):
    """``W̃ = R``, fixed and random, entries with the variance of the initial recurrent weights."""

    def init(self, circuit: Circuit, params: dict[str, Array], *, key: Array) -> dict[str, Array]:
        """Draw R; it is the rule state's ``rule_transport``."""
        recurrent = circuit.weights(params).recurrent
        return {
            "rule_transport": jnp.std(recurrent) * jax.random.normal(key, recurrent.shape, recurrent.dtype)
        }

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """The drawn R."""
        return state["rule_transport"]
