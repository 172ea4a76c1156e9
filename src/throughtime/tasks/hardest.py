"""The setting by which a task is made harder, and the values at which its demands are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Hardest:
    """Declares the parameter that decides most about how hard a task is.

    At each value, ``dataclasses.replace(task, **{field: value})`` is a task with the same channels. Untrained
    circuits with a fitted readout are judged on it, and trained ones, so that it is known where a task
    demands recurrent weights that learn.

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
                f"Hardest: values {self.values}: the task gets no harder; give at least two different ones."
            )


class Measured(NamedTuple):
    """What was measured at one value of the hardest parameter; None where it has not been yet.

    Attributes:
        ceiling: measure of the task's first criterion in untrained circuits whose readout alone is fitted, at
            the best of the gains tried.
        untrained: whether any of these circuits meets all criteria.
        trained: whether all circuits trained by BPTT do.
    """

    ceiling: float | None
    untrained: bool | None
    trained: bool | None

    @property
    def demanding(self) -> bool:
        """Whether trained circuits meet the criterion, and untrained ones do not."""
        return self.trained is True and self.untrained is False
