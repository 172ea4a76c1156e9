"""Interval comparison: which of two stimuli lasted longer?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.choice import Choice
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature
from throughtime.tasks.success import error_if_successful
from throughtime.tasks.timing import EARLY

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

LARGEST_ERROR = 0.02
"""Fraction of wrong choices among successful trials at which the task counts as learned."""


@dataclass(frozen=True, kw_only=True)
class IntervalComparison(Choice):
    """Two stimuli are separated by a delay: say, as soon as the second is over, which one lasted longer.

    Epochs: fixation, first_interval, delay, second_interval, response; times in ms.

    Inputs: ``stimulus_1``, ``stimulus_2`` (1 while shown), after ``fixation`` if the task has that input.
    Outputs: see :class:`Choice`; by default ``choice``, + if the second lasted longer. Conditions:
    ``first_interval`` (T₁), ``delay``, ``second_interval`` (T₂) (ms), ``log_ratio`` (ln T₂/T₁) and
    ``correct_choice``.

    Score: as :class:`Choice`; ``success``: no alternative above 0.2 of its range from the first stimulus to
    the go, and exactly one above half of it in the response; and ``choice_error``, 1 for a wrong and 0 for
    a right choice of a successful trial, 0.02 of another one, so that it does not count. The range of an
    alternative goes from its level of rest to ``high``; a signed output is that of one alternative above 0
    and of the other below. Criterion: 95 % success, and at most 2 % wrong choices among the successful
    trials. Signature: psychometric curve of choices of the second against ln T₂/T₁; its μ is the time-order
    effect, above 0 if the first seems longer than it was.

    Attributes:
        fixation: from trial onset to the first stimulus, ms.
        first_interval, second_interval: how long the stimuli last, ms; either may last longer. Correct
            choices are balanced if both are drawn alike.
        delay: between them, ms.

    Sources: Bi and Zhou (2020) PNAS 117:10530.

    Example:
        >>> import jax
        >>> task = IntervalComparison()
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> second = trial.conditions["second_interval"] > trial.conditions["first_interval"]
        >>> int(trial.conditions["correct_choice"]) == int(second)
        True
        >>> bool(task.score(task.ideal(trial), trial)["success"])
        True
    """

    fixation: Duration = field(default=Uniform(100.0, 500.0))
    first_interval: Duration = field(default=Uniform(400.0, 1400.0))
    delay: Duration = field(default=Uniform(600.0, 1600.0))
    second_interval: Duration = field(default=Uniform(400.0, 1400.0))
    response: Duration | None = 300.0
    mask_fixation: bool = True

    variants: ClassVar[tuple[str, ...]] = ("bi_zhou",)
    duration_fields: ClassVar[tuple[str, ...]] = (
        "fixation", "first_interval", "delay", "second_interval", "response",
    )  # fmt: skip
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation",)
    may_coincide: ClassVar[tuple[str, ...]] = ()
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = (
        "first_interval", "delay", "second_interval", "log_ratio", "correct_choice",
    )  # fmt: skip
    reference: ClassVar[str] = (
        "Bi & Zhou (2020) PNAS 117:10530 (timings, channels and success as in their public code). "
        "Departures: the choice is the mean output of the response, not that of the first output to cross a "
        "half; one signed output and a grace of 100 ms by default; the time before the first stimulus counts "
        "for the loss; outputs are early from the onset of the first stimulus, not from 100 ms after it."
    )

    @classmethod
    def bi_zhou(cls, **fields: Any) -> Self:
        """Bi and Zhou (2020): two outputs, 1 or 0, no grace; σ is 0.01 at a time constant of 20 ms.

        They judge on stimuli of 600 to 1200 ms.
        """
        published: dict[str, Any] = {"report": "channels", "low": 0.0, "grace": 0.0, "noise": 0.0045}
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse stimuli that never differ, differ always one way, or that the bins do not resolve."""
        super().check()
        first, second = self.first_interval, self.second_interval
        (low_1, high_1), (low_2, high_2) = durations.bounds(first), durations.bounds(second)
        if low_1 >= high_2 or low_2 >= high_1:
            self.refuse("second_interval", "the same stimulus always lasts longer; use ranges that overlap")
        fixed = [set(_values(stimulus)) for stimulus in (first, second)]
        if shared := sorted(set.intersection(*fixed)):
            self.refuse(
                "second_interval", f"equal stimuli ({shared[0]:g} ms) have no correct choice; leave it out"
            )
        if self.dt > (shortest := min(low_1, low_2)):
            self.refuse("dt", f"cannot resolve a stimulus of {shortest:g} ms; use dt <= {shortest:g}")

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Which stimulus lasted longer."""
        return ("first", "second")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (*(("fixation",) if self.fixation_input else ()), "stimulus_1", "stimulus_2")

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % success, and at most 2 % wrong choices among the successful trials."""
        return (Criterion("success", at_least=0.95), Criterion("choice_error", at_most=LARGEST_ERROR))

    @property
    def signature(self) -> Signature:
        """Choices of the second against the logarithm of the ratio."""
        return Signature(
            "psychometric",
            (("stimulus", "log_ratio"), ("choice", "choice")),
            ("mu", "sigma", "guess", "lapse"),
        )

    @property
    def hardest(self) -> Hardest:
        """How long the first interval is held."""
        return Hardest(
            "delay", (300.0, Uniform(600.0, 1600.0), Uniform(600.0, 3200.0), Uniform(600.0, 6400.0))
        )

    def plan(self, draw: Draw) -> Plan:
        """Both stimuli and what is between them."""
        epochs = self.successive(draw)
        first, second, delay = (
            draw.duration(name, getattr(self, name))
            for name in ("first_interval", "second_interval", "delay")
        )
        correct_choice = (second > first).astype(jnp.int32)
        targets, mask = self.answer(epochs, correct_choice)
        shown = [self.timeline.box(*epochs[name]) for name in ("first_interval", "second_interval")]
        conditions = {
            "first_interval": first,
            "delay": delay,
            "second_interval": second,
            "log_ratio": jnp.log(second / first),
            "correct_choice": correct_choice,
        }
        inputs = self.with_fixation(jnp.stack(shown, axis=1), epochs)
        return Plan(inputs, targets, mask, epochs, conditions)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; neither correct nor a success when a valid output is not finite."""
        scores = super().score(outputs, trial)
        outputs, line = jnp.asarray(outputs), self.timeline
        (onset, _), (go, offset) = trial.epochs["first_interval"], trial.epochs["response"]
        columns, rest = outputs[:, int(self.fixation_output) :], self.low
        if self.report == "signed":
            columns, rest = jnp.concatenate([-columns, columns], axis=1), 0.0
        level = (columns - rest) / (self.high - rest)
        before = (line.starts >= onset) & (line.ends <= go)
        during = line.box(go + self.grace, offset) > 0
        early = jnp.any((level > EARLY) & before[:, None])
        answered = jnp.any((level > 0.5) & during[:, None], axis=0).sum() == 1
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        success = finite & answered & ~early
        wrong = 1.0 - scores["correct"]
        return scores | {
            "success": success,
            "choice_error": error_if_successful(wrong, success, finite, LARGEST_ERROR),
        }


def _values(duration: Duration) -> tuple[float, ...]:
    """The values that a duration has with a probability above 0."""
    low, high = durations.bounds(duration)
    if isinstance(duration, tuple):
        return duration
    return (low,) if low == high else ()
