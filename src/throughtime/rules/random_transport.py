"""Credit that travels back through time over random synapses."""

from __future__ import annotations

from dataclasses import dataclass, field

from throughtime.credit.feedback import Feedback
from throughtime.credit.transport import RandomTransport as RandomWay
from throughtime.credit.transport import Transport
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits


@dataclass(frozen=True)
class RandomTransport(AdjointRule):
    """Random transport: credit crosses synapses backwards with fixed random weights instead of their own.

    ``W̃ = R`` with the variance of the initial W. A control for what exact weights add to sending credit to
    other neurons at all. Where R alone would let credit grow from step to step, it is made smaller, so that
    the reverse map ``(1−α) I + α Rᵀ`` has no eigenvalue outside the unit circle.

    Attributes:
        feedback: ``symmetric``, ``random`` or another pathway.
        max_radius: largest spectral radius of R; None: R as drawn.

    Source: a control of this library; random weights on the way back: Lillicrap et al. 2016, Nat. Commun.
    7:13276.

    Example:
        >>> RandomTransport().transport
        RandomTransport(max_radius=0.9)
    """

    feedback: Feedback | str = "symmetric"
    max_radius: float | None = 0.9
    transport: Transport = field(default=RandomWay(), init=False)
    online: bool = field(default=False, init=False)
    step_size: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "transport", RandomWay(self.max_radius))

    @property
    def traits(self) -> Traits:
        """Biased and acausal."""
        return Traits(
            exact=False,
            online=False,
            stochastic=False,
            displacement=False,
            signals=self.signals,
            time="O(n m + n²)",
            memory="O(n d T)",
        )
