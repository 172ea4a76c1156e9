"""Delayed exclusive or: had two stimuli, one after the other, the same sign?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.choice import Choice
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class DelayedXOR(Choice):
    """Two stimuli of either sign come one after the other, each on a channel; are their signs the same?

    No sum of the two tells: the second has to be read by what the first was. Epochs: fixation, first, gap,
    second, delay, response, rest; times in ms. Signs are drawn independently, with equal probability.

    Inputs: ``stimulus_1`` and ``stimulus_2``, ±1 while shown, after ``fixation`` if the task has that input.
    Outputs: see :class:`Choice`; by default ``choice``, + for the same sign; the target is 0 again in the
    rest. The whole trial counts for the loss. Conditions: ``first`` and ``second`` (1 if positive), ``gap``
    (ms), ``correct_choice``.

    Score: those of :class:`Choice`, but a trial is only correct if the margin exceeds ``threshold``.
    Criterion 0.95 of trials correct. Signature: accuracy against gap, pooled over evaluations with other
    gaps.

    Attributes:
        fixation, first, gap, second, delay, rest: epochs, ms.
        threshold: smallest margin of a correct choice.

    Source: Kim, Li and Sejnowski (2019) Proceedings of the National Academy of Sciences 116:22811.

    Example:
        >>> import jax
        >>> task = DelayedXOR(gap=500.0)
        >>> task.num_steps, task.input_names
        (390, ('stimulus_1', 'stimulus_2'))
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> same = trial.conditions["first"] == trial.conditions["second"]
        >>> bool(same) == bool(trial.targets.max() == 1)
        True
    """

    dt: float = 5.0
    fixation: Duration = 250.0
    first: Duration = 250.0
    gap: Duration = 50.0
    second: Duration = 250.0
    delay: Duration = 50.0
    response: Duration | None = 500.0
    rest: Duration = 150.0
    grace: float = 0.0
    mask_fixation: bool = True
    threshold: float = 0.7

    duration_fields: ClassVar[tuple[str, ...]] = (
        "fixation", "first", "gap", "second", "delay", "response", "rest",
    )  # fmt: skip
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation", "gap", "delay", "rest")
    may_coincide: ClassVar[tuple[str, ...]] = ()
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = ("first", "second", "gap", "correct_choice")
    reference: ClassVar[str] = (
        "Kim, Li & Sejnowski (2019) PNAS 116:22811; timings, signs and threshold as in their public code. "
        "Departures: the mean output of the response has to exceed the threshold, there its maximum; input "
        "noise is ours."
    )

    def check(self) -> None:
        """Refuse thresholds that targets do not reach, and stimuli shorter than a bin."""
        super().check()
        reached = self.high if self.report == "signed" else self.high - self.low
        if not 0 <= self.threshold < reached:
            self.refuse(
                "threshold", f"targets have a margin of {reached:g}; use 0 <= threshold < {reached:g}"
            )
        for name in ("first", "second"):
            shortest = durations.bounds(getattr(self, name))[0]
            if self.dt > shortest:
                self.refuse("dt", f"cannot resolve a stimulus of {shortest:g} ms; use dt <= {shortest:g}")

    @property
    def go_is_shown(self) -> bool:
        """A delay of fixed length follows the second stimulus."""
        return durations.num_levels(self.delay) == 1

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The second is reported by +."""
        return ("different", "same")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (*(("fixation",) if self.fixation_input else ()), "stimulus_1", "stimulus_2")

    @property
    def silent_score(self) -> float:
        """Zero does not exceed the threshold."""
        return 0.0

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """Signs and alternatives."""
        signs = ("negative", "positive")
        return {**super().condition_labels, "first": signs, "second": signs}

    @property
    def signature(self) -> Signature:
        """Accuracy against gap."""
        return Signature("accuracy", (("level", "gap"), ("correct", "correct")), ("overall", "worst"))

    @property
    def hardest(self) -> Hardest:
        """How long the first stimulus is held until the second."""
        return Hardest("gap", (50.0, 250.0, 500.0, 1000.0, 2000.0))

    def plan(self, draw: Draw) -> Plan:
        """Signs of one trial and what they make together."""
        line, epochs = self.timeline, self.successive(draw)
        first, second = draw.index("first", 2), draw.index("second", 2)
        stimuli = [
            line.box(*epochs[name]) * (2 * sign - 1) for name, sign in (("first", first), ("second", second))
        ]
        correct_choice = (first == second).astype(jnp.int32)
        targets, mask = self.answer(epochs, correct_choice)
        if durations.bounds(self.rest)[1] > 0:
            over = line.box(epochs["rest"][0])[:, None]
            resting = [0.0 if self.report == "signed" else self.low] * targets.shape[1]
            if self.fixation_output:
                resting[0] = self.low
            targets = targets - over * (targets - np.array(resting, np.float32))
            if self.mask_fixation:
                mask = mask + self.fixation_weight * line.box(*epochs["rest"])[:, None]
        conditions = {
            "first": first,
            "second": second,
            "gap": epochs["gap"][1] - epochs["gap"][0],
            "correct_choice": correct_choice,
        }
        inputs = self.with_fixation(jnp.stack(stimuli, axis=1), epochs)
        return Plan(inputs, targets, mask, epochs, conditions)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct when an output on a valid sample is not finite."""
        scores = super().score(outputs, trial)
        return {**scores, "correct": scores["correct"] & (scores["margin"] > self.threshold)}
