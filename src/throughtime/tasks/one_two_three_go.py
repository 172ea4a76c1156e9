"""One-two-three-go: an interval is shown twice, and the better for it produced."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.timing import OVERSHOOT, Timing

if TYPE_CHECKING:
    from throughtime.tasks.draw import Draw


@dataclass(frozen=True, kw_only=True)
class OneTwoThreeGo(Timing):
    """Three pulses follow each other at an interval T: produce the fourth, T after the third.

    The interval is measured twice before it is produced. Who updates an estimate with each measurement
    relies less on the prior, and is more precise, than after one measurement (``num_samples=1``, the task
    1-2-Go).

    Epochs: wait (until the first pulse), measurement (from the first pulse to Set), set (the last pulse),
    production (from Set to the target interval T); times in ms, all intervals onset to onset. The trial ends
    ``hold`` after 1.2 T from Set.

    Input: ``pulse`` (all pulses; the last of them is Set). Output: ``production``, see :class:`Timing`. The
    whole trial bears loss. Conditions: ``interval`` and ``target_interval`` (both T, ms), ``catch`` (a trial
    without its last pulse).

    Score and criterion: as :class:`Timing`. Signature: produced against shown interval, with a slope nearer
    to 1 and a smaller variance than after one sample. The noise on inputs and units must be large enough for
    a single measurement to be uncertain.

    Attributes:
        wait: from trial onset to the first pulse, ms.
        interval: T, ms; at least 3 different values.
        num_samples: how often the interval is shown; there is one pulse more.

    Source: Egger, Remington, Chang and Jazayeri (2019) Nature Neuroscience 22:1871.

    Example:
        >>> import jax
        >>> once, twice = OneTwoThreeGo(num_samples=1), OneTwoThreeGo()
        >>> twice.duration - once.duration
        1000.0
        >>> trial = jax.jit(twice.trial)(jax.random.key(0))
        >>> bool(twice.score(twice.ideal(trial), trial)["correct"])
        True
    """

    wait: Duration = field(default=Uniform(100.0, 200.0))
    interval: Duration = field(default=Uniform(600.0, 1000.0))
    num_samples: int = 2

    variants: ClassVar[tuple[str, ...]] = ("one_two_go",)
    duration_fields: ClassVar[tuple[str, ...]] = ("wait", "interval")
    may_vanish: ClassVar[tuple[str, ...]] = ("wait",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "wait", "measurement", "set", "production")
    condition_names: ClassVar[tuple[str, ...]] = ("interval", "target_interval", "catch")
    reference: ClassVar[str] = (
        "Egger, Remington, Chang & Jazayeri (2019) Nature Neuroscience 22:1871 (intervals of 600 to 1000 "
        "ms). Departures: the time before the first pulse, the pulses and the ramp, which goes on to 1.2 "
        "times its range so that the threshold is crossed, are ours."
    )

    @classmethod
    def one_two_go(cls, **fields: Any) -> Self:
        """The interval is shown once, to compare with."""
        return cls(**{"num_samples": 1} | fields)

    def check(self) -> None:
        """Refuse trials without a measurement and pulses that overlap."""
        super().check()
        self.check_intervals("interval")
        if self.num_samples < 1:
            self.refuse("num_samples", "no interval would be shown; use num_samples >= 1")
        if durations.bounds(self.interval)[0] <= self.pulse:
            self.refuse("interval", f"the pulses would overlap; use more than {self.pulse:g} ms")

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        wait, interval = (durations.bounds(getattr(self, name))[1] for name in self.duration_fields)
        return wait + (self.num_samples + OVERSHOOT) * interval + self.hold

    @property
    def input_names(self) -> tuple[str, ...]:
        """Name of the input."""
        return ("pulse",)

    @property
    def hardest(self) -> Hardest:
        """How wide the range of intervals is."""
        return Hardest("interval", (Uniform(700.0, 900.0), Uniform(600.0, 1000.0), Uniform(400.0, 1400.0)))

    def plan(self, draw: Draw) -> Plan:
        """Wait and interval, and whether Set comes at all."""
        line, start = self.timeline, jnp.zeros((), jnp.float32)
        wait, interval = (draw.duration(name, getattr(self, name)) for name in self.duration_fields)
        catch = draw.coin("catch", self.catch)
        go = wait + self.num_samples * interval
        end = go + OVERSHOOT * interval + self.hold
        onset = jnp.where(catch, jnp.nan, go)

        before = wait + np.arange(self.num_samples, dtype=np.float32) * interval
        onsets = jnp.append(before, onset)[:, None]
        pulses = line.box(onsets, onsets + self.pulse).sum(0)
        epochs = {
            "trial": (start, end),
            "wait": (start, wait),
            "measurement": (wait, go),
            "set": (onset, onset + self.pulse),
            "production": (onset, onset + interval),
        }
        conditions = {"interval": interval, "target_interval": interval, "catch": catch}
        return Plan(
            self.amplitude * pulses[:, None],
            self.production(onset, interval),
            line.box(start, end)[:, None],
            epochs,
            conditions,
        )
