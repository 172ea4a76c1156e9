"""Measure-wait-go: measure an interval, hold it over a delay, and produce it from Set on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.success import where_it_counts
from throughtime.tasks.timing import OVERSHOOT, Timing

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class MeasureWaitGo(Timing):
    """Two pulses, Ready and Measure, are T apart; after a delay, Set asks to produce T.

    What was measured is held while nothing happens, and then sets the speed of a ramp. Circuits of rank 3
    can do it.

    Epochs: wait (until Ready), ready (the pulse), measurement (from Ready to Measure), measure (the pulse),
    delay (from Measure to Set), set (the pulse), production (from Set to the target interval T); times in
    ms, all intervals onset to onset. The trial ends ``hold`` after 1.2 T from Set.

    Inputs: ``measure`` (the pulses Ready and Measure), ``set``. Output: ``production``, see :class:`Timing`.
    The loss, and what counts as early, begin ``margin`` before Set; loss and production end ``margin`` after
    T. Catch trials lack Set or, every other one, any input; their output shall rest throughout, and all of
    it bears loss. Conditions: ``interval`` and ``target_interval`` (both T, ms), ``delay`` (ms), ``catch``,
    ``blank`` (a catch trial without any input).

    Score and criterion: as :class:`Timing`. Signature: produced against measured interval.

    Attributes:
        wait: from trial onset to Ready, ms.
        interval: T, ms; at least 3 different values.
        delay: ms.
        margin: of the time that counts, before Set and after T, ms.
        blank: share of catch trials that have no input at all; the others have Ready and Measure.

    Source: Beiran, Meirhaeghe, Sohn, Jazayeri and Ostojic (2023) Neuron.

    Example:
        >>> import jax
        >>> task = MeasureWaitGo()
        >>> task.input_names, task.threshold, task.silent_score
        (('measure', 'set'), 0.5, 0.2)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> bool(task.score(task.ideal(trial), trial)["correct"])
        True
    """

    dt: float = 10.0
    pulse: float = 10.0
    amplitude: float = 10.0
    low: float = -0.5
    high: float = 0.5
    catch: float = 0.2
    wait: Duration = field(default=Uniform(100.0, 200.0))
    interval: Duration = (800.0, 1050.0, 1300.0, 1550.0)
    delay: Duration = field(default=Uniform(500.0, 1500.0))
    margin: float = 300.0
    blank: float = 0.5

    variants: ClassVar[tuple[str, ...]] = ("beiran",)
    duration_fields: ClassVar[tuple[str, ...]] = ("wait", "interval", "delay")
    may_vanish: ClassVar[tuple[str, ...]] = ("wait",)
    shown_by: ClassVar[tuple[str, ...]] = ("interval",)
    epoch_names: ClassVar[tuple[str, ...]] = (
        "trial", "wait", "ready", "measurement", "measure", "delay", "set", "production",
    )  # fmt: skip
    condition_names: ClassVar[tuple[str, ...]] = ("interval", "target_interval", "delay", "catch", "blank")
    reference: ClassVar[str] = (
        "Beiran, Meirhaeghe, Sohn, Jazayeri & Ostojic (2023) Neuron 111:739 (intervals, pulses, levels, "
        "margin and catch trials as in their public code, which draws each kind of catch trial on its own). "
        "Departures: the ramp goes on to 1.2 times its range so that the threshold is crossed; Ready and "
        "Measure share an input, which the circuits of their figures keep apart; the range of delays and the "
        "time before Ready are ours."
    )

    @classmethod
    def beiran(cls, **fields: Any) -> Self:
        """Beiran et al. (2023): delays of 200 to 2500 ms, the range in their public code."""
        return cls(**{"delay": Uniform(200.0, 2500.0)} | fields)

    def check(self) -> None:
        """Refuse pulses that overlap, and windows in which a right response would not be seen."""
        super().check()
        self.check_intervals("interval")
        for name in ("interval", "delay"):
            if durations.bounds(getattr(self, name))[0] <= self.pulse:
                self.refuse(name, f"the pulses would overlap; use more than {self.pulse:g} ms")
        latest = max(self.dt, self.tolerance * durations.bounds(self.interval)[1])
        if self.margin < latest:
            self.refuse("margin", f"right responses could come after it; use margin >= {latest:g}")
        self.refuse_unless_probability("blank")

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        wait, interval, delay = (durations.bounds(getattr(self, name))[1] for name in self.duration_fields)
        return wait + interval + delay + OVERSHOOT * interval + self.hold

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return ("measure", "set")

    @property
    def hardest(self) -> Hardest:
        """How long the interval is held."""
        ranges = ((200.0, 500.0), (500.0, 1500.0), (1500.0, 3000.0), (3000.0, 6000.0))
        return Hardest("delay", tuple(Uniform(*bounds) for bounds in ranges))

    def plan(self, draw: Draw) -> Plan:
        """Wait, interval and delay, and which inputs come at all."""
        line, start = self.timeline, jnp.zeros((), jnp.float32)
        wait, interval, delay = (draw.duration(name, getattr(self, name)) for name in self.duration_fields)
        catch = draw.coin("catch", self.catch)
        blank = catch & draw.coin("blank", self.blank)
        second = wait + interval
        go = second + delay
        end = go + OVERSHOOT * interval + self.hold
        ready, measure = jnp.where(blank, jnp.nan, jnp.stack([wait, second]))
        onset = jnp.where(catch, jnp.nan, go)

        measured = line.box(ready, ready + self.pulse) + line.box(measure, measure + self.pulse)
        inputs = self.amplitude * jnp.stack([measured, line.box(onset, onset + self.pulse)], axis=1)
        epochs = {
            "trial": (start, end),
            "wait": (start, wait),
            "ready": (ready, ready + self.pulse),
            "measurement": (ready, measure),
            "measure": (measure, measure + self.pulse),
            "delay": (measure, jnp.where(blank, jnp.nan, go)),
            "set": (onset, onset + self.pulse),
            "production": (onset, onset + interval),
        }
        conditions = {
            "interval": interval, "target_interval": interval, "delay": delay, "catch": catch, "blank": blank,
        }  # fmt: skip
        opens = jnp.where(catch, start, go - self.margin)
        closes = jnp.where(catch, end, jnp.minimum(end, go + interval + self.margin))
        mask = line.box(opens, closes)[:, None]
        return Plan(inputs, self.production(onset, interval), mask, epochs, conditions)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial, see :class:`Timing`; outputs without loss are neither early nor late."""
        return super().score(where_it_counts(outputs, trial, self.low), trial)
