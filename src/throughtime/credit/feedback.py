"""How the error of the outputs reaches a neuron: the matrix F (unit, output) of ``q_t = F e_t``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.registry import unknown

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights

    Params = dict[str, Array]


@dataclass(frozen=True)
class Feedback:
    """Base of all feedback pathways.

    Attributes of a class:
        exact: whether ``F = W_outᵀ``.
        signals: ``"error"``: a pathway of its own carries the error; ``"W_out"``: the readout weights do.
    """

    exact: ClassVar[bool] = False
    signals: ClassVar[tuple[str, ...]] = ("error",)

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> Params:
        """Arrays the pathway keeps in the rule's state; none by default."""
        return {}

    def matrix(self, weights: Weights, state: Params) -> Array:
        """F, (unit, output)."""
        raise TypeError(f"{type(self).__name__} must define matrix(weights, state).")

    def after_update(
        self, circuit: Circuit, before: Params, after: Params, state: Params
    ) -> tuple[Params, Params]:
        """Parameters and state once the optimiser has moved ``before`` to ``after``: as they are."""
        return after, state


@dataclass(frozen=True)
class Symmetric(Feedback):
    """``F = W_outᵀ``: the true readout weights, as in backpropagation ("weight transport")."""

    exact: ClassVar[bool] = True
    signals: ClassVar[tuple[str, ...]] = ("W_out",)

    def matrix(self, weights: Weights, state: Params) -> Array:
        """The transposed readout."""
        return weights.readout.T


def draw(circuit: Circuit, params: Params, key: Array) -> Array:
    """B ~ N(0, 1/num_outputs), (unit, output)."""
    shape = (circuit.num_units, circuit.num_outputs)
    return jax.random.normal(key, shape, params["readout"].dtype) / math.sqrt(circuit.num_outputs)


@dataclass(frozen=True)
class RandomFeedback(Feedback):
    """``F = B``, fixed and random, ``B ~ scale · N(0, 1/num_outputs)``.

    Attributes:
        scale: factor of B, positive.

    Source: Lillicrap et al. 2016, Nat. Commun. 7:13276.

    Example:
        >>> RandomFeedback(), RandomFeedback(scale=0.5).exact
        (RandomFeedback(scale=1.0), False)
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"RandomFeedback: scale {self.scale!r} is not a positive number; use 1.")

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> Params:
        """Draw B; it is the rule state's ``rule_feedback``."""
        return {"rule_feedback": self.scale * draw(circuit, params, key)}

    def matrix(self, weights: Weights, state: Params) -> Array:
        """The drawn B."""
        return state["rule_feedback"]


@dataclass(frozen=True)
class SignConcordant(Feedback):
    """``F = sign(W_outᵀ) ∘ |B|``: sizes fixed and random, signs those of the readout.

    Weak weight transport, a control between symmetric and random feedback: the sign of each readout weight
    must still be known where the error arrives.

    Source: Liao, Leibo & Poggio 2016, AAAI 30:1837.

    Example:
        >>> SignConcordant().signals
        ('W_out',)
    """

    signals: ClassVar[tuple[str, ...]] = ("W_out",)

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> Params:
        """Draw B ~ N(0, 1/num_outputs); it is the rule state's ``rule_feedback``."""
        return {"rule_feedback": draw(circuit, params, key)}

    def matrix(self, weights: Weights, state: Params) -> Array:
        """The sizes of B with the signs of the readout; 0 where the readout is."""
        return jnp.sign(weights.readout.T) * jnp.abs(state["rule_feedback"])


@dataclass(frozen=True)
class AdaptiveFeedback(Feedback):
    """``F = B``, random at first, that learns the readout from what the readout learns::

        W_out ← W_out + ΔW_out − ω W_out,   B ← B + (W_out,new − W_out,old)ᵀ − ω (B − W_outᵀ)

    ΔW_out is whatever the optimiser does. Each of the two pathways makes the same change and forgets at the
    same rate, so ``B − W_outᵀ`` shrinks by exactly ``1 − ω`` an update, under every optimiser, and neither
    needs the other's weights. The decay of W_out is made on its free parameters; a readout that stays fixed
    does not decay.

    Attributes:
        decay: ω an update, between 0 and 1. The default is a choice of this library.

    Source: Kolen & Pollack 1994, IEEE ICNN 3:1375; in recurrent circuits: Bellec et al. 2020, Nat. Commun.
    11:3625.

    Example:
        >>> AdaptiveFeedback(decay=0.01).signals
        ('error',)
    """

    decay: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.decay < 1:
            raise ValueError(
                f"AdaptiveFeedback: decay {self.decay!r} is not a number between 0 and 1; use a small one, "
                "such as 1e-3, or feedback 'random' for none."
            )

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> Params:
        """Draw B ~ N(0, 1/num_outputs); it is the rule state's ``rule_feedback``."""
        return {"rule_feedback": draw(circuit, params, key)}

    def matrix(self, weights: Weights, state: Params) -> Array:
        """B as it is now."""
        return state["rule_feedback"]

    def after_update(
        self, circuit: Circuit, before: Params, after: Params, state: Params
    ) -> tuple[Params, Params]:
        """Decay the readout, and move B with it."""
        if "readout" not in circuit.untrained:
            after = {**after, "readout": after["readout"] - self.decay * before["readout"]}
        old, new = circuit.weights(before).readout.T, circuit.weights(after).readout.T
        moved = new + (1 - self.decay) * (state["rule_feedback"] - old)
        return after, {**state, "rule_feedback": moved}


FEEDBACKS: dict[str, type[Feedback]] = {
    "symmetric": Symmetric,
    "random": RandomFeedback,
    "sign-concordant": SignConcordant,
    "adaptive": AdaptiveFeedback,
}


def resolve(feedback: Feedback | str) -> Feedback:
    """A pathway as it is, or by its name.

    Raises:
        ValueError: for an unknown name, with near names.

    Example:
        >>> resolve("sign-concordant"), resolve(Symmetric())
        (SignConcordant(), Symmetric())
    """
    if isinstance(feedback, Feedback):
        return feedback
    if feedback not in FEEDBACKS:
        raise unknown("feedback", feedback, FEEDBACKS, ", ".join(FEEDBACKS))
    return FEEDBACKS[feedback]()


class Filtered(NamedTuple):
    """Feedback that a neuron filters in time, ``q_t = F ē_t`` with ``ē_t = e_t + κ ē_{t+1}``.

    Read backwards this is what a leak of the readout makes of the errors; read forwards, the neuron keeps
    a trace of its own activity that decays by κ a step.

    Attributes:
        matrix: F, (unit, output).
        decay: κ a step.
    """

    matrix: Array
    decay: float
