"""Kronecker-factored real-time recurrent learning with the roles of the two factors reversed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from throughtime.circuits.readout import readout_decay
from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.kronecker import Receivers
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.base import Traits
from throughtime.rules.forward_rule import ForwardRule
from throughtime.rules.kf_rtrl import refuse_other_parameters
from throughtime.rules.rtrl import refuse_output_feedback

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper


@dataclass(frozen=True)
class RKFRTRL(ForwardRule):
    """Reverse KF-RTRL: the influence matrix as a random product of a vector and a matrix the other way round.

    Where ``kf-rtrl`` has a vector over presynaptic slots, this rule has one over receiving neurons, and a
    matrix from slots to states. With a fresh sign ν for every drive of every neuron, ``p0 = √(‖JB‖/‖A‖)`` and
    ``p1 = √(‖D‖‖p_t‖/‖ν‖)``::

        A ← p0 A + p1 ν,   B ← J B/p0 + (Dν) p_tᵀ/p1,   share_ij = A_i (q̃ᵀB)_j

    The mean over the draws is the exact gradient, at O(n m) memory and O(n² m) time a step.

    Attributes:
        online, step_size: move the weights at every step; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Marschall, Cho & Savin 2020, J. Mach. Learn. Res. 21(135).

    Example:
        >>> RKFRTRL().traits.memory
        'O(n m)'
    """

    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=Exact(), init=False)

    def stepper(self, circuit: Circuit) -> Stepper:
        """The vector and the matrix."""
        refuse_output_feedback(self, circuit)
        refuse_other_parameters(self, circuit)
        return Receivers(decay=readout_decay(circuit))

    @property
    def traits(self) -> Traits:
        """Right on average, noisy, causal, not local."""
        return Traits(
            exact=False,
            online=True,
            stochastic=True,
            displacement=self.online,
            signals=("W_out", "others' weights", "others' states"),
            time="O(n² m)",
            memory="O(n m)",
        )
