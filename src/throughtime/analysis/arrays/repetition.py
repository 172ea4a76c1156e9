"""Whether a stimulus that comes twice is taken for the one that is remembered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.accuracy import wilson_interval
from throughtime.analysis.arrays.detection import counted, rate, sensitivity

KINDS = ("match", "repeated", "new")


class Repetition(NamedTuple):
    """Answers "match" to matches, to repeated and to new non-matches, in this order.

    Attributes:
        fraction_match: (3,) fraction answered "match": hit rate and both false alarm rates; NaN where there
            was none.
        lower, upper: (3,) Wilson score interval.
        num_trials: (3,) tests of each kind.
        hit_rate, repeated_rate, new_rate: ``fraction_match`` one by one.
        repetition_effect: ``repeated_rate − new_rate``.
        repeated_d_prime, new_d_prime: d′ of matches against repeated, and against new non-matches.
    """

    fraction_match: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    num_trials: np.ndarray
    hit_rate: float
    repeated_rate: float
    new_rate: float
    repetition_effect: float
    repeated_d_prime: float
    new_d_prime: float


def repetition(
    matches: np.ndarray,
    hits: np.ndarray,
    repeated: np.ndarray,
    repeated_false_alarms: np.ndarray,
    new: np.ndarray,
    new_false_alarms: np.ndarray,
    *,
    confidence: float = 0.95,
) -> Repetition:
    """False alarms to repeated against new non-matches, from the counts of every trial.

    In a sequence A B B A only the last stimulus matches the sample. A subject that notices repetitions
    instead of remembering the sample takes the second B for a match; its repetition effect is above 0. One
    that remembers the sample errs as often on repeated as on new non-matches.

    Args:
        matches, hits: (trial,) matching tests, and those of them answered "match".
        repeated, repeated_false_alarms: (trial,) non-matches equal to the test before them, and those
            answered "match".
        new, new_false_alarms: (trial,) non-matches at the same places of the sequence that are not.
        confidence: coverage of the intervals.

    Raises:
        ValueError: for no trials, unequal lengths, values that are not finite, negative counts, or more
            answers than tests.

    Source: Miller & Desimone 1994, Science 263:520 (the task, in monkeys).

    Example:
        >>> one = np.ones(4)
        >>> found = repetition(one, one, one, [1, 1, 1, 0], one, [0, 0, 0, 1])
        >>> found.fraction_match, found.repetition_effect
        (array([1.  , 0.75, 0.25]), 0.5)
    """
    given = {
        "matches": matches, "hits": hits, "repeated": repeated,
        "repeated_false_alarms": repeated_false_alarms, "new": new, "new_false_alarms": new_false_alarms,
    }  # fmt: skip
    found = {name: checks.vector(name, checks.finite(name, values)) for name, values in given.items()}
    checks.same_length(**found)
    checks.fraction("confidence", confidence)
    if found["matches"].size == 0:
        raise ValueError("matches: 0 trials; pass at least 1.")
    names = list(found)
    for items, answers in zip(names[::2], names[1::2], strict=True):
        counted(answers, found[answers], items, found[items])
    return estimate(*found.values(), confidence=confidence)


def estimate(*counts: np.ndarray, confidence: float = 0.95) -> Repetition:
    """:func:`repetition` without its refusals: NaN where there is nothing to count."""
    totals = np.array([each.sum() for each in counts])
    shown, answered = totals[::2], totals[1::2]
    fraction = rate(answered, shown)
    lower, upper = wilson_interval(answered, shown, confidence=confidence)
    d_prime, _ = sensitivity(answered[0], shown[0], answered[1:], shown[1:])
    return Repetition(
        fraction_match=fraction,
        lower=lower,
        upper=upper,
        num_trials=shown.astype(int),
        hit_rate=float(fraction[0]),
        repeated_rate=float(fraction[1]),
        new_rate=float(fraction[2]),
        repetition_effect=float(fraction[1] - fraction[2]),
        repeated_d_prime=float(d_prime[0]),
        new_d_prime=float(d_prime[1]),
    )
