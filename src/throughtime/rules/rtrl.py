"""Real-time recurrent learning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from throughtime.circuits.readout import readout_decay
from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.influence import Influence
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.base import Traits
from throughtime.rules.forward_rule import ForwardRule

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper
    from throughtime.rules.base import Rule


@dataclass(frozen=True)
class RTRL(ForwardRule):
    """Real-time recurrent learning: the exact gradient, carried forward in time.

    Every synapse's influence on every neuron is kept, ``M_t = J_t M_{t−1} + D_t ⊗ p_t``, and the share of a
    step is ``q̃_tᵀ M_t``: nothing of the future is needed, at O(n²m) memory and O(n³m) time a step.

    Attributes:
        online, step_size: move the weights at every step; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Williams & Zipser 1989, Neural Comput. 1:270.

    Example:
        >>> import jax
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=50.0)
        >>> circuit = tt.circuits.for_task(task, num_units=4)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 2))
        >>> forward, _ = tt.gradient(circuit, params, trials, RTRL(), key=jax.random.key(2))
        >>> backward, _ = tt.gradient(circuit, params, trials, tt.rules.make("bptt"), key=jax.random.key(2))
        >>> bool(abs(forward["recurrent"] - backward["recurrent"]).max() < 1e-5)
        True
    """

    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=Exact(), init=False)

    def stepper(self, circuit: Circuit) -> Stepper:
        """The influence matrix."""
        refuse_output_feedback(self, circuit)
        return Influence(decay=readout_decay(circuit))

    @property
    def traits(self) -> Traits:
        """Exact and causal, not local."""
        return Traits(
            exact=True,
            online=True,
            stochastic=False,
            displacement=self.online,
            signals=("W_out", "others' weights", "others' states"),
            time="O(n³ m)",
            memory="O(n² m)",
        )


def refuse_output_feedback(rule: Rule, circuit: Circuit) -> None:
    """Refuse circuits whose output is fed back.

    Raises:
        ValueError: with the reason.
    """
    if circuit.output_feedback:
        raise ValueError(
            f"{type(rule).__name__}: with output_feedback the readout weights act on later states too, and "
            "this rule carries the influence of presynaptic slots alone; use the rule bptt, or "
            "output_feedback=False."
        )
