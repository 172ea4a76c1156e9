"""Eight known sequences of moves over a square grid of dots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.tasks.timeline import mixed

if TYPE_CHECKING:
    from jax import Array

DOTS = np.array([(x, y) for y in (1, 0, -1) for x in (-1, 0, 1)], dtype=np.float32)
"""(dot, 2) places of the dots, row by row from above."""
CENTRE = 4


def _moves() -> tuple[np.ndarray, np.ndarray]:
    index = {tuple(place): dot for dot, place in enumerate(DOTS.tolist())}
    right, wrong = [], []
    for x in (-1, 1):
        for y in (1, -1):
            for back, other in (((0, y), (x, 0)), ((x, 0), (0, y))):
                right.append([index[place] for place in ((x, 0), (x, y), back)])
                wrong.append([index[place] for place in ((-x, 0), (x, -y), other)])
    return np.array(right, np.int32), np.array(wrong, np.int32)


RIGHT, WRONG = _moves()
"""(sequence, move) the right dot of each move and the wrong one offered with it.

From the centre to the left or right, from there up or down, and then back along either axis.
"""

INPUT_NAMES = (*(f"dot_{dot}" for dot in range(len(DOTS))), *(f"sequence_{row}" for row in range(len(RIGHT))))


def inputs(sequence: Array, fixation: Array, moves: Array, named: Array) -> Array:
    """Inputs (time, input): the centre during ``fixation`` (time,), two dots during ``moves`` (time, move).

    The sequence is named throughout ``named`` (time,).
    """
    right, wrong = (jax.nn.one_hot(jnp.asarray(dots)[sequence], len(DOTS)) for dots in (RIGHT, WRONG))
    dots = fixation[:, None] * (np.arange(len(DOTS)) == CENTRE) + mixed(moves, right + wrong)
    return jnp.concatenate([dots, named[:, None] * (jnp.arange(len(RIGHT)) == sequence)], axis=1)


def nearest(place: Array) -> Array:
    """The dot nearest to each ``place`` (…, 2)."""
    return jnp.argmin(((place[..., None, :] - DOTS) ** 2).sum(-1), axis=-1)
