"""How well targets are told from lures: hits, false alarms and d′."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.levels import NUM_BINS, Binning, assign, bin_edges, level_means, level_sums


class Detection(NamedTuple):
    """Detection at ``L`` levels of a condition.

    Attributes:
        level: (L,) mean of the condition over the trials of the level, in its units.
        hit_rate, false_alarm_rate: (L,) fraction of targets, and of lures, that were answered "target"; NaN
            where there was none.
        d_prime, bias: (L,) sensitivity, and bias towards "lure", in SD of the noise; NaN likewise.
        num_trials, num_targets, num_lures: (L,) counts.
        overall_hit_rate, overall_false_alarm_rate, overall_d_prime, overall_bias: of all trials.
        worst_d_prime: smallest of ``d_prime``.
    """

    level: np.ndarray
    hit_rate: np.ndarray
    false_alarm_rate: np.ndarray
    d_prime: np.ndarray
    bias: np.ndarray
    num_trials: np.ndarray
    num_targets: np.ndarray
    num_lures: np.ndarray
    overall_hit_rate: float
    overall_false_alarm_rate: float
    overall_d_prime: float
    overall_bias: float
    worst_d_prime: float


def sensitivity(
    hits: np.ndarray, targets: np.ndarray, false_alarms: np.ndarray, lures: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """d′ and bias from counts, with the log-linear correction; NaN where there are no targets or no lures.

    With H = (hits + ½)/(targets + 1), F = (false alarms + ½)/(lures + 1) and z the normal quantile, d′ =
    z(H) − z(F) and bias c = −(z(H) + z(F))/2. The correction keeps d′ finite where every answer is right,
    and is applied always, so that it biases all conditions alike.

    Source: Hautus 1995, Behavior Research Methods, Instruments, & Computers 27:46; Green & Swets 1966.

    Example:
        >>> d_prime, bias = sensitivity(np.array([83.5]), np.array([99]), np.array([15.5]), np.array([99]))
        >>> d_prime.round(2), abs(bias.round(2))
        (array([1.99]), array([0.]))
    """
    from scipy.special import ndtri

    there = (np.asarray(targets) > 0) & (np.asarray(lures) > 0)
    hit = ndtri((np.asarray(hits) + 0.5) / (np.asarray(targets) + 1.0))
    false_alarm = ndtri((np.asarray(false_alarms) + 0.5) / (np.asarray(lures) + 1.0))
    return np.where(there, hit - false_alarm, np.nan), np.where(there, -(hit + false_alarm) / 2, np.nan)


def rate(answers: np.ndarray, count: np.ndarray) -> np.ndarray:
    """``answers / count``, NaN where nothing was counted."""
    count = np.asarray(count, dtype=float)
    return np.asarray(answers) / np.where(count > 0, count, np.nan)


def counted(answers: str, answered: np.ndarray, items: str, shown: np.ndarray) -> None:
    """Refuse trials with more answers than items, or with fewer than none."""
    if (shown < 0).any() or (answered < 0).any():
        raise ValueError(f"{items}, {answers}: counts cannot be negative; pass numbers of items a trial.")
    if more := int((answered > shown).sum()):
        raise ValueError(f"{answers}: more than there were {items} in {more} of {shown.size} trials.")


def detection(
    level: np.ndarray,
    targets: np.ndarray,
    hits: np.ndarray,
    lures: np.ndarray,
    false_alarms: np.ndarray,
    *,
    num_bins: int = NUM_BINS,
    binning: Binning = "quantile",
    edges: np.ndarray | None = None,
) -> Detection:
    """Hits, false alarms and d′ by level of a condition, from the counts of every trial.

    Args:
        level: (trial,) the condition, such as how far back a target matches; continuous values are binned.
        targets, hits: (trial,) how many targets there were, and how many of them were found.
        lures, false_alarms: (trial,) how many other items there were, and how many were taken for targets.
        num_bins, binning: how continuous levels are binned. edges: bin edges to use instead.

    Raises:
        ValueError: for no trials, unequal lengths, values that are not finite, negative counts, or more
            answers than items.

    Example:
        >>> found = detection([1, 1, 2], targets=[4, 4, 4], hits=[4, 3, 2], lures=[8, 8, 8],
        ...                   false_alarms=[0, 1, 4])
        >>> found.hit_rate, found.false_alarm_rate, found.d_prime.round(2)
        (array([0.875, 0.5  ]), array([0.0625, 0.5   ]), array([2.32, 0.  ]))
    """
    given = {"level": level, "targets": targets, "hits": hits, "lures": lures, "false_alarms": false_alarms}
    found = {name: checks.vector(name, checks.finite(name, values)) for name, values in given.items()}
    checks.same_length(**found)
    if found["level"].size == 0:
        raise ValueError("level: 0 trials; pass at least 1.")
    counted("hits", found["hits"], "targets", found["targets"])
    counted("false_alarms", found["false_alarms"], "lures", found["lures"])
    edges = bin_edges(found["level"], num_bins, binning) if edges is None else np.asarray(edges)
    return estimate(*found.values(), edges=edges)


def estimate(
    level: np.ndarray,
    targets: np.ndarray,
    hits: np.ndarray,
    lures: np.ndarray,
    false_alarms: np.ndarray,
    *,
    edges: np.ndarray,
) -> Detection:
    """:func:`detection` without its refusals: NaN where there is nothing to count."""
    num_levels = len(edges) + 1
    index = assign(level, edges)
    t, h, n, f = (level_sums(index, each, num_levels) for each in (targets, hits, lures, false_alarms))
    d_prime, bias = sensitivity(h, t, f, n)
    whole, tendency = sensitivity(h.sum(), t.sum(), f.sum(), n.sum())
    some = np.isfinite(d_prime)
    return Detection(
        level=level_means(index, level, num_levels),
        hit_rate=rate(h, t),
        false_alarm_rate=rate(f, n),
        d_prime=d_prime,
        bias=bias,
        num_trials=np.bincount(index, minlength=num_levels),
        num_targets=t.astype(int),
        num_lures=n.astype(int),
        overall_hit_rate=float(rate(h.sum(), t.sum())),
        overall_false_alarm_rate=float(rate(f.sum(), n.sum())),
        overall_d_prime=float(whole),
        overall_bias=float(tendency),
        worst_d_prime=float(d_prime[some].min()) if some.any() else np.nan,
    )
