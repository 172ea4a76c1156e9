"""The contract of a learning rule, and its declared traits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import jax

from throughtime.circuits.initial import broadcast
from throughtime.credit import evidence as records
from throughtime.credit.stepper import Share
from throughtime.registry import kebab

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.evidence import Evidence
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
        additive: the gradient of a batch is the mean of those of its trials.
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
    additive: bool = True
    forward_passes: int = 1
    time: str = ""
    memory: str = ""


@dataclass(frozen=True)
class Rule:
    """Base of all learning rules: two pure functions and a declaration.

    A rule that makes its own steps names the option that holds their size in ``tuned_option``.

    A rule that defines :meth:`update_from_record` as well can be audited: what a synapse must sense is then
    found out (:func:`throughtime.audit.audit`) and compared with what it declares. One whose update is no
    model of a synapse says so in ``exempt``.
    """

    tuned_option: ClassVar[str] = "step_size"
    exempt: ClassVar[str] = ""

    @property
    def traits(self) -> Traits:
        """Declared properties of this rule with its options."""
        raise TypeError(f"{type(self).__name__} must define traits.")

    @property
    def name(self) -> str:
        """Name in records: that of the registry, which a rule's module gives; of other rules the class's."""
        package, _, module = type(self).__module__.rpartition(".")
        return kebab(module if package == __package__ else type(self).__name__)

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

    def initial_carry(
        self, circuit: Circuit, params: Params, state: dict[str, Array], num_trials: int
    ) -> Any:
        """What ``carry`` is before the first call of a stream: circuit states, variables (trial, unit)."""
        return broadcast(circuit.initial_state(params), num_trials)

    def after_update(
        self, circuit: Circuit, before: Params, after: Params, state: dict[str, Array]
    ) -> tuple[Params, dict[str, Array]]:
        """What the rule changes once the optimiser has moved its parameters; nothing by default.

        Args:
            circuit: the circuit.
            before, after: its free parameters before and after the optimiser's step.
            state: state of the rule, from :meth:`gradient`.

        Returns:
            the parameters and the state that the next update starts from.
        """
        return after, state

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
        """Run one trial as :meth:`gradient` runs a batch of it alone, and write down what happened.

        Args:
            trial: one trial, leaves without a leading axis; the other arguments as of :meth:`gradient`.
        """
        return records.of_run(circuit, params, trial, objective, jax.random.fold_in(key, 0))

    def update_from_record(self, circuit: Circuit, evidence: Evidence, state: dict[str, Array]) -> Share:
        """The update that one trial gives synapses, computed from its record alone.

        Nothing of the trial is run again and :meth:`gradient` is not called: whatever the update needs is
        read from arrays that could each be changed by itself. On a recorded run it is what :meth:`gradient`
        gives, by effective weights.

        Args:
            circuit: for sizes, units of time and which synapses there are.
            evidence: the record of one trial.
            state: of the rule, before the trial.

        Returns:
            for descent, ``slots`` (drive, unit, slot) and ``readout`` (output, unit); None for what the
            record does not tell.
        """
        told = self.terms_from_record(circuit, evidence, state)
        if told is None:
            raise TypeError(
                f"{type(self).__name__} must define update_from_record(circuit, evidence, state) to be "
                "audited."
            )
        return jax.tree.map(lambda leaf: leaf.sum(0), told[0])

    def terms_from_record(
        self, circuit: Circuit, evidence: Evidence, state: dict[str, Array]
    ) -> tuple[Share, dict[str, Array]] | None:
        """As :meth:`update_from_record`, step by step, where the rule knows its update that way.

        Returns:
            what each step adds, leaves (time, …), in the form the rule is named for; and the rule's state
            after the trial. None: the update is known once the trial is over.
        """
        return None
