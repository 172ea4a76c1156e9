"""Truncated backpropagation through time."""

from __future__ import annotations

from dataclasses import dataclass, field

from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.span import BLOCKS
from throughtime.credit.transport import Transport, Window
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits


@dataclass(frozen=True)
class TBPTT(AdjointRule):
    """Truncated backpropagation through time: exact credit within a window, none beyond it.

    Symmetric feedback ``F = W_outᵀ`` and ``W̃ = W`` within ``window`` ms. In ``blocks`` the trial is cut and
    no credit crosses a cut; ``sliding``, each error reaches the drives of the last ``window`` ms, at K times
    the cost of a step. A window as long as the trial is backpropagation through time.

    Attributes:
        window: ms.
        kind: ``blocks`` or ``sliding``.

    Source: Williams & Peng 1990, Neural Comput. 2:490.

    Example:
        >>> rule = TBPTT(window=400.0)
        >>> rule.transport.span(dt=20.0).steps, rule.traits.exact
        (20, False)
    """

    window: float = 200.0
    kind: str = BLOCKS
    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=Window(), init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "transport", Window(self.window, self.kind))

    @property
    def traits(self) -> Traits:
        """Exact within the window only; blocks can be learned from at each block's end."""
        blocks = self.kind == BLOCKS
        return Traits(
            exact=False,
            online=blocks,
            stochastic=False,
            displacement=False,
            signals=("error", "others' weights", "others' states", "future errors within the window"),
            time="O(n m + n²)" if blocks else "O(n m + K n²)",
            memory="O(n d T)",
        )
