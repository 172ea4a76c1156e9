"""How much a choice depends on the stimulus that the context makes relevant, and how much on the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, assign, bin_edges, level_means

PRIOR_SD = 10.0
"""Of slope × median |stimulus|: keeps slopes finite where choices never err, and else plays no part."""
MAX_RATIO = 1000.0
MAX_STEPS = 50


class Contextual(NamedTuple):
    """Slopes in two contexts, and choices at ``L`` levels of the stimuli.

    Attributes:
        relevant_slope, irrelevant_slope: (2,) of the probit, by context, in the inverse units of the stimuli.
        relevant_lower, relevant_upper, irrelevant_lower, irrelevant_upper: (2,) their confidence intervals.
        bias: (2,) of the probit where both stimuli are 0.
        relevant, irrelevant: mean over contexts of the slopes on the relevant and of their sizes on the
            irrelevant stimulus.
        ratio: of these, at most 1000. worst_ratio: the same in the context where it is smallest.
        level: (L,) mean of either stimulus over the trials of the level.
        relevant_fraction, irrelevant_fraction: (2, L) fraction chosen at each level of the relevant and of
            the irrelevant stimulus, by context; NaN where there was no trial.
        num_trials: (2,) trials, by context.
    """

    relevant_slope: np.ndarray
    irrelevant_slope: np.ndarray
    relevant_lower: np.ndarray
    relevant_upper: np.ndarray
    irrelevant_lower: np.ndarray
    irrelevant_upper: np.ndarray
    bias: np.ndarray
    relevant: float
    irrelevant: float
    ratio: float
    worst_ratio: float
    level: np.ndarray
    relevant_fraction: np.ndarray
    irrelevant_fraction: np.ndarray
    num_trials: np.ndarray


def contextual(
    first: np.ndarray,
    second: np.ndarray,
    context: np.ndarray,
    choice: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    confidence: float = 0.95,
) -> Contextual:
    """Psychometric slopes on the relevant and on the irrelevant stimulus, told apart within each context.

    P = Φ(b + r · relevant + i · irrelevant) in either context, by maximum likelihood. A slope is the inverse
    of the SD of a psychometric curve with the other stimulus held at a value; unlike that SD it may be 0 or
    negative. A weak Gaussian prior keeps the slopes finite where choices are without error. Intervals are
    those of Wald.

    Args:
        first, second: (trial,) signed strengths of the two stimuli, in the same units.
        context: (trial,) 0 where the first is relevant, 1 where the second is.
        choice: (trial,) 0 or 1.
        num_bins: largest number of levels for the fractions; the fit uses every trial as it is.
        confidence: coverage of the intervals.

    Raises:
        ValueError: for unequal lengths, stimuli that are not finite, contexts or choices that are not 0 or
            1, a context without trials, without both choices or with a stimulus that never varies.

    Source: Mante, Sussillo, Shenoy & Newsome 2013, Nature 503:78 (the task).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> (motion, colour), context = rng.choice([-3.0, -1, 1, 3], (2, 4000)), rng.integers(0, 2, 4000)
        >>> relevant = np.where(context == 0, motion, colour)
        >>> found = contextual(motion, colour, context, relevant + rng.normal(0, 2, 4000) > 0)
        >>> abs(found.relevant - 0.5) < 0.05, found.irrelevant < 0.05
        (True, True)
    """
    checks.fraction("confidence", confidence)
    first = checks.vector("first", checks.finite("first", first))
    second = checks.vector("second", checks.finite("second", second))
    context, choice = checks.binary("context", context), checks.binary("choice", choice)
    checks.same_length(first=first, second=second, context=context, choice=choice)
    for value in (0, 1):
        member = context == value
        if not member.any():
            raise ValueError(f"context: no trial of context {value}; pass trials of both.")
        for name, values in (("first", first), ("second", second), ("choice", choice)):
            if np.ptp(values[member]) == 0:
                raise ValueError(
                    f"{name}: always {values[member][0]:g} in context {value}; pass trials that vary it."
                )
    edges = bin_edges(np.concatenate([first, second]), num_bins)
    return estimate(first, second, context, choice, edges, confidence)


def estimate(
    first: np.ndarray,
    second: np.ndarray,
    context: np.ndarray,
    choice: np.ndarray,
    edges: np.ndarray,
    confidence: float = 0.95,
) -> Contextual:
    """:func:`contextual` without its refusals: NaN where the data do not determine a slope."""
    from scipy.special import ndtri

    num_levels = len(edges) + 1
    slopes, errors = np.full((2, 3), np.nan), np.full((2, 3), np.nan)
    fractions = np.full((2, 2, num_levels), np.nan)
    for value, stimuli in enumerate(((first, second), (second, first))):
        member = context == value
        chosen = choice[member]
        regressors = [stimulus[member] for stimulus in stimuli]
        slopes[value], errors[value] = _probit(regressors, chosen)
        for place, regressor in enumerate(regressors):
            fractions[value, place] = level_means(assign(regressor, edges), chosen, num_levels)
    half = float(ndtri((1 + confidence) / 2)) * errors
    sizes = np.abs(slopes[:, 2])
    return Contextual(
        relevant_slope=slopes[:, 1],
        irrelevant_slope=slopes[:, 2],
        relevant_lower=slopes[:, 1] - half[:, 1],
        relevant_upper=slopes[:, 1] + half[:, 1],
        irrelevant_lower=slopes[:, 2] - half[:, 2],
        irrelevant_upper=slopes[:, 2] + half[:, 2],
        bias=slopes[:, 0],
        relevant=float(slopes[:, 1].mean()),
        irrelevant=float(sizes.mean()),
        ratio=_ratio(slopes[:, 1].mean(), sizes.mean()),
        worst_ratio=float(np.min([_ratio(*pair) for pair in zip(slopes[:, 1], sizes, strict=True)])),
        level=level_means(assign(both := np.concatenate([first, second]), edges), both, num_levels),
        relevant_fraction=fractions[:, 0],
        irrelevant_fraction=fractions[:, 1],
        num_trials=np.array([(context == value).sum() for value in (0, 1)]),
    )


def _ratio(relevant: float, irrelevant: float) -> float:
    """relevant / irrelevant, at most ``MAX_RATIO``."""
    least = abs(relevant) / MAX_RATIO
    return float(relevant / max(irrelevant, least)) if least > 0 else np.nan if np.isnan(least) else 0.0


def _probit(regressors: list[np.ndarray], choice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bias and slopes (3,) with their standard errors, by Fisher scoring; NaN if not determined."""
    from scipy.special import log_ndtr

    nothing = np.full(3, np.nan), np.full(3, np.nan)
    if not choice.size or choice.min() == choice.max() or any(np.ptp(x) == 0 for x in regressors):
        return nothing
    scale = np.array([1.0, *(np.median(np.abs(x)) or np.abs(x).max() for x in regressors)])
    design = np.stack([np.ones(choice.size), *regressors], axis=1) / scale
    penalty = np.array([0.0, 1.0, 1.0]) / PRIOR_SD**2
    sign = 2 * choice - 1

    def height(theta: np.ndarray) -> float:
        return float(log_ndtr(sign * (design @ theta)).sum() - 0.5 * (penalty * theta**2).sum())

    def information(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and Fisher information."""
        z = design @ theta
        log_density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
        pull = sign * np.exp(log_density - log_ndtr(sign * z))
        weight = np.exp(2 * log_density - log_ndtr(z) - log_ndtr(-z))
        curvature = (design * weight[:, None]).T @ design + np.diag(penalty + 1e-9)
        return design.T @ pull - penalty * theta, curvature

    theta = np.zeros(3)
    reached = height(theta)
    for _ in range(MAX_STEPS):
        gradient, curvature = information(theta)
        move = np.linalg.solve(curvature, gradient)
        while (found := height(theta + move)) < reached and np.abs(move).max() > 1e-9:
            move = move / 2
        if found >= reached:
            theta, reached = theta + move, found
        if np.abs(move).max() < 1e-6:
            break
    errors = np.sqrt(np.diag(np.linalg.inv(information(theta)[1])))
    return theta / scale, errors / scale
