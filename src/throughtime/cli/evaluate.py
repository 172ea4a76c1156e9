"""``throughtime evaluate``: held-out trials of a saved run."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import throughtime.runtime  # noqa: F401  (settings JAX reads when it is imported)
from throughtime import analysis, api, config, results
from throughtime.analysis.fits import fit
from throughtime.cli import given, output, text
from throughtime.results.provenance import library_attributes, strip_paths

if TYPE_CHECKING:
    from throughtime.cli.given import Given
    from throughtime.cli.options import Evaluate
    from throughtime.results import Run

NUM_LEVELS = 6


def evaluate(options: Evaluate, fields: Given, words: list[str]) -> int:
    """Evaluate, print scores and fits, and save the trials if asked to.

    Raises:
        Refusal, ValueError: for a file that is no run, settings the task refuses, or an impossible output.
    """
    if options.out is not None:
        output.check_suffix(options.out)
        output.check_folder(options.out, "--out")
    run = results.load(options.result)
    changes = given.read(
        type(run.task), "task", fields.get("task", {}), f"throughtime list tasks {run.tree.attrs['task']}"
    )
    task = dataclasses.replace(run.task, **changes)
    data = api.evaluate(
        run, options.num_trials, task=task, checkpoint=options.checkpoint, purpose=options.purpose
    )
    print(report(run, task, data))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        asked = {name: getattr(options, name) for name in ("num_trials", "checkpoint", "purpose")}
        tree = analysis_tree(run, data, {"evaluation": asked, "task": task}, words)
        print(f"saved: {results.save(tree, options.out, overwrite=options.overwrite)}")
    return 0


def report(run: Run, task: Any, data: xr.Dataset) -> str:
    """Scores of every seed, the fit of its behaviour, and accuracy by condition, as text."""
    conditions = {name: _variable(data, name, "condition") for name in task.condition_names}
    taken = {variable.name for variable in conditions.values()}
    scores = {
        str(name): variable
        for name, variable in data.data_vars.items()
        if variable.dims == ("seed", "trial") and name not in taken
    }
    kept = ~conditions["catch"].astype(bool) if "catch" in conditions else xr.ones_like(data["correct"], bool)
    seeds = [str(seed) for seed in data["seed"].values]
    lines = [f"{run!r}", f"{data.sizes['trial']} held-out trials per seed", ""]
    means = [
        [name, *map(text.number, np.asarray(variable.where(kept).mean("trial")))]
        for name, variable in scores.items()
    ]
    fitted = [
        fit(
            task.signature,
            {name: variable.values[index] for name, variable in scores.items()},
            {name: variable.values[index] for name, variable in conditions.items()},
        )
        for index in range(len(seeds))
    ]
    fits = [[name, *(text.number(one[name]) for one in fitted)] for name in fitted[0]]
    lines.append(text.columns([["mean score, seed", *seeds], *means]))
    lines += ["", text.columns([[f"fit ({task.signature.fit}), seed", *seeds], *fits])]
    lines += _by_condition(data, conditions, kept, seeds)
    return "\n".join(lines)


def analysis_tree(run: Run, data: xr.Dataset, settings: dict[str, Any], words: list[str]) -> xr.DataTree:
    """A tree of kind ``analysis`` with the trials in ``/evaluation`` and the run it came from."""
    digest = config.sha256(settings)
    attributes = {
        **library_attributes("analysis"),
        "parent_run": run.tree.attrs["run_id"],
        "run_id": digest[:16],
        "config": config.canonical(settings),
        "config_sha256": digest,
        "command": strip_paths(shlex.join(["throughtime", *words])),
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attributes), "/evaluation": data})


def _variable(data: xr.Dataset, name: str, kind: str) -> xr.DataArray:
    """A condition or score under the name the dataset gives it."""
    return data[f"{name}_{kind}"] if f"{name}_{kind}" in data else data[name]


def _by_condition(
    data: xr.Dataset, conditions: dict[str, xr.DataArray], kept: xr.DataArray, seeds: list[str]
) -> list[str]:
    """Tables of accuracy by the levels of each condition; conditions that group the trials alike once."""
    lines: list[str] = []
    shown: set[bytes] = set()
    for name, values in conditions.items():
        use = kept & np.isfinite(values)
        groups = np.unique(values.where(use), return_inverse=True)[1].tobytes()
        if groups in shown or np.unique(values.values[use.values]).size < 2:
            continue
        shown.add(groups)
        found = analysis.accuracy(values, data["correct"], where=use, num_bins=NUM_LEVELS)
        level = found["level"].mean("seed").values
        rows = [
            [
                text.number(level[index]),
                *map(text.number, found["fraction_correct"].isel(condition=index).values),
            ]
            for index in range(level.size)
        ]
        units = values.attrs.get("units", "1")
        head = name if units == "1" else f"{name} ({units})"
        lines += ["", text.columns([[f"correct by {head}, seed", *seeds], *rows])]
    return lines
