"""Sine generation: an oscillation without any input that tells its phase or period."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np

from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.oscillation import period_and_amplitude
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

TOLERANCE = 0.05
"""Largest root mean squared error of a correct trial."""
BINS_PER_CYCLE = 12
"""Fewest bins in a cycle of the fastest component."""


@dataclass(frozen=True, kw_only=True)
class SineGeneration(Task):
    """A circuit without input produces a sine, or a sum of sines, from the start of the trial on.

    The target is Σₖ cₖ sin(2πkt/P) with P the ``period``, cₖ the ``components`` and t the time since the
    start of the trial. Nothing tells the circuit when and how fast to oscillate: its initial state starts
    the oscillation, its weights keep it. There are no epochs but the trial.

    Input: ``silence``, 0 throughout but for the input noise (without noise all trials are alike, and
    differ by the noise of the circuit alone). Output: ``sine``. The whole trial counts for the loss.
    Condition: ``target_period`` (P, ms).

    Score: ``rmse``, root mean squared error, criterion at most 0.05; ``correct`` if it is at most that;
    ``period`` (ms) and ``amplitude`` (of the lowest component) of the oscillation that fits the output best
    at any phase, see :func:`~throughtime.tasks.oscillation.period_and_amplitude`: a circuit that oscillates
    too slowly has a large error, a good amplitude and a long period. Signature: bias and variance of the
    period.

    Attributes:
        period: P, ms.
        num_periods: length of a trial in periods, at least 1.
        components: amplitudes of sines with periods P, P/2, P/3, …; 0 leaves one out.

    Sources: Song, Yang and Wang (2016) PLoS Computational Biology (the default). Murray (2019) eLife
    8:e43299 (:meth:`murray`).

    Example:
        >>> import jax
        >>> task = SineGeneration()
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> scores = task.score(0.5 * task.ideal(trial), trial)
        >>> round(float(scores["period"])), round(float(scores["amplitude"]), 2), bool(scores["correct"])
        (800, 0.45, False)
        >>> SineGeneration.murray(period=1600.0).num_steps
        1600
    """

    period: float = 800.0
    num_periods: float = 2.0
    components: tuple[float, ...] = (0.9,)

    variants: ClassVar[tuple[str, ...]] = ("murray",)
    any_length: ClassVar[tuple[str, ...]] = ("components",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial",)
    condition_names: ClassVar[tuple[str, ...]] = ("target_period",)
    reference: ClassVar[str] = (
        "Song, Yang & Wang (2016) PLoS Computational Biology 12:e1004792 (amplitude 0.9, period 800 ms, two "
        "periods a trial, as in their public code, there in bins of 5 ms); Murray (2019) eLife 8:e43299. "
        "Departures: an input channel that carries noise alone; score and criterion are ours; smooth targets "
        "are evaluated at bin centres, half a bin later than there."
    )

    @classmethod
    def murray(cls, **fields: Any) -> Self:
        """Murray (2019), Figure 2: one period a trial; 200 ms is 20 τ, ``period=1600`` is 160 τ.

        τ is 10 steps there and a step 1 ms here: use a circuit with a time constant of 10 ms. The sum of
        sines, with amplitudes 1, 1/2 and 1/4 at P, P/2 and P/4, is that of the public code of the paper. No
        input noise.
        """
        published: dict[str, Any] = {
            "dt": 1.0, "noise": 0.0, "period": 200.0, "num_periods": 1.0, "components": (1.0, 0.5, 0.0, 0.25),
        }  # fmt: skip
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse targets that a silent output would meet, or that the bins do not resolve."""
        super().check()
        if self.period <= 0:
            self.refuse("period", "an oscillation needs a period; use period > 0")
        if self.num_periods < 1:
            self.refuse("num_periods", "less than one shows no period; use num_periods >= 1")
        if math.hypot(*self.components) / math.sqrt(2) <= TOLERANCE:
            self.refuse("components", "silence would be close enough; use larger amplitudes")
        fastest = self.period / self.harmonics[-1]
        if self.dt * BINS_PER_CYCLE > fastest * (1 + 1e-9):
            limit = math.floor(1e3 * fastest / BINS_PER_CYCLE) / 1e3
            self.refuse("dt", f"cannot resolve a sine of period {fastest:g} ms; use dt <= {limit:g}")

    @property
    def harmonics(self) -> tuple[int, ...]:
        """Multiples of the frequency 1/P whose amplitude is not 0."""
        return tuple(index for index, amplitude in enumerate(self.components, start=1) if amplitude)

    @property
    def duration(self) -> float:
        """Length of every trial, ms."""
        return self.period * self.num_periods

    @property
    def input_names(self) -> tuple[str, ...]:
        """A channel without signal."""
        return ("silence",)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The one output."""
        return ("sine",)

    @property
    def silent_score(self) -> float:
        """Silence is never close enough."""
        return 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """A root mean squared error of at most 0.05."""
        return (Criterion("rmse", at_most=TOLERANCE),)

    @property
    def signature(self) -> Signature:
        """Period of the output against the one asked for, pooled over circuits with other periods."""
        return Signature(
            "timing",
            (("interval", "target_period"), ("produced", "period")),
            ("bias", "variance", "rmse", "weber_fraction", "fraction_missing"),
        )

    @property
    def hardest(self) -> Hardest:
        """How slow the oscillation is."""
        return Hardest("period", (400.0, 800.0, 1600.0, 3200.0))

    def plan(self, draw: Draw) -> Plan:
        """The same in every trial."""
        del draw
        start, end = jnp.zeros((), jnp.float32), jnp.asarray(self.duration, jnp.float32)
        phase = 2 * np.pi * self.time / self.period
        target = sum(self.components[k - 1] * np.sin(k * phase) for k in self.harmonics)
        return Plan(
            jnp.zeros((self.num_steps, 1), jnp.float32),
            jnp.asarray(target, jnp.float32)[:, None],
            self.timeline.box(start, end)[:, None],
            {"trial": (start, end)},
            {"target_period": jnp.asarray(self.period, jnp.float32)},
        )

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and otherwise NaN, when a valid output is not finite."""
        output, weight = jnp.asarray(outputs)[:, 0], trial.mask[:, 0]
        finite = jnp.all(jnp.isfinite(output) | ~trial.valid)
        squared = jnp.where(weight > 0, weight * jnp.square(output - trial.targets[:, 0]), 0)
        rmse = jnp.where(finite, jnp.sqrt(squared.sum() / weight.sum()), jnp.nan)
        period, amplitude = period_and_amplitude(output, self.dt, self.period, self.harmonics)
        return {
            "correct": rmse <= TOLERANCE,
            "rmse": rmse,
            "period": jnp.where(finite, period, jnp.nan),
            "amplitude": jnp.where(finite, amplitude, jnp.nan),
        }
