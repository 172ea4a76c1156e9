"""Step sizes beyond the edge of a grid: where the loss still falls there, three more are tried.

Rungs are tuned by one grid an arm. Where the best step size for a task is the smallest or the largest of its
arm's grid, with a loss lower than that of the step size beside it by more than 2 %, a study of that side
tries three step sizes half a decade apart beyond it, on the same tuning seeds, and trains all seeds with the
best of these. These runs take the place of the part's own where their loss in tuning is lower.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from _rules_plan import FLOOR, Chosen, part, tasks_of
from _rules_record import add_absent

import throughtime as tt
from throughtime.results import labels

BEYOND = 3
FALLS = 0.98
"""Ratio of the loss at the edge to that beside it, below which it still falls."""
SIDES = {"lower": -1, "higher": 1}
FOUR = ("task", "circuit", "rule", "option")


def edges(tree: xr.DataTree) -> dict[tuple[str, str], int]:
    """(task, rule) -> side of the grid, −1 or 1, towards which the loss still falls at its edge.

    A readout alone has none: its step size is that of the readout, which is the same for all.
    """
    tuning = tree["tuning"].to_dataset().squeeze(["circuit", "option"])
    loss = tuning["loss"].fillna(np.inf).transpose("task", "rule", "parameter").values
    found = {}
    for row, task in enumerate(labels(tuning["task"])):
        for column, rule in enumerate(labels(tuning["rule"])):
            one = loss[row, column]
            best = int(one.argmin())
            side = {0: -1, len(one) - 1: 1}.get(best, 0)
            if side and rule != FLOOR and one[best] < FALLS * one[best - side]:
                found[task, rule] = side
    return found


def beyond(
    name: str, chosen: Chosen, tree: xr.DataTree, num_seeds: int, **changed: Any
) -> dict[str, tt.Study]:
    """Studies of the sides on which a complete part has best step sizes at an edge, by name of their part.

    Args:
        changed: settings of the part that are not those of the study.
    """
    found = edges(tree)
    every = tasks_of(chosen)
    studies = {}
    for word, side in SIDES.items():
        pairs = [pair for pair, at in found.items() if at == side]
        if not pairs:
            continue
        tasks = {task: every[task] for task in dict.fromkeys(task for task, _ in pairs)}
        rules = {arm: rule for arm, rule in chosen.arms().items() if any(arm == one for _, one in pairs)}
        settings = {**changed, "rules": rules}
        edge = {arm: chosen.grids[arm][0 if side < 0 else -1] for arm in rules}
        apart = [math.sqrt(10.0) ** (side * k) for k in range(1, BEYOND + 1)]
        grids = {
            arm: tuple(sorted(float(f"{size * one:.3g}") for one in apart)) for arm, size in edge.items()
        }
        left_out = [
            {"task": task, "rule": arm} for task in tasks for arm in rules if (task, arm) not in pairs
        ]
        studies[f"{name}-{word}"] = part(
            f"{name}-{word}", chosen, tasks, num_seeds, grids=grids, left_out=left_out, **settings
        )
    return studies


def settled(tree: xr.DataTree, further: Mapping[str, xr.DataTree]) -> xr.DataTree:
    """A part with runs of step sizes beyond the edge in place of its own, where these were better in tuning.

    ``/outcomes`` then has ``beyond`` (task, circuit, rule, option): the side, or 0 for the part's own.
    Distances of circuits that gave way are NaN. ``/tuning`` stays as it was.
    """
    groups = {
        "/" if path == "." else f"/{path}": node.to_dataset(inherit=False).copy(deep=True)
        for path, node in tree.subtree_with_keys
    }
    tasks, rules = (labels(groups["/outcomes"][axis]) for axis in ("task", "rule"))
    side_of = np.zeros(groups["/outcomes"]["complete"].shape, np.int8)
    runs = {(one["task"], one["rule"]): one for one in json.loads(str(tree.attrs.get("runs", "[]")))}
    before = groups["/tuning"]["loss"].fillna(np.inf).min("parameter").transpose(*FOUR).values
    for name, other in further.items():
        found = {path: node.to_dataset(inherit=False) for path, node in other.subtree_with_keys}
        after = found["tuning"]["loss"].fillna(np.inf).min("parameter").transpose(*FOUR).values
        done = found["outcomes"]["complete"].values == 1
        names = [labels(found["outcomes"][axis]) for axis in ("task", "rule")]
        better = {}
        for row, task in enumerate(names[0]):
            for column, rule in enumerate(names[1]):
                at, to = (row, 0, column, 0), (tasks.index(task), 0, rules.index(rule), 0)
                if done[at] and after[at] < before[to]:
                    better[at] = to
        for to in better.values():
            side_of[to] = SIDES[name.rpartition("-")[2]]
        for path, data in groups.items():
            if path == "/tuning" or not {"task", "rule"} <= set(data.dims):
                continue
            _replace(data, found.get(path[1:]), better)
        for one in json.loads(str(other.attrs.get("runs", "[]"))):
            place = (tasks.index(one["task"]), 0, rules.index(one["rule"]), 0)
            if place in better.values():
                runs[one["task"], one["rule"]] = one
    if "/distances" in groups:
        _forget(groups["/distances"], side_of, rules)
    words = {
        "units": "1",
        "long_name": "side of the grid beyond which the step size lies",
        "flag_values": [-1, 0, 1],
        "flag_meanings": "lower within higher",
    }
    groups["/outcomes"]["beyond"] = (FOUR, side_of, words)
    groups["/"].attrs["runs"] = json.dumps(list(runs.values()))
    return xr.DataTree.from_dict(groups)


def _replace(
    data: xr.Dataset,
    other: xr.Dataset | None,
    better: Mapping[tuple[int, ...], tuple[int, ...]],
) -> None:
    for name, variable in data.variables.items():
        if variable.dims[:4] != FOUR:
            continue
        for at, to in better.items():
            if other is not None and name in other:
                variable.values[to] = other[name].transpose(*variable.dims).values[at]
            else:
                variable.values[to] = np.nan if variable.dtype.kind == "f" else -1
        if name in data.data_vars:
            add_absent(data[name])


def _forget(distances: xr.Dataset, side_of: np.ndarray, rules: list[str]) -> None:
    of_run = [rules.index(rule) for rule in labels(distances["label"])]
    for task in range(len(side_of)):
        gone = [run for run, rule in enumerate(of_run) if side_of[task, 0, rule, 0]]
        for name, variable in distances.data_vars.items():
            if variable.dims == ("task", "run", "other_run"):
                distances[name].values[task, gone, :] = np.nan
                distances[name].values[task, :, gone] = np.nan
