"""How far circuits are apart: those of a rung, and those that differ in one thing alone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from _rules_plan import BPTT
from _rules_variance import ONE, columns_of, only
from _study import Cell, keep, read

import throughtime as tt
from throughtime.analysis.arrays.blas import single_threaded
from throughtime.analysis.arrays.distance_matrix import distance_matrix
from throughtime.analysis.arrays.shape_distance import shape_distance
from throughtime.comparison.probe import Probe
from throughtime.objectives import SquaredError
from throughtime.results import labels
from throughtime.results.flags import flag_attributes
from throughtime.studies.record import DIVERGED


def distances(tree: xr.DataTree, every: Mapping[tuple[str, str], Path], place: Path) -> xr.Dataset:
    """``/distances`` of a part whose runs were replaced in part, computed anew for the tasks concerned.

    As a study computes them: rates without noise in the same held-out trials, by CKA and shape distance.

    Args:
        tree: the part, with NaN where circuits gave way.
        every: (task, rule) -> file of its run. place: where cells are kept.
    """
    data = tree["distances"].to_dataset().copy(deep=True)
    outcomes = tree["outcomes"].to_dataset()
    circuits = list(zip(labels(data["label"]), map(int, data["replicate"].values), strict=True))
    trials = json.loads(tree.attrs["config"])["measure_trials"]
    for row, task in enumerate(labels(outcomes["task"])):
        if not outcomes["beyond"].values[row].any():
            continue
        runs = {rule: every[task, rule].stem for rule, _ in circuits}
        asked = {"runs": runs, "circuits": [list(one) for one in circuits], "num_trials": trials}
        cell = Cell(("distances", task), asked)
        found = read(cell, place)
        if found is None:
            with single_threaded():
                found = keep(cell, place, lambda _, task=task: distances_of(task, every, circuits, trials))
        for name in ("cka", "shape_distance"):
            data[name].values[row] = found[name].values
    return data


def distances_of(
    task: str, every: Mapping[tuple[str, str], Path], circuits: Sequence[tuple[str, int]], num_trials: int
) -> xr.Dataset:
    """``cka`` (1 − CKA) and ``shape_distance`` (run, other_run) of circuits (rule, seed) of a task."""
    loaded = {rule: tt.load(every[task, rule]) for rule in dict.fromkeys(rule for rule, _ in circuits)}
    first = loaded[BPTT]
    probe = Probe(
        first.task,
        first.circuit,
        SquaredError(),
        data_seed=first.seeds[0],
        num_trials=num_trials,
    )
    trial, time = probe.samples
    rates = [probe.activity(loaded[rule].params(seed)).rates[trial, time] for rule, seed in circuits]
    there = [k for k, one in enumerate(rates) if np.isfinite(one).all()]
    found = {}
    for name in ("cka", "shape_distance"):
        found[name] = np.full((len(rates), len(rates)), np.nan)
        matrix = distance_matrix([rates[k] for k in there], measure=name).distance
        found[name][np.ix_(there, there)] = matrix
    return xr.Dataset({name: (("run", "other_run"), matrix) for name, matrix in found.items()})


def every_seed(folder: Path) -> xr.Dataset:
    """Shape distances as in ``/distances``, of all seeds, between circuits that differ in one thing alone.

    Every circuit runs in the same held-out trials, without noise and with its final weights, as it does for
    ``/distances``. NaN for other pairs, and where a run is not there or diverged.

    Args:
        folder: of the part ``initialisation``.

    Returns:
        Dataset: ``shape_distance`` (task, run, other_run), rad; ``label`` and ``replicate`` (run).
    """
    tree = tt.studies.combine(folder)
    outcomes = tree["outcomes"].to_dataset()
    num_trials = json.loads(tree.attrs["config"])["measure_trials"]
    tasks, circuits, rules = (labels(outcomes[name]) for name in ("task", "circuit", "rule"))
    seeds = outcomes["seed"].values
    groups = list(itertools.product(rules, circuits))
    names = ["_".join(group) for group in groups]
    codes, replicates = np.repeat(np.arange(len(groups)), len(seeds)), np.tile(seeds, len(groups))
    wanted = only(columns_of([names[code] for code in codes], replicates)).any(0)
    values = np.full((len(tasks), *wanted.shape), np.nan)
    paths: dict[str, dict[tuple[str, str], Path]] = {task: {} for task in tasks}
    for one in json.loads(str(tree.attrs["runs"])):
        (path,) = (folder / "runs").glob(f"*-{one['run_id']}.nc")
        paths[one["task"]][one["rule"], one["circuit"]] = path
    for place, task in enumerate(tasks):
        rates = _rates(paths[task], outcomes.isel(task=place, option=0), groups, num_trials)
        with single_threaded():
            for one, other in np.argwhere(np.triu(wanted)):
                x, y = rates[one], rates[other]
                if x is not None and y is not None:
                    values[place, [one, other], [other, one]] = shape_distance(x, y).angle
    index = np.arange(len(codes))
    return xr.Dataset(
        {
            "shape_distance": (
                ("task", "run", "other_run"), values, {"units": "rad", "long_name": "shape distance"},
            ),
            "label": ("run", codes, ONE | {"long_name": "label"} | flag_attributes(names)),
            "replicate": ("run", replicates, ONE | {"long_name": "seed"}),
        },
        {
            "task": ("task", range(len(tasks)), ONE | {"long_name": "task"} | flag_attributes(tasks)),
            "run": ("run", index, ONE | {"long_name": "circuit"}),
            "other_run": ("other_run", index, ONE | {"long_name": "other circuit"}),
        },
    )  # fmt: skip


def _rates(
    runs: dict[tuple[str, str], Path],
    outcomes: xr.Dataset,
    groups: list[tuple[str, str]],
    num_trials: int,
) -> list[np.ndarray | None]:
    """(sample, unit) of every group and seed; None where it is not there, diverged or stands still.

    Args:
        runs: (rule, circuit) -> file of the run.
    """
    found: list[np.ndarray | None] = []
    seeds = [int(seed) for seed in outcomes["seed"].values]
    status = outcomes["status"].transpose("rule", "circuit", "seed").values.reshape(len(groups), -1)
    for group, ended in zip(groups, status, strict=True):
        if group not in runs:
            found += [None] * len(seeds)
            continue
        run, loss = tt.load(runs[group]), SquaredError()
        probe = Probe(run.task, run.circuit, loss, data_seed=seeds[0], num_trials=num_trials)
        trial, time = probe.samples
        for seed, one in zip(seeds, ended, strict=True):
            rates = None if one >= DIVERGED else probe.activity(run.params(seed)).rates[trial, time]
            moves = rates is not None and np.isfinite(rates).all() and np.ptp(rates, 0).any()
            found.append(rates if moves else None)
    return found
