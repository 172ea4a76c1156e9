"""What a circuit is trained to make small: masked losses on outputs, penalties on a trajectory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.registry import kebab

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial


@dataclass(frozen=True)
class Objective:
    """Base of all objectives. Functions of one trial; a batch counts with the mean over its trials."""

    def __call__(self, outputs: Array, trial: Trial) -> Array:
        """Loss of one trial, scalar, from ``outputs`` (time, output)."""
        raise TypeError(f"{type(self).__name__} must define __call__(outputs, trial).")

    def normaliser(self, trial: Trial) -> Array:
        """What the loss of one trial is divided by, scalar: known from the trial before any output is."""
        return jnp.sum(trial.mask)

    def at_step(self, output: Array, target: Array, mask: Array, normaliser: Array) -> Array:
        """Part of one step in the loss, scalar; the loss of a trial is the sum over its steps.

        Rules that change weights within a trial need it.

        Args:
            output, target, mask: (output,) of the step; normaliser: from :meth:`normaliser`.

        Raises:
            ValueError: unless an objective defines it.
        """
        raise ValueError(
            f"{type(self).__name__} is not declared as a sum over steps, so no error is known before the "
            "trial has ended; define at_step(output, target, mask, normaliser), or use a rule with "
            "online=False."
        )

    def penalty(self, trajectory: Any, valid: Array | None = None, num_valid: Array | None = None) -> Array:
        """Penalty on what the circuit did in one trial, scalar; zero unless an objective defines one.

        Args:
            trajectory: with ``rates`` (time, unit); only its dependence on rates carries credit.
            valid: (time,) bool, False on padding.
            num_valid: valid steps of the whole trial, where the trajectory is a segment of it.
        """
        return jnp.zeros(())

    def weight_penalty(self, weights: Any) -> Array:
        """Penalty on effective weights (``circuit.weights(params)``), scalar; zero by default."""
        return jnp.zeros(())

    @property
    def has_penalty(self) -> bool:
        """Whether this objective defines a penalty on trajectories."""
        return type(self).penalty is not Objective.penalty

    @property
    def has_weight_penalty(self) -> bool:
        """Whether this objective defines a penalty on weights."""
        return type(self).weight_penalty is not Objective.weight_penalty

    @property
    def additive(self) -> bool:
        """Whether the penalty on a trajectory is a sum over steps, so that segments can be added."""
        return not self.has_penalty

    @property
    def vanishing(self) -> float:
        """Strength of the penalty on vanishing and exploding gradients."""
        return 0.0

    def __add__(self, term: Penalty) -> Penalised:
        """This objective and one more penalty."""
        return Penalised(self, (term,))


def masked_mean(values: Array, mask: Array) -> Array:
    """``Σ mask · values / Σ mask`` over one trial."""
    return jnp.sum(jnp.where(mask > 0, mask * values, 0.0)) / jnp.sum(mask)


@dataclass(frozen=True)
class Penalty:
    """Base of all penalties: a term to add to an objective, ``SquaredError() + RatePenalty(1e-3)``.

    Attributes:
        strength: factor of the term.
    """

    strength: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise ValueError(f"{type(self).__name__}: strength {self.strength!r} is not a number >= 0.")

    def on_rates(self, rates: Array, valid: Array, num_valid: Array) -> Array:
        """Its part for rates (time, unit), a sum over steps; ``num_valid`` steps make a whole trial."""
        return jnp.zeros(())

    def on_weights(self, weights: Any) -> Array:
        """Its part for effective weights."""
        return jnp.zeros(())

    @property
    def vanishing(self) -> float:
        """Strength of its part for gradients through time."""
        return 0.0


def _check_power(owner: str, power: int) -> None:
    if power not in (1, 2):
        raise ValueError(f"{owner}: power {power!r} is not known; use 1 or 2.")


@dataclass(frozen=True)
class RatePenalty(Penalty):
    """``strength · mean |r|^power`` over units and valid steps: metabolic cost of activity.

    Source: Sussillo et al. 2015, Nat. Neurosci. 18:1025 (power 2).

    Example:
        >>> import jax.numpy as jnp
        >>> float(RatePenalty(0.5).on_rates(jnp.full((4, 3), 2.0), jnp.ones(4, bool), jnp.array(4)))
        2.0
    """

    power: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_power("RatePenalty", self.power)

    def on_rates(self, rates: Array, valid: Array, num_valid: Array) -> Array:
        """Mean over units, summed over the valid steps at hand, divided by those of the trial."""
        size = jnp.abs(rates) if self.power == 1 else rates**2
        return self.strength * jnp.sum(jnp.where(valid, size.mean(-1), 0.0)) / num_valid


@dataclass(frozen=True)
class WeightPenalty(Penalty):
    """``strength · Σ |w|^power`` over effective weights: L1 (sparse) or L2 (small) regularisation.

    Attributes:
        power: 1 or 2.
        of: which of ``recurrent``, ``input``, ``readout``, ``bias``, ``readout_bias``, ``output_feedback``.

    Example:
        >>> from types import SimpleNamespace
        >>> import jax.numpy as jnp
        >>> weights = SimpleNamespace(recurrent=jnp.array([[1.0, -2.0]]))
        >>> float(WeightPenalty(0.1, power=1, of=("recurrent",)).on_weights(weights))
        0.30000001192092896
    """

    power: int = 2
    of: tuple[str, ...] = ("recurrent", "input", "readout")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_power("WeightPenalty", self.power)
        object.__setattr__(self, "of", (self.of,) if isinstance(self.of, str) else tuple(self.of))
        known = ("recurrent", "input", "readout", "bias", "readout_bias", "output_feedback")
        for name in self.of:
            if name not in known:
                raise ValueError(f"WeightPenalty: of {name!r} is not known; use {', '.join(known)}.")

    def on_weights(self, weights: Any) -> Array:
        """The sum over all named arrays."""
        arrays = [getattr(weights, name) for name in self.of]
        total = sum((jnp.sum(jnp.abs(one) if self.power == 1 else one**2) for one in arrays), jnp.zeros(()))
        return self.strength * total


@dataclass(frozen=True)
class VanishingGradient(Penalty):
    """``strength · mean_t (‖J_tᵀ λ_t‖² / ‖λ_t‖² − 1)²``: credit shall keep its norm on its way back.

    λ_t is the gradient of the loss by the state and J_t the Jacobian of one step; see
    :mod:`throughtime.credit.vanishing`. Only rules whose transport is exact take it.

    Source: Pascanu, Mikolov & Bengio 2013, ICML (PMLR 28:1310).

    Example:
        >>> (SquaredError() + VanishingGradient(0.1)).vanishing
        0.1
    """

    @property
    def vanishing(self) -> float:
        """The strength."""
        return self.strength


@dataclass(frozen=True)
class Penalised(Objective):
    """An objective with penalties added; made by ``objective + penalty``.

    Example:
        >>> objective = SquaredError() + RatePenalty(1e-3) + WeightPenalty(1e-4, power=1)
        >>> objective.has_penalty, objective.has_weight_penalty, objective.additive
        (True, True, True)
    """

    base: Objective
    penalties: tuple[Penalty, ...]

    def __call__(self, outputs: Array, trial: Trial) -> Array:
        """Loss of the base."""
        return self.base(outputs, trial)

    def normaliser(self, trial: Trial) -> Array:
        """As the base."""
        return self.base.normaliser(trial)

    def at_step(self, output: Array, target: Array, mask: Array, normaliser: Array) -> Array:
        """As the base; penalties on rates are added by whoever knows the rates."""
        return self.base.at_step(output, target, mask, normaliser)

    def __add__(self, term: Penalty) -> Penalised:
        """One more penalty."""
        return Penalised(self.base, (*self.penalties, term))

    def penalty(self, trajectory: Any, valid: Array | None = None, num_valid: Array | None = None) -> Array:
        """Sum of the penalties on rates, and the base's own."""
        rates = trajectory.rates
        valid = jnp.ones(len(rates), bool) if valid is None else valid
        num_valid = valid.sum() if num_valid is None else num_valid
        own = self.base.penalty(trajectory, valid, num_valid) if self.base.has_penalty else jnp.zeros(())
        return sum((one.on_rates(rates, valid, num_valid) for one in self.penalties), own)

    def weight_penalty(self, weights: Any) -> Array:
        """Sum of the penalties on weights, and the base's own."""
        return sum((one.on_weights(weights) for one in self.penalties), self.base.weight_penalty(weights))

    @property
    def has_penalty(self) -> bool:
        """Whether a penalty, or the base, reads rates."""
        return self.base.has_penalty or _any_defines(self.penalties, "on_rates")

    @property
    def has_weight_penalty(self) -> bool:
        """Whether a penalty, or the base, reads weights."""
        return self.base.has_weight_penalty or _any_defines(self.penalties, "on_weights")

    @property
    def additive(self) -> bool:
        """As the base: the penalties themselves are sums over steps."""
        return self.base.additive

    @property
    def vanishing(self) -> float:
        """Sum of the strengths."""
        return self.base.vanishing + sum(one.vanishing for one in self.penalties)


