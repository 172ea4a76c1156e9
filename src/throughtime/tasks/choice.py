"""Choice tasks: one of several alternatives is reported in the response epoch."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Epochs, Task
from throughtime.tasks.criterion import Criterion

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Choice(Task):
    """Base of choice tasks.

    The decision is the mean output over the response epoch after ``grace``. Targets keep their value to
    the end of the last bin; the mask carries the fraction of it that belongs to the trial.

    Attributes:
        response: response epoch, ms; None if it coincides with the epoch before it.
        report: ``"signed"``, one output ``choice`` whose sign tells the second alternative (+) from the
            first (−), with target ±``high`` in the response and 0 before; or ``"channels"``, one output per
            alternative, ``high`` for the correct one and ``low`` otherwise.
        high, low: target levels.
        fixation_output: adds an output ``fixation`` with target ``high`` until the response, ``low`` after.
        fixation_input: adds an input ``fixation``, 1 until the response, 0 after.
        grace: ms after the go that count neither for the loss nor for the decision.
        mask_fixation: whether the time before the go counts for the loss.
        response_weight, fixation_weight: loss weights after and before the go.

    Scores: ``correct``; ``choice``, index of the alternative; ``margin``, the decision for the correct
    alternative less that for the best other one (signed: the decision, positive when it is right).
    """

    response: durations.Duration | None = 500.0
    report: str = "signed"
    high: float = 1.0
    low: float = 0.2
    fixation_output: bool = False
    fixation_input: bool = False
    grace: float = 100.0
    mask_fixation: bool = False
    response_weight: float = 1.0
    fixation_weight: float = 1.0

    may_coincide: ClassVar[tuple[str, ...]] = ("response",)

    @property
    @abstractmethod
    def alternatives(self) -> tuple[str, ...]:
        """Names of the alternatives, in the order of the condition ``correct_choice``."""

    @property
    def go_is_shown(self) -> bool:
        """Whether the stimuli alone tell when to respond."""
        return True

    def check(self) -> None:
        """Refuse a response that leaves nothing to judge."""
        super().check()
        self.refuse_unless_in("report", ("signed", "channels"))
        if self.report == "signed" and len(self.alternatives) != 2:
            self.refuse("report", f"a sign cannot tell {len(self.alternatives)} alternatives; use 'channels'")
        if self.high <= (self.low if self.report == "channels" or self.fixation_output else 0):
            self.refuse("high", "must exceed the level of rest (low, or 0 if signed)")
        present = [name for name in self.duration_fields if getattr(self, name) is not None]
        name = "response" if "response" in present else present[-1]
        judged = self.judged_after(self.grace, f"a {name}", durations.bounds(getattr(self, name))[0])
        if self.dt > judged:
            self.refuse("dt", f"cannot resolve a decision of {judged:g} ms; use dt <= {judged:g}")
        for weight in ("response_weight", "fixation_weight"):
            if getattr(self, weight) <= 0:
                self.refuse(
                    weight, "a loss weight must be > 0; to leave fixation out use mask_fixation=False"
                )
        if not (self.go_is_shown or self.fixation_input):
            self.refuse("fixation_input", "the stimuli do not show when to respond; use fixation_input=True")

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        fixation = ("fixation",) if self.fixation_output else ()
        if self.report == "signed":
            return (*fixation, "choice")
        return (*fixation, *(f"choice_{name}" for name in self.alternatives))

    @property
    def silent_score(self) -> float:
        """One in the number of alternatives: correct choices are balanced."""
        return 1 / len(self.alternatives)

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """The alternatives."""
        return {"correct_choice": self.alternatives}

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % correct."""
        return (Criterion("correct", at_least=0.95),)

    def answer(self, epochs: Epochs, correct_choice: Array) -> tuple[Array, Array]:
        """Targets and mask, each (time, output), of a trial with these epochs."""
        line = self.timeline
        go, offset = epochs["response"]
        responding = line.box(go)
        weight = self.response_weight * line.box(go + self.grace, offset)
        if self.mask_fixation:
            weight = weight + self.fixation_weight * self.fixating(epochs)
        if self.report == "signed":
            columns = [self.high * jnp.where(correct_choice == 1, responding, -responding)]
        else:
            rise = (self.high - self.low) * responding
            columns = [
                self.low + jnp.where(correct_choice == index, rise, 0)
                for index in range(len(self.alternatives))
            ]
        if self.fixation_output:
            columns.insert(0, self.high - (self.high - self.low) * responding)
        targets = jnp.stack(columns, axis=1)
        return targets, jnp.broadcast_to(weight[:, None], targets.shape)

    def fixating(self, epochs: Epochs) -> Array:
        """Fraction (time,) of every bin that counts as fixation for the loss."""
        return self.timeline.box(0.0, epochs["response"][0])

    def with_fixation(self, inputs: Array, epochs: Epochs) -> Array:
        """``inputs`` (time, input) with the fixation input in front, if the task has one."""
        if not self.fixation_input:
            return inputs
        fixation = self.timeline.box(0.0, epochs["response"][0])
        return jnp.concatenate([fixation[:, None], inputs], axis=1)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct when an output on a valid sample is not finite."""
        go, offset = trial.epochs["response"]
        window = self.timeline.box(go + self.grace, offset)[:, None]
        outputs = jnp.asarray(outputs)
        weighted = jnp.where(window > 0, outputs * window, 0)
        decision = (weighted.sum(0) / window.sum())[int(self.fixation_output) :]
        right = trial.conditions["correct_choice"]
        if self.report == "signed":
            choice = (decision[0] > 0).astype(jnp.int32)
            margin = jnp.where(right == 1, decision[0], -decision[0])
        else:
            choice = jnp.argmax(decision).astype(jnp.int32)
            others = jnp.where(jnp.arange(len(self.alternatives)) == right, -jnp.inf, decision)
            margin = decision[right] - others.max()
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        return {"correct": finite & (choice == right), "choice": choice, "margin": margin}
