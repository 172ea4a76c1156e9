"""Backpropagation through time."""

from __future__ import annotations

from dataclasses import dataclass, field

from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits


@dataclass(frozen=True)
class BPTT(AdjointRule):
    """Backpropagation through time: the exact gradient of the objective through all time steps.

    Symmetric feedback ``F = W_outᵀ`` and exact transport ``W̃ = W``. A synapse would have to know the
    weights and the future errors of other neurons: this is the reference, not a model of a synapse.

    Source: Werbos 1990, Proc. IEEE 78:1550.

    Example:
        >>> import jax
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=40.0)
        >>> circuit = tt.circuits.for_task(task, num_units=8)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 4))
        >>> grads, info = tt.gradient(circuit, params, trials, BPTT(), key=jax.random.key(2))
        >>> grads["recurrent"].shape
        (8, 8)
    """

    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=Exact(), init=False)
    online: bool = field(default=False, init=False)
    step_size: float | None = field(default=None, init=False)

    @property
    def traits(self) -> Traits:
        """Exact, acausal, and not local."""
        return Traits(
            exact=True,
            online=False,
            stochastic=False,
            displacement=False,
            signals=self.signals,
            time="O(n m + n²)",
            memory="O(n d T)",
        )
