"""Evidence accumulation: on which side were more cues, some time ago?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np

from throughtime.tasks.base import Plan
from throughtime.tasks.choice import Choice
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.base import Epochs
    from throughtime.tasks.draw import Draw

GROUPS = ("left", "right", "recall", "noise")


@dataclass(frozen=True, kw_only=True)
class EvidenceAccumulation(Choice):
    """Cues come one by one on the left or on the right; after a delay the side with more of them is reported.

    Epochs: cues (``num_cues`` intervals of ``cue_interval`` ms, the cue at the end of each), delay, response
    (with the recall cue on); times in ms. Each trial favours one side, left or right with equal probability;
    a cue is on that side with ``cue_probability``, independently. Right is the side with more cues, also
    where it is not the favoured one.

    Inputs: ``left`` and ``right`` (1 during a cue), ``recall`` (1 in the response), ``noise`` (``background``
    throughout); or ``group_size`` Poisson units of each, ``left_0``, … (see ``encoding``). Outputs: see
    :class:`Choice`; by default ``choice``, + for right. Conditions: ``left``, ``right`` (numbers of cues),
    ``difference`` (right − left), ``cue_1``, … (0 left, 1 right, in their order), ``delay`` (ms),
    ``correct_choice``.

    Score: fraction correct, criterion 0.93 (an error below 7 %). Signature: psychometric curve of choices of
    right against ``difference``; a subject that weighs all cues alike has equal weights in a regression of
    its choices on ``cue_1``, ….

    Attributes:
        num_cues: odd, so that one side has more.
        cue, cue_interval: duration of a cue, and from cue to cue (onset to onset), ms.
        delay: from the end of the last cue to the recall cue, ms.
        cue_probability: that a cue is on the favoured side.
        background: level of ``noise``, as a fraction of that of a cue.
        encoding: ``"rates"`` or ``"poisson"``: independent Poisson counts of every bin, in units of their
            mean during a cue.
        group_size, rate_hz: of the Poisson units: how many in a group, and their rate during a cue.

    Sources: Bellec et al. (2020) Nature Communications 11:3625, after Morcos and Harvey (2016) Nature
    Neuroscience 19:1672.

    Example:
        >>> import jax
        >>> task = EvidenceAccumulation()
        >>> task.duration, task.input_names
        (2250.0, ('left', 'right', 'recall', 'noise'))
        >>> conditions = jax.jit(task.trial)(jax.random.key(0)).conditions
        >>> int(conditions["left"] + conditions["right"])
        7
    """

    num_cues: int = 7
    cue: float = 100.0
    cue_interval: float = 150.0
    delay: Duration = 1050.0
    response: Duration | None = 150.0
    grace: float = 0.0
    cue_probability: float = 0.7
    background: float = 0.25
    encoding: str = "rates"
    group_size: int = 10
    rate_hz: float = 40.0

    variants: ClassVar[tuple[str, ...]] = ("bellec",)
    duration_fields: ClassVar[tuple[str, ...]] = ("cues", "delay", "response")
    may_coincide: ClassVar[tuple[str, ...]] = ()
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    reference: ClassVar[str] = (
        "Bellec et al. (2020) Nature Communications 11:3625 (timing, probabilities and Poisson inputs as in "
        "their public code); the task is that of Morcos & Harvey (2016) Nature Neuroscience 19:1672. "
        "Departures: by default one input channel a group, and a background of constant level."
    )

    @classmethod
    def bellec(cls, **fields: Any) -> Self:
        """Bellec et al. (2020): dt 1, four groups of 10 Poisson units (40 Hz; background 10 Hz), two outputs.

        Their inputs are spikes of size 1; here a spike is 1/(rate_hz · dt), so that the mean during a cue is
        1 at every dt. Targets are one-hot, for cross-entropy over the recall.
        """
        published: dict[str, Any] = {
            "dt": 1.0, "encoding": "poisson", "noise": 0.0, "report": "channels", "low": 0.0,
        }  # fmt: skip
        return cls(**published | fields)

    @property
    def condition_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the conditions."""
        return ("left", "right", "difference", *self._cue_names, "delay", "correct_choice")

    @property
    def _cue_names(self) -> tuple[str, ...]:
        return tuple(f"cue_{place + 1}" for place in range(self.num_cues))

    def check(self) -> None:
        """Refuse ties, cues that overlap, and units that do not fire."""
        if self.num_cues < 1 or self.num_cues % 2 == 0:
            self.refuse("num_cues", "must be odd (ties have no correct side)")
        if self.cue <= 0:
            self.refuse("cue", "a cue needs a duration; use cue > 0")
        if self.cue_interval < self.cue:
            self.refuse("cue_interval", f"the cues would overlap; use cue_interval >= {self.cue:g}")
        self.refuse_unless_probability("cue_probability")
        self.refuse_unless_in("encoding", ("rates", "poisson"))
        if self.background < 0:
            self.refuse("background", "a level cannot be negative; use background >= 0")
        if self.group_size < 1:
            self.refuse("group_size", "a group needs a unit; use at least 1")
        if self.rate_hz <= 0:
            self.refuse("rate_hz", "units that do not fire show nothing; use rate_hz > 0")
        super().check()

    @property
    def cues(self) -> float:
        """Duration of all cues with the gaps before them, ms."""
        return self.num_cues * self.cue_interval

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The two sides."""
        return ("left", "right")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        fixation = ("fixation",) if self.fixation_input else ()
        if self.encoding == "rates":
            return (*fixation, *GROUPS)
        digits = len(str(self.group_size - 1))
        units = (f"{group}_{unit:0{digits}d}" for group in GROUPS for unit in range(self.group_size))
        return (*fixation, *units)

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """An error below 7 %."""
        return (Criterion("correct", at_least=0.93),)

    @property
    def signature(self) -> Signature:
        """Choices of right against the difference of counts."""
        return Signature(
            "psychometric",
            (("stimulus", "difference"), ("choice", "choice")),
            ("mu", "sigma", "guess", "lapse"),
        )

    @property
    def hardest(self) -> Hardest:
        """How long the count is held."""
        return Hardest("delay", (150.0, 1050.0, 2100.0, 4200.0))

    def plan(self, draw: Draw) -> Plan:
        """Cues of one trial and the side with more of them."""
        epochs = self.successive(draw)
        favoured = draw.coin("favoured_side", 0.5)
        probability = jnp.where(favoured, self.cue_probability, 1 - self.cue_probability)
        sides = (draw.uniform("cues", (self.num_cues,)) < probability).astype(jnp.int32)
        right = sides.sum()
        correct_choice = (2 * right > self.num_cues).astype(jnp.int32)
        targets, mask = self.answer(epochs, correct_choice)
        conditions = {
            "left": self.num_cues - right,
            "right": right,
            "difference": 2 * right - self.num_cues,
            **dict(zip(self._cue_names, sides, strict=True)),
            "delay": epochs["delay"][1] - epochs["delay"][0],
            "correct_choice": correct_choice,
        }
        inputs = self._inputs(draw, sides, epochs)
        return Plan(self.with_fixation(inputs, epochs), targets, mask, epochs, conditions)

    def _inputs(self, draw: Draw, sides: Array, epochs: Epochs) -> Array:
        """Inputs (time, input) without fixation."""
        offsets = (np.arange(1, self.num_cues + 1) * self.cue_interval).astype(np.float32)[:, None]
        shown = self.timeline.box(offsets - np.float32(self.cue), offsets)
        left, right = ((shown * (sides == side)[:, None]).sum(0) for side in (0, 1))
        recall, trial = (self.timeline.box(*epochs[name]) for name in ("response", "trial"))
        levels = jnp.stack([left, right, recall, self.background * trial], axis=1)
        if self.encoding == "rates":
            return levels
        mean = np.float32(self.rate_hz * self.dt / 1000)
        levels = jnp.repeat(levels, self.group_size, axis=1)
        largest = float(mean) * max(1.0, self.background)
        return draw.counts("spikes", mean * levels, largest) / mean
