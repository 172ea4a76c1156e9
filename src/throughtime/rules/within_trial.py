"""Rules that always change the weights within the trial, and judge each step by its squared error."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.least_squares import READOUT_INVERSE, RECURRENT_INVERSE, first_inverse, table
from throughtime.credit.transport import NoTransport, Transport
from throughtime.objectives import SquaredError
from throughtime.rules.forward_rule import ForwardRule

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class WithinTrial(ForwardRule):
    """Base of rules whose steps within the trial are all there is: they return the displacement."""

    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=NoTransport(), init=False)
    online: bool = field(default=True, init=False)
    step_size: float | None = field(default=1.0, init=False)

    def gradient(
        self,
        circuit: Circuit,
        params: Params,
        state: dict[str, Array],
        trials: Trial,
        objective: Objective,
        *,
        key: Array,
        carry: Any = None,
        update: Any = 0,
    ) -> tuple[Params, dict[str, Array], dict[str, Any]]:
        """Go through the trials while learning; see :meth:`~throughtime.rules.base.Rule.gradient`.

        Raises:
            ValueError: for another batch size than the rule works with, or another objective than the squared
                error alone.
        """
        name, wanted, given = type(self).__name__, self.traits.batch_size, trials.inputs.shape[0]
        if wanted is not None and given != wanted:
            raise ValueError(
                f"{name}: a batch of {given} trials, but each step's solution holds for the trial it was "
                f"found in; use batch_size={wanted}."
            )
        if not isinstance(objective, SquaredError):
            raise ValueError(
                f"{name}: {type(objective).__name__} is not what this rule makes small: it compares outputs "
                "with targets by their squared difference; use SquaredError() without penalties."
            )
        return super().gradient(
            circuit, params, state, trials, objective, key=key, carry=carry, update=update
        )

    def refuse_number(self, name: str, least: float = 0.0, *, strictly: bool = True) -> None:
        """Refuse a field that is no finite number above ``least``.

        Raises:
            ValueError: with the value found.
        """
        value = getattr(self, name)
        real = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not (real and (value > least or (value == least and not strictly))):
            sign = ">" if strictly else ">="
            raise ValueError(f"{type(self).__name__}: {name} {value!r} is not a number {sign} {least:g}.")

    def refuse_leaky_readout(self, circuit: Circuit) -> None:
        """Refuse a readout with a memory of its own.

        Raises:
            ValueError: with the remedy.
        """
        if circuit.readout_tau is not None:
            raise ValueError(
                f"{type(self).__name__}: an output of a readout with readout_tau {circuit.readout_tau:g} "
                "ms is not made by the present rates alone, which this rule moves the weights by; use "
                "readout_tau=None."
            )


@dataclass(frozen=True)
class LeastSquaresRule(WithinTrial):
    """Base of recursive least squares.

    Attributes:
        ridge: a, strength with which weights are held at those before the first trial; P = I/a at first.
        every: steps from one update to the next.
    """

    ridge: float = 1.0
    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_number("ridge")
        if not (isinstance(self.every, int) and not isinstance(self.every, bool) and self.every >= 1):
            raise ValueError(
                f"{type(self).__name__}: every {self.every!r} is not a whole number of steps >= 1; use 1 for "
                "an update at every step."
            )

    def refuse_signs(self, circuit: Circuit) -> None:
        """Refuse readouts that least squares cannot train.

        Raises:
            ValueError: for a leaky readout, or one whose weights have a sign.
        """
        self.refuse_leaky_readout(circuit)
        if "readout" in circuit.non_negative:
            raise ValueError(
                f"{type(self).__name__}: non_negative readout weights would be stopped on the way to the "
                "least-squares solution; leave 'readout' out of non_negative."
            )

    def refuse_for_companion(self, circuit: Circuit) -> None:
        """Refuse circuits whose recurrent weights cannot follow a second circuit.

        Raises:
            ValueError: for fed-back outputs, several drives a unit, or constrained recurrent weights.
        """
        name = type(self).__name__
        if circuit.output_feedback:
            raise ValueError(
                f"{name}: with output_feedback errors of the output would enter the drive that recurrent "
                "weights shall bring alone; use output_feedback=False, or the rule force."
            )
        if circuit.dynamics.num_drives > 1:
            raise ValueError(
                f"{name}: {type(circuit.dynamics).__name__} has {circuit.dynamics.num_drives} drives a unit, "
                "and one error cannot be shared out to them; use units with one drive, such as Leaky."
            )
        table(circuit)

    def readout_inverse(self, circuit: Circuit, params: Params) -> dict[str, Array]:
        """P of the readout, (output, unit, presynaptic unit), before the first trial."""
        dtype = params["bias"].dtype
        return {READOUT_INVERSE: first_inverse(circuit.num_outputs, circuit.num_units, self.ridge, dtype)}

    def recurrent_inverse(self, circuit: Circuit, params: Params) -> dict[str, Array]:
        """P of the recurrent weights, (set, source, source), before the first trial."""
        sets, size = table(circuit).sources.shape
        return {RECURRENT_INVERSE: first_inverse(sets, size, self.ridge, jnp.result_type(params["bias"]))}
