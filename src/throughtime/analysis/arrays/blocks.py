"""Gradients as blocks, one an array of parameters, and intervals over draws of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from throughtime.analysis.arrays.checks import fraction

ALL = "all"


class Estimate(NamedTuple):
    """An estimate with the bounds of its interval; numbers or arrays of one shape."""

    value: Any
    lower: Any
    upper: Any


class Blocks(NamedTuple):
    """Draws of a gradient beside the gradient itself, block by block; the last block is all of them together.

    Attributes:
        names: of the blocks.
        draws: block -> (draw, entry) float64; exact: block -> (entry,).
        drawn: whether the draws were given with an axis of their own.
    """

    names: tuple[str, ...]
    draws: dict[str, np.ndarray]
    exact: dict[str, np.ndarray]
    drawn: bool


def blocks(estimates: Mapping[str, Any], exact: Mapping[str, Any]) -> Blocks:
    """Flat float64 copies of gradients, with the block ``"all"`` added.

    Args:
        estimates: name -> ([draw,] …). exact: name -> (…), the same names.

    Raises:
        ValueError: for other names, a block of another shape, or different numbers of draws.

    Example:
        >>> found = blocks({"bias": np.ones((3, 2))}, {"bias": np.zeros(2)})
        >>> found.names, found.draws["all"].shape, found.drawn
        (('bias', 'all'), (3, 2), True)
    """
    if set(estimates) != set(exact) or not exact or ALL in exact:
        raise ValueError(
            f"estimates: blocks {sorted(estimates)}, exact has {sorted(exact)}; give the same blocks, "
            f"at least one, and none called {ALL!r}."
        )
    draws: dict[str, np.ndarray] = {}
    true: dict[str, np.ndarray] = {}
    found: set[int | None] = set()
    for name, value in exact.items():
        given, wanted = np.asarray(estimates[name], np.float64), np.asarray(value, np.float64)
        if given.shape not in (wanted.shape, (*given.shape[:1], *wanted.shape)):
            raise ValueError(
                f"estimates: block {name} has shape {given.shape}, exact has {wanted.shape}; give the same "
                "shape, or one axis of draws before it."
            )
        found.add(None if given.shape == wanted.shape else len(given))
        draws[name] = given.reshape(-1, wanted.size) if wanted.size else np.zeros((1, 0))
        true[name] = wanted.ravel()
    if len(found) > 1:
        raise ValueError(
            "estimates: blocks differ in their number of draws; give every block the same draws."
        )
    draws[ALL] = np.concatenate(list(draws.values()), axis=1)
    true[ALL] = np.concatenate(list(true.values()))
    return Blocks(tuple(draws), draws, true, found != {None})


def jackknife(value: float, without: np.ndarray, confidence: float) -> Estimate:
    """Interval of a statistic from its values without each draw in turn.

    The variance is ``(K − 1)/K Σ_k (θ_(−k) − mean)²``, and the interval Student's with K − 1 degrees of
    freedom.

    Args:
        value: of all draws. without: (draw,) of all but one. confidence: such as 0.95.

    Source: Efron & Stein 1981, Ann. Stat. 9:586.

    Example:
        >>> draws = np.array([1.0, 2.0, 3.0, 4.0])
        >>> found = jackknife(draws.mean(), (draws.sum() - draws) / 3, 0.95)
        >>> round(float(found.upper - found.value), 3)  # t · SD / √n
        2.054
    """
    count = len(without)
    spread = np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2))
    half = float(stats.t.ppf((1 + fraction("confidence", confidence)) / 2, count - 1)) * spread
    return Estimate(float(value), float(value - half), float(value + half))


def mean_estimate(values: np.ndarray, confidence: float, population: bool = False) -> Estimate:
    """Mean of draws with Student's interval; without width where the draws are all there are.

    Example:
        >>> mean_estimate(np.array([1.0, 3.0]), 0.95, population=True)
        Estimate(value=2.0, lower=2.0, upper=2.0)
    """
    mean = float(values.mean())
    if population:
        return Estimate(mean, mean, mean)
    return jackknife(mean, (values.sum() - values) / (len(values) - 1), confidence)
