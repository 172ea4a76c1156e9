"""Recorded trials: a task made of a user's own data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.tasks.bank import Bank
from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.signature import Signature
from throughtime.trial import Trial

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw

RULES = ("error", "sign", "argmax")


@dataclass(frozen=True, kw_only=True)
class RecordedTrials(Task):
    """Trials drawn, with equal probability, from a bank of recorded ones; made by ``tasks.from_arrays``.

    A key draws one of the recorded trials, whatever its purpose: held-out trials of training are other draws
    of the same ones. Trials that training must not see go into a task of their own, see :meth:`split`.

    Inputs, outputs, epochs and conditions are those of the recordings, beside the epoch ``trial`` and the
    condition ``recording``, the place of the trial among those passed to ``from_arrays``.

    Score: ``mse``, squared error averaged by the mask; ``nmse``, the same by the variance of the targets in
    the bank: 1 is what their mean would have; ``correct`` by the rule of that name. Criterion: ``nmse`` of at
    most ``tolerance`` on average, or 95 % correct by any other rule. Signature: accuracy by ``level``.

    Attributes:
        dt: that of the recordings, or a whole fraction of it: samples are then repeated.
        bank: the trials.
        correct: ``"error"``: ``nmse`` of the trial is at most ``tolerance``; ``"sign"``: the mean outputs, by
            the mask, have the signs of the mean targets, where those are not 0; ``"argmax"``: the output with
            the largest mean is the one with the largest mean target; or a frozen dataclass that is called
            with outputs (time, output) and a trial and returns a truth value.
        tolerance: largest ``nmse`` of a correct trial.
        level: condition of the signature.

    Example:
        >>> from throughtime.tasks import from_arrays
        >>> inputs = np.random.default_rng(0).normal(size=(20, 50, 2))
        >>> task = from_arrays(inputs, inputs.cumsum(1)[..., :1], dt=20.0)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> trial.inputs.shape, bool(task.score(task.ideal(trial), trial)["correct"])
        ((50, 2), True)
        >>> [part.bank.num_trials for part in task.split(held_out=0.25)]
        [15, 5]
    """

    noise: float = 0.0
    bank: Bank
    correct: str | Callable[[Array, Trial], Array] = "error"
    tolerance: float = 0.1
    level: str = "recording"

    reference: ClassVar[str] = "The user's own recordings."

    def check(self) -> None:
        """Refuse bins that do not fit the recordings, and rules that do not fit the targets."""
        super().check()
        if not isinstance(self.bank, Bank):
            self.refuse("bank", "expected a bank of trials; use tasks.from_arrays")
        if abs(self.factor * self.dt / self.bank.dt - 1) > 1e-6:
            self.refuse(
                "dt", f"expected {self.bank.dt:g} ms, the bin of the recordings, or a whole fraction of it"
            )
        if self.tolerance <= 0:
            self.refuse("tolerance", "an error cannot be negative; use tolerance > 0")
        if self.level not in self.condition_names:
            self.refuse("level", f"no such condition; there are {', '.join(self.condition_names)}")
        if self.bank.variance <= 0:
            raise ValueError(
                "RecordedTrials: targets: never vary where they bear loss, so there is nothing to learn; "
                "check targets and mask."
            )
        if isinstance(self.correct, str):
            self.refuse_unless_in("correct", RULES)
            if self.correct != "error" and self.bank.is_known:
                self._check_answers()
        elif not (callable(self.correct) and dataclasses.is_dataclass(self.correct)):
            self.refuse(
                "correct",
                "expected 'error', 'sign', 'argmax' or a frozen dataclass with __call__(outputs, trial), "
                "which a results file can name",
            )

    def _check_answers(self) -> None:
        _, targets, mask = self.bank.values[:3]
        answers = _mean(targets, mask)
        if self.correct == "sign":
            bad = np.flatnonzero(~answers.any(1))
            what = "its mean targets are 0"
        else:
            bad = np.flatnonzero((answers == answers.max(1, keepdims=True)).sum(1) > 1)
            what = "two outputs have the largest mean target"
            if answers.shape[1] < 2:
                self.refuse("correct", "one output has no rival; use 'sign' or 'error'")
        if bad.size:
            self.refuse("correct", f"recorded trial {bad[0]} has no right answer, {what}; use 'error'")

    @property
    def factor(self) -> int:
        """Samples of the task in one of the recordings."""
        return max(1, round(self.bank.dt / self.dt))

    @property
    def duration(self) -> float:
        """Length of the longest recording, ms."""
        return self.bank.num_steps * self.bank.dt

    @property
    def input_names(self) -> tuple[str, ...]:
        """Those of the recordings."""
        return self.bank.input_names

    @property
    def output_names(self) -> tuple[str, ...]:
        """Those of the recordings."""
        return self.bank.output_names

    @property
    def epoch_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """``trial`` and those of the recordings."""
        return ("trial", *self.bank.epoch_names)

    @property
    def condition_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the recordings; ``recording`` is the first."""
        return self.bank.condition_names

    @functools.cached_property
    def silent_score(self) -> float:
        """Fraction of the recorded trials that silence is correct in."""

        @jax.jit
        def correct(index: Array) -> Array:
            trial = self._trial(index)
            return self.score(jnp.zeros_like(trial.targets), trial)["correct"]

        return float(jnp.mean(jax.lax.map(correct, jnp.arange(self.bank.num_trials))))

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """A normalised error within the tolerance, or 95 % correct."""
        if self.correct == "error":
            return (Criterion("nmse", at_most=self.tolerance),)
        return (Criterion("correct", at_least=0.95),)

    @property
    def signature(self) -> Signature:
        """Accuracy by one of the conditions."""
        return Signature("accuracy", (("level", self.level), ("correct", "correct")), ("overall", "worst"))

    def plan(self, draw: Draw) -> Plan:
        """One of the recorded trials."""
        return self._plan(draw.index("recording", self.bank.num_trials))

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and with NaN errors, when a valid output is not finite."""
        outputs, mask = jnp.asarray(outputs), trial.mask
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        outputs = jnp.where(mask > 0, outputs, 0.0)
        mse = jnp.sum(mask * jnp.square(outputs - trial.targets)) / mask.sum()
        mse = jnp.where(finite, mse, jnp.nan)
        nmse = mse / self.bank.variance
        return {"correct": finite & self._is_correct(outputs, trial, nmse), "mse": mse, "nmse": nmse}

    def split(self, held_out: float = 0.2, seed: int = 0) -> tuple[Self, Self]:
        """Two tasks that share no recorded trial: to train on, and held out.

        Args:
            held_out: fraction of the trials in the second. seed: of the shuffle.

        Raises:
            ValueError: if one of them would have no trial.
        """
        number = self.bank.num_trials
        kept = number - round(held_out * number)
        if not 0 < kept < number:
            raise ValueError(
                f"RecordedTrials: held_out {held_out:g} of {number} trials leaves {kept} to train on; use a "
                "fraction that leaves some of both."
            )
        order = np.random.default_rng(seed).permutation(number)
        parts = (np.sort(order[:kept]), np.sort(order[kept:]))
        first, second = (dataclasses.replace(self, bank=self.bank.some(part)) for part in parts)
        return first, second

    def _is_correct(self, outputs: Array, trial: Trial, nmse: Array) -> Array:
        if callable(self.correct):
            return jnp.asarray(self.correct(outputs, trial), bool)
        if self.correct == "error":
            return nmse <= self.tolerance
        answer, right = (_mean(each[None], trial.mask[None])[0] for each in (outputs, trial.targets))
        if self.correct == "sign":
            return jnp.all((answer * right > 0) | (right == 0))
        return jnp.argmax(answer) == jnp.argmax(right)

    def _plan(self, index: Array) -> Plan:
        row = self.bank.row(index)
        inputs, targets, mask = (jnp.repeat(each, self.factor, axis=0) for each in row[:3])
        # Rounded as the starts of bins are, so that a trial ends where its last bin does.
        ends = (np.arange(self.bank.num_steps + 1) * self.factor * self.dt).astype(np.float32)
        end = jnp.asarray(ends)[row[3]]
        epochs = {"trial": (jnp.zeros((), jnp.float32), end)}
        for name, edges in zip(self.bank.epoch_names, row[4], strict=True):
            epochs[name] = edges[0], edges[1]
        return Plan(inputs, targets, mask, epochs, dict(zip(self.bank.condition_names, row[5:], strict=True)))

    def _trial(self, index: Array) -> Trial:
        plan = self._plan(index)
        valid = jnp.less(self.timeline.starts, plan.epochs["trial"][1])
        return Trial(plan.inputs, plan.targets, plan.mask, valid, plan.epochs, plan.conditions)


def _mean(values: Any, mask: Any) -> Any:
    """Means (trial, output) over time of values (trial, time, output), by the mask."""
    total = mask.sum(1)
    return (values * mask).sum(1) / (total + (total == 0))
