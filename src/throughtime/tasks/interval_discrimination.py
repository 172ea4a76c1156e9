"""Interval discrimination: which of two stimuli lasted longer, reported after a second delay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.interval_comparison import IntervalComparison


@dataclass(frozen=True, kw_only=True)
class IntervalDiscrimination(IntervalComparison):
    """Two stimuli are separated by a delay: after a second delay, say which one lasted longer.

    The setting of NeuroGym for the comparison of :class:`IntervalComparison`: short stimuli, and a fixation
    input whose offset is the go. The answer is held instead of given at once.

    Epochs: fixation, first_interval, delay, second_interval, second_delay, response; times in ms.

    Inputs: ``fixation`` (1 until the response), ``stimulus_1``, ``stimulus_2`` (1 while shown). Output:
    ``choice``, + if the second lasted longer, see :class:`Choice`; by default only the response counts for
    the loss. Conditions and scores: as :class:`IntervalComparison`. Criterion: 95 % correct. Signature:
    psychometric curve of choices of the second against ln T₂/T₁, with the time-order effect as its μ.

    Attributes:
        second_delay: from the end of the second stimulus to the go, ms.

    Sources: Molano-Mazón et al. (2022) NeuroGym, after Genovesio, Tsujimoto and Wise (2009) Neuron 63:254.

    Example:
        >>> task = IntervalDiscrimination()
        >>> task.duration, task.input_names
        (3800.0, ('fixation', 'stimulus_1', 'stimulus_2'))
    """

    fixation: Duration = 300.0
    first_interval: Duration = field(default=Uniform(300.0, 600.0))
    delay: Duration = field(default=Uniform(800.0, 1500.0))
    second_interval: Duration = field(default=Uniform(300.0, 600.0))
    second_delay: Duration = 500.0
    response: Duration | None = 300.0
    fixation_input: bool = True
    mask_fixation: bool = False

    variants: ClassVar[tuple[str, ...]] = ()
    duration_fields: ClassVar[tuple[str, ...]] = (
        "fixation", "first_interval", "delay", "second_interval", "second_delay", "response",
    )  # fmt: skip
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    reference: ClassVar[str] = (
        "Molano-Mazón et al. (2022) NeuroGym, IntervalDiscrimination-v0 (timings), after Genovesio, "
        "Tsujimoto & Wise (2009) Neuron 63:254. Departures: one signed output; noise, grace, score and "
        "criterion are ours."
    )

    @property
    def go_is_shown(self) -> bool:
        """The end of the second delay shows in the fixation input alone."""
        return False

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % correct."""
        return (Criterion("correct", at_least=0.95),)

    @property
    def hardest(self) -> Hardest:
        """How long the first interval is held."""
        return Hardest(
            "delay", (200.0, Uniform(800.0, 1500.0), Uniform(800.0, 3000.0), Uniform(800.0, 6000.0))
        )
