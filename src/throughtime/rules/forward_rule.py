"""Rules that run forward in time: after the trial, or changing the weights within it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax

from throughtime import keys
from throughtime.circuits.initial import broadcast
from throughtime.config import LATER
from throughtime.credit import evidence as records
from throughtime.credit import online, recorded, stepping
from throughtime.credit.carried import CARRIED
from throughtime.credit.feedback import Feedback, Symmetric, resolve
from throughtime.credit.replay import replay
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.base import Rule

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.credit.evidence import Evidence
    from throughtime.credit.stepper import Share, Stepper
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class Forward(Rule):
    """What all rules have that can run forward in time.

    Attributes:
        online: False: one gradient after the trial. True: the weights move at every step by ``step_size``
            times the step's share (the mean over the trials of the batch), and the rule returns the
            displacement.
        step_size: η of the moves within the trial; needed with ``online=True`` and refused without.
    """

    online: bool = field(default=False, kw_only=True, metadata={LATER: True})
    step_size: float | None = field(default=None, kw_only=True, metadata={LATER: True})

    def __post_init__(self) -> None:
        name, size = type(self).__name__, self.step_size
        if not isinstance(self.online, bool):
            raise ValueError(f"{name}: online {self.online!r} is neither True nor False.")
        if self.online and not (isinstance(size, int | float) and math.isfinite(size) and size > 0):
            raise ValueError(
                f"{name}: online=True moves the weights within the trial and needs a step_size > 0, "
                f"got {size!r}."
            )
        if not self.online and size is not None:
            raise ValueError(
                f"{name}: step_size {size!r} is the step of moves within the trial; use online=True, or give "
                "the learning_rate to training instead."
            )

    def stepper(self, circuit: Circuit) -> Stepper:
        """What is carried forward in time.

        Raises:
            ValueError: if the rule cannot run forward in time, or not on this circuit.
        """
        raise TypeError(f"{type(self).__name__} must define stepper(circuit).")

    def feedback_matrix(self, weights: Weights, state: dict[str, Array]) -> Array:
        """F, (unit, output)."""
        raise TypeError(f"{type(self).__name__} must define feedback_matrix(weights, state).")

    def transport_matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """W̃, ([gate,] unit, presynaptic_unit), or None."""
        raise TypeError(f"{type(self).__name__} must define transport_matrix(weights, state).")

    def initial_carry(
        self, circuit: Circuit, params: Params, state: dict[str, Array], num_trials: int
    ) -> Any:
        """Where a stream begins: circuit states, and the traces at rest when the rule runs forward."""
        begun = broadcast(circuit.initial_state(params), num_trials)
        if not self.steps_forward:
            return begun
        start = stepping.start(circuit, params, state, self.stepper(circuit), self, num_trials, None)
        return {**begun, CARRIED: start.memory}

    def trained_names(self, circuit: Circuit, params: Params) -> tuple[str, ...]:
        """Parameters that move: those the rule trains and the circuit does not keep fixed."""
        wanted = self.traits.trained
        names = tuple(params) if isinstance(wanted, str) else wanted
        return tuple(name for name in names if name in params and name not in circuit.untrained)

    @property
    def steps_forward(self) -> bool:
        """Whether this rule, with its options, is computed forward in time."""
        return True

    def on_record(self, circuit: Circuit, num_steps: int) -> Stepper | None:
        """What reads a record of a trial step by step, in the form the rule is named for.

        Returns:
            None for a rule that reads it from its end.
        """
        return self.stepper(circuit)

    def evidence(
        self,
        circuit: Circuit,
        params: Params,
        state: dict[str, Array],
        trial: Trial,
        objective: Objective,
        *,
        key: Array,
    ) -> Evidence:
        """One trial, with a twin where one is asked for, and with moving weights where they move."""
        stepper, key = self.on_record(circuit, len(trial.valid)), jax.random.fold_in(key, 0)
        if not self.online:
            return records.of_run(circuit, params, trial, objective, key, stepper)
        assert self.step_size is not None
        assert stepper is not None
        return records.of_moving_run(
            circuit,
            params,
            trial,
            objective,
            key,
            stepper,
            self,
            state,
            step_size=self.step_size,
            trained=self.trained_names(circuit, params),
        )

    def terms_from_record(
        self, circuit: Circuit, evidence: Evidence, state: dict[str, Array]
    ) -> tuple[Share, dict[str, Array]] | None:
        """What the stepper gives at each step."""
        stepper = self.on_record(circuit, len(evidence.steps.valid))
        assert stepper is not None
        size = self.step_size if self.online else None
        terms, after, _ = replay(circuit, evidence, stepper, self, state, step_size=size)
        return terms, after

    def step_forward(
        self,
        circuit: Circuit,
        params: Params,
        state: dict[str, Array],
        trials: Trial,
        objective: Objective,
        *,
        key: Array,
        carry: Any = None,
    ) -> tuple[Params, dict[str, Array], dict[str, Any]]:
        """The gradient after the trial, or the displacement within it; see :meth:`Rule.gradient`."""
        trial_keys = keys.of_batch(key, trials.inputs.shape[0])
        stepper = self.stepper(circuit)
        if not self.online:
            return recorded.gradient(
                circuit, params, trials, objective, stepper, self, state, trial_keys=trial_keys, carry=carry
            )
        assert self.step_size is not None
        return online.displacement(
            circuit,
            params,
            trials,
            objective,
            stepper,
            self,
            state,
            step_size=self.step_size,
            trained=self.trained_names(circuit, params),
            trial_keys=trial_keys,
            carry=carry,
        )


@dataclass(frozen=True)
class PathwayRule(Forward):
    """What all rules have whose credit is told by a feedback and a transport, forward or back in time.

    Attributes:
        feedback, transport: matrices F and W̃. A feedback may be given by its name: ``symmetric``, ``random``,
            ``sign-concordant`` or ``adaptive``.
    """

    feedback: Feedback | str = Symmetric()
    transport: Transport = Exact()

    @property
    def pathway(self) -> Feedback:
        """The feedback, which ``feedback`` may have named."""
        return resolve(self.feedback)

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """Draw what feedback and transport keep."""
        first, second = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        return {
            **self.pathway.init(circuit, params, key=first),
            **self.transport.init(circuit, params, key=second),
        }

    def feedback_matrix(self, weights: Weights, state: dict[str, Array]) -> Array:
        """F of the feedback."""
        return self.pathway.matrix(weights, state)

    def transport_matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """W̃ of the transport."""
        return self.transport.matrix(weights, state)

    def after_update(
        self, circuit: Circuit, before: Params, after: Params, state: dict[str, Array]
    ) -> tuple[Params, dict[str, Array]]:
        """What the feedback changes once the optimiser has moved the parameters."""
        return self.pathway.after_update(circuit, before, after, state)


@dataclass(frozen=True)
class ForwardRule(PathwayRule):
    """A rule that is computed forward in time, given by its stepper, feedback and transport."""

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """Draw what feedback and transport keep, for a circuit the stepper takes."""
        self.stepper(circuit)
        return super().init(circuit, params, key=key)

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
        """Step through the trials; see :meth:`Rule.gradient`."""
        if circuit.bptt_only:
            raise ValueError(
                f"{type(self).__name__}: {type(circuit.dynamics).__name__} with the reset before the "
                "synapses has no local function of drives; use reset='after', or the rule bptt."
            )
        if objective.vanishing > 0:
            raise ValueError(
                f"{type(self).__name__}: a penalty on vanishing gradients needs the exact credit of every "
                "state; use the rule bptt."
            )
        return self.step_forward(circuit, params, state, trials, objective, key=key, carry=carry)
