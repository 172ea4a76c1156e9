"""Delayed match to category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp
import numpy as np

from throughtime.tasks.base import Plan
from throughtime.tasks.choice import Choice
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.ring import NUM_RING, ring_names
from throughtime.tasks.signature import Signature
from throughtime.tasks.tuning import bump

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw


@dataclass(frozen=True, kw_only=True)
class DelayedMatchToCategory(Choice):
    """Is the direction of the test in the same category as that of the sample, shown before the delay?

    Epochs: fixation, sample, delay, test, and the response, which by default is the test; times in ms. The
    directions are (2i + 1)π/num_directions: 0.1π, 0.3π, …, 1.9π. The boundary lies at 0 and π: directions
    below π are of category 0, the others of category 1. Both categories, and match and non-match, are equally
    likely; the test is any direction of its category, the sample's own among them. Neighbours across the
    boundary are thus as near as neighbours within a category.

    Inputs: ``fixation`` (1 until the response) and ``ring_00``, …, ``ring_31`` (bumps, see
    :func:`~throughtime.tasks.tuning.bump`). Outputs: see :class:`Choice`; by default ``choice``, + for match.
    Conditions: ``sample_direction``, ``test_direction`` (rad), ``sample_category``, ``test_category``,
    ``angular_distance`` (between the two, rad), ``delay`` (ms), ``match``, ``correct_choice``.

    Score: fraction correct, criterion 0.95. Signature: choices follow category, not angular distance.

    Attributes:
        fixation, sample, delay, test: epochs, ms.
        num_directions: even, half of them in each category.

    Sources: Freedman and Assad (2006) Nature 443:85 (the task and its timing). Yang, Joglekar, Song, Newsome
    and Wang (2019) Nature Neuroscience (ring and directions).

    Example:
        >>> import jax
        >>> task = DelayedMatchToCategory()
        >>> task.duration, len(task.input_names), task.output_names
        (2800.0, 33, ('choice',))
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> bool(task.score(task.ideal(trial), trial)["correct"])
        True
    """

    fixation: Duration = 500.0
    sample: Duration = 650.0
    delay: Duration = 1000.0
    test: Duration = 650.0
    response: Duration | None = None
    fixation_input: bool = True
    num_directions: int = 10

    duration_fields: ClassVar[tuple[str, ...]] = ("fixation", "sample", "delay", "test", "response")
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation", "delay")
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = (
        "sample_direction", "test_direction", "sample_category", "test_category", "angular_distance", "delay",
        "match", "correct_choice",
    )  # fmt: skip
    reference: ClassVar[str] = (
        "Freedman & Assad (2006) Nature 443:85 (timing); Yang et al. (2019) Nature Neuroscience (ring, ten "
        "directions). Departures: 10 instead of 12 directions, one test and not two, an answer to "
        "non-matches too; the fixation input and the grace of 100 ms are ours."
    )

    def check(self) -> None:
        """Refuse categories that are unequal or have one direction only."""
        super().check()
        if self.num_directions < 4 or self.num_directions % 2:
            self.refuse(
                "num_directions", "two categories need two directions each or more; use an even number >= 4"
            )

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The answers."""
        return ("nonmatch", "match")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (*(("fixation",) if self.fixation_input else ()), *ring_names("ring"))

    @property
    def signature(self) -> Signature:
        """Choices of match against angular distance, within a category and across the boundary."""
        return Signature(
            "category",
            (("distance", "angular_distance"), ("same", "match"), ("choice", "choice")),
            ("category_effect", "distance_effect"),
        )

    @property
    def hardest(self) -> Hardest:
        """How long the category is held."""
        return Hardest("delay", (500.0, 1000.0, 2000.0, 4000.0))

    def plan(self, draw: Draw) -> Plan:
        """Sample, delay and test of one trial."""
        epochs = self.successive(draw)
        half = self.num_directions // 2
        match = draw.coin("match", 0.5)
        sample = draw.index("sample", self.num_directions)
        category = sample // half
        test_category = jnp.where(match, category, 1 - category)
        test = test_category * half + draw.index("test", half)
        away = jnp.abs(sample - test)
        steps = jnp.minimum(away, self.num_directions - away)
        first, second = (self.timeline.box(*epochs[name])[:, None] for name in ("sample", "test"))
        inputs = first * bump(self._direction(sample), NUM_RING) + second * bump(
            self._direction(test), NUM_RING
        )
        targets, mask = self.answer(epochs, match.astype(jnp.int32))
        conditions = {
            "sample_direction": self._direction(sample),
            "test_direction": self._direction(test),
            "sample_category": category,
            "test_category": test_category,
            "angular_distance": steps * np.float32(2 * np.pi / self.num_directions),
            "delay": epochs["delay"][1] - epochs["delay"][0],
            "match": match,
            "correct_choice": match.astype(jnp.int32),
        }
        return Plan(self.with_fixation(inputs, epochs), targets, mask, epochs, conditions)

    def _direction(self, index: Array) -> Array:
        """Direction, rad."""
        return (2 * index + 1) * np.float32(np.pi / self.num_directions)
