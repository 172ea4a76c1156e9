"""What circuits trained by BPTT came to be, taken apart: fixed points, selection, scaling, memory.

The committed record is ``evidence/learned_dynamics.nc``. Four tasks whose solutions are described in the
literature, each learned by several circuits with the recipe of the evidence for tasks
(``experiments/_task_settings.py``), and each circuit taken apart without looking at what the others did:

* ``flip-flop`` (3 bits; Sussillo & Barak 2013, Neural Comput. 25:626): a stable point at each of the 8
  corners of the cube of outputs, saddles with one unstable direction between neighbouring corners (12 edges),
  saddles with two (6 faces) and one with three in the middle.
* ``contextual-integration`` (Mante et al. 2013, Nature 503:78): a slow direction along which evidence is
  integrated; both kinds of evidence enter the circuit alike, but the selection vector of the slow direction
  passes the relevant kind alone.
* ``ready-set-go`` (Remington et al. 2018, Neuron 98:1005; Wang et al. 2018, Nat. Neurosci. 21:102):
  trajectories of one shape run through at different speeds, from starting points in the order of the
  interval.
* ``delayed-response``: memory of an angle, in the literature a ring along which the state hardly moves,
  broken up into stable points and saddles in circuits of finite size.

Circuits are trained on after the criterion, to the whole budget, where ``stop`` is ``budget``. Everything is
measured without the circuit's noise, but for what is decoded and scaled.

Usage: ``python experiments/learned_dynamics.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from _learned_measure import measure
from _study import Cell, Study, command_line, entry

NAME = "learned_dynamics"
TASKS = ("flip-flop", "contextual-integration", "ready-set-go", "delayed-response")


@dataclass(frozen=True)
class Form:
    """The numbers of a form.

    Attributes:
        num_seeds: circuits of each task. num_units: of a circuit.
        num_updates: budget of each task, in the order of :data:`TASKS`; a multiple of 50.
        stop: what ends training of each. num_trials: trials looked at. num_starts: of the search for points.
    """

    name: str
    num_seeds: int = 5
    num_units: int = 128
    num_updates: tuple[int, ...] = (6000, 1500, 1000, 1500)
    stop: tuple[str, ...] = ("criterion", "budget", "budget", "budget")
    num_trials: int = 256
    num_starts: int = 1024


FULL = Form("full")
QUICK = Form(
    "quick", num_seeds=1, num_units=32, num_updates=(100,) * 4, stop=("budget",) * 4, num_trials=64,
    num_starts=64,
)  # fmt: skip
FORMS = {form.name: form for form in (FULL, QUICK)}


def cells(form: Form) -> Iterator[Cell]:
    """One seed of a task each."""
    for task, num_updates, stop in zip(TASKS, form.num_updates, form.stop, strict=True):
        for seed in range(form.num_seeds):
            declared = {
                "task": task, "seed": seed, "num_units": form.num_units, "num_updates": num_updates,
                "stop": stop, "num_trials": form.num_trials, "num_starts": form.num_starts,
            }  # fmt: skip
            yield Cell((task, seed), declared)


def combine(found: Mapping[Cell, xr.Dataset]) -> dict[str, xr.Dataset]:
    """One group a task, its seeds along ``seed``; points that some circuits lack are NaN, or −1."""
    from throughtime.measures.base import stack_seeds

    groups: dict[str, xr.Dataset] = {}
    for task in dict.fromkeys(str(cell.labels[0]) for cell in found):
        each: dict[int, Any] = {
            int(cell.labels[1]): data.drop_attrs(deep=False)
            for cell, data in found.items()
            if cell.labels[0] == task
        }
        groups[f"/{task}"] = stack_seeds(each, list(each))
    return groups


def study(form: Form | str = FULL) -> Study:
    """The study in a form."""
    chosen = FORMS[form] if isinstance(form, str) else form
    return Study(
        name=NAME,
        title="What circuits trained by BPTT came to be",
        form=chosen.name,
        cells=lambda found: cells(chosen),
        measure=lambda cell: measure(dict(cell.declared)),
        combine=combine,
        declaration={"cells": {cell.name: dict(cell.declared) for cell in cells(chosen)}},
        not_run=("other rules than BPTT", "other circuits than leaky ones"),
    )


def report(tree: xr.DataTree) -> None:
    """Print what was found."""
    for task in TASKS:
        data = tree[task].to_dataset()
        print(f"{task}: score {np.round(data['score'].values, 3)}")
        if "n_unstable" in data:
            fixed = (data["kind"] == 0).values
            unstable = data["n_unstable"].values
            for index in np.ndindex(fixed.shape[:-1]):
                counts = np.bincount(unstable[index][fixed[index]], minlength=1)
                print(f"  {index}: fixed points by number of unstable directions {counts.tolist()}")
        for name in ("selection", "input_strength", "line_cosine", "population", "population_unwarped",
                     "relative_speed", "start_order"):  # fmt: skip
            if name in data:
                print(f"  {name}: {np.round(data[name].values, 2).tolist()}")


main = entry(str(__doc__), study, report)

if __name__ == "__main__":
    sys.exit(command_line(str(__doc__), study, report))
