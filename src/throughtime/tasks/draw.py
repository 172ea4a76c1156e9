"""The random draws of one trial: every draw has a key of its own, named after what is drawn."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime import gaussian, keys
from throughtime.tasks import durations

if TYPE_CHECKING:
    from jax import Array

CONDITIONS, DURATIONS, NOISE = 0, 1, 2


class Draw:
    """Draws of one trial.

    The key of a draw is folded from a constant of its kind (conditions, durations, noise) and from the
    CRC-32 of its name. A new draw is a new name: it leaves all others, and so all old trials, as they were.

    Args:
        key: of the trial; the task's own stream is folded in first.
    """

    def __init__(self, key: Array) -> None:
        self._key = keys.stream(key, "task")

    def key(self, kind: int, name: str) -> Array:
        """Key of one draw."""
        code = zlib.crc32(name.encode()) & 0x7FFFFFFF
        return jax.random.fold_in(jax.random.fold_in(self._key, kind), code)

    def duration(self, name: str, duration: durations.Duration) -> Array:
        """Duration in ms, float32."""
        return durations.sample(duration, self.key(DURATIONS, name))

    def index(self, name: str, num_values: int, shape: tuple[int, ...] = ()) -> Array:
        """One of ``0 … num_values − 1`` with equal probability, int32; or independent ones of ``shape``."""
        return jax.random.randint(self.key(CONDITIONS, name), shape, 0, num_values, dtype=jnp.int32)

    def uniform(self, name: str, shape: tuple[int, ...] = ()) -> Array:
        """A number between 0 and 1, float32; or independent ones of ``shape``."""
        return jax.random.uniform(self.key(CONDITIONS, name), shape, jnp.float32)

    def coin(self, name: str, probability: float) -> Array:
        """True with ``probability``."""
        return jax.random.uniform(self.key(CONDITIONS, name), (), jnp.float32) < probability

    def noise(self, num_steps: int, num_channels: int) -> Array:
        """Independent standard normal numbers (time, channel), float32."""
        return gaussian.normal(self.key(NOISE, "inputs"), num_steps, num_channels)

    def counts(self, name: str, mean: Array, largest: float) -> Array:
        """Independent Poisson numbers, float32, one for every entry of ``mean``.

        A number counts the tail probabilities P(N > k) that lie above one uniform draw; tails below the
        resolution of that draw, 2⁻²⁴, are left out.

        Args:
            name: of the draw. mean: expected numbers. largest: bound on ``mean``.
        """
        last, term, mass = 0, math.exp(-largest), math.exp(-largest)
        while 1 - mass > 2.0**-25:
            last += 1
            term *= largest / last
            mass += term
        terms = [jnp.exp(-mean)]
        for k in range(1, last + 2):
            terms.append(terms[-1] * mean / k)
        uniform = jax.random.uniform(self.key(NOISE, name), mean.shape, jnp.float32) + jnp.float32(2.0**-24)
        tail = count = jnp.zeros(mean.shape, jnp.float32)
        for term_k in reversed(terms[1:]):  # from the smallest on, so that small tails are exact
            tail = tail + term_k
            count = count + (uniform < tail)
        return count
