"""Ready-set-go: reproduce an interval that was drawn from a prior worth knowing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature
from throughtime.tasks.success import where_it_counts
from throughtime.tasks.timing import OVERSHOOT, RESOLUTION, Timing

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

PRIORS = ("short", "intermediate", "long")
"""Names of the priors, in the order of the condition ``prior`` and of ``context``."""
GAIN_LEVEL = 0.3
"""Level of the input ``gain`` at a gain of 1, to which it is proportional."""


@dataclass(frozen=True, kw_only=True)
class ReadySetGo(Timing):
    """Ready and Set are an interval apart; produce it (times a gain) again, from Set on.

    The interval comes from a prior, and who knows the prior does better by leaning towards its middle, the
    more so the less certain the measurement. A tonic context tells from which prior.

    Epochs: burn, wait (until Ready), ready (the pulse), measurement (from Ready to Set), set (the pulse),
    production (from Set to the target interval T, the gain times the interval); times in ms, all intervals
    onset to onset. The loss, and what counts as early, begin after the burn.

    Inputs: ``ready_set`` (both pulses); ``context``, on throughout, if there is more than one prior; and
    ``gain``, on throughout at 0.3 times the gain, if there is more than one gain. Output: ``production``,
    see :class:`Timing`. Conditions: ``interval`` (between Ready and Set, ms), ``target_interval`` (T, ms),
    ``prior`` (0 short, 1 intermediate, 2 long), ``gain``, ``catch`` (a trial without Set).

    Score and criterion: as :class:`Timing`, with the slope within priors. Signature: a slope below 1, lower
    with more noise; an indifference point inside the prior; an interval that two priors share (800 ms) is
    produced shorter under the shorter one. Within one narrow prior no Weber law is to be expected.

    Attributes:
        burn: ms at the beginning that bear no loss, while activity settles.
        wait: from then to Ready, ms.
        short, intermediate, long: the priors, ms; None where the task has no such prior.
        prior: one of their names, or ``"mixed"``: each with equal probability.
        context: level of the input ``context`` under each of the three.
        gain: T in units of the measured interval; several values are equally likely.

    Sources: Jazayeri and Shadlen (2010) Nature Neuroscience 13:1020. Remington, Narain, Hosseini and
    Jazayeri (2018) Neuron 98:1005. Sohn, Narain, Meirhaeghe and Jazayeri (2019) Neuron 103:934.

    Example:
        >>> import jax
        >>> task = ReadySetGo()
        >>> task.input_names, ReadySetGo.remington().input_names
        (('ready_set', 'context'), ('ready_set', 'gain'))
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> bool(task.score(task.ideal(trial), trial)["correct"])
        True
    """

    burn: float = 50.0
    wait: Duration = field(default=Uniform(100.0, 200.0))
    short: Duration | None = (480.0, 560.0, 640.0, 720.0, 800.0)
    intermediate: Duration | None = None
    long: Duration | None = (800.0, 900.0, 1000.0, 1100.0, 1200.0)
    prior: str = "mixed"
    context: tuple[float, float, float] = (0.3, 0.35, 0.4)
    gain: tuple[float, ...] = (1.0,)

    variants: ClassVar[tuple[str, ...]] = ("sohn", "jazayeri_shadlen", "remington")
    duration_fields: ClassVar[tuple[str, ...]] = ("wait", *PRIORS)
    may_vanish: ClassVar[tuple[str, ...]] = ("wait",)
    may_coincide: ClassVar[tuple[str, ...]] = PRIORS
    any_length: ClassVar[tuple[str, ...]] = ("gain",)
    epoch_names: ClassVar[tuple[str, ...]] = (
        "trial", "burn", "wait", "ready", "measurement", "set", "production",
    )  # fmt: skip
    condition_names: ClassVar[tuple[str, ...]] = ("interval", "target_interval", "prior", "gain", "catch")
    reference: ClassVar[str] = (
        "Jazayeri & Shadlen (2010) Nature Neuroscience 13:1020; Remington et al. (2018) Neuron 98:1005; Sohn "
        "et al. (2019) Neuron 103:934. Departures: the ramp goes on to 1.2 times its range so that the "
        "threshold is crossed; the context of the intermediate prior, the input for the gain and the absence "
        "of loss in the burn are ours; the exponential target reaches 1 at T (α = 3.48 for A = 3)."
    )

    @classmethod
    def sohn(cls, **fields: Any) -> Self:
        """Sohn et al. (2019): bins of 1 ms, pulses of 20 ms and 0.4, errors up to 5 %.

        ``prior="short"`` and ``prior="long"`` ask for one prior; the channels stay.
        """
        published: dict[str, Any] = {"dt": 1.0, "pulse": 20.0, "amplitude": 0.4, "tolerance": 0.05}
        return cls(**published | fields)

    @classmethod
    def jazayeri_shadlen(cls, **fields: Any) -> Self:
        """Jazayeri and Shadlen (2010): three overlapping uniform priors, here without gaps."""
        published: dict[str, Any] = {
            "short": Uniform(494.0, 847.0), "intermediate": Uniform(671.0, 1023.0),
            "long": Uniform(847.0, 1200.0),
        }  # fmt: skip
        return cls(**published | fields)

    @classmethod
    def remington(cls, **fields: Any) -> Self:
        """Remington et al. (2018): one prior of 500 to 1000 ms, gains 1 and 1.5, an exponential target."""
        published: dict[str, Any] = {
            "short": None, "intermediate": Uniform(500.0, 1000.0), "long": None, "gain": (1.0, 1.5),
            "target": "exponential",
        }  # fmt: skip
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse priors that nothing can be learned from or told apart, and pulses that overlap."""
        super().check()
        if self.burn < 0:
            self.refuse("burn", "a duration cannot be negative; use burn >= 0")
        if not self.priors:
            self.refuse("short", "a task needs a prior; give short, intermediate or long")
        self.refuse_unless_in("prior", ("mixed", *self.priors))
        for name in self.priors:
            self.check_intervals(name)
            if durations.bounds(getattr(self, name))[0] <= self.pulse:
                self.refuse(name, f"Ready and Set would overlap; use more than {self.pulse:g} ms")
        levels = [self.context[PRIORS.index(name)] for name in self.priors]
        if len(set(levels)) < len(levels):
            self.refuse("context", "two priors get the same context; use different values")
        if min(self.gain) <= 0:
            self.refuse("gain", "nothing would be left to produce; use gains > 0")
        if len(set(self.gain)) < len(self.gain):
            self.refuse("gain", "a gain is given twice; use different values")
        shortest = min(self.gain) * min(durations.bounds(getattr(self, name))[0] for name in self.priors)
        if self.dt > (limit := RESOLUTION * shortest):
            self.refuse("dt", f"cannot resolve a target of {shortest:g} ms; use dt <= {limit:g}")

    @property
    def priors(self) -> tuple[str, ...]:
        """Names of the priors of the task, asked for or not."""
        return tuple(name for name in PRIORS if getattr(self, name) is not None)

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the priors from which intervals are drawn."""
        return self.priors if self.prior == "mixed" else (self.prior,)

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        longest = max(durations.bounds(getattr(self, name))[1] for name in self.asked)
        produced = OVERSHOOT * max(self.gain) * longest
        return self.burn + durations.bounds(self.wait)[1] + longest + produced + self.hold

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        context = ("context",) if len(self.priors) > 1 else ()
        return ("ready_set", *context, *(("gain",) if len(self.gain) > 1 else ()))

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """The priors."""
        return {"prior": tuple(f"{name}_prior" for name in PRIORS)}

    @property
    def signature(self) -> Signature:
        """Produced against asked intervals, prior by prior, or gain by gain if the gain alone differs."""
        group = "gain" if len(self.asked) == 1 and len(self.gain) > 1 else "prior"
        return Signature(
            "timing_by",
            (("interval", "target_interval"), ("produced", "produced_interval"), ("group", group)),
            ("slope", "lowest_slope", "highest_slope", "shared_difference", "inside", "fraction_missing"),
        )

    @property
    def hardest(self) -> Hardest:
        """How wide the range of intervals is, and whether the prior changes."""
        if len(self.priors) > 1:
            return Hardest("prior", (*self.priors, "mixed"), "1")
        return Hardest("gain", (self.gain, tuple(2 * gain for gain in self.gain)), "1")

    def plan(self, draw: Draw) -> Plan:
        """Prior, interval, gain and wait, and whether Set comes at all."""
        line, start = self.timeline, jnp.zeros((), jnp.float32)
        choice = draw.index("prior", len(self.asked))
        prior = jnp.asarray([PRIORS.index(name) for name in self.asked], jnp.int32)[choice]
        interval = jnp.stack([draw.duration(name, getattr(self, name)) for name in self.asked])[choice]
        gain = jnp.asarray(self.gain, jnp.float32)[draw.index("gain", len(self.gain))]
        catch = draw.coin("catch", self.catch)
        target = gain * interval
        burn = start + self.burn
        ready = burn + draw.duration("wait", self.wait)
        go = ready + interval
        end = go + OVERSHOOT * target + self.hold
        onset = jnp.where(catch, jnp.nan, go)

        pulses = line.box(ready, ready + self.pulse) + line.box(onset, onset + self.pulse)
        tonic = line.box(start, end)
        channels = {
            "ready_set": self.amplitude * pulses,
            "context": jnp.asarray(self.context, jnp.float32)[prior] * tonic,
            "gain": GAIN_LEVEL * gain * tonic,
        }
        epochs = {
            "trial": (start, end),
            "burn": (start, burn),
            "wait": (burn, ready),
            "ready": (ready, ready + self.pulse),
            "measurement": (ready, go),
            "set": (onset, onset + self.pulse),
            "production": (onset, onset + target),
        }
        conditions = {
            "interval": interval, "target_interval": target, "prior": prior, "gain": gain, "catch": catch,
        }  # fmt: skip
        mask = line.box(jnp.where(catch, start, burn), end)[:, None]
        inputs = jnp.stack([channels[name] for name in self.input_names], axis=1)
        return Plan(inputs, self.production(onset, target), mask, epochs, conditions)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial, see :class:`Timing`; outputs in the burn are neither early nor late."""
        return super().score(where_it_counts(outputs, trial, self.low), trial)