def _any_defines(penalties: tuple[Penalty, ...], name: str) -> bool:
    return any(getattr(type(one), name) is not getattr(Penalty, name) for one in penalties)


def add_weight_penalty(
    circuit: Any, objective: Objective, params: Any, grads: Any, info: Any
) -> tuple[Any, Any]:
    """Gradient and loss with the penalty on effective weights: differentiated here, outside every rule.

    Args:
        params, grads: free parameters and the rule's gradient by them.
        info: the rule's diagnostics; ``loss`` grows by the penalty.
    """
    if not objective.has_weight_penalty:
        return grads, info
    extra, slopes = jax.value_and_grad(lambda free: objective.weight_penalty(circuit.weights(free)))(params)
    return jax.tree.map(jnp.add, grads, slopes), {**info, "loss": info["loss"] + extra}


@dataclass(frozen=True)
class SquaredError(Objective):
    """Masked squared error ``Σ m (z − y)² / Σ m`` of one trial.

    Each trial is divided by its own mask sum, so long and short trials count alike.

    Example:
        >>> import numpy as np
        >>> from throughtime.trial import Trial
        >>> one = np.ones((4, 1), np.float32)
        >>> trial = Trial(one, one, one, one[:, 0] > 0, {}, {})
        >>> float(SquaredError()(np.zeros((4, 1), np.float32), trial))
        1.0
    """

    def __call__(self, outputs: Array, trial: Trial) -> Array:
        """Loss of one trial."""
        return masked_mean((outputs - trial.targets) ** 2, trial.mask)

    def at_step(self, output: Array, target: Array, mask: Array, normaliser: Array) -> Array:
        """``Σ_k m_k (z_k − y_k)²`` of one step, over the trial's mask sum."""
        return jnp.sum(jnp.where(mask > 0, mask * (output - target) ** 2, 0.0)) / normaliser


