"""What every task is: a frozen record of plain values that turns one key into one trial."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn

import jax.numpy as jnp
import numpy as np

from throughtime.registry import kebab
from throughtime.tasks import durations
from throughtime.tasks.draw import Draw
from throughtime.tasks.measured import MEASURED
from throughtime.tasks.timeline import Timeline
from throughtime.trial import Trial

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.criterion import Criterion
    from throughtime.tasks.hardest import Hardest, Measured
    from throughtime.tasks.shaping import Shaping
    from throughtime.tasks.signature import Signature

Epochs = dict[str, tuple["Array", "Array"]]


class Plan(NamedTuple):
    """A trial before noise; arrays may be non-zero after its end. Shapes as in :class:`Trial`."""

    inputs: Array
    targets: Array
    mask: Array
    epochs: Epochs
    conditions: dict[str, Array]


@dataclass(frozen=True, kw_only=True)
class Task(abc.ABC):
    """Base of all tasks. A subclass declares names, draws its trial in :meth:`plan` and scores it.

    Attributes:
        dt: bin, ms; delays and intervals never depend on it.
        noise: σ of the noise on every input, see :meth:`Timeline.noise_scale`.

    Class attributes:
        variants: named constructors, the settings of publications.
        duration_fields: fields that hold a :data:`~throughtime.tasks.durations.Duration`, in epoch order.
        may_vanish: those of them that may be 0.
        may_coincide: those that may be None: the epoch is then the one before it.
        any_length: fields that hold one or more numbers; other tuples have as many as their default.
        shown_by: conditions by which a picture tells trials apart, where the task has them; if none, those of
            the signature.
        reference: publication, and where we depart from it.

    Raises:
        ValueError: at construction, naming class, field, value and remedy.
    """

    dt: float = 20.0
    noise: float = 0.01

    variants: ClassVar[tuple[str, ...]] = ()
    duration_fields: ClassVar[tuple[str, ...]] = ()
    may_vanish: ClassVar[tuple[str, ...]] = ()
    may_coincide: ClassVar[tuple[str, ...]] = ()
    any_length: ClassVar[tuple[str, ...]] = ()
    shown_by: ClassVar[tuple[str, ...]] = ()
    reference: ClassVar[str]
    epoch_names: ClassVar[tuple[str, ...]]
    condition_names: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            self._normalise(field)
        self.check()

    def check(self) -> None:
        """Refuse impossible settings; subclasses extend it. Types and durations are right by now."""
        if self.dt <= 0:
            self.refuse("dt", "a bin needs a positive width; use dt > 0")
        if self.noise < 0:
            self.refuse("noise", "a standard deviation cannot be negative; use noise >= 0")

    # What a task declares.

    @property
    @abc.abstractmethod
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""

    @property
    @abc.abstractmethod
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""

    @property
    @abc.abstractmethod
    def silent_score(self) -> float:
        """Expected fraction correct of all-zero outputs."""

    @property
    @abc.abstractmethod
    def criterion(self) -> tuple[Criterion, ...]:
        """When the task counts as learned: all must hold."""

    @property
    @abc.abstractmethod
    def signature(self) -> Signature:
        """The fit that describes behaviour."""

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """Condition -> names of its values 0, 1, …, where they have names."""
        return {}

    @property
    def hardest(self) -> Hardest | None:
        """By which parameter the task is made harder; None where nobody has said."""
        return None

    @property
    def measured(self) -> tuple[Measured, ...]:
        """What the task demands at every value of its hardest parameter, the other fields at their defaults.

        Empty where it has not been measured, or where these settings are made harder by another parameter.
        """
        found = MEASURED.get(kebab(type(self).__name__), ())
        return found if found and self.hardest == type(self)().hardest else ()

    @property
    def demanding(self) -> tuple[Any, ...]:
        """Values of the hardest parameter at which recurrent weights must learn, other fields as by default.

        There, circuits trained by BPTT meet the criterion, and untrained ones whose readout alone is fitted
        do not. A comparison of learning rules says something at these values.
        """
        if self.hardest is None:
            return ()
        return tuple(
            value for value, found in zip(self.hardest.values, self.measured, strict=False) if found.demanding
        )

    @property
    def shaping(self) -> Shaping | None:
        """Stages in which published training made the task harder; None if it trained the task itself."""
        return None

    @abc.abstractmethod
    def plan(self, draw: Draw) -> Plan:
        """Draw one trial, without noise; its epochs include ``trial``."""

    @abc.abstractmethod
    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial from ``outputs`` (time, output); always has ``correct``."""

    def ideal(self, trial: Trial) -> Array:
        """Outputs (time, output) of a perfect subject."""
        return trial.targets

    # What follows from it.

    @property
    def duration(self) -> float:
        """Longest possible trial, ms: the sum of the longest epochs unless a subclass knows better."""
        epochs = (getattr(self, name) for name in self.duration_fields)
        return sum(durations.bounds(epoch)[1] for epoch in epochs if epoch is not None)

    @property
    def num_steps(self) -> int:
        """Samples of a trial; bounds, not draws, decide them."""
        return math.ceil(self.duration / self.dt - 1e-6)

    @property
    def time(self) -> np.ndarray:
        """Bin centres (time,) in ms, float64."""
        return (np.arange(self.num_steps) + 0.5) * self.dt

    @property
    def timeline(self) -> Timeline:
        """The bins of a trial."""
        return Timeline(self.num_steps, self.dt)

    def trial(self, key: Array) -> Trial:
        """One trial from one key: pure, jittable, static shapes."""
        draw = Draw(key)
        plan = self.plan(draw)
        valid = jnp.less(self.timeline.starts, plan.epochs["trial"][1])
        inputs = plan.inputs
        if self.noise > 0:
            inputs = inputs + self.timeline.noise_scale(self.noise) * draw.noise(
                self.num_steps, inputs.shape[1]
            )
        kept = valid[:, None]
        return Trial(
            inputs=jnp.where(kept, inputs, 0).astype(jnp.float32),
            targets=jnp.where(kept, plan.targets, 0).astype(jnp.float32),
            mask=jnp.where(kept, plan.mask, 0).astype(jnp.float32),
            valid=valid,
            epochs={name: (_single(start), _single(end)) for name, (start, end) in plan.epochs.items()},
            conditions={name: _single(value) for name, value in plan.conditions.items()},
        )

    def successive(self, draw: Draw) -> Epochs:
        """Epochs of ``duration_fields``, one after the other; None coincides with the one before."""
        epochs: Epochs = {}
        onset = offset = jnp.zeros((), jnp.float32)
        for name in self.duration_fields:
            duration = getattr(self, name)
            if duration is not None:
                onset, offset = offset, offset + draw.duration(name, duration)
            epochs[name] = onset, offset
        return {"trial": (jnp.zeros((), jnp.float32), offset), **epochs}

    # How it refuses.

    def refuse(self, name: str, problem: str) -> NoReturn:
        """Raise the error of one field: class, field, its value, what was expected and what to do."""
        value = durations.show(getattr(self, name))
        raise ValueError(f"{type(self).__name__}: {name} {value}: {problem}.")

    def refuse_unless_in(self, name: str, known: Sequence[str]) -> None:
        """Refuse a field whose value is none of ``known``."""
        if getattr(self, name) not in known:
            self.refuse(name, f"expected {' or '.join(map(repr, known))}")

    def refuse_unless_probability(self, name: str) -> None:
        """Refuse a field outside [0, 1]."""
        if not 0 <= getattr(self, name) <= 1:
            self.refuse(name, "a probability lies between 0 and 1")

    def judged_after(self, grace: float, words: str, shortest: float) -> float:
        """Time that is left to judge after ``grace``, ms; refused where nothing is.

        Args:
            words: what is judged, such as ``"a response"``. shortest: how long it lasts at least, ms.
        """
        if grace < 0:
            self.refuse("grace", "a duration cannot be negative; use grace >= 0")
        if grace >= shortest:
            raise ValueError(
                f"{type(self).__name__}: grace ({grace:g} ms) leaves no loss in {words} of {shortest:g} ms; "
                f"use grace < {words.split()[-1]}."
            )
        return shortest - grace

    def _normalise(self, field: dataclasses.Field[Any]) -> None:
        """Make equal settings equal values (numbers floats, lists tuples) and check their types."""
        name, default, value = field.name, field.default, getattr(self, field.name)
        if name in self.duration_fields:
            if value is None and name in self.may_coincide:
                return
            value = durations.normal(value)
            object.__setattr__(self, name, value)
            if problem := durations.problem(value, may_be_zero=name in self.may_vanish):
                self.refuse(name, problem)
        elif isinstance(default, bool):
            if not isinstance(value, bool):
                self.refuse(name, "expected True or False")
        elif isinstance(default, int):
            if not durations.is_number(value) or value != int(value):
                self.refuse(name, "expected a whole number")
            object.__setattr__(self, name, int(value))
        elif isinstance(default, float):
            if not durations.is_number(value):
                self.refuse(name, "expected a finite number")
            object.__setattr__(self, name, float(value))
        elif isinstance(default, tuple):
            numbers = durations.normal(value)
            if name in self.any_length:
                if not isinstance(numbers, tuple) or not numbers:
                    self.refuse(name, "expected one or more numbers, as a tuple")
            elif not isinstance(numbers, tuple) or len(numbers) != len(default):
                self.refuse(name, f"expected {len(default)} numbers")
            if not all(map(durations.is_number, numbers)):
                self.refuse(name, "expected finite numbers")
            object.__setattr__(self, name, numbers)


def _single(value: Array) -> Array:
    """``value`` in 32 bits whatever the default precision of JAX; bools stay."""
    value = jnp.asarray(value)
    if value.dtype == jnp.bool_:
        return value
    return value.astype(jnp.int32 if jnp.issubdtype(value.dtype, jnp.integer) else jnp.float32)
