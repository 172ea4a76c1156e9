"""Features of learning rules from datasets; see :mod:`throughtime.analysis.arrays.rule_features`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import rule_features as arrays

CHECKPOINT, UNIT = "checkpoint", "unit"


def rule_features(
    weights: xr.DataArray,
    activity: xr.DataArray,
    position: xr.DataArray,
    grid: Sequence[float] | np.ndarray,
    *,
    unit_fraction: float = 1.0,
    noise: float = 0.0,
    standardize: bool = False,
    num_draws: int | None = None,
    random_seed: int = 0,
) -> xr.Dataset:
    """Trajectories of aggregate statistics of weights and activity over training, run by run.

    See :func:`throughtime.analysis.arrays.rule_features.rule_features`. Units and noise are drawn anew for
    every run, seed and draw. A run that the array function refuses (one that diverged or ended before the
    grid does) is NaN with ``features_status`` 1; the first refusal is the attribute ``refusal``.

    Args:
        weights: (…, checkpoint, unit, presynaptic_unit) recurrent weights.
        activity: (…, checkpoint, [trial, time,] unit) on the same trials at every checkpoint.
        position: (…, checkpoint) increasing, such as ``checkpoint_update``.
        grid: positions that all runs are compared at.
        unit_fraction, noise, standardize: see the array function.
        num_draws: how often units and noise are drawn, on a dim ``draw``; once and without it if not given.
        random_seed: of both.

    Returns:
        Dataset: ``features`` (…, [draw,] parameter, update) with the names of the statistics on
        ``parameter`` and the grid on ``update``, and ``features_status`` (…, [draw]).

    Raises:
        ValueError: where every run is refused, with the first refusal.

    Example:
        >>> dims = ("run", "checkpoint", "unit", "presynaptic_unit")
        >>> weights = xr.DataArray(np.random.default_rng(0).normal(size=(2, 3, 4, 4)), dims=dims)
        >>> position = xr.DataArray([0.0, 5.0, 10.0], dims="checkpoint")
        >>> dict(rule_features(weights, weights.isel(presynaptic_unit=0), position, [0, 10]).sizes)
        {'run': 2, 'parameter': 45, 'update': 2}
    """
    grid = np.asarray(grid, dtype=np.float64)
    sample_dims = [str(dim) for dim in activity.dims if dim in ("trial", "time", "condition")]
    if num_draws is not None:
        weights = weights.expand_dims({"draw": num_draws})
    refusals: list[ValueError] = []
    calls = itertools.count()

    def one(matrix: np.ndarray, rates: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, int]:
        try:
            found = arrays.rule_features(
                matrix, rates, at, grid, unit_fraction=unit_fraction, noise=noise, standardize=standardize,
                seed=(random_seed, next(calls)),
            )  # fmt: skip
        except ValueError as refusal:
            refusals.append(refusal)
            return np.full((len(arrays.FEATURES), grid.size), np.nan), 1
        return found, 0

    fields = {
        "features": Field(("parameter", "update"), "1", "statistic of what is observed"),
        "features_status": Field((), "1", "0 computed, 1 refused"),
    }
    dataset = apply(
        one, (weights, activity, position),
        [(CHECKPOINT, UNIT, "presynaptic_unit"), (CHECKPOINT, *sample_dims, UNIT), (CHECKPOINT,)],
        fields, method="rule_features",
        parameters={
            "unit_fraction": unit_fraction, "noise": noise, "standardize": int(standardize),
            "num_draws": num_draws, "random_seed": random_seed,
        },
    )  # fmt: skip
    if refusals:
        if (dataset["features_status"] != 0).all():
            raise refusals[0]
        dataset.attrs["refusal"] = str(refusals[0])
    dataset = dataset.assign_coords(
        update=("update", grid, {"units": "1", "long_name": "position in training"})
    )
    dataset["parameter"].attrs |= {
        "long_name": "statistic",
        "flag_values": list(range(len(arrays.FEATURES))),
        "flag_meanings": " ".join(arrays.FEATURES),
    }
    for array in (weights, activity, position):
        names = [name for name in array.coords if set(array[name].dims) <= set(dataset.dims)]
        dataset = dataset.assign_coords({name: array[name] for name in names if name != "update"})
    return dataset
