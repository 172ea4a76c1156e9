"""Interval production: measure an interval, hold it over a delay, and produce it after Go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.success import error_if_successful, where_it_counts
from throughtime.tasks.timing import OVERSHOOT, Timing

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

LARGEST_ERROR = 0.025
"""Mean |relative error| of successful trials at which the task counts as learned."""


@dataclass(frozen=True, kw_only=True)
class IntervalProduction(Timing):
    """Two pulses T apart are followed by a delay and a Go pulse: produce T again, from Go on.

    Epochs: wait (until the first pulse), interval (from the first pulse to the second), delay (from the
    second pulse to Go), go (the pulse), production (from Go to the target interval T); times in ms, all
    intervals onset to onset. The trial ends ``hold`` after T (after 1.2 T if the target is not a step).

    Inputs: ``pulse`` (both pulses), ``go``. Output: ``production``, see :class:`Timing`; the target is a
    step by default. The loss, and what counts as early, begin with the first pulse. Conditions:
    ``interval`` and ``target_interval`` (both T, ms), ``delay`` (ms), ``catch`` (a trial without Go).

    Score: as :class:`Timing`, and ``success`` (no output above 0.2 from the first pulse to Go, and the
    threshold crossed afterwards) and ``success_error`` (|relative error| of a successful trial; 0.025 of
    another one, so that it does not count). Criterion: 95 % success, and a mean |relative error| of the
    successful trials of at most 0.025. Signature: produced against measured interval.

    Attributes:
        wait: from trial onset to the first pulse, ms.
        interval: T, ms; at least 3 different values.
        delay: ms.
        pulse_counts: whether a pulse is part of the interval. If not, the interval runs from offset to
            onset, and relative errors are in units of T − ``pulse``.

    Sources: Bi and Zhou (2020) PNAS 117:10530.

    Example:
        >>> import jax
        >>> task = IntervalProduction()
        >>> task.duration, task.input_names
        (5200.0, ('pulse', 'go'))
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> scores = task.score(task.ideal(trial), trial)
        >>> bool(scores["success"]), bool(scores["success_error"] < 0.01)
        (True, True)
    """

    target: str = "step"
    wait: Duration = field(default=Uniform(80.0, 500.0))
    interval: Duration = field(default=Uniform(400.0, 1400.0))
    delay: Duration = field(default=Uniform(600.0, 1600.0))
    pulse_counts: bool = True

    variants: ClassVar[tuple[str, ...]] = ("bi_zhou", "long")
    duration_fields: ClassVar[tuple[str, ...]] = ("wait", "interval", "delay")
    may_vanish: ClassVar[tuple[str, ...]] = ("wait",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "wait", "interval", "delay", "go", "production")
    condition_names: ClassVar[tuple[str, ...]] = ("interval", "target_interval", "delay", "catch")
    reference: ClassVar[str] = (
        "Bi & Zhou (2020) PNAS 117:10530 (timings, mask and success as in their public code). Departures: "
        "intervals are measured from onset to onset; the produced interval is interpolated between bins; Go "
        "ends the time in which a response is early at its onset, not its offset."
    )

    @classmethod
    def bi_zhou(cls, **fields: Any) -> Self:
        """Bi and Zhou (2020): intervals and delays run from the offset of a pulse to the onset of the next.

        Theirs of 400 to 1400 and 600 to 1600 ms are 60 ms longer from onset to onset; errors are relative to
        theirs. They judge on 600 to 1200: ``interval=Uniform(660, 1260)``. Input noise of 0.01 at a time
        constant of 20 ms is σ = 0.0045.
        """
        published: dict[str, Any] = {
            "interval": Uniform(460.0, 1460.0), "delay": Uniform(660.0, 1660.0), "pulse_counts": False,
            "noise": 0.0045,
        }  # fmt: skip
        return cls(**published | fields)

    @classmethod
    def long(cls, **fields: Any) -> Self:
        """Bi and Zhou (2020), intervals up to 2800 ms; they judge on 600 to 2400."""
        return cls.bi_zhou(**{"interval": Uniform(460.0, 2860.0)} | fields)

    def check(self) -> None:
        """Refuse pulses that overlap, and steps that the trial leaves no room for."""
        super().check()
        self.check_intervals("interval")
        for name in ("interval", "delay"):
            if durations.bounds(getattr(self, name))[0] <= self.pulse:
                self.refuse(name, f"the pulses would overlap; use more than {self.pulse:g} ms")
        if self.target == "step" and self.hold < self.dt / 2:
            self.refuse("hold", f"the trial would end before the step shows; use hold >= {self.dt / 2:g}")

    @property
    def _rise(self) -> float:
        return 1.0 if self.target == "step" else OVERSHOOT

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        wait, interval, delay = (durations.bounds(getattr(self, name))[1] for name in self.duration_fields)
        return wait + interval + delay + self._rise * interval + self.hold

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return ("pulse", "go")

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % success, and a mean |relative error| among successes of at most 0.025."""
        return (
            Criterion("success", at_least=0.95),
            Criterion("success_error", at_most=LARGEST_ERROR),
        )

    @property
    def hardest(self) -> Hardest:
        """How long intervals may be."""
        return Hardest("interval", (Uniform(400.0, 700.0), Uniform(400.0, 1400.0), Uniform(400.0, 2800.0)))

    def plan(self, draw: Draw) -> Plan:
        """Interval, wait and delay, and whether Go comes at all."""
        line = self.timeline
        wait, interval, delay = (draw.duration(name, getattr(self, name)) for name in self.duration_fields)
        catch = draw.coin("catch", self.catch)
        start = jnp.zeros((), jnp.float32)
        second = wait + interval
        go = second + delay
        end = go + self._rise * interval + self.hold
        onset = jnp.where(catch, jnp.nan, go)

        pulses = line.box(wait, wait + self.pulse) + line.box(second, second + self.pulse)
        inputs = self.amplitude * jnp.stack([pulses, line.box(onset, onset + self.pulse)], axis=1)
        epochs = {
            "trial": (start, end),
            "wait": (start, wait),
            "interval": (wait, second),
            "delay": (second, go),
            "go": (onset, onset + self.pulse),
            "production": (onset, onset + interval),
        }
        conditions = {"interval": interval, "target_interval": interval, "delay": delay, "catch": catch}
        mask = line.box(jnp.where(catch, 0, wait), end)[:, None]
        return Plan(inputs, self.production(onset, interval), mask, epochs, conditions)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; nothing that is not finite is a success."""
        scores = super().score(where_it_counts(outputs, trial, self.low), trial)
        target, catch = trial.conditions["target_interval"], trial.conditions["catch"]
        counted = target if self.pulse_counts else target - self.pulse
        relative = (scores["produced_interval"] - target) / counted
        produced = jnp.isfinite(relative)
        absolute = jnp.where(catch, jnp.nan, jnp.where(produced, jnp.abs(relative), 1.0))
        timely = (absolute <= self.tolerance) & ~scores["early"]
        success = jnp.where(catch, scores["correct"], produced & ~scores["early"])
        finite = jnp.all(jnp.isfinite(jnp.asarray(outputs)) | ~trial.valid[:, None])
        return scores | {
            "correct": jnp.where(catch, scores["correct"], timely),
            "relative_error": relative,
            "absolute_error": absolute,
            "success": success,
            "success_error": error_if_successful(absolute, success, finite, LARGEST_ERROR),
        }
