"""What the study of rules on tasks writes down: its parts, and the longest memory of every arm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from _rules_plan import BPTT, LADDERS, NAME, PILOT_KEPT, PILOT_STEPS, Chosen, arms, label

import throughtime as tt
from throughtime import config
from throughtime.analysis.arrays.accuracy import wilson_interval
from throughtime.analysis.arrays.paired_statistics import paired_statistics
from throughtime.results import labels
from throughtime.results.flags import flag_attributes
from throughtime.results.provenance import library_attributes
from throughtime.studies.record import NOT_RUN

LEFT_OUT = ("runs",)
"""Attributes of a part that tell where files of runs lie; the record stands without them."""


SINGULAR = ("mode", "component")
"""Dimensions of measures that no figure and no claim needs; they are nine tenths of a part."""


def slim(tree: xr.DataTree) -> xr.DataTree:
    """A part without the spectra of its measures, the largest eigenvalue of the Hessian apart."""
    groups = {}
    for path, node in tree.subtree_with_keys:
        data = node.to_dataset(inherit=False)
        if path.startswith("measures/") and not path.endswith("/sharpness"):
            data = data.drop_dims(SINGULAR, errors="ignore")
        groups["/" if path == "." else f"/{path}"] = data
    return xr.DataTree.from_dict(groups)


def add_absent(variable: xr.DataArray) -> None:
    """Name the code −1 of a flag variable, where it holds it and has no name for it."""
    codes = np.atleast_1d(variable.attrs.get("flag_values", [])).tolist()
    if codes and -1 not in codes and (variable.values == -1).any():
        variable.attrs["flag_values"] = [-1, *codes]
        variable.attrs["flag_meanings"] = f"absent {variable.attrs['flag_meanings']}"


def padded(data: xr.Dataset, seeds: Any) -> xr.Dataset:
    """A dataset over these seeds, those that it lacks not run: all of a results file has the same seeds."""
    if "seed" not in data.dims or np.array_equal(data["seed"], seeds):
        return data
    fill = {
        name: np.nan
        if data[name].dtype.kind == "f"
        else NOT_RUN
        if "not_run" in data[name].attrs.get("flag_meanings", "")
        else -1
        for name in data.data_vars
        if "seed" in data[name].dims
    }
    bare = {name: data[name].dtype for name in data.data_vars}
    found = data.reindex(seed=np.asarray(seeds), fill_value=fill)
    for name, dtype in bare.items():
        found[name] = found[name].astype(dtype)
        add_absent(found[name])
    found["seed"].attrs = dict(data["seed"].attrs)
    return found


def joined(parts: Mapping[str, xr.DataTree], title: str, **more: Any) -> xr.DataTree:
    """Records of studies as one: the groups of each below its name, its root attributes with them.

    Parts with fewer seeds than the first are padded with seeds that were not run.
    """
    seeds = next(iter(parts.values()))["outcomes/seed"].values
    groups: dict[str, xr.Dataset] = {}
    for name, tree in parts.items():
        told = {key: value for key, value in tree.attrs.items() if key not in LEFT_OUT}
        groups[f"/{name}"] = xr.Dataset(attrs=told)
        for path, node in tree.subtree_with_keys:
            if path != ".":
                groups[f"/{name}/{path}"] = padded(node.to_dataset(inherit=False), seeds)
    digest = config.sha256({name: tree.attrs["config_sha256"] for name, tree in parts.items()})
    attrs = {**library_attributes("study"), "title": title, "config_sha256": digest, "run_id": digest[:16]}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs | more), **groups})


def part_of(record: xr.DataTree, name: str) -> xr.DataTree:
    """One part of a joined record as it was."""
    groups = {}
    for path, node in record[name].subtree_with_keys:
        groups["/" if path == "." else f"/{path}"] = node.to_dataset(inherit=False)
    return xr.DataTree.from_dict(groups)


def alignment_of_eprop(folder: Path, num_trials: int = 32) -> xr.Dataset:
    """Cosine of e-prop's recurrent gradient with the exact one, at weights on the way that BPTT goes.

    Args:
        folder: of the first pilot.
        num_trials: trials of a gradient.

    Returns:
        Dataset: ``cosine`` (task, seed, checkpoint).
    """
    record = tt.studies.combine(folder)
    outcomes = record["outcomes"].to_dataset()
    names = labels(outcomes["task"])
    seeds = outcomes["seed"].values
    found = np.full((len(names), len(seeds), len(PILOT_KEPT)), np.nan)
    for place, name in enumerate(names):
        (path,) = (folder / "runs").glob(f"{name}-base-{BPTT}-step-{PILOT_STEPS[1]:g}-*.nc")
        run = tt.load(path)
        keys = jax.random.split(jax.random.key(0), num_trials)
        trials = jax.vmap(run.task.trial)(keys)
        for row, seed in enumerate(seeds):
            for column, update in enumerate(PILOT_KEPT):
                kept = run.tree["checkpoints"]["checkpoint_update"].values[row].tolist()
                params = run.params(int(seed), kept.index(update))
                rules = {"eprop": arms()["symmetric-none"]}
                data = tt.compare_gradients(run.circuit, params, trials, rules, key=jax.random.key(1))
                block = labels(data["block"]).index("recurrent")
                rule = labels(data["rule"]).index("eprop")
                found[place, row, column] = data["cosine"].isel(rule=rule, block=block)
    words = {"units": "1"}
    return xr.Dataset(
        {
            "cosine": (
                ("task", "seed", "checkpoint"),
                found,
                words | {"long_name": "cosine of the recurrent gradients of e-prop and of BPTT"},
            )
        },
        {
            "task": ("task", range(len(names)), words | {"long_name": "task"} | flag_attributes(names)),
            "seed": ("seed", seeds, words | {"long_name": "seed"}),
            "checkpoint": ("checkpoint", list(PILOT_KEPT), words | {"long_name": "update"}),
        },
    )


def longest(parts: Mapping[str, xr.DataTree], chosen: Chosen) -> xr.Dataset:
    """The longest rung that every arm climbed with every seed, and how many seeds climbed each rung.

    Returns:
        Dataset: ``longest`` (task, rule, seed), ms, 0 where none was climbed, NaN where a rung was not run;
        ``success_rate`` (task, rule, condition) with Wilson's bounds; ``reach`` (task, condition), ms. Tasks
        are ladders; conditions count rungs from the hardest.
    """
    rules = list(chosen.arms())
    ladders = list(chosen.rungs)
    levels = range(max(len(rungs) for rungs in chosen.rungs.values()))
    first = next(iter(parts.values()))["outcomes"].to_dataset()
    seeds = first["seed"].values
    reached = np.full((len(ladders), len(rules), len(levels), len(seeds)), np.nan)
    reach = np.full((len(ladders), len(levels)), np.nan)
    for row, name in enumerate(ladders):
        for level, rung in enumerate(chosen.rungs[name]):
            reach[row, level] = LADDERS[name].reach[rung]
            for tree in parts.values():
                outcomes = tree["outcomes"].to_dataset()
                tasks = labels(outcomes["task"])
                if label(name, rung) not in tasks:
                    continue
                one = outcomes.isel(task=tasks.index(label(name, rung)), circuit=0, option=0)
                run = one["status"].values < 4  # not refused, and run
                climbed = np.where(run, one["criterion_update"].values >= 0, np.nan)
                for place, rule in enumerate(labels(outcomes["rule"])):
                    reached[row, rules.index(rule), level] = climbed[place]
    known = np.isfinite(reached)
    times = np.where(reached == 1, reach[:, None, :, None], 0.0).max(2)
    asked = np.isfinite(reach)[:, None, :, None]
    times = np.where((known | ~asked).all(2), times, np.nan)
    number, climbed = known.sum(-1), np.nansum(reached, -1)
    run = number > 0
    rate = np.full((3, *number.shape), np.nan)
    lower, upper = wilson_interval(climbed[run], number[run])
    rate[:, run] = climbed[run] / number[run], lower, upper
    words = {"units": "1"}
    dims = ("task", "rule", "condition")
    return xr.Dataset(
        {
            "longest": (
                ("task", "rule", "seed"), times, {"units": "ms", "long_name": "longest memory learned"},
            ),
            "reach": (
                ("task", "condition"), reach, {"units": "ms", "long_name": "memory that a rung asks for"},
            ),
            "num_seeds": (dims, number, words | {"long_name": "seeds that were run"}),
            "success_rate": (dims, rate[0], words | {"long_name": "seeds that reached the criterion"}),
            "success_rate_lower": (dims, rate[1], words | {"long_name": "lower bound, Wilson 95 %"}),
            "success_rate_upper": (dims, rate[2], words | {"long_name": "upper bound, Wilson 95 %"}),
        },
        {
            "task": ("task", range(len(ladders)), words | {"long_name": "task"} | flag_attributes(ladders)),
            "rule": ("rule", range(len(rules)), words | {"long_name": "rule"} | flag_attributes(rules)),
            "condition": ("condition", list(levels), words | {"long_name": "rung, from the hardest"}),
            "seed": ("seed", seeds, words | {"long_name": "seed"}),
        },
    )  # fmt: skip


def across_tasks(found: xr.Dataset) -> xr.Dataset:
    """Arms, and groups of arms, beside each other with tasks as replicates.

    The value of an arm on a task is the mean over seeds of the longest memory, as a fraction of the hardest
    rung; a task on which an arm was not run with every rung is left out for all.

    - ``exact−none``: the one comparison that was planned, transport of credit by the exact recursion against
      none, the mean of both feedbacks. It has a p value: sign flips of whole tasks.
    - ``symmetric−random``: feedback, the mean of all transports; and every arm against BPTT. These have
      effects and intervals; a p value after Holm's correction is out of reach with so few tasks.

    Args:
        found: of :func:`longest`.

    Returns:
        Dataset: ``mean_difference`` (pair), its bounds (bootstrap over tasks), ``p``, ``num_tasks``;
        ``value`` (task, rule).
    """
    rules = labels(found["rule"])
    value = (found["longest"].mean("seed", skipna=False) / found["reach"].max("condition")).transpose(
        "task", "rule"
    )
    whole = value.notnull().all("rule").values
    numbers = value.values[whole]

    def mean(feedbacks: tuple[str, ...], transports: tuple[str, ...]) -> np.ndarray:
        picked = [rules.index(f"{one}-{other}") for one in feedbacks for other in transports]
        return np.asarray(numbers[:, picked].mean(1))

    both, every = ("symmetric", "random"), ("exact", "none", "hop", "modprop", "random")
    pairs = {
        "exact−none": (mean(both, ("exact",)), mean(both, ("none",))),
        "symmetric−random": (mean(("symmetric",), every), mean(("random",), every)),
    }
    for rule in rules:
        if rule != BPTT:
            pairs[f"{rule}−{BPTT}"] = (numbers[:, rules.index(rule)], numbers[:, rules.index(BPTT)])
    rows = np.full((len(pairs), 4), np.nan)
    for row, (first, second) in enumerate(pairs.values()):
        rows[row, 0] = (first - second).mean() if len(first) else np.nan
        if len(first) > 2 and np.any(first != second):
            tested = paired_statistics(first, second, family_size=1 if row == 0 else len(pairs))
            rows[row, 1:3], rows[row, 3] = tested.interval, tested.p
    words = {"units": "1"}
    names = ("mean_difference", "mean_difference_lower", "mean_difference_upper", "p")
    told = ("difference", "lower bound, 95 %", "upper bound, 95 %", "p of sign flips over tasks")
    return xr.Dataset(
        {
            **{
                name: ("pair", rows[:, column], words | {"long_name": told[column]})
                for column, name in enumerate(names)
            },
            "value": (
                ("task", "rule"), value.values,
                words | {"long_name": "longest memory, fraction of the hardest rung, mean over seeds"},
            ),
            "num_tasks": ((), int(whole.sum()), words | {"long_name": "tasks with every rung"}),
        },
        {
            "pair": (
                "pair", range(len(pairs)),
                words | {"long_name": "first − second"} | flag_attributes(list(pairs)),
            ),
            "task": found["task"],
            "rule": found["rule"],
        },
    )  # fmt: skip


def pilot(tasks: xr.DataTree, steps: xr.DataTree, cosine: xr.Dataset) -> xr.DataTree:
    """The record of the pilots."""
    tree = joined({"tasks": tasks, "steps": steps}, "Pilots of the study of rules on tasks")
    tree["alignment"] = xr.DataTree(cosine)
    tree.attrs["name"] = f"{NAME}-pilot"
    return tree
