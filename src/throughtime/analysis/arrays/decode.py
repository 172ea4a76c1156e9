"""What can be read from a population at one time by a decoder trained at another."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.classifiers import make, trained

NUM_FOLDS = 5
NUM_SHUFFLES = 20


class Decode(NamedTuple):
    """``T`` times, ``P`` shuffles.

    Attributes:
        accuracy: (T, T) share of held-out trials whose class is found; trained at the first, tested at the
            second time.
        chance: share of the commonest class: what one answer for all reaches.
        null: (P, T, T) accuracy with shuffled labels.
        p: (T, T) (1 + shuffles at least as accurate)/(P + 1), for each pair of times by itself; NaN without
            shuffles.
    """

    accuracy: np.ndarray
    chance: float
    null: np.ndarray
    p: np.ndarray


def decode(
    activity: np.ndarray,
    label: np.ndarray,
    *,
    seed: int,
    axis: int = -1,
    classifier: str | Any = "lda",
    num_folds: int = NUM_FOLDS,
    num_shuffles: int = NUM_SHUFFLES,
) -> Decode:
    """Cross-validated accuracy of linear decoders, trained at each time and tested at every time.

    Trials are split into stratified folds, never times: a trial that a decoder was trained on, at whatever
    time, is not among those it is tested on. Activity is standardised by the training trials at the time of
    training. A code that stays gives a square of high accuracy, one that changes only a diagonal (after
    King and Dehaene 2014, Trends in Cognitive Sciences). The diagonal is decoding time by time.

    The null repeats everything with labels shuffled among trials and costs ``num_shuffles`` times the
    analysis; the maximum of a shuffle over all pairs of times corrects for their number. Where classes are
    not equally frequent chance is that of the commonest; draw equal numbers first.

    Args:
        activity: (trial, time, unit), units on ``axis``. label: (trial,) integer class.
        seed: of folds and shuffles. axis: axis of units.
        classifier: ``"lda"``, ``"logistic"``, ``"svm"`` or a scikit-learn classifier; see
            :func:`throughtime.analysis.arrays.classifiers.make`.
        num_folds: at most the number of trials of the rarest class. num_shuffles: 0 for no null.

    Raises:
        ValueError: for activity that is not finite or never varies, unequal lengths, one class, fewer trials
            of a class than folds, or options out of range.

    Example:
        >>> label = np.repeat([0, 1], 10)
        >>> told = np.random.default_rng(0).standard_normal((20, 2, 3))
        >>> told[label == 1, 0, 0] += 20
        >>> decode(told, label, seed=0, num_shuffles=0).accuracy[0]
        array([1. , 0.5])
    """
    rates = np.moveaxis(
        checks.finite("activity", activity, "cut to times and units that all trials have"), axis, -1
    )
    if rates.ndim != 3:
        raise ValueError(f"activity: shape {np.shape(activity)}; expected (trial, time, unit).")
    codes = np.asarray(label)
    if codes.shape != (len(rates),):
        raise ValueError(
            f"unequal lengths: activity {len(rates)}, label {codes.shape}; give one class a trial."
        )
    if codes.dtype.kind not in "iub":
        raise ValueError(f"label: {codes.dtype}; use integer classes, and bins for what is continuous.")
    classes, counts = np.unique(codes, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"label: {len(classes)} class; decoding needs at least two.")
    if num_folds < 2 or num_shuffles < 0:
        raise ValueError(f"num_folds {num_folds}, num_shuffles {num_shuffles}: use at least 2 and 0.")
    if counts.min() < num_folds:
        raise ValueError(
            f"num_folds: {num_folds}, class {classes[counts.argmin()]} has {counts.min()} trials; use fewer "
            "folds or leave out rare classes."
        )
    spread = float(rates.std((0, 1)).max())
    if not spread > 1e-12 * np.abs(rates).max():
        raise ValueError("activity: zero variance in every unit; there is nothing to decode.")
    from threadpoolctl import threadpool_limits

    model, rng = make(classifier, seed), np.random.default_rng(seed)
    with threadpool_limits(1):  # decoders of so few trials are slower on many threads
        accuracy = _accuracy(rates, codes, model, num_folds, spread, rng)
        null = np.array(
            [
                _accuracy(rates, rng.permutation(codes), model, num_folds, spread, rng)
                for _ in range(num_shuffles)
            ]
        ).reshape(num_shuffles, *accuracy.shape)
    p = np.full(accuracy.shape, np.nan)
    if num_shuffles:
        p = (1 + (null >= accuracy - 1e-12).sum(0)) / (num_shuffles + 1)
    return Decode(accuracy, float(counts.max() / counts.sum()), null, p)


def _accuracy(
    rates: np.ndarray, codes: np.ndarray, model: Any, num_folds: int, spread: float, rng: np.random.Generator
) -> np.ndarray:
    """(time of training, time of test) share of right answers; every trial is held out once."""
    from sklearn.model_selection import StratifiedKFold

    num_trials, num_times, num_units = rates.shape
    right = np.zeros((num_times, num_times))
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=int(rng.integers(2**31)))
    for train, test in folds.split(codes, codes):
        held = rates[test].reshape(-1, num_units)
        for time in range(num_times):
            answer = trained(model, rates[train, time], codes[train], spread)(held)
            right[time] += (answer.reshape(len(test), num_times) == codes[test, None]).sum(0)
    return right / num_trials
