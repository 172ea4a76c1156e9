"""The mimic task: follow another recurrent circuit that sees the same inputs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

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

TOLERANCE = 0.05
"""Largest error of a correct trial, as a fraction of the variance of the targets."""


class Teacher(NamedTuple):
    """Weights of a teacher, float32.

    ``inputs`` (unit, input), ``weights`` (unit, unit), ``outputs`` (output, unit), ``bias`` (unit,) and
    ``output_bias`` (output,).
    """

    inputs: np.ndarray
    weights: np.ndarray
    outputs: np.ndarray
    bias: np.ndarray
    output_bias: np.ndarray


@dataclass(frozen=True, kw_only=True)
class MimicTask(Slotted):
    """The targets are the outputs of a random recurrent circuit, the teacher, which sees the same inputs.

    In every slot the teacher takes one step, ``h ← (1 − α) h + α tanh(W h + W_in x + b)``, and puts out
    ``W_out h + b_out``, with α = slot/``teacher_tau``. W is a random orthogonal matrix, W_in and W_out have
    entries N(0, 1/n) with n their number of columns, biases have SD 0.1. The teacher depends on
    ``teacher_seed`` alone: it is the same in all trials, whatever their keys.

    Every input is 0 or 1 with equal probability, independently, and new every ``hold`` slots. The teacher
    starts a trial at h = 0. It soon forgets that: the first ``settling`` slots do not count for the loss, and
    what follows depends on the inputs of the trial alone (but for less than 0.2 % of the variance by
    default), so that a stream can be cut in trials with the state of the learner carried over.

    Epochs: settling, response (the rest). Inputs: ``input_00``, …; outputs: ``output_00``, …. Condition:
    ``memory`` (``teacher_tau``, ms).

    Score, over the response: ``nmse``, summed squared error over the summed squared deviation of the targets
    from their mean of the trial, criterion at most 0.05; ``correct`` if nmse < 0.05. Constant outputs have at
    least 1. Signature: accuracy against the teacher's time constant, pooled over evaluations with other
    teachers.

    Attributes:
        length: slots of a trial.
        hold: slots an input lasts.
        settling: slots at the start that do not count.
        num_inputs, num_units, num_outputs: of the teacher.
        teacher_tau: its time constant, ms; as long as a slot, α is 1.
        teacher_seed: which teacher.

    Source: Marschall, Cho and Savin (2020) Journal of Machine Learning Research 21.

    Example:
        >>> task = MimicTask()
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> trial.inputs.shape, trial.targets.shape, task.output_names[:2]
        ((100, 32), (100, 32), ('output_00', 'output_01'))
        >>> bool(task.score(0 * trial.targets, trial)["nmse"] > 1)
        True
    """

    length: int = 100
    hold: int = 1
    settling: int = 10
    num_inputs: int = 32
    num_units: int = 32
    num_outputs: int = 32
    teacher_tau: float = 20.0
    teacher_seed: int = 0

    variants: ClassVar[tuple[str, ...]] = ("leaky",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "settling", "response")
    condition_names: ClassVar[tuple[str, ...]] = ("memory",)
    reference: ClassVar[str] = (
        "Marschall, Cho & Savin (2020) Journal of Machine Learning Research 21. Departures: a step is a slot "
        "of 20 ms; one long stream is cut in trials, each of which starts the teacher anew; score and "
        "criterion are ours."
    )

    @classmethod
    def leaky(cls, **fields: Any) -> Self:
        """For circuits with α = 0.5 (τ = 40 ms), that of the teacher: each input is held two slots."""
        published: dict[str, Any] = {"teacher_tau": 40.0, "hold": 2, "settling": 20}
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse teachers that cannot be and trials without variance to explain."""
        super().check()
        for name in ("hold", "num_inputs", "num_units", "num_outputs"):
            if getattr(self, name) < 1:
                self.refuse(name, "use at least 1")
        if self.settling < 0:
            self.refuse("settling", "a number of slots cannot be negative; use settling >= 0")
        if self.length < self.settling + 2:
            needed = self.settling + 2
            self.refuse("length", f"two targets that count make a variance; use at least {needed} slots")
        if self.teacher_tau < self.slot:
            self.refuse("teacher_tau", f"the teacher's α would exceed 1; use teacher_tau >= {self.slot:g}")
        if self.teacher_seed < 0:
            self.refuse("teacher_seed", "a seed cannot be negative; use teacher_seed >= 0")

    @property
    def num_slots(self) -> int:
        """All of the trial."""
        return self.length

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return _numbered("input", self.num_inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return _numbered("output", self.num_outputs)

    @property
    def silent_score(self) -> float:
        """Zeros explain no variance."""
        return 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % of the variance."""
        return (Criterion("nmse", at_most=TOLERANCE),)

    @property
    def signature(self) -> Signature:
        """Accuracy against the teacher's time constant."""
        return Signature("accuracy", (("level", "memory"), ("correct", "correct")), ("overall", "worst"))

    @property
    def teacher(self) -> Teacher:
        """Weights of the teacher."""
        return _teacher(self.teacher_seed, self.num_inputs, self.num_units, self.num_outputs)

    @property
    def hardest(self) -> Hardest:
        """How long the teacher's units remember."""
        return Hardest("teacher_tau", (20.0, 40.0, 80.0))

    def plan(self, draw: Draw) -> Plan:
        """Inputs of one trial and what the teacher makes of them."""
        num_draws = -(-self.length // self.hold)
        drawn = (draw.uniform("inputs", (num_draws, self.num_inputs)) < 0.5).astype(jnp.float32)
        shown = jnp.repeat(drawn, self.hold, axis=0)[: self.length]
        start, asked, end = map(self.onset, (0, self.settling, self.length))
        weight = self.timeline.box(asked, end)[:, None]
        return Plan(
            self.binned(shown),
            self.binned(self._taught(shown), held=True),
            jnp.broadcast_to(weight, (self.num_steps, self.num_outputs)),
            {"trial": (start, end), "settling": (start, asked), "response": (asked, end)},
            {"memory": jnp.asarray(self.teacher_tau, jnp.float32)},
        )

    def _taught(self, shown: Array) -> Array:
        """Outputs (slot, output) of the teacher to inputs (slot, input)."""
        teacher, alpha = self.teacher, np.float32(self.slot / self.teacher_tau)
        matmul = functools.partial(jnp.matmul, precision="highest")

        def step(state: Array, drive: Array) -> tuple[Array, Array]:
            new = state + alpha * (jnp.tanh(matmul(teacher.weights, state) + drive) - state)
            return new, new

        drives = matmul(shown, teacher.inputs.T) + teacher.bias
        _, states = jax.lax.scan(step, jnp.zeros(self.num_units, jnp.float32), drives)
        return matmul(states, teacher.outputs.T) + teacher.output_bias

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and NaN, when an output on a valid sample is not finite."""
        outputs, weight = jnp.asarray(outputs), trial.mask
        mean = (weight * trial.targets).sum(0) / weight.sum(0)
        error = jnp.where(weight > 0, weight * (outputs - trial.targets) ** 2, 0).sum()
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        nmse = jnp.where(finite, error / (weight * (trial.targets - mean) ** 2).sum(), jnp.nan)
        return {"correct": nmse < TOLERANCE, "nmse": nmse}


@functools.lru_cache(maxsize=8)
def _teacher(seed: int, num_inputs: int, num_units: int, num_outputs: int) -> Teacher:
    """Weights drawn by NumPy, so that they do not depend on the default precision of JAX."""
    random = np.random.default_rng(seed)
    inputs = random.normal(0.0, num_inputs**-0.5, (num_units, num_inputs))
    basis, triangle = np.linalg.qr(random.normal(size=(num_units, num_units)))
    outputs = random.normal(0.0, num_units**-0.5, (num_outputs, num_units))
    biases = random.normal(0.0, 0.1, num_units), random.normal(0.0, 0.1, num_outputs)
    weights = basis * np.sign(np.diag(triangle))  # uniform over orthogonal matrices
    return Teacher(*(array.astype(np.float32) for array in (inputs, weights, outputs, *biases)))


def _numbered(signal: str, count: int) -> tuple[str, ...]:
    digits = max(2, len(str(count - 1)))
    return tuple(f"{signal}_{index:0{digits}d}" for index in range(count))
