"""When a task counts as learned: the task's criteria judged on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from throughtime.analysis.fits import fit


class Judge:
    """Follows one seed's held-out evaluations and says when the task's criteria are met.

    Args:
        task: has ``criterion`` (a tuple of criteria that must all hold) and ``signature``.
    """

    def __init__(self, task: Any) -> None:
        self._task = task
        self._criteria = tuple(task.criterion)

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
