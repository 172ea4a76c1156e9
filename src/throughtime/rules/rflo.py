"""Random feedback local online learning."""

from __future__ import annotations

from dataclasses import dataclass, field

from throughtime.credit.feedback import Feedback
from throughtime.credit.transport import NoTransport, Transport
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits


@dataclass(frozen=True)
class RFLO(AdjointRule):
    """Random feedback local online learning (RFLO): own memory, an error through random weights, no more.

    ``W̃ = 0`` and ``F = B``: a synapse keeps a trace of its own past, ``P ← (1−α) P + α φ′(u_i) r_j`` in the
    rate form, and the error reaches its neuron through fixed random feedback B. With symmetric feedback it is
    :class:`~throughtime.rules.EProp` of an instantaneous readout; with the weight of a neuron onto itself
    kept, SnAp-1. Here the leak alone is kept.

    Attributes:
        feedback: ``random``, or another pathway; B ~ N(0, 1/num_outputs).

    Published settings: B = N/√num_outputs, initial W = 1.5 N/√n and W_out uniform in ±0.1/√n, τ = 10 steps.

    Source: Murray 2019, eLife 8:e43299.

    Example:
        >>> RFLO().traits.signals, RFLO(feedback="symmetric").traits.signals
        (('error',), ('W_out',))
    """

    feedback: Feedback | str = "random"
    transport: Transport = field(default=NoTransport(), init=False)

    @property
    def traits(self) -> Traits:
        """Local and causal, biased."""
        return Traits(
            exact=False,
            online=True,
            stochastic=False,
            displacement=self.online,
            signals=self.signals,
            time="O(n m)",
            memory="O(n d T)",
        )
