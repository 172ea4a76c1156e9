"""Perceptual decision: in which direction do most of the dots move?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.discrimination import Discrimination
from throughtime.tasks.durations import Duration, TruncatedExponential
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class PerceptualDecision(Discrimination):
    """Does noisy evidence, which lasts, speak for the left or for the right?

    Epochs: fixation, stimulus, delay (0 by default), response; times in ms. Left and right are equally
    likely; |coherence| is one of ``coherence``, with equal probability.

    Inputs: ``stimulus_left`` and ``stimulus_right``, (1 ∓ 3.2 c/100)/2 while the stimulus of signed coherence
    c (%) is shown; or ``stimulus`` (see ``encoding``). With ``start_cue`` also ``start``, 1 from stimulus
    onset to the end. Outputs: see :class:`Choice`; by default ``choice_left`` and ``choice_right``.
    Conditions: ``coherence`` (signed, %; + is right), ``duration`` (of the stimulus, ms), ``catch``,
    ``correct_choice``.

    An observer who averages the difference of the channels over a stimulus of T ms is right with probability
    Φ(d √T / (2 σ √100 ms)), d = 3.2 |c|/100: .82, .96, 1, 1, 1 by default, .96 on average.

    Score: as :class:`Discrimination`. Where the response may come at any time of the stimulus (``response``
    None, as in :meth:`reaction_time`) also ``reaction_time``, ms from stimulus onset to when the outputs
    differ by half of their range (a signed output: to half of ``high``), interpolated between bin centres;
    NaN if never. Criterion: 85 % correct, the mean of five validations (:meth:`lint`: 95 %). Signature: the
    psychometric curve; accuracy against duration where the stimulus varies in duration, rising as √T until
    it saturates; reaction time against coherence where there is one, falling.

    Attributes:
        stimulus, delay: epochs, ms; a delay of None goes with a response of None.
        coherence: magnitudes, %.
        allow_zero: whether a coherence may be 0; either choice is then correct half of the time.
        start_cue: whether there is an input ``start``.

    Sources: Song, Yang and Wang (2016) PLoS Computational Biology 12:e1004792 (the default,
    :meth:`reaction_time`, :meth:`variable_duration`), after Roitman and Shadlen (2002) Journal of
    Neuroscience 22:9475 and Kiani, Hanks and Shadlen (2008) Journal of Neuroscience 28:3017
    (:meth:`variable_duration`). Valente, Pillow and Ostojic (2022) NeurIPS (:meth:`lint`).

    Example:
        >>> import jax
        >>> task = PerceptualDecision()
        >>> task.input_names, task.duration
        (('stimulus_left', 'stimulus_right'), 1200.0)
        >>> conditions = jax.jit(task.trial)(jax.random.key(0)).conditions
        >>> bool((conditions["coherence"] > 0) == conditions["correct_choice"])
        True
    """

    stimulus: Duration = 800.0
    delay: Duration | None = 0.0
    noise: float = 0.05
    coherence: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    gain: float = 3.2
    allow_zero: bool = False
    start_cue: bool = False

    variants: ClassVar[tuple[str, ...]] = ("reaction_time", "variable_duration", "lint")
    duration_fields: ClassVar[tuple[str, ...]] = ("fixation", "stimulus", "delay", "response")
    may_coincide: ClassVar[tuple[str, ...]] = ("delay", "response")
    any_length: ClassVar[tuple[str, ...]] = ("coherence",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = ("coherence", "duration", "catch", "correct_choice")
    reference: ClassVar[str] = (
        "Song, Yang & Wang (2016) PLoS Computational Biology 12:e1004792 (timings, channels and criterion "
        "as in their public code, which tests with a fixation of 300 ms); Valente et al. (2022) NeurIPS "
        "(lint). Departures: σ of 0.05 is ours; the decision is the mean output of the response; catch "
        "trials (theirs: 1 in 11) are off by default."
    )

    @classmethod
    def reaction_time(cls, **fields: Any) -> Self:
        """Song et al. (2016): a start cue tells that the stimulus is on, and the response may come at once.

        Outputs aim at 1.2 and count from 300 ms after stimulus onset; the stimulus lasts to the end. What
        crossing marks the reaction time is ours.
        """
        published: dict[str, Any] = {
            "delay": None, "response": None, "grace": 300.0, "high": 1.2, "start_cue": True,
        }  # fmt: skip
        return cls(**published | fields)

    @classmethod
    def variable_duration(cls, **fields: Any) -> Self:
        """Song et al. (2016), after Kiani et al. (2008): stimuli of 80 to 1500 ms, whose offset is the go."""
        published: dict[str, Any] = {"stimulus": TruncatedExponential(330.0, 80.0, 1500.0), "start_cue": True}
        return cls(**published | fields)

    @classmethod
    def lint(cls, **fields: Any) -> Self:
        """Valente et al. (2022): one input and one output, the response after a delay of 300 ms.

        Noise of SD 0.03 per step of 20 ms is σ = 0.0095.
        """
        published: dict[str, Any] = {
            "delay": 300.0, "noise": 0.0095, "encoding": "single", "report": "signed", "mask_fixation": False,
            "required": 0.95,
        }  # fmt: skip
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse coherences without a correct choice, and delays that nothing follows."""
        if min(self.coherence) < 0:
            self.refuse("coherence", "give magnitudes; either sign is drawn")
        if min(self.coherence) == 0 and not self.allow_zero:
            raise ValueError(
                f"{type(self).__name__}: coherence 0 has no correct choice; probe it with allow_zero=True."
            )
        if self.delay is None and self.response is not None:
            self.refuse("delay", "a response after the stimulus needs one; use 0 for a response at once")
        if self.response is None and self.delay is not None:
            self.refuse("delay", "a response during the stimulus leaves none; use delay=None")
        super().check()

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The two directions."""
        return ("left", "right")

    @property
    def go_is_shown(self) -> bool:
        """Not by a delay of unknown length."""
        return self.delay is None or durations.num_levels(self.delay) == 1

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        fixation = ("fixation",) if self.fixation_input else ()
        return (*fixation, *self.channel_names("stimulus"), *(("start",) if self.start_cue else ()))

    @property
    def signature(self) -> Signature:
        """Psychometric curve, accuracy against duration, or reaction time against coherence."""
        if self.response is None:
            variables = (("stimulus", "coherence"), ("reaction_time", "reaction_time"))
            return Signature("chronometric", variables, ("slope", "intercept", "mean", "fraction_missing"))
        if durations.num_levels(self.stimulus) > 1:
            return Signature(
                "accuracy", (("level", "duration"), ("correct", "correct")), ("overall", "worst")
            )
        variables = (("stimulus", "coherence"), ("choice", "choice"))
        return Signature("psychometric", variables, ("mu", "sigma", "guess", "lapse"))

    @property
    def hardest(self) -> Hardest:
        """How weak the evidence is; at the last values, an ideal observer is right in 89 %."""
        every = (1.0, 2.0, 4.0, 8.0, 16.0)
        return Hardest("coherence", (every[3:], every[2:], every, every[:2]), unit="1")

    def plan(self, draw: Draw) -> Plan:
        """Stimulus and target of one trial."""
        epochs = self.successive(draw)
        right = draw.coin("side", 0.5)
        size = jnp.asarray(self.coherence, jnp.float32)[draw.index("coherence", len(self.coherence))]
        coherence = jnp.where(right, size, 0.0 - size)
        shown = self.timeline.box(*epochs["stimulus"])[:, None] * self.channels(coherence / 100)
        if self.start_cue:
            start = self.timeline.box(epochs["stimulus"][0], epochs["trial"][1])
            shown = jnp.concatenate([shown, start[:, None]], axis=1)
        correct_choice = right.astype(jnp.int32)
        targets, mask = self.answer(epochs, correct_choice)
        conditions = {
            "coherence": coherence,
            "duration": epochs["stimulus"][1] - epochs["stimulus"][0],
            "correct_choice": correct_choice,
        }
        plan = Plan(self.with_fixation(shown, epochs), targets, mask, epochs, conditions)
        return self.with_catch(draw, plan)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct when an output on a valid sample is not finite."""
        scores = super().score(outputs, trial)
        if self.response is not None:
            return scores
        return scores | {"reaction_time": self._reaction_time(jnp.asarray(outputs), trial)}

    def _reaction_time(self, outputs: Array, trial: Trial) -> Array:
        """First time, from stimulus onset on, at which the outputs are apart, ms; NaN if never."""
        decisive = outputs[:, int(self.fixation_output) :]
        signed = self.report == "signed"
        apart = jnp.abs(decisive[:, 0] if signed else decisive[:, 1] - decisive[:, 0])
        threshold = (self.high - self.rest) / 2
        onset, centres = trial.epochs["stimulus"][0], self.timeline.centres
        crossed = (apart >= threshold) & (centres >= onset) & trial.valid
        first = jnp.argmax(crossed)
        before = jnp.maximum(first - 1, 0)
        rise = jnp.maximum(apart[first] - apart[before], 1e-6)
        back = self.dt * jnp.clip((apart[first] - threshold) / rise, 0, 1)
        time = jnp.maximum(jnp.asarray(centres)[first] - back - onset, 0)
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        return jnp.where(crossed.any() & finite, time, jnp.nan)
