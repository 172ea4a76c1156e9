"""How many dimensions population activity fills."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks


class Dimensionality(NamedTuple):
    """Dimensions of a cloud of samples.

    Attributes:
        participation_ratio: (Σl)² / Σl² of the covariance eigenvalues l.
        participation_ratio_corrected: the same, corrected for the number of samples; NaN where the
            estimate of Σl² is not positive.
        num_components_90, num_components_95: components that hold 90 and 95 % of the variance.
        num_samples: samples used.
        eigenvalue: (component,) descending, unbiased variances.
    """

    participation_ratio: float
    participation_ratio_corrected: float
    num_components_90: int
    num_components_95: int
    num_samples: int
    eigenvalue: np.ndarray


def participation_ratio(eigenvalue: np.ndarray, axis: int = -1) -> np.ndarray:
    """(Σl)² / Σl²: N for N equal eigenvalues, 1 for a single one.

    Example:
        >>> float(participation_ratio(np.ones(7)))
        7.0
    """
    eigenvalue = np.asarray(eigenvalue, dtype=np.float64)
    return eigenvalue.sum(axis) ** 2 / (eigenvalue**2).sum(axis)


def dimensionality(activity: np.ndarray, *, axis: int = -1) -> Dimensionality:
    """Participation ratio, raw and corrected for a finite number of Gaussian samples.

    With S the unbiased covariance of T samples, ν = T − 1, a = tr S² and b = (tr S)², the unbiased
    estimates of tr Σ² and (tr Σ)² are A = ν²(a − b/ν) / ((ν + 2)(ν − 1)) and B = b − 2A/ν (moments of the
    Wishart distribution); the corrected ratio is B/A. The correction needs independent samples: trials,
    not neighbouring times.

    Args:
        activity: units on ``axis``, samples on all others.
        axis: axis of units.

    Source: participation ratio, Abbott, Rajan & Sompolinsky 2011, in The Dynamic Brain, Oxford.

    Raises:
        ValueError: for non-finite activity, fewer than 3 samples or zero variance.

    Example:
        >>> u = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> round(dimensionality(u * [2.0, 1.0]).participation_ratio, 6)  # 25 / 17
        1.470588
    """
    moved = np.moveaxis(checks.finite("activity", activity, "leave padding out"), axis, -1)
    if not moved.shape[-1]:
        raise ValueError(f"activity: shape {np.shape(activity)} has no units; give at least one.")
    samples = moved.reshape(-1, moved.shape[-1])
    num_samples = len(samples)
    if num_samples < 3:
        raise ValueError(f"activity: {num_samples} samples; use at least 3.")
    dof = num_samples - 1
    singular = np.linalg.svd(samples - samples.mean(0), compute_uv=False)
    eigenvalue = singular**2 / dof
    if not eigenvalue.sum() * dof > 1e-24 * (samples**2).sum():
        raise ValueError("activity: zero variance in every unit; its dimension is not defined.")
    square, trace_squared = float((eigenvalue**2).sum()), float(eigenvalue.sum() ** 2)
    a = dof**2 * (square - trace_squared / dof) / ((dof + 2) * (dof - 1))
    b = trace_squared - 2 * a / dof
    share = np.cumsum(eigenvalue) / eigenvalue.sum()
    return Dimensionality(
        participation_ratio=trace_squared / square,
        participation_ratio_corrected=b / a if a > 0 else np.nan,
        num_components_90=int(np.searchsorted(share, 0.90 - 1e-12) + 1),
        num_components_95=int(np.searchsorted(share, 0.95 - 1e-12) + 1),
        num_samples=num_samples,
        eigenvalue=eigenvalue,
    )
