"""Group ``/learned``: what each rule's circuits came to be like, checkpoint by checkpoint.

Everything is measured without noise on one batch of held-out trials, the same for all circuits.

Over (rule, seed, checkpoint): ``checkpoint_update``; ``held_out_loss`` and ``fraction_correct``;
``alignment``, the cosine of the rule's gradient with the exact one; how far the circuit is from the one
that BPTT ended with for the same seed, ``representation_distance`` (1 − debiased linear CKA),
``shape_distance``, ``dynamics_distance`` (DSA; both rad) and ``spectrum_distance``;
``participation_ratio``; ``sharpness`` and ``most_negative_curvature``, the extreme eigenvalues of the
Hessian of the loss of 16 trials, to a hundredth; ``representation_alignment`` and ``tangent_alignment``
with the circuit before training, 1 for lazy learning; ``weight_change``, ‖ΔW‖/‖W₀‖, and ``effective_rank``
and ``stable_rank`` of the recurrent ΔW. Over (rule, seed): ``trials_to_criterion``, −1 if never. What is
not defined for a circuit is NaN, and an attribute ``refused_…`` tells why.

The four distances are to be read beside those of circuits that differ from BPTT's by chance, or hardly
learned (:mod:`throughtime.comparison.nulls`): over (condition, seed) ``null_representation_distance`` and so
on, with the conditions ``initial``, ``readout-only``, ``other-trials`` and ``other-weights``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from throughtime.comparison.distances import DISTANCES, distances
from throughtime.comparison.gradients import rule_coordinate
from throughtime.comparison.inspection import Inspection
from throughtime.comparison.nulls import OTHER_TRIALS, OTHER_WEIGHTS, reference
from throughtime.comparison.probe import Activity, Probe
from throughtime.results import Run
from throughtime.results.flags import flag_attributes
from throughtime.results.schema import attributes
from throughtime.training.record import NEVER

if TYPE_CHECKING:
    from throughtime.rules import Rule

NUM_TRIALS = 32
NULLS = ("initial", "readout-only", OTHER_TRIALS, OTHER_WEIGHTS)
MEASURES: dict[str, tuple[str, str]] = {
    "held_out_loss": ("1", "loss on held-out trials"),
    "fraction_correct": ("1", "fraction of correct held-out trials"),
    "alignment": ("1", "cosine with the exact gradient"),
    **DISTANCES,
    "participation_ratio": ("1", "participation ratio"),
    "sharpness": ("1", "largest eigenvalue of the Hessian"),
    "most_negative_curvature": ("1", "smallest eigenvalue of the Hessian"),
    "representation_alignment": ("1", "alignment of the representation with the initial one"),
    "tangent_alignment": ("1", "alignment of the tangent kernel with the initial one"),
    "weight_change": ("1", "relative change of the recurrent weights"),
    "effective_rank": ("1", "effective rank of the recurrent change"),
    "stable_rank": ("1", "stable rank of the recurrent change"),
}
ANALYSES = {
    "alignment": "gradient_alignment",
    "representation_distance": "cka",
    "shape_distance": "shape_distance",
    "dynamics_distance": "dsa",
    "spectrum_distance": "dsa",
    "participation_ratio": "dimensionality",
    "sharpness": "sharpness",
    "most_negative_curvature": "sharpness",
    "representation_alignment": "kernel_alignment",
    "tangent_alignment": "kernel_alignment",
    "weight_change": "weight_change",
    "effective_rank": "weight_change",
    "stable_rank": "weight_change",
}
"""Variable -> analysis of :mod:`throughtime.analysis` that it is a number of."""


def learned(
    runs: Mapping[str, xr.DataTree],
    chosen: Mapping[str, Rule],
    nulls: Mapping[str, xr.DataTree],
    probe: Probe,
    *,
    key_seed: int,
) -> xr.Dataset:
    """The dataset of ``/learned``.

    Args:
        runs: label -> tree of a run; all with the same seeds. chosen: label -> rule.
        nulls: ``other-trials`` and ``other-weights`` -> trees of runs; may be empty.
        probe: the trials.
        key_seed: of the rules' draws.
    """
    each = {label: Run(tree) for label, tree in runs.items()}
    first = next(iter(each.values()))
    seeds = first.seeds
    count = max(_num_checkpoints(run) for run in each.values())
    shape = (len(each), len(seeds), count)
    found = {name: np.full(shape, np.nan) for name in MEASURES}
    update = np.full(shape, NEVER, np.int64)
    goal = reference(chosen)
    ends = {} if goal is None else {seed: _final(each[goal], seed, probe) for seed in seeds}
    inspect = Inspection(probe)
    for row, (label, run) in enumerate(each.items()):
        updates = run.tree["checkpoints"].to_dataset()["checkpoint_update"].values
        update[row, :, : updates.shape[1]] = updates
        for column, seed in enumerate(seeds):
            start = probe.numbers(run.params(seed, 0))
            for index in range(updates.shape[1]):
                told = inspect(
                    run, chosen[label], seed, index, start=start, end=ends.get(seed), key_seed=key_seed
                )
                for name, value in told.items():
                    found[name][row, column, index] = value
    rows = ("rule", "seed", "checkpoint")
    dataset = xr.Dataset(
        {
            name: (rows, found[name], {"units": units, "long_name": words})
            for name, (units, words) in MEASURES.items()
        }
    )
    dataset["checkpoint_update"] = (rows, update, attributes("checkpoint_update"))
    dataset["trials_to_criterion"] = (
        rows[:2],
        np.stack([_trials_to_criterion(run) for run in each.values()]),
        {"units": "1", "long_name": "trials seen when the criterion was met, -1 if never"},
    )
    _add_nulls(dataset, each, chosen, nulls, ends, probe, inspect.refusals)
    reasons: dict[str, Any] = {
        f"refused_{name.replace(' ', '_')}": reason for name, reason in inspect.refusals.items()
    }
    return dataset.assign_coords(
        rule=rule_coordinate(each),
        seed=("seed", seeds, attributes("seed")),
        checkpoint=("checkpoint", np.arange(count), attributes("checkpoint")),
        condition=(
            "condition",
            np.arange(len(NULLS)),
            {"units": "1", "long_name": "circuit compared", **flag_attributes(NULLS)},
        ),
    ).assign_attrs(
        num_trials=len(probe.decision),
        circuit_noise="off",
        dtype="float64",
        regularised=probe.regularised,
        **reasons,
    )


def _add_nulls(
    dataset: xr.Dataset,
    each: Mapping[str, Run],
    chosen: Mapping[str, Rule],
    nulls: Mapping[str, xr.DataTree],
    ends: Mapping[int, Activity],
    probe: Probe,
    refusals: dict[str, str],
) -> None:
    """Distances of the reference from circuits that chance, or hardly any learning, made."""
    readout = reference(chosen, "readout-only")
    goal = reference(chosen)
    others: dict[str, tuple[Run, int]] = {}
    if goal is not None:
        others["initial"] = (each[goal], 0)
    if readout is not None:
        others["readout-only"] = (each[readout], -1)
    others |= {name: (Run(tree), -1) for name, tree in nulls.items()}
    seeds = next(iter(each.values())).seeds
    values = {name: np.full((len(NULLS), len(seeds)), np.nan) for name in DISTANCES}
    for row, name in enumerate(NULLS):
        for column, seed in enumerate(seeds):
            if name not in others or seed not in ends:
                continue
            run, checkpoint = others[name]
            activity = _final(run, seed, probe, checkpoint)
            for measure, value in distances(ends[seed], activity, probe, refusals).items():
                values[measure][row, column] = value
    for name, (units, words) in DISTANCES.items():
        long_name = f"{words}, null"
        dataset[f"null_{name}"] = (
            ("condition", "seed"), values[name], {"units": units, "long_name": long_name},
        )  # fmt: skip


def _final(run: Run, seed: int, probe: Probe, checkpoint: int = -1) -> Activity:
    return probe.activity(run.params(seed, checkpoint))


def _num_checkpoints(run: Run) -> int:
    return int(run.tree["checkpoints"].sizes["checkpoint"])


def _trials_to_criterion(run: Run) -> np.ndarray:
    training = run.tree["training"].to_dataset()
    reached = training["criterion_update"].values
    return np.where(reached >= 0, reached * int(run.config["training"]["batch_size"]), NEVER)
