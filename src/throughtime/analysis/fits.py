"""Fitted parameters of behaviour as plain numbers, cheap enough to judge a training run by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from throughtime.analysis.arrays import accuracy as _accuracy
from throughtime.analysis.arrays import category as _category
from throughtime.analysis.arrays import chronometric as _chronometric
from throughtime.analysis.arrays import circular_error as _circular_error
from throughtime.analysis.arrays import contextual as _contextual
from throughtime.analysis.arrays import detection as _detection
from throughtime.analysis.arrays import fractional_loss as _fractional_loss
from throughtime.analysis.arrays import psychometric as _psychometric
from throughtime.analysis.arrays import psychometric_by as _psychometric_by
from throughtime.analysis.arrays import repetition as _repetition
from throughtime.analysis.arrays import serial_position as _serial_position
from throughtime.analysis.arrays import synchronization as _synchronization
from throughtime.analysis.arrays import temporal_scaling as _temporal_scaling
from throughtime.analysis.arrays import timing as _timing
from throughtime.analysis.arrays import timing_by as _timing_by
from throughtime.analysis.arrays.levels import NUM_BINS, bin_edges


class Signature(Protocol):
    """What a task declares about its behavioural curve.

    Attributes:
        fit: name of a fit in :data:`FITS`.
        variables: (argument of the fit, name of a score or condition) pairs.
    """

    @property
    def fit(self) -> str:
        """Name of the fit."""
        ...

    @property
    def variables(self) -> tuple[tuple[str, str], ...]:
        """Argument names, each with the score or condition that fills it."""
        ...


def _fit_timing(interval: np.ndarray, produced: np.ndarray) -> dict[str, float]:
    use = np.isfinite(interval) & (interval > 0)
    interval, produced = interval[use], np.where(np.isfinite(produced[use]), produced[use], np.nan)
    result = _timing.estimate(interval, produced, _edges(interval))
    names = (
        "slope", "intercept", "indifference", "bias", "variance", "rmse", "weber_fraction", "sd_intercept",
        "sd_slope", "beta", "fraction_missing",
    )  # fmt: skip
    return {name: float(getattr(result, name)) for name in names}


def _fit_timing_by(interval: np.ndarray, produced: np.ndarray, group: np.ndarray) -> dict[str, float]:
    use = np.isfinite(interval) & (interval > 0) & np.isfinite(group)
    interval, group = interval[use], group[use]
    produced = np.where(np.isfinite(produced[use]), produced[use], np.nan)
    result = _timing_by.estimate(interval, produced, group, _timing_by.ordered(interval, group))
    names = ("slope", "lowest_slope", "highest_slope", "shared_difference", "inside", "fraction_missing")
    return {name: float(getattr(result, name)) for name in names}


def _fit_accuracy(level: np.ndarray, correct: np.ndarray) -> dict[str, float]:
    use = np.isfinite(level) & np.isfinite(correct)
    result = _accuracy.estimate(level[use], correct[use], _edges(level[use]))
    return {"overall": result.overall, "worst": result.worst}


def _fit_psychometric(stimulus: np.ndarray, choice: np.ndarray) -> dict[str, float]:
    use = np.isfinite(stimulus) & np.isfinite(choice)
    result = _psychometric.estimate(stimulus[use], choice[use])
    return {name: getattr(result, name) for name in _psychometric.PARAMETERS}


def _fit_psychometric_by(stimulus: np.ndarray, choice: np.ndarray, group: np.ndarray) -> dict[str, float]:
    stimulus, choice, group = _finite(stimulus, choice, group)
    result = _psychometric_by.estimate(stimulus, choice, group, np.unique(group), _edges(stimulus))
    return {name: getattr(result, name) for name in ("lowest_sigma", "highest_sigma", "gain", "optimality")}


def _fit_contextual(
    first: np.ndarray, second: np.ndarray, context: np.ndarray, choice: np.ndarray
) -> dict[str, float]:
    first, second, context, choice = _finite(first, second, context, choice)
    edges = _edges(np.concatenate([first, second]))
    result = _contextual.estimate(first, second, context, choice, edges)
    return {name: getattr(result, name) for name in ("relevant", "irrelevant", "ratio", "worst_ratio")}


def _fit_chronometric(stimulus: np.ndarray, reaction_time: np.ndarray) -> dict[str, float]:
    use = np.isfinite(stimulus)
    result = _chronometric.estimate(stimulus[use], reaction_time[use], _edges(np.abs(stimulus[use])))
    return {name: getattr(result, name) for name in ("slope", "intercept", "mean", "fraction_missing")}


def _fit_category(distance: np.ndarray, same: np.ndarray, choice: np.ndarray) -> dict[str, float]:
    distance, same, choice = _finite(distance, same, choice)
    result = _category.estimate(distance, same, choice, edges=_edges(distance))
    return {"category_effect": result.category_effect, "distance_effect": result.distance_effect}


def _fit_detection(
    level: np.ndarray, targets: np.ndarray, hits: np.ndarray, lures: np.ndarray, false_alarms: np.ndarray
) -> dict[str, float]:
    level, *counts = _finite(level, targets, hits, lures, false_alarms)
    result = _detection.estimate(level, *counts, edges=_edges(level))
    return {
        "hit_rate": result.overall_hit_rate,
        "false_alarm_rate": result.overall_false_alarm_rate,
        "d_prime": result.overall_d_prime,
        "bias": result.overall_bias,
        "worst_d_prime": result.worst_d_prime,
    }


def _fit_repetition(
    matches: np.ndarray,
    hits: np.ndarray,
    repeated: np.ndarray,
    repeated_false_alarms: np.ndarray,
    new: np.ndarray,
    new_false_alarms: np.ndarray,
) -> dict[str, float]:
    counts = _finite(matches, hits, repeated, repeated_false_alarms, new, new_false_alarms)
    result = _repetition.estimate(*counts)
    names = (
        "hit_rate", "repeated_rate", "new_rate", "repetition_effect", "repeated_d_prime", "new_d_prime",
    )  # fmt: skip
    return {name: getattr(result, name) for name in names}


def _fit_serial_position(length: np.ndarray, **items: np.ndarray) -> dict[str, float]:
    ranked = np.stack([items[name] for name in sorted(items, key=_rank)], axis=1)
    ranks = np.arange(1, ranked.shape[1] + 1)
    use = (length >= 1) & (length <= len(ranks))
    use &= (np.isfinite(ranked) | (ranks > length[:, None])).all(1)
    result = _serial_position.estimate(length[use], ranked[use])
    return {name: getattr(result, name) for name in ("overall", "worst", "primacy", "recency")}


def _rank(name: str) -> int:
    """Place in a row of arguments ``item_1``, ``item_2``, …"""
    number = name.rpartition("_")[2]
    return int(number) if number.isdigit() else 0


def _finite(*arrays: np.ndarray) -> list[np.ndarray]:
    """The trials in which every array is finite."""
    use = np.all([np.isfinite(array) for array in arrays], axis=0)
    return [array[use] for array in arrays]


def _fit_circular_error(level: np.ndarray, error: np.ndarray) -> dict[str, float]:
    use = np.isfinite(level)
    level, error = level[use], np.where(np.isfinite(error[use]), error[use], np.nan)
    result = _circular_error.estimate(level, error, _edges(level))
    return {
        "slope": result.slope,
        "intercept": result.intercept,
        "sd": result.overall_sd,
        "bias": result.bias,
        "fraction_missing": result.fraction_missing,
    }


def _fit_fractional_loss(level: np.ndarray, excess: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    use = np.isfinite(level)
    level, excess, reference = level[use], excess[use], reference[use]
    excess = np.where(np.isfinite(excess) & np.isfinite(reference), excess, np.nan)
    result = _fractional_loss.estimate(level, excess, reference, _edges(level))
    return {"fractional_loss": result.fractional_loss, "worst": result.worst}


def _fit_synchronization(
    period: np.ndarray,
    asynchrony: np.ndarray,
    produced: np.ndarray,
    squared_error: np.ndarray,
    successive_error: np.ndarray,
) -> dict[str, float]:
    use = np.isfinite(period) & (period > 0)
    rows = (asynchrony[use], produced[use], squared_error[use], successive_error[use])
    result = _synchronization.estimate(period[use], *rows, _edges(period[use]))
    names = (
        "asynchrony", "asynchrony_slope", "slope", "sd_intercept", "sd_slope", "cv", "lag_one",
        "fraction_missing",
    )  # fmt: skip
    return {name: float(getattr(result, name)) for name in names}


def _fit_temporal_scaling(speed: np.ndarray, scale: np.ndarray, **peaks: np.ndarray) -> dict[str, float]:
    times = np.stack([peaks[name] for name in sorted(peaks, key=_rank)], axis=1)
    use = np.isfinite(speed) & (speed > 0)
    result = _temporal_scaling.estimate(speed[use], scale[use], times[use])
    names = ("slope", "worst_error", "weber_slope", "cv", "cv_slope", "fraction_missing")
    return {name: float(getattr(result, name)) for name in names}


def _accepts(arguments: tuple[str, ...], declared: Mapping[str, str]) -> bool:
    """Whether these are the arguments, a row counted from 1 without gaps."""
    fixed = {name for name in arguments if not name.endswith("*")}
    row = set(declared) - fixed
    ranks = range(1, max(1, len(row)) + 1)
    wanted = {name.replace("*", str(rank)) for name in set(arguments) - fixed for rank in ranks}
    return fixed <= set(declared) and row == wanted


def _edges(values: np.ndarray) -> np.ndarray:
    return bin_edges(values, NUM_BINS) if values.size else np.empty(0)


# name -> (function, arguments); the last of them may stand for a row, such as item_1, item_2, …
FITS: dict[str, tuple[Callable[..., dict[str, float]], tuple[str, ...]]] = {
    "timing": (_fit_timing, ("interval", "produced")),
    "timing_by": (_fit_timing_by, ("interval", "produced", "group")),
    "synchronization": (
        _fit_synchronization,
        ("period", "asynchrony", "produced", "squared_error", "successive_error"),
    ),
    "temporal_scaling": (_fit_temporal_scaling, ("speed", "scale", "peak_*")),
    "accuracy": (_fit_accuracy, ("level", "correct")),
    "circular_error": (_fit_circular_error, ("level", "error")),
    "fractional_loss": (_fit_fractional_loss, ("level", "excess", "reference")),
    "psychometric": (_fit_psychometric, ("stimulus", "choice")),
    "psychometric_by": (_fit_psychometric_by, ("stimulus", "choice", "group")),
    "contextual": (_fit_contextual, ("first", "second", "context", "choice")),
    "chronometric": (_fit_chronometric, ("stimulus", "reaction_time")),
    "category": (_fit_category, ("distance", "same", "choice")),
    "detection": (_fit_detection, ("level", "targets", "hits", "lures", "false_alarms")),
    "serial_position": (_fit_serial_position, ("length", "item_*")),
    "repetition": (
        _fit_repetition,
        ("matches", "hits", "repeated", "repeated_false_alarms", "new", "new_false_alarms"),
    ),
}


def fit(signature: Signature, scores: Mapping[str, Any], conditions: Mapping[str, Any]) -> dict[str, float]:
    """Parameters of the fit a task declares, from one batch of trials.

    Trials whose condition ``catch`` is true are left out. What the data do not determine (nothing was
    produced, every choice the same, a diverged run) is NaN, never an exception: training goes on. The
    functions of :mod:`throughtime.analysis` refuse such data instead.

    ====================  ============================  ==================================================
    ``fit``               arguments                     parameters
    ====================  ============================  ==================================================
    ``timing``            interval, produced (ms)       slope, intercept, indifference, bias, variance, rmse,
                                                        weber_fraction, sd_intercept, sd_slope, beta,
                                                        fraction_missing
    ``timing_by``         interval, produced (ms),      slope (within groups), lowest_slope, highest_slope,
                          group                         shared_difference (ms), inside, fraction_missing
    ``synchronization``   period, asynchrony, produced  asynchrony (ms), asynchrony_slope, slope,
                          (ms), squared_error,          sd_intercept (ms), sd_slope, cv, lag_one,
                          successive_error              fraction_missing
    ``temporal_scaling``  speed, scale, peak_1,         slope, worst_error, weber_slope, cv, cv_slope,
                          peak_2, … (ms)                fraction_missing
    ``accuracy``          level, correct                overall, worst (level)
    ``circular_error``    level, error (rad)            slope and intercept of the variance (rad²), sd,
                                                        bias (rad), fraction_missing
    ``fractional_loss``   level, excess, reference      fractional_loss, worst (level)
    ``psychometric``      stimulus, choice (0 or 1)     mu, sigma, guess, lapse
    ``psychometric_by``   stimulus, choice, group       lowest_sigma, highest_sigma, gain (of the last group),
                                                        optimality
    ``contextual``        first, second, context (0 or  relevant and irrelevant (slopes), ratio, worst_ratio
                          1), choice                    (of a context)
    ``chronometric``      stimulus, reaction_time (ms)  slope (ms a doubling), intercept and mean (ms),
                                                        fraction_missing
    ``category``          distance, same, choice        category_effect, distance_effect
    ``detection``         level, targets, hits, lures,  hit_rate, false_alarm_rate, d_prime, bias,
                          false_alarms (counts)         worst_d_prime (level)
    ``repetition``        matches, hits, repeated,      hit_rate, repeated_rate, new_rate, repetition_effect,
                          repeated_false_alarms, new,   repeated_d_prime, new_d_prime
                          new_false_alarms (counts)
    ``serial_position``   length, item_1, item_2, …     overall, worst (rank), primacy, recency
                          (correct)
    ====================  ============================  ==================================================

    Args:
        signature: with ``fit`` and ``variables``.
        scores: name -> (trial,) what ``task.score`` returns.
        conditions: name -> (trial,).

    Raises:
        ValueError: for a fit, argument or variable name that does not exist: a mistake in the task, not
            in the data.

    Example:
        >>> from types import SimpleNamespace
        >>> declared = SimpleNamespace(
        ...     fit="timing", variables=(("interval", "target_interval"), ("produced", "produced_interval"))
        ... )
        >>> asked = np.repeat([400.0, 800.0, 1200.0], 2)
        >>> round(fit(declared, {"produced_interval": 0.9 * asked}, {"target_interval": asked})["slope"], 6)
        0.9
    """
    if signature.fit not in FITS:
        raise ValueError(f"signature.fit: unknown {signature.fit!r}; use one of {', '.join(FITS)}.")
    function, arguments = FITS[signature.fit]
    declared = dict(signature.variables)
    if not _accepts(arguments, declared):
        raise ValueError(
            f"signature.variables: {signature.fit!r} takes {', '.join(arguments)}; found "
            f"{', '.join(declared) or 'none'}."
        )
    known = {**conditions, **scores}
    missing = [name for name in declared.values() if name not in known]
    if missing:
        found = ", ".join(sorted(known))
        raise ValueError(f"signature.variables: no score or condition {missing[0]!r}; there are {found}.")
    values = {argument: np.asarray(known[name], dtype=np.float64) for argument, name in declared.items()}
    if "catch" in conditions:
        kept = ~np.asarray(conditions["catch"], dtype=bool)
        values = {argument: array[kept] for argument, array in values.items()}
    return function(**values)
