"""Runs with a perturbation beside the run without: deviations, recovery, and what chance does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.blocks import Estimate
from throughtime.analysis.arrays.simulate import Simulate

SAME = 1e-9
"""Relative difference of two runs without a perturbation above which they count as different."""
FLOOR = 0.01
"""Share of a deviation below which the rest of it does not count for the recovery."""


class Runs(NamedTuple):
    """What became of runs with a perturbation beside the run without.

    Attributes:
        deviation: (run, time) ‖Δs‖₂, root mean square over trials. measure_change: (run,).
    """

    deviation: np.ndarray
    measure_change: np.ndarray


def recovery_time_constant(deviation: np.ndarray, dt: float) -> float:
    """Time constant at which a deviation (time,) decays from its first value.

    See :func:`throughtime.analysis.arrays.perturb.pulses`.

    Example:
        >>> round(recovery_time_constant(0.9 ** np.arange(20), 10.0), 3)
        94.912
        >>> recovery_time_constant(np.array([1.0, 0.0, 0.0]), 10.0)
        0.0
    """
    if not np.isfinite(deviation).all() or not deviation[0] > 0:
        return np.nan
    low = np.flatnonzero(deviation <= FLOOR * deviation[0])
    window = deviation[: low[0] + 1] if low.size else deviation
    window = window[window > 0]
    if window.size < 2:
        return 0.0
    slope = float(np.polyfit(np.arange(window.size), np.log(window), 1)[0])
    return np.inf if abs(slope) <= 1e-13 else -dt / slope


def recoveries(deviation: np.ndarray, dt: float) -> np.ndarray:
    """:func:`recovery_time_constant` of every row."""
    return np.array([recovery_time_constant(each, dt) for each in deviation])


def twice(simulate: Simulate) -> tuple[np.ndarray, float]:
    """States and measure of the run without a perturbation."""
    states, measure = simulate()
    again, other = simulate()
    states = np.asarray(states, np.float64)
    if states.ndim < 2:
        raise ValueError(f"simulate: states of shape {states.shape}; return (…, time, state).")
    if not np.isfinite(states).all() or not np.isfinite(measure):
        raise ValueError(
            "simulate: states or measure are not finite without a perturbation; nothing to compare."
        )
    differ = np.abs(states - again).max() > SAME * np.abs(states).max()
    if differ or abs(measure - other) > SAME * abs(measure):
        raise ValueError("simulate: two runs without a perturbation differ; fix trials and noise.")
    return states, float(measure)


def refuse_other_weights(simulate: Simulate, weights: np.ndarray, states: np.ndarray) -> None:
    """Refuse weights with which the circuit does not go through the ``states`` that it goes through."""
    same, _ = simulate(weights=weights)
    if not np.allclose(same, states, rtol=1e-6, atol=1e-6 * np.abs(states).max()):
        raise ValueError("weights: a run with them differs from one without; pass the circuit's own.")


def compared(
    found: Iterable[tuple[np.ndarray, float]],
    reference: np.ndarray,
    measure: float,
    left: np.ndarray | None = None,
    valid: np.ndarray | None = None,
) -> Runs:
    """Deviations of runs from the reference, of the components that are ``left`` (run, state).

    Means are over the trials that are ``valid`` (…, time); NaN at times where none is.
    """
    rows, changes = [], []
    counted = np.ones(reference.shape[:-1], bool) if valid is None else valid
    counted = counted.reshape(-1, counted.shape[-1])
    number = np.where(counted.any(0), counted.sum(0), np.nan)
    for index, (states, value) in enumerate(found):
        with np.errstate(all="ignore"):
            away = np.asarray(states, np.float64) - reference
            squares = (away**2).sum(-1) if left is None else (away[..., left[index]] ** 2).sum(-1)
            squares = np.where(counted, squares.reshape(counted.shape), 0.0)
            rows.append(np.sqrt(squares.sum(0) / number))
        changes.append(value - measure)
    deviation = np.stack(rows)
    return Runs(np.where(np.isfinite(deviation), deviation, np.nan), np.array(changes))


def bounds(deviation: np.ndarray, confidence: float, there: np.ndarray) -> Estimate:
    """Mean and quantiles over the first axis, of runs that did not diverge while ``there``."""
    tail = (1 - checks.fraction("confidence", confidence)) / 2
    sound = deviation[np.isfinite(deviation[:, there]).all(1)]
    if not len(sound):
        nothing = np.full(deviation.shape[1:], np.nan)
        return Estimate(nothing, nothing, nothing)
    return Estimate(sound.mean(0), *np.quantile(sound, (tail, 1 - tail), axis=0))


def p_value(change: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of draws, what was asked for among them, whose change is as large; NaN for a change of NaN."""
    size = np.where(np.isfinite(null), np.abs(null), np.inf)
    asked = np.abs(np.asarray(change))
    as_large = (size >= asked[..., None] * (1 - 1e-12)).sum(-1)
    return np.where(np.isfinite(asked), (1 + as_large) / (1 + size.size), np.nan)


def counted_times(valid: np.ndarray | None, reference: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """``valid`` (…, time), refused where it does not fit, and (time,) whether any trial is valid."""
    if valid is None:
        return None, np.ones(reference.shape[-2], bool)
    valid = np.asarray(valid)
    if valid.dtype != bool or valid.shape != reference.shape[:-1] or not valid.any():
        raise ValueError(
            f"valid: {valid.dtype} of shape {valid.shape}; expected booleans {reference.shape[:-1]}, one a "
            "trial and step, True until the trial ends."
        )
    return valid, np.asarray(valid.reshape(-1, valid.shape[-1]).any(0))


def positive(name: str, value: float) -> float:
    """``value``, refused unless finite and above 0."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name}: {value!r}; use a positive number.")
    return float(value)


def enough(num_random: int) -> int:
    """``num_random``, refused where no interval can be told from so few."""
    if num_random < 2:
        raise ValueError(f"num_random: {num_random}; draw at least 2.")
    return num_random
