"""Cue-set-go: produce the interval that a tonic cue asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.config import LATER
from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.timing import OVERSHOOT, Timing

if TYPE_CHECKING:
    from throughtime.tasks.draw import Draw

WANG_CUE = {"cue": (0.2, 0.5), "cue_intervals": (700.0, 1650.0)}


@dataclass(frozen=True, kw_only=True)
class CueSetGo(Timing):
    """A tonic cue tells which interval to produce; a pulse, Set, tells when to start.

    Epochs: cue (the whole trial, or its first ``cue_duration``), wait (until Set), set (the pulse),
    production (from Set to the target interval T); times in ms, all intervals onset to onset.

    Inputs: ``cue``, linear in T and on throughout, or for ``cue_duration``; ``set``. Output: ``production``,
    see :class:`Timing`. Conditions: ``interval`` and ``target_interval`` (both T, ms), ``cue``, ``catch``.

    Score: correct if the produced interval is within 15 % of T and not early. Criterion: 90 % correct, mean
    |relative error| ≤ 0.1, slope ≥ 0.5. Signature: over this wide range a slope near 1 and an SD that grows
    with the interval, SD ∝ T^β: a Weber law is β near 1, diffusion alone gives ½; the cue sets the speed.
    Ramp targets impose scaling, so the claim needs the step target too.

    Attributes:
        wait: from trial onset to Set, ms.
        interval: T, ms; at least 3 different values.
        cue: cue values at the two ``cue_intervals``; intervals outside them extrapolate.
        cue_intervals: two intervals, ms, apart from ``interval`` so that probing new intervals does not
            change what a cue means.
        trial_end: fixed end of every trial, ms, instead of Set + 1.2 T + ``hold``.
        cue_duration: ms from trial onset for which the cue is on; None: the whole trial. A cue that is over
            before Set has to be remembered.

    Sources: the default range, cue and pulse are ours. Wang, Narain, Hosseini and Jazayeri (2018) Nature
    Neuroscience. Beiran, Meirhaeghe, Sohn, Jazayeri and Ostojic (2023) Neuron.

    Example:
        >>> import jax
        >>> task = CueSetGo()
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> scores = task.score(task.ideal(trial), trial)
        >>> bool(abs(scores["produced_interval"] - trial.conditions["interval"]) < 0.1 * task.dt)
        True
    """

    wait: Duration = field(default=Uniform(100.0, 200.0))
    interval: Duration = field(default=Uniform(400.0, 1400.0))
    cue: tuple[float, float] = (0.2, 0.5)
    cue_intervals: tuple[float, float] = (400.0, 1400.0)
    trial_end: float | None = None
    cue_duration: float | None = field(default=None, metadata={LATER: True})

    variants: ClassVar[tuple[str, ...]] = ("beiran", "short", "long")
    duration_fields: ClassVar[tuple[str, ...]] = ("wait", "interval")
    may_vanish: ClassVar[tuple[str, ...]] = ("wait",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "cue", "wait", "set", "production")
    condition_names: ClassVar[tuple[str, ...]] = ("interval", "target_interval", "cue", "catch")
    reference: ClassVar[str] = (
        "Wang et al. (2018) Nature Neuroscience; Beiran et al. (2023) Neuron. Departures: the ramp goes on "
        "to 1.2 times its range so that the threshold is crossed; the default range of intervals is wide."
    )

    @classmethod
    def beiran(cls, **fields: Any) -> Self:
        """Beiran et al. (2023): four intervals, a short strong Set, 10 % of trials without Set."""
        published: dict[str, Any] = {
            "dt": 10.0, "interval": (800.0, 1050.0, 1300.0, 1550.0), "cue": (0.0, 0.25),
            "cue_intervals": (800.0, 1550.0), "pulse": 10.0, "amplitude": 100.0, "low": -0.5, "high": 0.45,
            "catch": 0.1,
        }  # fmt: skip
        return cls(**published | fields)

    @classmethod
    def short(cls, **fields: Any) -> Self:
        """Wang et al. (2018), the short intervals: 720 to 880 ms in steps of 40."""
        return cls._wang(720.0, fields)

    @classmethod
    def long(cls, **fields: Any) -> Self:
        """Wang et al. (2018), the long intervals: 1420 to 1580 ms in steps of 40."""
        return cls._wang(1420.0, fields)

    @classmethod
    def _wang(cls, shortest: float, fields: dict[str, Any]) -> Self:
        published: dict[str, Any] = {
            "interval": tuple(shortest + 40.0 * step for step in range(5)),
            "pulse": 20.0, "amplitude": 0.4, "trial_end": 2200.0,
        }  # fmt: skip
        return cls(**WANG_CUE | published | fields)

    def check(self) -> None:
        """Refuse cues that do not tell intervals apart and trials too short for their target."""
        super().check()
        self.check_intervals("interval")
        if self.cue[0] == self.cue[1]:
            self.refuse("cue", "both intervals get the same cue; use two different values")
        if self.cue_intervals[0] == self.cue_intervals[1]:
            self.refuse("cue_intervals", "a line needs two different intervals")
        if self.trial_end is not None:
            if not durations.is_number(self.trial_end):
                self.refuse("trial_end", "expected ms, or None")
            object.__setattr__(self, "trial_end", float(self.trial_end))
            if self.trial_end < (needed := self._latest_rise):
                self.refuse("trial_end", f"the longest target rises until {needed:g} ms; end no earlier")
        if self.cue_duration is not None:
            if not durations.is_number(self.cue_duration) or self.cue_duration <= 0:
                self.refuse("cue_duration", "expected ms > 0, or None for a cue that stays on")
            object.__setattr__(self, "cue_duration", float(self.cue_duration))

    @property
    def _latest_rise(self) -> float:
        return durations.bounds(self.wait)[1] + OVERSHOOT * durations.bounds(self.interval)[1]

    @property
    def hardest(self) -> Hardest | None:
        """How wide the range of intervals is; nothing where the end of the trial is fixed."""
        if self.trial_end is not None:
            return None
        return Hardest("interval", (Uniform(700.0, 1100.0), Uniform(400.0, 1400.0), Uniform(400.0, 2800.0)))

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return ("cue", "set")

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        return self._latest_rise + self.hold if self.trial_end is None else self.trial_end

    def plan(self, draw: Draw) -> Plan:
        """Interval, wait and whether Set comes at all."""
        line = self.timeline
        wait = draw.duration("wait", self.wait)
        interval = draw.duration("interval", self.interval)
        catch = draw.coin("catch", self.catch)
        start = jnp.zeros((), jnp.float32)
        end = wait + OVERSHOOT * interval + self.hold if self.trial_end is None else start + self.trial_end
        onset = jnp.where(catch, jnp.nan, wait)

        (low, high), (first, last) = self.cue, self.cue_intervals
        cue = low + (high - low) * (interval - first) / (last - first)
        cue_end = end if self.cue_duration is None else jnp.minimum(end, self.cue_duration)
        inputs = jnp.stack(
            [cue * line.box(start, cue_end), self.amplitude * line.box(onset, onset + self.pulse)], axis=1
        )
        epochs = {
            "trial": (start, end),
            "cue": (start, cue_end),
            "wait": (start, wait),
            "set": (onset, onset + self.pulse),
            "production": (onset, onset + interval),
        }
        conditions = {"interval": interval, "target_interval": interval, "cue": cue, "catch": catch}
        return Plan(
            inputs, self.production(onset, interval), line.box(start, end)[:, None], epochs, conditions
        )
