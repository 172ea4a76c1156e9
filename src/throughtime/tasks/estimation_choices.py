"""Rules of delayed estimation with two answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from throughtime.tasks.estimation_rules import (
    Drawn,
    Rule,
    expected,
    held,
    orientation_tuning,
    orientations,
    spikes,
    suffixes,
)
from throughtime.tasks.poisson_code import (
    bell,
    change_log_odds,
    comparison,
    half_angle,
    line_centres,
    resultant,
)

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.base import Epochs
    from throughtime.tasks.delayed_estimation import DelayedEstimation
    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


class Choice(Rule):
    """One of two answers, read from the sign of one output."""

    silent = 0.5

    def outputs(self, task: DelayedEstimation) -> tuple[str, ...]:
        """The sign."""
        del task
        return ("choice",)

    def answer(
        self, task: DelayedEstimation, epochs: Epochs, right: Array, evidence: Array
    ) -> tuple[Array, dict[str, Array]]:
        """Targets and conditions of a right answer and of what the Bayes read-out expects it to be."""
        targets = held(task, epochs, jnp.where(right, 1.0, -1.0)[None])
        return targets, {"correct_choice": right.astype(jnp.int32), "evidence": evidence}

    def judge(
        self, task: DelayedEstimation, outputs: Array, decision: Array, trial: Trial
    ) -> dict[str, Array]:
        """The choice, and squared errors of the decision and of the Bayes read-out; a guess, 0, has 1."""
        del task, outputs
        right, expectation = trial.conditions["correct_choice"], trial.conditions["evidence"]
        choice, target = (decision[0] > 0).astype(jnp.int32), 2.0 * right - 1.0
        best = jnp.square(target - expectation)
        return {
            "correct": choice == right,
            "choice": choice,
            "optimal_choice": (expectation > 0).astype(jnp.int32),
            "excess": jnp.square(target - decision[0]) - best,
            "reference": 1 - best,
        }


class Change(Choice):
    """Has the orientation changed at any location?"""

    locations = (1, np.inf)

    def conditions(self, task: DelayedEstimation) -> tuple[str, ...]:
        """Orientations before, and by how much one of them changed."""
        return (*(f"angle{which}" for which in suffixes(task)), "difference", "correct_choice", "evidence")

    def draw(self, task: DelayedEstimation, draw: Draw, epochs: Epochs) -> Drawn:
        """In half of the trials one location gets a new orientation."""
        angle, change = orientations(task, draw), draw.coin("change", 0.5)
        at = jnp.arange(task.num_shown) == draw.index("location", task.num_shown)
        test = jnp.where(change & at, np.float32(np.pi) * draw.uniform("test_angle"), angle)
        counts, before = spikes(task, draw, epochs, "stimulus", orientation_tuning(task, angle))
        again, after = spikes(task, draw, epochs, "response", orientation_tuning(task, test))
        odds = change_log_odds(resultant(counts), resultant(again), task.concentration)
        odds = logsumexp(odds) - np.float32(np.log(task.num_shown))
        targets, answer = self.answer(task, epochs, change, jnp.tanh(odds / 2))
        difference = jnp.sum(half_angle(2 * (test - angle)))
        names = self.conditions(task)
        shown = dict(zip(names, (*angle, difference), strict=False))
        return Drawn({"stimulus": before, "response": after}, targets, shown | answer)


class Compare(Choice):
    """Was the first position larger than the second?"""

    reach, largest, width = 50.0, 40.0, 10.0

    def conditions(self, task: DelayedEstimation) -> tuple[str, ...]:
        """Both positions."""
        del task
        return ("first", "second", "correct_choice", "evidence")

    def draw(self, task: DelayedEstimation, draw: Draw, epochs: Epochs) -> Drawn:
        """Two positions with uniform probability."""
        centres = line_centres(task.num_units, self.reach)
        shown = np.float32(self.largest) * (2 * draw.uniform("position", (2,)) - 1)
        first, before = spikes(task, draw, epochs, "stimulus", bell(shown[:1, None], centres, self.width))
        second, after = spikes(task, draw, epochs, "response", bell(shown[1:, None], centres, self.width))
        grid = np.linspace(-self.largest, self.largest, int(2 * self.largest) + 1)
        means = np.exp(-0.5 * ((grid[:, None] - centres) / self.width) ** 2)
        scale = jnp.stack([expected(task, epochs, name) for name in ("stimulus", "response")])
        p = comparison(jnp.concatenate([first, second]), means, scale)
        targets, answer = self.answer(task, epochs, shown[0] > shown[1], 2 * p - 1)
        conditions = {"first": shown[0], "second": shown[1], **answer}
        return Drawn({"stimulus": before, "response": after}, targets, conditions)


class TwoAlternative(Choice):
    """On which side was the stimulus?"""

    reach, side, width = 40.0, 15.0, 15.0

    def conditions(self, task: DelayedEstimation) -> tuple[str, ...]:
        """The answer."""
        del task
        return ("correct_choice", "evidence")

    def draw(self, task: DelayedEstimation, draw: Draw, epochs: Epochs) -> Drawn:
        """One of two positions; with units on both sides alike, the log odds are linear in the counts."""
        centres = line_centres(task.num_units, self.reach)
        right = draw.coin("side", 0.5)
        position = jnp.where(right, self.side, -self.side)
        counts, shares = spikes(task, draw, epochs, "stimulus", bell(position, centres, self.width)[None])
        half_odds = counts[0] @ (self.side * centres / self.width**2).astype(np.float32)
        targets, answer = self.answer(task, epochs, right, jnp.tanh(half_odds))
        return Drawn({"stimulus": shares}, targets, answer)
