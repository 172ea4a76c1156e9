"""Transport by the diagonal of W, which the grid of the study leaves out, beside no transport at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
import xarray as xr
from _rules_measure import BLOCK, NUM_TRIALS, WORDS, kept_at, named
from _study import Cell, keep, read

import throughtime as tt
from throughtime.results import Run

FOUND = {
    "cosine": "cosine of the recurrent gradient of snap (n = 1) with that of e-prop",
    "norm_ratio": "norm of the recurrent gradient of snap (n = 1) over that of e-prop",
}


def diagonal(paths: Mapping[str, Path], place: Path, at: tuple[int, ...]) -> xr.Dataset:
    """Gradients by the diagonal beside those without transport, both with symmetric feedback.

    Args:
        paths: task -> file of the run at whose weights gradients are taken.
        place: where cells are kept. at: updates, of those whose weights were kept.

    Returns:
        Dataset (task, seed, checkpoint): :data:`FOUND`; NaN where a circuit diverged before, or one is zero.
    """
    seeds = tt.load(next(iter(paths.values()))).seeds
    values = {name: np.full((len(paths), len(seeds), len(at)), np.nan) for name in FOUND}
    for row, (task, path) in enumerate(paths.items()):
        declared = {"run": path.stem, "at": list(at), "num_trials": NUM_TRIALS, "block": BLOCK}
        cell = Cell(("diagonal", task), declared)
        data = read(cell, place)
        if data is None:
            data = keep(cell, place, lambda _, path=path: diagonal_of(tt.load(path), at))
            jax.clear_caches()
        for name in FOUND:
            values[name][row] = data[name].values
    return xr.Dataset(
        {
            name: (("task", "seed", "checkpoint"), values[name], WORDS | {"long_name": FOUND[name]})
            for name in FOUND
        },
        {
            "task": named("task", list(paths)),
            "seed": ("seed", seeds, WORDS | {"long_name": "seed"}),
            "checkpoint": ("checkpoint", list(at), WORDS | {"long_name": "update"}),
        },
        {"num_trials": NUM_TRIALS, "block": BLOCK},
    )


def diagonal_of(run: Run, updates: tuple[int, ...]) -> xr.Dataset:
    """:data:`FOUND` (seed, checkpoint) at the kept weights of a run, without the circuit's noise."""
    quiet = dataclasses.replace(run.circuit, noise_sd=0.0)
    trials = jax.vmap(run.task.trial)(jax.random.split(jax.random.key(0), NUM_TRIALS))
    values = {name: np.full((len(run.seeds), len(updates)), np.nan) for name in FOUND}
    for one in kept_at(run, updates):
        by_self, without = (
            np.asarray(tt.gradient(quiet, one.params, trials, rule, key=jax.random.key(1))[0][BLOCK], float)
            for rule in ("snap", "eprop")
        )
        sizes = np.linalg.norm(by_self), np.linalg.norm(without)
        if np.isfinite(sizes).all() and min(sizes) > 0:
            values["cosine"][one.place] = (by_self * without).sum() / sizes[0] / sizes[1]
            values["norm_ratio"][one.place] = sizes[0] / sizes[1]
    return xr.Dataset({name: (("seed", "checkpoint"), value) for name, value in values.items()})
