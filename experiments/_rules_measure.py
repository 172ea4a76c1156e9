"""Measured on the circuits that the study of rules on tasks kept: alignment, and circuits at equal loss.

Both read the merged runs of a part. A cell is one run (alignment) or one task (equal loss), kept in
a file of its own, so that this too goes on where it was stopped.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from _rules_plan import BPTT, FLOOR
from _study import Cell, keep, read

import throughtime as tt
from throughtime.analysis.arrays.blas import single_threaded
from throughtime.analysis.arrays.cka import cka
from throughtime.analysis.arrays.dimensionality import dimensionality
from throughtime.analysis.arrays.shape_distance import shape_distance
from throughtime.comparison.draws import loss_and_gradient
from throughtime.comparison.probe import Probe
from throughtime.measures.loss import double
from throughtime.objectives import SquaredError
from throughtime.results import Run, labels
from throughtime.results.flags import flag_attributes

ALIGNED_AT = (100, 400, 1400)
"""Updates at which the gradient of a rule is set beside the exact one, at the weights the rule came to."""
NUM_TRIALS = 32
BLOCK = "recurrent"
TINY = 1e-9
"""Step whose effect on the loss is not of interest here, small enough to stay finite."""
RECORDS_AROUND = 5
"""Records of the loss whose median tells whether a level is reached."""
WORDS = {"units": "1"}

GRADIENTS = {
    "cosine": "cosine of the rule's recurrent gradient with the exact one",
    "displacement_cosine": "cosine of the way to the next kept checkpoint with the exact descent direction",
    "norm_ratio": "norm of the rule's recurrent gradient over that of the exact one",
    "bias": "norm of the bias of the rule's recurrent gradient over that of the exact one",
    "relative_variance": "variance of the rule's recurrent gradient over the squared norm of the exact one",
    "gradient_norm": "norm of the exact recurrent gradient",
}


def runs_of(tree: xr.DataTree, folders: Sequence[Path]) -> dict[tuple[str, str], Path]:
    """(task, rule) -> file of the merged run that a part has for them, with one circuit and one option.

    Args:
        folders: of the part and of its step sizes beyond an edge.
    """
    found = {}
    for one in json.loads(str(tree.attrs["runs"])):
        (path,) = [path for folder in folders for path in (folder / "runs").glob(f"*-{one['run_id']}.nc")]
        found[one["task"], one["rule"]] = path
    return found


def aligned(
    every: Mapping[tuple[str, str], Path],
    place: Path,
    workers: int = 1,
    at: tuple[int, ...] = ALIGNED_AT,
) -> xr.Dataset:
    """Gradients of every rule beside the exact ones, at weights on its own way.

    Args:
        every: (task, rule) -> file of its run.
        place: where cells are kept.
        workers: processes.
        at: updates, of those whose weights were kept.

    Returns:
        Dataset (task, rule, seed, checkpoint): :data:`GRADIENTS`, of the recurrent weights; NaN where a
        circuit diverged or the rule does not train them.
    """
    paths = {one: path for one, path in every.items() if one[1] != FLOOR}
    tasks, rules = (list(dict.fromkeys(one[axis] for one in paths)) for axis in (0, 1))
    _each(
        _aligned_task,
        [(place, {one: paths[one] for one in paths if one[0] == task}, at) for task in tasks],
        workers,
    )
    first = Run(tt.results.load_tree(next(iter(paths.values()))))
    shape = (len(tasks), len(rules), len(first.seeds), len(at))
    values = {name: np.full(shape, np.nan) for name in GRADIENTS}
    for (task, rule), path in paths.items():
        data = read(_cell("alignment", task, rule, path, at), place)
        if data is not None:
            for name in GRADIENTS:
                values[name][tasks.index(task), rules.index(rule)] = data[name].values
    dims = ("task", "rule", "seed", "checkpoint")
    return xr.Dataset(
        {name: (dims, values[name], WORDS | {"long_name": GRADIENTS[name]}) for name in GRADIENTS},
        {
            "task": named("task", tasks),
            "rule": named("rule", rules),
            "seed": ("seed", first.seeds, WORDS | {"long_name": "seed"}),
            "checkpoint": ("checkpoint", list(at), WORDS | {"long_name": "update"}),
        },
        {"num_trials": NUM_TRIALS, "block": BLOCK, "weights": "those that the rule itself came to"},
    )


def _aligned_task(given: tuple[Path, Mapping[tuple[str, str], Path], tuple[int, ...]]) -> None:
    place, paths, at = given
    for (task, rule), path in paths.items():
        cell = _cell("alignment", task, rule, path, at)
        if read(cell, place) is None:
            keep(cell, place, lambda _, path=path: alignment_of(tt.load(path), at))
            print(f"{cell.name}", flush=True)
    jax.clear_caches()


class Kept(NamedTuple):
    """Weights that a run kept at an update that is asked for, and those it kept next.

    Attributes:
        place: of the seed and the update. seed: label. at: place of the checkpoint.
        params, later: parameters at this and at the next checkpoint.
    """

    place: tuple[int, int]
    seed: int
    at: int
    params: dict[str, np.ndarray]
    later: dict[str, np.ndarray]


def kept_at(run: Run, updates: Sequence[int]) -> Iterator[Kept]:
    """Finite weights of all seeds at these updates; not those of a seed that diverged before."""
    checkpoints = run.tree["checkpoints"]["checkpoint_update"].values
    for row, seed in enumerate(run.seeds):
        kept = checkpoints[row].tolist()
        for column, update in enumerate(updates):
            if update not in kept[:-1]:
                continue
            at = kept.index(update)
            params, later = run.params(seed, at), run.params(seed, at + 1)
            if all(np.isfinite(value).all() for value in (*params.values(), *later.values())):
                yield Kept((row, column), seed, at, params, later)


def alignment_of(run: Run, updates: tuple[int, ...] = ALIGNED_AT) -> xr.Dataset:
    """:data:`GRADIENTS` (seed, checkpoint) of a run with kept checkpoints."""
    trials = jax.vmap(run.task.trial)(jax.random.split(jax.random.key(0), NUM_TRIALS))
    found = {name: np.full((len(run.seeds), len(updates)), np.nan) for name in GRADIENTS}
    for one in kept_at(run, updates):
        exact = exact_gradient(run.circuit, one.params, trials)[BLOCK]
        if not np.isfinite(exact).all():
            continue
        state = run.rule_state(one.seed, one.at)
        try:
            data = tt.compare_gradients(
                run.circuit, one.params, trials, {"rule": run.rule}, key=jax.random.key(1),
                learning_rate=TINY, states={"rule": state} if state else None,
            ).isel(rule=0)  # fmt: skip
        except ValueError as refused:  # gradients so large that even a tiny step leaves finite numbers
            print(f"seed {one.seed}, update {updates[one.place[1]]}: {refused}", flush=True)
            continue
        data = data.isel(block=labels(data["block"]).index(BLOCK))
        for name in ("cosine", "norm_ratio", "bias", "relative_variance"):
            found[name][one.place] = data[name]
        way = (one.params[BLOCK] - one.later[BLOCK]).astype(float)
        found["displacement_cosine"][one.place] = _cosine(way, exact)
        found["gradient_norm"][one.place] = np.linalg.norm(exact)
    return xr.Dataset({name: (("seed", "checkpoint"), value) for name, value in found.items()})


def exact_gradient(circuit: Any, params: Mapping[str, np.ndarray], trials: Any) -> dict[str, np.ndarray]:
    """Gradient of the squared error, noise of the circuit left out, in float64."""
    quiet = dataclasses.replace(circuit, noise_sd=0.0)
    with jax.enable_x64(True):
        _, gradient = loss_and_gradient(quiet, SquaredError(), double(dict(params)), double(trials))
    return {name: np.asarray(value) for name, value in gradient.items()}


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float((one * other).sum() / size) if size > 0 else np.nan


MATCHED = {
    "reached": "whether the circuit is at the level, and stays there, from a kept checkpoint on",
    "reached_at": "update of that checkpoint; −1 where the level is not reached",
    "loss": "loss there",
    "angle": "shape distance from the circuit of BPTT with the same seed at the same level",
    "cka": "CKA with the circuit of BPTT with the same seed at the same level",
    "null_angle": "shape distance from the circuits of BPTT with other seeds at the same level, mean",
    "null_cka": "CKA with the circuits of BPTT with other seeds at the same level, mean",
    "participation_ratio": "participation ratio",
    "relative_change": "change of the recurrent weights over their norm at the start",
}  # fmt: skip


def matched(
    every: Mapping[tuple[str, str], Path],
    place: Path,
    levels: Mapping[str, Sequence[float]],
    workers: int = 1,
) -> xr.Dataset:
    """Circuits of every rule at equal loss: at the first kept checkpoint from which on a level holds.

    A level holds at an update if the median of five records of the loss around it is not above; it holds from
    there on if it does so at every later kept checkpoint. Pairs are compared where both circuits reached the
    level, by noise-free rates in held-out trials.

    Args:
        levels: task -> losses, from high to low; other arguments as for :func:`aligned`.

    Returns:
        Dataset (task, rule, seed, condition); conditions are levels: :data:`MATCHED`.
    """
    paths = {one: path for one, path in every.items() if one[0] in levels}
    tasks, rules = (list(dict.fromkeys(one[axis] for one in paths)) for axis in (0, 1))
    given = [
        (
            place,
            task,
            {rule: paths[task, rule] for rule in rules if (task, rule) in paths},
            tuple(levels[task]),
        )
        for task in tasks
    ]
    _each(_matched_task, [one for one in given if BPTT in one[2]], workers)
    first = Run(tt.results.load_tree(next(iter(paths.values()))))
    most = max(len(levels[task]) for task in tasks)
    shape = (len(tasks), len(rules), len(first.seeds), most)
    values = {name: np.full(shape, np.nan) for name in MATCHED}
    heights = np.full((len(tasks), most), np.nan)
    for row, one in enumerate(given):
        heights[row, : len(one[3])] = one[3]
        data = read(_matched_cell(*one[1:]), place) if BPTT in one[2] else None
        if data is not None:
            for column, rule in enumerate(one[2]):
                for name in MATCHED:
                    values[name][row, rules.index(rule)] = data[name].values[column]
    dims = ("task", "rule", "seed", "condition")
    units = {"angle": "rad", "null_angle": "rad"}
    words = {name: {"units": units.get(name, "1"), "long_name": MATCHED[name]} for name in MATCHED}
    return xr.Dataset(
        {name: (dims, values[name], words[name]) for name in MATCHED}
        | {"height": (("task", "condition"), heights, WORDS | {"long_name": "loss of the level"})},
        {
            "task": named("task", tasks),
            "rule": named("rule", rules),
            "seed": ("seed", first.seeds, WORDS | {"long_name": "seed"}),
            "condition": ("condition", range(most), WORDS | {"long_name": "level, from the highest loss"}),
        },
        {"records_around": RECORDS_AROUND},
    )


def _matched_task(given: tuple[Path, str, Mapping[str, Path], tuple[float, ...]]) -> None:
    place, task, paths, levels = given
    cell = _matched_cell(task, paths, levels)
    if read(cell, place) is None:
        with single_threaded():  # many small decompositions, each slower with more
            keep(
                cell,
                place,
                lambda _: matched_of({rule: tt.load(path) for rule, path in paths.items()}, levels),
            )
        print(f"{cell.name}", flush=True)
    jax.clear_caches()


def reached_from(loss: np.ndarray, updates: np.ndarray, kept: Sequence[int], level: float) -> int | None:
    """Place of the first kept checkpoint from which on the level holds, that before training left out."""
    half = RECORDS_AROUND // 2
    holds = []
    for update in kept:
        near = int(np.abs(updates - update).argmin())
        around = loss[max(0, near - half) : near + half + 1]
        holds.append(bool(np.median(around) <= level) and update > 0)
    lasting = np.logical_and.accumulate(holds[::-1])[::-1]
    return int(np.argmax(lasting)) if lasting.any() else None


def matched_of(runs: Mapping[str, Run], levels: Sequence[float]) -> xr.Dataset:
    """:data:`MATCHED` (rule, seed, condition) of the runs of one task."""
    first = runs[BPTT]
    seeds = first.seeds
    probe = Probe(first.task, first.circuit, SquaredError(), data_seed=seeds[0], num_trials=64)
    trial, time = probe.samples
    shape = (len(runs), len(seeds), len(levels))
    found = {name: np.full(shape, np.nan) for name in MATCHED}
    found["reached"][:], found["reached_at"][:] = 0, -1
    rates: dict[tuple[int, int, int], np.ndarray] = {}
    known: dict[tuple[int, int, int], np.ndarray] = {}
    for column, run in enumerate(runs.values()):
        training = run.tree["training"].to_dataset()
        updates = training["update"].values
        kept = run.tree["checkpoints"]["checkpoint_update"].values
        for row, seed in enumerate(seeds):
            loss = training["loss"].values[row]
            for number, level in enumerate(levels):
                at = reached_from(loss, updates, kept[row].tolist(), level)
                if at is None:
                    continue
                params = run.params(seed, at)
                if (column, row, at) not in known:
                    known[column, row, at] = probe.activity(params).rates[trial, time]
                one = rates[column, row, number] = known[column, row, at]
                start = run.params(seed, 0)[BLOCK]
                found["reached"][column, row, number] = 1
                found["reached_at"][column, row, number] = kept[row, at]
                found["loss"][column, row, number] = loss[np.abs(updates - kept[row, at]).argmin()]
                found["participation_ratio"][column, row, number] = dimensionality(one).participation_ratio
                change = np.linalg.norm(params[BLOCK] - start) / np.linalg.norm(start)
                found["relative_change"][column, row, number] = change
    base = list(runs).index(BPTT)
    for (column, row, number), one in rates.items():
        others = [rates[key] for key in rates if key[0] == base and key[2] == number and key[1] != row]
        same = rates.get((base, row, number))
        if same is not None and column != base:
            found["angle"][column, row, number] = shape_distance(one, same).angle
            found["cka"][column, row, number] = cka(one, same).cka
        if others:
            found["null_angle"][column, row, number] = np.mean([shape_distance(one, x).angle for x in others])
            found["null_cka"][column, row, number] = np.mean([cka(one, x).cka for x in others])
    return xr.Dataset({name: (("rule", "seed", "condition"), value) for name, value in found.items()})


def along_tasks(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Datasets of several parts as one, task after task."""
    names = [name for one in parts for name in labels(one["task"])]
    bare = [one.drop_vars("task") for one in parts]
    return xr.concat(bare, "task", combine_attrs="override").assign_coords(task=named("task", names))


def _cell(what: str, task: str, rule: str, path: Path, at: tuple[int, ...]) -> Cell:
    declared = {"run": path.stem, "at": list(at), "num_trials": NUM_TRIALS, "block": BLOCK}
    return Cell((what, task, rule), declared)


def _matched_cell(task: str, paths: Mapping[str, Path], levels: tuple[float, ...]) -> Cell:
    declared = {
        "runs": {rule: path.stem for rule, path in paths.items()}, "levels": list(levels),
        "measured": list(MATCHED),
    }  # fmt: skip
    return Cell(("matched", task), declared)


def named(axis: str, names: Sequence[str]) -> tuple[str, Any, dict[str, Any]]:
    return (axis, range(len(names)), WORDS | {"long_name": axis} | flag_attributes(names))


def _each(work: Any, given: Sequence[Any], workers: int) -> None:
    """Do all of it, in as many processes as there are workers."""
    if workers < 2:
        for one in given:
            work(one)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        for _ in pool.map(work, given):
            pass
