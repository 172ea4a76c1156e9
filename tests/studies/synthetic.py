"""Combined records of studies that never ran: random numbers in the format of ``studies.record``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from throughtime.results.flags import flag_attributes
from throughtime.results.schema import attributes
from throughtime.studies import record
from throughtime.studies.record import (
    AXES,
    DIVERGED,
    EXHAUSTED,
    FAILED,
    NEVER,
    NOT_RUN,
    REACHED,
    REFUSED,
    Frame,
)

BATCH = 16


def synthetic_study(
    *,
    tasks: Sequence[str] = ("cue-set-go", "decision"),
    circuits: Sequence[str] = ("small",),
    rules: Sequence[str] = ("bptt", "rflo", "uoro", "force"),
    options: Sequence[str] = ("default",),
    num_seeds: int = 6,
    num_updates: int = 400,
    every: int = 20,
    conditions: Sequence[str] = ("longer",),
    measures: bool = True,
    distances: bool = True,
    random_seed: int = 0,
) -> xr.DataTree:
    """A study in which later rules learn more slowly and end lower.

    In the first task the last seed of the last rule failed in its cell (if there are three seeds or more).
    The last combination of the last task is refused, if there is more than one rule. Under the rule ``uoro``
    the second seed diverges half way.
    """
    frame = Frame(
        dict(zip(AXES, map(tuple, (tasks, circuits, rules, options)), strict=True)), tuple(range(num_seeds))
    )
    draw = np.random.default_rng(random_seed)
    update = np.arange(every, num_updates + 1, every)
    curve = {name: np.full((*frame.shape(), update.size), np.nan) for name in record.CURVES}
    found = {name: frame.empty(name) for name in record.OUTCOMES}
    for place in product(*map(range, frame.shape())):
        _train(found, curve, place, frame, update, draw)
    failures, refused = [], []
    failed = (0, 0, len(rules) - 1, 0, num_seeds - 1)
    if num_seeds >= 3:
        _lose(found, curve, failed, FAILED)
        failures.append(
            _told(frame, failed[:4], failed[4:], "RuntimeError: the feedback matrix is <singular> & empty")
        )
    if len(rules) > 1:
        place = (len(tasks) - 1, len(circuits) - 1, len(rules) - 1, len(options) - 1)
        for seed in range(num_seeds):
            _lose(found, curve, (*place, seed), REFUSED)
        refused.append(
            _told(
                frame, place, range(num_seeds), "force: the readout of this circuit has no output feedback."
            )
        )
    status = found["status"]
    present = status < FAILED
    groups = {
        "/outcomes": record.outcomes(frame, found, np.full(frame.shape(seeds=False), 1e-3)),
        "/curves": record.curves(frame, update, curve),
    }
    if conditions:
        lower = draw.uniform(0.0, 0.2, (*frame.shape(), len(conditions)))
        groups["/evaluations"] = record.evaluations(
            frame, conditions, np.where(present, found["final_score"], np.nan)[..., None] - lower
        )
    if measures:
        value = np.where(present, draw.gamma(4.0, 1.0, frame.shape()), np.nan)
        dims = (*AXES, "seed")
        named = {"participation_ratio": (dims, value, attributes("participation_ratio"))}
        groups["/measures"] = xr.Dataset()
        groups["/measures/dimensionality"] = xr.Dataset(named, frame.coordinates())
    if distances:
        groups["/distances"] = _distances(frame, draw)
    runs = [
        {**dict(zip(AXES, names, strict=True)), "run_id": f"{number:016x}"}
        for number, names in enumerate(product(*(frame.names[axis] for axis in AXES)))
    ]
    declaration = {
        "name": "synthetic", "tasks": list(tasks), "circuits": list(circuits), "rules": list(rules),
        "options": list(options), "seeds": list(frame.seeds), "training": {"num_updates": num_updates},
    }  # fmt: skip
    attrs = record.root(
        declaration, name="synthetic", status=status, runs=runs, failures=failures, refused=refused
    )
    return record.tree(attrs, groups)


def _train(
    found: dict[str, np.ndarray],
    curve: dict[str, np.ndarray],
    place: tuple[int, ...],
    frame: Frame,
    update: np.ndarray,
    draw: np.random.Generator,
) -> None:
    """One seed: an exponential approach with noise, stopped where it diverges."""
    rule = place[2]
    slow = 60.0 * (1 + rule) * draw.uniform(0.7, 1.4) * (1 + 0.3 * place[0])
    best = 1.0 - 0.08 * rule + draw.normal(0, 0.01)
    score = best * (1 - np.exp(-update / slow)) + draw.normal(0, 0.01, update.size)
    loss = 0.02 + np.exp(-update / slow) * draw.lognormal(0, 0.1, update.size)
    last = update.size
    diverges = frame.names["rule"][rule] == "uoro" and place[-1] == 1
    if diverges:
        last = update.size // 2
    curve["loss"][place][:last] = loss[:last]
    curve["score"][place][1:last:2] = score[1:last:2]
    curve["gradient_norm"][place][:last] = np.sqrt(loss[:last])
    curve["clipped_fraction"][place][:last] = 0.0
    above = np.flatnonzero(score > 0.8)
    reached = int(update[above[0]]) if above.size and not diverges else NEVER
    made = int(update[last - 1]) + (5 if diverges else 0)
    values: dict[str, Any] = {
        "status": DIVERGED if diverges else REACHED if reached != NEVER else EXHAUSTED,
        "criterion_update": reached,
        "diverged_update": made if diverges else NEVER,
        "num_updates": made,
        "trials_seen": BATCH * made,
        "forward_passes": BATCH * made,
        "final_loss": np.nan if diverges else loss[-1],
        "final_score": np.nan if diverges else score[-1],
        "wall_time": 1000.0 * draw.uniform(1, 3),
    }
    for name, value in values.items():
        found[name][place] = value


def _lose(
    found: dict[str, np.ndarray], curve: dict[str, np.ndarray], place: tuple[int, ...], status: int
) -> None:
    for name, (_, fill, _, _) in record.OUTCOMES.items():
        found[name][place] = status if name == "status" else fill
    for values in curve.values():
        values[place] = np.nan


def _told(frame: Frame, place: Sequence[int], seeds: Sequence[int], reason: str) -> dict[str, Any]:
    names = {axis: frame.names[axis][index] for axis, index in zip(AXES, place, strict=True)}
    return {**names, "seeds": [frame.seeds[seed] for seed in seeds], "reason": reason}


def _distances(frame: Frame, draw: np.random.Generator) -> xr.Dataset:
    """Every circuit of the first seeds against every other, nearer within a rule."""
    rules, most = frame.names["rule"], frame.seeds[:3]
    label = np.repeat(np.arange(len(rules)), len(most))
    where = draw.normal(size=(label.size, 3)) + 2.0 * label[:, None]
    value = np.stack([np.linalg.norm(where[:, None] - where[None], axis=-1)] * len(frame.names["task"]))
    runs = np.arange(label.size)
    return xr.Dataset(
        {
            "distance": (
                ("task", "run", "other_run"),
                value,
                {"units": "rad", "long_name": "shape distance"},
            ),
            "label": ("run", label, attributes("label", **flag_attributes(rules))),
            "replicate": ("run", np.tile(most, len(rules)), attributes("replicate", long_name="seed")),
        },
        {
            "task": frame.coordinates()["task"],
            "run": ("run", runs, attributes("run")),
            "other_run": ("other_run", runs, attributes("other_run")),
        },
    )


def empty_study(status: int = NOT_RUN) -> xr.DataTree:
    """A study of which no seed was trained: all are of one status."""
    frame = Frame(
        {"task": ("a",), "circuit": ("c",), "rule": ("bptt", "rflo"), "option": ("default",)}, (0, 1)
    )
    found = {name: frame.empty(name) for name in record.OUTCOMES}
    found["status"][:] = status
    told = [
        _told(frame, (0, 0, rule, 0), range(2), "ValueError: it never began") for rule in range(2)
    ]  # fmt: skip
    where = {FAILED: "failures", REFUSED: "refused", NOT_RUN: "not_run"}[status]
    rate = np.full(frame.shape(seeds=False), np.nan)
    attrs = record.root({"name": "empty"}, name="empty", status=found["status"], **{where: told})
    return record.tree(attrs, {"/outcomes": record.outcomes(frame, found, rate)})
