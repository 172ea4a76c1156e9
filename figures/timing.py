"""Timing: cue, set, go.

    python figures/timing.py [RESULT] [OUTPUT_FOLDER]

(a) Mean output from Set, by interval, in the median seed. (b) Produced against target interval. (c) SD of
produced intervals. (d) Three units of the median seed (those of greatest variance with unlike time
courses), in absolute time and as a fraction of the produced interval; numbers are scaling indices.
(e) Scaling indices of all units; diamonds are populations. (f) Learning curves.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "timing"
RECORDS = "results/demo-cue-set-go.nc"

NUM_TRACES = 6
NUM_UNITS = 3


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a results file, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    training = tree["training"].to_dataset()
    evaluation, behaviour = tree["evaluation"].to_dataset(), tree["behaviour"].to_dataset()
    use = (evaluation["catch"] == 0) if "catch" in evaluation else None
    interval, produced = evaluation["interval"], behaviour["produced_interval"]
    seed = analysis.example_seed(training)
    timed = analysis.timing(interval, produced, where=use)
    group, centre = analysis.levels(interval, num_bins=NUM_TRACES, where=use)
    scaling = analysis.scaling_index(evaluation["rates"], onset(evaluation), produced, condition=group)
    with style.context():
        page = style.figure(style.PAGE_MM, 125.0)
        upper, lower = page.subfigures(2, 1, height_ratios=(1.0, 1.15), hspace=0.04)
        parts = upper.subfigures(1, 3, width_ratios=(1.3, 1.0, 1.0), wspace=0.03)
        outputs, law, spread = (part.subplots() for part in parts)
        one, label = evaluation.isel(seed=seed), group.isel(seed=seed)
        _outputs(one, label, centre, outputs)
        plotting.produced_interval(timed, law)
        plotting.timing_variability(timed, spread)
        units, index, learning = lower.subfigures(1, 3, width_ratios=(1.45, 0.85, 0.85), wspace=0.03)
        _rescaled(one, produced.isel(seed=seed), label, centre, scaling.isel(seed=seed), units)
        indices = index.subplots()
        plotting.scaling_indices(scaling, indices)
        _learning(training, learning)
        titles = ("Output by interval", "Produced interval", "Variability")
        for part, name, title in zip(parts, "abc", titles, strict=True):
            style.heading(part, name, title)
        style.heading(index, "e", "Scaling of all units")
    return page


def onset(evaluation: xr.Dataset) -> xr.DataArray:
    """Onset of Set in each trial, ms."""
    return evaluation["epoch_onset"].isel(epoch=labels(evaluation["epoch"]).index("set"))


def _outputs(one: xr.Dataset, label: xr.DataArray, centre: xr.DataArray, ax: Any) -> None:
    lag = np.arange(-140.0, 1.2 * float(one["interval"].max()), 20.0)
    until = onset(one) + 1.2 * one["interval"]
    mean = analysis.align(
        one["outputs"],
        onset(one),
        lag,
        condition=label,
        num_conditions=centre.size,
        until=until,
        complete=True,
    )
    plotting.aligned_traces(mean.isel(output=0), centre, ax, threshold=1.0, event="Set", label="Output")


def _rescaled(
    one: xr.Dataset,
    produced: xr.DataArray,
    label: xr.DataArray,
    centre: xr.DataArray,
    scaling: xr.Dataset,
    part: Any,
) -> None:
    if int(scaling["fit_status"]):
        empty = part.subplots()
        empty.set_axis_off()
        plotting.marks.note(empty, "too few responses to rescale", corner="upper left")
        style.heading(part, "d", "Rates in absolute and in rescaled time")
        return
    timed = produced.notnull() & (label >= 0)
    one, produced, label = one.isel(trial=timed), produced[timed], label[timed]
    begin = onset(one)
    lag = np.arange(0.0, float(produced.max()), 20.0)
    options = {"condition": label, "num_conditions": centre.size}
    absolute = analysis.align(one["rates"], begin, lag, until=begin + produced, complete=True, **options)
    warped = analysis.warp(one["rates"], begin, produced, **options)
    warped["phase"].attrs["long_name"] = "fraction of produced interval"
    axes = part.subplots(NUM_UNITS, 2, sharex="col")
    for k, (row, unit) in enumerate(zip(axes, unlike_units(warped), strict=True)):
        plotting.rescaled_rate(
            absolute.isel(unit=unit), warped.isel(unit=unit), centre, tuple(row), label="Rate",
            unwarped_index=float(scaling["unit_unwarped"][unit]),
            scaling_index=float(scaling["unit_scaling_index"][unit]),
        )  # fmt: skip
        if k < NUM_UNITS - 1:
            row[0].set_xlabel("")
            row[1].set_xlabel("")
    style.heading(part, "d", "Three units in absolute and in rescaled time")


def unlike_units(warped: xr.DataArray) -> list[int]:
    """Units in order of variance, leaving out those that correlate above 0.9 with one already taken."""
    flat = warped.transpose("unit", "condition", "phase").values.reshape(warped.sizes["unit"], -1)
    flat = flat[:, np.isfinite(flat).all(0)]
    order = np.argsort(-flat.var(1))
    alike = np.abs(np.corrcoef(flat + 1e-12 * np.arange(flat.shape[1])))
    taken: list[int] = []
    for unit in order:
        if len(taken) < NUM_UNITS and (alike[unit, taken] < 0.9).all():
            taken.append(int(unit))
    return (taken + [int(unit) for unit in order if unit not in taken])[:NUM_UNITS]


def _learning(training: xr.Dataset, part: Any) -> None:
    loss, score = part.subplots(2, 1, sharex=True)
    plotting.learning_curve(training, loss)
    plotting.learning_curve(training, score, variable="score", label="Score", state_number=False)
    loss.set_xlabel("")
    style.heading(part, "f", "Learning")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a results file and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
