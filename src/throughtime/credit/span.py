"""How far in time credit may travel: everything, blocks, or a sliding window."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

BLOCKS, SLIDING = "blocks", "sliding"
KINDS = (BLOCKS, SLIDING)


class Span(NamedTuple):
    """A window on the way back.

    Attributes:
        kind: ``"blocks"``: the trial is cut into blocks and no credit crosses from one to the one before;
            ``"sliding"``: the error of step t reaches the drives of steps t − K + 1 … t.
        steps: K, length of a block or of the window.
    """

    kind: str
    steps: int

    def linked(self, first: Array | int, num_steps: int) -> Array:
        """(time,) bool: whether credit enters step t from step t + 1; ``first`` is the index of step 0.

        Example:
            >>> Span("blocks", 3).linked(0, 7).tolist()
            [True, True, False, True, True, False, True]
        """
        return (first + jnp.arange(num_steps) + 1) % self.steps != 0
