"""Eligibility propagation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from throughtime.circuits.readout import readout_decay
from throughtime.credit.feedback import Feedback
from throughtime.credit.transport import NoTransport, Transport
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective


@dataclass(frozen=True)
class EProp(AdjointRule):
    """Eligibility propagation (e-prop): the traces a neuron can keep by itself, times its learning signal.

    ``W̃ = 0``: no credit crosses a synapse. What a neuron remembers by its own state, in as many variables as
    its dynamics has (an adaptation, say), it is credited for: ``ε_t = A_t ε_{t−1} + b_t r_{t−1}``. In the
    current form that is a stop of the gradient on the transmitted rate.

    ``kappa=None`` filters the learning signal as the readout of the circuit does: not at all, or with κ =
    exp(−dt/readout_tau) where it has a leak, which is no approximation then. A ``kappa`` above 0 on a readout
    without memory is another rule: the neuron gets ``q_t = F ē_t`` with ``ē_t = e_t + κ ē_{t+1}``, while the
    readout still learns from e_t.

    Attributes:
        feedback: ``symmetric``, ``random``, ``adaptive`` or another pathway.
        kappa: κ a step, at least 0 and below 1, or None.

    Source: Bellec et al. 2020, Nat. Commun. 11:3625.

    Example:
        >>> EProp(feedback="adaptive").feedback
        AdaptiveFeedback(decay=0.001)
    """

    feedback: Feedback | str = "symmetric"
    kappa: float | None = None
    transport: Transport = field(default=NoTransport(), init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.kappa is None or (math.isfinite(self.kappa) and 0 <= self.kappa < 1)):
            raise ValueError(
                f"EProp: kappa {self.kappa!r} is not a number >= 0 and < 1; use exp(-dt/tau_out) for a "
                "filter of tau_out ms, or None for that of the readout."
            )

    @property
    def output_filter(self) -> float | None:
        """κ, where it is not the readout's own."""
        return self.kappa or None

    def refuse(self, circuit: Circuit, objective: Objective) -> None:
        """Refuse a filter beside that of a leaky readout, and what every such rule refuses."""
        super().refuse(circuit, objective)
        if self.kappa is not None and circuit.readout_tau is not None:
            raise ValueError(
                f"EProp: kappa {self.kappa!r} beside the leak of the readout, {readout_decay(circuit):.4g} a "
                "step: the errors are filtered by the readout already; use kappa=None."
            )

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
