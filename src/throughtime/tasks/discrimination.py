"""Discrimination tasks: which of two alternatives does a graded stimulus speak for?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.choice import Choice
from throughtime.tasks.criterion import Criterion

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.base import Epochs
    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Discrimination(Choice):
    """Base of discriminations of graded stimuli, in the form of Song, Yang and Wang (2016).

    A stimulus s in [−1, 1] (negative for the first alternative, positive for the second) is shown by two
    channels, one that falls with it and one that rises, ``baseline`` ∓ ``gain`` · s/2; or by one, ``gain`` ·
    s.

    Attributes:
        fixation: from trial onset to the first stimulus, ms; with ``mask_fixation`` it counts for the loss.
        mask_stimulus: whether the time from the end of fixation to the go counts for the loss as well.
        encoding: ``"opposed"`` (two channels) or ``"single"``.
        gain, baseline: of the channels of a stimulus.
        catch: probability of a trial of ``catch_duration`` ms without stimuli; fixation is held and the loss
            counts throughout, and any response is wrong.
        required: fraction correct at which the task counts as learned, as the mean of five validations.

    Scores: as :class:`Choice`. A catch trial is correct if no choice output comes closer to ``high`` than to
    rest at any time; its ``choice`` is −1 and its ``margin`` NaN. Of its conditions, whole numbers are −1 and
    others NaN, and its epochs are absent.

    Source: Song, Yang and Wang (2016) PLoS Computational Biology 12:e1004792.
    """

    fixation: durations.Duration = 100.0
    response: durations.Duration | None = 300.0
    report: str = "channels"
    grace: float = 0.0
    mask_fixation: bool = True
    mask_stimulus: bool = False
    encoding: str = "opposed"
    gain: float = 1.0
    baseline: float = 0.5
    catch: float = 0.0
    catch_duration: float = 2000.0
    required: float = 0.85

    may_vanish: ClassVar[tuple[str, ...]] = ("fixation", "delay")

    def check(self) -> None:
        """Refuse stimuli that look alike and impossible catch trials."""
        self.refuse_unless_in("encoding", ("opposed", "single"))
        if self.gain <= 0:
            self.refuse("gain", "stimuli would look alike; use gain > 0")
        self.refuse_unless_probability("catch")
        if self.catch == 1:
            self.refuse("catch", "no trial would show a stimulus; use catch < 1")
        if self.catch_duration <= 0:
            self.refuse("catch_duration", "a trial needs a duration; use catch_duration > 0")
        if not 0 < self.required <= 1:
            self.refuse("required", "a fraction correct lies between 0 and 1")
        super().check()

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        return max(super().duration, self.catch_duration if self.catch else 0.0)

    @property
    def silent_score(self) -> float:
        """Half of the trials that ask for a choice, and all others."""
        return self.catch + (1 - self.catch) / len(self.alternatives)

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """``required``, as the mean of five validations."""
        return (Criterion("correct", at_least=self.required, validations=5),)

    def successive(self, draw: Draw) -> Epochs:
        """Epochs of ``duration_fields``, one after the other; a delay of None is absent."""
        epochs = super().successive(draw)
        if "delay" in epochs and vars(self)["delay"] is None:
            epochs["delay"] = (jnp.full((), jnp.nan, jnp.float32),) * 2
        return epochs

    def fixating(self, epochs: Epochs) -> Array:
        """Fraction (time,) of every bin that counts as fixation for the loss."""
        if self.mask_stimulus:
            return super().fixating(epochs)
        return self.timeline.box(*epochs["fixation"])

    def channel_names(self, stimulus: str) -> tuple[str, ...]:
        """Names of the channels of a stimulus."""
        if self.encoding == "single":
            return (stimulus,)
        return tuple(f"{stimulus}_{alternative}" for alternative in self.alternatives)

    def channels(self, stimulus: Array) -> Array:
        """Input (channel,) of a stimulus s."""
        signal = self.gain * stimulus
        if self.encoding == "single":
            return jnp.stack([signal])
        return jnp.stack([self.baseline - signal / 2, self.baseline + signal / 2])

    def with_catch(self, draw: Draw, plan: Plan) -> Plan:
        """``plan``, or that of a catch trial, with the condition ``catch``."""
        catch = draw.coin("catch", self.catch)
        if self.catch == 0:
            return plan._replace(conditions=plan.conditions | {"catch": jnp.asarray(False)})
        end = jnp.float32(self.catch_duration)
        nothing = jnp.full((), jnp.nan, jnp.float32)
        edges = dict.fromkeys(plan.epochs, (nothing, nothing)) | {"trial": (jnp.zeros_like(end), end)}
        epochs = {
            name: (jnp.where(catch, edges[name][0], onset), jnp.where(catch, edges[name][1], offset))
            for name, (onset, offset) in plan.epochs.items()
        }
        absent = {
            name: -1 if value.dtype == jnp.int32 else jnp.nan for name, value in plan.conditions.items()
        }
        conditions = {name: jnp.where(catch, absent[name], value) for name, value in plan.conditions.items()}
        throughout = self.timeline.box(0.0, end)[:, None]
        never = jnp.full((), jnp.inf, jnp.float32)
        held = plan.epochs | {"response": (never, never)}  # fixation, to beyond the end
        nothing_shown = jnp.zeros_like(plan.inputs[:, int(self.fixation_input) :])
        return Plan(
            inputs=jnp.where(catch, self.with_fixation(nothing_shown, held), plan.inputs),
            targets=jnp.where(catch, self.answer(held, jnp.zeros((), jnp.int32))[0], plan.targets),
            mask=jnp.where(catch, throughout, plan.mask),
            epochs=epochs,
            conditions=conditions | {"catch": catch},
        )

    @property
    def rest(self) -> float:
        """Target of an output before the go."""
        return 0.0 if self.report == "signed" else self.low

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct when an output on a valid sample is not finite."""
        scores = super().score(outputs, trial)
        if self.catch == 0:
            return scores
        catch, valid = trial.conditions["catch"], trial.valid[:, None]
        answers = jnp.asarray(outputs)[:, int(self.fixation_output) :]
        level = jnp.abs(answers) if self.report == "signed" else answers
        silent = jnp.all((level < (self.rest + self.high) / 2) | ~valid)
        silent = silent & jnp.all(jnp.isfinite(outputs) | ~valid)
        return {
            "correct": jnp.where(catch, silent, scores["correct"]),
            "choice": jnp.where(catch, -1, scores["choice"]),
            "margin": jnp.where(catch, jnp.nan, scores["margin"]),
        }
