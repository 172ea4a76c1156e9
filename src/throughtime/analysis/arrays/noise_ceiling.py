"""How well averages over trials can be predicted at all: reliability from split halves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Halves(NamedTuple):
    """Sums over the times of each condition, for averages over two random halves of its trials.

    Attributes:
        sums: (split, condition, 6, unit): number of times, Σa, Σb, Σa², Σb², Σab of the halves a and b.
        factor: (unit,) mean variance of the noise in a half over that in the whole; 2 for even numbers.
    """

    sums: np.ndarray
    factor: np.ndarray


def spearman_brown(correlation: np.ndarray, factor: np.ndarray | float = 2.0) -> np.ndarray:
    """Reliability of what is ``factor`` times as long as the halves that correlate: fr / (1 + (f − 1)r).

    Spearman 1910 and Brown 1910, British Journal of Psychology.

    Example:
        >>> spearman_brown(np.array([0.0, 0.5, 1.0])).round(4)
        array([0.    , 0.6667, 1.    ])
    """
    below = 1 + (np.asarray(factor) - 1) * correlation
    return np.where(below > 0, factor * correlation / np.where(below > 0, below, 1.0), np.nan)


def halves(
    activity: np.ndarray, condition: np.ndarray, use: np.ndarray, num_splits: int, seed: int
) -> Halves:
    """Random halves of the trials that each unit has in each condition; one of an odd number is left out.

    Args:
        activity: (trial, time, unit), NaN where missing. condition: (trial,) codes.
        use: (condition, time, unit) samples that take part, which have two trials at least.

    Example:
        >>> activity = np.random.default_rng(0).standard_normal((8, 3, 2))
        >>> found = halves(activity, np.repeat([0, 1], 4), np.ones((2, 3, 2), bool), 5, seed=0)
        >>> found.sums.shape, found.factor
        ((5, 2, 6, 2), array([2., 2.]))
    """
    rng = np.random.default_rng(seed)
    num_conditions, num_units = len(use), use.shape[-1]
    sums = np.zeros((num_splits, num_conditions, 6, num_units))
    noise = np.zeros((2, num_units))  # Σ 1/n of halves and of the whole
    for code in range(num_conditions):
        member = activity[condition == code]
        there = np.isfinite(member)
        values = np.where(there, member, 0.0)
        held = there.any(1)
        count = held.sum(0)
        for split in range(num_splits):
            order = rng.permutation(len(member))
            rank = np.empty(held.shape, int)
            rank[order] = np.cumsum(held[order], axis=0)
            paired = held & (rank <= 2 * (count // 2))
            means, numbers = [], []
            for odd in (1, 0):
                half = (paired & (rank % 2 == odd))[:, None]
                number = (there & half).sum(0)
                numbers.append(number)
                means.append((values * half).sum(0) / np.maximum(number, 1))
            ready = use[code] & (numbers[0] > 0) & (numbers[1] > 0)
            a, b = (np.where(ready, mean, 0.0) for mean in means)
            sums[split, code] = [each.sum(0) for each in (ready, a, b, a * a, b * b, a * b)]
            inverse = np.where(ready, 0.5 / np.maximum(numbers[0], 1) + 0.5 / np.maximum(numbers[1], 1), 0.0)
            noise += inverse.sum(0), np.where(ready, 1 / np.maximum(there.sum(0), 1), 0.0).sum(0)
    return Halves(sums, np.where(noise[1] > 0, noise[0] / np.where(noise[1] > 0, noise[1], 1.0), np.nan))


def ceilings(found: Halves, weight: np.ndarray) -> np.ndarray:
    """(resample, unit) reliability of averages over all trials; NaN where halves do not vary.

    The correlation of halves over times and conditions is averaged over splits and then corrected.

    Args:
        weight: (resample, condition) how often each condition counts.
    """
    total = np.zeros((len(weight), found.sums.shape[-1]))
    for split in found.sums:
        number, a, b, aa, bb, ab = np.tensordot(weight, split, (1, 0)).transpose(1, 0, 2)
        number = np.maximum(number, 1)
        first, second = aa - a * a / number, bb - b * b / number
        known = (first > 1e-12 * aa) & (second > 1e-12 * bb)
        total += np.where(
            known, (ab - a * b / number) / np.sqrt(np.where(known, first * second, 1.0)), np.nan
        )
    return spearman_brown(total / max(len(found.sums), 1), found.factor)
