"""What comparisons over seeds share: failed seeds, intervals, and when a p value is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

MIN_SEEDS = 3
NUM_RESAMPLES = 9999
TESTED, TOO_FEW, IDENTICAL = 0, 1, 2
STATUS_MEANINGS = ("tested", "too_few_seeds", "identical")


def scores(
    first: Any, second: Any, failed: str | float, higher_is_better: bool | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Both samples with failed seeds (NaN) given what ``failed`` says, and where they were.

    Args:
        first, second: (seed,), NaN where a seed failed.
        failed: ``"worst"`` makes them infinitely bad, a number is the value they are given, ``"refuse"``
            refuses them.
        higher_is_better: which end is worst.

    Raises:
        ValueError: for values that are not vectors, infinite, or too few; for failures that are refused or
            whose worst end is not declared; for other words.

    Example:
        >>> scores([1.0, 2.0, 3.0], [1.0, np.nan, 2.0], "worst", True)[1]
        array([  1., -inf,   2.])
    """
    if isinstance(failed, str) and failed not in ("worst", "refuse"):
        raise ValueError(f"failed: unknown {failed!r}; use 'worst', 'refuse' or the value of a failed seed.")
    if not isinstance(failed, str) and not np.isfinite(failed):
        raise ValueError(f"failed: {failed} is not finite; use 'worst' to rank failed seeds without a value.")
    found = []
    for name, values in (("first", first), ("second", second)):
        sample = np.array(values, dtype=np.float64)
        if sample.ndim != 1:
            raise ValueError(
                f"{name}: expected one value a seed, got shape {sample.shape}; flatten it first."
            )
        if sample.size < MIN_SEEDS:
            raise ValueError(f"{name}: {sample.size} seeds; use at least {MIN_SEEDS}, better ten.")
        if np.isinf(sample).any():
            raise ValueError(
                f"{name}: {int(np.isinf(sample).sum())} infinite values; mark failed seeds with NaN."
            )
        found.append(sample)
    lost = [np.isnan(sample) for sample in found]
    count = int(sum(each.sum() for each in lost))
    if count and failed == "refuse":
        raise ValueError(f"failed: {count} seeds are NaN; use 'worst' or give the value of a failed seed.")
    if count and failed == "worst" and higher_is_better is None:
        raise ValueError(
            f"higher_is_better: {count} seeds failed (NaN) and the worst end is not declared; "
            "use True for a score, False for a loss."
        )
    value = failed if not isinstance(failed, str) else -np.inf if higher_is_better else np.inf
    for sample, at in zip(found, lost, strict=True):
        sample[at] = value
    return found[0], found[1], lost[0], lost[1]


def options(level: float, family_size: int, num_resamples: int) -> None:
    """Refuse what no comparison can be made with."""
    if not 0 < level < 1:
        raise ValueError(f"level: {level} is not between 0 and 1; use for example 0.05.")
    if family_size < 1:
        raise ValueError(f"family_size: {family_size}; count the comparisons of the family, at least 1.")
    if num_resamples < 99:
        raise ValueError(f"num_resamples: {num_resamples}; use at least 99.")


def status(identical: bool, p_minimum: float, family_size: int, level: float) -> int:
    """Whether there is a p value: the smallest that can occur must survive Holm's correction.

    Example:
        >>> status(False, 2.0**-9, 25, 0.05), status(False, 2.0**-9, 26, 0.05), status(True, 0.1, 1, 0.05)
        (0, 1, 2)
    """
    if identical:
        return IDENTICAL
    return TESTED if p_minimum * family_size <= level else TOO_FEW


def bca_interval(
    samples: tuple[np.ndarray, ...],
    statistic: Callable[..., np.ndarray],
    confidence: float,
    num_resamples: int,
    seed: int,
) -> np.ndarray:
    """(2,) bias-corrected and accelerated bootstrap interval; NaN without spread or with infinite values."""
    from scipy.stats import bootstrap

    if not all(np.isfinite(each).all() for each in samples) or all(np.ptp(each) == 0 for each in samples):
        return np.full(2, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # degenerate resamples give NaN bounds, which are kept
        found = bootstrap(
            samples, statistic, method="BCa", vectorized=True, confidence_level=confidence,
            n_resamples=num_resamples, rng=np.random.default_rng(seed),
        )  # fmt: skip
    return np.array(found.confidence_interval)


def median(values: np.ndarray) -> float:
    """Median of values that may be infinite; NaN between infinities of different signs.

    Example:
        >>> median(np.array([1.0, 2.0, -np.inf]))
        1.0
    """
    low, high = np.sort(values)[[(values.size - 1) // 2, values.size // 2]]
    return float(low if low == high else (low + high) / 2 if np.isfinite([low, high]).any() else np.nan)
