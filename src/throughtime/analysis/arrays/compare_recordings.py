"""A circuit beside recordings: how much of what can be predicted does it predict?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks, held_out
from throughtime.analysis.arrays.noise_ceiling import ceilings, halves
from throughtime.analysis.arrays.recordings import means_by_condition

MIN_CONDITIONS = 3
MIN_CEILING = 0.1
SCORED, TOO_FEW, NO_VARIANCE, UNRELIABLE = 0, 1, 2, 3


class RecordingComparison(NamedTuple):
    """Scores of ``P`` predictors, the circuit first, for ``N`` recorded units.

    Attributes:
        score: (P, N) share of the variance of the averages over trials that is predicted, held out.
        ceiling: (N,) largest score that noise in the averages allows; NaN where trials do not repeat.
        normalized_score: (P, N) score / ceiling; NaN for units whose ceiling is below ``MIN_CEILING``.
        lower, upper: (P, N) interval of it.
        population_score, population_normalized_score, population_lower, population_upper: (P,) the same
            for all units that are scored, weighted by their variance. population_ceiling: theirs.
        advantage, advantage_lower, advantage_upper: (P,) normalized score of the circuit minus that of the
            predictor, with its interval.
        penalty: (P, N) chosen for ridge, NaN otherwise.
        num_trials: (N,) trials used. num_conditions: (N,) conditions used.
        status: (N,) 0 scored, 1 too few trials or conditions, 2 no variance, 3 scored but unreliable.
    """

    score: np.ndarray
    ceiling: np.ndarray
    normalized_score: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    population_score: np.ndarray
    population_ceiling: float
    population_normalized_score: np.ndarray
    population_lower: np.ndarray
    population_upper: np.ndarray
    advantage: np.ndarray
    advantage_lower: np.ndarray
    advantage_upper: np.ndarray
    penalty: np.ndarray
    num_trials: np.ndarray
    num_conditions: np.ndarray
    status: np.ndarray


def compare_recordings(
    recorded: np.ndarray,
    condition: np.ndarray,
    predictors: Sequence[np.ndarray],
    *,
    seed: int,
    method: str = "ridge",
    num_folds: int = 5,
    penalties: tuple[float, ...] = held_out.PENALTIES,
    min_trials: int = 2,
    num_splits: int = 100,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> RecordingComparison:
    """Held-out prediction of recorded averages by a circuit and by baselines, over what noise allows.

    Recordings are averaged over the trials of each condition that a unit has. Whole conditions are held out;
    from the others each predictor is mapped to the units, by ridge regression (its penalty chosen within
    them) or by Procrustes (rotation and scale), one map for all times. With y the averages of a unit, ŷ their
    predictions and ρ the reliability of y (correlation of averages over random halves of the trials,
    corrected to all trials after Spearman 1910 and Brown 1910),

        score = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²,    normalized score = score / ρ,

    which is 1 for a predictor that equals the mean rates without noise, and about 0 or less for one that
    knows nothing; a time course that all conditions share counts as knowledge, so the baselines matter: the
    inputs alone, an untrained circuit. Intervals are percentiles over conditions drawn with replacement, of
    score and ceiling together; the maps are not fitted anew. (Trials drawn with replacement would stand
    in both halves, and raise ρ.) With fewer than about eight conditions they are rough.

    Args:
        recorded: (trial, time, unit) rates, NaN where missing. condition: (trial,) codes from 0, negative to
            leave a trial out.
        predictors: (condition, time, feature) each, the circuit first, conditions in the order of the codes;
            samples that are NaN in any of them take no part.
        seed: of folds, halves and resamples. method: ``"ridge"`` or ``"procrustes"``.
        num_folds: folds of conditions; at most as many as there are.
        penalties: tried for ridge, relative to the data.
        min_trials: averages of fewer trials take no part; 1 admits data without repeats, which have no
            ceiling.
        num_splits, num_resamples, confidence: of halves, and of intervals.

    Raises:
        ValueError: for lengths that differ, an unknown method, fewer than 3 conditions, predictors without
            variance, no unit that can be scored; for Procrustes, units that lack different conditions.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> circuit = rng.standard_normal((10, 20, 3))
        >>> trials = np.repeat(circuit @ rng.standard_normal((3, 4)), 8, 0)
        >>> found = compare_recordings(
        ...     trials + rng.standard_normal(trials.shape), np.repeat(np.arange(10), 8), [circuit], seed=0
        ... )
        >>> bool(found.population_lower[0] < 1 < found.population_upper[0])
        True
    """
    from throughtime.analysis.arrays.blas import single_threaded

    data, codes, given = _checked(recorded, condition, predictors, method, num_folds, min_trials)
    if min(num_splits, num_resamples) < 1:
        raise ValueError(f"num_splits {num_splits}, num_resamples {num_resamples}: use at least 1 of each.")
    checks.fraction("confidence", confidence)
    with single_threaded():
        return _compare(
            data, codes, given, np.random.default_rng(seed), method, num_folds, penalties, min_trials,
            num_splits, num_resamples, confidence,
        )  # fmt: skip


def _compare(
    data: np.ndarray,
    codes: np.ndarray,
    given: list[np.ndarray],
    rng: np.random.Generator,
    method: str,
    num_folds: int,
    penalties: tuple[float, ...],
    min_trials: int,
    num_splits: int,
    num_resamples: int,
    confidence: float,
) -> RecordingComparison:
    number = len(given[0])
    mean, _ = means_by_condition(data, codes, number, min_trials=min_trials)
    clear = np.all([np.isfinite(each).all(-1) for each in given], axis=0)
    use = np.isfinite(mean) & clear[..., None]
    y = np.where(use, mean, 0.0)
    status = _status(y, use)
    scored = status == SCORED
    if not scored.any():
        raise ValueError(
            f"recorded: none of {status.size} units has {MIN_CONDITIONS} conditions of {min_trials} trials "
            "in which it varies; use fewer conditions, or lower min_trials."
        )
    fold = rng.permutation(np.arange(number) % min(num_folds, number))
    predicted, penalty = _predict(given, y, use, scored, fold, method, penalties)

    error = (np.where(use, y - predicted, 0.0) ** 2).sum(2)  # (predictor, condition, unit)
    sums = np.stack([use.sum(1), y.sum(1), (y * y).sum(1)])
    weight = np.concatenate(
        [np.ones((1, number)), rng.multinomial(number, np.full(number, 1 / number), num_resamples)]
    )
    count, total, square = np.tensordot(sums, weight, (1, 1)).transpose(0, 2, 1)
    spread = np.where(scored, square - total**2 / np.maximum(count, 1), np.nan)
    spread[~(spread > 0)] = np.nan
    left = np.tensordot(error, weight, (1, 1)).transpose(0, 2, 1)  # (predictor, resample, unit)
    split = halves(data, codes, use, num_splits, int(rng.integers(2**31)))
    ceiling = np.where(scored, ceilings(split, weight), np.nan)
    score = 1 - left / spread
    reliable = scored & (ceiling[0] >= MIN_CEILING)
    each = np.where(reliable, score / np.where(ceiling > 0, ceiling, np.nan), np.nan)
    possible = np.nansum(ceiling * spread, -1)
    got = np.nansum(np.where(np.isfinite(ceiling), spread - left, np.nan), -1)
    share = got / np.where(possible > 0, possible, np.nan)
    gain = share[0] - share
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    ends = [_interval(values[:, 1:], tails) for values in (each, share, gain)]
    repeats = np.isfinite(ceiling[0])
    return RecordingComparison(
        score=score[:, 0],
        ceiling=ceiling[0],
        normalized_score=each[:, 0],
        lower=ends[0][0],
        upper=ends[0][1],
        population_score=np.nansum(spread - left, -1)[:, 0] / np.nansum(spread[0]),
        population_ceiling=float(possible[0] / np.nansum(spread[0])) if repeats.any() else np.nan,
        population_normalized_score=share[:, 0],
        population_lower=ends[1][0],
        population_upper=ends[1][1],
        advantage=gain[:, 0],
        advantage_lower=ends[2][0],
        advantage_upper=ends[2][1],
        penalty=penalty,
        num_trials=(np.isfinite(data).any(1) & (codes >= 0)[:, None]).sum(0),
        num_conditions=use.any(1).sum(0),
        status=np.where(scored & repeats & ~reliable, UNRELIABLE, status),
    )


def _checked(
    recorded: np.ndarray,
    condition: np.ndarray,
    predictors: Sequence[np.ndarray],
    method: str,
    num_folds: int,
    min_trials: int,
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    data, codes = np.asarray(recorded, dtype=np.float64), np.asarray(condition)
    given = [np.asarray(each, dtype=np.float64) for each in predictors]
    if method not in ("ridge", "procrustes"):
        raise ValueError(f"method: unknown {method!r}; use 'ridge' or 'procrustes'.")
    if data.ndim != 3 or not given or any(each.ndim != 3 for each in given):
        shapes = [each.shape for each in given]
        raise ValueError(
            f"recorded, predictors: shapes {data.shape}, {shapes}; expected (trial, time, unit) and at least "
            "one (condition, time, feature)."
        )
    checks.same_length(recorded=data, condition=codes)
    sizes = {each.shape[:2] for each in given}
    if len(sizes) > 1 or data.shape[1] != given[0].shape[1]:
        raise ValueError(
            f"predictors: conditions and times {sorted(sizes)}, recorded has {data.shape[1]} times; bring "
            "all to the same."
        )
    number = len(given[0])
    if codes.dtype.kind not in "iu" or codes.max(initial=-1) >= number:
        raise ValueError(
            f"condition: {codes.dtype} up to {codes.max(initial=-1)}, predictors have {number} conditions; "
            f"use integer codes from 0 to {number - 1}."
        )
    if number < MIN_CONDITIONS or num_folds < MIN_CONDITIONS:
        raise ValueError(
            f"predictors: {number} conditions in {num_folds} folds; use at least {MIN_CONDITIONS} of both, "
            "so that the map is tested on conditions it was not fitted to."
        )
    if min_trials < 1:
        raise ValueError(f"min_trials: {min_trials}; use at least 1, and 2 for a noise ceiling.")
    for place, each in enumerate(given):
        clear = each[np.isfinite(each).all(-1)]
        if not len(clear) or not np.ptp(clear, axis=0).max(initial=0.0) > 0:
            raise ValueError(
                f"predictors: number {place} is constant or nowhere complete; it predicts nothing. Drop "
                "it, or its units that are NaN."
            )
    return data, codes, given


def _status(y: np.ndarray, use: np.ndarray) -> np.ndarray:
    few = use.any(1).sum(0) < MIN_CONDITIONS
    count = np.maximum(use.sum((0, 1)), 1)
    spread = (y**2).sum((0, 1)) - y.sum((0, 1)) ** 2 / count
    flat = spread <= 1e-12 * (y**2).sum((0, 1))
    return np.where(few, TOO_FEW, np.where(flat, NO_VARIANCE, SCORED))


def _predict(
    given: list[np.ndarray],
    y: np.ndarray,
    use: np.ndarray,
    scored: np.ndarray,
    fold: np.ndarray,
    method: str,
    penalties: tuple[float, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """(predictor, condition, time, unit) predictions, and (predictor, unit) penalties.

    Units that have the same samples are predicted together.
    """
    predicted = np.full((len(given), *y.shape), np.nan)
    penalty = np.full((len(given), y.shape[-1]), np.nan)
    flat = use.reshape(-1, use.shape[-1]).T
    patterns, which = np.unique(flat[scored], axis=0, return_inverse=True)
    if method == "procrustes" and len(patterns) > 1:
        raise ValueError(
            f"recorded: units have {len(patterns)} different sets of conditions; procrustes turns all of "
            "them together: drop units or conditions that lack trials, or use method='ridge'."
        )
    for label, pattern in enumerate(patterns):
        units = np.flatnonzero(scored)[which.ravel() == label]
        at = pattern.reshape(use.shape[:2])
        groups = np.broadcast_to(fold[:, None], at.shape)[at]
        if np.unique(groups).size < MIN_CONDITIONS:  # folds of the few conditions these units have
            own = np.full(len(fold), -1)
            there = np.flatnonzero(at.any(1))
            own[there] = np.arange(there.size) % MIN_CONDITIONS
            groups = np.broadcast_to(own[:, None], at.shape)[at]
        target = y[at][:, units]
        for k, each in enumerate(given):
            if method == "ridge":
                guess, penalty[k, units] = held_out.ridge(each[at], target, groups, penalties)
            else:
                guess = held_out.procrustes(each[at], target, groups)
            full = np.full((*at.shape, units.size), np.nan)
            full[at] = guess
            predicted[k][..., units] = full
    return predicted, penalty


def _interval(values: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """(2, …) percentiles over axis 1 of the finite values; NaN where there are none."""
    there = np.isfinite(values).any(1)
    filled = np.where(np.expand_dims(there, 1), values, 0.0)
    return np.where(there, np.nanquantile(filled, tails, axis=1), np.nan)
