"""The measures of this package on recorded spikes, and trained circuits beside the recordings.

The committed record is ``evidence/recorded_data.nc``. Recordings are simulated in Brian2: two pools of
integrate-and-fire neurons that compete for a decision about noisy evidence, in recordings with unequal
numbers of trials a condition and with units that were lost in some of them (``_decision_recordings.py``).
What is done with them is what a user does with recordings of an animal:

* spike times become rates in bins of 40 ms around the onset of the stimulus, NaN where a unit was not held;
* *coding*: psychometric curve of the choices, dimensionality of trials at one time, axes of choice and of
  coherence (targeted dimensionality reduction), decoding of the choice at all pairs of times, selectivity
  of the units for choice and strength of evidence;
* *comparison*: circuits trained on ``perceptual-decision``, which has the same ten coherences and the same
  times of the stimulus, predict the averages of the recorded units over signed coherence × choice in
  conditions that the map was not fitted to, normalised by the noise ceiling, beside what knows less (the
  inputs alone, the same circuits before training, the time within the trial alone) or as much (units of
  another recording).

The neurons were not fitted to the circuits, nor the circuits to the neurons; they share the task. The
circuit of the recordings differs from those compared with it: spikes, slow synapses, noise in every
membrane, no training.

Cells are kept below ``--out``, so the command can be stopped at any time and goes on where it was.

Usage: ``python experiments/recorded_data.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from _recorded_measure import ONE, circuits, coding, comparison, recording
from _study import Cell, Study, command_line, entry

import throughtime as tt
from throughtime.results.flags import labels

NAME = "recorded_data"


@dataclass(frozen=True)
class Form:
    """The numbers of a form.

    Attributes:
        recordings: seeds; num_trials: of each.
        share_lost: share of units that are lost at some trial, or found only then.
        circuits: seeds; settings: of their training, in place of the recipe of the task.
        num_observed: held-out trials of a circuit that are averaged; num_shown: those of which axes are made.
        num_splits, num_resamples: of noise ceiling and intervals; num_shuffles: of the decoder.
    """

    name: str
    recordings: tuple[int, ...] = (0, 1, 2, 3)
    num_trials: int = 400
    share_lost: float = 0.1
    circuits: tuple[int, ...] = (0, 1, 2)
    settings: dict[str, Any] = field(default_factory=dict)
    num_observed: int = 3000
    num_shown: int = 400
    num_splits: int = 100
    num_resamples: int = 1000
    num_shuffles: int = 40


FULL = Form("full")
QUICK = Form(
    "quick", recordings=(0, 1), num_trials=150, circuits=(0,), settings={"num_updates": 100},
    num_observed=600, num_splits=20, num_resamples=100, num_shuffles=5,
)  # fmt: skip
FORMS = {form.name: form for form in (FULL, QUICK)}


def cells(form: Form) -> Iterator[Cell]:
    """Recordings and circuits, then what is found in each recording."""
    recorded = {
        seed: {"seed": seed, "num_trials": form.num_trials, "share_lost": form.share_lost}
        for seed in form.recordings
    }
    trained = {
        "seeds": list(form.circuits), "num_trials": form.num_observed, "num_shown": form.num_shown,
        "settings": form.settings,
    }  # fmt: skip
    for seed, declared in recorded.items():
        yield Cell(("recording", seed), declared)
    yield Cell(("circuits",), trained)
    for seed, declared in recorded.items():
        yield Cell(("coding", seed), {"seed": seed, "recording": declared, "num_shuffles": form.num_shuffles})
    for place, (seed, declared) in enumerate(recorded.items()):
        other = form.recordings[(place + 1) % len(form.recordings)]
        yield Cell(
            ("comparison", seed),
            {
                "seed": seed, "recording": declared, "other": recorded[other], "circuits": trained,
                "num_splits": form.num_splits, "num_resamples": form.num_resamples,
            },
        )  # fmt: skip


def measure(cell: Cell, known: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """One cell, from those before it."""
    kind, declared = str(cell.labels[0]), cell.declared
    if kind == "recording":
        return recording(declared)
    if kind == "circuits":
        return circuits(declared)
    recorded = known[f"recording-{declared['seed']}"]
    if kind == "coding":
        return coding(declared, recorded)
    return comparison(declared, recorded, known[f"recording-{declared['other']['seed']}"], known["circuits"])


def combine(found: Mapping[Cell, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Recordings lie along ``draw``, circuits along ``seed``."""

    def of(kind: str, keep: tuple[str, ...] = ()) -> xr.Dataset:
        own = {cell: data for cell, data in found.items() if cell.labels[0] == kind}
        draws = xr.DataArray([cell.labels[1] for cell in own], dims="draw", attrs=ONE, name="draw")
        parts = [(data[list(keep)] if keep else data).drop_attrs(deep=False) for data in own.values()]
        return xr.concat(parts, draws, coords="minimal", compat="override", combine_attrs="override")

    choices = of("recording", ("stimulus", "choice"))
    trained = next(data for cell, data in found.items() if cell.labels[0] == "circuits")
    behaviour = {
        name: _numbered(tt.analysis.psychometric(data["stimulus"], data["choice"], guess=0.0))
        for name, data in {"recorded": choices, "trained": trained}.items()
    }
    whole = {
        "/behaviour": behaviour["recorded"],
        "/circuit_behaviour": behaviour["trained"],
        "/coding": of("coding"),
        "/circuits": trained[["score", "criterion_update"]].drop_attrs(deep=False),
        "/comparison": of("comparison"),
    }
    return {path: _short(data) for path, data in whole.items()}


