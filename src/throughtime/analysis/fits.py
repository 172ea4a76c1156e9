"""Fitted parameters of behaviour as plain numbers, cheap enough to judge a training run by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from throughtime.analysis.arrays import accuracy as _accuracy
from throughtime.analysis.arrays import psychometric as _psychometric
from throughtime.analysis.arrays import timing as _timing
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


def _fit_accuracy(level: np.ndarray, correct: np.ndarray) -> dict[str, float]:
    use = np.isfinite(level) & np.isfinite(correct)
    result = _accuracy.estimate(level[use], correct[use], _edges(level[use]))
    return {"overall": result.overall, "worst": result.worst}


def _fit_psychometric(stimulus: np.ndarray, choice: np.ndarray) -> dict[str, float]:
    use = np.isfinite(stimulus) & np.isfinite(choice)
    result = _psychometric.estimate(stimulus[use], choice[use])
    return {name: getattr(result, name) for name in _psychometric.PARAMETERS}


def _edges(values: np.ndarray) -> np.ndarray:
    return bin_edges(values, NUM_BINS) if values.size else np.empty(0)


# name -> (function, arguments)
FITS: dict[str, tuple[Callable[..., dict[str, float]], tuple[str, ...]]] = {
    "timing": (_fit_timing, ("interval", "produced")),
    "accuracy": (_fit_accuracy, ("level", "correct")),
    "psychometric": (_fit_psychometric, ("stimulus", "choice")),
}


def fit(signature: Signature, scores: Mapping[str, Any], conditions: Mapping[str, Any]) -> dict[str, float]:
    """Parameters of the fit a task declares, from one batch of trials.

    Trials whose condition ``catch`` is true are left out. What the data do not determine (nothing was
    produced, every choice the same, a diverged run) is NaN, never an exception: training goes on. The
    functions of :mod:`throughtime.analysis` refuse such data instead.

    ===============  ============================  ==================================================
    ``fit``          arguments                     parameters
    ===============  ============================  ==================================================
    ``timing``       interval, produced (ms)       slope, intercept, indifference, bias, variance, rmse,
                                                   weber_fraction, sd_intercept, sd_slope, beta,
                                                   fraction_missing
    ``accuracy``     level, correct                overall, worst (level)
    ``psychometric`` stimulus, choice (0 or 1)     mu, sigma, guess, lapse
    ===============  ============================  ==================================================

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
    if set(declared) != set(arguments):
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
