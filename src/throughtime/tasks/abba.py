"""ABBA: which of several tests matches the sample, when tests repeat too?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks.base import Plan
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.matching import Matching
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class ABBA(Matching):
    """Up to three tests follow a sample; each is answered match or non-match, and a match is the last one.

    Epochs: fixation, sample, then delay_1, test_1, delay_2, test_2, …; times in ms. The match comes at each
    place, or not at all, with equal probability, and ends the trial; later epochs are absent. A non-match
    that follows a non-match repeats it with ``repeat_probability``; otherwise it is a direction not shown
    before. To notice that something was repeated is thus not enough: the sample has to be remembered.

    Inputs: ``stimulus_00``, … (von Mises tuned units), after ``fixation`` if the task has that input.
    Outputs: ``fixation``, ``choice_nonmatch``, ``choice_match``, see :class:`Choice`. Conditions:
    ``sample``, ``test_1``, … (index of a direction; −1 if not shown), ``match_position`` (of the first
    match, from 1; 0 if there is none), ``matches``, ``repeated``, ``new`` (numbers of tests that match,
    that repeat the non-match before them, and that follow a non-match with another one).

    Score: ``correct`` (every test), ``test_accuracy`` (fraction of tests), ``hits`` (matches answered
    match), ``repeated_false_alarms``, ``new_false_alarms`` (repeated and new non-matches answered match).
    Criterion 0.95 of trials correct. Signature: false alarms to repeated against new non-matches.

    Attributes:
        num_tests: largest number of tests.
        matches: ``"one"``: at most one test matches and ends the trial; or ``"independent"``: all tests are
            shown, and each matches with probability 0.5.
        repeat_probability: that a non-match is repeated by the non-match after it.
        fixation, sample, delay, test, num_directions: see :class:`Matching`.

    Sources: Masse, Yang, Song, Wang and Freedman (2019) Nature Neuroscience, after Miller and Desimone (1994)
    Science 263:520.

    Example:
        >>> import jax
        >>> task = ABBA()
        >>> task.duration, task.output_names
        (2800.0, ('fixation', 'choice_nonmatch', 'choice_match'))
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> bool(task.score(task.ideal(trial), trial)["correct"])
        True
    """

    sample: Duration = 400.0
    delay: Duration = 400.0
    test: Duration = 400.0
    num_tests: int = 3
    matches: str = "one"
    repeat_probability: float = 0.5

    variants: ClassVar[tuple[str, ...]] = ("masse", "abca")
    reference: ClassVar[str] = (
        "Masse et al. (2019) Nature Neuroscience, timings and stimuli as in their public code; after Miller "
        "& Desimone (1994) Science. Departures: by default a match ends the trial and is equally likely at "
        "every place or absent, and there is no fixation epoch; only non-matches are repeated."
    )

    @classmethod
    def masse(cls, **fields: Any) -> Self:
        """Masse et al. (2019), as in their public code: all three tests, each a match with probability 0.5.

        Their 400 ms of dead time before fixation, which bear no loss, are left out. There a match may be
        repeated with ``repeat_probability`` too, which makes matches after matches more frequent.
        """
        published: dict[str, Any] = {"dt": 10.0, "fixation": 500.0, "matches": "independent"}
        return cls(**published | fields)

    @classmethod
    def abca(cls, **fields: Any) -> Self:
        """Masse et al. (2019): their control ABCA, in which no non-match is repeated."""
        return cls.masse(**{"repeat_probability": 0.0, **fields})

    def check(self) -> None:
        """Refuse rows without tests or without enough directions."""
        if self.num_tests < 1:
            self.refuse("num_tests", "there is nothing to answer; use at least 1")
        self.refuse_unless_in("matches", ("one", "independent"))
        self.refuse_unless_probability("repeat_probability")
        super().check()
        if self.num_directions <= self.num_tests:
            self.refuse(
                "num_directions",
                f"non-matches are directions not shown before; use more than num_tests, {self.num_tests}",
            )

    @property
    def num_shown(self) -> int:
        """Largest number of tests."""
        return self.num_tests

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (*(("fixation",) if self.fixation_input else ()), *self.tuned_names("stimulus"))

    @property
    def condition_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the conditions."""
        return ("sample", *self.test_names, "match_position", "matches", "repeated", "new")

    @property
    def silent_score(self) -> float:
        """Share of trials without a match: all-zero outputs say non-match."""
        return 1 / (self.num_tests + 1) if self.matches == "one" else 0.5**self.num_tests

    @property
    def signature(self) -> Signature:
        """False alarms to repeated against new non-matches."""
        names = ("matches", "hits", "repeated", "repeated_false_alarms", "new", "new_false_alarms")
        parameters = (
            "hit_rate", "repeated_rate", "new_rate", "repetition_effect", "repeated_d_prime", "new_d_prime",
        )  # fmt: skip
        return Signature("repetition", tuple((name, name) for name in names), parameters)

    @property
    def hardest(self) -> Hardest:
        """How many tests there are."""
        return Hardest("num_tests", (1, 2, 3, 5), "1")

    def plan(self, draw: Draw) -> Plan:
        """Sample and tests of one trial."""
        places = jnp.arange(self.num_tests)
        if self.matches == "one":
            position = draw.index("match", self.num_tests + 1)
            match, shown = places == position, places <= position
        else:
            match = draw.uniform("match", (self.num_tests,)) < 0.5
            shown = jnp.ones(self.num_tests, bool)
        after = ~match & ~jnp.concatenate([jnp.ones(1, bool), match[:-1]])
        repeated = after & (draw.uniform("repeat", (self.num_tests,)) < self.repeat_probability)
        # New non-matches take the other directions in random order.
        sample = draw.index("sample", self.num_directions)
        order = jnp.argsort(draw.uniform("order", (self.num_directions - 1,)))
        place = jnp.maximum(jnp.cumsum(~match & ~repeated) - 1, 0)
        tests = jnp.where(match, sample, (sample + 1 + order[place]) % self.num_directions)

        epochs = self.row(draw, list(shown))
        inputs = self.timeline.box(*epochs["sample"])[:, None] * self.tuned(sample, self.num_directions)
        for name, test in zip(self.test_names, self.tuned(tests, self.num_directions), strict=True):
            inputs = inputs + self.timeline.box(*epochs[name])[:, None] * test
        targets, mask = self.answers(epochs, list(match))
        there = match & shown
        conditions = {
            "sample": sample,
            **dict(zip(self.test_names, jnp.where(shown, tests, -1), strict=True)),
            "match_position": jnp.where(there.any(), jnp.argmax(there) + 1, 0),
            "matches": there.sum(),
            "repeated": (repeated & shown).sum(),
            "new": (after & ~repeated & shown).sum(),
        }
        return Plan(self.with_fixation(inputs, epochs), targets, mask, epochs, conditions)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct when an output on a valid sample is not finite."""
        chosen, finite = self.choices(outputs, trial)
        tests = jnp.stack([trial.conditions[name] for name in self.test_names])
        shown, match = tests >= 0, tests == trial.conditions["sample"]
        before = jnp.concatenate([jnp.full(1, -1), tests[:-1]])
        follows = shown & ~match & (before >= 0) & (before != trial.conditions["sample"])
        said = chosen == 1
        right = (said == match) & finite
        return {
            "correct": jnp.all(right | ~shown),
            "test_accuracy": (right & shown).sum() / shown.sum(),
            "hits": (said & match).sum(),
            "repeated_false_alarms": (said & follows & (tests == before)).sum(),
            "new_false_alarms": (said & follows & (tests != before)).sum(),
        }
