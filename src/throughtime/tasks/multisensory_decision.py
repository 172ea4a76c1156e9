"""Multisensory decision: was the rate of flashes, of clicks or of both high?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp

from throughtime.tasks.base import Plan
from throughtime.tasks.discrimination import Discrimination
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from throughtime.tasks.draw import Draw

MODALITIES = ("visual", "auditory")


@dataclass(frozen=True, kw_only=True)
class MultisensoryDecision(Discrimination):
    """Is a rate above the boundary? It is seen, heard, or both.

    Epochs: fixation, stimulus, response; times in ms. The modality (one, the other or both) and the rate
    are drawn with equal probability.

    Inputs: ``visual_low``, ``visual_high``, ``auditory_low``, ``auditory_high``: while the stimulus of rate r
    is shown, 0.4 + 0.8 (r − 9)/7 in the channel of high rates of each of its modalities, the mirror image
    around the boundary in that of low ones, and 0 in the modality that is absent; or ``visual`` and
    ``auditory`` (see ``encoding``). Outputs: see :class:`Choice`; by default ``choice_low`` and
    ``choice_high``.
    Conditions: ``modality`` (0 visual, 1 auditory, 2 both), ``rate`` (Hz), ``catch``, ``correct_choice``.

    An observer who averages the difference of the channels over a stimulus of T ms is right with probability
    Φ(d √T / (2 σ √100 ms)), d = 1.6 |r − 12.5|/7: .82, 1, 1, 1 in one modality by default, .95 on average;
    with both the argument of Φ is √2 larger.

    Score: as :class:`Discrimination`. Criterion: 90 % correct, the mean of five validations. Signature:
    the psychometric curve of each modality; its slope 1/s with both is √2 times that with one in a
    subject that is limited by the noise of its inputs and combines them as well as can be.

    Attributes:
        stimulus: epoch, ms.
        rates: Hz, as many below the boundary as above it.
        boundary: between low and high rates, Hz.
        slowest, fastest: rates between which the channels are scaled, Hz.

    Sources: Raposo, Kaufman and Churchland (2014) Nature Neuroscience 17:1784. Song, Yang and Wang (2016)
    PLoS Computational Biology 12:e1004792.

    Example:
        >>> import jax
        >>> task = MultisensoryDecision()
        >>> task.input_names
        ('visual_low', 'visual_high', 'auditory_low', 'auditory_high')
        >>> conditions = jax.jit(task.trial)(jax.random.key(0)).conditions
        >>> bool((conditions["rate"] > 12.5) == conditions["correct_choice"])
        True
    """

    stimulus: Duration = 1000.0
    noise: float = 0.2
    rates: tuple[float, ...] = (9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0)
    boundary: float = 12.5
    slowest: float = 9.0
    fastest: float = 16.0
    gain: float = 1.6
    baseline: float = 0.8
    required: float = 0.9

    duration_fields: ClassVar[tuple[str, ...]] = ("fixation", "stimulus", "response")
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation",)
    may_coincide: ClassVar[tuple[str, ...]] = ()
    any_length: ClassVar[tuple[str, ...]] = ("rates",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = ("modality", "rate", "catch", "correct_choice")
    reference: ClassVar[str] = (
        "Raposo, Kaufman & Churchland (2014) Nature Neuroscience 17:1784, in the form of Song, Yang & Wang "
        "(2016) PLoS Computational Biology 12:e1004792 (timings and criterion as in their public code, "
        "which tests with a fixation of 500 ms). Departures: the scaling of the channels and σ are ours, "
        "as is training on the rates of the test alone (theirs: 6 to 19 Hz); catch trials (theirs: 1 in "
        "25) are off by default."
    )

    def check(self) -> None:
        """Refuse rates without a correct choice, and more of them on one side."""
        if self.slowest >= self.fastest:
            self.refuse("fastest", f"must exceed slowest ({self.slowest:g} Hz)")
        if self.boundary in self.rates:
            self.refuse("rates", f"a rate of {self.boundary:g} Hz has no correct choice; leave it out")
        if 2 * sum(rate > self.boundary for rate in self.rates) != len(self.rates):
            self.refuse("rates", f"give as many below {self.boundary:g} Hz as above")
        super().check()

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Below and above the boundary."""
        return ("low", "high")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        fixation = ("fixation",) if self.fixation_input else ()
        return (*fixation, *(channel for name in MODALITIES for channel in self.channel_names(name)))

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """The modalities and the alternatives."""
        return {"modality": (*MODALITIES, "both"), **super().condition_labels}

    @property
    def signature(self) -> Signature:
        """Psychometric curves by modality."""
        return Signature(
            "psychometric_by",
            (("stimulus", "rate"), ("choice", "choice"), ("group", "modality")),
            ("lowest_sigma", "highest_sigma", "gain", "optimality"),
        )

    @property
    def hardest(self) -> Hardest:
        """How near to the boundary rates are; at the last values, an ideal observer is right in 95 %."""
        every = (9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0)
        far = tuple((*every[:count], *every[-count:]) for count in (2, 3))
        return Hardest("rates", (*far, every, every[1:-1]), unit="1")

    def plan(self, draw: Draw) -> Plan:
        """Stimulus and target of one trial."""
        epochs = self.successive(draw)
        modality = draw.index("modality", 3)
        rate = jnp.asarray(self.rates, jnp.float32)[draw.index("rate", len(self.rates))]
        channels = self.channels((rate - self.boundary) / (self.fastest - self.slowest))
        present = jnp.repeat((modality == jnp.arange(2)) | (modality == 2), channels.size)
        shown = self.timeline.box(*epochs["stimulus"])[:, None] * (present * jnp.tile(channels, 2))
        correct_choice = (rate > self.boundary).astype(jnp.int32)
        targets, mask = self.answer(epochs, correct_choice)
        conditions = {"modality": modality, "rate": rate, "correct_choice": correct_choice}
        plan = Plan(self.with_fixation(shown, epochs), targets, mask, epochs, conditions)
        return self.with_catch(draw, plan)
