"""Rules that are a choice of feedback and transport in the adjoint recursion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from throughtime import keys
from throughtime.circuits.readout import readout_decay
from throughtime.credit import batch, plain
from throughtime.credit.carried import circuit_state
from throughtime.credit.feedback import resolve
from throughtime.credit.record import layout
from throughtime.credit.replay import delta_rule, filtered_back
from throughtime.credit.sent_back import send_back_over_record
from throughtime.credit.stepper import Share
from throughtime.credit.stepping import wires
from throughtime.rules.forward_rule import PathwayRule

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.credit.adjoint import Transported
    from throughtime.credit.evidence import Evidence
    from throughtime.credit.record import Record
    from throughtime.credit.stepper import Stepper
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class AdjointRule(PathwayRule):
    """A rule given by how the error reaches a neuron and how credit crosses a synapse.

    A subclass names its default ``feedback`` and ``transport`` and declares its traits.

    Attributes:
        feedback, transport: the two matrices of the reverse recursion; see
            :class:`~throughtime.rules.forward_rule.PathwayRule`.
        segment: memory, not mathematics: None keeps the states of whole trials; a number of steps, or
            ``"sqrt"`` for about √T, keeps one segment at a time and runs it forward again on the way back.
    """

    segment: int | str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.online and not self.traits.online:
            raise ValueError(
                f"{type(self).__name__}: online=True is not possible: its credit comes from the future of "
                "the trial. Use online=False."
            )
        object.__setattr__(self, "feedback", resolve(self.feedback))
        given, name = self.segment, type(self).__name__
        whole = isinstance(given, int) and not isinstance(given, bool) and given >= 1
        if not (given is None or given == batch.SQUARE_ROOT or whole):
            raise ValueError(f"{name}: segment {given!r} is not a whole number >= 1, 'sqrt' or None.")

    @property
    def signals(self) -> tuple[str, ...]:
        """What feedback and transport need, for the traits."""
        return (*self.pathway.signals, *self.transport.signals)

    @property
    def output_filter(self) -> float | None:
        """κ of a filter the errors pass on their way to the neurons; None: there is none."""
        return None

    @property
    def steps_forward(self) -> bool:
        """Only where it moves the weights within the trial."""
        return self.online

    def stepper(self, circuit: Circuit) -> Stepper:
        """What the transport carries forward in time."""
        decay = readout_decay(circuit) if self.output_filter is None else self.output_filter
        return self.transport.forward(circuit, decay)

    def crossing(self, circuit: Circuit, params: Params, weights: Weights, state: Params) -> Transported:
        """How credit crosses synapses: W̃, its diagonal, None or a ``Relay``."""
        return self.transport.matrix(weights, state)

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
        """Run the trials, send credit back once; see :meth:`Rule.gradient`.

        Raises:
            ValueError: for a circuit, an objective or a segment this rule is not defined for.
        """
        trial_keys = keys.of_batch(key, trials.inputs.shape[0])
        self.refuse(circuit, objective)
        initial = circuit_state(circuit, carry, trials.inputs.shape[0])
        if circuit.bptt_only:
            grads, info = plain.gradient(
                circuit, params, trials, objective, trial_keys=trial_keys, initial=initial
            )
            return grads, state, info
        if self.steps_forward:
            return self.step_forward(circuit, params, state, trials, objective, key=key, carry=carry)
        weights = circuit.weights(params)
        grads, info = batch.gradient(
            circuit,
            params,
            trials,
            objective,
            feedback=self.pathway.matrix(weights, state),
            transport=self.crossing(circuit, params, weights, state),
            trial_keys=trial_keys,
            initial=initial,
            span=self.transport.span(circuit.dt),
            segment=self.segment,
            through_output=self.transport.through_output,
            kappa=self.output_filter,
        )
        return grads, state, info

    def on_record(self, circuit: Circuit, num_steps: int) -> Stepper | None:
        """The traces of a transport that needs no future."""
        return self.stepper(circuit) if self.steps_forward or self.transport.causal else None

    def terms_from_record(
        self, circuit: Circuit, evidence: Evidence, state: dict[str, Array]
    ) -> tuple[Share, dict[str, Array]] | None:
        """What each step's trace gives, or what each step's use is credited with."""
        if self.on_record(circuit, len(evidence.steps.valid)) is not None:
            return super().terms_from_record(circuit, evidence, state)
        steps = filtered_back(circuit, evidence.steps)
        return Share(self.sent_back(circuit, evidence, steps, state), readout=delta_rule(steps)), state

    def sent_back(self, circuit: Circuit, evidence: Evidence, steps: Record, state: Params) -> Array:
        """Credit of every use, (time, drive, unit, slot), by the recursion over the record."""
        plan = layout(circuit)
        matrices = wires(plan, evidence.weights, state, self)
        span = self.transport.span(circuit.dt)
        return send_back_over_record(plan, steps, matrices.feedback, matrices.transport, span)

    def refuse(self, circuit: Circuit, objective: Objective) -> None:
        """Refuse what this feedback and transport cannot do, with the reason.

        Raises:
            ValueError: for a two-stage dynamics or a penalty on vanishing gradients under a rule that is not
                exact, and for either in segments.
        """
        exact = self.transport.exact and self.pathway.exact
        name, dynamics = type(self).__name__, type(circuit.dynamics).__name__
        if circuit.bptt_only:
            if not exact:
                raise ValueError(
                    f"{name}: {dynamics} with the reset before the synapses has no recursion of drives: "
                    "without exact transport its reset gate learns nothing. Use reset='after', or the "
                    "rule bptt."
                )
            if self.segment is not None or objective.vanishing > 0:
                raise ValueError(
                    f"{name}: {dynamics} with the reset before the synapses takes no segments and no penalty "
                    "on vanishing gradients; use reset='after', or leave them out."
                )
        if objective.vanishing > 0 and not exact:
            raise ValueError(
                f"{name}: a penalty on vanishing gradients needs the exact credit of every state; "
                "use the rule bptt."
            )
