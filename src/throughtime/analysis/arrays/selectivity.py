"""Which of two task variables each unit follows, and whether it mixes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays.holm import holm

ALPHA = 0.01
CLASSES = ("none", "pure", "linear_mixed", "nonlinear_mixed")
ROUNDING = 1e-12
"""A sum of squares below this share of a unit's squared activity is taken as 0."""


class Selectivity(NamedTuple):
    """Three terms (first variable, second, interaction), ``N`` units.

    Attributes:
        f: (3, N) F statistic; infinite where trials of a cell are all alike.
        p: (3, N) of each unit by itself. p_adjusted: (3, N) adjusted over units.
        share: (3, N) share of a unit's variance.
        category: (N,) position in :data:`CLASSES`.
        class_share: (4,) share of units in each class.
    """

    f: np.ndarray
    p: np.ndarray
    p_adjusted: np.ndarray
    share: np.ndarray
    category: np.ndarray
    class_share: np.ndarray


def selectivity(
    activity: np.ndarray, first: np.ndarray, second: np.ndarray, *, axis: int = -1, alpha: float = ALPHA
) -> Selectivity:
    """Two-way analysis of variance with interaction for each unit, and the class it puts the unit in.

    With a and b levels and n trials in each cell, sums of squares are those of the main effects, the
    interaction (a − 1)(b − 1) and trials within cells ab(n − 1), and F is the ratio of mean squares to the
    last. p values are adjusted by Holm's method over units, for each term. A unit whose interaction is
    significant is nonlinear mixed, one with both main effects linear mixed, one with a single main effect
    pure (after Rigotti et al. 2013, Nature, and Fusi, Miller and Rigotti 2016, Current Opinion in
    Neurobiology).

    Without noise trials of a cell are alike, F is infinite, and any effect above rounding is significant:
    ``share`` then says how much it is.

    Args:
        activity: (trial, unit), units on ``axis``. first, second: (trial,) integer levels.
        axis: axis of units. alpha: level of the adjusted p values.

    Raises:
        ValueError: for activity that is not finite or never varies, unequal lengths, one level, cells with
            unequal numbers of trials or fewer than 2, or a level out of range.

    Example:
        >>> first, second = np.repeat([0, 1], 6), np.tile([0, 1], 6)
        >>> noise = np.tile([0.0, 0.0, 0.1, 0.1, -0.1, -0.1], 2)
        >>> units = noise + np.stack([0 * first, first, first + second, first * second])
        >>> [CLASSES[code] for code in selectivity(units.T, first, second).category]
        ['none', 'pure', 'linear_mixed', 'nonlinear_mixed']
    """
    checks.fraction("alpha", alpha)
    rates = np.moveaxis(checks.finite("activity", activity, "leave these trials out"), axis, -1)
    if rates.ndim != 2:
        raise ValueError(
            f"activity: shape {np.shape(activity)}; expected (trial, unit): average over a window of time."
        )
    table = _cells(rates, np.asarray(first), np.asarray(second))
    squares, degrees = _sums_of_squares(table)
    least = ROUNDING * (rates**2).sum(0)
    squares = np.where(squares > least, squares, 0.0)
    total = squares.sum(0)
    if not total.any():
        raise ValueError("activity: zero variance in every unit; no unit is selective.")

    from scipy.stats import f as f_distribution

    within = squares[3] / degrees[3]
    effect = squares[:3] / degrees[:3, None]
    ratio = np.where(effect > 0, np.inf, 0.0)
    np.divide(effect, within, out=ratio, where=within > 0)
    p = np.asarray(f_distribution.sf(ratio, degrees[:3, None], degrees[3]))
    adjusted = np.stack([holm(each) for each in p])
    category = _classes(adjusted <= alpha)
    return Selectivity(
        f=ratio,
        p=p,
        p_adjusted=adjusted,
        share=squares[:3] / np.where(total > 0, total, 1.0),
        category=category,
        class_share=np.bincount(category, minlength=len(CLASSES)) / category.size,
    )


def _cells(rates: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(first, second, trial of the cell, unit)."""
    checks.same_length(activity=rates, first=first, second=second)
    places = []
    for name, level in (("first", first), ("second", second)):
        if level.ndim != 1 or level.dtype.kind not in "iub":
            raise ValueError(f"{name}: {level.dtype} of shape {level.shape}; use one integer level a trial.")
        found, place = np.unique(level, return_inverse=True)
        if len(found) < 2:
            raise ValueError(f"{name}: {len(found)} level; an effect needs at least two.")
        places.append((place, len(found)))
    (rows, num_rows), (columns, num_columns) = places
    counts = np.bincount(rows * num_columns + columns, minlength=num_rows * num_columns)
    fewest, most = int(counts.min()), int(counts.max())
    if fewest != most:
        raise ValueError(
            f"activity: cells hold {fewest} to {most} trials; the analysis takes equal numbers: draw them, "
            "or leave levels out."
        )
    if fewest < 2:
        raise ValueError("activity: 1 trial in each cell; use at least 2, which say how much trials scatter.")
    order = np.argsort(rows * num_columns + columns, kind="stable")
    return rates[order].reshape(num_rows, num_columns, fewest, -1)


def _sums_of_squares(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(4, unit) of both variables, their interaction and within cells, and their degrees of freedom."""
    num_rows, num_columns, num_trials, _ = table.shape
    cell = table.mean(2)
    row, column, grand = cell.mean(1), cell.mean(0), cell.mean((0, 1))
    squares = [
        num_columns * num_trials * ((row - grand) ** 2).sum(0),
        num_rows * num_trials * ((column - grand) ** 2).sum(0),
        num_trials * ((cell - row[:, None] - column[None] + grand) ** 2).sum((0, 1)),
        ((table - cell[:, :, None]) ** 2).sum((0, 1, 2)),
    ]
    one, two = num_rows - 1, num_columns - 1
    return np.stack(squares), np.array([one, two, one * two, num_rows * num_columns * (num_trials - 1)])


def _classes(significant: np.ndarray) -> np.ndarray:
    """(unit,) position in :data:`CLASSES` from (term, unit) booleans."""
    main = significant[:2].sum(0)
    return np.where(significant[2], CLASSES.index("nonlinear_mixed"), main)
