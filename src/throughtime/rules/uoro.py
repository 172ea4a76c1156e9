"""Unbiased online recurrent optimisation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from throughtime.circuits.readout import readout_decay
from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.rank_one import Unbiased
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.base import Traits
from throughtime.rules.forward_rule import ForwardRule
from throughtime.rules.rtrl import refuse_output_feedback

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper

ZERO, NORMAL = "zero", "normal"


@dataclass(frozen=True)
class UORO(ForwardRule):
    """Unbiased online recurrent optimisation: the influence matrix as a random product of two vectors.

    Of the influence ``M_t = J_t M_{t−1} + D_t ⊗ p_t`` that real-time recurrent learning keeps, this rule has
    one vector over states and one over synapses, whose product has M_t as its mean. With a fresh sign ν for
    every state, ``p0 = √(‖B‖/‖JA‖)`` and ``p1 = √(‖D‖‖p_t‖/‖ν‖)``::

        A ← p0 J A + p1 ν,   B ← B/p0 + (Dᵀν) p_tᵀ/p1,   share (q̃ᵀA) B

    All synapses get the same scalar ``q̃ᵀA``, each times a trace of its own. The mean over the draws is the
    exact gradient, at O(n m) memory and O(n² + n m) time a step; the noise of one draw is large, and steps
    must be small (published: 1e-4, plain gradient descent).

    Time constants that are trained and a learned initial state are trained too.

    Attributes:
        start: ``zero``: both factors start at zero, as the influence does; ``normal``: as N(0, 1) numbers,
            the published form, as right on average with more noise.
        online, step_size: move the weights at every step; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Tallec & Ollivier 2018, ICLR (arXiv 1702.05043).

    Example:
        >>> UORO().traits.stochastic
        True
    """

    start: str = ZERO
    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=Exact(), init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start not in (ZERO, NORMAL):
            raise ValueError(f"UORO: start {self.start!r} is not known; use {ZERO!r} or {NORMAL!r}.")

    def stepper(self, circuit: Circuit) -> Stepper:
        """The two factors."""
        refuse_output_feedback(self, circuit)
        return Unbiased(decay=readout_decay(circuit), normal=self.start == NORMAL)

    @property
    def traits(self) -> Traits:
        """Right on average, noisy, causal, not local."""
        return Traits(
            exact=False,
            online=True,
            stochastic=True,
            displacement=self.online,
            signals=("W_out", "others' weights", "others' states"),
            time="O(n² + n m)",
            memory="O(n m)",
        )
