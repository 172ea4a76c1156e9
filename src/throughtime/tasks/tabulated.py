"""Tasks that are rows of one table, so that a mixture of them costs as much as one of them."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks.base import Plan, Task

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw


@dataclass(frozen=True, kw_only=True)
class Tabulated(Task):
    """Base of tasks whose trials are one computation with other numbers.

    A mixture of different tasks has to plan a trial of each and keep one; of tasks like these it plans one
    trial with the numbers of the task drawn. Scores must not depend on what differs between the rows.

    Class attributes:
        row_fields: fields in which the tasks of such a mixture may differ.
    """

    row_fields: ClassVar[tuple[str, ...]]

    @abstractmethod
    def plan_among(self, tasks: Sequence[Self], index: Array, draw: Draw) -> Plan:
        """Plan of a trial of ``tasks[index]`` on this task's time axis, as that task would plan it."""

    def plan(self, draw: Draw) -> Plan:
        """A trial of this task alone."""
        return self.plan_among((self,), jnp.zeros((), jnp.int32), draw)

    def matches(self, other: Task) -> bool:
        """Whether ``other`` is a row of the same table."""
        return type(self) is type(other) and all(
            getattr(self, field.name) == getattr(other, field.name)
            for field in dataclasses.fields(self)
            if field.name not in self.row_fields
        )
