"""Synchronization-continuation: keep a beat with a metronome, and go on when it stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations
from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

ARMED = -0.25
"""Level below which the output must fall between two beats."""
TOLERANCE = 0.1
"""Largest asynchrony of a correct trial, in units of the period."""
BINS_PER_CYCLE = 12
"""Fewest bins in the shortest period."""
FEWEST = 3
"""Beats that have two intervals, one after the other."""


@dataclass(frozen=True, kw_only=True)
class SynchronizationContinuation(Task):
    """Pulses at a regular tempo, which then stop: the output beats with them, and goes on alone.

    With T the period of the pulses, the target is sin(2πs/T), s the time since the first pulse, and 0
    before. A beat is a zero crossing from below after the output has been below −0.25, so that noise about
    zero is no beat. Targets of beats are the onsets of the pulses and, once these have stopped, multiples of
    T after the last one.

    Epochs: wait (until the first pulse), synchronization (from the first pulse to T after the last one),
    continuation (from there, the first beat without a pulse, to T/2 after the last beat); times in ms. There
    the trial ends.

    Inputs: ``pulse``; ``context``, inverse in the period, from the first pulse to the end of the trial.
    Output: ``beat``. The whole trial bears loss. Conditions: ``target_period`` (T, ms), ``num_paced`` and
    ``num_continued`` (beats with and without a pulse), ``context``.

    Score, of the beats in the continuation: ``asynchrony``, their mean time less its target, negative when
    early, ms; ``largest_error``, in units of T (0.5 if a beat is missing); ``period``, mean interval
    between them, ms; ``squared_error`` and ``successive_error``, mean square of the relative errors of the
    intervals and mean product of two successive ones, from which the fit has their SD and lag-1
    autocorrelation; ``lag_one``, this autocorrelation within the trial alone, which so few intervals draw
    towards −1/number. Where there is not exactly one beat about each target all but the largest error
    are NaN. ``correct`` if there is, and every asynchrony is less than 10 % of T; criterion 90 % of trials.
    Signature: mean asynchrony and SD of the period against T.

    Attributes:
        wait: from trial onset to the first pulse, ms.
        period: T, ms; at least 2 different values.
        num_paced: numbers of pulses, equally likely.
        num_continued: numbers of beats without a pulse, at least 3, equally likely.
        pulse, amplitude: of the pulses, ms and 1.
        context: level of the input ``context`` at a period of 1000 ms (1 Hz), to whose inverse it is
            proportional.

    Source: Zemlianova, Bose and Rinzel (2024) A recurrent neural network for rhythmic timing.

    Example:
        >>> import jax
        >>> task = SynchronizationContinuation(period=(250.0, 500.0))
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> scores = task.score(task.ideal(trial), trial)
        >>> bool(scores["correct"]), bool(abs(scores["asynchrony"]) < 1)
        (True, True)
    """

    dt: float = 10.0
    wait: Duration = field(default=Uniform(0.0, 100.0))
    period: Duration = tuple(1000.0 / tempo for tempo in range(2, 9))
    num_paced: tuple[float, ...] = (3.0, 4.0, 5.0)
    num_continued: tuple[float, ...] = (4.0, 5.0, 6.0)
    pulse: float = 60.0
    amplitude: float = 1.0
    context: float = 0.1

    duration_fields: ClassVar[tuple[str, ...]] = ("wait", "period")
    may_vanish: ClassVar[tuple[str, ...]] = ("wait",)
    any_length: ClassVar[tuple[str, ...]] = ("num_paced", "num_continued")
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "wait", "synchronization", "continuation")
    condition_names: ClassVar[tuple[str, ...]] = ("target_period", "num_paced", "num_continued", "context")
    reference: ClassVar[str] = (
        "Zemlianova, Bose & Rinzel (2024) A recurrent neural network for rhythmic timing, bioRxiv (seven "
        "tempi of 2 to 8 Hz; wait, onset and size of the context as in a public implementation, where pulses "
        "last 10 ms, come for 1 s and are continued for another). Departures: numbers of beats, longer "
        "pulses, a sine as the target (there a raised cosine), score and criterion are ours."
    )

    def check(self) -> None:
        """Refuse tempi that bins or pulses do not leave apart, and numbers of beats that show no rhythm."""
        super().check()
        shortest = durations.bounds(self.period)[0]
        if durations.num_levels(self.period) < 2:
            self.refuse("period", "no tempo would have to be kept; use at least 2 different periods")
        if self.dt * BINS_PER_CYCLE > shortest * (1 + 1e-9):
            limit = np.floor(1e3 * shortest / BINS_PER_CYCLE) / 1e3
            self.refuse("dt", f"cannot resolve a period of {shortest:g} ms; use dt <= {limit:g}")
        for name, fewest in (("num_paced", 1), ("num_continued", FEWEST)):
            numbers = getattr(self, name)
            if min(numbers) < fewest or any(number != int(number) for number in numbers):
                self.refuse(name, f"expected whole numbers of beats, at least {fewest}")
        if not 0 < self.pulse < shortest:
            self.refuse("pulse", f"pulses would not be apart; use more than 0 and less than {shortest:g} ms")
        if self.amplitude == 0:
            self.refuse("amplitude", "the pulses would not be seen; use another amplitude")

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        wait, period = (durations.bounds(getattr(self, name))[1] for name in self.duration_fields)
        return wait + (max(self.num_paced) + max(self.num_continued) - 0.5) * period

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return ("pulse", "context")

    @property
    def output_names(self) -> tuple[str, ...]:
        """The one output."""
        return ("beat",)

    @property
    def silent_score(self) -> float:
        """Silence has no beats."""
        return 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """90 % correct."""
        return (Criterion("correct", at_least=0.9),)

    @property
    def signature(self) -> Signature:
        """Asynchrony and variability of the continued beats against the period."""
        return Signature(
            "synchronization",
            (
                ("period", "target_period"), ("asynchrony", "asynchrony"), ("produced", "period"),
                ("squared_error", "squared_error"), ("successive_error", "successive_error"),
            ),
            (
                "asynchrony", "asynchrony_slope", "slope", "sd_intercept", "sd_slope", "cv", "lag_one",
                "fraction_missing",
            ),
        )  # fmt: skip

    @property
    def hardest(self) -> Hardest:
        """How long the beat goes on alone."""
        return Hardest("num_continued", ((3.0,), (4.0, 5.0, 6.0), (8.0, 10.0, 12.0), (16.0, 20.0, 24.0)), "1")

    def plan(self, draw: Draw) -> Plan:
        """Wait, period and numbers of beats."""
        line, start = self.timeline, jnp.zeros((), jnp.float32)
        wait, period = (draw.duration(name, getattr(self, name)) for name in self.duration_fields)
        paced, continued = (
            jnp.asarray(getattr(self, name), jnp.float32)[draw.index(name, len(getattr(self, name)))]
            for name in ("num_paced", "num_continued")
        )
        alone = wait + paced * period
        end = alone + (continued - 0.5) * period

        place = np.arange(max(self.num_paced), dtype=np.float32)[:, None]
        onsets = jnp.where(place < paced, wait + place * period, jnp.nan)
        context = self.context * 1000.0 / period
        inputs = [
            self.amplitude * line.box(onsets, onsets + self.pulse).sum(0),
            context * line.box(wait, end),
        ]
        begins = jnp.maximum(line.starts, wait)  # the bin of the first pulse counts from there
        target = line.box(wait) * jnp.sin(2 * np.pi * ((begins + line.ends) / 2 - wait) / period)
        epochs = {
            "trial": (start, end),
            "wait": (start, wait),
            "synchronization": (wait, alone),
            "continuation": (alone, end),
        }
        conditions = {
            "target_period": period, "num_paced": paced.astype(jnp.int32),
            "num_continued": continued.astype(jnp.int32), "context": context,
        }  # fmt: skip
        return Plan(
            jnp.stack(inputs, axis=1), target[:, None], line.box(start, end)[:, None], epochs, conditions
        )

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and otherwise NaN, when a valid output is not finite."""
        output, valid, period = jnp.asarray(outputs)[:, 0], trial.valid, trial.conditions["target_period"]
        finite = jnp.all(jnp.isfinite(output) | ~valid)
        beats, moments = _beats(output, valid, self.timeline.centres, self.dt)

        place = np.arange(int(max(self.num_continued)))
        wanted = place < trial.conditions["num_continued"]
        targets = trial.epochs["continuation"][0] + place * period
        late = moments - targets[:, None]
        about = beats & (late > -period / 2) & (late <= period / 2)
        found = wanted & (about.sum(1) == 1)
        error = jnp.where(found, jnp.where(about, late, 0).sum(1), 0) / period
        whole = finite & jnp.all(found == wanted)

        count = wanted.sum().astype(jnp.float32)
        off = jnp.where(wanted[1:], error[1:] - error[:-1], 0)  # relative errors of the intervals
        both = wanted[2:].sum()
        mean = off.sum() / (count - 1)
        centred = jnp.where(wanted[1:], off - mean, 0)
        power = jnp.square(centred).sum()
        lag_one = (centred[1:] * centred[:-1]).sum() / jnp.where(power > 0, power, jnp.nan)
        largest = jnp.where(whole, jnp.abs(error).max(), 0.5)
        told = {
            "asynchrony": period * error.sum() / count,
            "period": period * (1 + mean),
            "squared_error": jnp.square(off).sum() / (count - 1),
            "successive_error": (off[1:] * off[:-1]).sum() / both,
            "lag_one": lag_one,
        }
        return {
            "correct": whole & (largest < TOLERANCE),
            "largest_error": largest,
            **{name: jnp.where(whole, value, jnp.nan) for name, value in told.items()},
        }


def _beats(output: Array, valid: Array, centres: np.ndarray, dt: float) -> tuple[Array, Array]:
    """Where (time − 1,) a beat is between a bin and the next, and its moment by linear interpolation, ms."""
    index = jnp.arange(1, output.shape[0])
    rises = (output[:-1] < 0) & (output[1:] >= 0) & valid[1:]
    low = jax.lax.cummax(jnp.where(output[:-1] < ARMED, index, 0))
    last = jax.lax.cummax(jnp.where(rises, index, 0))
    before = jnp.concatenate([jnp.zeros_like(last[:1]), last[:-1]])
    slope = jnp.where(rises, output[1:] - output[:-1], 1)
    moments = jnp.asarray(centres[:-1]) - dt * jnp.where(rises, output[:-1], 0) / slope
    return rises & (low > before), moments
