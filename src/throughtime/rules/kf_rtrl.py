"""Kronecker-factored real-time recurrent learning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from throughtime.circuits.readout import readout_decay
from throughtime.credit.adjoint import own_names
from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.kronecker import Sources
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.base import Traits
from throughtime.rules.forward_rule import ForwardRule
from throughtime.rules.rtrl import refuse_output_feedback

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper


@dataclass(frozen=True)
class KFRTRL(ForwardRule):
    """Kronecker-factored RTRL: the influence matrix as a random product of a vector and a matrix.

    Of the influence ``M_t = J_t M_{t−1} + D_t ⊗ p_t`` that real-time recurrent learning keeps, this rule has
    a vector over presynaptic slots and a matrix from receiving neurons to states, whose product has M_t as
    its mean. With a fresh sign ν, ``p0 = √(‖JB‖/‖A‖)`` and ``p1 = √(‖D‖/‖p_t‖)``::

        A ← p0 A + ν p1 p_t,   B ← J B/p0 + ν D/p1,   share_ij = (q̃ᵀB)_i A_j

    The mean over the draws is the exact gradient, with less noise than ``uoro``, at O(n²) memory and O(n³)
    time a step; trials of one step have no noise at all.

    Attributes:
        online, step_size: move the weights at every step; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Mujika, Meier & Steger 2018, NeurIPS 31.

    Example:
        >>> KFRTRL().traits.memory
        'O(n²)'
    """

    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=Exact(), init=False)

    def stepper(self, circuit: Circuit) -> Stepper:
        """The vector and the matrix."""
        refuse_output_feedback(self, circuit)
        refuse_other_parameters(self, circuit)
        return Sources(decay=readout_decay(circuit))

    @property
    def traits(self) -> Traits:
        """Right on average, noisy, causal, not local."""
        return Traits(
            exact=False,
            online=True,
            stochastic=True,
            displacement=self.online,
            signals=("W_out", "others' weights", "others' states"),
            time="O(n³)",
            memory="O(n²)",
        )


def refuse_other_parameters(rule: ForwardRule, circuit: Circuit) -> None:
    """Refuse circuits that train more than synapses, biases and the readout.

    Raises:
        ValueError: with the reason.
    """
    fixed = circuit.untrained
    others = (*own_names(circuit), *circuit.initial.init_params(circuit))
    trained = [name for name in others if name not in fixed]
    if trained:
        raise ValueError(
            f"{type(rule).__name__}: {', '.join(trained)} act through no presynaptic activity, which one "
            "of the two factors here stands for; use the rule uoro, rtrl or bptt, or train synapses only."
        )
