"""Rules that are a choice of feedback and transport in the adjoint recursion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.credit import adjoint
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
    """

    feedback: Feedback = Symmetric()
    transport: Transport = Exact()

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
        """Run the trials, send credit back once; see :meth:`Rule.gradient`."""
        weights = circuit.weights(params)
        grads, info = adjoint.gradient(
            circuit,
            params,
            trials,
            objective,
            feedback=self.feedback.matrix(weights, state),
            transport=self.transport.matrix(weights, state),
            trial_keys=jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(trials.inputs.shape[0])),
            initial=carry,
        )
        return grads, state, info
