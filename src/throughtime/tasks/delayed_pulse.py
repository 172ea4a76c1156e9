"""Delayed pulse: one timed peak, long after the input that started it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

GOOD = 0.5
"""Squared correlation above which a trial is correct."""


@dataclass(frozen=True, kw_only=True)
class DelayedPulse(Task):
    """A short input starts a trajectory at whose end, seconds later, the output shows one timed peak.

    Epochs: wait (until the input pulse), pulse, delay (from the onset of the pulse to the peak),
    perturbation (absent unless there is one); times in ms, all intervals onset to onset.

    Inputs: ``pulse``; ``perturbation``, 0 unless there is one. Both are always there, so that a circuit can
    be probed by ``dataclasses.replace(task, perturbation=0.5)``. Output: ``peak``, with target
    low + (high − low) exp(−(t − delay)²/2 SD²), t since the onset of the pulse. What counts for the loss and
    for the score is the time from the end of the pulse to the end of the trial, ``hold`` after the peak.
    Conditions: ``delay`` (ms), ``perturbation`` (amplitude).

    Score: ``r2``, squared correlation of output and target (0 for a constant output); ``peak_time``, of the
    largest output since the onset of the pulse, interpolated by a parabola, ms (NaN for a constant output);
    ``correct`` if r2 > 0.5 and the correlation is positive, criterion 90 % of trials. Signature: the peak
    times against the delay, pooled over circuits trained with other delays; their SD grows with it, and r2
    falls at the longest delays a circuit can time.

    Attributes:
        wait: from the start of the trial to the pulse, ms.
        pulse, amplitude: of the input pulse, ms and 1.
        delay: from the onset of the pulse to the peak, ms.
        peak_sd: SD of the Gaussian peak, ms.
        low, high: output levels at rest and at the peak.
        hold: ms from the peak to the end of the trial.
        perturbation: amplitude of a second input pulse, 0 for none; it comes in every trial.
        perturbation_onset: since the onset of the pulse, ms.
        perturbation_duration: ms.

    Sources: Laje and Buonomano (2013) Nature Neuroscience 16:925; replication: Vitay (2016) ReScience 2(1).

    Example:
        >>> import jax
        >>> task = DelayedPulse(delay=500.0)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> scores = task.score(task.ideal(trial), trial)
        >>> round(float(scores["r2"]), 3), round(float(scores["peak_time"]))
        (1.0, 500)
    """

    dt: float = 5.0
    wait: durations.Duration = 200.0
    pulse: float = 50.0
    amplitude: float = 5.0
    delay: float = 1000.0
    peak_sd: float = 30.0 / math.sqrt(2)
    low: float = 0.2
    high: float = 1.0
    hold: float = 150.0
    perturbation: float = 0.0
    perturbation_onset: float = 500.0
    perturbation_duration: float = 10.0

    variants: ClassVar[tuple[str, ...]] = ("laje",)
    duration_fields: ClassVar[tuple[str, ...]] = ("wait",)
    may_vanish: ClassVar[tuple[str, ...]] = ("wait",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "wait", "pulse", "delay", "perturbation")
    condition_names: ClassVar[tuple[str, ...]] = ("delay", "perturbation")
    reference: ClassVar[str] = (
        "Laje & Buonomano (2013) Nature Neuroscience 16:925; levels, width, perturbations and the window of "
        "loss and score as in the replication by Vitay (2016) ReScience 2(1). Departures: bins of 5 ms, "
        "published 1; delays (published 250 to 8000 ms) run from the onset of the input pulse, in the "
        "replication from its end; tolerance and criterion are ours."
    )

    @classmethod
    def laje(cls, **fields: Any) -> Self:
        """Laje and Buonomano (2013), Figure 1: a peak 2 s after the end of the pulse, bins of 1 ms.

        Their perturbation is ``perturbation=0.5``, 500 ms after the onset of the pulse (0.2 after 300 ms
        with ``amplitude=2`` in Figure 2). No input noise.
        """
        return cls(**{"dt": 1.0, "noise": 0.0, "delay": 2050.0} | fields)

    def check(self) -> None:
        """Refuse peaks that the bins, the trial or the pulse leave no room for."""
        super().check()
        for name in ("pulse", "peak_sd", "perturbation_duration"):
            if getattr(self, name) <= 0:
                self.refuse(name, f"expected a duration; use {name} > 0")
        if self.amplitude == 0:
            self.refuse("amplitude", "the pulse would not be seen; use another amplitude")
        if self.high <= self.low:
            self.refuse("high", f"must exceed low ({self.low:g})")
        if self.dt > self.peak_sd / 2:
            limit = _two_digits(self.peak_sd / 2)
            raise ValueError(
                f"{type(self).__name__}: dt {self.dt:g} ms cannot resolve a peak of SD {self.peak_sd:.0f} "
                f"ms; use dt <= {limit:g}."
            )
        if self.delay < self.pulse + 2 * self.peak_sd:
            earliest = math.ceil(self.pulse + 2 * self.peak_sd)
            self.refuse("delay", f"the peak would rise during the pulse; use delay >= {earliest}")
        if self.hold < 2 * self.peak_sd:
            self.refuse("hold", f"the trial ends within the peak; use hold >= {math.ceil(2 * self.peak_sd)}")
        last = self.delay - self.perturbation_duration
        if self.perturbation and not 0 <= self.perturbation_onset <= last:
            self.refuse("perturbation_onset", f"not within the delay; use 0 to {last:g}")

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        return durations.bounds(self.wait)[1] + self.delay + self.hold

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return ("pulse", "perturbation")

    @property
    def output_names(self) -> tuple[str, ...]:
        """The one output."""
        return ("peak",)

    @property
    def silent_score(self) -> float:
        """A constant output correlates with nothing."""
        return 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """90 % correct."""
        return (Criterion("correct", at_least=0.9),)

    @property
    def signature(self) -> Signature:
        """Peak times against delays."""
        return Signature(
            "timing",
            (("interval", "delay"), ("produced", "peak_time")),
            (
                "slope", "intercept", "bias", "variance", "rmse", "weber_fraction", "sd_intercept",
                "sd_slope", "beta", "fraction_missing",
            ),
        )  # fmt: skip

    @property
    def hardest(self) -> Hardest:
        """How late the peak is."""
        return Hardest("delay", (250.0, 1000.0, 2000.0, 4000.0, 8000.0))

    def plan(self, draw: Draw) -> Plan:
        """When the pulse comes."""
        line = self.timeline
        start, onset = jnp.zeros((), jnp.float32), draw.duration("wait", self.wait)
        peak, pulsed = onset + self.delay, onset + self.pulse
        end = peak + self.hold
        disturbed = onset + (self.perturbation_onset if self.perturbation else jnp.nan)
        recovered = disturbed + self.perturbation_duration
        inputs = jnp.stack(
            [self.amplitude * line.box(onset, pulsed), self.perturbation * line.box(disturbed, recovered)],
            axis=1,
        )
        level = jnp.exp(-0.5 * jnp.square((line.centres - peak) / self.peak_sd))
        epochs = {
            "trial": (start, end),
            "wait": (start, onset),
            "pulse": (onset, pulsed),
            "delay": (onset, peak),
            "perturbation": (disturbed, recovered),
        }
        return Plan(
            inputs,
            (self.low + (self.high - self.low) * level)[:, None],
            line.box(pulsed, end)[:, None],
            epochs,
            {"delay": jnp.asarray(self.delay), "perturbation": jnp.asarray(self.perturbation)},
        )

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and otherwise NaN, when a valid output is not finite."""
        output, weight = jnp.asarray(outputs)[:, 0], trial.mask[:, 0]
        finite = jnp.all(jnp.isfinite(output) | ~trial.valid)
        judged = weight > 0
        output = jnp.where(judged & finite, output, 0)

        weight = weight / weight.sum()
        mean = (weight * output).sum()
        away = jnp.where(judged, output - mean, 0)
        target = trial.targets[:, 0] - (weight * trial.targets[:, 0]).sum()
        shared, power = (weight * away * target).sum(), (weight * away**2).sum()
        varies = power > 1e-10 * mean**2  # above what rounding leaves of a constant
        r2 = jnp.where(varies, shared**2 / jnp.where(varies, power * (weight * target**2).sum(), 1), 0)

        largest = jnp.argmax(jnp.where(judged, output, -jnp.inf))
        inner = jnp.clip(largest, 1, self.num_steps - 2)
        before, at, after = output[inner - 1], output[inner], output[inner + 1]
        bend = before - 2 * at + after
        round_top = (largest == inner) & judged[inner - 1] & judged[inner + 1]
        shift = jnp.where(round_top, 0.5 * (before - after) / jnp.where(round_top, bend, -1), 0)
        since = jnp.asarray(self.timeline.centres)[largest] + self.dt * shift - trial.epochs["pulse"][0]
        return {
            "correct": finite & (r2 > GOOD) & (shared > 0),
            "r2": jnp.where(finite, r2, jnp.nan),
            "peak_time": jnp.where(finite & varies, since, jnp.nan),
        }


def _two_digits(value: float) -> float:
    """``value`` rounded down to two digits."""
    unit = 10.0 ** math.floor(math.log10(value) - 1)
    return math.floor(value / unit) * unit
