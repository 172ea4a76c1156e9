"""Feedback alignment through time."""

from __future__ import annotations

from dataclasses import dataclass, field

from throughtime.credit.feedback import Feedback
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits


@dataclass(frozen=True)
class FeedbackAlignment(AdjointRule):
    """Feedback alignment: errors enter through random weights, and then travel back through time exactly.

    ``F = B`` and ``W̃ = W``: a control that gives up the symmetry of the readout alone. Where it learns and
    :class:`~throughtime.rules.RFLO` does not, what is missing is the transport of credit across synapses.

    Attributes:
        feedback: ``random``, or another pathway; B ~ N(0, 1/num_outputs).

    Source: Lillicrap et al. 2016, Nat. Commun. 7:13276; through time: Murray 2019, eLife 8:e43299.

    Example:
        >>> FeedbackAlignment().traits.signals
        ('error', "others' weights", "others' states", 'future errors')
    """

    feedback: Feedback | str = "random"
    transport: Transport = field(default=Exact(), init=False)
    online: bool = field(default=False, init=False)
    step_size: float | None = field(default=None, init=False)

    @property
    def traits(self) -> Traits:
        """Biased, acausal, and not local."""
        return Traits(
            exact=self.pathway.exact,
            online=False,
            stochastic=False,
            displacement=False,
            signals=self.signals,
            time="O(n m + n²)",
            memory="O(n d T)",
        )
