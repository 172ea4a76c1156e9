"""Principal components of population activity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks


class PCA(NamedTuple):
    """``C`` components of ``N`` units.

    Attributes:
        component: (C, N) orthonormal rows; the largest loading of each is positive.
        score: (…, C) activity on each component; NaN at samples left out by ``valid``.
        explained_variance: (C,) unbiased variance of each score.
        explained_variance_ratio: (C,) share of the total.
        mean: (N,) centre that was subtracted. scale: (N,) each unit was then divided by this.
    """

    component: np.ndarray
    score: np.ndarray
    explained_variance: np.ndarray
    explained_variance_ratio: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def pca(
    activity: np.ndarray,
    *,
    axis: int = -1,
    num_components: int | None = None,
    soft_normalization: float | None = None,
    valid: np.ndarray | None = None,
) -> PCA:
    """Principal components with scikit-learn's exact solver.

    Scores are ((activity − mean) / scale) @ component.T. With ``soft_normalization`` c each unit is divided
    by its range + c, so that strong units do not dominate and silent ones are not blown up (Churchland
    et al. 2012, Nature); otherwise ``scale`` is 1.

    Args:
        activity: units on ``axis``, samples (trials, times) on all others.
        axis: axis of units.
        num_components: how many to keep; None for all (at most samples − 1).
        soft_normalization: the constant c, in units of ``activity``.
        valid: boolean, shape of the sample axes; False samples take no part.

    Raises:
        ValueError: for non-finite activity, zero variance, fewer than 2 samples, or more components than
            samples or units allow.

    Example:
        >>> u = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) / 2
        >>> pca(u * [2.0, 1.0]).explained_variance_ratio.round(6)
        array([0.8, 0.2])
    """
    from sklearn.decomposition import PCA as SklearnPCA

    moved = np.moveaxis(np.asarray(activity, dtype=np.float64), axis, -1)
    shape, num_units = moved.shape[:-1], moved.shape[-1]
    if not num_units:
        raise ValueError(f"activity: shape {np.shape(activity)} has no units; give at least one.")
    flat = moved.reshape(-1, num_units)
    keep = np.ones(len(flat), bool) if valid is None else _mask(valid, shape)
    samples = checks.finite("activity", flat[keep], "leave padding out with valid=")
    if len(samples) < 2:
        raise ValueError(f"activity: {len(samples)} valid samples; use at least 2.")
    limit = min(len(samples) - 1, num_units)
    count = limit if num_components is None else num_components
    if not 1 <= count <= limit:
        raise ValueError(
            f"num_components: {count} with {len(samples)} samples of {num_units} units; use 1 to {limit}."
        )
    mean = samples.mean(0)
    scale = np.ones(num_units)
    if soft_normalization is not None:
        scale = np.ptp(samples, axis=0) + soft_normalization
        if not (scale > 0).all():
            raise ValueError(
                f"soft_normalization: {soft_normalization} leaves a unit without range divided by "
                f"{scale.min():g}; use a positive constant."
            )
    away = samples - mean
    if not (away**2).sum() > 1e-24 * (samples**2).sum():
        raise ValueError("activity: zero variance in every unit; there are no components to find.")
    standard = away / scale
    fit = SklearnPCA(count, svd_solver="full").fit(standard)
    largest = np.abs(fit.components_).argmax(1)
    sign = np.sign(fit.components_[np.arange(count), largest])
    component = fit.components_ * sign[:, None]
    score = np.full((len(flat), count), np.nan)
    score[keep] = standard @ component.T
    return PCA(
        component=component,
        score=score.reshape(*shape, count),
        explained_variance=fit.explained_variance_,
        explained_variance_ratio=fit.explained_variance_ratio_,
        mean=mean,
        scale=scale,
    )


def _mask(valid: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    valid = np.asarray(valid)
    if valid.shape != shape or valid.dtype != bool:
        raise ValueError(
            f"valid: {valid.dtype} of shape {valid.shape}; use booleans of shape {shape}, the sample axes."
        )
    return valid.ravel()
