"""Delayed paired association."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp

from throughtime.tasks.base import Plan
from throughtime.tasks.choice import Choice
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from throughtime.tasks.draw import Draw

STIMULI = ("stimulus_a", "stimulus_b", "stimulus_c", "stimulus_d")


@dataclass(frozen=True, kw_only=True)
class DelayedPairedAssociation(Choice):
    """Do the sample and the test, which never look alike, belong together?

    Epochs: fixation, sample (A or B), delay, test (C or D), second_delay, response; times in ms. The pairs
    A–C and B–D are positive. The four pairs are equally likely, so that neither stimulus alone tells the
    answer.

    Inputs: ``fixation`` (1 until the response), ``stimulus_a``, …, ``stimulus_d`` (1 while shown). Outputs:
    see :class:`Choice`; by default ``choice``, + for a positive pair. Conditions: ``sample`` (0 A, 1 B),
    ``test`` (2 C, 3 D), ``pair`` (0 A–C, 1 A–D, 2 B–C, 3 B–D), ``delay``, ``second_delay`` (ms),
    ``correct_choice``.

    Score: fraction correct, criterion 0.95. Signature: accuracy by pair; a subject that knows the test only
    is right on half of the pairs, whichever it answers.

    Attributes:
        fixation, sample, delay, test, second_delay: epochs, ms.

    Sources: Zhang et al. (2019) eLife 8:e43191, mice with odours (delay 13 s there). Molano-Mazón et al.
    (2022) NeuroGym.

    Example:
        >>> task = DelayedPairedAssociation()
        >>> task.duration, task.input_names[0], task.output_names
        (4500.0, 'fixation', ('choice',))
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> bool(task.score(task.ideal(trial), trial)["correct"])
        True
    """

    fixation: Duration = 0.0
    sample: Duration = 1000.0
    delay: Duration = 1000.0
    test: Duration = 1000.0
    second_delay: Duration = 1000.0
    response: Duration | None = 500.0
    fixation_input: bool = True

    duration_fields: ClassVar[tuple[str, ...]] = (
        "fixation", "sample", "delay", "test", "second_delay", "response",
    )  # fmt: skip
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation", "delay", "second_delay")
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = (
        "sample", "test", "pair", "delay", "second_delay", "correct_choice",
    )  # fmt: skip
    reference: ClassVar[str] = (
        "Molano-Mazón et al. (2022) NeuroGym (DelayPairedAssociation: timing, stimuli, pairs), after Zhang "
        "et al. (2019) eLife 8:e43191. Departures: two answers, not go and no-go; noise and grace are ours."
    )

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The answers."""
        return ("unpaired", "paired")

    @property
    def go_is_shown(self) -> bool:
        """The fixation input alone tells when the delay after the test is over."""
        return self.response is None

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (*(("fixation",) if self.fixation_input else ()), *STIMULI)

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """Names of the pairs."""
        return {**super().condition_labels, "pair": ("a–c", "a–d", "b–c", "b–d")}

    @property
    def signature(self) -> Signature:
        """Accuracy by pair."""
        return Signature("accuracy", (("level", "pair"), ("correct", "correct")), ("overall", "worst"))

    @property
    def hardest(self) -> Hardest:
        """How long the sample is held until the test."""
        return Hardest("delay", (500.0, 1000.0, 2000.0, 4000.0))

    def plan(self, draw: Draw) -> Plan:
        """Sample and test of one trial."""
        epochs = self.successive(draw)
        sample, test = draw.index("sample", 2), 2 + draw.index("test", 2)
        first, second = (self.timeline.box(*epochs[name])[:, None] for name in ("sample", "test"))
        inputs = first * jax.nn.one_hot(sample, 4) + second * jax.nn.one_hot(test, 4)
        correct_choice = (test - sample == 2).astype(jnp.int32)
        targets, mask = self.answer(epochs, correct_choice)
        conditions = {
            "sample": sample,
            "test": test,
            "pair": 2 * sample + test - 2,
            **{name: epochs[name][1] - epochs[name][0] for name in ("delay", "second_delay")},
            "correct_choice": correct_choice,
        }
        return Plan(self.with_fixation(inputs, epochs), targets, mask, epochs, conditions)
