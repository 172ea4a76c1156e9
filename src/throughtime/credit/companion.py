"""Least squares for recurrent weights, towards what a second circuit does on the same trial.

The second circuit, the companion, is a frozen copy of the one that learns. It advances beside it, from the
same initial state, with the same inputs and without noise, so its trajectory need not be recorded before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.circuits import gates
from throughtime.circuits.simulate import whole_drive
from throughtime.credit.least_squares import RECURRENT_INVERSE, LeastSquares, advance, table

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.record import Layout, Record, Wiring
    from throughtime.credit.stepper import Share

    State = dict[str, Array]
    Params = dict[str, Array]
    RuleState = dict[str, Array]

COMPANION, TEACHING = "rule_companion_", "rule_teaching"


def frozen_copy(params: Params) -> RuleState:
    """Parameters of the companion, as leaves of a rule's state."""
    return {COMPANION + name: value for name, value in params.items()}


def companion_params(state: RuleState) -> Params:
    """Parameters of the companion."""
    return {
        name.removeprefix(COMPANION): value for name, value in state.items() if name.startswith(COMPANION)
    }


class Beside(NamedTuple):
    """One step of the companion.

    Attributes:
        recurrent: (unit,) its drive through recurrent synapses and from the teaching signal.
        state: variables (unit,) after the step.
    """

    recurrent: Array
    state: State


def advance_companion(
    circuit: Circuit, params: Params, state: State, inputs: Array, taught: Array | None
) -> Beside:
    """Advance the companion by one step.

    Args:
        state: variables (unit,); inputs: (input,); taught: further drive (unit,), or None.
    """
    dynamics, weights = circuit.dynamics, circuit.weights(params)
    sent = dynamics.rate(params, state)
    recurrent = weights.recurrent @ sent
    drive = whole_drive(
        dynamics,
        {"recurrent": weights.recurrent, "input": weights.input, "bias": weights.bias},
        sent,
        inputs,
    )
    if taught is not None:
        recurrent, drive = recurrent + taught, gates.add(drive, taught)
    return Beside(recurrent, dynamics.local(params, state, drive, circuit.dt))


@dataclass(frozen=True)
class CompanionLeastSquares(LeastSquares):
    """Base of least squares towards a companion; what is carried is the companion's state."""

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> State:
        """The companion's state before the first step, or before a warm-up."""
        return self.circuit.initial.base(self.circuit, companion_params(state))

    def beside(
        self, plan: Layout, state: RuleState, memory: State, now: Record, taught: Array | None
    ) -> Beside:
        """The companion's step with the inputs of this one."""
        inputs = now.sources[plan.units : plan.units + self.circuit.num_inputs]
        return advance_companion(self.circuit, companion_params(state), memory, inputs, taught)

    def recurrent(
        self, plan: Layout, state: RuleState, now: Record, errors: Array
    ) -> tuple[RuleState, Array]:
        """Least squares for recurrent weights: the new state and what they lose, by slots."""
        rows = table(self.circuit)
        sources = rows.activity(now.sources[: plan.units])
        inverse, gains = advance(state[RECURRENT_INVERSE], sources, jnp.ones(len(sources), errors.dtype))
        return {**state, RECURRENT_INVERSE: inverse}, rows.slots(plan, errors, gains)


@dataclass(frozen=True)
class Innate(CompanionLeastSquares):
    """Every plastic neuron learns to fire as the companion, the untrained circuit without noise, does.

    Attributes:
        window: (start, stop) in ms after the start of the trial, within which weights move; None: where the
            mask of any output is positive.
    """

    window: tuple[float, float] | None = None

    def due(self, now: Record) -> Array:
        """A step of the window, and the turn of an update."""
        assert now.mask is not None
        if self.window is None:
            inside = (now.mask > 0).any()
        else:
            start, stop = (edge / self.circuit.dt - 1e-6 for edge in self.window)
            inside = (now.index >= start) & (now.index < stop)
        return super().due(now) & inside

    def step(
        self, plan: Layout, state: RuleState, memory: State, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, State, Share]:
        """See :class:`~throughtime.credit.stepper.Stepper`."""
        now, memory = self.sense(plan, state, memory, now, wires)
        nothing = self.idle(plan, state, now)

        def move() -> tuple[RuleState, Share]:
            assert now.unit_error is not None
            changed, lost = self.recurrent(plan, state, now, now.unit_error)
            return changed, nothing[1]._replace(slots=lost)

        changed, share = jax.lax.cond(self.due(now), move, lambda: nothing)
        return changed, memory, share

    def sense(
        self, plan: Layout, state: RuleState, memory: State, now: Record, wires: Wiring
    ) -> tuple[Record, State]:
        """How much faster each neuron fires than in the companion."""
        if now.unit_error is not None:
            return now, memory
        beside = self.beside(plan, state, memory, now, None)
        wanted = self.circuit.dynamics.readout(companion_params(state), beside.state)
        return now._replace(unit_error=now.read - wanted), beside.state


@dataclass(frozen=True)
class Taught(CompanionLeastSquares):
    """Every neuron learns to receive what the companion does, which is also driven by the wanted output."""

    def step(
        self, plan: Layout, state: RuleState, memory: State, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, State, Share]:
        """See :class:`~throughtime.credit.stepper.Stepper`."""
        now, memory = self.sense(plan, state, memory, now, wires)
        nothing = self.idle(plan, state, now)

        def move() -> tuple[RuleState, Share]:
            assert now.unit_error is not None
            changed, slots = self.recurrent(plan, state, now, now.unit_error)
            changed, readout = self.readout(changed, now)
            return changed, nothing[1]._replace(slots=slots, readout=readout)

        changed, share = jax.lax.cond(self.due(now), move, lambda: nothing)
        return changed, memory, share

    def sense(
        self, plan: Layout, state: RuleState, memory: State, now: Record, wires: Wiring
    ) -> tuple[Record, State]:
        """How much more each neuron receives from the others than in the companion."""
        if now.unit_error is not None:
            return now, memory
        beside = self.beside(plan, state, memory, now, state[TEACHING] @ now.targets)
        received = wires.recurrent[0] @ now.sources[: plan.units]
        return now._replace(unit_error=received - beside.recurrent), beside.state
