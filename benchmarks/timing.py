"""Interleaved timing, so that the drift of a shared machine hits every contender alike; and other numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Contender:
    """Something to time.

    Attributes:
        run: does the work and returns when it is done.
        error: relative error of its result against the reference, or None where nothing is compared.
        count: steps of work in one run; times are per step.
        tolerance: largest error that is allowed.
    """

    run: Callable[[], Any]
    error: Callable[[], float] | None = None
    count: int = 1
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class Found:
    """A number that a case finds by itself, not by timing contenders in turn, such as an exponent."""

    value: float

    def summary(self) -> Summary:
        """The number as a summary without times."""
        missing = (float("nan"),) * 3
        return Summary(self.value, (self.value,) * 5, missing, missing, 1)


@dataclass(frozen=True)
class Summary:
    """Times of two contenders as a ratio, ``top / bottom``; or one number.

    Attributes:
        value: ratio of the medians, or the number.
        spread: minimum, lower quartile, median, upper quartile, maximum of the ratios within each round.
        top_ms, bottom_ms: lower quartile, median and upper quartile of each, in ms; NaN if not timed.
        num_repeats: rounds.
    """

    value: float
    spread: tuple[float, ...]
    top_ms: tuple[float, ...]
    bottom_ms: tuple[float, ...]
    num_repeats: int


@dataclass
class Samples:
    """Seconds per step, contender -> one number a round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def compare(self, top: str, bottom: str | None) -> Summary:
        """``top / bottom``; with no bottom the times of ``top`` in seconds."""
        above = np.asarray(self.seconds[top])
        below = np.ones_like(above) if bottom is None else np.asarray(self.seconds[bottom])
        spread = np.percentile(above / below, [0, 25, 50, 75, 100])
        quartiles = [25, 50, 75]
        under = np.full(3, np.nan) if bottom is None else 1e3 * np.percentile(below, quartiles)
        return Summary(
            value=float(np.median(above) / np.median(below)),
            spread=tuple(map(float, spread)),
            top_ms=tuple(map(float, 1e3 * np.percentile(above, quartiles))),
            bottom_ms=tuple(map(float, under)),
            num_repeats=len(above),
        )


def interleave(
    contenders: Mapping[str, Contender], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> Samples:
    """Run every contender once untimed, then all of them in turn, ``repeats`` times.

    Example:
        >>> samples = interleave({"a": Contender(lambda: None), "b": Contender(lambda: None)}, repeats=3)
        >>> samples.compare("a", "b").num_repeats
        3
    """
    if repeats < 1:
        raise ValueError(f"interleave: {repeats} repeats; expected at least 1.")
    for contender in contenders.values():
        contender.run()
    samples = Samples({name: [] for name in contenders})
    for _ in range(repeats):
        for name, contender in contenders.items():
            start = clock()
            contender.run()
            samples.seconds[name].append((clock() - start) / contender.count)
    return samples
