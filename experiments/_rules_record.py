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
from throughtime.results import labels
from throughtime.results.flags import flag_attributes
from throughtime.results.provenance import library_attributes

LEFT_OUT = ("runs",)
"""Attributes of a part that tell where files of runs lie; the record stands without them."""


def joined(parts: Mapping[str, xr.DataTree], title: str, **more: Any) -> xr.DataTree:
    """Records of studies as one: the groups of each below its name, its root attributes with them."""
    groups: dict[str, xr.Dataset] = {}
    for name, tree in parts.items():
        told = {key: value for key, value in tree.attrs.items() if key not in LEFT_OUT}
        groups[f"/{name}"] = xr.Dataset(attrs=told)
        for path, node in tree.subtree_with_keys:
            if path != ".":
                groups[f"/{name}/{path}"] = node.to_dataset(inherit=False)
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


def pilot(tasks: xr.DataTree, steps: xr.DataTree, cosine: xr.Dataset) -> xr.DataTree:
    """The record of the pilots."""
    tree = joined({"tasks": tasks, "steps": steps}, "Pilots of the study of rules on tasks")
    tree["alignment"] = xr.DataTree(cosine)
    tree.attrs["name"] = f"{NAME}-pilot"
    return tree
