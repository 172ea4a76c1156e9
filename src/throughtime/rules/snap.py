"""SnAp: sparse n-step approximation of real-time recurrent learning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import numpy as np

from throughtime.circuits.readout import readout_decay
from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.influence import Influence
from throughtime.credit.transport import Diagonal, Exact, Transport
from throughtime.frozen import FrozenArray
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits
from throughtime.rules.rtrl import refuse_output_feedback

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper


def reach(existing: np.ndarray, steps: int) -> np.ndarray:
    """(unit, unit) bool: whether unit k is reached from unit i over at most ``steps`` synapses.

    Args:
        existing: (unit, presynaptic_unit) bool.

    Example:
        >>> ring = np.roll(np.eye(4, dtype=bool), 1, axis=0)
        >>> [int(reach(ring, steps).sum()) for steps in range(4)]
        [4, 8, 12, 16]
    """
    found = np.eye(len(existing), dtype=bool)
    for _ in range(steps):
        found = found | (existing.astype(int) @ found.astype(int) > 0)
    return found


@dataclass(frozen=True)
class SnAp(AdjointRule):
    """SnAp-n: the influence of a synapse is kept only on neurons it reaches over few synapses.

    Of real-time recurrent learning's ``M^{k,ij}`` those entries stay for which a directed path from unit i to
    unit k of at most n − 1 synapses exists; n counts steps and includes the immediate one. With n = 1 that is
    the neuron itself: a trace for every synapse, ``ε_t = (A_t + b_t W_ii c_{t−1}ᵀ) ε_{t−1} + b_t p_t``. Once
    n − 1 reaches the diameter of the connection graph (n = 2 where all synapses exist) it is exact.

    Attributes:
        n: steps, at least 1.
        feedback: ``symmetric`` as published, or another pathway of the error.
        online, step_size: move the weights at every step; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Menick et al. 2021, ICLR.

    Example:
        >>> SnAp(n=1).traits.signals
        ('W_out', 'self weight')
    """

    n: int = 1
    feedback: Feedback | str = Symmetric()
    transport: Transport = field(default=Diagonal(), init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.n, int) and not isinstance(self.n, bool) and self.n >= 1):
            raise ValueError(f"SnAp: n {self.n!r} is not a whole number >= 1 of steps.")
        if self.n > 1:
            if self.segment is not None:
                raise ValueError(
                    f"SnAp: n = {self.n} runs forward in time and keeps no states to cut into segments; "
                    "use segment=None."
                )
            object.__setattr__(self, "transport", Exact())

    @property
    def steps_forward(self) -> bool:
        """Within the trial, and always for n > 1: no transport gives its credit."""
        return self.online or self.n > 1

    def stepper(self, circuit: Circuit) -> Stepper:
        """A trace for every synapse, or the masked influence."""
        if self.n == 1:
            return super().stepper(circuit)
        refuse_output_feedback(self, circuit)
        with jax.ensure_compile_time_eval():
            existing = np.asarray(circuit.recurrent.existing(circuit.num_units))
        return Influence(decay=readout_decay(circuit), reach=FrozenArray(reach(existing, self.n - 1)))

    @property
    def traits(self) -> Traits:
        """Biased for few steps; local but for the weight onto itself for n = 1."""
        here = self.n == 1
        return Traits(
            exact=False,
            online=True,
            stochastic=False,
            displacement=self.online,
            signals=self.signals if here else (*self.pathway.signals, "others' weights", "others' states"),
            time="O(n m d)" if here else "O(n² m) times the share of influences kept",
            memory="O(n m d) in trace form, O(n d T) in adjoint form"
            if here
            else "O(n m) times the neurons reached",
        )
