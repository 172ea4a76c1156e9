"""What one step along a rule's gradient does to the loss: as predicted to second order, and as measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays.blocks import ALL, Estimate, blocks, mean_estimate
from throughtime.analysis.arrays.checks import finite, same_length


class StepChange(NamedTuple):
    """Change of the loss by one step.

    Attributes:
        predicted, measured: mean over draws with its interval; ``measured`` NaN where none was given.
        best_step: η at which the predicted change is lowest; NaN where the curvature met is not positive.
        best_change: the predicted change there.
        slope: ⟨g, Eĝ⟩; curvature: E[ĝᵀHĝ].
    """

    predicted: Estimate
    measured: Estimate
    best_step: float
    best_change: float
    slope: float
    curvature: float


def one_step_change(
    draws: Mapping[str, Any],
    exact: Mapping[str, Any],
    hessian_product: Callable[[dict[str, np.ndarray]], Mapping[str, Any]],
    learning_rate: float,
    *,
    measured: Any = None,
    confidence: float = 0.95,
    population: bool = False,
) -> StepChange:
    """Change of the loss by the step −η ĝ_k, to second order, averaged over draws::

        mean_k( −η ⟨g, ĝ_k⟩ + ½ η² ĝ_kᵀ H ĝ_k ),   η* = ⟨g, Eĝ⟩ / E[ĝᵀ H ĝ]

    Unbiased for ``−η⟨g,Eĝ⟩ + ½η²(EĝᵀH Eĝ + tr HΣ)``: the variance Σ of a gradient costs what the curvature H
    makes of it. The mean draw put into that form would count tr(HΣ)/K twice.

    Args:
        draws: name -> (draw, …) what is stepped along, or (…) for one without draws.
        exact: name -> (…) the gradient g.
        hessian_product: v -> H v, both name -> (…).
        learning_rate: η.
        measured: (draw,) changes of the loss that each step really made.
        confidence: of the intervals.
        population: the draws are all that can occur; see :func:`gradient_bias_variance`.

    Raises:
        ValueError: for fewer than 2 draws (unless ``population``), blocks that differ, or an η that is not a
            positive number.

    Source: of this library.

    Example:
        >>> g = {"w": [2.0]}
        >>> found = one_step_change(g, g, lambda v: {"w": 4 * v["w"]}, 0.1, population=True)
        >>> found.predicted.value, found.best_step  # L = 2 w² at w = ½
        (-0.32, 0.25)
    """
    given = blocks(draws, exact)
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate: {learning_rate!r} is not a number > 0.")
    each = given.draws[ALL]
    if len(each) < 2 and not population:
        raise ValueError(
            f"draws: {len(each)} draw; give at least 2, or population=True where it is all there is."
        )
    slopes = each @ given.exact[ALL]
    curvatures = np.array(
        [_curvature(draws, exact, index, given.drawn, hessian_product) for index in range(len(each))]
    )
    changes = -learning_rate * slopes + 0.5 * learning_rate**2 * curvatures
    slope, curvature = float(slopes.mean()), float(curvatures.mean())
    best = slope / curvature if curvature > 0 else math.nan
    found = Estimate(math.nan, math.nan, math.nan)
    if measured is not None:
        values = np.atleast_1d(finite("measured", measured, "use a smaller learning rate"))
        same_length(measured=values, draws=each)
        found = mean_estimate(values, confidence, population)
    return StepChange(
        mean_estimate(changes, confidence, population), found, best, -0.5 * slope * best, slope, curvature
    )


def _curvature(
    draws: Mapping[str, Any],
    exact: Mapping[str, Any],
    index: int,
    drawn: bool,
    hessian_product: Callable[[dict[str, np.ndarray]], Mapping[str, Any]],
) -> float:
    one = {name: np.asarray(draws[name])[index] if drawn else np.asarray(draws[name]) for name in exact}
    product = hessian_product(one)
    return float(sum(np.vdot(one[name], np.asarray(product[name], np.float64)) for name in exact))
