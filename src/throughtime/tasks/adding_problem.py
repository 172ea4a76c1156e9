"""The adding problem: the sum of two marked numbers out of many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp
import numpy as np

from throughtime.tasks.base import Plan
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature
from throughtime.tasks.slotted import Slotted

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

TOLERANCE = 0.1
"""Largest |error| of a correct trial."""


@dataclass(frozen=True, kw_only=True)
class AddingProblem(Slotted):
    """Numbers are shown one after the other; two of them are marked, and their sum is asked for at the end.

    Epochs: first_mark, second_mark, response (the last slot), each one slot. One mark is in each half of the
    trial (of an odd number of slots the second half has one more), each slot of a half with equal
    probability; the second may be in the last slot.

    Inputs: ``value``, uniform on (0, 1) in every slot; ``marker``, 1 in the two slots. Output: ``sum``. Its
    target is the sum of the marked values in the last slot and 0 before; only the last slot counts for the
    loss. Conditions: ``mark_interval`` (from mark to mark, onset to onset, ms), ``first_value``,
    ``second_value``, ``sum``.

    The answer is the mean output in the last slot. Score: ``error``, answer less sum; ``squared_error``,
    criterion at most 0.0167; ``correct`` if |error| < 0.1. The best answer that does not look at the inputs
    is 1, with a mean squared error of 1/6; one that remembers either value alone reaches 1/12. Signature:
    accuracy against the interval between the marks.

    Attributes:
        length: slots of a trial.

    Sources: Hochreiter and Schmidhuber (1997) Neural Computation 9:1735. Arjovsky, Shah and Bengio (2016)
    ICML.

    Example:
        >>> import jax
        >>> task = AddingProblem(length=10)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> asked = (trial.inputs[:, 0] * trial.inputs[:, 1]).sum()
        >>> bool(abs(trial.targets[-1, 0] - asked) < 1e-6)
        True
    """

    length: int = 100

    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "first_mark", "second_mark", "response")
    condition_names: ClassVar[tuple[str, ...]] = ("mark_interval", "first_value", "second_value", "sum")
    reference: ClassVar[str] = (
        "Hochreiter & Schmidhuber (1997) Neural Computation 9:1735; Arjovsky, Shah & Bengio (2016) ICML "
        "(values between 0 and 1, one mark in each half, the plain sum). Departures: a step is a slot of "
        "20 ms; tolerance and criterion, a tenth of the baseline, are ours."
    )

    def check(self) -> None:
        """Refuse trials without two halves and bins that mix the values of two slots."""
        super().check()
        if self.length < 2:
            self.refuse("length", "each half needs a slot for its mark; use at least 2")
        bins = self.slot / self.dt
        if not math.isclose(bins, round(bins), rel_tol=1e-9):
            self.refuse(
                "dt",
                f"a bin would mix the values of two slots of {self.slot:g} ms; use a dt that divides a slot, "
                f"such as {self.slot:g} / {math.ceil(bins)}",
            )

    @property
    def num_slots(self) -> int:
        """All of the trial."""
        return self.length

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return ("value", "marker")

    @property
    def output_names(self) -> tuple[str, ...]:
        """The one output."""
        return ("sum",)

    @property
    def silent_score(self) -> float:
        """Probability that the sum is less than the tolerance."""
        return TOLERANCE**2 / 2

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """A mean squared error of a tenth of 1/6, the best without looking at the inputs."""
        return (Criterion("squared_error", at_most=0.0167),)

    @property
    def signature(self) -> Signature:
        """Accuracy against the interval between the marks."""
        return Signature(
            "accuracy", (("level", "mark_interval"), ("correct", "correct")), ("overall", "worst")
        )

    @property
    def hardest(self) -> Hardest:
        """How many slots lie behind."""
        return Hardest("length", (20, 50, 100, 200), "slots")

    def plan(self, draw: Draw) -> Plan:
        """Values and marks of one trial."""
        line, half = self.timeline, self.length // 2
        values = draw.uniform("values", (self.length,))
        first = draw.index("first_mark", half)
        second = half + draw.index("second_mark", self.length - half)
        start, last, end = map(self.onset, (0, self.length - 1, self.length))
        epochs = {
            "trial": (start, end),
            "first_mark": (first * self.slot, (first + 1) * self.slot),
            "second_mark": (second * self.slot, (second + 1) * self.slot),
            "response": (last, end),
        }
        slot_of_bin = (self.time // self.slot).astype(np.int32)  # no bin is in two slots, see check
        marker = line.box(*epochs["first_mark"]) + line.box(*epochs["second_mark"])
        total = values[first] + values[second]
        conditions = {
            "mark_interval": (second - first) * self.slot,
            "first_value": values[first],
            "second_value": values[second],
            "sum": total,
        }
        return Plan(
            jnp.stack([values[slot_of_bin], marker], axis=1),
            total * line.box(last)[:, None],
            line.box(last, end)[:, None],
            epochs,
            conditions,
        )

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and an error of NaN, when a valid output is not finite."""
        output, window = jnp.asarray(outputs)[:, 0], self.timeline.box(*trial.epochs["response"])
        finite = jnp.all(jnp.isfinite(output) | ~trial.valid)
        answer = jnp.where(window > 0, output * window, 0).sum() / window.sum()
        error = jnp.where(finite, answer - trial.conditions["sum"], jnp.nan)
        return {"correct": jnp.abs(error) < TOLERANCE, "error": error, "squared_error": error**2}
