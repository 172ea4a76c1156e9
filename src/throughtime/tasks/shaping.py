"""Shaping: an easier version of the task first, and a harder one each time performance allows it."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughtime.tasks import durations
from throughtime.tasks.criterion import Criterion

if TYPE_CHECKING:
    from throughtime.tasks.base import Task


@dataclass(frozen=True)
class Shaping:
    """Stages of training that differ in one field of the task, such as its delay; the last is the task.

    A stage ends at the evaluation on held-out trials of that stage where ``until`` holds. A task declares the
    shaping its publication trained with as its property ``shaping``; training goes through the stages.

    Attributes:
        field: of the task.
        values: of that field, one for each stage before the last.
        until: ends a stage: a bound on a score of the task, on a parameter of its signature's fit, or on
            ``"loss"``, the loss of held-out trials.

    Raises:
        ValueError: without values, or for an ``until`` that is no criterion.

    Example:
        >>> from throughtime.tasks import DelayedMatchToSample
        >>> grow = Shaping("delay", (500.0, 1000.0), until=Criterion("correct", at_least=0.9))
        >>> [stage.delay for stage in grow.stages(DelayedMatchToSample(delay=2000.0))]
        [500.0, 1000.0, 2000.0]
    """

    field: str
    values: tuple[Any, ...]
    until: Criterion

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple | list) or not self.values:
            raise ValueError(
                f"Shaping: values {self.values!r}: expected a tuple of values of {self.field}, one for each "
                "stage before the last."
            )
        object.__setattr__(self, "values", tuple(map(durations.normal, self.values)))
        if not isinstance(self.until, Criterion):
            raise ValueError(
                f"Shaping: until {self.until!r}: expected a criterion such as "
                "Criterion('correct', at_least=0.9)."
            )

    def stages(self, task: Task) -> tuple[Task, ...]:
        """The task of each stage.

        Raises:
            ValueError: for a field the task does not have, a value it refuses, two equal stages after each
                other, and stages with different inputs, outputs or dt.
        """
        name = type(task).__name__
        known = [field.name for field in dataclasses.fields(task)]
        if self.field not in known:
            raise ValueError(
                f"Shaping: {name} has no field {self.field!r}; its fields are {', '.join(known)}."
            )
        made = (*(dataclasses.replace(task, **{self.field: value}) for value in self.values), task)
        for before, after in itertools.pairwise(made):
            if before == after:
                raise ValueError(
                    f"Shaping: {self.field} {durations.show(getattr(after, self.field))}: two stages after "
                    "each other are the same; leave one out (the last stage is the task itself)."
                )
        for value, stage in zip(self.values, made, strict=False):
            for what in ("input_names", "output_names", "dt"):
                if getattr(stage, what) != getattr(task, what):
                    raise ValueError(
                        f"Shaping: at {self.field} {durations.show(value)} the {what} of {name} are "
                        f"{getattr(stage, what)}, in the last stage {getattr(task, what)}; shape a field "
                        "that leaves channels and dt as they are."
                    )
        return made
