"""Node perturbation: noise on the neurons, reinforced where the trial went better than expected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime import keys
from throughtime.credit import perturb, tried
from throughtime.credit.carried import circuit_state
from throughtime.credit.expectation import RunningMean
from throughtime.credit.rank_one import only_fed
from throughtime.credit.record import layout
from throughtime.credit.stepper import Share
from throughtime.rules.base import Traits
from throughtime.rules.perturbation import PerturbationRule, names_of

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.evidence import Evidence
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial

RUNNING, NOISE_FREE = BASELINES = ("running", "noise-free")
PERTURBATION, DELTA = READOUTS = ("perturbation", "delta")


@dataclass(frozen=True)
class NodePerturbation(PerturbationRule):
    """Node perturbation: noise on each neuron, correlated with how much better or worse the trial went.

    With noise ``ξ ~ N(0, σ²)`` on the drive of every gate, the loss L of the noisy trial and an expected loss
    L̄, a synapse changes by ``(L − L̄)/σ² Σ_t ξ_t^i p_t^j``, p the presynaptic activity of the noisy run. The
    mean is the gradient of the loss averaged over the noise, whatever L̄ is (as long as it does not depend on
    ξ); the bias against the gradient of L itself is O(σ²). Relative variance of the recurrent block, for
    small σ, a noise-free L̄ and no noise on the outputs: ``1 + n ‖δ‖² Σ_t ‖r_{t−1}‖² / ‖g‖²``: it grows with
    the number of neurons and with the length of the trial.

    Trained are all weights and biases. Time constants and a learned initial state get zeros: noise on the
    drive says nothing of them (:class:`~throughtime.rules.weight_perturbation.WeightPerturbation` trains
    them). A kind of trial met for the first time only sets its running mean. Circuit noise is no part of ξ
    and is the same in both runs. σ is the noise of one step: keep ``σ √dt`` when dt changes. Here the sum
    over steps is one product after the run, in memory O(n T); accumulated during the trial it is O(n m).

    Attributes:
        sigma: σ, in units of the drive.
        baseline: ``running``: a mean over past trials of the same kind, kept in the rule's state;
            ``noise-free``: a second run of the same trial without ξ.
        readout: ``perturbation``: noise on the outputs trains the readout in the same way; ``delta``: the
            readout gets its exact gradient from the errors of the outputs. With fed-back output that is the
            part that does not go through the circuit.
        readout_sigma: noise on the outputs, in their units; ``sigma`` by default.
        condition: name or names of the trials' conditions that make a kind, such as ``"side"``; None: one
            kind.
        num_conditions: values of each of them, whole numbers from 0.
        averaging: part of the running mean that one further trial of its kind leaves.
        distribution: ``gaussian``, or ``signs`` (±σ).

    Source: Fiete & Seung 2006, Phys. Rev. Lett. 97:048104.

    Example:
        >>> rule = NodePerturbation(baseline="noise-free")
        >>> rule.traits.forward_passes, rule.traits.signals
        (2, ('scalar', 'own noise'))
    """

    sigma: float = 0.1
    baseline: str = RUNNING
    readout: str = PERTURBATION
    readout_sigma: float | None = None
    condition: str | tuple[str, ...] | None = None
    num_conditions: int = 2
    averaging: float = 0.9
    distribution: str = perturb.GAUSSIAN

    def __post_init__(self) -> None:
        self.refuse_number("sigma")
        if self.readout_sigma is not None:
            self.refuse_number("readout_sigma")
        self.refuse_unless_in("baseline", BASELINES)
        self.refuse_unless_in("readout", READOUTS)
        self.refuse_unless_in("distribution", perturb.DISTRIBUTIONS)
        self.refuse_number("num_conditions", whole=True)
        if not (math.isfinite(self.averaging) and 0 <= self.averaging < 1):
            raise ValueError(
                f"NodePerturbation: averaging {self.averaging!r} does not lie within [0, 1); 0 keeps "
                "the last trial alone."
            )

    @property
    def traits(self) -> Traits:
        """A scalar at the trial's end, and the neuron's own noise; a second run for a noise-free baseline."""
        return Traits(
            exact=False,
            online=False,
            stochastic=True,
            displacement=False,
            signals=("scalar", "own noise"),
            forward_passes=2 if self.baseline == NOISE_FREE else 1,
            time="O(n m)",
            memory="O(n m)",
        )

    @property
    def mean(self) -> RunningMean:
        """The running means of this rule."""
        return RunningMean(
            "NodePerturbation", names_of(self.condition), self.num_conditions, keep=self.averaging
        )

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """Running means without trials, or nothing."""
        return self.mean.init(params["bias"].dtype) if self.baseline == RUNNING else {}

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
        """Run the trials with noise, compare with what was expected; see :meth:`Rule.gradient`.

        ``loss`` and ``losses`` are those of the noisy runs.

        Raises:
            ValueError: for a dynamics of two stages, a penalty on vanishing gradients, or unknown conditions.
        """
        self.refuse_two_stages(circuit)
        self.refuse_common(circuit, objective, carry)
        running = self.baseline == RUNNING
        kinds = expected = known = None
        if running:
            kinds = self.mean.kinds(trials)
            expected, known = self.mean.of(state, kinds)
        sigma_out = self.sigma if self.readout_sigma is None else self.readout_sigma
        grads, info = perturb.gradient(
            circuit,
            params,
            trials,
            objective,
            trial_keys=keys.of_batch(key, trials.inputs.shape[0]),
            sigma=self.sigma,
            readout_sigma=sigma_out if self.readout == PERTURBATION else None,
            expected=expected,
            known=known,
            initial=circuit_state(circuit, carry, trials.inputs.shape[0]),
            distribution=self.distribution,
        )
        if running:
            state = {**state, **self.mean.after(state, jnp.asarray(kinds), info["losses"])}
        return grads, state, info

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
        """The noisy run, ``noise`` ξ, and ``scalar`` L − L̄, 0 where nothing was to be expected yet."""
        key = jax.random.fold_in(key, 0)
        noise = tried.node_noise(circuit, trial, key, self.distribution)
        xi, eta = (each.astype(params["bias"].dtype) for each in noise)
        sigma_out = self.sigma if self.readout_sigma is None else self.readout_sigma
        pushed = sigma_out * eta if self.readout == PERTURBATION else None
        found, loss = tried.of_noisy_run(circuit, params, trial, objective, key, self.sigma * xi, pushed)
        if self.baseline == RUNNING:
            kinds = self.mean.kinds(jax.tree.map(lambda leaf: leaf[None], trial))
            expected, known = self.mean.of(state, kinds)
            surprise = jnp.where(known[0], loss - expected[0], 0)
        else:
            surprise = loss - tried.loss_of(circuit, params, trial, objective, key)
        return found._replace(noise=xi, scalar=surprise)

    def update_from_record(self, circuit: Circuit, evidence: Evidence, state: dict[str, Array]) -> Share:
        """``(L − L̄)/σ Σ_t ξ_t p_tᵀ``, ξ in units of σ."""
        assert evidence.noise is not None
        assert evidence.scalar is not None
        total = jnp.einsum("tgi,ts->gis", evidence.noise, evidence.steps.sources)
        return Share(only_fed(layout(circuit), evidence.scalar / self.sigma * total))
