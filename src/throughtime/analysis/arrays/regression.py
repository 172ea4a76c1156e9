"""A straight line by weighted least squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Line(NamedTuple):
    """y = intercept + slope·x with a t interval of the slope; NaN where the data do not determine it."""

    slope: float
    intercept: float
    interval: np.ndarray


def line(x: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None, *, confidence: float = 0.95) -> Line:
    """Weighted least-squares line, its scale of error estimated from the residuals.

    Never raises: without spread in ``x`` everything is NaN, with two points only the interval is.

    Args:
        x, y: (sample,). weight: (sample,) inverse variances up to a factor; equal if not given.
        confidence: coverage of the interval.

    Example:
        >>> fit = line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
        >>> fit.slope, fit.intercept
        (2.0, 1.0)
    """
    from scipy.special import stdtrit

    w = np.ones_like(x) if weight is None else weight
    nothing = Line(np.nan, np.nan, np.full(2, np.nan))
    if x.size < 2 or w.sum() <= 0:
        return nothing
    mean_x, mean_y = np.average(x, weights=w), np.average(y, weights=w)
    spread = (w * (x - mean_x) ** 2).sum()
    if spread <= 1e-24 * (w * x**2).sum():
        return nothing
    slope = (w * (x - mean_x) * (y - mean_y)).sum() / spread
    intercept = mean_y - slope * mean_x
    half = np.nan
    if x.size > 2:
        scale = (w * (y - intercept - slope * x) ** 2).sum() / (x.size - 2)
        half = float(stdtrit(x.size - 2, (1 + confidence) / 2)) * np.sqrt(scale / spread)
    return Line(float(slope), float(intercept), np.array([slope - half, slope + half]))
