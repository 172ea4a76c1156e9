"""Tables of the study of rules, read off its record when the manual is built."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from markup import table

from throughtime.analysis.arrays.accuracy import wilson_interval
from throughtime.cli.scripts import imported
from throughtime.results import labels, load_tree

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "evidence" / "rules_on_tasks.nc"
VARIED = {
    "frozen-readout": "readout frozen", "slow-readout": "readout 10 times slower", "adam": "Adam",
    "batch-1": "batch of 1", "batch-64": "batch of 64",
}  # fmt: skip
RUNGS = ("hard", "middle", "easy")


def rules_part() -> str:
    """Runs that met the criterion, arm by arm and ladder by ladder, from the hardest rung."""
    tree = load_tree(RECORD)
    with imported(ROOT / "figures" / "rules_on_tasks.py") as figure:
        found = tree["longest"].to_dataset()
        met, kept = figure.runs(tree, found)
        arms_of = importlib.import_module("_arms")
        heads = [arms_of.short_of(name) for name in labels(found["task"])]
        groups = [(word, group.arms) for word, group in arms_of.GROUPS.items()]
    rules = labels(found["rule"])
    lines = []
    for word, rule, arm in ((word, *item) for word, arms in groups for item in arms.items()):
        one = met[:, rules.index(rule)]
        number, run = int(np.nansum(one)), int(np.isfinite(one).sum())
        low, high = (float(bound) for bound in wilson_interval(np.array(number), np.array(run)))
        cells = [_ladder(task) for task in one]
        total = f"{number}/{run} ({low:.2f} to {high:.2f})"
        stayed = int(np.nansum(kept[:, rules.index(rule)]))
        lines.append((word.removesuffix(" feedback"), arm.name, total, str(stayed), *cells))
    return table(("feedback", "transport", "met", "kept", *heads), lines)


def _ladder(values: np.ndarray) -> str:
    """Seeds at the criterion, rung by rung."""
    rungs = [one for one in values if np.isfinite(one).any()]
    return ", ".join(f"{int(np.nansum(one))}/{int(np.isfinite(one).sum())}" for one in rungs)


def varied_part() -> str:
    """Seeds at the criterion and median score where something else than the rule is varied."""
    tree = load_tree(RECORD)
    parts = [tree[name]["outcomes"].to_dataset() for name in ("readout", "optimizer", "batch")]
    rules, tasks = labels(parts[0]["rule"]), labels(parts[0]["task"])
    lines = []
    for task in tasks:
        declared = next(tree[name]["outcomes"].to_dataset() for name in RUNGS if task in _tasks(tree, name))
        for rule in rules:
            cells = [_count(declared, task, rule, 0)]
            for option in VARIED:
                data = next(one for one in parts if option in labels(one["option"]))
                cells.append(_count(data, task, rule, labels(data["option"]).index(option)))
            lines.append((task, rule, *cells))
    return table(("task", "arm", "as declared", *VARIED.values()), lines)


def _tasks(tree: Any, name: str) -> list[str]:
    return labels(tree[name]["outcomes"]["task"]) if name in tree.children else []


def _count(data: xr.Dataset, task: str, rule: str, option: int) -> str:
    one = data.isel(
        task=labels(data["task"]).index(task), rule=labels(data["rule"]).index(rule), circuit=0, option=option
    )
    run = one["status"].values < 4
    score = float(np.nanmedian(one["final_score"].values[run]))
    return f"{int((one['criterion_update'].values[run] >= 0).sum())}/{int(run.sum())}, {score:.2f}"
