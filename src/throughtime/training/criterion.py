"""When a task counts as learned, and a stage before it as done: criteria judged on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from throughtime.analysis.fits import fit

LOSS = "loss"
"""Measure that is no score of the task: the objective on held-out trials, penalties left out."""


class Judge:
    """Follows one seed's held-out evaluations and says when criteria are met.

    Args:
        task: has ``criterion`` (a tuple of criteria that must all hold) and ``signature``.
        criteria: in place of those of the task.
    """

    def __init__(self, task: Any, criteria: tuple[Any, ...] | None = None) -> None:
        self._task = task
        self._criteria = tuple(task.criterion) if criteria is None else criteria

    @property
    def num_criteria(self) -> int:
        """How many must hold."""
        return len(self._criteria)

    @property
    def needs_loss(self) -> bool:
        """Whether a criterion bounds the loss."""
        return any(criterion.measure == LOSS for criterion in self._criteria)

    @property
    def num_trials(self) -> int:
        """Held-out trials each evaluation needs."""
        return max(criterion.trials for criterion in self._criteria)

    def values(self, scores: dict[str, np.ndarray], conditions: dict[str, np.ndarray]) -> np.ndarray:
        """Value of each criterion's measure in one evaluation, (criterion,)."""
        fitted: dict[str, float] = {}
        if any(criterion.measure not in scores for criterion in self._criteria):
            fitted = fit(self._task.signature, scores, conditions)
        return np.array([criterion.value(scores, conditions, fitted) for criterion in self._criteria])

    def met(self, history: np.ndarray) -> bool:
        """Whether all criteria hold, from the values of all evaluations so far, (evaluation, criterion)."""
        for index, criterion in enumerate(self._criteria):
            recent = history[-criterion.validations :, index]
            if len(recent) < criterion.validations or not criterion.met(float(np.mean(recent))):
                return False
        return True
