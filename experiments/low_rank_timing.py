"""Intervals beyond the trained ones, by circuits of low and full rank (Beiran et al. 2023, Neuron 111:739).

The committed record is ``evidence/low_rank_timing.nc``. In cue-set-go the amplitude of a cue says which
interval to produce after Set. Circuits learn four intervals, 800 to 1550 ms, by BPTT, and are then given
amplitudes beyond those of training, up to that of 2300 ms, and below, down to that of 500 ms.

Published (M. Beiran, N. Meirhaeghe, H. Sohn, M. Jazayeri and S. Ostojic; settings from their public code):
what circuits of rank two produce goes on growing with the amplitude beyond the trained range, what full-rank
circuits produce levels off; a tonic input, on while the interval is produced, lets low-dimensional dynamics
generalise. 1500 tanh units, τ = 100 ms, steps of 10 ms; 80 passes over 500 trials in batches of 32 (1200
updates), Adam at 1e-3 (rank two) and 1e-4 (full rank), gradients clipped at 1; input, recurrent and readout
weights and the initial state learn, there are no biases; the cue is on all the time, Set comes after 1000 ±
100 ms.

The same by construction: intervals and amplitudes, time of Set, batches, clipping, what learns, 10 % of
trials without Set, full-rank weights that start from N(0, 1/n).

Departures, and why:

- 128 units, steps of 20 ms, ten seeds (time of computing). Learning rates are ten times as high, with the
  same ratio of the two; entries of our low-rank factors are √n times as large as theirs.
- Every update has new trials; the publication draws 500 once.
- Both kinds of circuit have the same noise, σ = 0.03. Published are 0.1 (rank two) and 0.01 (full rank);
  what 0.1 leaves in the mean over 1500 units is what 0.03 leaves in that over 128.
- Circuits of low rank start from random factors whose nonzero eigenvalues are near 1.5; the publication
  starts from chosen ones, with a fixed point as initial state and a readout within the span of the factors.
- Training ends for every circuit when the same criterion is met: 90 % of trials within 10 % of the interval
  (or, without Set, without a response), mean relative error at most 0.1, slope at least 0.5; at most 2000
  updates. ``/budget`` repeats everything with 1200 updates for all, as published.
- The interval ends where the output crosses the level of the target at T, published where it crosses 85 % of
  the ramp, divided by 0.85.
- Beside what was published: rank three; a cue that is over about 500 ms before Set (``transient``);
  amplitudes below those of training.

Cells are kept below ``--out``, so the command can be stopped at any time and goes on where it was.

Usage: ``python experiments/low_rank_timing.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from _study import Cell, Study, command_line, entry
from _timing_measure import BLOCKS, SHOWN, TRAINED, growth, measure
from scipy import stats

import throughtime as tt
from throughtime.results.flags import flag_attributes, labels

NAME = "low_rank_timing"
CIRCUITS = {"full": 0, "rank-2": 2, "rank-3": 3}
"""Rank of a kind of circuit; 0: not restricted."""
CUES = {"tonic": None, "transient": 500.0}
"""How long the cue is on, ms."""
STOPS = ("criterion", "budget")
COMPARED = {"slope_error": False, "correct_above": True, "reach": True}
"""What is compared seed by seed, and whether more of it is better."""
GROWN = {
    "rises": "whether produced intervals rise above the trained range, as far as there are any",
    "straight_interval": "R2 of a line through produced intervals above the trained range",
    "straight_speed": "R2 of a line through one over produced intervals above the trained range",
}


@dataclass(frozen=True)
class Form:
    """The numbers of a form.

    Attributes:
        seeds: of every kind of circuit. num_units: of a circuit.
        num_updates: budget with each of :data:`STOPS`. eval_every: updates between evaluations.
        step: spacing of tested intervals, ms. test_trials: of a circuit.
        longest_response: latest response that is seen, ms after Set.
    """

    name: str
    seeds: tuple[int, ...] = tuple(range(10))
    num_units: int = 128
    num_updates: tuple[int, ...] = (2000, 1200)
    eval_every: int = 50
    step: float = 75.0
    test_trials: int = 500
    longest_response: float = 4500.0


FULL = Form("full")
QUICK = Form(
    "quick", seeds=(0, 1, 2), num_units=32, num_updates=(100, 100), test_trials=150, step=150.0,
    longest_response=3000.0,
)  # fmt: skip
FORMS = {form.name: form for form in (FULL, QUICK)}


def cells(form: Form) -> Iterator[Cell]:
    """All seeds of one kind of circuit with one kind of cue; the criterion first."""
    intervals = [float(interval) for interval in np.arange(500.0, 2300.0 + 1, form.step)]
    for stop, num_updates in zip(STOPS, form.num_updates, strict=True):
        for cue, cue_duration in CUES.items():
            for name, rank in CIRCUITS.items():
                declared = {
                    "rank": rank, "cue_duration": cue_duration, "stop": stop, "num_updates": num_updates,
                    "seeds": form.seeds, "num_units": form.num_units, "dt": 20.0, "tau": 100.0,
                    "wait": (900.0, 1100.0), "tolerance": 0.1, "noise": 0.03, "gain": 1.0,
                    "initial_overlap": 1.5, "learning_rate": 1e-2 if rank else 1e-3, "batch_size": 32,
                    "clip": 1.0, "eval_every": form.eval_every, "intervals": intervals,
                    "shown": [interval for interval in SHOWN if interval in intervals],
                    "test_trials": form.test_trials, "longest_response": form.longest_response,
                }  # fmt: skip
                yield Cell((stop, name, cue), declared)


def combine(found: Mapping[Cell, xr.Dataset]) -> dict[str, xr.Dataset]:
    """A group for each way to end training, and comparisons seed by seed in ``/…_ranks`` and ``/…_cues``."""
    circuits = ("circuit", range(len(CIRCUITS)), {"units": "1", **flag_attributes(list(CIRCUITS))})
    cues = ("option", range(len(CUES)), {"units": "1", **flag_attributes(list(CUES))})
    groups = {}
    for stop in STOPS:
        each = {
            cell.labels[1:]: data.drop_attrs(deep=False)
            for cell, data in found.items()
            if cell.labels[0] == stop
        }
        rows = [
            xr.concat([each[name, cue] for cue in CUES], "option", combine_attrs="override")
            for name in CIRCUITS
        ]
        whole = xr.concat(rows, "circuit", combine_attrs="override")
        small = {name: one.astype(np.float32) for name, one in whole.items() if one.dtype == np.float64}
        whole = whole.assign(small).assign_coords(circuit=circuits, option=cues)
        groups[f"/{stop}"] = whole.assign(means(whole)).assign(grown(whole))
        ranks, other = compared(whole)
        groups[f"/{stop}_ranks"], groups[f"/{stop}_cues"] = ranks, other
    return groups


def means(whole: xr.Dataset) -> dict[str, xr.DataArray]:
    """Mean slope over the seeds that have one, its 95 % t interval, and how many they are."""
    slopes = whole["slope"].astype(float)
    number = slopes.count("seed")
    mean, error = slopes.mean("seed"), slopes.std("seed", ddof=1) / np.sqrt(number)
    half = error * stats.t.ppf(0.975, np.maximum(number - 1, 1))
    words = {"units": "1", "long_name": "slope, mean over seeds"}
    found = {"mean_slope": mean, "mean_slope_lower": mean - half, "mean_slope_upper": mean + half}
    return {name: one.astype(np.float32).assign_attrs(words) for name, one in found.items()} | {
        "num_slopes": number.assign_attrs({"units": "1", "long_name": "seeds that have a slope"})
    }


def grown(whole: xr.Dataset) -> dict[str, xr.DataArray]:
    """How produced intervals grow above the trained range."""
    found = xr.apply_ufunc(
        growth,
        whole["produced"],
        whole["share"],
        kwargs={"intervals": whole["condition"].values},
        input_core_dims=[["condition"]] * 2,
        output_core_dims=[[]] * len(GROWN),
        vectorize=True,
    )
    return {
        name: one.astype(np.float32).assign_attrs({"units": "1", "long_name": GROWN[name]})
        for name, one in zip(GROWN, found, strict=True)
    }


def compared(whole: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Low rank less full rank, and tonic less transient, seed by seed.

    Along ``metric``: how far the slope of the nearer half above the trained range is from 1, the share of
    correct trials above, and the part of that range up to which all intervals are within 15 %.
    """
    near, above = (labels(whole["block"]).index(name) for name in ("near", "above"))
    values = {
        "slope_error": abs(whole["slope"].isel(block=near, drop=True) - 1),
        "correct_above": whole["correct"].isel(block=above, drop=True),
        "reach": (whole["longest"] - TRAINED[1]) / (BLOCKS["above"][1] - TRAINED[1]),
    }
    family = len(COMPARED) * (len(CUES) * (len(CIRCUITS) - 1) + len(CIRCUITS) * (len(CUES) - 1))
    sides: list[xr.Dataset] = []
    for dim, reference in (("circuit", "full"), ("option", "transient")):
        each = []
        for name, better in COMPARED.items():
            one = values[name].astype(float).assign_attrs(units="1", long_name=name)
            each.append(
                tt.analysis.paired_statistics(
                    one, reference=reference, dim=dim, higher_is_better=better, family_size=family
                ).drop_attrs(deep=False)
            )
        metric = ("metric", range(len(COMPARED)), {"units": "1", **flag_attributes(list(COMPARED))})
        sides.append(xr.concat(each, "metric", combine_attrs="override").assign_coords(metric=metric))
    return sides[0], sides[1]


