"""The contract of a learning rule, and its declared traits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    Params = dict[str, Array]

EVERYTHING = "everything"


@dataclass(frozen=True)
class Traits:
    """What a rule declares about itself; read by tests, docs and figures, and verified.

    Attributes:
        exact: its gradient is the gradient of the objective.
        online: each step's contribution is known at that step.
        stochastic: two calls with different rule draws differ.
        displacement: it returns the displacement it made within the trial, applied as it is
            (``sgd(1.0)``), instead of a gradient.
        signals: what a synapse must sense beyond its own pre- and postsynaptic activity.
        trained: names of the parameters it trains, or ``"everything"``.
        batch_size: the only batch size it works with, or None for any.
        forward_passes: forward runs of each trial per update.
        time, memory: order per step and trial, in units n, presynaptic slots m, variables d, steps T.
    """

    exact: bool
    online: bool
    stochastic: bool
    displacement: bool
    signals: tuple[str, ...]
    trained: tuple[str, ...] | str = EVERYTHING
    batch_size: int | None = None
    forward_passes: int = 1
    time: str = ""
    memory: str = ""


@dataclass(frozen=True)
class Rule:
    """Base of all learning rules: two pure functions and a declaration."""

    @property
    def traits(self) -> Traits:
        """Declared properties of this rule with its options."""
        raise TypeError(f"{type(self).__name__} must define traits.")

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """State of the rule (feedback matrices, learned predictors, baselines), a flat dict of arrays."""
        return {}

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
        """Gradient of the batch, new state of the rule, and diagnostics.

        Args:
            circuit, params: the circuit and its free parameters.
            state: from :meth:`init` or the previous call.
            trials: batch of trials, leaves (trial, …); the objective is the mean over trials.
            objective: loss of one trial, ``objective(outputs, trial)``.
            key: key of this batch; trial i draws from ``fold_in(key, i)``, each stream under its own code.
            carry: state of circuit and traces from a previous call, for streams without trials.
            update: number of updates already made.

        Returns:
            ``grads`` with the structure of ``params`` (for descent), the new state, and ``info`` with at
            least ``loss`` and ``carry``.
        """
        raise TypeError(f"{type(self).__name__} must define gradient(...).")
