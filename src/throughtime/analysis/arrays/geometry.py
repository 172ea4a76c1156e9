"""How a population lays out conditions: what can be read from it, and what carries over to new conditions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.classifiers import make, trained
from throughtime.analysis.arrays.dichotomies import (
    RANK_TOLERANCE,
    choose_dichotomies,
    parallelism,
    separable,
    spanned,
)

THRESHOLD = 0.75
NUM_FOLDS = 5
NUM_SHUFFLES = 10
TIE = 1e-9


class Geometry(NamedTuple):
    """``C`` conditions, ``D`` balanced dichotomies (those of variables first), ``P`` shuffles.

    Attributes:
        sides: (D, C) −1 or 1. variable: (D,) position of the variable that a dichotomy is, −1 if none.
        accuracy: (D,) cross-validated decoding of the dichotomy; NaN without noise.
        decodable: (D,) whether it is above the threshold; without noise, whether a plane separates it.
        shattering: share of dichotomies that are decodable.
        ccgp: (D,) decoding of a held-out pair of conditions, mean over pairs of the most parallel pairing.
        ccgp_all_pairs: (D,) the same, mean over all pairs of a condition of either side.
        parallelism: (D,) mean cosine between the differences of paired conditions, for the best pairing.
        null_shattering: (P,). null_ccgp, null_ccgp_all_pairs, null_parallelism: (P, D).
    """

    sides: np.ndarray
    variable: np.ndarray
    accuracy: np.ndarray
    decodable: np.ndarray
    shattering: float
    ccgp: np.ndarray
    ccgp_all_pairs: np.ndarray
    parallelism: np.ndarray
    null_shattering: np.ndarray
    null_ccgp: np.ndarray
    null_ccgp_all_pairs: np.ndarray
    null_parallelism: np.ndarray


def geometry(
    activity: np.ndarray,
    condition: np.ndarray,
    *,
    seed: int,
    axis: int = -1,
    variables: np.ndarray | None = None,
    classifier: str | Any | None = "lda",
    threshold: float = THRESHOLD,
    num_folds: int = NUM_FOLDS,
    num_dichotomies: int | None = None,
    num_shuffles: int = NUM_SHUFFLES,
) -> Geometry:
    """Shattering, cross-condition generalisation and parallelism over balanced dichotomies of conditions.

    A dichotomy puts half of the conditions on either side. *Shattering* is the share of dichotomies that a
    linear decoder reads above ``threshold``. *Cross-condition generalisation* (CCGP) is the accuracy of a
    decoder of the dichotomy in one condition of either side that it was not trained on: chance, 0.5, unless
    the dichotomy is laid out alike in all conditions. *Parallelism* is the mean cosine between the vectors
    that lead from conditions of one side to their partners of the other, for the pairing that makes it
    largest. Operational definitions after Bernardi et al. 2020, Cell.

    With few conditions a pair chosen at will can leave training data in which the dichotomy goes along with
    another variable (of four, two diagonal corners), so that even a factorised code fails there. ``ccgp``
    therefore holds out the pairs of the most parallel pairing; as that choice favours it a little, judge it
    by its null. ``ccgp_all_pairs`` holds out every pair.

    Decoders see units divided by their standard deviation within the conditions trained on: scaling by all
    variation would shrink units that carry the dichotomy against those that carry what is held out.

    With ``classifier=None`` activity is taken as free of noise: averages are separated by linear programs,
    and CCGP uses the least-squares classifier of least norm, an undecided condition counting half.

    The nulls: units are permuted in each condition by itself, around their means, which keeps each
    condition's activity and destroys how conditions relate (CCGP, parallelism, and shattering without
    noise); conditions are shuffled among trials (shattering of decoders).

    Args:
        activity: (trial, unit), units on ``axis``. condition: (trial,) integer codes.
        seed: of folds, shuffles and samples. axis: axis of units.
        variables: (condition, variable) two values each, equally often, over conditions in ascending order.
        classifier: as :func:`throughtime.analysis.arrays.classifiers.make` takes it; None without noise.
        threshold: accuracy above which a dichotomy counts. num_folds: of trials of each condition.
        num_dichotomies: a random sample of so many, with those of the variables; all if not given.
        num_shuffles: 0 for no null; a null costs as much as the analysis for each.

    Raises:
        ValueError: for activity that is not finite or never varies, unequal lengths, an odd number of
            conditions or fewer than 4, more than 12 without sampling or than 16 at all, unequal numbers of
            trials, fewer of them than folds, variables that are no balanced dichotomies, or options out of
            range.

    Example:
        >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> found = geometry(square, np.arange(4), seed=0, classifier=None, num_shuffles=0)
        >>> found.decodable, found.ccgp, found.parallelism
        (array([ True,  True, False]), array([1., 1., 0.]), array([ 1.,  1., -1.]))
    """
    rates, codes = _checked(activity, condition, axis, classifier, num_folds)
    if not 0.5 <= threshold < 1 or num_shuffles < 0:
        raise ValueError(
            f"threshold {threshold}, num_shuffles {num_shuffles}: use 0.5 up to 1, and at least 0."
        )
    sides, variable = choose_dichotomies(int(codes.max()) + 1, variables, num_dichotomies, seed)
    rng = np.random.default_rng(seed)
    from threadpoolctl import threadpool_limits

    model = None if classifier is None else make(classifier, seed)
    with threadpool_limits(1):
        accuracy = np.full(len(sides), np.nan)
        if model is None:
            rates, codes = _averages(rates, codes), np.arange(sides.shape[1])
            decodable = separable(rates, sides)
        else:
            accuracy = _accuracies(rates, codes, sides, model, num_folds, rng)
            decodable = accuracy > threshold
        layout = _layout(rates, codes, sides, model)
        shattering, nulls = [], []
        for _ in range(num_shuffles):
            moved = _permuted(rates, codes, rng)
            if model is None:
                shattering.append(separable(moved, sides).mean())
            else:
                shuffled = _accuracies(rates, rng.permutation(codes), sides, model, num_folds, rng)
                shattering.append((shuffled > threshold).mean())
            nulls.append(_layout(moved, codes, sides, model))
    null = np.array(nulls).reshape(num_shuffles, 3, len(sides))
    return Geometry(
        sides=sides,
        variable=variable,
        accuracy=accuracy,
        decodable=decodable,
        shattering=float(decodable.mean()),
        ccgp=layout[0],
        ccgp_all_pairs=layout[1],
        parallelism=layout[2],
        null_shattering=np.array(shattering, dtype=np.float64),
        null_ccgp=null[:, 0],
        null_ccgp_all_pairs=null[:, 1],
        null_parallelism=null[:, 2],
    )


def _checked(
    activity: np.ndarray, condition: np.ndarray, axis: int, classifier: Any, num_folds: int
) -> tuple[np.ndarray, np.ndarray]:
    rates = np.moveaxis(checks.finite("activity", activity, "leave these trials out"), axis, -1)
    codes = np.asarray(condition)
    if rates.ndim != 2 or codes.ndim != 1 or codes.dtype.kind not in "iub":
        raise ValueError(
            f"activity, condition: shapes {np.shape(activity)} and {codes.shape} ({codes.dtype}); expected "
            "(trial, unit), averaged over a window of time, and integers over (trial,)."
        )
    checks.same_length(activity=rates, condition=codes)
    _, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    averages = _averages(rates, codes)
    if not spanned(averages)[1].size:
        raise ValueError(
            "activity: zero variance between conditions in every unit; nothing tells them apart."
        )
    if classifier is not None:
        if counts.min() != counts.max():
            raise ValueError(
                f"condition: {counts.min()} to {counts.max()} trials each; decoding takes equal numbers: "
                "draw them."
            )
        if not 2 <= num_folds <= counts.min():
            raise ValueError(
                f"num_folds: {num_folds}, {counts.min()} trials of each condition; use 2 up to as many as "
                "trials, or classifier=None for activity without noise."
            )
    return rates, codes


def _averages(rates: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.stack([rates[codes == code].mean(0) for code in range(int(codes.max()) + 1)])


def _permuted(rates: np.ndarray, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Activity around the units' means over conditions, with units permuted in each condition by itself."""
    centred = rates - _averages(rates, codes).mean(0)
    moved = np.empty_like(centred)
    for code in range(int(codes.max()) + 1):
        moved[codes == code] = centred[codes == code][:, rng.permutation(rates.shape[1])]
    return moved