def _short(data: xr.Dataset) -> xr.Dataset:
    """In single precision: more is not known of what is in it."""
    return data.assign(
        {
            name: each.astype(np.float32).assign_attrs(each.attrs)
            for name, each in data.items()
            if each.dtype == np.float64
        }
    )


def _numbered(curve: xr.Dataset) -> xr.Dataset:
    """With a coordinate for each of its levels."""
    if "condition" in curve.coords:
        return curve
    number = np.arange(curve.sizes["condition"])
    return curve.assign_coords(condition=("condition", number, {**ONE, "long_name": "level of coherence"}))


def study(form: Form | str = FULL) -> Study:
    """The study in a form."""
    chosen = FORMS[form] if isinstance(form, str) else form
    known: dict[str, xr.Dataset] = {}

    def each(found: Mapping[Cell, xr.Dataset]) -> Iterator[Cell]:
        for cell in cells(chosen):
            yield cell
            known[cell.name] = found[cell]

    return Study(
        name=NAME,
        title="Recorded spikes, and circuits beside them",
        form=chosen.name,
        cells=each,
        measure=lambda cell: measure(cell, known),
        combine=combine,
        declaration={"cells": {cell.name: dict(cell.declared) for cell in cells(chosen)}},
        not_run=("recordings of an animal: the spikes are simulated",),
    )


def report(tree: xr.DataTree) -> None:
    """What recordings encode, and how well they are predicted."""
    recorded, trained = (tree[name].to_dataset() for name in ("behaviour", "circuit_behaviour"))
    print(
        f"threshold of the recordings {spread(recorded['sigma'])}, of the circuits {spread(trained['sigma'])}"
    )
    coding, compared = tree["coding"].to_dataset(), tree["comparison"].to_dataset()
    dimension = coding["participation_ratio"]
    for time in (dimension["time"].values[0], 780.0):
        now = dimension.sel(time=time, method="nearest")
        print(f"dimensions at {float(now['time']):g} ms: {spread(now)}")
    above = coding["accuracy"] > coding["null_maximum"]
    print(f"pairs of times at which the choice is decoded: {spread(above.mean(('time_train', 'time_test')))}")
    for place, name in enumerate(labels(coding["option"])):
        print(f"units with selectivity {name}: {spread(coding['class_share'].isel(option=place))}")
    for epoch, epoch_name in enumerate(labels(compared["epoch"])):
        for place, name in enumerate(labels(compared["predictor"])):
            one = compared.isel(epoch=epoch, predictor=place)
            print(f"{epoch_name}, {name}: normalised score {spread(one['population_normalized_score'])}")
            gain, lower = one["advantage"], one["advantage_lower"]
            if place:
                print(
                    f"  circuits above it by {spread(gain)}, intervals above 0 in {int((lower > 0).sum())} "
                    f"of {gain.size}"
                )


def spread(values: xr.DataArray) -> str:
    """Mean and range in words."""
    found = values.values[np.isfinite(values.values)]
    return f"{found.mean():.3f} ({found.min():.3f} to {found.max():.3f})" if found.size else "none"


main = entry(str(__doc__), study, report)

if __name__ == "__main__":
    sys.exit(command_line(str(__doc__), study, report))
