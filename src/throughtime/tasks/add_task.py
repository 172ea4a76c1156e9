"""The add task: a weighted sum of what was shown two fixed times ago, asked for all the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.tasks.base import Plan
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature
from throughtime.tasks.slotted import Slotted

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

OFFSET, GAINS = 0.5, (0.5, -0.25)
"""y = OFFSET + GAINS · (x first_lag ago, x second_lag ago)."""
TOLERANCE = 0.0078
"""Largest mean squared error of a correct trial: half the least that knowing one lag alone can reach."""
FLOOR = 1e-6
"""Smallest probability an answer is taken to give, so that a certain and wrong one costs 13.8 nats."""


@dataclass(frozen=True, kw_only=True)
class AddTask(Slotted):
    """Every slot asks for a sum of two earlier inputs: ``y(t) = ½ + ½ x(t − t₁) − ¼ x(t − t₂)``.

    In every slot x is 0 or 1 with equal probability, independently; t₁ is ``first_lag`` and t₂ ``second_lag``
    slots. A circuit that assigns credit over fewer than t₁ steps learns the mean, one over fewer than t₂ the
    first lag at best: :attr:`levels` says which errors these are, so that a learning curve shows how far
    back a rule can look.

    Epochs: history (the slots whose targets reach back to before the trial), response (the others). Only
    the response counts for the loss, so that a stream can be cut in trials of any length, with the state of
    the circuit carried from one to the next; before the trial x counts as 0 in the targets.

    Inputs: ``value``, x; ``complement``, 1 − x. Outputs: ``sum`` and ``complement``, with targets y and
    1 − y: probabilities of two alternatives, so that both squared error and softmax cross-entropy can be
    trained. ``report`` says how the answers are read from the outputs. Condition: ``delay`` (the longer lag,
    ms).

    Score, both over the response: ``mse``, squared error of the answers, mean over both channels;
    ``cross_entropy``, −Σ y ln q in nats with q the answers (those of ``"probabilities"`` first made at least
    1e-6 and normalised); ``correct`` if mse < 0.0078, half the least error with the first lag alone.
    Criterion: mean mse at most 0.0078. Signature: accuracy against delay, pooled over evaluations with other
    lags.

    A silent circuit is not right: with ``"logits"`` it answers ½ throughout, which is right only if next to
    no 1 counts, with a probability below 1e-9 in a response of 50 slots.

    Attributes:
        length: slots of a trial.
        first_lag, second_lag: t₁ and t₂, slots.
        report: ``"probabilities"``: the outputs are the answers, as squared error trains them; ``"logits"``:
            their softmax is, as softmax cross-entropy trains them.

    Source: Marschall, Cho and Savin (2020) Journal of Machine Learning Research 21.

    Example:
        >>> task = AddTask(length=20)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> x = trial.inputs[:, 0]
        >>> bool(abs(trial.targets[9:, 0] - (0.5 + 0.5 * x[4:15] - 0.25 * x[:11])).max() < 1e-6)
        True
        >>> round(task.levels["first_lag"]["cross_entropy"], 4)
        0.5192
    """

    length: int = 100
    first_lag: int = 5
    second_lag: int = 9
    report: str = "probabilities"

    variants: ClassVar[tuple[str, ...]] = ("leaky",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "history", "response")
    condition_names: ClassVar[tuple[str, ...]] = ("delay",)
    reference: ClassVar[str] = (
        "Marschall, Cho & Savin (2020) Journal of Machine Learning Research 21. Departures: a step is a slot "
        "of 20 ms; one long stream is cut in trials, whose first targets do not count; the tolerance is ours."
    )

    @classmethod
    def leaky(cls, **fields: Any) -> Self:
        """For circuits with α = 0.5 (τ = 40 ms): each input is held two steps of 20 ms, lags of 2 and 4."""
        published: dict[str, Any] = {"slot": 40.0, "first_lag": 2, "second_lag": 4}
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse lags that are one or none, trials that ask for nothing and unknown reports."""
        super().check()
        for name in ("first_lag", "second_lag"):
            if getattr(self, name) < 1:
                self.refuse(name, "what is shown now needs no memory; use at least 1")
        if self.first_lag == self.second_lag:
            self.refuse("second_lag", "the two lags are one; use another than first_lag")
        if self.length <= self.longest_lag:
            self.refuse("length", f"no target lies within the trial; use more than {self.longest_lag} slots")
        self.refuse_unless_in("report", ("probabilities", "logits"))

    @property
    def num_slots(self) -> int:
        """All of the trial."""
        return self.length

    @property
    def longest_lag(self) -> int:
        """The longer of the two lags, slots."""
        return max(self.first_lag, self.second_lag)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return ("value", "complement")

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return ("sum", "complement")

    @property
    def silent_score(self) -> float:
        """The error of a silent circuit is far above the tolerance."""
        return 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """Half the error of a circuit that knows the first lag alone."""
        return (Criterion("mse", at_most=TOLERANCE),)

    @property
    def signature(self) -> Signature:
        """Accuracy against delay."""
        return Signature("accuracy", (("level", "delay"), ("correct", "correct")), ("overall", "worst"))

    @property
    def levels(self) -> dict[str, dict[str, float]]:
        """Least possible scores of circuits that know ``neither`` lag, one, or ``both``.

        The best answer is the mean of y given what is known; both scores are averaged over the four
        equally likely pairs of inputs.

        Returns:
            ``neither``, ``first_lag``, ``second_lag``, ``both`` -> ``mse`` and ``cross_entropy`` (nats).
        """
        pairs = np.array([(first, second) for first in (0, 1) for second in (0, 1)])
        truth = OFFSET + pairs @ np.array(GAINS)
        known = {"neither": (0, 0), "first_lag": (1, 0), "second_lag": (0, 1), "both": (1, 1)}
        found = {}
        for name, columns in known.items():
            answer = OFFSET + np.where(columns, pairs, 0.5) @ np.array(GAINS)
            surprise = _surprise(truth, answer) + _surprise(1 - truth, 1 - answer)
            found[name] = {
                "mse": float(((answer - truth) ** 2).mean()),
                "cross_entropy": float(surprise.mean()),
            }
        return found

    @property
    def hardest(self) -> Hardest:
        """The second lag."""
        return Hardest("second_lag", (6, 9, 15, 25), "slots")

    def plan(self, draw: Draw) -> Plan:
        """Inputs of one trial and their sums."""
        shown = (draw.uniform("inputs", (self.length,)) < 0.5).astype(jnp.float32)
        total = jnp.full((self.length,), OFFSET, jnp.float32)
        for gain, lag in zip(GAINS, (self.first_lag, self.second_lag), strict=True):
            past = jnp.concatenate([jnp.zeros(min(lag, self.length), jnp.float32), shown[:-lag]])
            total = total + gain * past
        start, asked, end = map(self.onset, (0, self.longest_lag, self.length))
        weight = self.timeline.box(asked, end)[:, None]
        return Plan(
            self.binned(jnp.stack([shown, 1 - shown], axis=1)),
            self.binned(jnp.stack([total, 1 - total], axis=1), held=True),
            jnp.broadcast_to(weight, (self.num_steps, 2)),
            {"trial": (start, end), "history": (start, asked), "response": (asked, end)},
            {"delay": asked},
        )

    def ideal(self, trial: Trial) -> Array:
        """The targets, or their logits (probabilities below 1e-6 as 1e-6)."""
        if self.report == "logits":
            return jnp.log(jnp.maximum(trial.targets, FLOOR))
        return trial.targets

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and NaN, when an output on a valid sample is not finite."""
        outputs = jnp.asarray(outputs)
        if self.report == "logits":
            answers, logs = jax.nn.softmax(outputs), jax.nn.log_softmax(outputs)
        else:
            positive = jnp.maximum(outputs, FLOOR)
            answers, logs = outputs, jnp.log(positive / positive.sum(1, keepdims=True))
        weight = trial.mask[:, 0]
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])

        def mean(values: Array) -> Array:
            total = jnp.where(weight > 0, weight * values, 0).sum() / weight.sum()
            return jnp.where(finite, total, jnp.nan)

        mse = mean(((answers - trial.targets) ** 2).mean(1))
        cross_entropy = mean(-(trial.targets * logs).sum(1))
        return {"correct": mse < TOLERANCE, "mse": mse, "cross_entropy": cross_entropy}


def _surprise(probability: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """−p ln q, which is 0 where p is."""
    return -probability * np.log(np.where(probability > 0, answer, 1.0))
