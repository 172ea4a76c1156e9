"""Bias and variance of a rule's gradient from draws of it, both without bias of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays.blocks import Estimate, blocks, jackknife

FEWEST = 3


class BiasVariance(NamedTuple):
    """Bias and variance by block, each value, lower and upper bound (block,); the last block is ``"all"``.

    Attributes:
        blocks: names.
        bias_squared: ‖Eĝ − g‖². mean_norm_squared: ‖Eĝ‖². variance: trace of the covariance of ĝ.
        relative_variance: variance/‖g‖², NaN where g is zero. signal_to_noise: its inverse.
        bias: ‖Eĝ − g‖/‖g‖, NaN where g is zero; 0 where ``bias_squared`` came out negative.
    """

    blocks: tuple[str, ...]
    bias_squared: Estimate
    mean_norm_squared: Estimate
    variance: Estimate
    relative_variance: Estimate
    signal_to_noise: Estimate
    bias: Estimate


def gradient_bias_variance(
    draws: Mapping[str, Any],
    exact: Mapping[str, Any],
    *,
    confidence: float = 0.95,
    population: bool = False,
) -> BiasVariance:
    """Bias and variance of K draws ĝ_k with mean ḡ about the gradient g::

        S = Σ_k ‖ĝ_k − ḡ‖²/(K − 1),   Bias² = ‖ḡ − g‖² − S/K,   ‖Eĝ‖² = ‖ḡ‖² − S/K

    All three are unbiased; Bias² and ‖Eĝ‖² may come out negative and are given as they are. They are means
    over pairs of different draws, so their intervals are the jackknife's: resampling with replacement would
    pair draws with themselves. The intervals are wide for few draws, and if anything too wide.

    Args:
        draws: name -> (draw, …). exact: name -> (…).
        confidence: of the intervals.
        population: the draws are all that can occur, each equally likely: nothing is estimated, sums are
            divided by K and intervals have no width. One draw of a rule without chance is such a case.

    Raises:
        ValueError: for fewer than 3 draws (unless ``population``), or blocks that differ in name or shape.

    Source: intervals, Efron & Stein 1981, Ann. Stat. 9:586.

    Example:
        >>> signs = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> g = np.array([3.0, 4.0])
        >>> found = gradient_bias_variance({"w": (signs @ g)[:, None] * signs}, {"w": g}, population=True)
        >>> found.bias_squared.value, found.relative_variance.value
        (array([0., 0.]), array([1., 1.]))
    """
    given = blocks(draws, exact)
    count = len(given.draws[given.names[0]])
    if not given.drawn or (count < FEWEST and not population):
        raise ValueError(
            f"draws: {count if given.drawn else 'no axis of'} draws; give at least {FEWEST} on a leading "
            "axis, or population=True where they are all there are."
        )
    found = [_one(given.draws[name], given.exact[name], confidence, population) for name in given.names]
    each = [
        Estimate(*(np.array(bound) for bound in zip(*of_blocks, strict=True)))
        for of_blocks in zip(*found, strict=True)
    ]
    return BiasVariance(given.names, *each)


def _one(draws: np.ndarray, exact: np.ndarray, confidence: float, population: bool) -> list[Estimate]:
    about = draws - exact
    bias = _pairs(about @ about.T, confidence, population)
    size = _pairs(draws @ draws.T, confidence, population)
    centred = draws - draws.mean(0)
    variance = _variance(centred @ centred.T, confidence, population)
    length = float(exact @ exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = Estimate(*(np.float64(bound) / length for bound in variance))
        low, high = np.maximum(relative.lower, 0), np.maximum(relative.upper, 0)
        noise = Estimate(1 / np.float64(relative.value), 1 / np.float64(high), 1 / np.float64(low))
        distance = Estimate(*(np.sqrt(np.maximum(bound, 0) / np.float64(length)) for bound in bias))
    if length == 0:
        relative = noise = distance = Estimate(np.nan, np.nan, np.nan)
    return [bias, size, variance, relative, noise, distance]


def _pairs(products: np.ndarray, confidence: float, population: bool) -> Estimate:
    """``‖mean‖² − S/K``: the mean of the products of pairs of different draws."""
    count = len(products)
    if population:
        value = float(products.mean())
        return Estimate(value, value, value)
    own = np.diag(products)
    between = products.sum() - own.sum()
    without = between - 2 * (products.sum(1) - own)
    return jackknife(between / (count * (count - 1)), without / ((count - 1) * (count - 2)), confidence)


def _variance(products: np.ndarray, confidence: float, population: bool) -> Estimate:
    """S from the products of centred draws; its lower bound is not below 0."""
    count, own = len(products), np.diag(products)
    if population:
        value = float(own.mean())
        return Estimate(value, value, value)
    # The mean without draw k is off by −c_k/(K − 1), which takes K c_k²/(K − 1) off the sum of squares.
    without = (own.sum() - own * count / (count - 1)) / (count - 2)
    found = jackknife(own.sum() / (count - 1), without, confidence)
    return found._replace(lower=max(found.lower, 0.0))
