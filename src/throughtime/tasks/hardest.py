"""The setting by which a task is made harder, and the values at which its demands are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Hardest:
    """Declares the parameter that decides most about how hard a task is.

    At each value, ``dataclasses.replace(task, **{field: value})`` is a task with the same channels: untrained
    circuits with a fitted readout are judged on it, and trained ones, so that it is known where a task demands
    recurrent weights that learn.

    Attributes:
        field: of the task.
        values: from the easiest to the hardest; the default is among them.
        unit: of the values, ``"ms"`` or ``"1"``.

    Raises:
        ValueError: unless there are at least two different values.

    Example:
        >>> Hardest("delay", (500.0, 1000.0, 2000.0)).values[-1]
        2000.0
    """

    field: str
    values: tuple[Any, ...]
    unit: str = "ms"

    def __post_init__(self) -> None:
        if len(set(self.values)) < 2:
            raise ValueError(
                f"Hardest: values {self.values}: a task is not harder anywhere; give at least two different ones."
            )
