"""Rules that are a choice of feedback and transport in the adjoint recursion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.credit import batch, plain
from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.base import Rule

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class AdjointRule(Rule):
    """A rule given by how the error reaches a neuron and how credit crosses a synapse.

    A subclass names its default ``feedback`` and ``transport`` and declares its traits.

    Attributes:
        feedback, transport: the two matrices of the reverse recursion.
        segment: memory, not mathematics: None keeps the states of whole trials; a number of steps, or
            ``"sqrt"`` for about √T, keeps one segment at a time and runs it forward again on the way back.
    """

    feedback: Feedback = Symmetric()
    transport: Transport = Exact()
    segment: int | str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        given, name = self.segment, type(self).__name__
        whole = isinstance(given, int) and not isinstance(given, bool) and given >= 1
        if not (given is None or given == batch.SQUARE_ROOT or whole):
            raise ValueError(f"{name}: segment {given!r} is not a whole number >= 1, 'sqrt' or None.")

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """Draw what feedback and transport keep."""
        first, second = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        return {
            **self.feedback.init(circuit, params, key=first),
            **self.transport.init(circuit, params, key=second),
        }

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
        trial_keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(trials.inputs.shape[0]))
        self.refuse(circuit, objective)
        if circuit.bptt_only:
            grads, info = plain.gradient(
                circuit, params, trials, objective, trial_keys=trial_keys, initial=carry
            )
            return grads, state, info
        weights = circuit.weights(params)
        grads, info = batch.gradient(
            circuit,
            params,
            trials,
            objective,
            feedback=self.feedback.matrix(weights, state),
            transport=self.transport.matrix(weights, state),
            trial_keys=trial_keys,
            initial=carry,
            span=self.transport.span(circuit.dt),
            segment=self.segment,
        )
        return grads, state, info

    def refuse(self, circuit: Circuit, objective: Objective) -> None:
        """Refuse what this feedback and transport cannot do, with the reason.

        Raises:
            ValueError: for a two-stage dynamics or a penalty on vanishing gradients under a rule that is not
                exact, and for either in segments.
        """
        exact = type(self.transport) is Exact and type(self.feedback) is Symmetric
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
