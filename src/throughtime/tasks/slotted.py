"""Slotted tasks: a trial is a row of equal slots, each with a symbol or a number of its own."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from throughtime.tasks.base import Task

if TYPE_CHECKING:
    from jax import Array


@dataclass(frozen=True, kw_only=True)
class Slotted(Task):
    """Base of the benchmarks of machine learning that are published in steps: a step is a slot, in ms.

    The bin need not be a slot: inputs, targets and mask are bin averages. All trials are equally long, and
    there is no input noise.

    Attributes:
        slot: ms.
    """

    slot: float = 20.0
    noise: float = 0.0

    @property
    @abstractmethod
    def num_slots(self) -> int:
        """Slots of a trial."""

    @property
    def duration(self) -> float:
        """Length of every trial, ms."""
        return self.num_slots * self.slot

    def check(self) -> None:
        """Refuse slots without length, and bins that hold more than one."""
        super().check()
        if self.slot <= 0:
            self.refuse("slot", "a slot needs a duration; use slot > 0")
        if self.dt > self.slot:
            self.refuse("dt", f"cannot resolve a slot of {self.slot:g} ms; use dt <= {self.slot:g}")

    def onset(self, index: int) -> Array:
        """Onset of a slot, ms float32; that of the slot after the last is the end of the trial."""
        return jnp.asarray(index * self.slot, jnp.float32)

    def shares(self, first: int, num: int, *, held: bool = False) -> Array:
        """Share (time, slot) of every bin that falls into each of ``num`` slots from ``first`` on.

        With ``held`` the last of them goes on to the end of the last bin, as targets do.
        """
        edges = (np.arange(first, first + num + 1) * self.slot).astype(np.float32)
        ends = edges[1:]
        if held:
            ends[-1] = math.inf
        return self.timeline.box(edges[:-1, None], ends[:, None]).T

    def binned(self, values: Array, *, held: bool = False) -> Array:
        """Bin averages (time, channel) of ``values`` (slot, channel), one slot each from the first on.

        As :meth:`shares` times the values, in time and memory that grow with the trial and not with its
        square. After the last slot comes nothing; with ``held`` its value goes on, as targets do.
        """
        starts = np.arange(self.num_steps) * self.dt
        first = np.floor(starts / self.slot).astype(int)
        within = np.clip(((first + 1) * self.slot - starts) / self.dt, 0.0, 1.0)
        total = jnp.zeros((), jnp.float32)
        for index, share in ((first, within), (first + 1, 1.0 - within)):
            weight = share if held else np.where(index < len(values), share, 0.0)
            kept = np.minimum(index, len(values) - 1)
            total = total + weight.astype(np.float32)[:, None] * values[kept]
        return total
