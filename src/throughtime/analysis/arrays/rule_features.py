"""What can be observed of a circuit while it learns, as numbers a classifier takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from throughtime.analysis.arrays import checks

OBSERVABLES = ("weight", "activity", "activity_change")
TRANSFORMS = ("raw", "absolute", "squared")
STATISTICS = ("mean", "median", "variance", "norm", "third_quartile")
FEATURES = tuple(f"{o}_{t}_{s}" for o in OBSERVABLES for t in TRANSFORMS for s in STATISTICS)
"""Names of the rows of what :func:`rule_features` returns."""


def rule_features(
    weights: np.ndarray,
    activity: np.ndarray,
    position: np.ndarray,
    grid: np.ndarray,
    *,
    unit_fraction: float = 1.0,
    noise: float = 0.0,
    standardize: bool = False,
    seed: int | Sequence[int] = 0,
) -> np.ndarray:
    """Trajectories of aggregate statistics of weights, activity and its change over training.

    At every checkpoint k, mean, median, variance, Euclidean norm and third quartile of w, \\|w\\| and w² over

    - the recurrent weights W_k,
    - the activity A_k of the units on the same trials at every checkpoint,
    - its rate of change (A_k − A_{k−1})/(position_k − position_{k−1}), from the second checkpoint on,

    each then read at the points of ``grid`` by linear interpolation between checkpoints. The change keeps the
    value of its first checkpoint before it. The statistics are those of Nayebi, Srivastava, Ganguli and
    Yamins (2020, Advances in Neural Information Processing Systems 33), who take a single averaged number for
    the change.

    A forest compares numbers with thresholds and cannot see a shape whose scale differs more between tasks
    or circuits than between rules. ``standardize`` takes each trajectory to mean 0 and SD 1 over the grid
    (to 0 where it is constant), so that shapes alone are left.

    An experiment sees some of the units, and not exactly: ``unit_fraction`` keeps that share of them, the
    same at every checkpoint, and the synapses between them; ``noise`` adds to each number measured, anew at
    each checkpoint, Gaussian noise of that many SDs of its kind (over all checkpoints).

    Args:
        weights: (checkpoint, unit, presynaptic_unit).
        activity: (checkpoint, …, unit) on the same trials and times; NaN (padding) at all checkpoints alike
            is left out.
        position: (checkpoint,) increasing: updates, or the share of training done.
        grid: (point,) positions that runs are compared at, within those of every run.
        unit_fraction: in (0, 1]. noise: at least 0. seed: of both.
        standardize: whether shapes alone are given.

    Returns:
        (45, point) in the order of :data:`FEATURES`.

    Raises:
        ValueError: for values that are not finite, fewer than 2 checkpoints, numbers of checkpoints or units
            that differ, positions that do not increase, a grid beyond them, fewer than 2 units, or
            options out of range.

    Example:
        >>> weights = np.eye(2) * np.array([1.0, 3.0])[:, None, None]
        >>> found = rule_features(weights, np.ones((2, 5, 2)), np.array([0, 10]), np.array([0, 5, 10]))
        >>> found[FEATURES.index("weight_raw_mean")]
        array([0.5, 1. , 1.5])
    """
    weights = checks.finite("weights", weights)
    activity = np.asarray(activity, dtype=np.float64)
    position, grid = checks.finite("position", position), checks.finite("grid", grid)
    num_units = activity.shape[-1] if activity.ndim > 1 else 0
    if weights.ndim != 3 or weights.shape[1:] != (num_units, num_units):
        raise ValueError(
            f"weights: shape {weights.shape} with activity of {num_units} units; use recurrent weights "
            "(checkpoint, unit, presynaptic_unit)."
        )
    if position.ndim != 1 or position.size < 2 or not (np.diff(position) > 0).all():
        raise ValueError(f"position: {position.tolist()[:6]}; use at least 2 positions that increase.")
    if not len(weights) == len(activity) == position.size:
        raise ValueError(
            f"unequal lengths: weights {len(weights)}, activity {len(activity)}, position {position.size}; "
            "give one entry a checkpoint to each."
        )
    if grid.ndim != 1 or not grid.size or grid.min() < position[0] or grid.max() > position[-1]:
        raise ValueError(
            f"grid: {grid.tolist()[:6]} reaches beyond {position[0]:g} to {position[-1]:g}; use points that "
            "every run has passed."
        )
    kept = round(unit_fraction * num_units)
    if not 0 < unit_fraction <= 1 or kept < 2:
        raise ValueError(
            f"unit_fraction: {unit_fraction} keeps {kept} of {num_units} units; keep at least 2."
        )
    if not noise >= 0:
        raise ValueError(f"noise: {noise}; use 0 or a positive share of the SD.")
    samples = activity.reshape(len(activity), -1, num_units)
    there = ~np.isnan(samples).all((0, 2))
    samples = checks.finite("activity", samples[:, there], "mask padding with NaN at every checkpoint alike")
    if not samples.size:
        raise ValueError("activity: every sample is NaN; give the rates of at least one trial.")
    generator = np.random.default_rng(seed)
    if kept < num_units:
        use = np.sort(generator.choice(num_units, kept, replace=False))
        weights, samples = weights[:, use][:, :, use], samples[..., use]
    if noise:
        weights, samples = (
            each + noise * each.std() * generator.standard_normal(each.shape) for each in (weights, samples)
        )
    change = np.diff(samples, axis=0) / np.diff(position)[:, None, None]
    rows: list[np.ndarray] = []
    for values, at in ((weights, position), (samples, position), (change, position[1:])):
        flat = values.reshape(len(values), -1)
        for transformed in (flat, np.abs(flat), flat**2):
            rows += [np.interp(grid, at, statistic) for statistic in _statistics(transformed)]
    found = np.stack(rows)
    return _shapes(found) if standardize else found


def _shapes(trajectories: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and SD 1; of zeros where rounding is all that varies."""
    centred = trajectories - trajectories.mean(1, keepdims=True)
    sd = trajectories.std(1, keepdims=True)
    varies = sd > 1e-9 * np.abs(trajectories).max(1, keepdims=True)
    return np.divide(centred, sd, out=np.zeros_like(centred), where=varies)


def _statistics(values: np.ndarray) -> tuple[np.ndarray, ...]:
    """The statistics of every row, in the order of :data:`STATISTICS`."""
    half, quarter = np.quantile(values, [0.5, 0.75], axis=1)
    return values.mean(1), half, values.var(1), np.linalg.norm(values, axis=1), quarter
