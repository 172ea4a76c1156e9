"""The study of intervals beyond the trained ones: what is declared, how it is judged, and what was found."""

from __future__ import annotations

import importlib
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime.circuits import Dense, LowRank
from throughtime.cli.scripts import imported
from throughtime.results import labels

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "low_rank_timing.py") as study:
    measuring = importlib.import_module("_timing_measure")
RECORD = ROOT / "evidence" / "low_rank_timing.nc"
ASKED = np.arange(500.0, 2301.0, 75.0)
TINY = {
    **dict(next(iter(study.cells(study.QUICK))).declared), "rank": 2, "cue_duration": 500.0,
    "seeds": (3, 4), "num_units": 6, "dt": 40.0, "num_updates": 2, "eval_every": 2, "batch_size": 4,
    "intervals": [500.0, 800.0, 1550.0, 1850.0, 2300.0], "shown": [800.0, 2300.0], "test_trials": 40,
    "longest_response": 2800.0,
}  # fmt: skip


def cell_of(stop: str, circuit: str, cue: str):
    (found,) = (cell for cell in study.cells(study.FULL) if cell.labels == (stop, circuit, cue))
    return found


def test_every_kind_of_circuit_has_one_cell_with_each_cue_and_stop():
    cells = list(study.cells(study.FULL))
    assert len({cell.name for cell in cells}) == len({cell.identity for cell in cells}) == len(cells) == 12
    varied = {"rank", "cue_duration", "stop", "num_updates", "learning_rate"}
    same = [{name: value for name, value in cell.declared.items() if name not in varied} for cell in cells]
    assert all(one == same[0] for one in same)
    assert len(same[0]["seeds"]) == 10
    assert set(same[0]["intervals"]) == set(ASKED)


def test_task_and_circuit_are_the_published_ones():
    declared = cell_of("criterion", "full", "tonic").declared
    task, circuit = measuring.parts_of(declared)
    assert task.interval == (800.0, 1050.0, 1300.0, 1550.0)
    assert (task.cue, task.cue_intervals, task.catch) == ((0.0, 0.25), (800.0, 1550.0), 0.1)
    params = circuit.init(key=jax.random.key(0))
    assert circuit.recurrent == Dense(gain=1.0)
    assert np.std(params["recurrent"]) == pytest.approx(128**-0.5, rel=0.03)
    learned = set(circuit.param_names) - set(circuit.untrained)
    assert learned == {"recurrent", "input", "readout", "initial_current"}
    low = measuring.parts_of(cell_of("criterion", "rank-2", "transient").declared)
    assert low[0].cue_duration == 500
    assert isinstance(low[1].recurrent, LowRank)
    assert np.linalg.matrix_rank(low[1].weights(low[1].init(key=jax.random.key(0))).recurrent) == 2


def test_the_test_asks_for_everything_with_the_same_cues_and_waits_for_late_responses():
    declared = cell_of("criterion", "full", "transient").declared
    task = measuring.parts_of(declared)[0]
    probe = measuring.probe_of(task, declared)
    assert (probe.trial_end, probe.wait, probe.catch, probe.cue_duration) == (5500.0, 1000.0, 0.0, 500.0)
    trials = jax.jit(jax.vmap(probe.trial))(jax.random.split(jax.random.key(0), 64))
    np.testing.assert_allclose(
        trials.conditions["cue"], 0.25 * (trials.conditions["interval"] - 800) / 750, atol=1e-5
    )


def test_slopes_leave_out_what_is_not_answered():
    produced = np.where(ASKED <= 1550, ASKED, 1550 + 0.2 * (ASKED - 1550))
    share = np.ones(ASKED.size)
    for ends, wanted in (((0, 800), 1.0), ((800, 1550), 1.0), ((1550, 1925), 0.2), ((1550, 2300), 0.2)):
        assert measuring.slope(produced, share, ASKED, ends) == pytest.approx(wanted)
    share[ASKED > 1700] = 0.4
    produced[ASKED > 1700] = 9e9
    assert measuring.slope(produced, share, ASKED, (1550, 2300)) == pytest.approx(0.2)
    share[ASKED > 1625] = 0.4
    assert np.isnan(measuring.slope(produced, share, ASKED, (1550, 2300)))


@pytest.mark.parametrize(("gain", "longest"), [(1.0, 2300.0), (0.0, 1775.0), (2.0, 1775.0), (-9.0, 1550.0)])
def test_reach_ends_where_the_first_interval_is_missed(gain, longest):
    produced = 1550 + gain * (ASKED - 1550)
    produced[-1] = 2300.0  # met again, which does not count
    assert measuring.reach(produced, np.ones(ASKED.size), ASKED) == longest
    assert measuring.reach(produced, np.full(ASKED.size, 0.4), ASKED) == 1550


