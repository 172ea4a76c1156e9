"""Evolution strategy: pairs of opposite shifts of all weights, judged on the whole batch."""

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
class EvolutionStrategy(PerturbationRule):
    """Evolution strategy: pairs of opposite shifts of the weights, each weighed by which side did better.

    ``1/(Kσ) Σ_k ½ [L(θ + σε_k) − L(θ − σε_k)] ε_k`` with ``ε ~ N(0, 1)`` for all free parameters θ, shared by
    the trials of the batch, L its loss. The mean is the gradient of the loss averaged over the shifts, O(σ²)
    from that of the loss; for small σ the relative variance with signs is (P − 1)/K for P parameters, (P +
    1)/K with Gaussian shifts. Parameters as in
    :class:`~throughtime.rules.weight_perturbation.WeightPerturbation`.

    The weights themselves are never run: the reported losses and the final state are means over the 2K runs,
    O(σ²) from theirs.

    Attributes:
        num_pairs: K.
        sigma: σ, in units of the free parameters.
        rank_shaping: ranks among the 2K losses, spread over [−½, ½], take the place of the losses. Robust to
            their scale; the length of the gradient is then meaningless, and its direction biased.
        distribution: ``gaussian``, or ``signs`` (±1).

    Source: Salimans et al. 2017, arXiv 1703.03864.

    Example:
        >>> EvolutionStrategy(num_pairs=8).traits.forward_passes
        16
    """

    num_pairs: int = 16
    sigma: float = 0.02
    rank_shaping: bool = False
    distribution: str = GAUSSIAN

    def __post_init__(self) -> None:
        self.refuse_number("num_pairs", whole=True)
        self.refuse_number("sigma")
        self.refuse_unless_in("distribution", DISTRIBUTIONS)

    @property
    def traits(self) -> Traits:
        """A scalar and each synapse's own shift; 2K runs of each trial."""
        return Traits(
            exact=False,
            online=False,
            stochastic=True,
            displacement=False,
            additive=not self.rank_shaping,
            signals=("scalar", "own noise"),
            forward_passes=2 * self.num_pairs,
            time="O(K n m)",
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
        """Run the batch 2K times; see :meth:`Rule.gradient`.

        Raises:
            ValueError: for a penalty on vanishing gradients.
        """
        self.refuse_common(circuit, objective, carry)
        numbers = perturb_parameters.free_numbers(circuit, params)
        root = keys.stream(key, "rule")

        def direction(index: Array) -> Params:
            return perturb_parameters.draw(jax.random.fold_in(root, index), numbers, self.distribution)

        grads, info = perturb_parameters.by_pairs(
            circuit,
            params,
            trials,
            objective,
            trial_keys=keys.of_batch(key, trials.inputs.shape[0]),
            sigma=self.sigma,
            num_pairs=self.num_pairs,
            direction=direction,
            rank_shaping=self.rank_shaping,
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
        """A run of the weights as they are, ``shift`` ε of every pair and what each made of the loss."""
        return tried.pairs_of_shifts(
            circuit,
            params,
            trial,
            objective,
            jax.random.fold_in(key, 0),
            keys.stream(key, "rule"),
            sigma=self.sigma,
            num_pairs=self.num_pairs,
            distribution=self.distribution,
            rank_shaping=self.rank_shaping,
        )

    def update_from_record(self, circuit: Circuit, evidence: Evidence, state: dict[str, Array]) -> Share:
        """The mean over pairs of ``½ [L(θ + σε) − L(θ − σε)] ε/σ``."""
        return tried.by_shifts(evidence, self.sigma)
