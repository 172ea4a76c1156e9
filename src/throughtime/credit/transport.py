"""How credit crosses a synapse on its way back: the matrix W̃ of ``m_t = Σ_g (W̃ᵍ)ᵀ δᵍ_{t+1}``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime.credit.span import BLOCKS, KINDS, Span

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

    def span(self, dt: float) -> Span | None:
        """How far in time credit may travel; None for all of the trial."""
        return None


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


@dataclass(frozen=True)
class Window(Transport):
    """``W̃ = W`` within a window of ``duration`` ms: truncated backpropagation through time.

    ``kind="blocks"`` cuts the trial into blocks of that length; no credit crosses from one block to the one
    before. ``kind="sliding"`` lets each error reach the drives of the last ``duration`` ms: K credits of
    different age travel, so a step costs K times as much.

    Attributes:
        duration: ms; K = duration / dt steps, rounded.
        kind: ``blocks`` or ``sliding``.

    Source: Williams & Peng 1990, Neural Comput. 2:490.

    Example:
        >>> Window(200.0).span(dt=20.0)
        Span(kind='blocks', steps=10)
    """

    duration: float = 200.0
    kind: str = BLOCKS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"Window: duration {self.duration!r} ms is not a positive number.")
        if self.kind not in KINDS:
            raise ValueError(f"Window: kind {self.kind!r} is not known; use {' or '.join(map(repr, KINDS))}.")

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """The effective recurrent weights."""
        return weights.recurrent

    def span(self, dt: float) -> Span:
        """The window in steps.

        Raises:
            ValueError: for a window shorter than a step.
        """
        steps = round(self.duration / dt)
        if steps < 1:
            raise ValueError(
                f"Window: duration {self.duration:g} ms is shorter than dt {dt:g} ms; use at least dt."
            )
        return Span(self.kind, steps)
