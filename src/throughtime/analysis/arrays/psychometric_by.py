"""Psychometric curves group by group, such as modality by modality."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays import psychometric as single
from throughtime.analysis.arrays.levels import NUM_BINS, assign, bin_edges, level_means


class PsychometricBy(NamedTuple):
    """Psychometric curves of ``G`` groups, in increasing order, with fractions at ``L`` levels.

    Attributes:
        group: (G,) value of the group.
        mus, sigmas, guesses, lapses: (G,) parameters of its curve.
        sigma_lowers, sigma_uppers: (G,) bootstrap interval of σ; NaN without resamples.
        lowest_sigma, highest_sigma: over groups.
        gain: mean σ of the other groups over that of the last.
        optimality: σ that the last group would have if it combined the others as independent cues, over that
            which it has.
        stimulus: (L,) mean over the trials of the level. fraction: (G, L) fraction chosen, NaN where there
            was no trial. num_trials: (G,) trials.
    """

    group: np.ndarray
    mus: np.ndarray
    sigmas: np.ndarray
    guesses: np.ndarray
    lapses: np.ndarray
    sigma_lowers: np.ndarray
    sigma_uppers: np.ndarray
    lowest_sigma: float
    highest_sigma: float
    gain: float
    optimality: float
    stimulus: np.ndarray
    fraction: np.ndarray
    num_trials: np.ndarray


def psychometric_by(
    stimulus: np.ndarray,
    choice: np.ndarray,
    group: np.ndarray,
    *,
    guess: float | None = None,
    lapse: float | None = None,
    confidence: float = 0.95,
    num_resamples: int = 200,
    seed: int = 0,
    num_bins: int = NUM_BINS,
) -> PsychometricBy:
    """Psychometric curve of every group, and how much the last gains over the others.

    See :func:`~throughtime.analysis.arrays.psychometric.psychometric` for the curves. If the groups before
    the last show one cue each and the last shows all, independent noise in the cues predicts
    1/σ² = Σ 1/σ_k² for it: an optimality of 1, and with two equally good cues a gain of √2.

    Args:
        stimulus: (trial,) signed strength. choice: (trial,) 0 or 1. group: (trial,) such as the modality.
        guess, lapse, confidence, num_resamples, seed: as for a single curve.
        num_bins: largest number of levels for the fractions; the fits use every trial as it is.

    Raises:
        ValueError: for fewer than two groups, and as for a single curve, for any group, naming it.

    Source: Ernst & Banks 2002, Nature 415:429 (combination of cues).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> rate, modality = rng.uniform(-3.5, 3.5, 6000), rng.integers(0, 3, 6000)
        >>> noise = rng.normal(0, np.where(modality == 2, 1.0, np.sqrt(2)), 6000)
        >>> found = psychometric_by(rate, rate + noise > 0, modality, num_resamples=0)
        >>> abs(found.gain - 2**0.5) < 0.15, abs(found.optimality - 1) < 0.1
        (True, True)
    """
    stimulus = checks.vector("stimulus", checks.finite("stimulus", stimulus))
    group = checks.vector("group", checks.finite("group", group))
    choice = checks.binary("choice", choice)
    checks.same_length(stimulus=stimulus, choice=choice, group=group)
    groups = np.unique(group)
    if groups.size < 2:
        raise ValueError(f"group: {groups.size} found; a comparison needs at least 2.")
    for value in groups:
        member = group == value
        try:
            single.psychometric(
                stimulus[member], choice[member], guess=guess, lapse=lapse, confidence=confidence,
                num_resamples=0,
            )  # fmt: skip
        except ValueError as error:
            raise ValueError(f"group {value:g}: {error}") from None
    edges = bin_edges(stimulus, num_bins)
    return estimate(stimulus, choice, group, groups, edges, guess, lapse, confidence, num_resamples, seed)


def estimate(
    stimulus: np.ndarray,
    choice: np.ndarray,
    group: np.ndarray,
    groups: np.ndarray,
    edges: np.ndarray,
    guess: float | None = None,
    lapse: float | None = None,
    confidence: float = 0.95,
    num_resamples: int = 0,
    seed: int = 0,
) -> PsychometricBy:
    """:func:`psychometric_by` without its refusals: NaN where there is no curve to fit."""
    num_levels = len(edges) + 1
    members = [group == value for value in groups]
    fits = [
        single.estimate(stimulus[member], choice[member], guess, lapse, confidence, num_resamples, seed)
        for member in members
    ]
    sigmas = np.array([fit.sigma for fit in fits])
    there = sigmas[np.isfinite(sigmas)]
    gain = optimality = np.nan
    if groups.size > 1:
        gain = float(sigmas[:-1].mean() / sigmas[-1])
        optimality = float((sigmas[:-1] ** -2.0).sum() ** -0.5 / sigmas[-1])
    intervals = np.array([fit.interval[1] for fit in fits]).reshape(-1, 2)
    fractions = [
        level_means(assign(stimulus[member], edges), choice[member], num_levels) for member in members
    ]
    return PsychometricBy(
        group=groups,
        mus=np.array([fit.mu for fit in fits]),
        sigmas=sigmas,
        guesses=np.array([fit.guess for fit in fits]),
        lapses=np.array([fit.lapse for fit in fits]),
        sigma_lowers=intervals[:, 0],
        sigma_uppers=intervals[:, 1],
        lowest_sigma=float(there.min()) if there.size else np.nan,
        highest_sigma=float(there.max()) if there.size else np.nan,
        gain=gain,
        optimality=optimality,
        stimulus=level_means(assign(stimulus, edges), stimulus, num_levels),
        fraction=np.array(fractions).reshape(-1, num_levels),
        num_trials=np.array([member.sum() for member in members]),
    )
