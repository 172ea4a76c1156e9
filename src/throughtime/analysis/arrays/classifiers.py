"""Linear classifiers of single trials, scaled by what they are trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CLASSIFIERS = ("lda", "logistic", "svm")
FLOOR = 1e-6
"""Least variance of standardised activity that counts: perfect separation stays finite, rounding unread."""


def make(classifier: str | Any, seed: int = 0) -> Any:
    """A scikit-learn classifier: by name, or a copy of the one given.

    ``"lda"`` is linear discriminant analysis with Ledoit and Wolf's shrinkage, which fades as trials become
    more; ``"logistic"`` and ``"svm"`` are logistic regression and a linear support vector machine, both with
    C = 1.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> make("logistic").max_iter
        2000
    """
    if not isinstance(classifier, str):
        from sklearn.base import clone

        return clone(classifier)
    if classifier == "lda":
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        return LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Shrunk())
    if classifier == "logistic":
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=2000)
    if classifier == "svm":
        from sklearn.svm import LinearSVC

        return LinearSVC(random_state=seed, max_iter=20_000)
    raise ValueError(
        f"classifier: unknown {classifier!r}; use {', '.join(CLASSIFIERS)}, or a scikit-learn classifier."
    )


class Shrunk:
    """Ledoit and Wolf's covariance plus :data:`FLOOR`, so that classes without scatter can be told apart.

    It is shrunk towards the variances of the units within the class, whatever these are.

    Example:
        >>> Shrunk().fit(np.zeros((3, 2))).covariance_.diagonal().tolist()
        [1e-06, 1e-06]
    """

    covariance_: np.ndarray

    def fit(self, activity: np.ndarray) -> Shrunk:
        """Set ``covariance_`` from (trial, unit)."""
        from sklearn.covariance import ledoit_wolf

        floor = FLOOR * np.eye(activity.shape[1])
        deviation = activity.std(0)
        if len(activity) < 2 or not deviation.any():
            self.covariance_ = floor
            return self
        alike = ledoit_wolf(activity / np.where(deviation > 0, deviation, 1.0))[0]
        self.covariance_ = np.atleast_2d(alike) * np.outer(deviation, deviation) + floor
        return self


def trained(
    model: Any,
    activity: np.ndarray,
    label: np.ndarray,
    spread: float,
    *,
    condition: np.ndarray | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """Predictions of ``model`` trained on standardised activity, as a function of other activity.

    Units are centred and divided by their standard deviation among the training trials, or within their
    conditions where these are given; one that varies less than a millionth of the unit that varies most is
    left at that unit's scale. Where no unit varies by a millionth of ``spread``, the commonest class is
    predicted.

    Args:
        model: a scikit-learn classifier, which is trained here.
        activity: (trial, unit). label: (trial,) integers. spread: standard deviation of all there is.
        condition: (trial,) integers; scaling within them leaves distances between conditions as they are.

    Example:
        >>> activity, label = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
        >>> trained(make("lda"), activity, label, 1.0)(np.array([[-9.0], [1.6]])).tolist()
        [0, 1]
    """
    mean, deviation = activity.mean(0), activity.std(0)
    largest = float(deviation.max())
    if not largest > FLOOR * spread:
        codes, counts = np.unique(label, return_counts=True)
        commonest = codes[counts.argmax()]
        return lambda other: np.full(len(other), commonest)
    if condition is not None:
        within = _within(activity, condition)
        if within.max() > FLOOR * spread:
            deviation, largest = within, float(within.max())
    scale = np.where(deviation > FLOOR * largest, deviation, largest)
    model.fit((activity - mean) / scale, label)
    return lambda other: np.asarray(model.predict((other - mean) / scale))


def _within(activity: np.ndarray, condition: np.ndarray) -> np.ndarray:
    """(unit,) standard deviation of trials around the mean of their condition."""
    codes = np.unique(condition, return_inverse=True)[1]
    count = np.bincount(codes)
    mean = np.zeros((count.size, activity.shape[1]))
    np.add.at(mean, codes, activity)
    return np.asarray((activity - (mean / count[:, None])[codes]).std(0))
