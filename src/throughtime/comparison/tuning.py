"""A step size for every rule, sought on the same grid, budget and seeds, which the comparison never sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from throughtime import training
from throughtime.comparison.choice import own_step, with_step
from throughtime.rules import Rule
from throughtime.training.record import DIVERGED

GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Step sizes that ``tune=True`` tries."""
FIRST_TUNING_SEED, NUM_TUNING_SEEDS = 10_000, 3


class Tuned(NamedTuple):
    """What tuning one rule found; a rule without a step size is not tuned and has its own step alone.

    Attributes:
        rates: (option,) step sizes tried, NaN where fewer were.
        losses: (option,) mean over tuning seeds of the loss on held-out trials at the end
            (:mod:`throughtime.comparison.held_out`); infinite where a seed diverged.
        num_diverged: (option,) such seeds.
        best: index of the lowest loss; the smallest step where all diverged.
    """

    rates: np.ndarray
    losses: np.ndarray
    num_diverged: np.ndarray
    best: int

    @property
    def rate(self) -> float:
        """The step size chosen."""
        return float(self.rates[self.best])

    @property
    def at_edge(self) -> bool:
        """Whether the choice lies at an end of the grid, beyond which a better one may be."""
        tried = int(np.isfinite(self.rates).sum())
        return tried > 1 and self.best in (0, tried - 1)


def tune(
    train: Callable[..., Any], rule: Rule, label: str, grid: Sequence[float], seeds: tuple[int, ...]
) -> Tuned:
    """Train with every step size of the grid on the tuning seeds.

    Args:
        train: (rule, learning_rate, seeds, name) -> (seed,) final losses, NaN where there is none.
        grid: increasing step sizes.
    """
    rates = np.asarray(grid, float)
    losses, diverged = np.full(rates.size, np.nan), np.zeros(rates.size, np.int64)
    for index, size in enumerate(rates):
        stepped, learning_rate = with_step(rule, float(size))
        last = np.asarray(train(stepped, learning_rate, seeds, f"{label}-tuning-{index}"))
        failed = ~np.isfinite(last)
        losses[index] = math.inf if failed.any() else last.mean()
        diverged[index] = failed.sum()
    return Tuned(rates, losses, diverged, int(np.argmin(losses)))


def untuned(rule: Rule, learning_rate: Any, width: int) -> Tuned:
    """A rule as it is given: its own step in the first of ``width`` places."""
    rates = np.full(width, np.nan)
    size = own_step(rule, learning_rate)
    rates[0] = float(size) if isinstance(size, int | float) else math.nan
    return Tuned(rates, np.full(width, np.nan), np.zeros(width, np.int64), 0)


def final(values: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Last measured value of every seed, (seed,) from (seed, update); NaN for one that diverged.

    Example:
        >>> final(np.array([[3.0, 2.0, np.nan], [3.0, 9.0, np.nan]]), np.array([0, DIVERGED]))
        array([ 2., nan])
    """
    found = np.full(len(values), np.nan)
    for seed, series in enumerate(values):
        there = np.flatnonzero(np.isfinite(series))
        if there.size and status[seed] != DIVERGED:
            found[seed] = series[there[-1]]
    return found


def check_grid(
    grid: Sequence[float] | Mapping[str, Sequence[float]], labels: Iterable[str]
) -> dict[str, tuple[float, ...]]:
    """Step sizes to try for every rule.

    Args:
        grid: the same for all, or by label, as many for each.

    Raises:
        ValueError: unless they are at least two positive, increasing numbers, as many for every rule.
    """
    names = list(labels)
    each = dict(grid) if isinstance(grid, Mapping) else dict.fromkeys(names, grid)
    if set(each) != set(names):
        raise ValueError(
            f"compare: grid has {sorted(each)}, the rules are {sorted(names)}; give one for each."
        )
    found = {name: tuple(float(size) for size in each[name]) for name in names}
    for name, sizes in found.items():
        values = np.asarray(sizes)
        if values.size < 2 or not (
            np.isfinite(values).all() and values[0] > 0 and (np.diff(values) > 0).all()
        ):
            raise ValueError(
                f"compare: grid {sizes} of {name}; expected at least two step sizes > 0, from small to large."
            )
    if len({len(sizes) for sizes in found.values()}) > 1:
        raise ValueError("compare: grids of different lengths; every rule gets as many tries.")
    return found


def tuning_seeds(wish: int | Iterable[int] | None, used: Iterable[int]) -> tuple[int, ...]:
    """Seeds to tune on.

    Args:
        wish: the seeds, or a number of them; 3 by default. Counted from 10 000.
        used: seeds of the comparison itself.

    Raises:
        ValueError: if one of them is a seed of the comparison.
    """
    wish = NUM_TUNING_SEEDS if wish is None else wish
    if isinstance(wish, int) and not isinstance(wish, bool):
        count = training.settings.count("tune_seeds", wish)
        wish = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + count)
    seeds = training.settings.seed_list("tune_seeds", wish)
    shared = sorted(set(seeds) & set(used))
    if shared:
        raise ValueError(
            f"compare: tune_seeds {shared} are seeds of the comparison too; choose a step size on others."
        )
    return seeds
