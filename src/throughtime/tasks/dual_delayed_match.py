"""Dual delayed match: two items are held, and cues tell which of them the next test is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks.base import Plan
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.matching import Matching
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class DualDelayedMatch(Matching):
    """Does each of two tests match the item of the sample that is cued for it?

    Epochs: fixation, sample (an item in each of two receptive fields), delay_1, test_1, delay_2, test_2;
    times in ms. In the middle of each delay a cue comes on that names an item; at the test, the stimulus in
    its field is compared with it: the same with probability 0.5, else any other direction. The other field
    shows a direction of no importance. The second cue may name the item that was not needed before, which
    therefore has to be held although another one is attended.

    Inputs: ``field1_00``, …, ``field2_00``, … (von Mises tuned units), ``cue_1``, ``cue_2`` (1 while on,
    for the item it names), after ``fixation`` if the task has that input. Outputs: ``fixation``,
    ``choice_nonmatch``, ``choice_match``, see :class:`Choice`. Conditions: ``sample_1``, ``sample_2``
    (direction of each item), ``cued_1``, ``cued_2`` (1 or 2: item compared with the first and the second
    test), ``test_1``, ``test_2``, ``uncued_1``, ``uncued_2`` (directions shown at the tests; −1 if none),
    ``match_1``, ``match_2``, ``switch`` (whether the second cue names the other item).

    Score: ``correct_1``, ``correct_2``, ``correct`` (both). Criterion 0.95 correct. Signature: accuracy of
    the second test by ``switch``: holding what is not attended.

    Attributes:
        second_cue: ``"independent"``: either item, whatever the first cue; or ``"other"``: the item not yet
            compared.
        cue_held: whether cues stay on during the test.
        uncued_shown: whether the other field shows something at the test.
        fixation, sample, delay, test, num_directions: see :class:`Matching`.

    Sources: Masse, Yang, Song, Wang and Freedman (2019) Nature Neuroscience, after Rose et al. (2016) Science
    354:1136. Molano-Mazón et al. (2022) NeuroGym (:meth:`neurogym`).

    Example:
        >>> import jax
        >>> task = DualDelayedMatch()
        >>> task.duration, len(task.input_names)
        (3500.0, 50)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> bool(task.score(task.ideal(trial), trial)["correct"])
        True
    """

    second_cue: str = "independent"
    cue_held: bool = True
    uncued_shown: bool = True

    variants: ClassVar[tuple[str, ...]] = ("masse", "neurogym")
    condition_names: ClassVar[tuple[str, ...]] = (
        "sample_1", "sample_2", "cued_1", "cued_2", "test_1", "test_2", "uncued_1", "uncued_2", "match_1",
        "match_2", "switch",
    )  # fmt: skip
    reference: ClassVar[str] = (
        "Masse et al. (2019) Nature Neuroscience, timings, cues and stimuli as in their public code; after "
        "Rose et al. (2016) Science 354:1136; Molano-Mazón et al. (2022) NeuroGym. Departures: one input a "
        "cue, 24 units a receptive field, by default no fixation epoch."
    )

    @classmethod
    def masse(cls, **fields: Any) -> Self:
        """Masse et al. (2019): bins of 10 ms and 500 ms of fixation; the rest is the default.

        Their 400 ms of dead time before fixation, which bear no loss, are left out.
        """
        published: dict[str, Any] = {"dt": 10.0, "fixation": 500.0}
        return cls(**published | fields)

    @classmethod
    def neurogym(cls, **fields: Any) -> Self:
        """NeuroGym's DualDelayMatchSample: fixation, sample, delay, cue and test last 500 ms each.

        Two directions; the second cue names the other item; only the cued field shows a test. Channels, noise
        and score are ours, and the two directions are opposite, not orthogonal.
        """
        published: dict[str, Any] = {
            "fixation": 500.0, "delay": 1000.0, "num_directions": 2, "second_cue": "other", "cue_held": False,
            "uncued_shown": False,
        }  # fmt: skip
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse unknown orders of cues."""
        self.refuse_unless_in("second_cue", ("independent", "other"))
        super().check()

    @property
    def num_shown(self) -> int:
        """Two tests."""
        return 2

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        fixation = ("fixation",) if self.fixation_input else ()
        return (*fixation, *self.tuned_names("field1"), *self.tuned_names("field2"), "cue_1", "cue_2")

    @property
    def silent_score(self) -> float:
        """All-zero outputs say non-match twice."""
        return 0.25

    @property
    def signature(self) -> Signature:
        """Accuracy of the second test by whether its item was the one not attended before."""
        return Signature("accuracy", (("level", "switch"), ("correct", "correct_2")), ("overall", "worst"))

    @property
    def hardest(self) -> Hardest:
        """How long the items are held."""
        return Hardest("delay", (500.0, 1000.0, 2000.0, 4000.0))

    def plan(self, draw: Draw) -> Plan:
        """Items, cues and tests of one trial."""
        line, fields = self.timeline, jnp.arange(2)
        epochs = self.row(draw, [True, True])
        items = draw.index("items", self.num_directions, (2,))
        first = draw.index("cue_1", 2)
        cued = (first, 1 - first if self.second_cue == "other" else draw.index("cue_2", 2))
        stimuli = line.box(*epochs["sample"])[:, None, None] * self.tuned(items, self.num_directions)
        cues = jnp.zeros((self.num_steps, 2), jnp.float32)
        conditions = {"sample_1": items[0], "sample_2": items[1], "switch": cued[0] != cued[1]}
        matches = []
        for place, item in enumerate(cued, 1):
            match = draw.coin(f"match_{place}", 0.5)
            away = 1 + draw.index(f"test_{place}", self.num_directions - 1)
            test = jnp.where(match, items[item], (items[item] + away) % self.num_directions)
            uncued = draw.index(f"uncued_{place}", self.num_directions)
            here = fields == item
            rates = self.tuned(jnp.where(here, test, uncued), self.num_directions)
            if not self.uncued_shown:
                rates, uncued = jnp.where(here[:, None], rates, 0), jnp.full((), -1)
            onset, offset = epochs[f"test_{place}"]
            stimuli = stimuli + line.box(onset, offset)[:, None, None] * rates
            middle = (epochs[f"delay_{place}"][0] + onset) / 2
            cues = cues + line.box(middle, offset if self.cue_held else onset)[:, None] * here
            matches.append(match)
            conditions |= {f"cued_{place}": item + 1, f"test_{place}": test, f"uncued_{place}": uncued}
            conditions[f"match_{place}"] = match
        inputs = jnp.concatenate([stimuli.reshape(self.num_steps, -1), cues], axis=1)
        targets, mask = self.answers(epochs, matches)
        return Plan(self.with_fixation(inputs, epochs), targets, mask, epochs, conditions)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct when an output on a valid sample is not finite."""
        chosen, finite = self.choices(outputs, trial)
        first, second = (
            finite & ((chosen[place] == 1) == trial.conditions[f"match_{place + 1}"]) for place in range(2)
        )
        return {"correct": first & second, "correct_1": first, "correct_2": second}
