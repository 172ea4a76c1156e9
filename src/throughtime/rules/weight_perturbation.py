"""Weight perturbation: shift all weights at random, and keep the shift as far as it helped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax

from throughtime import keys
from throughtime.credit import perturb_parameters, tried
from throughtime.credit.carried import circuit_state
from throughtime.credit.perturb import DISTRIBUTIONS, GAUSSIAN
from throughtime.credit.stepper import Share
from throughtime.rules.base import Traits
from throughtime.rules.perturbation import PerturbationRule

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.evidence import Evidence
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class WeightPerturbation(PerturbationRule):
    """Weight perturbation: every trial is run twice, with weights shifted at random and as they are.

    With a static shift ``ξ ~ N(0, σ²)`` of all free parameters θ, drawn anew for each trial, the estimate is
    ``(L(θ + ξ) − L(θ)) ξ/σ²``: a synapse needs its own shift and one number, neither pre- nor postsynaptic
    activity. Its mean is the gradient of the loss averaged over the shifts, O(σ²) from that of the loss; for
    small σ its relative variance is P + 1 for P parameters (P − 1 with signs), whatever the trial's length.

    Any parameter of any circuit is trained: time constants, a learned initial state, factors of low rank.
    Numbers behind a mask and parameters that stay fixed are not shifted. Both runs have the same circuit
    noise.

    Attributes:
        sigma: σ, in units of the free parameters.
        distribution: ``gaussian``, or ``signs`` (±σ).

    Source: Züge, Klos & Memmesheimer 2023, Phys. Rev. X 13:021006 (bioRxiv 2021.10.04.463055); in
    feed-forward circuits Jabri & Flower 1992, IEEE Trans. Neural Netw. 3:154.

    Example:
        >>> WeightPerturbation(sigma=0.02).traits.forward_passes
        2
    """

    sigma: float = 0.01
    distribution: str = GAUSSIAN

    def __post_init__(self) -> None:
        self.refuse_number("sigma")
        self.refuse_unless_in("distribution", DISTRIBUTIONS)

    @property
    def traits(self) -> Traits:
        """A scalar and each synapse's own shift; two runs of each trial."""
        return Traits(
            exact=False,
            online=False,
            stochastic=True,
            displacement=False,
            signals=("scalar", "own noise"),
            forward_passes=2,
            time="O(n m)",
            memory="O(n m)",
        )

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
        """Run every trial twice; see :meth:`Rule.gradient`. Losses are those of the weights as they are.

        Raises:
            ValueError: for a penalty on vanishing gradients.
        """
        self.refuse_common(circuit, objective, carry)
        grads, info = perturb_parameters.by_trial(
            circuit,
            params,
            trials,
            objective,
            trial_keys=keys.of_batch(key, trials.inputs.shape[0]),
            sigma=self.sigma,
            distribution=self.distribution,
            initial=circuit_state(circuit, carry, trials.inputs.shape[0]),
        )
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
        """The run of the weights as they are, ``shift`` ε and ``scalar`` L(θ + σε) − L(θ)."""
        key = jax.random.fold_in(key, 0)
        return tried.one_shift(circuit, params, trial, objective, key, self.sigma, self.distribution)

    def update_from_record(self, circuit: Circuit, evidence: Evidence, state: dict[str, Array]) -> Share:
        """``(L(θ + σε) − L(θ)) ε/σ``."""
        return tried.by_shifts(evidence, self.sigma)
