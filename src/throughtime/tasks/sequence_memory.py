"""Sequence memory: locations are repeated in the order in which they were shown, or which a cue names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import jax.numpy as jnp

from throughtime.tasks import durations, named_sequences
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
class SequenceMemory(Task):
    """Locations are shown one after the other, held over a delay, and reported in the same order.

    No location comes twice in a trial; all orders are equally likely. Epochs: intertrial, fixation, item_1,
    item_2, … (each followed by a gap), delay, response_1, response_2, …; times in ms.

    Inputs: ``fixation``, 1 from fixation to the first response, ``location_0``, … (one-hot while shown).
    Outputs: the same; targets 1 for fixation until the first response, then for the locations one after the
    other, 0 otherwise. The whole trial counts for the loss but for ``grace`` after the onset of every
    response. Conditions: ``length`` (number of items), ``delay`` (ms), ``item_1``, … (locations).

    The answer of a response is the location whose mean output after ``grace`` is largest. Score:
    ``item_correct_1``, … up to ``num_locations``, by rank, false beyond the length of the sequence;
    ``item_accuracy``, fraction of items; ``correct`` if all are; ``rmse`` over what bears loss. Criterion
    0.95 of trials correct. Signature: accuracy by serial position and length, with primacy (first against
    middle items) and recency (last against middle items); untrained lengths are
    ``dataclasses.replace(task, num_items=5)``.

    With ``cue="name"`` (:meth:`averbeck_lee`) nothing is shown beforehand: one of eight known sequences is
    named, and three moves follow it over a grid of nine dots. Epochs: intertrial, fixation, response_1 to
    response_3, a move each. Inputs: ``dot_0``, … (the centre during fixation, then the right dot and a wrong
    one), ``sequence_0``, … (one-hot from fixation on). Outputs ``x`` and ``y``, the place of the gaze, at the
    centre until the first move. A move is right if the mean output after ``grace`` is nearest to its dot.
    Criterion: mean rmse at most 0.05, with neighbouring dots 1 apart.

    Attributes:
        num_items, num_locations: length of the sequence, and of how many locations.
        intertrial, fixation, delay: epochs, ms.
        stimulus, gap, response: of each item, ms, drawn for each.
        grace: ms after the onset of a response that count neither for the loss nor for the answer.
        cue: ``"items"`` are shown, or a sequence is told by ``"name"``.

    Sources: Xie et al. (2022) Science 375:632 (the default). Averbeck and Lee (2007) Journal of Neuroscience
    27:2204 (:meth:`averbeck_lee`). Márton, Schultz and Averbeck (2020) Neural Networks 132:375
    (:meth:`averbeck_lee`).

    Example:
        >>> task = SequenceMemory(delay=3000.0)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> task.duration, trial.inputs.shape
        (6450.0, (323, 7))
        >>> first, place = trial.conditions["item_1"], int(trial.epochs["response_1"][0] / 20) + 10
        >>> bool(trial.targets[place, 1:].argmax() == first)
        True
    """

    num_items: int = 3
    num_locations: int = 6
    intertrial: Duration = 0.0
    fixation: Duration = 0.0
    stimulus: Duration = 250.0
    gap: Duration = 400.0
    delay: Duration = Uniform(2500.0, 3500.0)
    response: Duration = 500.0
    grace: float = 100.0
    cue: str = "items"

    variants: ClassVar[tuple[str, ...]] = ("averbeck_lee",)
    duration_fields: ClassVar[tuple[str, ...]] = (
        "intertrial", "fixation", "stimulus", "gap", "delay", "response",
    )  # fmt: skip
    may_vanish: ClassVar[tuple[str, ...]] = ("intertrial", "fixation", "gap", "delay")
    reference: ClassVar[str] = (
        "Xie et al. (2022) Science 375:632 (locations on a ring, delay); variant: Averbeck & Lee (2007) "
        "J Neurosci 27:2204 with the inputs of Márton, Schultz & Averbeck (2020) Neural Netw 132:375. "
        "Departures: responses of fixed length, times of items, which moves make the sequences and which "
        "wrong dots are offered are ours."
    )

    @classmethod
    def averbeck_lee(cls, **fields: Any) -> Self:
        """Eight named sequences of three moves of the gaze over nine dots."""
        published: dict[str, Any] = {
            "cue": "name", "num_items": 3, "num_locations": 9, "intertrial": 1000.0, "fixation": 1000.0,
            "delay": 0.0,
        }  # fmt: skip
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse sequences that cannot be drawn, and items and answers shorter than a bin."""
        super().check()
        self.refuse_unless_in("cue", ("items", "name"))
        if self.num_items < 1:
            self.refuse("num_items", "there is nothing to report; use at least 1")
        if self._named and (self.num_items, self.num_locations) != (3, 9):
            self.refuse("cue", "named sequences have 3 items of 9 locations; use 'items' for others")
        if self.num_items > self.num_locations:
            self.refuse("num_items", f"no location comes twice; use at most {self.num_locations}")
        judged = self.judged_after(self.grace, "a response", durations.bounds(self.response)[0])
        finest = min(judged, durations.bounds(self.stimulus)[0])
        if self.dt > finest:
            self.refuse("dt", f"cannot resolve an item and its answer; use dt <= {finest:g}")

    @property
    def _named(self) -> bool:
        return self.cue == "name"

    @property
    def duration(self) -> float:
        """Longest possible trial, ms."""
        long = {name: durations.bounds(getattr(self, name))[1] for name in self.duration_fields}
        each = long["response"] + (0 if self._named else long["stimulus"] + long["gap"])
        return long["intertrial"] + long["fixation"] + long["delay"] + self.num_items * each

    def _ranks(self, kind: str, num: int | None = None) -> tuple[str, ...]:
        return tuple(f"{kind}_{rank + 1}" for rank in range(num or self.num_items))

    @property
    def epoch_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the epochs."""
        shown = () if self._named else self._ranks("item")
        return ("trial", "intertrial", "fixation", *shown, "delay", *self._ranks("response"))

    @property
    def condition_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the conditions."""
        return ("length", "delay", *self._ranks("item"))

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        if self._named:
            return named_sequences.INPUT_NAMES
        return ("fixation", *(f"location_{place}" for place in range(self.num_locations)))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return ("x", "y") if self._named else self.input_names

    @property
    def silent_score(self) -> float:
        """Zero is the first location every time, or the centre."""
        return 1 / self.num_locations if self.num_items == 1 else 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % of trials correct; of named sequences an error of 0.05."""
        if self._named:
            return (Criterion("rmse", at_most=0.05),)
        return (Criterion("correct", at_least=0.95),)

    @property
    def signature(self) -> Signature:
        """Accuracy by serial position and length."""
        ranks = self.num_items if self._named else self.num_locations
        scores = zip(self._ranks("item", ranks), self._ranks("item_correct", ranks), strict=True)
        return Signature(
            "serial_position", (("length", "length"), *scores), ("overall", "worst", "primacy", "recency")
        )

    @property
    def hardest(self) -> Hardest | None:
        """How many items there are; named sequences are what they are."""
        if self._named:
            return None
        return Hardest("num_items", (1, 2, 3, 4, 5), "items")

    def plan(self, draw: Draw) -> Plan:
        """Sequence of one trial, shown or named, and its report."""
        epochs, line = self._epochs(draw), self.timeline
        replies, go = self._boxes(epochs, "response", held=True), epochs["response_1"][0]
        if self._named:
            sequence = draw.index("sequence", len(named_sequences.RIGHT))
            items = jnp.asarray(named_sequences.RIGHT)[sequence]
            named = line.box(epochs["fixation"][0], epochs["trial"][1])
            moves = self._boxes(epochs, "response")
            inputs = named_sequences.inputs(sequence, line.box(*epochs["fixation"]), moves, named)
            targets = mixed(replies, jnp.asarray(named_sequences.DOTS)[items])
        else:
            order = jnp.argsort(draw.uniform("order", (self.num_locations,)))
            items = order[: self.num_items].astype(jnp.int32)
            places = jax.nn.one_hot(items, self.num_locations, dtype=jnp.float32)
            shown = mixed(self._boxes(epochs, "item"), places)
            fixating = line.box(epochs["fixation"][0], go)[:, None]
            inputs = jnp.concatenate([fixating, shown], axis=1)
            targets = jnp.concatenate([fixating, mixed(replies, places)], axis=1)
        mask = line.box(0.0, go) + self._boxes(epochs, "response", grace=self.grace).sum(1)
        conditions = {
            "length": jnp.asarray(self.num_items),
            "delay": epochs["delay"][1] - epochs["delay"][0],
            **dict(zip(self._ranks("item"), items, strict=True)),
        }
        return Plan(inputs, targets, jnp.broadcast_to(mask[:, None], targets.shape), epochs, conditions)

    def _epochs(self, draw: Draw) -> Epochs:
        """Epochs one after the other, in the order of their names, without the gaps."""
        lengths = {
            name: durations.quantile(getattr(self, name), draw.uniform(f"{name}s", (self.num_items,)))
            for name in ("stimulus", "gap", "response")
        }
        epochs: Epochs = {}
        now = start = jnp.zeros((), jnp.float32)
        for name in self.epoch_names[1:]:
            kind, _, rank = name.partition("_")
            after = now
            if kind == "item":
                now = now + lengths["stimulus"][int(rank) - 1]
                after = now + lengths["gap"][int(rank) - 1]
            elif kind == "response":
                after = now = now + lengths["response"][int(rank) - 1]
            else:
                after = now = now + draw.duration(name, getattr(self, name))
            epochs[name] = start, now
            now = start = after
        return {"trial": (jnp.zeros((), jnp.float32), now), **epochs}

    def _boxes(self, epochs: Epochs, kind: str, *, grace: float = 0.0, held: bool = False) -> Array:
        """Bin averages (time, rank) of the epochs of a kind; ``held``: the last goes on, as targets do."""
        edges = [epochs[name] for name in self._ranks(kind)]
        offsets = [offset for _, offset in edges]
        if held:
            offsets[-1] = jnp.full((), jnp.inf)
        onsets = jnp.stack([onset for onset, _ in edges]) + grace
        return self.timeline.box(onsets[:, None], jnp.stack(offsets)[:, None]).T

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; nothing is right when an output on a valid sample is not finite."""
        outputs = jnp.asarray(outputs)
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        kept = jnp.where(trial.valid[:, None] & jnp.isfinite(outputs), outputs, 0)
        window = self._boxes(trial.epochs, "response", grace=self.grace)
        decision = mixed((window / window.sum(0)).T, kept)
        answer = named_sequences.nearest(decision) if self._named else jnp.argmax(decision[:, 1:], axis=1)
        items = jnp.stack([trial.conditions[name] for name in self._ranks("item")])
        right = finite & (answer == items)
        squares = jnp.where(trial.mask > 0, trial.mask * (kept - trial.targets) ** 2, 0).sum()
        absent = jnp.zeros((), bool)
        by_rank = [*right, *[absent] * (0 if self._named else self.num_locations - self.num_items)]
        return {
            "correct": right.all(),
            "item_accuracy": right.astype(jnp.float32).mean(),
            "rmse": jnp.where(finite, jnp.sqrt(squares / trial.mask.sum()), jnp.nan),
            **dict(zip(self._ranks("item_correct", len(by_rank)), by_rank, strict=True)),
        }
