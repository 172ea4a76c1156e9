"""Timing tasks: an interval is produced by an output that crosses a threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial

OVERSHOOT = 1.2
"""Where targets stop rising, in units of the threshold: one that held at it would never clearly cross it."""
STEP = 300.0
"""Duration of the step target, ms."""
GROWTH = 3.0
"""A of the exponential target."""
EARLY = 0.2
"""Fraction of the output's range that counts as a response before Set."""
RESOLUTION = 0.15
"""Largest bin in units of the shortest interval, so that rise and overshoot are both sampled."""


@dataclass(frozen=True, kw_only=True)
class Timing(Task):
    """Base of timing tasks: one output ``production`` and a target interval T from the onset of Set.

    With s the time since Set, the target is, from ``low`` (0) to ``high`` (1),

    * ``"ramp"``: min(s/T, 1.2), threshold ``high``;
    * ``"exponential"``: A(e^(s/αT) − 1) with A = 3 and α = 1/ln(1 + 1/A), at most 1.2, threshold ``high``;
    * ``"step"``: 1 for 300 ms from T on, threshold halfway.

    All end with the trial, 1.2 T + ``hold`` after Set, so they differ in nothing but the target.

    Attributes:
        target: ``"ramp"``, ``"exponential"`` or ``"step"``.
        low, high: output levels at Set and at T.
        hold: ms from 1.2 T after Set to the end of the trial; late responses show in a longer one.
        pulse, amplitude: of input pulses, ms and 1.
        tolerance: largest |relative error| of a correct trial.
        catch: probability of a trial without Set, on which any response is wrong.

    Scores: ``produced_interval`` (ms; crossing of the threshold, interpolated between bin centres, less Set;
    NaN if never, or if the output was above it at Set), ``relative_error``, ``absolute_error`` (its size; 1
    where nothing was produced), ``early`` (above threshold at Set, or above 0.2 of the range before) and
    ``correct``. On catch trials the first three are NaN.
    """

    target: str = "ramp"
    low: float = 0.0
    high: float = 1.0
    hold: float = 300.0
    pulse: float = 60.0
    amplitude: float = 1.0
    tolerance: float = 0.15
    catch: float = 0.0

    def check(self) -> None:
        """Refuse targets without range and windows without length."""
        super().check()
        self.refuse_unless_in("target", ("ramp", "exponential", "step"))
        if self.high <= self.low:
            self.refuse("high", f"must exceed low ({self.low:g})")
        if self.hold < 0:
            self.refuse("hold", "a duration cannot be negative; use hold >= 0")
        if self.pulse <= 0:
            self.refuse("pulse", "an input pulse needs a duration; use pulse > 0")
        if self.amplitude == 0:
            self.refuse("amplitude", "the pulse would not be seen; use another amplitude")
        if not 0 < self.tolerance < 1:
            self.refuse("tolerance", "a relative error lies between 0 and 1")
        self.refuse_unless_probability("catch")
        if self.catch == 1:
            self.refuse("catch", "no trial would ask for an interval; use catch < 1")

    def check_intervals(self, name: str) -> None:
        """Refuse intervals from which no slope can be told, or too short for the bins."""
        intervals = getattr(self, name)
        if durations.num_levels(intervals) < 3:
            self.refuse(name, "a slope needs at least 3 different intervals; use a tuple of 3 or Uniform")
        shortest = durations.bounds(intervals)[0]
        if self.dt > RESOLUTION * shortest:
            limit = RESOLUTION * shortest
            self.refuse("dt", f"cannot resolve an interval of {shortest:g} ms; use dt <= {limit:g}")

    @property
    def output_names(self) -> tuple[str, ...]:
        """The one output."""
        return ("production",)

    @property
    def threshold(self) -> float:
        """Output level that marks the end of the produced interval."""
        return (self.low + self.high) / 2 if self.target == "step" else self.high

    @property
    def silent_score(self) -> float:
        """A silent output is right on catch trials alone."""
        return self.catch if self.threshold > 0 else 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """90 % correct, mean |relative error| at most 0.1, slope of produced on asked at least 0.5.

        The slope keeps out circuits that produce one and the same interval.
        """
        return (
            Criterion("correct", at_least=0.9),
            Criterion("absolute_error", at_most=0.1),
            Criterion("slope", at_least=0.5),
        )

    @property
    def signature(self) -> Signature:
        """Produced against asked intervals."""
        return Signature(
            "timing",
            (("interval", "target_interval"), ("produced", "produced_interval")),
            (
                "slope", "intercept", "indifference", "bias", "variance", "rmse", "weber_fraction",
                "sd_intercept", "sd_slope", "beta", "fraction_missing",
            ),
        )  # fmt: skip

    def production(self, set_onset: Array, interval: Array) -> Array:
        """Target (time, 1) after Set at ``set_onset``; ``low`` throughout where that is NaN."""
        line = self.timeline
        since = jnp.maximum(line.centres - jnp.nan_to_num(set_onset, nan=jnp.inf), 0)
        if self.target == "ramp":
            level = jnp.minimum(since / interval, OVERSHOOT)
        elif self.target == "exponential":
            rate = math.log1p(1 / GROWTH)
            level = jnp.minimum(GROWTH * jnp.expm1(rate * since / interval), OVERSHOOT)
        else:
            level = line.box(set_onset + interval, set_onset + interval + STEP)
        return (self.low + (self.high - self.low) * level)[:, None]

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct when an output on a valid sample is not finite."""
        output, valid, centres = jnp.asarray(outputs)[:, 0], trial.valid, self.timeline.centres
        onset, target = trial.epochs["production"][0], trial.conditions["target_interval"]
        catch = trial.conditions["catch"]
        finite = jnp.all(jnp.isfinite(output) | ~valid)
        above = (output >= self.threshold) & valid
        ahead = jnp.interp(onset, centres, output) >= self.threshold
        limit = self.low + EARLY * (self.high - self.low)
        early = ahead | jnp.any((output > limit) & (centres <= onset) & valid)

        crosses = above[1:] & ~above[:-1] & valid[:-1]
        rise = jnp.where(crosses, output[1:] - output[:-1], 1)
        crossing = centres[:-1] + self.dt * jnp.where(crosses, self.threshold - output[:-1], 0) / rise
        after = crosses & (crossing >= onset)
        produced = jnp.where(after.any() & ~ahead & finite, crossing[jnp.argmax(after)] - onset, jnp.nan)

        relative = (produced - target) / target
        absolute = jnp.where(jnp.isnan(relative), 1.0, jnp.abs(relative))
        timely = (absolute <= self.tolerance) & ~early
        return {
            "correct": finite & jnp.where(catch, ~above.any(), timely),
            "produced_interval": produced,
            "relative_error": relative,
            "absolute_error": jnp.where(catch, jnp.nan, absolute),
            "early": early & ~catch,
        }