@dataclass(frozen=True)
class CrossEntropy(Objective):
    """Softmax cross-entropy ``−Σ_k y_k ln softmax(z)_k`` in nats, the mean over steps weighted by the mask.

    Targets are probabilities over output channels; a step's weight is its mask, which must be the same
    for all channels.

    Example:
        >>> import numpy as np
        >>> from throughtime.trial import Trial
        >>> half = np.full((3, 2), 0.5, np.float32)
        >>> trial = Trial(half, half, np.ones((3, 2), np.float32), np.ones(3, bool), {}, {})
        >>> round(float(CrossEntropy()(np.zeros((3, 2), np.float32), trial)), 4)
        0.6931
    """

    def __call__(self, outputs: Array, trial: Trial) -> Array:
        """Loss of one trial."""
        surprise = -jnp.sum(trial.targets * jax.nn.log_softmax(outputs), axis=-1)
        return masked_mean(surprise, trial.mask[:, 0])

    def normaliser(self, trial: Trial) -> Array:
        """The mask sum of one channel: it is the same for all."""
        return jnp.sum(trial.mask[:, 0])

    def at_step(self, output: Array, target: Array, mask: Array, normaliser: Array) -> Array:
        """The step's cross-entropy times its weight, over the trial's mask sum."""
        surprise = -jnp.sum(target * jax.nn.log_softmax(output))
        return jnp.where(mask[0] > 0, mask[0] * surprise, 0.0) / normaliser


@dataclass(frozen=True)
class AbsoluteError(Objective):
    """Masked absolute error ``Σ m |z − y| / Σ m`` of one trial; its slope is 0 where z = y.

    What is said of the weight of a trial in :class:`SquaredError` holds here.

    Source: the error of a trial in Miconi 2017, eLife 6:e20899.

    Example:
        >>> import numpy as np
        >>> from throughtime.trial import Trial
        >>> one = np.ones((4, 1), np.float32)
        >>> trial = Trial(one, one, one, one[:, 0] > 0, {}, {})
        >>> float(AbsoluteError()(np.full((4, 1), 3.0, np.float32), trial))
        2.0
    """

    def __call__(self, outputs: Array, trial: Trial) -> Array:
        """Loss of one trial."""
        return masked_mean(jnp.abs(outputs - trial.targets), trial.mask)

    def at_step(self, output: Array, target: Array, mask: Array, normaliser: Array) -> Array:
        """``Σ_k m_k |z_k − y_k|`` of one step, over the trial's mask sum."""
        return jnp.sum(jnp.where(mask > 0, mask * jnp.abs(output - target), 0.0)) / normaliser


OBJECTIVES = {kebab(kind.__name__): kind for kind in (SquaredError, CrossEntropy, AbsoluteError)}
PENALTIES = {kebab(kind.__name__): kind for kind in (RatePenalty, WeightPenalty, VanishingGradient)}
