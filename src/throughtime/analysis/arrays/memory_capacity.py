"""How much of a random input a linear read-out can recall from a circuit's activity, lag by lag."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.checks import DegenerateError

SAMPLES_PER_UNIT = 50
FALSE_ALARM = 1e-6
"""Probability that white input is refused as correlated."""


class MemoryCapacity(NamedTuple):
    """Recall at lags 1 … ``lag`` steps.

    Attributes:
        r2: (lag,) share of the input's variance recalled, at least 0.
        capacity: sum of ``r2``. bound: number of units, which no capacity of white input exceeds.
        lag: (lag,) steps.
    """

    r2: np.ndarray
    capacity: float
    bound: int
    lag: np.ndarray


def memory_capacity(
    inputs: np.ndarray,
    activity: np.ndarray,
    *,
    axis: int = -1,
    ridge: float = 1e-8,
    max_lag: int | None = None,
    burn_in: int = 0,
) -> MemoryCapacity:
    """Linear memory of white noise, held out.

        R²_k = max(0, 1 − MSE_k / var),   capacity = Σ_k R²_k,   k = 1 … 2N

    For each lag k a ridge read-out with intercept, fitted to the first half of the steps, estimates from the
    activity the input that came k steps ago; MSE and variance are those of the second half. Lag 1 is the
    latest input that the activity has received, u_t for the state step(s_t, u_t). So the capacity of N units
    is at most N; a delay line of N units has it. Where the latest input is not counted as memory, as some do,
    leave out the first lag.

    Args:
        inputs: (time,) independent numbers, one a step.
        activity: (time, unit), after the step in which the input of the same index came. axis: of units.
        ridge: penalty of squared weights, relative to the mean variance of a unit.
        max_lag: steps; 2N by default. burn_in: steps left out at the start, beside the first ``max_lag``.

    Raises:
        ValueError: for values that are not finite, unequal lengths, several inputs, fewer than 50 steps a
            unit, input without variance or correlated in time, activity without variance.

    Source: Jaeger 2001, GMD Report 152; White, Lee & Sompolinsky 2004, Phys. Rev. Lett. 92:148102.

    Example:
        >>> u = np.random.default_rng(0).standard_normal(2000)
        >>> line = np.stack([np.roll(u, k) for k in range(3)], axis=1)  # holds the last 3 inputs
        >>> found = memory_capacity(u, line)
        >>> found.r2.round(2), round(found.capacity, 2), found.bound
        (array([1., 1., 1., 0., 0., 0.]), 3.0, 3)
    """
    inputs = checks.finite("inputs", inputs)
    if inputs.ndim != 1:
        raise ValueError(f"inputs: shape {inputs.shape}; pass one input, (time,).")
    activity = np.moveaxis(checks.finite("activity", activity), axis, -1)
    if activity.ndim != 2:
        raise ValueError(f"activity: shape {activity.shape}; expected (time, unit).")
    checks.same_length(inputs=inputs, activity=activity)
    num_units = activity.shape[1]
    lags = 2 * num_units if max_lag is None else max_lag
    first = burn_in + lags
    if lags < 1 or burn_in < 0:
        raise ValueError(f"max_lag, burn_in: {lags}, {burn_in} steps; use at least 1 and 0.")
    if ridge < 0:
        raise ValueError(f"ridge: {ridge}; use 0 or more.")
    count, fewest = len(inputs) - burn_in, max(SAMPLES_PER_UNIT * num_units, 4 * lags)
    if count < fewest:
        raise ValueError(
            f"activity: {max(count, 0)} steps after burn_in, of {num_units} units, for {lags} lags; use at "
            f"least {SAMPLES_PER_UNIT} steps a unit and 4 a lag: {fewest}."
        )
    _refuse_correlated(inputs[burn_in:], lags)
    recalled = np.stack([inputs[first - k + 1 : len(inputs) - k + 1] for k in range(1, lags + 1)], axis=1)
    half = (len(inputs) - first) // 2
    wanted, held_out = recalled[:half], recalled[half:]
    guess = _read_out(activity[first:][:half], wanted, activity[first:][half:], ridge)
    error = ((guess - held_out) ** 2).mean(0)
    r2 = np.maximum(0.0, 1 - error / held_out.var(0))
    return MemoryCapacity(r2, float(r2.sum()), num_units, np.arange(1, lags + 1))


def _read_out(here: np.ndarray, wanted: np.ndarray, there: np.ndarray, ridge: float) -> np.ndarray:
    """Estimates from activity ``there`` by the read-out of ``wanted`` fitted to activity ``here``."""
    centre, middle = here.mean(0), wanted.mean(0)
    away = here - centre
    scale = float((away**2).mean(0).sum()) / here.shape[1]
    if not scale > 1e-24 * float((here**2).mean()):
        raise DegenerateError("activity: zero variance in every unit; there is nothing to read out.")
    left, size, right = np.linalg.svd(away, full_matrices=False)
    size = np.where(size > size[0] * np.finfo(float).eps * max(away.shape), size, 0.0)
    penalty = ridge * scale * len(here)
    shrunk = np.divide(size, size**2 + penalty, out=np.zeros_like(size), where=size > 0)
    weights = right.T @ (shrunk[:, None] * (left.T @ (wanted - middle)))
    return np.asarray((there - centre) @ weights + middle)


def _refuse_correlated(inputs: np.ndarray, lags: int) -> None:
    """Refuse input whose autocorrelation at any lag is beyond that of white noise."""
    from scipy.special import ndtri

    away = inputs - inputs.mean()
    square = float(away @ away)
    if not square > 1e-24 * float(inputs @ inputs):
        raise DegenerateError("inputs: zero variance; drive the circuit with white noise.")
    found = np.array([away[k:] @ away[:-k] for k in range(1, lags + 1)]) / square
    limit = -float(ndtri(FALSE_ALARM / (2 * lags))) / np.sqrt(len(inputs))
    worst = int(np.abs(found).argmax())
    if abs(found[worst]) > limit:
        raise ValueError(
            f"inputs: autocorrelation {found[worst]:.3f} at a lag of {worst + 1} steps, beyond {limit:.3f} "
            "of white noise; drive the circuit with independent numbers, a new one at every step."
        )
