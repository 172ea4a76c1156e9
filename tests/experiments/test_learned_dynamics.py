"""The study of what circuits came to be: cells as declared, circuits taken apart, findings of the record."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime.cli.scripts import imported

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "learned_dynamics.py") as study:
    measuring = importlib.import_module("_learned_measure")
RECORD = ROOT / "evidence" / "learned_dynamics.nc"
TINY = {"seed": 1, "num_units": 12, "num_updates": 2, "stop": "budget", "num_trials": 40, "num_starts": 12}


@pytest.fixture(scope="module")
def record():
    tree = tt.results.load_tree(RECORD)
    assert tree.attrs["form"] == "full"
    return tree


def test_the_record_is_of_the_declaration(record):
    assert record.attrs["config_sha256"] == study.study().config_sha256
    assert tt.results.validate(record) == []
    for task in study.TASKS:
        assert record[task].sizes["seed"] == study.FULL.num_seeds
    assert RECORD.stat().st_size < 600_000


def test_every_seed_of_every_task_is_one_cell():
    cells = list(study.cells(study.FULL))
    assert len({cell.name for cell in cells}) == len({cell.identity for cell in cells}) == len(cells) == 20
    assert {cell.labels[0] for cell in cells} == set(measuring.TAKEN_APART)


def test_an_untrained_circuit_is_taken_apart_too():
    found = measuring.measure({"task": "contextual-integration", **TINY})
    assert set(found.sizes) >= {"fixed_point", "mode"}
    assert found["n_unstable"].dims[-1] == "fixed_point"
    assert all("units" in values.attrs for values in found.variables.values())
    assert found["num_updates"] == 2


def test_the_slowest_mode_is_chosen_and_made_real():
    """A map with one slow mode, given as a spectrum whose eigenvectors have some phase."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4, 4))
    step = vectors @ np.diag([0.3, 0.95, 0.5, 0.1]) @ np.linalg.inv(vectors)
    spectra = tt.analysis.jacobian_spectrum(
        lambda s: step @ s, xr.DataArray(np.zeros((1, 4)), dims=("fixed_point", "state")), dt=1.0
    )
    left, right = measuring.leading(spectra)
    np.testing.assert_allclose(np.abs(right[0] @ vectors[:, 1]) / np.linalg.norm(vectors[:, 1]), 1)
    assert (left[0] @ right[0]).real == pytest.approx(1)
    np.testing.assert_allclose(left[0] @ step, 0.95 * left[0], atol=1e-9)


def test_starts_are_states_and_mixtures_of_states():
    states = np.eye(5)
    starts = measuring.blended(states, 40, 0.0, 0)
    np.testing.assert_allclose(starts.sum(1), 1)
    assert (starts[:20].max(1) == 1).all()
    assert (starts[20:].max(1) < 1).any()


# what was found


def test_three_bits_are_the_corners_of_a_cube(record):
    data = record["flip-flop"].to_dataset()
    assert (data["score"] > 0.95).all()
    for seed in range(data.sizes["seed"]):
        one = data.isel(seed=seed)
        fixed = one["kind"].values == 0
        unstable, outputs = one["n_unstable"].values[fixed], one["output_at_point"].values[fixed]
        assert np.bincount(unstable, minlength=4).tolist() == [8, 12, 6, 1]
        for count in range(4):  # as many outputs are near 0 as there are unstable directions
            here = np.abs(outputs[unstable == count])
            assert ((here < 0.5).sum(1) == count).all()
        corners = {tuple(np.sign(point)) for point in outputs[unstable == 0]}
        assert len(corners) == 8


def test_the_slowest_direction_selects_the_relevant_evidence(record):
    data = record["contextual-integration"].to_dataset()
    first = data["n_starts"].values.argmax(-1)[..., None, None]
    selection = data["selection"].transpose("seed", "input_condition", "fixed_point", "option").values
    effect = np.take_along_axis(selection, first, 2)[..., 0, :]
    relevant = np.stack([effect[:, 0, 0], effect[:, 1, 1]], 1)
    irrelevant = np.stack([effect[:, 0, 1], effect[:, 1, 0]], 1)
    assert np.median(relevant / irrelevant) > 5
    strength = data["input_strength"].values
    assert (np.abs(np.log(strength[:, 0] / strength[:, 1])) < np.log(1.5)).all()  # both enter alike
    position = data["position"].transpose("seed", "signal", "condition", "time").values[..., -1]
    spread = position[..., -1] - position[..., 0]
    assert (spread[:, 0] > 5 * np.abs(spread[:, 1])).all()


def test_speed_from_set_falls_with_the_interval_but_trajectories_do_not_just_scale(record):
    data = record["ready-set-go"].to_dataset()
    speed = data["relative_speed"].transpose("seed", "condition").values
    assert (speed[:, 0] > speed[:, -1] + 0.25).all()
    assert (np.diff(speed[:, 2:], axis=1) < 0).all()
    assert (data["start_order"] > 0.8).all()
    gain = data["population"] - data["population_unwarped"]
    assert abs(float(gain.median())) < 0.1  # the index is no higher than in absolute time


def test_the_ring_is_broken_into_stable_points_and_saddles(record):
    data = record["delayed-response"].to_dataset()
    stable = ((data["kind"] == 0) & (data["n_unstable"] == 0)).sum("fixed_point")
    saddles = ((data["kind"] == 0) & (data["n_unstable"] == 1)).sum("fixed_point")
    assert (stable >= 2).all()
    np.testing.assert_array_equal(stable, saddles)  # they take turns on a ring
    accuracy = data["accuracy"].transpose("seed", "time_train", "time_test").values
    assert (np.diagonal(accuracy, axis1=1, axis2=2).mean(1) > 2.5 * float(data["chance"][0])).all()
