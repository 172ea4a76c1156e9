"""Copy memory: repeat a sequence of symbols after a blank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp

from throughtime.tasks.base import Plan
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature
from throughtime.tasks.slotted import Slotted
from throughtime.tasks.timeline import mixed

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class CopyMemory(Slotted):
    """A sequence of symbols is shown, held over a blank, and repeated in order after a go cue.

    Epochs: presentation (a slot a symbol), blank (``blank`` slots), go (the last blank slot), recall (a slot
    a symbol). Every symbol is recalled ``num_symbols + blank`` slots after it was shown; to lengthen the lag,
    ``dataclasses.replace(task, blank=500)``.

    Inputs: ``symbol_0``, ``symbol_1``, … (one-hot while shown), ``go``; nothing in the other slots. Outputs:
    the same symbols and ``blank``. Targets are probabilities, one-hot: blank until the recall, then the
    symbols. The whole trial counts for the loss, all channels alike, so that squared error and cross-entropy
    can both be trained. Condition: ``delay`` (duration of the blank, ms).

    The answer of a slot is the channel whose mean output in it is largest. Score: ``symbol_accuracy``,
    fraction of the recalled symbols that are right, criterion 0.95; ``correct`` if all are. Signature:
    accuracy against delay, pooled over evaluations with other blanks.

    Without memory the best outputs are blank until the recall and then all symbols alike. Their cross-entropy
    is K ln A / (blank + 2K) nats, with K = ``num_symbols`` and A = ``alphabet`` (0.297 by default), and ln A
    over the recall alone. Learning curves that stay at this level have learned when, but not what.

    Attributes:
        num_symbols: length of the sequence; symbols are drawn independently, with equal probability.
        alphabet: number of different symbols.
        blank: slots between presentation and recall, the last of them with the go cue.

    Sources: Hochreiter and Schmidhuber (1997) Neural Computation 9:1735. Arjovsky, Shah and Bengio (2016)
    ICML, with ``blank`` up to 500.

    Example:
        >>> task = CopyMemory(num_symbols=3, blank=5)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> trial.inputs.shape, task.output_names[-2:]
        ((11, 9), ('symbol_7', 'blank'))
        >>> trial.inputs[:3].argmax(1).tolist() == trial.targets[8:].argmax(1).tolist()
        True
    """

    num_symbols: int = 10
    alphabet: int = 8
    blank: int = 50

    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "presentation", "blank", "go", "recall")
    condition_names: ClassVar[tuple[str, ...]] = ("delay",)
    reference: ClassVar[str] = (
        "Hochreiter & Schmidhuber (1997) Neural Computation 9:1735 (long time lags); Arjovsky, Shah & Bengio "
        "(2016) ICML (this form). Departures: a step is a slot of 20 ms; blank slots have no input channel, "
        "which with a bias for every unit is the same; criterion and score of whole sequences are ours."
    )

    def check(self) -> None:
        """Refuse sequences that hold nothing and blanks without room for the go cue."""
        super().check()
        if self.num_symbols < 1:
            self.refuse("num_symbols", "there is nothing to recall; use at least 1")
        if self.alphabet < 2:
            self.refuse("alphabet", "a symbol without alternative needs no memory; use at least 2")
        if self.blank < 1:
            self.refuse("blank", "the go cue takes the last blank slot; use at least 1")

    @property
    def num_slots(self) -> int:
        """Presentation, blank and recall."""
        return self.blank + 2 * self.num_symbols

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names of the symbols."""
        digits = len(str(self.alphabet - 1))
        return tuple(f"symbol_{index:0{digits}d}" for index in range(self.alphabet))

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (*self.symbols, "go")

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return (*self.symbols, "blank")

    @property
    def silent_score(self) -> float:
        """Among equal outputs the first symbol is the answer: right if all were the first."""
        return float(self.alphabet**-self.num_symbols)

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % of the symbols."""
        return (Criterion("symbol_accuracy", at_least=0.95),)

    @property
    def signature(self) -> Signature:
        """Accuracy against delay."""
        return Signature("accuracy", (("level", "delay"), ("correct", "correct")), ("overall", "worst"))

    @property
    def _recall(self) -> int:
        """First slot of the recall."""
        return self.num_symbols + self.blank

    @property
    def hardest(self) -> Hardest:
        """How long the symbols are held."""
        return Hardest("blank", (5, 20, 50, 100), "slots")

    def plan(self, draw: Draw) -> Plan:
        """The sequence of one trial."""
        shown, cued, recalled, end = map(
            self.onset, (self.num_symbols, self._recall - 1, self._recall, self.num_slots)
        )
        start, line = self.onset(0), self.timeline
        sequence = jax.nn.one_hot(
            draw.index("sequence", self.alphabet, (self.num_symbols,)), self.alphabet, dtype=jnp.float32
        )
        inputs = mixed(self.shares(0, self.num_symbols), sequence)
        targets = mixed(self.shares(self._recall, self.num_symbols, held=True), sequence)
        mask = line.box(start, end)[:, None]
        epochs = {
            "trial": (start, end),
            "presentation": (start, shown),
            "blank": (shown, recalled),
            "go": (cued, recalled),
            "recall": (recalled, end),
        }
        return Plan(
            jnp.concatenate([inputs, line.box(cued, recalled)[:, None]], axis=1),
            jnp.concatenate([targets, line.box(start, recalled)[:, None]], axis=1),
            jnp.broadcast_to(mask, (self.num_steps, self.alphabet + 1)),
            epochs,
            {"delay": recalled - shown},
        )

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; no symbol is right when an output on a valid sample is not finite."""
        outputs = jnp.asarray(outputs)
        slots = self.shares(self._recall, self.num_symbols).T
        answers, wanted = (mixed(slots, each).argmax(1) for each in (outputs, trial.targets))
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        right = finite & (answers == wanted)
        return {"correct": right.all(), "symbol_accuracy": right.astype(jnp.float32).mean()}
