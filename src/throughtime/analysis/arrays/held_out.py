"""Predictions of samples that took no part in the fit, whole groups of samples held out."""

from __future__ import annotations

import numpy as np

PENALTIES = tuple(10.0**power for power in range(-6, 2))


def ridge(
    x: np.ndarray, y: np.ndarray, fold: np.ndarray, penalties: tuple[float, ...] = PENALTIES
) -> tuple[np.ndarray, np.ndarray]:
    """Ridge predictions of each target, its penalty chosen without the fold that is predicted.

    Within the samples that are left the penalty is the one that predicts best when each of their folds is
    held out in turn. Features are centred and divided by their overall norm, not one by one, so that
    predictions do not depend on a rotation or on the scale of the features.

    Args:
        x: (sample, feature). y: (sample, target). fold: (sample,) at least 3 labels.
        penalties: tried for each target; multiples of the features' summed square.

    Returns:
        (sample, target) predictions, and (target,) medians over folds of the penalties chosen.

    Example:
        >>> x = np.arange(12.0)[:, None]
        >>> predicted, _ = ridge(x, 3 * x + 1, np.arange(12) % 3)
        >>> bool(np.allclose(predicted, 3 * x + 1, atol=1e-3))
        True
    """
    penalty = np.asarray(penalties, dtype=np.float64)
    columns = np.arange(y.shape[1])
    predicted, chosen = np.empty_like(y), []
    for held in np.unique(fold):
        train = fold != held
        wrong = np.zeros((penalty.size, y.shape[1]))
        for second in np.unique(fold[train]):
            left, out = train & (fold != second), train & (fold == second)
            wrong += ((_fit_predict(x[left], y[left], x[out], penalty) - y[out]) ** 2).sum(1)
        best = wrong.argmin(0)
        guess = _fit_predict(x[train], y[train], x[~train], penalty)
        predicted[~train] = guess[best, :, columns].T
        chosen.append(penalty[best])
    return predicted, np.median(chosen, axis=0)


def procrustes(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predictions by a rotation (or reflection) and one scale: no unit is weighted more than another.

    Args:
        x: (sample, feature). y: (sample, target); features and targets may differ in number, the smaller
            space is then turned within the larger. fold: (sample,) at least 2 labels.

    Returns:
        (sample, target).

    Example:
        >>> x = np.random.default_rng(0).standard_normal((9, 2))
        >>> y = 2 * x @ [[0, 1], [-1, 0]]
        >>> bool(np.allclose(procrustes(x, y, np.arange(9) % 3), y))
        True
    """
    predicted = np.empty_like(y)
    for held in np.unique(fold):
        train = fold != held
        centre, target = x[train].mean(0), y[train].mean(0)
        left, values, right = np.linalg.svd((x[train] - centre).T @ (y[train] - target), full_matrices=False)
        turned = (x - centre) @ (left @ right)
        size = (turned[train] ** 2).sum()
        predicted[~train] = target + (values.sum() / size if size > 0 else 0.0) * turned[~train]
    return predicted


def _fit_predict(x: np.ndarray, y: np.ndarray, new: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """(penalty, sample, target) predictions for ``new``; one decomposition serves all penalties."""
    centre, target = x.mean(0), y.mean(0)
    x, y, new = x - centre, y - target, new - centre
    norm = (x**2).sum()
    if not norm > 0:
        return np.broadcast_to(target, (penalty.size, len(new), y.shape[1]))
    if x.shape[1] <= len(x):
        values, vectors = np.linalg.eigh(x.T @ x)
        seen, along = vectors.T @ (x.T @ y), new @ vectors
    else:
        values, vectors = np.linalg.eigh(x @ x.T)
        seen, along = vectors.T @ y, new @ (x.T @ vectors)
    shrunk = 1 / (np.maximum(values, 0.0) + penalty[:, None] * norm)
    return target + np.stack([(along * each) @ seen for each in shrunk])
