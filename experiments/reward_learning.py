"""A delayed comparison learned from one number a trial (Miconi 2017, delayed nonmatch to sample).

The committed record is ``evidence/reward_learning.nc``. A chaotic circuit of 200 tanh units sees two
stimuli apart in time and answers, with the rate of one of its units, whether they differ. All it is told
is how wrong the answer was on average.

Published (T. Miconi, eLife 6:e20899, and its public program): τ = 30 ms, steps of 1 ms, g = 1.5; input
weights uniform in ±1 and fixed; currents start from 0.1 U(−1, 1), the same in all trials; three units are
held at a current of 1, 1 and −1; trials of 1000 ms with stimuli at 0–200 and 400–600 ms, target ±0.98 in the
last 200 ms; every unit and ms, with probability 0.003, 16 U(−1, 1) is added to the drive; steps 0.1 times
the rule's gradient, clipped to ±3e-4 number by number, none in the first 100 trials. 95 of 100 successive
trials with an error (mean absolute error of the last 200 ms) below 1 took a median of 843 trials, quartiles
692 to 1125, in 20 runs.

The same by construction: all of that, and that the output unit receives no input.

Departures, and why:

- Types of trials are drawn at random, with equal probability; published, the four take turns. The expected
  error is kept apart for each of the four in both.
- The running average of each membrane starts anew with every trial; published, it goes on. The first 3 ms of
  a trial enter no sum in either.
- The criterion is met at the last of the first 100 successive trials of which at least 95 have an error
  below 1. Whether the publication means "at least" or "more than" is not said; both are in the record, and
  an error below 0.5 as well.
- A second variant of the rule, node perturbation (the perturbation itself in the trace; program: η = 0.001),
  has fewer seeds.

Cells are kept below ``--out``, so the command can be stopped at any time and goes on where it was.

Usage: ``python experiments/reward_learning.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from _reward_measure import measure
from _study import Cell, Study, command_line, entry

from throughtime.results.flags import labels

NAME = "reward_learning"
PUBLISHED = {"trials_to_criterion": 843.0, "lower_quartile": 692.0, "upper_quartile": 1125.0}


@dataclass(frozen=True)
class Form:
    """The numbers of a form.

    Attributes:
        num_units: units; 200 as published.
        cubic, node: (seeds, trials of each) of the two variants.
        together: seeds of one cell.
        shorter: durations of the task's epochs are divided by it; 1 as published.
    """

    name: str
    num_units: int = 200
    cubic: tuple[int, int] = (20, 2500)
    node: tuple[int, int] = (4, 5000)
    together: int = 4
    shorter: int = 1


FULL = Form("full")
QUICK = Form("quick", cubic=(2, 400), node=(1, 200), together=2)
FORMS = {form.name: form for form in (FULL, QUICK)}


def cells(form: Form) -> Iterator[Cell]:
    """A few seeds of a variant each."""
    for variant, (number, num_trials) in (("cubic", form.cubic), ("node", form.node)):
        for first in range(0, number, form.together):
            seeds = list(range(first, min(first + form.together, number)))
            declared = {
                "variant": variant, "seeds": seeds, "num_trials": num_trials,
                "num_units": form.num_units, "shorter": form.shorter,
            }  # fmt: skip
            yield Cell((variant, f"seeds{seeds[0]}to{seeds[-1]}"), declared)


def combine(found: Mapping[Cell, xr.Dataset]) -> dict[str, xr.Dataset]:
    """One group a variant; the published numbers beside the trials to criterion of the cubic one.

    A record has one list of seeds, and the variant ``node`` has fewer: they lie along the dim ``draw``.
    """
    groups = {}
    for variant in dict.fromkeys(str(cell.labels[0]) for cell in found):
        own = [data.drop_attrs(deep=False) for cell, data in found.items() if cell.labels[0] == variant]
        groups[f"/{variant}"] = xr.concat(
            own, "seed", data_vars="minimal", coords="minimal", combine_attrs="override"
        )
    groups["/node"] = groups["/node"].rename(seed="draw")
    for name, value in PUBLISHED.items():
        words = {"units": "1", "long_name": f"published {name.replace('_', ' ')}, 20 runs"}
        groups["/cubic"][f"published_{name}"] = ((), value, words)
    return groups


def study(form: Form | str = FULL) -> Study:
    """The study in a form."""
    chosen = FORMS[form] if isinstance(form, str) else form
    return Study(
        name=NAME,
        title="A delayed comparison learned from reward",
        form=chosen.name,
        cells=lambda found: cells(chosen),
        measure=lambda cell: measure(cell.declared),
        combine=combine,
        declaration={"cells": {cell.name: dict(cell.declared) for cell in cells(chosen)}},
        not_run=(
            f"trials beyond {chosen.cubic[1]} (node {chosen.node[1]}) of the 10 000 of the publication",
            f"20 seeds of the variant node: {chosen.node[0]} run",
            "the publication's other tasks",
        ),
    )


def report(tree: xr.DataTree) -> None:
    """Trials to every criterion, and what is right on trials without perturbations afterwards."""
    for variant in ("cubic", "node"):
        data = tree[variant].to_dataset()
        for index, words in enumerate(labels(data["condition"])):
            trials = data["criterion_trial"].isel(condition=index).values
            low, middle, high = quartiles(trials)
            print(
                f"{variant}, {words}: {(trials > 0).sum()} of {trials.size} seeds, median {middle:g}, "
                f"quartiles {low:g} to {high:g}"
            )
        print(
            f"{variant}: accuracy without perturbations {data['accuracy'].median().item():.3f}, "
            f"{int(data['diverged'].sum())} diverged"
        )


def quartiles(trials: np.ndarray) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile; a seed that never met the criterion (−1) counts as infinity.

    Each is an observed value, the smallest that at least that part of the seeds do not exceed.
    """
    low, middle, high = np.quantile(
        np.where(trials < 0, np.inf, trials), (0.25, 0.5, 0.75), method="inverted_cdf"
    )
    return float(low), float(middle), float(high)


main = entry(str(__doc__), study, report)

if __name__ == "__main__":
    sys.exit(command_line(str(__doc__), study, report))