def test_growth_tells_a_linear_speed_from_a_linear_interval():
    """One over (a − b x) has a linear speed; a line has not; what falls once does not rise."""
    all_of_them = np.ones(ASKED.size)
    hyperbola = 1 / (1 / 900 - ASKED / 2.7e6)
    rises, straight, speed = measuring.growth(hyperbola, all_of_them, ASKED)
    assert (rises, round(speed, 9)) == (1, 1)
    assert straight < 0.97
    rises, straight, speed = measuring.growth(ASKED, all_of_them, ASKED)
    assert (rises, round(straight, 9)) == (1, 1)
    assert speed < 0.99
    fallen = np.where(ASKED > 2000, ASKED - 300, ASKED)
    assert measuring.growth(fallen, all_of_them, ASKED)[0] == 0
    assert measuring.growth(fallen, np.where(ASKED > 2000, 0.4, 1), ASKED)[0] == 1
    flat, few = 0 * ASKED + 9, np.where(ASKED > 1700, 0.4, 1)
    for found in (measuring.growth(flat, all_of_them, ASKED), measuring.growth(ASKED, few, ASKED)):
        assert found[0] == 0
        assert np.isnan(found[1:]).all()


def test_trials_are_judged_by_where_their_interval_lies():
    """Ten trials an interval; above the trained range a tenth has no response, the others are 30 % late."""
    asked = np.repeat(ASKED, 10)
    produced = np.where(asked > 1550, 1.3 * asked, asked)
    produced[(asked > 1550) & (np.arange(asked.size) % 10 == 0)] = np.nan
    correct = np.abs(produced / asked - 1) < 0.15
    found = measuring.judged(produced, correct, asked, ASKED)
    np.testing.assert_allclose(found["responded"], [1, 1, 0.9, 0.9])
    np.testing.assert_allclose(found["correct"], [1, 1, 0, 0])
    np.testing.assert_allclose(found["produced"], np.where(ASKED > 1550, 1.3, 1) * ASKED)
    np.testing.assert_allclose(found["share"], np.where(ASKED > 1550, 0.9, 1))
    assert found["longest"] == 1550
    used = {name: ASKED[measuring.inside(ASKED, name)] for name in measuring.BLOCKS}
    assert used["below"].max() == 725
    assert (used["inside"].min(), used["inside"].max()) == (800, 1550)
    assert (used["near"].min(), used["near"].max(), used["above"].max()) == (1625, 1925, 2300)


@pytest.fixture(scope="module")
def measured():
    return measuring.measure(TINY)


def test_a_cell_is_trained_and_tested(measured):
    assert dict(measured.sizes) == {
        "seed": 2, "condition": 5, "block": 4, "trial": 2, "time": 95,
    }  # fmt: skip
    assert measured["num_updates"].values.tolist() == [2, 2]
    assert measured["criterion_update"].values.tolist() == [-1, -1]
    assert np.isfinite(measured["answer"]).all()
    assert all("units" in one.attrs for one in measured.variables.values())
    assert float(measured["time"][0]) == -980.0


def test_cells_are_combined_and_compared_seed_by_seed(measured, tmp_path, capsys, monkeypatch):
    """Made-up cells: with a tonic cue slopes are 1.5 with full rank and 1.1 with low rank, else 0.2."""

    def made(cell) -> xr.Dataset:
        declared = dict(cell)
        tonic, rank = declared["cue_duration"] is None, declared["rank"]
        data = measured.isel(seed=[0] * 10).assign_coords(seed=("seed", range(10), {"units": "1"}))
        value = (1.1 if rank else 1.5) if tonic else 0.2
        slopes = value + 0.01 * np.arange(10)[:, None] * np.ones(4)
        if rank == 3:
            slopes[0] = np.nan
        data["slope"] = data["slope"].copy(data=slopes)
        data["correct"] = data["correct"].copy(data=np.ones((10, 4)) * (0.9 if tonic else 0.1 + 0.1 * rank))
        data["longest"] = data["longest"].copy(data=np.full(10, 2300.0 if tonic else 1925.0))
        return data

    monkeypatch.setattr(study, "measure", made)
    whole = study.study("full")
    tree = whole.record(whole.go_on(tmp_path))
    assert tt.results.validate(tree) == []
    data = tree["criterion"].to_dataset()
    np.testing.assert_allclose(
        data["mean_slope"].isel(block=2), [[1.545, 0.245], [1.145, 0.245], [1.15, 0.25]], rtol=1e-5
    )
    half = 2.262157 * np.std(0.01 * np.arange(10), ddof=1) / np.sqrt(10)  # Student's t, 9 degrees of freedom
    np.testing.assert_allclose(data["mean_slope_upper"].values[0, 0], 1.545 + half, rtol=1e-5)
    np.testing.assert_allclose(data["mean_slope_lower"].values[0, 0], 1.545 - half, rtol=1e-5)
    assert data["num_slopes"].values[:, 0, 0].tolist() == [10, 10, 9]
    ranks, cues = tree["criterion_ranks"].to_dataset(), tree["criterion_cues"].to_dataset()
    assert labels(ranks["circuit"]) == ["rank-2", "rank-3"]
    assert labels(cues["option"]) == ["tonic"]
    error = ranks["mean_difference"].sel(metric=0, circuit=1)
    np.testing.assert_allclose(error, [-0.4, 0.0], atol=1e-6)
    assert np.isnan(ranks["mean_difference"].sel(metric=0, circuit=2)).all()  # a seed without a slope
    np.testing.assert_allclose(ranks["median_difference"].sel(metric=0, circuit=2)[0], -0.4, atol=1e-6)
    np.testing.assert_allclose(cues["mean_difference"].sel(metric=1).squeeze("option"), [0.8, 0.6, 0.5])
    np.testing.assert_allclose(cues["mean_difference"].sel(metric=2), 0.5)
    study.report(tree)
    assert "criterion, tonic, rank-2: 0 of 10 met the criterion" in capsys.readouterr().out
    with imported(ROOT / "figures" / "low_rank_timing.py") as figure:
        figure.draw(tree).canvas.draw()


