"""What a circuit is trained to make small: masked losses on outputs, penalties on a trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial


@dataclass(frozen=True)
class Objective:
    """Base of all objectives. Functions of one trial; a batch counts with the mean over its trials."""

    def __call__(self, outputs: Array, trial: Trial) -> Array:
        """Loss of one trial, scalar, from ``outputs`` (time, output)."""
        raise TypeError(f"{type(self).__name__} must define __call__(outputs, trial).")

    def penalty(self, trajectory: Any, valid: Array | None = None) -> Array:
        """Penalty on what the circuit did in one trial, scalar; zero unless an objective defines one.

        Args:
            trajectory: with ``rates`` (time, unit); only its dependence on rates carries credit.
            valid: (time,) bool, False on padding.
        """
        return jnp.zeros(())

    @property
    def has_penalty(self) -> bool:
        """Whether this objective defines a penalty."""
        return type(self).penalty is not Objective.penalty


def masked_mean(values: Array, mask: Array) -> Array:
    """``Σ mask · values / Σ mask`` over one trial."""
    return jnp.sum(jnp.where(mask > 0, mask * values, 0.0)) / jnp.sum(mask)


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
