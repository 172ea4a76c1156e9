"""A pattern of peaks in an output that may go through it at another speed than asked for."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

SLOWEST, FASTEST = 2.0, 0.5
"""Scales that are tried, in units of the one asked for."""
STEP = 0.01
"""Of the logarithm of the scale."""


class Pattern(NamedTuple):
    """Gaussian peaks in time; all of it is stretched alike.

    Attributes:
        places: (peak,) of the peaks. sd: of a peak. Both in units of the pattern.
        duration: of the pattern at scale 1, ms.
    """

    places: tuple[float, ...]
    sd: float
    duration: float

    def level(self, time: Any, numpy: Any = jnp) -> Any:
        """The pattern, peaks of 1 over 0, at ``time`` (any shape, ms at scale 1); with ``numpy`` on the host.

        Example:
            >>> Pattern((0.2, 0.7), 0.01, 1000.0).level(np.array([200.0, 500.0, 710.0])).round(3).tolist()
            [1.0, 0.0, 0.607...]
        """
        phase = time / self.duration
        return sum(numpy.exp(-0.5 * numpy.square((phase - place) / self.sd)) for place in self.places)


class Found(NamedTuple):
    """What an output shows of a pattern.

    Attributes:
        r2: squared correlation with the pattern at the scale that fits best; 0 if none correlates.
        times: (peak,) of its peaks, ms; NaN for a constant output and for peaks out of sight.
        scale: slope of these on the times of the pattern at scale 1; NaN with less than two of them.
    """

    r2: Array
    times: Array
    scale: Array


class _Tables(NamedTuple):
    """The pattern at every scale: (scale, time) and its square; scales, and times (time,) in ms."""

    scale: np.ndarray
    since: np.ndarray
    level: np.ndarray
    square: np.ndarray


def rescaled(
    level: Array, shown: Array, asked: Array, pattern: Pattern, dt: float, scales: tuple[float, float]
) -> Found:
    """Scale of the pattern in an output, how well it fits, and the times of the peaks.

    First the scale, from half to twice the one asked for, at which the pattern correlates best with the
    output; then each peak, the largest output as near to its place at that scale as half the least distance
    of two peaks, interpolated by a parabola; then the slope of these times.

    Args:
        level: (time,) output at bin centres, from the onset of the pattern on; finite.
        shown: (time,) whether the bin belongs to the trial, which has but one end.
        asked: scale asked for.
        dt: bin, ms. scales: lowest and highest that may be asked for.

    Example:
        >>> pattern, time = Pattern((0.1, 0.4, 0.8), 0.03, 1000.0), np.arange(5.0, 1500.0, 10.0)
        >>> slow = 3 + 2 * pattern.level(time / 1.2)
        >>> found = rescaled(slow, time < 1400, jnp.asarray(1.0), pattern, 10.0, (1.0, 1.0))
        >>> round(float(found.scale), 2), found.times.round().tolist()
        (1.2, [120.0, 480.0, 960.0])
    """
    tables = _tables(len(level), dt, pattern, scales)
    weight = shown / shown.sum()
    mean = (weight * level).sum()
    away = weight * (level - mean)
    power = (away * (level - mean)).sum()
    varies = power > 1e-10 * mean**2  # above what rounding leaves of a constant
    shared, first, second = (
        jnp.matmul(table, row, precision="highest")
        for table, row in ((tables.level, away), (tables.level, weight), (tables.square, weight))
    )
    relative = tables.scale / asked
    tried = (relative >= FASTEST * (1 - 1e-5)) & (relative <= SLOWEST * (1 + 1e-5)) & (shared > 0) & varies
    r2 = jnp.where(tried, shared**2 / jnp.where(tried, power * (second - first**2), 1), 0)
    best = jnp.argmax(r2)

    width = pattern.duration * jnp.asarray(tables.scale)[best]
    places = np.asarray(pattern.places, np.float32)
    reach = float(np.diff(pattern.places).min() / 2) * width
    near = (jnp.abs(tables.since - width * places[:, None]) <= reach) & shown
    top = jnp.argmax(jnp.where(near, level, -jnp.inf), axis=1)
    inner = jnp.clip(top, 1, len(level) - 2)
    before, at, after = level[inner - 1], level[inner], level[inner + 1]
    bend = before - 2 * at + after
    round_top = (top == inner) & (at >= before) & (at >= after) & (bend < 0)
    shift = jnp.where(round_top, 0.5 * (before - after) / jnp.where(round_top, bend, -1), 0)
    seen = (width * places < dt * shown.sum()) & (r2[best] > 0)
    times = jnp.where(seen, jnp.asarray(tables.since)[top] + dt * shift, jnp.nan)

    planned = pattern.duration * places
    middle = jnp.where(seen, planned, 0).sum() / jnp.maximum(seen.sum(), 1)
    apart = jnp.where(seen, planned - middle, 0)
    spread = jnp.where(seen.sum() > 1, jnp.square(apart).sum(), jnp.nan)
    scale = (apart * jnp.where(seen, times, 0)).sum() / spread
    return Found(r2[best], times, scale)


@functools.lru_cache(maxsize=8)
def _tables(num_steps: int, dt: float, pattern: Pattern, scales: tuple[float, float]) -> _Tables:
    since = (np.arange(num_steps) + 0.5) * dt
    span = math.log(SLOWEST * scales[1] / (FASTEST * scales[0]))
    scale = FASTEST * scales[0] * np.exp(np.linspace(0, span, math.ceil(span / STEP) + 1))
    level = pattern.level(since / scale[:, None], np)
    of = (scale, since, level, np.square(level))
    return _Tables(*(values.astype(np.float32) for values in of))