# what was found


@pytest.fixture(scope="module")
def record():
    return tt.results.load_tree(RECORD)


def kind(record, stop, circuit, cue):
    data = record[stop].to_dataset()
    return data.isel(circuit=labels(data["circuit"]).index(circuit), option=labels(data["option"]).index(cue))


def mean_slope(one, block, end=""):
    return float(one[f"mean_slope{end}"].isel(block=labels(one["block"]).index(block)))


def test_the_record_is_of_the_declaration(record):
    full = study.study("full")
    assert full.record_path(Path("results")) == RECORD
    assert (record.attrs["form"], record.attrs["config_sha256"]) == ("full", full.config_sha256)
    assert record.attrs["not_run"] == "; ".join(full.not_run)
    assert tt.results.validate(record) == []
    assert RECORD.stat().st_size < 400_000
    assert record["criterion"].sizes["seed"] == 10


def test_all_learn_what_they_were_trained_on(record):
    """Only rank two with a transient cue leaves a circuit without the criterion."""
    met = (record["criterion"]["criterion_update"] >= 0).sum("seed")
    assert met.transpose("circuit", "option").values.tolist() == [[10, 10], [10, 9], [10, 10]]
    for circuit, cue in (
        ("full", "tonic"),
        ("rank-2", "tonic"),
        ("rank-3", "tonic"),
        ("rank-3", "transient"),
    ):
        one = kind(record, "criterion", circuit, cue)
        assert 0.9 < mean_slope(one, "inside") < 1.02
        assert float(one["correct"].isel(block=1).min()) > 0.9


@pytest.mark.parametrize("stop", study.STOPS)
def test_with_a_tonic_cue_low_rank_circuits_go_on_and_overshoot(record, stop):
    for circuit in ("rank-2", "rank-3"):
        one = kind(record, stop, circuit, "tonic")
        assert (one["rises"] == 1).all()
        assert mean_slope(one, "near", "_lower") > 1.5
        assert float(one["straight_speed"].min()) > 0.975
        assert (one["straight_speed"] > one["straight_interval"]).all()


@pytest.mark.parametrize(("stop", "rising"), [("criterion", 7), ("budget", 9)])
def test_with_a_tonic_cue_full_rank_circuits_differ_and_most_go_on(record, stop, rising):
    one = kind(record, stop, "full", "tonic")
    assert int(one["rises"].sum()) == rising
    assert mean_slope(one, "near", "_lower") < 1 < mean_slope(one, "near", "_upper")
    pairs = record[f"{stop}_ranks"].to_dataset()
    tonic = pairs.isel(option=0, metric=labels(pairs["metric"]).index("correct_above"))
    assert (tonic["upper"] < 0).all()  # low rank is right less often


@pytest.mark.parametrize("stop", study.STOPS)
def test_with_a_transient_cue_all_level_off(record, stop):
    for circuit in study.CIRCUITS:
        one = kind(record, stop, circuit, "transient")
        assert mean_slope(one, "near", "_upper") < 0.85
        assert mean_slope(one, "above", "_upper") < 0.8
        assert (one["responded"].mean("seed") > 0.98).all()
        assert int(one["rises"].sum()) <= 2
    assert mean_slope(kind(record, stop, "full", "transient"), "above", "_upper") < 0.25
