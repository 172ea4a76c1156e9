"""Which plausible rules learn what backpropagation through time learns, and how long a delay do they bridge?

The committed records are ``evidence/rules_pilot.nc`` and ``evidence/rules_on_tasks.nc``. Circuits of 64
rectified units under Dale's law (τ = 200 ms, gain 1.2) learn three tasks of working memory, a decision with a
delay and two tasks of timing, on up to three rungs of difficulty each, by rules that cross the feedback of
errors (symmetric, random) with the transport of credit across synapses (none, one hop by cell types, ModProp,
random, exact), beside node perturbation, BPTT turned to the cosine that e-prop has, and a readout alone.
Diagonal transport is nearly e-prop here (a unit's weight onto itself is one of 64): shown once, and left out.

Protocol:

- The same initial weights, trials and circuit noise for every rule at every seed; no run stops at its
  criterion, crossings are recorded.
- Stochastic gradient descent with momentum 0.9, 2000 updates of 32 trials. Gradients are clipped parameter
  by parameter at a norm of 1, and the fraction clipped is recorded. The readout learns by the delta rule with
  one step size of its own (0.03) in every arm.
- Step sizes: pilots try six configurations of every arm (step sizes, or three of them at each of two
  constants of its own: μ of ModProp, σ of node perturbation) on seeds of their own, on two tasks. Around its
  best one each arm gets five step sizes half a decade apart, sought anew for every task on two further seeds
  at half the budget; where the loss still falls at an edge, three more are tried beyond it.
- Only rungs that BPTT climbs with half of the pilot seeds or more, and a readout alone with none.
- Primary outcome: the longest memory (delay, or longest interval) learned within the budget; then the score
  on held-out trials at its end, trials and forward passes to the criterion (not reached is censored, not
  missing), and circuits compared at four levels of the loss that the pilot of BPTT fixes.
- Perturbation noise is off at tests; circuit noise is the same for all.

Parts, in the order in which they answer most: ``hard``, ``middle`` and ``easy`` rungs; then, with five of the
arms on two tasks, ``initialisation`` (gain 0.8, 1.2, 1.5 × τ 50, 100, 200 ms), ``readout`` (frozen, ten times
slower), ``optimizer`` (Adam), ``batch`` (1, 64) and ``further`` (step sizes beyond the edges of the grids;
see ``_rules_further.py``).

Each part is a study with a folder of its own: it can be stopped at any moment and goes on where it was, on
this machine or on a cluster. Records say which parts, and which of their runs, are not there.

Usage: ``python experiments/rules_on_tasks.py [--part NAME …] [--seeds N] [--out results] [--quick]
[--scheduler WHERE] [--workers N] [--limit MINUTES] [--retry-failed]``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from _rules_apart import distances, every_seed
from _rules_diagonal import diagonal
from _rules_further import SIDES, beyond, settled
from _rules_measure import ALIGNED_AT, aligned, along_tasks, matched, runs_of
from _rules_plan import (
    BPTT,
    FLOOR,
    LADDERS,
    NAME,
    Chosen,
    best_steps,
    circuit,
    demanding,
    loss_levels,
    part,
    parts,
    pilot_steps,
    pilot_tasks,
    training,
)
from _rules_record import across_tasks, alignment_of_eprop, joined, longest, padded, part_of, pilot, slim
from _rules_variance import components
from _study import Cell, keep, read

import throughtime as tt
from throughtime import runtime
from throughtime.results import files, labels

ROOT = Path(__file__).resolve().parent.parent
PILOT, RECORD = ROOT / "evidence" / "rules_pilot.nc", ROOT / "evidence" / f"{NAME}.nc"
RUNGS = ("hard", "middle", "easy")
ALIGNED, MATCHED = RUNGS[:1], RUNGS[:2]
"""Rungs with alignment measured, and those on which circuits are compared at equal loss."""
QUICK_ARMS = ("symmetric-exact", "random-none", FLOOR)
EPROP = "symmetric-none"
FURTHER = "further"
ORDER = ("pilot", *RUNGS, "initialisation", "readout", "optimizer", "batch", FURTHER)
Runner = Callable[[tt.Study], Any]


def choose(record: xr.DataTree) -> Chosen:
    """What the record of the pilots settles."""
    grids, mu, sigma = best_steps(part_of(record, "steps"))
    cosine = round(float(np.nanmean(record["alignment"]["cosine"].values)), 2)
    return Chosen(demanding(part_of(record, "tasks")), grids, mu, sigma, cosine)


def run_pilots(run: Runner, place: Path) -> xr.DataTree | None:
    """Run the pilots and write their record; None where they are not complete."""
    found = [run(study) for study in (pilot_tasks(), pilot_steps())]
    if not all(one.complete for one in found):
        return None
    tasks, steps = (one.tree for one in found)
    record = pilot(tasks, steps, alignment_of_eprop(found[0].folder))
    tt.results.save(record, place, overwrite=True)
    return record


@dataclasses.dataclass(frozen=True)
class Form:
    """What is run: the study, or a small form of it.

    Attributes:
        chosen: what was settled before.
        parts: name of a part -> what makes its study. seeds: how many they have.
        levels: task -> losses at which circuits are compared.
        record: where the record goes. suffix: of folders.
        changed: settings of its parts that are not those of the study.
        aligned_at: updates at which gradients are compared.
    """

    chosen: Chosen
    parts: dict[str, Callable[[], tt.Study]]
    levels: dict[str, tuple[float, ...]]
    record: Path
    seeds: int = 10
    suffix: str = ""
    changed: dict[str, Any] = dataclasses.field(default_factory=dict)
    aligned_at: tuple[int, ...] = ALIGNED_AT


def full(seeds: int = 10) -> Form:
    """The study as the record of the pilots settles it."""
    if not PILOT.exists():
        raise SystemExit(f"{PILOT} is not there; run the part pilot first.")
    pilots = files.load(PILOT)
    chosen = choose(pilots)
    return Form(chosen, parts(chosen, seeds), loss_levels(part_of(pilots, "tasks")), RECORD, seeds)


def small(out: Path) -> Form:
    """A few updates of three arms on one task, measured as in the study; says nothing about learning."""
    chosen = choose_quick()
    rules = chosen.arms()
    changed: dict[str, Any] = {
        "circuits": {"base": dataclasses.replace(circuit(), num_units=16)},
        "rules": {name: rules[name] for name in QUICK_ARMS},
        "training": training(num_updates=20, batch_size=8, eval_every=10, log_every=10, keep=(5, 10)),
        "measures": ("dimensionality", "weight_change", "cka", "shape_distance"),
        "measure_trials": 16,
        "test_trials": 16,
    }
    tasks = {"match-1000": LADDERS["match"].task("1000")}
    return Form(
        chosen,
        {"hard": lambda: part("hard", chosen, tasks, 2, **changed)},
        {"match-1000": (1e3,)},
        out / f"{NAME}-quick.nc",
        seeds=2,
        suffix="-quick",
        changed=changed,
        aligned_at=(5, 10),
    )


def choose_quick() -> Chosen:
    """Constants of the quick form; its grid is so high that there is something below it."""
    return Chosen(
        {"match": ("1000",)}, dict.fromkeys(QUICK_ARMS, (0.03, 1.0)), mu=0.25, sigma=0.1, cosine=0.3
    )


def sides() -> list[str]:
    """Names of the studies of step sizes beyond an edge."""
    return [f"{name}-{word}" for name in RUNGS for word in SIDES]


def whole(tree: xr.DataTree) -> bool:
    """Whether nothing is left to run."""
    return not json.loads(str(tree.attrs["not_run"]))


def with_further(trees: dict[str, xr.DataTree]) -> dict[str, xr.DataTree]:
    """Parts, those of ladders with the step sizes beyond their grids."""
    found = dict(trees)
    for name in RUNGS:
        further = {word: trees[word] for word in sides() if word in trees and word.startswith(f"{name}-")}
        if name in trees and further:
            found[name] = settled(trees[name], further)
    return found


def taken_apart(
    folders: dict[str, Path], trees: dict[str, xr.DataTree], place: Path, form: Form, workers: int | None
) -> dict[str, xr.Dataset]:
    """What is measured on the kept circuits of the parts that are complete."""
    processes = workers or runtime.available_cores()
    chosen_trees = with_further(trees)
    paths = {
        name: runs_of(chosen_trees[name], [one for word, one in folders.items() if word.startswith(name)])
        for name in RUNGS
        if name in trees and whole(trees[name])
    }
    pieces = {
        "alignment": [
            aligned(paths[name], place, processes, form.aligned_at) for name in ALIGNED if name in paths
        ],
        "matched": [matched(paths[name], place, form.levels, processes) for name in MATCHED if name in paths],
    }
    found = {path: along_tasks(one) for path, one in pieces.items() if one}
    for name in (one for one in ALIGNED if one in paths):
        arm = EPROP if any(rule == EPROP for _, rule in paths[name]) else BPTT
        of = {task: path for (task, rule), path in paths[name].items() if rule == arm}
        found["diagonal"] = diagonal(of, place, form.aligned_at)
    for name in paths:
        if "beyond" in chosen_trees[name]["outcomes"]:
            found[f"{name}/distances"] = distances(chosen_trees[name], paths[name], place)
    name = "initialisation"
    if name in trees and whole(trees[name]):
        cell = Cell((name, "distances"), {"runs": json.loads(str(trees[name].attrs["runs"]))})
        apart = read(cell, place)
        if apart is None:
            apart = keep(cell, place, lambda _: every_seed(folders[name]))
        found["components"] = components(trees[name], apart)
    return found


def write(
    trees: dict[str, xr.DataTree],
    chosen: Chosen,
    missing: tuple[str, ...],
    place: Path,
    measured: dict[str, xr.Dataset] | None = None,
) -> xr.DataTree:
    """The record of the parts that were run, complete or not."""
    trees = {name: slim(tree) for name, tree in with_further(trees).items()}
    record = joined(
        trees,
        "Plausible rules on tasks of systems neuroscience",
        name=NAME,
        chosen=json.dumps(dataclasses.asdict(chosen), sort_keys=True),
        not_run="; ".join(missing),
    )
    ladders = {name: tree for name, tree in trees.items() if name in RUNGS}
    groups = dict(measured or {})
    if ladders:
        groups["longest"] = longest(ladders, chosen)
        groups["across_tasks"] = across_tasks(groups["longest"])
    for path, data in groups.items():
        record[path] = xr.DataTree(padded(data, record[next(iter(trees))]["outcomes/seed"].values))
    tt.results.save(record, place, overwrite=True)
    return record


def report(record: xr.DataTree) -> None:
    """Seeds that reached the criterion, arm by arm and rung by rung, from the hardest."""
    if "longest" not in record.children:
        return
    found = record["longest"].to_dataset()
    for row, task in enumerate(labels(found["task"])):
        print(
            f"\n{task}: ms asked for {found['reach'].values[row].tolist()}; seeds at the criterion of those "
            "that were run"
        )
        for place, rule in enumerate(labels(found["rule"])):
            one = found.isel(task=row, rule=place)
            number = one["num_seeds"].values
            if not number.any():
                continue
            climbed = np.round(np.nan_to_num(one["success_rate"].values) * number).astype(int)
            told = "  ".join(f"{a}/{b}" for a, b in zip(climbed, number, strict=True))
            print(f"{rule:18s} {told}")


def main(
    quick: bool = False,
    out: Path = Path("results"),
    part: tuple[str, ...] = (),
    seeds: int = 10,
    limit: float = float("inf"),
    **settings: Any,
) -> int:
    """Run the parts that are asked for, all by default, and write the records; 0 if nothing is missing."""
    until = time.monotonic() + 60 * limit
    out.mkdir(parents=True, exist_ok=True)

    def run(study: tt.Study, suffix: str = "") -> Any:
        left = max(0.0, (until - time.monotonic()) / 60)
        print(f"\n{study.name}", flush=True)
        minutes = None if np.isinf(left) else left
        result = study.run(out / f"{study.name}{suffix}", limit_minutes=minutes, **settings)
        print(result.summary(), flush=True)
        return result

    wanted = part or ORDER
    if "pilot" in wanted and not quick and run_pilots(run, PILOT) is None:
        print("not run: what comes after the pilots, which are not complete")
        return 1
    form = small(out) if quick else full(seeds)
    complete = [run(make(), form.suffix).complete for name, make in form.parts.items() if name in wanted]
    folders = {name: out / f"{NAME}-{name}{form.suffix}" for name in (*form.parts, *sides())}
    begun = {name: folder for name, folder in folders.items() if (folder / "study.json").exists()}
    if FURTHER in wanted:
        for name in RUNGS:
            if name in begun and whole(tree := tt.studies.combine(begun[name])):
                for word, study in beyond(name, form.chosen, tree, form.seeds, **form.changed).items():
                    complete.append(run(study, form.suffix).complete)
                    begun[word] = folders[word]
    missing = [name for name in form.parts if name not in begun]
    if begun:
        trees = {name: tt.studies.combine(folder) for name, folder in begun.items()}
        place = out / f"{NAME}-measured{form.suffix}"
        measured = taken_apart(begun, trees, place, form, settings.get("workers"))
        report(write(trees, form.chosen, tuple(missing), form.record, measured))
        print(f"record: {form.record}")
    for name in missing:
        print(f"not run: {name}")
    if quick:
        print("The quick form shows that everything runs; it is too small to judge what is learned.")
    return 0 if all(complete) and not missing else 1


def command_line() -> int:
    """The command of this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="+", choices=ORDER, default=(), help="parts to run; all by default")
    parser.add_argument("--seeds", type=int, default=10, help="seeds of the parts after the pilots")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="folder for the folders of the parts"
    )
    parser.add_argument("--quick", action="store_true", help="a small form that shows that everything runs")
    parser.add_argument(
        "--limit", type=float, default=float("inf"), help="begin nothing after so many minutes"
    )
    parser.add_argument("--scheduler", help="as for throughtime run")
    parser.add_argument("--workers", type=int, help="number of workers; by default one a core")
    parser.add_argument("--retry-failed", action="store_true", help="try cells that failed once more")
    return main(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(command_line())
