"""Directions seen by tuned units, and tests that are compared with them and answered while they are shown."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations
from throughtime.tasks.choice import Choice
from throughtime.tasks.durations import Duration
from throughtime.tasks.tuning import von_mises

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.base import Epochs
    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Tuned(Choice):
    """Base of choice tasks whose stimuli are directions seen by a population of tuned units.

    Attributes:
        num_tuned, concentration, height: of the tuned units, height · exp(κ (cos Δ − 1)).
    """

    num_tuned: int = 24
    concentration: float = 2.0
    height: float = 4.0

    def refuse_untuned(self) -> None:
        """Refuse units that cannot tell directions apart."""
        if self.num_tuned < 3:
            self.refuse("num_tuned", "fewer units cannot tell all directions; use at least 3")
        for name in ("concentration", "height"):
            if getattr(self, name) <= 0:
                self.refuse(name, "untuned units tell no direction; use a value > 0")

    def tuned_names(self, signal: str) -> tuple[str, ...]:
        """Names of the inputs from one population."""
        return tuple(f"{signal}_{index:02d}" for index in range(self.num_tuned))

    def tuned(self, direction: Array, num_directions: int) -> Array:
        """Rates (…, unit) for direction 2π · direction/num_directions; ``direction`` (…) are indices."""
        angle = direction * np.float32(2 * np.pi / num_directions)
        return von_mises(angle[..., None], self.num_tuned, self.concentration, self.height)


@dataclass(frozen=True, kw_only=True)
class Matching(Tuned):
    """Base of tasks in which a sample is followed by a row of tests, each after a delay.

    A test is answered while it is shown: non-match or match. The decision on it is the mean output over it
    after ``grace``; outputs rest between tests. A test that is left out has the epoch (NaN, NaN).

    Attributes:
        fixation, sample, delay, test: epochs, ms; every test has a delay of its own before it.
        response: always None: the tests are the response epochs.
        num_directions: directions 2πi/num_directions.
    """

    fixation: Duration = 0.0
    sample: Duration = 500.0
    delay: Duration = 1000.0
    test: Duration = 500.0
    response: Duration | None = None
    report: str = "channels"
    low: float = 0.0
    fixation_output: bool = True
    grace: float = 50.0
    mask_fixation: bool = True
    noise: float = 0.1
    num_directions: int = 8

    duration_fields: ClassVar[tuple[str, ...]] = ("fixation", "sample", "delay", "test", "response")
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation",)

    @property
    @abstractmethod
    def num_shown(self) -> int:
        """Largest number of tests."""

    def check(self) -> None:
        """Refuse another response epoch, and directions that cannot be told apart."""
        if self.response is not None:
            self.refuse("response", "the tests are answered while they are shown; use response=None")
        super().check()
        if self.num_directions < 2:
            self.refuse("num_directions", "a non-match needs another direction; use at least 2")
        self.refuse_untuned()

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The answers to a test."""
        return ("nonmatch", "match")

    @property
    def test_names(self) -> tuple[str, ...]:
        """Names of the tests."""
        return tuple(f"test_{place + 1}" for place in range(self.num_shown))

    @property
    def epoch_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the epochs."""
        row = (
            name for place in range(self.num_shown) for name in (f"delay_{place + 1}", f"test_{place + 1}")
        )
        return ("trial", "fixation", "sample", *row)

    @property
    def duration(self) -> float:
        """Length of a trial with all tests, ms."""
        fixation, sample, delay, test = (
            durations.bounds(epoch)[1] for epoch in (self.fixation, self.sample, self.delay, self.test)
        )
        return fixation + sample + self.num_shown * (delay + test)

    def row(self, draw: Draw, shown: Sequence[Array | bool]) -> Epochs:
        """Epochs of a trial with the tests of which ``shown`` is true."""
        epochs: Epochs = {}
        end = offset = jnp.zeros((), jnp.float32)
        for name in ("fixation", "sample"):
            onset, offset = offset, offset + draw.duration(name, getattr(self, name))
            epochs[name] = onset, offset
        for place, there in enumerate(shown):
            for kind in ("delay", "test"):
                name = f"{kind}_{place + 1}"
                onset, offset = offset, offset + draw.duration(name, getattr(self, kind))
                epochs[name] = jnp.where(there, onset, jnp.nan), jnp.where(there, offset, jnp.nan)
            end = jnp.where(there, offset, end)
        return {"trial": (jnp.zeros((), jnp.float32), end), **epochs}

    def answers(self, epochs: Epochs, match: Sequence[Array]) -> tuple[Array, Array]:
        """Targets and mask, each (time, output), of a trial whose tests match or not."""
        line, end = self.timeline, epochs["trial"][1]
        yes = no = judged = jnp.zeros(self.num_steps, jnp.float32)
        for name, right in zip(self.test_names, match, strict=True):
            onset, offset = epochs[name]
            # The answer to the last test goes on to the end of the last bin.
            shown = line.box(onset, jnp.where(offset >= end, jnp.inf, offset))
            yes, no = yes + jnp.where(right, shown, 0), no + jnp.where(right, 0, shown)
            judged = judged + line.box(onset + self.grace, offset)
        weight = self.response_weight * judged
        if self.mask_fixation:
            weight = weight + self.fixation_weight * self.resting(epochs)
        if self.report == "signed":
            columns = [self.high * (yes - no)]
        else:
            columns = [self.low + (self.high - self.low) * answer for answer in (no, yes)]
        if self.fixation_output:
            columns.insert(0, self.high - (self.high - self.low) * (yes + no))
        targets = jnp.stack(columns, axis=1)
        return targets, jnp.broadcast_to(weight[:, None], targets.shape)

    def resting(self, epochs: Epochs) -> Array:
        """Bin averages (time,) of the time in which no test is shown."""
        total, since = jnp.zeros(self.num_steps, jnp.float32), jnp.zeros((), jnp.float32)
        for name in self.test_names:
            onset, offset = epochs[name]
            total, since = total + self.timeline.box(since, onset), offset
        return total

    def with_fixation(self, inputs: Array, epochs: Epochs) -> Array:
        """``inputs`` (time, input) with the fixation input in front, off during tests, if there is one."""
        if not self.fixation_input:
            return inputs
        return jnp.concatenate([self.resting(epochs)[:, None], inputs], axis=1)

    def choices(self, outputs: Array, trial: Trial) -> tuple[Array, Array]:
        """Answers (test,) of one trial, 1 for match, and whether its outputs on valid samples are finite."""
        outputs = jnp.asarray(outputs)
        kept = jnp.where(trial.valid[:, None], outputs, 0)[:, int(self.fixation_output) :]
        chosen = []
        for name in self.test_names:
            onset, offset = trial.epochs[name]
            decision = (kept * self.timeline.box(onset + self.grace, offset)[:, None]).sum(0)
            chosen.append(decision[0] > 0 if self.report == "signed" else jnp.argmax(decision))
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        return jnp.stack(chosen).astype(jnp.int32), finite
