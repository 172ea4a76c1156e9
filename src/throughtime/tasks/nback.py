"""N-back: is this item the one shown n items ago?"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations
from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature
from throughtime.tasks.timeline import mixed

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.base import Epochs
    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class NBack(Task):
    """Items come one after the other; each is compared with the one ``n`` items before it.

    Every item has to be held over the next ``n`` and then let go. From item n + 1 on an item matches with
    ``match_probability``, independently; otherwise it is any other symbol, with equal probability.

    Epochs: item_1, item_2, …, each a stimulus and the gap after it; times in ms.

    Inputs: ``symbol_a``, ``symbol_b``, … (one-hot, 1 while shown), or ``cos`` and ``sin`` of twice an
    orientation (see ``encoding``). Output: ``choice``, with target +1 from the onset of a matching item to
    that of the next one, −1 for other items and 0 for the first n. Items from n + 1 on count for the loss,
    after ``grace``. Conditions: ``n``, ``targets`` and ``lures`` (numbers of judged items that match and
    that do not), ``item_1``, … (indices of symbols).

    The answer to an item is the sign of the mean output after ``grace``, + for match. Score: ``hits`` and
    ``false_alarms`` (matching and other items answered match), ``item_accuracy``, criterion 0.95;
    ``correct`` if all judged items are. Signature: d′ by ``n``, pooled over evaluations with other n.

    Attributes:
        n: how far back.
        num_items: items of a trial.
        stimulus, gap: how long an item is shown, and from its end to the next one, ms; drawn for each item.
        grace: ms after the onset of an item that count neither for the loss nor for the answer.
        num_symbols: number of different symbols.
        encoding: ``"one-hot"``, or ``"orientation"``: gratings at πi/num_symbols, of which cos 2θ and
            sin 2θ are seen.
        match_probability: of an item that has another n items before it.

    Source: Wan, Menéndez and Postle (2022) PLoS Computational Biology 18:e1009062. The task is Kirchner's
    (1958) Journal of Experimental Psychology 55:352.

    Example:
        >>> task = NBack(num_items=6)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> trial.inputs.shape, task.silent_score
        ((90, 6), 0.0625)
        >>> fourth_matches = trial.conditions["item_4"] == trial.conditions["item_2"]
        >>> bool(trial.targets[50, 0] == 1) == bool(fourth_matches)
        True
    """

    n: int = 2
    num_items: int = 12
    stimulus: Duration = 100.0
    gap: Duration = 200.0
    grace: float = 50.0
    num_symbols: int = 6
    encoding: str = "one-hot"
    match_probability: float = 0.5

    variants: ClassVar[tuple[str, ...]] = ("continuous",)
    duration_fields: ClassVar[tuple[str, ...]] = ("stimulus", "gap")
    may_vanish: ClassVar[tuple[str, ...]] = ("gap",)
    reference: ClassVar[str] = (
        "Wan, Menéndez & Postle (2022) PLoS Comput Biol 18:e1009062 (six symbols or two numbers of an "
        "orientation, a step for an item and two after it); task of Kirchner (1958) J Exp Psychol 55:352. "
        "Departures: a step is 100 ms, targets are ±1, the answer is a mean output; input noise is ours."
    )

    @classmethod
    def continuous(cls, **fields: Any) -> Self:
        """Items of 500 ms with gaps of 1.5 to 2.5 s, a third of them matches.

        Close to what is usual with human subjects; the spread of the gaps is ours.
        """
        usual: dict[str, Any] = {
            "stimulus": 500.0, "gap": Uniform(1500.0, 2500.0), "match_probability": 1 / 3,
        }  # fmt: skip
        return cls(**usual | fields)

    def check(self) -> None:
        """Refuse trials without a judged item, symbols that cannot differ and items that cannot be judged."""
        super().check()
        if self.n < 1:
            self.refuse("n", "an item always matches itself; use at least 1")
        if self.num_items <= self.n:
            self.refuse("num_items", f"no item has one n before it; use more than n, {self.n}")
        self.refuse_unless_in("encoding", ("one-hot", "orientation"))
        if self.num_symbols < 2:
            self.refuse("num_symbols", "an item that does not match needs another symbol; use at least 2")
        if self.encoding == "one-hot" and self.num_symbols > len(string.ascii_lowercase):
            self.refuse("num_symbols", "one-hot symbols are named a to z; use encoding='orientation'")
        self.refuse_unless_probability("match_probability")
        shown, lasting = durations.bounds(self.stimulus)[0], self._bounds[0]
        finest = min(shown, self.judged_after(self.grace, "an item", lasting))
        if self.dt > finest:
            self.refuse("dt", f"cannot resolve an item and its answer; use dt <= {finest:g}")

    @property
    def _bounds(self) -> tuple[float, float]:
        """Shortest and longest time from item to item, ms."""
        edges = (durations.bounds(each) for each in (self.stimulus, self.gap))
        low, high = (sum(pair) for pair in zip(*edges, strict=True))
        return low, high

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        return self.num_items * self._bounds[1]

    @property
    def _items(self) -> tuple[str, ...]:
        return tuple(f"item_{place + 1}" for place in range(self.num_items))

    @property
    def epoch_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the epochs."""
        return ("trial", *self._items)

    @property
    def condition_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the conditions."""
        return ("n", "targets", "lures", *self._items)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        if self.encoding == "orientation":
            return ("cos", "sin")
        return tuple(f"symbol_{letter}" for letter in string.ascii_lowercase[: self.num_symbols])

    @property
    def output_names(self) -> tuple[str, ...]:
        """The one output."""
        return ("choice",)

    @property
    def silent_score(self) -> float:
        """Zero says that nothing matches."""
        return float((1 - self.match_probability) ** (self.num_items - self.n))

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % of the judged items."""
        return (Criterion("item_accuracy", at_least=0.95),)

    @property
    def signature(self) -> Signature:
        """d′ by n."""
        counts = tuple((name, name) for name in ("targets", "hits", "lures", "false_alarms"))
        parameters = ("hit_rate", "false_alarm_rate", "d_prime", "bias", "worst_d_prime")
        return Signature("detection", (("level", "n"), *counts), parameters)

    @property
    def hardest(self) -> Hardest:
        """How many items are held."""
        return Hardest("n", (1, 2, 3, 4), "items")

    def plan(self, draw: Draw) -> Plan:
        """Items of one trial and which of them match."""
        line, place = self.timeline, jnp.arange(self.num_items)
        judged = place >= self.n
        match = judged & (draw.uniform("match", (self.num_items,)) < self.match_probability)
        items = self._symbols(draw, match)
        shown, after = (
            durations.quantile(getattr(self, name), draw.uniform(f"{name}s", (self.num_items,)))
            for name in ("stimulus", "gap")
        )
        ends = jnp.cumsum(shown + after)
        starts = jnp.concatenate([jnp.zeros(1), ends[:-1]])
        seen = mixed(line.box(starts[:, None], (starts + shown)[:, None]).T, self._encode(items))
        last = jnp.where(place == self.num_items - 1, jnp.inf, ends)
        answer = judged * jnp.where(match, 1.0, -1.0)
        targets = mixed(line.box(starts[:, None], last[:, None]).T, answer[:, None])
        counted = (line.box((starts + self.grace)[:, None], ends[:, None]) * judged[:, None]).sum(0)
        conditions = {
            "n": jnp.asarray(self.n),
            "targets": match.sum(),
            "lures": (judged & ~match).sum(),
            **dict(zip(self._items, items, strict=True)),
        }
        rows = zip(starts, ends, strict=True)
        epochs: Epochs = {"trial": (starts[0], ends[-1]), **dict(zip(self._items, rows, strict=True))}
        return Plan(seen, targets, counted[:, None], epochs, conditions)

    def _symbols(self, draw: Draw, match: Array) -> Array:
        """Indices (item,) of the symbols, in steps from the item n before; a match is a step of 0."""
        steps = 1 + draw.index("others", self.num_symbols - 1, (self.num_items,))
        steps = jnp.where(match, 0, steps)
        first = draw.index("first", self.num_symbols, (self.n,))
        steps = jnp.concatenate([first, steps[self.n :]])
        rows = -(-self.num_items // self.n)
        padded = jnp.pad(steps, (0, rows * self.n - self.num_items))
        walked = jnp.cumsum(padded.reshape(rows, self.n), axis=0).reshape(-1)[: self.num_items]
        return walked % self.num_symbols

    def _encode(self, items: Array) -> Array:
        """Inputs (item, input) while they are shown."""
        if self.encoding == "one-hot":
            return jax.nn.one_hot(items, self.num_symbols, dtype=jnp.float32)
        twice = items * np.float32(2 * np.pi / self.num_symbols)
        return jnp.stack([jnp.cos(twice), jnp.sin(twice)], axis=1)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; no answer is right when an output on a valid sample is not finite."""
        outputs = jnp.asarray(outputs)
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        starts, ends = (jnp.stack([trial.epochs[name][edge] for name in self._items]) for edge in (0, 1))
        window = self.timeline.box((starts + self.grace)[:, None], ends[:, None])[self.n :]
        kept = jnp.where(trial.valid & jnp.isfinite(outputs[:, 0]), outputs[:, 0], 0)
        said = finite & (mixed(window, kept[:, None])[:, 0] > 0)
        items = jnp.stack([trial.conditions[name] for name in self._items])
        match = items[self.n :] == items[: -self.n]
        right = finite & (said == match)
        return {
            "correct": right.all(),
            "item_accuracy": right.astype(jnp.float32).mean(),
            "hits": (said & match).sum(),
            "false_alarms": (said & ~match).sum(),
        }
