"""What loss is to be expected of a trial of its kind: running means, one for each kind of trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial

MEAN, TRIALS = "rule_baseline", "rule_baseline_trials"


@dataclass(frozen=True)
class RunningMean:
    """``L̄ ← keep L̄ + (1 − keep) L`` after each trial, apart for every kind of trial.

    All trials of a batch are compared with the mean as it was before the batch; afterwards n of a kind count
    as n trials of their mean loss, ``L̄ ← keepⁿ L̄ + (1 − keepⁿ) mean(L)``, in whatever order they came.

    Attributes:
        owner: name for messages.
        condition: names of the conditions that make a kind, each a whole number from 0 to ``num_values − 1``;
            empty: all trials are of one kind.
        num_values: values that each of them takes.
        keep: part of the mean that one further trial leaves.
        from_zero: whether the mean starts from 0; else from the mean of the first batch with such a trial.
    """

    owner: str
    condition: tuple[str, ...]
    num_values: int
    keep: float
    from_zero: bool = False

    @property
    def num_kinds(self) -> int:
        """Kinds of trials."""
        return self.num_values ** len(self.condition)

    def init(self, dtype: np.dtype) -> dict[str, Array]:
        """Means of 0 and numbers of trials of 0, (kind,)."""
        return {
            MEAN: jnp.zeros(self.num_kinds, dtype),
            TRIALS: jnp.zeros(self.num_kinds, jnp.int32),
        }

    def kinds(self, trials: Trial) -> Array:
        """Kind of each trial, (trial,); −1 for a value that the conditions do not have.

        Raises:
            ValueError: for a condition the trials lack, or one that is no whole number.
        """
        index = jnp.zeros(trials.inputs.shape[0], jnp.int32)
        unknown = jnp.zeros(index.shape, bool)
        for name in self.condition:
            if name not in trials.conditions:
                known = ", ".join(sorted(trials.conditions)) or "no conditions"
                raise ValueError(f"{self.owner}: trials have no condition {name!r}; they have {known}.")
            values = jnp.asarray(trials.conditions[name])
            if jnp.issubdtype(values.dtype, jnp.inexact):
                raise ValueError(
                    f"{self.owner}: condition {name!r} is not a whole number; name one that counts kinds."
                )
            values = values.astype(jnp.int32)
            unknown = unknown | (values < 0) | (values >= self.num_values)
            index = index * self.num_values + values
        return jnp.where(unknown, -1, index)

    def of(self, state: dict[str, Array], kinds: Array) -> tuple[Array, Array]:
        """Expected loss of each trial, NaN for a kind there is not; whether such trials came before."""
        mean = jnp.where(kinds < 0, jnp.nan, state[MEAN][kinds])
        return mean, (state[TRIALS][kinds] > 0) | (kinds < 0)

    def after(self, state: dict[str, Array], kinds: Array, losses: Array) -> dict[str, Array]:
        """The state after a batch."""
        member = kinds[None] == jnp.arange(self.num_kinds)[:, None]
        number = member.sum(1)
        batch = jnp.where(member, losses, 0).sum(1) / jnp.maximum(number, 1)
        mean, before = state[MEAN], state[TRIALS]
        left = self.keep ** number.astype(mean.dtype)
        if not self.from_zero:
            left = jnp.where((before == 0) & (number > 0), 0, left)
        return {
            MEAN: (left * mean + (1 - left) * batch).astype(mean.dtype),
            TRIALS: before + number.astype(before.dtype),
        }
