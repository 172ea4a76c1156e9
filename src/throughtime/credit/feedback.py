"""How the error of the outputs reaches a neuron: the matrix F (unit, output) of ``q_t = F e_t``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights


@dataclass(frozen=True)
class Feedback:
    """Base of all feedback pathways."""

    def init(self, circuit: Circuit, params: dict[str, Array], *, key: Array) -> dict[str, Array]:
        """Arrays the pathway keeps in the rule's state; none by default."""
        return {}

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array:
        """F, (unit, output)."""
        raise TypeError(f"{type(self).__name__} must define matrix(weights, state).")


@dataclass(frozen=True)
class Symmetric(Feedback):
    """``F = W_outᵀ``: the true readout weights, as in backpropagation ("weight transport")."""

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array:
        """The transposed readout."""
        return weights.readout.T


@dataclass(frozen=True)
class RandomFeedback(Feedback):
    """``F = B``, fixed and random, ``B ~ N(0, 1/num_outputs)``.

    Source: Lillicrap et al. 2016, Nat. Commun. 7:13276.
    """

    def init(self, circuit: Circuit, params: dict[str, Array], *, key: Array) -> dict[str, Array]:
        """Draw B; it is the rule state's ``rule_feedback``."""
        shape = (circuit.num_units, circuit.num_outputs)
        drawn = jax.random.normal(key, shape, params["readout"].dtype)
        return {"rule_feedback": drawn / math.sqrt(circuit.num_outputs)}

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array:
        """The drawn B."""
        return state["rule_feedback"]
