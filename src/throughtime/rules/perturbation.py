"""What the rules share that run a circuit forward and hear one number a trial."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughtime.credit.batch import refuse_leaky_readout
from throughtime.rules.base import Rule

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective


@dataclass(frozen=True)
class PerturbationRule(Rule):
    """Base of rules that try something and see what it does to the loss."""

    def refuse_number(self, name: str, *, whole: bool = False) -> None:
        """Refuse an option that is no number above 0.

        Raises:
            ValueError: naming it.
        """
        value, owner = getattr(self, name), type(self).__name__
        if whole:
            if not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
                raise ValueError(f"{owner}: {name} {value!r} is not a whole number >= 1.")
        elif not (math.isfinite(value) and value > 0):
            raise ValueError(f"{owner}: {name} {value!r} is not a positive number.")

    def refuse_unless_in(self, name: str, known: tuple[str, ...]) -> None:
        """Refuse an option that is none of those known.

        Raises:
            ValueError: naming them.
        """
        value = getattr(self, name)
        if value not in known:
            offered = " or ".join(map(repr, known))
            raise ValueError(f"{type(self).__name__}: {name} {value!r} is not known; use {offered}.")

    def refuse_common(self, circuit: Circuit, objective: Objective, carry: Any) -> None:
        """Refuse a penalty that no forward run can tell, and carried states that do not hold all memory.

        Raises:
            ValueError: for a penalty on vanishing gradients, and for a leaky readout with carried states.
        """
        if carry is not None:
            refuse_leaky_readout(circuit)
        if objective.vanishing > 0:
            raise ValueError(
                f"{type(self).__name__}: a penalty on vanishing gradients needs the credit of every state, "
                "which a forward run does not tell; use the rule bptt."
            )

    def refuse_two_stages(self, circuit: Circuit) -> None:
        """Refuse a dynamics whose synapses transmit something else than rates.

        Raises:
            ValueError: with the reason.
        """
        if circuit.dynamics.two_stage:
            raise ValueError(
                f"{type(self).__name__}: the candidate's synapses of {type(circuit.dynamics).__name__} with "
                "the reset before them transmit reset ∘ r, not the rate r of the neuron before; use "
                "reset='after', or the rule weight-perturbation."
            )


def names_of(condition: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """The option ``condition`` as names.

    Example:
        >>> names_of(None), names_of("side"), names_of(("first", "second"))
        ((), ('side',), ('first', 'second'))
    """
    if condition is None:
        return ()
    return (condition,) if isinstance(condition, str) else tuple(condition)
