"""The readout alone learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughtime import keys
from throughtime.credit import readout
from throughtime.credit.carried import circuit_state
from throughtime.credit.stepper import Silent
from throughtime.rules.base import Traits
from throughtime.rules.forward_rule import Forward

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.credit.stepper import Stepper
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class ReadoutOnly(Forward):
    """Only the readout learns, from its own errors: the floor for every rule that trains recurrent weights.

    ``∂W_out = Σ e_t r_tᵀ`` and ``∂b_out = Σ e_t``, the delta rule; recurrent and input weights, biases and
    all other parameters get zeros and stay as they were drawn. Outputs that are fed back count as inputs.

    Attributes:
        online, step_size: move the readout at every step; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Widrow & Hoff 1960, IRE WESCON Conv. Rec. 4:96; fixed recurrence: Jaeger 2001, GMD Report 148.

    Example:
        >>> ReadoutOnly().traits.trained
        ('readout', 'readout_bias')
    """

    @property
    def traits(self) -> Traits:
        """Local and causal."""
        return Traits(
            exact=False,
            online=True,
            stochastic=False,
            displacement=self.online,
            signals=("output error",),
            trained=("readout", "readout_bias"),
            time="O(n m)",
            memory="O(n d T)",
        )

    @property
    def steps_forward(self) -> bool:
        """Only where it moves the readout within the trial."""
        return self.online

    def stepper(self, circuit: Circuit) -> Stepper:
        """Nothing is carried."""
        return Silent()

    def feedback_matrix(self, weights: Weights, state: dict[str, Array]) -> Array:
        """That of the readout; no neuron uses it."""
        return weights.readout.T

    def transport_matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """None: no credit crosses a synapse."""
        return None

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
        """Run the trials and compare outputs with targets; see :meth:`Rule.gradient`.

        Raises:
            ValueError: for a penalty on vanishing gradients, which concerns what this rule does not train.
        """
        if objective.vanishing > 0:
            raise ValueError(
                "ReadoutOnly: a penalty on vanishing gradients concerns recurrent weights, which this rule "
                "does not train; leave it out, or use the rule bptt."
            )
        if self.online:
            return self.step_forward(circuit, params, state, trials, objective, key=key, carry=carry)
        trial_keys = keys.of_batch(key, trials.inputs.shape[0])
        initial = circuit_state(circuit, carry, trials.inputs.shape[0])
        grads, info = readout.gradient(
            circuit, params, trials, objective, trial_keys=trial_keys, initial=initial
        )
        return grads, state, info
