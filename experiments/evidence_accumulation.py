"""Evidence accumulation by e-prop in circuits whose units adapt (Bellec et al. 2020).

The committed record is ``evidence/evidence_accumulation.nc``. Seven cues come on two sides, and more than a
second later the side with more of them is reported. How many updates does each rule need until fewer than 7 %
of the answers are wrong?

Published (G. Bellec, F. Scherr et al., Nat. Commun. 11:3625): 50 leaky and 50 adaptive integrate-and-fire
neurons, 40 Poisson inputs, steps of 1 ms, time constants of the membrane 20 ms, of the adaptation 2 s and of
the readout 20 ms, adam with learning rate 0.005, cross-entropy, stop at an error of 7 %. Random e-prop with
batches of 32 trials needs about 200 to 500 updates.

The same by construction: task, inputs, all time constants, 50 + 50 units, optimiser, loss, batches of 32 and
criterion; the leak of the readout is that of the learning signal (κ of e-prop).

Departures, and why:

- Units have rates and do not spike (sigmoid of the membrane, between 0 and 1), so no pseudo-derivative and no
  penalty on firing rates is needed. Task and criterion carry over; the number of updates is not expected to.
- Steps of 10 ms, half the time constant of the membrane; cues, gaps and delay are whole numbers of them.
- The strength of adaptation, 10 units of drive per unit of rate, is a first guess and was not tuned. The
  activation was chosen in pilots of seed 0: with relu random e-prop diverged, with tanh it was slower.
- The delay is 1050 ms in every trial.

Controls: the same rules without adaptation, and a readout that learns alone. The first asks whether the slow
current carries the memory, the second whether any adapting circuit would do without learning to use it.

Cells are kept below ``--out``, so the command can be stopped at any time and goes on where it was.

Usage: ``python experiments/evidence_accumulation.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from _accumulation_measure import measure
from _study import Cell, Study, command_line, entry

from throughtime.results.flags import flag_attributes, labels

NAME = "evidence_accumulation"
ARMS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "bptt": ("bptt", {}, True),
    "eprop-symmetric": ("eprop", {"feedback": "symmetric"}, True),
    "eprop-random": ("eprop", {"feedback": "random"}, True),
    "eprop-adaptive": ("eprop", {"feedback": "adaptive"}, True),
    "readout-only": ("readout-only", {}, True),
    "eprop-random-no-adaptation": ("eprop", {"feedback": "random"}, False),
    "bptt-no-adaptation": ("bptt", {}, False),
}
"""Rule, its options, and whether units adapt."""
PUBLISHED = (200, 500)
"""Updates of random e-prop until the criterion, about."""
RESAMPLES = 10_000


@dataclass(frozen=True)
class Form:
    """The numbers of a form."""

    name: str
    seeds: tuple[int, ...] = tuple(range(6))
    num_updates: int = 400
    eval_every: int = 20
    batch_size: int = 32
    learning_rate: float = 5e-3
    num_units: int = 100
    dt: float = 10.0
    strength: float = 10.0
    trials: int = 192
    arms: tuple[str, ...] = tuple(ARMS)


FULL = Form("full")
QUICK = Form(
    "quick", seeds=(0,), num_updates=20, trials=32,
    arms=("bptt", "eprop-random", "eprop-random-no-adaptation"),
)  # fmt: skip
FORMS = {form.name: form for form in (FULL, QUICK)}


def cells(form: Form) -> Iterator[Cell]:
    """Every arm."""
    for arm in form.arms:
        rule, options, adapts = ARMS[arm]
        declared = {
            "rule": rule, "options": options, "num_adaptive": form.num_units // 2 if adapts else 0,
            "num_units": form.num_units, "strength": form.strength, "activation": "sigmoid", "tau": 20.0,
            "tau_adaptation": 2000.0, "readout_tau": 20.0, "dt": form.dt, "seeds": form.seeds,
            "num_updates": form.num_updates, "eval_every": form.eval_every, "batch_size": form.batch_size,
            "learning_rate": form.learning_rate, "trials": form.trials,
        }  # fmt: skip
        yield Cell((arm,), declared)


def interval(updates: np.ndarray) -> tuple[float, float, float]:
    """Median over seeds (of an even number the upper one) and its 95 % bootstrap interval.

    Infinite where the budget was spent before.
    """
    met = np.where(updates < 0, np.inf, updates)
    draws = np.random.default_rng(0).integers(len(met), size=(RESAMPLES, len(met)))
    medians = np.quantile(met[draws], 0.5, axis=1, method="higher")
    low, high = np.quantile(medians, (0.025, 0.975), method="higher")
    return float(np.quantile(met, 0.5, method="higher")), float(low), float(high)


def combine(found: Mapping[Cell, xr.Dataset]) -> dict[str, xr.Dataset]:
    """One group, with the dim option."""
    arms = [str(cell.labels[0]) for cell in found]
    whole = xr.concat(list(found.values()), "option", combine_attrs="override")
    three = np.array([interval(data["criterion_update"].values) for data in found.values()])
    named = ("median_update", "median_update_lower", "median_update_upper")
    words = {"units": "1", "long_name": "updates to the criterion, median over seeds"}
    intervals = {name: ("option", three[:, place], words) for place, name in enumerate(named)}
    small = {name: one.astype(np.float32) for name, one in whole.items() if one.dtype == np.float64}
    trials = next(iter(found)).declared["trials"]
    counted = ((), trials, {"units": "1", "long_name": "held-out trials a seed"})
    whole = whole.assign(small).assign(intervals).assign(num_trials=counted)
    return {
        "/trained": whole.assign_coords(
            option=("option", range(len(arms)), {"units": "1", **flag_attributes(arms)})
        )
    }


def study(form: Form | str = FULL) -> Study:
    """The study in a form."""
    chosen = FORMS[form] if isinstance(form, str) else form
    return Study(
        name=NAME,
        title="Evidence accumulation by e-prop, with units that adapt",
        form=chosen.name,
        cells=lambda found: cells(chosen),
        measure=lambda cell: measure(cell.declared),
        combine=combine,
        declaration={"cells": {cell.name: dict(cell.declared) for cell in cells(chosen)}},
        not_run=(
            "spiking neurons, steps of 1 ms",
            "batches of 64",
            f"more than {len(FULL.seeds)} seeds, more than {FULL.num_updates} updates",
        ),
    )


def report(tree: xr.DataTree) -> None:
    """Updates to the criterion, and held-out fraction correct."""
    data = tree["trained"].to_dataset()
    for option, arm in enumerate(labels(data["option"])):
        one = data.isel(option=option)
        met = one["criterion_update"].values
        print(
            f"{arm}: {int((met >= 0).sum())} of {met.size} seeds, median {float(one['median_update']):g} "
            f"updates ({float(one['median_update_lower']):g} to {float(one['median_update_upper']):g}), "
            f"test {float(one['test_correct'].median()):.3f}, "
            f"{int((one['diverged_update'] >= 0).sum())} diverged"
        )


main = entry(str(__doc__), study, report)

if __name__ == "__main__":
    sys.exit(command_line(str(__doc__), study, report))