def study(form: Form | str = FULL) -> Study:
    """The study in a form."""
    chosen = FORMS[form] if isinstance(form, str) else form
    return Study(
        name=NAME,
        title="Intervals beyond the trained ones, in circuits of low and of full rank",
        form=chosen.name,
        cells=lambda found: cells(chosen),
        measure=lambda cell: measure(cell.declared),
        combine=combine,
        declaration={"cells": {cell.name: dict(cell.declared) for cell in cells(chosen)}},
        not_run=(
            "circuits of 1500 units, 20 of each kind, steps of 10 ms",
            "measure-wait-go with and without a tonic context",
            "initial connectivity as chosen in the publication",
        ),
    )


def report(tree: xr.DataTree) -> None:
    """Slopes with t intervals, shares of trials, and comparisons seed by seed."""
    for stop in STOPS:
        data = tree[stop].to_dataset()
        for option, cue in enumerate(labels(data["option"])):
            for circuit, name in enumerate(labels(data["circuit"])):
                one = data.isel(circuit=circuit, option=option)
                met = one["criterion_update"].values
                print(f"{stop}, {cue}, {name}: {int((met >= 0).sum())} of {met.size} met the criterion")
                for block, words in enumerate(labels(data["block"])):
                    part = one.isel(block=block)
                    mean, low, high = (float(part[f"mean_slope{end}"]) for end in ("", "_lower", "_upper"))
                    shares = (float(part[share].mean()) for share in ("responded", "correct"))
                    print(
                        f"  {words:7s} slope {mean:.2f} ({low:.2f} to {high:.2f}, {int(part['num_slopes'])} "
                        "seeds), responded {:.2f}, correct {:.2f}".format(*shares)
                    )
                print(f"  within 15 % up to {np.sort(one['longest'].values).tolist()} ms")
                straight = [float(one[f"straight_{what}"].median()) for what in ("interval", "speed")]
                print(
                    f"  rising in {int(one['rises'].sum())}, "
                    "median R2 of interval {:.3f} and speed {:.3f}".format(*straight)
                )
        for side, dims in (("ranks", ("option", "circuit")), ("cues", ("circuit", "option"))):
            pairs = tree[f"{stop}_{side}"].to_dataset()
            for metric, words in enumerate(labels(pairs["metric"])):
                for name in ("mean_difference", "lower", "upper", "median_difference", "p_holm"):
                    shown = pairs[name].isel(metric=metric).transpose(*dims).values.astype(float)
                    print(f"{stop}, {side}, {words}, {name}: {np.round(shown, 4).tolist()}")


main = entry(str(__doc__), study, report)

if __name__ == "__main__":
    sys.exit(command_line(str(__doc__), study, report))