def _accuracies(
    rates: np.ndarray,
    codes: np.ndarray,
    sides: np.ndarray,
    model: Any,
    num_folds: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """(dichotomy,) share of held-out trials whose side is found; each fold has trials of all conditions."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(num_folds, shuffle=True, random_state=int(rng.integers(2**31)))
    spread, right = float(rates.std(0).max()), np.zeros(len(sides))
    for train, test in folds.split(codes, codes):
        for index, side in enumerate(sides):
            answer = _answers(model, rates, codes, side, train, test, spread)
            right[index] += (answer == side[codes[test]]).sum()
    return right / len(codes)


def _layout(rates: np.ndarray, codes: np.ndarray, sides: np.ndarray, model: Any | None) -> np.ndarray:
    """(3, dichotomy): CCGP of the most parallel pairing, of all pairs, and parallelism."""
    averages = _averages(rates, codes)
    if model is None:  # distances and angles stay as they are in the few directions that points span
        coordinates, extent = spanned(averages)
        averages = coordinates * extent
    found = np.empty((3, len(sides)))
    spread = float(rates.std(0).max())
    for index, side in enumerate(sides):
        parallel, pairs = parallelism(averages, side)
        upper, lower = np.flatnonzero(side == 1), np.flatnonzero(side == -1)
        table = np.zeros((len(side), len(side)))
        for one in upper:
            for two in lower:
                if model is None:
                    table[one, two] = _least_squares(averages, side, one, two)
                    continue
                held = np.isin(codes, (one, two))
                answer = _answers(model, rates, codes, side, ~held, held, spread)
                table[one, two] = (answer == side[codes[held]]).mean()
        found[:, index] = table[pairs[:, 0], pairs[:, 1]].mean(), table[np.ix_(upper, lower)].mean(), parallel
    return found


def _answers(
    model: Any,
    rates: np.ndarray,
    codes: np.ndarray,
    side: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    spread: float,
) -> np.ndarray:
    known = codes[train]
    return trained(model, rates[train], side[known], spread, condition=known)(rates[test])


def _least_squares(points: np.ndarray, side: np.ndarray, one: int, two: int) -> float:
    """Share of two held-out conditions on their side of the plane fitted to the others; a tie is half."""
    rest = np.delete(np.arange(len(points)), (one, two))
    centre = points[rest].mean(0)
    weight = np.linalg.lstsq(points[rest] - centre, side[rest].astype(float), rcond=RANK_TOLERANCE)[0]
    decision = side[[one, two]] * ((points[[one, two]] - centre) @ weight)
    return float(np.where(np.abs(decision) <= TIE, 0.5, decision > 0).mean())
