"""Axes of task variables in population activity: targeted dimensionality reduction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.pca import pca

NUM_COMPONENTS = 12
CONDITION_LIMIT = 1e6
LEAST_EFFECT = 1e-9


class TDR(NamedTuple):
    """``V`` variables, ``C`` conditions, ``T`` times, ``N`` units.

    Attributes:
        axis: (V, N) orthonormal rows, in the order of the variables; activity rises along a row with it.
        peak: (V,) position of the time at which the population tells most of each variable.
        coefficient: (V, T, N) change of the z-scored rate per unit of the variable.
        coefficient_norm: (V, T) norm of the coefficients within the kept principal components.
        score: (C, T, V) z-scored condition averages on the axes.
        value: (C, V) mean of the variables in each condition.
        mean, scale: (N,) z-scored activity is (activity − mean)/scale.
        num_components: principal components kept.
    """

    axis: np.ndarray
    peak: np.ndarray
    coefficient: np.ndarray
    coefficient_norm: np.ndarray
    score: np.ndarray
    value: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    num_components: int


def tdr(
    activity: np.ndarray,
    variables: np.ndarray,
    *,
    axis: int = -1,
    condition: np.ndarray | None = None,
    num_components: int = NUM_COMPONENTS,
    standardize: bool = True,
) -> TDR:
    """One axis a task variable, on which the population's activity follows that variable.

    With z the z-scored rate of unit i in trial k, at each time

        z_i(k, t) = β_i0(t) + Σ_v β_iv(t) x_v(k) + residual

    by least squares. The vectors β_v(t) over units are projected on the leading principal components of the
    condition averages; the one of largest norm over time is the variable's vector; QR of these in the order
    given makes them orthogonal, so that an axis shows what those before it leave (after Mante, Sussillo,
    Shenoy and Newsome 2013, Nature). The order matters where vectors overlap.

    Args:
        activity: (trial, time, unit), units on ``axis``.
        variables: (trial, variable) such as choice −1 or 1 and signed coherence.
        axis: axis of units.
        condition: (trial,) codes of the conditions averaged over; one for each combination of the variables
            if not given. Bin continuous variables.
        num_components: principal components kept, at most as many as there are.
        standardize: divide by each unit's standard deviation over trials and times; a unit without any keeps
            its scale. The axes live in the space of these scaled rates.

    Raises:
        ValueError: for non-finite values, unequal lengths, zero variance, fewer trials than coefficients + 1,
            standardised variables of condition number above 1e6, fewer components than variables, or a
            variable without an effect of its own.

    Example:
        >>> choice = np.array([[-1.0], [1.0], [-1.0], [1.0]])
        >>> activity = choice[:, None, :] * np.array([[0.0, 0.0], [3.0, 4.0]])
        >>> found = tdr(activity, choice, standardize=False)
        >>> found.axis.round(6) + 0.0, found.peak
        (array([[0.6, 0.8]]), array([1]))
    """
    rates = np.moveaxis(
        checks.finite("activity", activity, "cut to times and units that all trials have"), axis, -1
    )
    design = checks.finite("variables", variables, "leave these trials out")
    if rates.ndim != 3 or design.ndim != 2:
        raise ValueError(
            f"activity, variables: shapes {np.shape(activity)} and {design.shape}; expected (trial, time, "
            "unit) and (trial, variable)."
        )
    checks.same_length(activity=rates, variables=design)
    _check_design(design)
    num_trials, num_times, num_units = rates.shape
    spread = rates.std((0, 1))
    if not (spread > 1e-12 * np.abs(rates).max()).any():
        raise ValueError("activity: zero variance in every unit; there are no axes to find.")
    scale = np.where(spread > 1e-12 * np.abs(rates).max(), spread, 1.0) if standardize else np.ones(num_units)
    mean = rates.mean((0, 1))
    standard = (rates - mean) / scale

    centred = design - design.mean(0)
    flat = standard.reshape(num_trials, -1)
    fitted = np.linalg.lstsq(centred, flat - flat.mean(0), rcond=None)[0]
    coefficient = fitted.reshape(-1, num_times, num_units)

    averages, value = _averages(standard, design, condition)
    limit = min(num_units, averages.shape[0] * num_times - 1)
    if not design.shape[1] <= min(num_components, limit):
        raise ValueError(
            f"num_components: {num_components} of {limit} there are, for {design.shape[1]} variables; keep "
            "at least one a variable, or leave variables out."
        )
    kept = pca(averages, num_components=min(num_components, limit)).component
    within = coefficient @ kept.T
    norm = np.linalg.norm(within, axis=-1)
    peak = norm.argmax(1)
    vectors = within[np.arange(len(peak)), peak] @ kept
    axes = _orthogonal(vectors, centred.std(0))
    return TDR(
        axis=axes,
        peak=peak,
        coefficient=coefficient,
        coefficient_norm=norm,
        score=averages @ axes.T,
        value=value,
        mean=mean,
        scale=scale,
        num_components=len(kept),
    )


def _check_design(design: np.ndarray) -> None:
    num_trials, num_variables = design.shape
    if num_trials < num_variables + 2:
        raise ValueError(
            f"variables: {num_trials} trials for {num_variables} variables and a constant; use at least "
            f"{num_variables + 2}."
        )
    spread = design.std(0)
    still = np.flatnonzero(spread <= 1e-12 * np.abs(design).max(0))
    if still.size:
        raise ValueError(f"variables: number {still[0]} is the same in every trial; leave it out.")
    number = float(np.linalg.cond((design - design.mean(0)) / spread))
    if number > CONDITION_LIMIT:
        raise ValueError(
            f"variables: condition number {number:.2g} of the standardised variables, above "
            f"{CONDITION_LIMIT:.0e}; leave out one that others determine."
        )


def _averages(
    activity: np.ndarray, design: np.ndarray, condition: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(condition, time, unit) averages of activity and (condition, variable) of the variables."""
    if condition is None:
        codes = np.unique(design, axis=0, return_inverse=True)[1].ravel()
    else:
        checks.same_length(activity=activity, condition=np.asarray(condition))
        codes = np.unique(np.asarray(condition), return_inverse=True)[1].ravel()
    count = int(codes.max()) + 1
    if count < 2:
        raise ValueError("condition: a single one; averages of at least two are compared.")
    member = np.zeros((count, len(codes)))
    member[codes, np.arange(len(codes))] = 1.0
    member /= member.sum(1, keepdims=True)
    return np.tensordot(member, activity, 1), member @ design


def _orthogonal(vectors: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Rows made orthonormal in their order, each along its own vector."""
    effect = np.linalg.norm(vectors, axis=1) * spread
    basis, triangle = np.linalg.qr(vectors.T)
    own = np.abs(np.diag(triangle)) * spread
    lost = np.flatnonzero(own <= LEAST_EFFECT * max(effect.max(), np.finfo(float).tiny))
    if lost.size:
        raise checks.DegenerateError(
            f"variables: number {lost[0]} moves the activity in no direction beyond those of the variables "
            "before it; leave it out."
        )
    return np.asarray((basis * np.sign(np.diag(triangle))).T)
