"""Temporal pattern: one row of timed peaks at several speeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations
from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.rescaled import Pattern, rescaled
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

NUM_PEAKS = 5
FIRST, LAST, APART = 0.1, 0.9, 0.7
"""Fractions of the pattern between which its peaks lie, and their least distance in units of an even one."""
TOLERANCE = 0.1
"""Largest |scale · speed − 1| of a correct trial."""
GOOD = 0.8
"""Squared correlation with the rescaled pattern above which a trial is correct."""


@dataclass(frozen=True, kw_only=True)
class TemporalPattern(Task):
    """A pulse starts a pattern of five peaks in time; a tonic cue tells how fast to go through it.

    At speed v the pattern lasts ``pattern_duration``/v, and all of it is stretched alike: Gaussian peaks of
    SD ``peak_sd``/v at fixed fractions of it, which ``pattern_seed`` draws. Speeds that were not trained,
    ``dataclasses.replace(task, speed=(0.7, 1.4))``, ask whether a circuit learned to scale time.

    Epochs: wait (until the pulse), start (the pulse), pattern (from the onset of the pulse on); times in ms.
    The trial ends ``hold`` after the pattern.

    Inputs: ``start``; ``speed``, proportional to the speed and on throughout. Output: ``pattern``. The whole
    trial bears loss. Conditions: ``speed``.

    Score: ``scale``, slope of the times of the peaks on those of the pattern at speed 1, so that 1/v is
    right; ``scale_error``, its product with v less 1; ``r2``, squared correlation of the output with the
    pattern rescaled to fit it best (0 where they are opposed); ``peak_1_time`` and so on, of the peaks, since
    the onset of the pulse, ms (NaN, like the scale, for a constant output). ``correct`` if |scale · v − 1| is
    less than 0.1 and r2 more than 0.8; criterion 90 % of trials at the worst speed. Signature: the scale
    against 1/v at each speed, trained or not; the SD of the times of peaks, which grows with time (Weber's
    law); and their coefficient of variation, lower at higher speeds.

    Attributes:
        wait: from trial onset to the pulse, ms.
        speed: v, equally likely values.
        pattern_duration, peak_sd: at speed 1, ms.
        pattern_seed: of the fractions at which the peaks lie.
        low, high: output levels at rest and at a peak.
        hold: ms from the end of the pattern to that of the trial.
        pulse, amplitude: of the pulse, ms and 1.
        cue: level of the input ``speed`` at speed 1.

    Source: Hardy, Goudar, Romero-Sosa and Buonomano (2018) Nature Communications 9:4732.

    Example:
        >>> import jax
        >>> task = TemporalPattern()
        >>> [round(place, 2) for place in task.pattern.places]
        [0.11, 0.23, 0.42, 0.66, 0.83]
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> scores = task.score(task.ideal(trial), trial)
        >>> bool(scores["correct"]), round(abs(float(scores["scale_error"])), 2)
        (True, 0.0)
    """

    dt: float = 10.0
    wait: Duration = field(default=Uniform(100.0, 200.0))
    speed: tuple[float, ...] = (0.5, 1.0, 2.0)
    pattern_duration: float = 2000.0
    peak_sd: float = 60.0
    pattern_seed: int = 0
    low: float = 0.0
    high: float = 1.0
    hold: float = 200.0
    pulse: float = 60.0
    amplitude: float = 1.0
    cue: float = 0.3

    duration_fields: ClassVar[tuple[str, ...]] = ("wait",)
    may_vanish: ClassVar[tuple[str, ...]] = ("wait",)
    any_length: ClassVar[tuple[str, ...]] = ("speed",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "wait", "start", "pattern")
    condition_names: ClassVar[tuple[str, ...]] = ("speed",)
    reference: ClassVar[str] = (
        "Hardy, Goudar, Romero-Sosa & Buonomano (2018) Nature Communications 9:4732 (one pattern at speeds "
        "that an input tells). Departures: the pattern, its duration and peaks, the speeds, the inputs, "
        "score and criterion are ours."
    )

    def check(self) -> None:
        """Refuse speeds and peaks that cannot be told apart, and bins that do not resolve a peak."""
        super().check()
        for name in ("pattern_duration", "peak_sd", "pulse"):
            if getattr(self, name) <= 0:
                self.refuse(name, f"expected a duration; use {name} > 0")
        if min(self.speed) <= 0:
            self.refuse("speed", "time would not go on; use speeds > 0")
        if len(set(self.speed)) < len(self.speed):
            self.refuse("speed", "a speed is given twice; use different values")
        if self.pattern_seed < 0:
            self.refuse("pattern_seed", "expected a seed >= 0")
        for name in ("amplitude", "cue"):
            if getattr(self, name) == 0:
                self.refuse(name, "the input would not be seen; use another value")
        if self.high <= self.low:
            self.refuse("high", f"must exceed low ({self.low:g})")
        widest = APART * (LAST - FIRST) / NUM_PEAKS * self.pattern_duration / 3
        if self.peak_sd > widest:
            self.refuse("peak_sd", f"peaks could run into each other; use at most {widest:.3g}")
        narrow = self.peak_sd / max(self.speed)
        if self.dt > narrow / 2:
            self.refuse("dt", f"cannot resolve a peak of SD {narrow:g} ms; use dt <= {narrow / 2:g}")
        if self.hold < 0:
            self.refuse("hold", "a duration cannot be negative; use hold >= 0")

    @property
    def pattern(self) -> Pattern:
        """The peaks, at places that ``pattern_seed`` draws."""
        even = (LAST - FIRST) / NUM_PEAKS
        spare = LAST - FIRST - (NUM_PEAKS - 1) * APART * even
        free = np.sort(np.random.default_rng(self.pattern_seed).random(NUM_PEAKS))
        places = FIRST + spare * free + APART * even * np.arange(NUM_PEAKS)
        return Pattern(tuple(places.tolist()), self.peak_sd / self.pattern_duration, self.pattern_duration)

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        return durations.bounds(self.wait)[1] + self.pattern_duration / min(self.speed) + self.hold

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return ("start", "speed")

    @property
    def output_names(self) -> tuple[str, ...]:
        """The one output."""
        return ("pattern",)

    @property
    def silent_score(self) -> float:
        """A constant output has no peaks."""
        return 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """90 % correct at the worst speed."""
        return (Criterion("correct", at_least=0.9, group=("speed",), reduce="worst"),)

    @property
    def signature(self) -> Signature:
        """Scale, and times of peaks, against speed."""
        peaks = tuple((f"peak_{place}", f"peak_{place}_time") for place in range(1, NUM_PEAKS + 1))
        return Signature(
            "temporal_scaling",
            (("speed", "speed"), ("scale", "scale"), *peaks),
            ("slope", "worst_error", "weber_slope", "cv", "cv_slope", "fraction_missing"),
        )

    @property
    def hardest(self) -> Hardest:
        """How far apart the speeds are, and so how slow the slowest is."""
        speeds = ((1.0,), (0.7, 1.0, 1.4), (0.5, 1.0, 2.0), (0.3, 1.0, 2.0))
        return Hardest("speed", speeds, "1")

    def plan(self, draw: Draw) -> Plan:
        """Wait and speed."""
        line, start = self.timeline, jnp.zeros((), jnp.float32)
        onset = draw.duration("wait", self.wait)
        speed = jnp.asarray(self.speed, jnp.float32)[draw.index("speed", len(self.speed))]
        over = onset + self.pattern_duration / speed
        end = over + self.hold
        inputs = [
            self.amplitude * line.box(onset, onset + self.pulse),
            self.cue * speed * line.box(start, end),
        ]
        level = self.pattern.level((line.centres - onset) * speed)
        epochs = {
            "trial": (start, end),
            "wait": (start, onset),
            "start": (onset, onset + self.pulse),
            "pattern": (onset, over),
        }
        return Plan(
            jnp.stack(inputs, axis=1),
            (self.low + (self.high - self.low) * level)[:, None],
            line.box(start, end)[:, None],
            epochs,
            {"speed": speed},
        )

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and otherwise NaN, when a valid output is not finite."""
        output, speed = jnp.asarray(outputs)[:, 0], trial.conditions["speed"]
        finite = jnp.all(jnp.isfinite(output) | ~trial.valid)
        onset, end = trial.epochs["start"][0], trial.epochs["trial"][1]
        since = (np.arange(self.num_steps, dtype=np.float32) + 0.5) * np.float32(self.dt)
        level = jnp.where(trial.valid & finite, output, 0)
        level = jnp.interp(onset + since, self.timeline.centres, level)
        scales = (1 / max(self.speed), 1 / min(self.speed))
        found = rescaled(level, onset + since < end, 1 / speed, self.pattern, self.dt, scales)
        error = found.scale * speed - 1
        told = {
            "scale": found.scale,
            "scale_error": error,
            "r2": found.r2,
            **{f"peak_{place + 1}_time": found.times[place] for place in range(NUM_PEAKS)},
        }
        return {
            "correct": finite & (jnp.abs(error) < TOLERANCE) & (found.r2 > GOOD),
            **{name: jnp.where(finite, value, jnp.nan) for name, value in told.items()},
        }
