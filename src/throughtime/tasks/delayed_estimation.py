"""Delayed estimation: what a population of Poisson units has told is held over a delay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration
from throughtime.tasks.estimation_choices import Change, Compare, TwoAlternative
from throughtime.tasks.estimation_rules import Estimate, Gated, Rule, Sine
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.poisson_code import LARGEST_COUNT
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

RULES: dict[str, Rule] = {
    "estimate": Estimate(),
    "gated": Gated(),
    "change": Change(),
    "compare": Compare(),
    "two_alternative": TwoAlternative(),
    "sine": Sine(),
}


@dataclass(frozen=True, kw_only=True)
class DelayedEstimation(Task):
    """What was shown before the delay, known as well as a few spikes tell it?

    Epochs: stimulus, delay, response; times in ms. A unit with tuning f(s) ≤ 1 emits
    n ~ Poisson(gain · f(s) · duration) spikes in an epoch that shows s. They are spread evenly over its bins
    and divided by what is expected at the peak, so inputs have means f(s) and depend on dt through their
    binning alone.

    ===================  =========================================  ==================================
    ``rule``             shown, asked for in the response           outputs, 0 before the response
    ===================  =========================================  ==================================
    ``estimate``         orientations θ in [0, π), one a location   ``cos``, ``sin`` of 2θ for each
    ``gated``            two or more; a cue then names one          ``cos``, ``sin`` of its 2θ
    ``change``           again in the response, with probability    ``choice``: + if changed, −
                         0.5 with a new θ at one location           otherwise
    ``compare``          positions in ±40, one before the delay,    ``choice``: + if the first was
                         one in the response                        larger, − otherwise
    ``two_alternative``  one of the positions ±15                   ``choice``: its sign
    ``sine``             nothing                                    ``sine``: sin(a π t/response), t
                                                                    since its onset
    ===================  =========================================  ==================================

    Inputs: ``stimulus_00``, …; with more locations ``stimulus1_00``, …, ``stimulus2_00``, …. Orientations:
    φ_i = πi/n, f = exp(κ(cos 2(θ − φ_i) − 1)). Positions: centres spread over ±50, Gaussian f of SD 10
    (``compare``), or over ±40 with SD 15. ``gated`` adds ``cue_1``, …, 1 in the response; ``sine`` has
    ``delay`` alone, 1 during the delay.

    Conditions: ``delay`` (ms) and, by location (suffix ``_1``, … if several), ``angle`` (θ, rad) and
    ``statistic_cos``, ``statistic_sin``: S = Σ n_i e^(2jφ_i), of which the posterior of 2θ is von Mises with
    mean arg S and concentration κ|S|; ``cue`` (from 1); ``difference`` (of θ, rad); ``first``, ``second``;
    ``correct_choice``; ``evidence``, the answer ±1 that the Bayes read-out of the spikes expects.

    Score, from the mean output over the response: ``angular_error``, ``optimal_error`` (of the Bayes
    read-out; rad, NaN without a direction), or ``choice``, ``optimal_choice``. ``correct``: every error below
    ``tolerance``, the right choice, or a sine off by at most a tenth. ``excess``, the loss beyond that of the
    Bayes read-out, and ``reference``, by which it is measured: absolute errors, by those of the read-out;
    squared errors of a choice, by what those of the read-out gain over a guess; absolute errors of the sine,
    by the target. Criterion and signature: fractional loss Σ excess / Σ reference, at most 0.1, by delay.

    Attributes:
        rule: see the table.
        stimulus, delay, response: epochs, ms.
        grace: ms after the go that count neither for the loss nor for the decision.
        num_locations: None for one, or two with ``gated``.
        num_units: at each location.
        gain: spikes per s of a unit at its peak.
        concentration: κ of the tuning to orientation.
        tolerance: largest |angular error| of a correct report, rad.
        half_cycles: a, of the sine.

    Sources: Orhan and Ma (2019) Nature Neuroscience 22:275.

    Example:
        >>> import jax
        >>> task = DelayedEstimation()
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> scores = task.score(task.ideal(trial), trial)
        >>> bool(scores["correct"]), float(scores["reference"]) > 0
        (True, True)
        >>> DelayedEstimation(rule="gated").output_names
        ('cos', 'sin')
    """

    rule: str = "estimate"
    stimulus: Duration = 100.0
    delay: Duration = 1000.0
    response: Duration = 100.0
    grace: float = 0.0
    num_locations: int | None = None
    num_units: int = 25
    gain: float = 20.0
    concentration: float = 2.0
    tolerance: float = math.pi / 12
    half_cycles: float = 0.25

    variants: ClassVar[tuple[str, ...]] = ("orhan_ma", "variable_delay")
    duration_fields: ClassVar[tuple[str, ...]] = ("stimulus", "delay", "response")
    may_vanish: ClassVar[tuple[str, ...]] = ("delay",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    shown_by: ClassVar[tuple[str, ...]] = ("angle",)
    reference: ClassVar[str] = (
        "Orhan & Ma (2019) Nature Neuroscience 22:275 and its public code. Departures: a step there is 10 ms "
        "here; no spontaneous spikes, and no two units for the orientations 0 and π; orientations are "
        "reported by cos and sin of the doubled angle, choices by a sign; inputs mark the cue of `gated` and "
        "the delay of `sine`, there a higher spontaneous rate and noise; the fractional loss of choices is "
        "one of squared errors, there of Kullback-Leibler divergences; gain, tolerance, criterion are ours."
    )

    @classmethod
    def orhan_ma(cls, **fields: Any) -> Self:
        """The published runs: 50 units of at most 1 spike, stimulus and response of 25 steps."""
        published: dict[str, Any] = {
            "dt": 10.0, "noise": 0.0, "stimulus": 250.0, "delay": 1000.0, "response": 250.0, "num_units": 50,
            "gain": 4.0,
        }  # fmt: skip
        return cls(**published | fields)

    @classmethod
    def variable_delay(cls, **fields: Any) -> Self:
        """The published runs with delays of 10, 40, 70 or 100 steps."""
        return cls.orhan_ma(**{"delay": (100.0, 400.0, 700.0, 1000.0)} | fields)

    def check(self) -> None:
        """Refuse unknown rules, codes that tell nothing, and responses that leave nothing to judge."""
        self.refuse_unless_in("rule", tuple(RULES))
        super().check()
        fewest, most = self._rule.locations
        if self.num_locations is not None:
            if not durations.is_number(self.num_locations) or self.num_locations != int(self.num_locations):
                self.refuse("num_locations", "expected a whole number or None")
            if not fewest <= self.num_locations <= most:
                allowed = f"at least {fewest}" if most == math.inf else f"{fewest}"
                self.refuse("num_locations", f"rule {self.rule!r} shows {allowed} of them; use None")
            object.__setattr__(self, "num_locations", int(self.num_locations))
        if self.num_units < 4:
            self.refuse("num_units", "too few units to tell a direction; use at least 4")
        for name in ("gain", "concentration", "half_cycles"):
            if getattr(self, name) <= 0:
                self.refuse(name, f"must be positive; use {name} > 0")
        longest = max(durations.bounds(epoch)[1] for epoch in (self.stimulus, self.response))
        if self.gain * longest / 1000 > LARGEST_COUNT:
            limit = 1000 * LARGEST_COUNT / longest
            self.refuse("gain", f"more than {LARGEST_COUNT:g} spikes an epoch; use gain <= {limit:g}")
        if not 0 < self.tolerance <= math.pi / 2:
            self.refuse("tolerance", "an error of orientation lies between 0 and pi/2")
        judged = self.judged_after(self.grace, "a response", durations.bounds(self.response)[0])
        if self.dt > judged:
            self.refuse("dt", f"cannot resolve a decision of {judged:g} ms; use dt <= {judged:g}")

    @property
    def _rule(self) -> Rule:
        return RULES[self.rule]

    @property
    def num_shown(self) -> int:
        """Locations with stimuli."""
        return self._rule.locations[0] if self.num_locations is None else self.num_locations

    @property
    def input_names(self) -> tuple[str, ...]:
        """Units, then cues."""
        return self._rule.inputs(self)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Those of the rule."""
        return self._rule.outputs(self)

    @property
    def condition_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The delay and those of the rule."""
        return ("delay", *self._rule.conditions(self))

    @property
    def silent_score(self) -> float:
        """One half where there are two answers, else 0."""
        return self._rule.silent

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """A tenth of what can be known is lost."""
        return (Criterion("fractional_loss", at_most=0.1),)

    @property
    def signature(self) -> Signature:
        """Fractional loss against delay."""
        return Signature(
            "fractional_loss",
            (("level", "delay"), ("excess", "excess"), ("reference", "reference")),
            ("fractional_loss", "worst"),
        )

    @property
    def hardest(self) -> Hardest:
        """How long the delay lasts."""
        return Hardest("delay", (500.0, 1000.0, 2000.0, 4000.0))

    def plan(self, draw: Draw) -> Plan:
        """What is shown and asked for in one trial."""
        epochs = self.successive(draw)
        shown, targets, conditions = self._rule.draw(self, draw, epochs)
        when = jnp.stack([self.timeline.box(*epochs[name]) for name in shown], axis=1)
        # A product of matrices keeps the compiler from drawing the spikes again in every bin.
        inputs = jnp.matmul(when, jnp.stack(list(shown.values())), precision="highest")
        go, end = epochs["response"]
        weight = self.timeline.box(go + self.grace, end)
        delay = epochs["delay"][1] - epochs["delay"][0]
        mask = jnp.broadcast_to(weight[:, None], targets.shape)
        return Plan(inputs, targets, mask, epochs, {"delay": delay, **conditions})

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and without a loss, when a valid output is not finite."""
        outputs, weight = jnp.asarray(outputs), trial.mask[:, :1]
        decision = jnp.where(weight > 0, outputs * weight, 0).sum(0) / weight.sum()
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        scores = self._rule.judge(self, outputs, decision, trial)
        return {
            **scores,
            "correct": finite & scores["correct"],
            "excess": jnp.where(finite, scores["excess"], jnp.nan),
        }
