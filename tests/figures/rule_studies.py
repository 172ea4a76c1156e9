"""A record of learning rules on tasks that no circuit was trained for: plausible outcomes to draw."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import xarray as xr

from throughtime.cli.scripts import imported
from throughtime.studies import record

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "rules_on_tasks.py"):
    plan = importlib.import_module("_rules_plan")
    written = importlib.import_module("_rules_record")

UPDATES = np.arange(50, 2001, 50)
RUNGS = {
    "match": ("4000", "3000"), "estimation": ("1000", "500"), "go-no-go": ("2000", "1500", "1000"),
    "evidence": ("2500", "2000", "1500"), "cue-set-go": ("2800", "1400", "1100"), "ready-set-go": ("short",),
}  # fmt: skip
CHOSEN = plan.Chosen(RUNGS, {}, mu=0.25, sigma=0.1, cosine=0.5)
ABLE = {"exact": 0.6, "rotated": 0.8, "perturbation": 0.4, "readout": 0.0, "": 0.1}
"""Part of a rule's name -> its chance to learn the hardest rung."""


def part(level: int, num_seeds: int) -> xr.DataTree:
    """One rung of every ladder that has it.

    Scores rise to the criterion, and with random feedback swing about it. One seed diverges. Of the easiest
    rung the last seed was not run, and no seed with a readout alone.
    """
    g = np.random.default_rng(level)
    tasks = [plan.label(name, rungs[level]) for name, rungs in RUNGS.items() if level < len(rungs)]
    rules = list(CHOSEN.arms())
    names = {"task": tuple(tasks), "circuit": ("base",), "rule": tuple(rules), "option": ("default",)}
    frame = record.Frame(names, tuple(range(num_seeds)))
    shape = frame.shape()
    able = np.array([next(chance for name, chance in ABLE.items() if name in rule) for rule in rules])
    learns = g.random(shape) < (able * (1 + level))[:, None, None]
    swing = np.array([0.01 + 0.1 * rule.startswith("random") for rule in rules])[:, None, None, None]
    rise = 1 / (1 + np.exp((g.uniform(300, 1500, shape)[..., None] - UPDATES) / 100))
    noise = swing * rise * g.standard_normal((*shape, len(UPDATES)))
    score = (0.5 + 0.5 * learns[..., None] * rise + noise).clip(0, 1)
    curves = {"score": score, "loss": 1.01 - score + 0.05 * g.random(score.shape)}

    diverged, absent = np.zeros(shape, bool), np.zeros(shape, bool)
    diverged[0, 0, rules.index("random-none"), 0, 0] = True
    if level == 2:
        absent[..., -1] = absent[:, :, rules.index("readout-only")] = True
    for values in curves.values():
        values[diverged, len(UPDATES) // 2 :] = np.nan
        values[absent] = np.nan
    met = score >= 0.95
    reached = met.any(-1)
    outcomes = {name: frame.empty(name) for name in record.OUTCOMES}
    outcomes |= {
        "status": np.select(
            [absent, diverged, reached], [record.NOT_RUN, record.DIVERGED, record.REACHED], record.EXHAUSTED
        ),
        "criterion_update": np.where(reached, UPDATES[met.argmax(-1)], record.NEVER),
        "num_updates": np.where(absent, 0, UPDATES[-1]),
        "trials_seen": np.where(absent, 0, plan.BATCH * UPDATES[-1]),
    }
    rates = np.full(frame.shape(seeds=False), 0.003)
    groups = {
        "/outcomes": record.outcomes(frame, outcomes, rates),
        "/curves": record.curves(frame, UPDATES, curves),
    }
    return xr.DataTree.from_dict(groups)


def rules_on_tasks(num_seeds: int = 4, *ignored: int) -> xr.DataTree:
    """The groups of ``evidence/rules_on_tasks.nc`` that its figure draws, the easiest rungs partly run."""
    parts = {name: part(level, num_seeds) for level, name in enumerate(("hard", "middle", "easy"))}
    groups = {f"/{name}/{path}": tree[path].to_dataset() for name, tree in parts.items() for path in tree}
    return xr.DataTree.from_dict(groups | {"/longest": written.longest(parts, CHOSEN)})
