"""Over what time activity resembles itself: the decay of autocorrelation across trials."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.checks import DegenerateError

FEWEST_LAGS, FEWEST_TRIALS = 5, 3
STATUS = ("computed", "beyond_the_lags", "no_variance", "no_decay")
"""Meanings of ``status``, in the order of its codes."""
FIRST_GUESSES = (0.05, 0.2, 0.6)
"""Shares of the lag range from which the fit starts, and of which the best is kept."""


class Decay(NamedTuple):
    """A decay A[exp(−Δ/τ) + B] fitted to correlations.

    Attributes:
        tau: ms. amplitude: A. offset: B. r2: share of the (weighted) variance that the fit explains.
        fitted: (lag,) the curve. status: code in :data:`STATUS`; unless it is 0 all else is NaN.
    """

    tau: float
    amplitude: float
    offset: float
    r2: float
    fitted: np.ndarray
    status: int


class AutocorrelationTimescale(NamedTuple):
    """Timescales of ``unit`` units from ``lag`` lags.

    Attributes:
        tau: (unit,) ms. amplitude, offset, r2: (unit,). status: (unit,) code in :data:`STATUS`.
        autocorrelation: (unit, lag) mean over pairs of bins. fitted: (unit, lag) the curve.
        lag: (lag,) ms. num_pairs: (lag,) pairs of bins at this lag, the weights of the fit.
    """

    tau: np.ndarray
    amplitude: np.ndarray
    offset: np.ndarray
    r2: np.ndarray
    status: np.ndarray
    autocorrelation: np.ndarray
    fitted: np.ndarray
    lag: np.ndarray
    num_pairs: np.ndarray


def autocorrelation_timescale(
    activity: np.ndarray,
    *,
    dt: float,
    axis: int = -1,
    min_lag: float | None = None,
    max_lag: float | None = None,
) -> AutocorrelationTimescale:
    """Time constant τ of each unit's autocorrelation, taken across trials, not within.

        R(Δ) = mean over bins t of corr_trials(x(t), x(t + Δ)) ≈ A [exp(−Δ/τ) + B]

    Correlating across trials takes out what is common to all trials, at each bin. To remove the mean of each
    trial instead would make correlations at long lags negative and τ too short. B is what lasts throughout
    the trials. Lags count in the fit by how many pairs of bins they have, as if every pair were fitted.

    Args:
        activity: units on ``axis``, of the other two the first are trials and the last time bins: by default
            (trial, time, unit). Choose a stretch without responses, such as a foreperiod.
        dt: length of a bin, ms.
        min_lag, max_lag: lags fitted, ms, from one bin to all by default.

    Returns:
        A unit whose τ is longer than the longest lag has status 1, one that does not vary across trials 2,
        one whose correlation does not fall with lag 3; all else of them is NaN, but for the autocorrelation.

    Raises:
        ValueError: for activity that is not finite or has other axes, fewer than 5 lags or 3 trials, or zero
            variance across trials in every unit.

    Source: after Murray et al. 2014, Nat. Neurosci. 17:1661 (there the fit is to all neurons of an area).

    Example:
        >>> rng, coefficient = np.random.default_rng(0), np.exp(-10 / 50)
        >>> x = [rng.standard_normal((500, 1))]
        >>> for _ in range(29):
        ...     x.append(coefficient * x[-1] + np.sqrt(1 - coefficient**2) * rng.standard_normal((500, 1)))
        >>> found = autocorrelation_timescale(np.stack(x, axis=1), dt=10.0)
        >>> bool(35 < found.tau[0] < 65), found.autocorrelation.shape
        (True, (1, 29))
    """
    activity = np.moveaxis(
        checks.finite("activity", activity, "choose a window within every trial"), axis, -1
    )
    if activity.ndim != 3:
        raise ValueError(f"activity: shape {activity.shape}; expected (trial, time, unit).")
    if len(activity) < FEWEST_TRIALS:
        raise ValueError(f"activity: {len(activity)} trials; use at least {FEWEST_TRIALS}.")
    dt = checks.duration("dt", dt)
    back = lags_in_bins(activity.shape[1], dt, min_lag, max_lag)
    curves = np.stack([_autocorrelation(unit, back) for unit in np.moveaxis(activity, -1, 0)])
    if not np.isfinite(curves).any():
        raise DegenerateError("activity: zero variance across trials in every unit; nothing to correlate.")
    num_pairs = activity.shape[1] - back
    fits = [fit_decay(back * dt, curve, num_pairs) for curve in curves]
    columns = {name: np.array([getattr(fit, name) for fit in fits]) for name in Decay._fields}
    return AutocorrelationTimescale(**columns, autocorrelation=curves, lag=back * dt, num_pairs=num_pairs)


def lags_in_bins(
    num_bins: int, dt: float, min_lag: float | None = None, max_lag: float | None = None
) -> np.ndarray:
    """Lags from ``min_lag`` to ``max_lag`` in whole bins.

    Example:
        >>> lags_in_bins(30, 10.0, max_lag=50.0)
        array([1, 2, 3, 4, 5])
    """
    first = 1 if min_lag is None else int(np.ceil(min_lag / dt - 1e-9))
    last = num_bins - 1 if max_lag is None else min(num_bins - 1, int(np.floor(max_lag / dt + 1e-9)))
    if first < 1:
        raise ValueError(f"min_lag: {min_lag} ms; use at least one bin of {dt:g} ms.")
    if last - first + 1 < FEWEST_LAGS:
        raise ValueError(
            f"activity: {max(last - first + 1, 0)} lags from {first * dt:g} to {last * dt:g} ms; use at "
            f"least {FEWEST_LAGS}: more bins, or wider min_lag and max_lag."
        )
    return np.arange(first, last + 1)


def fit_decay(lag: np.ndarray, correlation: np.ndarray, weight: np.ndarray | None = None) -> Decay:
    """Least-squares fit of A[exp(−Δ/τ) + B] with A > 0 and τ > 0.

    Args:
        lag: (lag,) ms. correlation: (lag,); lags where it is NaN do not count. weight: (lag,) of each square;
            1 if not given.

    Raises:
        ValueError: for fewer than 5 lags, lags that do not increase, or unequal lengths.

    Example:
        >>> lag = np.arange(10.0, 510.0, 10.0)
        >>> found = fit_decay(lag, 0.4 * (np.exp(-lag / 100.0) + 0.25))
        >>> round(found.tau, 6), round(found.amplitude, 6), round(found.offset, 6), round(found.r2, 6)
        (100.0, 0.4, 0.25, 1.0)
    """
    lag = checks.vector("lag", checks.finite("lag", lag))
    correlation = checks.vector("correlation", np.asarray(correlation, np.float64))
    weight = np.ones_like(lag) if weight is None else checks.vector("weight", checks.finite("weight", weight))
    checks.same_length(lag=lag, correlation=correlation, weight=weight)
    if lag.size < FEWEST_LAGS:
        raise ValueError(f"lag: {lag.size} lags; use at least {FEWEST_LAGS}.")
    if not (np.diff(lag) > 0).all():
        raise ValueError("lag: does not increase; sort the lags, each once.")
    there = np.isfinite(correlation)
    if there.sum() < FEWEST_LAGS:
        return _none(lag, 2)
    x, y, w = lag[there], correlation[there], weight[there] / weight[there].sum()
    about = float(w @ (y - w @ y) ** 2)
    if not about > 1e-24 * float(w @ y**2):
        return _none(lag, 3)
    found = [each for share in FIRST_GUESSES if (each := _fit(x, y, w, share * x[-1])) is not None]
    if not found:
        return _none(lag, 3)
    amplitude, tau, floor = min(found, key=lambda each: each[1])[0]
    rest = float(w @ (y - _curve(x, amplitude, tau, floor)) ** 2)
    if tau > lag[-1] or not amplitude > 0:
        return _none(lag, 1 if tau > lag[-1] else 3)
    fitted = _curve(lag, amplitude, tau, floor)
    return Decay(float(tau), float(amplitude), float(floor / amplitude), 1 - rest / about, fitted, 0)


def _curve(lag: np.ndarray, amplitude: float, tau: float, floor: float) -> Any:
    return amplitude * np.exp(-lag / tau) + floor


def _fit(x: np.ndarray, y: np.ndarray, weight: np.ndarray, guess: float) -> tuple[np.ndarray, float] | None:
    """A, τ and AB (finite as A vanishes, unlike B) from one first guess of τ, and the squares left over."""
    from scipy.optimize import OptimizeWarning, curve_fit

    design = np.stack([np.exp(-x / guess), np.ones_like(x)], axis=1)
    root = np.sqrt(weight)
    amplitude, floor = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
    scale = float(np.abs(y).max())
    first = (max(amplitude, 1e-6 * scale), guess, floor)
    lower, upper = (0.0, 1e-3 * x[0], -np.inf), (np.inf, 1e3 * x[-1], np.inf)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            best, _ = curve_fit(
                _curve, x, y, p0=first, sigma=1 / root, bounds=(lower, upper), x_scale=(scale, guess, scale),
                ftol=1e-14, xtol=1e-12, gtol=1e-14, max_nfev=2000,
            )  # fmt: skip
    except RuntimeError:  # no convergence from this guess
        return None
    return best, float(weight @ (y - _curve(x, *best)) ** 2)


def _none(lag: np.ndarray, status: int) -> Decay:
    return Decay(np.nan, np.nan, np.nan, np.nan, np.full(lag.shape, np.nan), status)


def _autocorrelation(values: np.ndarray, back: np.ndarray) -> np.ndarray:
    """(lag,) mean over pairs of bins of the correlation across trials of (trial, time) values.

    Bins that do not vary across trials take no part; NaN at a lag without pairs.
    """
    away = values - values.mean(0)
    square = (away**2).sum(0)
    varies = square > 1e-24 * (values**2).sum(0)
    unit = np.where(varies, away / np.sqrt(np.where(varies, square, 1.0)), np.nan)
    correlation = unit.T @ unit
    return np.array([_mean(np.diagonal(correlation, lag)) for lag in back])


def _mean(values: np.ndarray) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else np.nan
