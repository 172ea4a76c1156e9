"""The study of innate trajectories: published settings, a run that can be stopped, a record as declared."""

from __future__ import annotations

import importlib
from pathlib import Path

import jax
import numpy as np
import pytest

import throughtime as tt
from throughtime.cli.scripts import imported

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "innate_trajectory.py") as study:
    measuring = importlib.import_module("_innate_measure")
RECORD = ROOT / "evidence" / "innate_trajectory.nc"
TINY = study.Form(
    "tiny", circuits=((20, 60.0, (0,)),), density=0.5, wait=10.0, recurrent_trials=2, readout_trials=2,
    keep=(1,), test_trials=2,
)  # fmt: skip
TWO = study.Form(**{**vars(TINY), "name": "two", "circuits": ((20, 60.0, (0, 1)),)})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny study that was never stopped: its cell, and its record in a file."""
    folder = tmp_path_factory.mktemp("cells")
    made = study.study(TINY)
    found = made.go_on(folder)
    return found, tt.results.save(made.record(found), folder / "record.nc")


def test_the_full_form_declares_every_circuit_once_the_published_size_first():
    cells = list(study.cells(study.FULL))
    assert len({cell.name for cell in cells}) == len({cell.identity for cell in cells}) == len(cells)
    first = cells[0].declared
    assert (first["num_units"], first["density"], first["wait"]) == (800, 0.1, 200.0)
    assert (first["recurrent_trials"], first["readout_trials"]) == (20, 10)


def test_circuit_and_task_are_the_published_ones():
    declared = {"num_units": 800, "delay": 2000.0, "wait": 200.0, "density": 0.1, "seed": 0}
    task, circuit = measuring.task_of(declared), measuring.circuit_of(declared)
    trial = task.trial(jax.random.key(0))
    inputs, judged = np.asarray(trial.inputs), np.flatnonzero(np.asarray(trial.mask[:, 0]) > 0)
    assert (np.flatnonzero(inputs[:, 0])[[0, -1]] == (200, 249)).all()
    assert inputs[:, 0].max() == 5
    assert (judged[0], judged[-1]) == (250, 250 + 2000 + 150 - 1)
    assert abs(int(np.argmax(trial.targets[:, 0])) - 2250) <= 1
    params = measuring.initial_params(circuit, 0)
    assert np.std(params["input"]) == pytest.approx(1, rel=0.05)
    weights = np.asarray(circuit.weights(params).recurrent)
    exists = weights != 0
    assert exists.mean() == pytest.approx(0.1, rel=0.02)
    assert not exists.diagonal().any()
    assert weights[exists].std() == pytest.approx(1.5 / np.sqrt(80), rel=0.02)
    assert circuit.recurrent.learns(800)[:, 0].sum() == 480
    noise = circuit.noise(jax.random.key(0), 400)
    assert np.std(noise) == pytest.approx(0.001, rel=0.01)
    assert set(circuit.param_names) - set(circuit.untrained) == {"recurrent", "readout"}


def test_a_short_delay_is_perturbed_in_its_middle():
    declared = {"delay": 400.0, "wait": 200.0}
    assert measuring.task_of(declared).perturbation_onset == 250
    assert measuring.task_of({**declared, "delay": 2000.0}).perturbation_onset == 500


def test_correlation_is_the_mean_over_units():
    time = np.linspace(0, 20, 400)[:, None]
    innate = np.sin(time * [1.0, 2.0, 3.0])
    other = innate * [2.0, 1.0, -1.0] + 0.5
    assert measuring.correlation(other, innate) == pytest.approx((1 + 1 - 1) / 3, abs=1e-6)
    assert measuring.correlation(0 * innate, innate) == 0


def test_the_record_of_a_real_run_is_complete_and_can_be_drawn(finished, capsys):
    _, path = finished
    tree = tt.results.load_tree(path)
    assert tree.attrs["config_sha256"] == study.study(TINY).config_sha256
    circuits, shown = tree["circuits"].to_dataset(), tree["demonstration"].to_dataset()
    assert circuits["correlation"].dims == ("draw", "update", "option")
    assert circuits["update"].values.tolist() == [0, 1, 2]
    assert circuits["delay"].values.tolist() == [60.0]
    assert circuits["draw"].size == 1
    assert (np.abs(circuits["correlation"].diff("update")) > 0).any()  # training moved the trajectory
    untrained = circuits["correlation_untrained"].isel(draw=0)
    assert (untrained.isel(option=1) < untrained.isel(option=0)).all()  # the perturbation moves it away
    assert (shown["rate"].isel(block=0) != shown["rate"].isel(block=1)).any()
    assert np.isfinite(shown["answer"]).all()
    study.report(tree)
    assert "20 units, 60 ms, seed 0" in capsys.readouterr().out
    with imported(ROOT / "figures" / "innate_trajectory.py") as figure:
        figure.draw(tree).canvas.draw()


def test_stopped_at_every_cell_it_goes_on_and_ends_the_same(finished, tmp_path, monkeypatch):
    contents, calls = next(iter(finished[0].values())), []

    def once_stopped(declared):
        calls.append(declared["seed"])
        if calls.count(calls[-1]) == 1:
            raise KeyboardInterrupt
        return contents + declared["seed"]

    monkeypatch.setattr(study, "measure", once_stopped)
    for stops in range(2):
        with pytest.raises(KeyboardInterrupt):
            study.study(TWO).go_on(tmp_path / "stopped")
        assert len(list((tmp_path / "stopped").glob("*.nc"))) == stops
    last = study.study(TWO)
    again, whole = (last.record(last.go_on(tmp_path / name)) for name in ("stopped", "never"))
    for group in ("circuits", "demonstration"):
        assert again[group].to_dataset().identical(whole[group].to_dataset())
    assert again["circuits"]["seed_of_circuit"].values.tolist() == [0, 1]
    np.testing.assert_allclose(again["circuits"]["r2"][1], again["circuits"]["r2"][0] + 1, rtol=1e-6)


def test_the_committed_record_is_the_full_form_as_declared():
    full = study.study("full")
    assert full.record_path(Path("results")) == RECORD
    if not RECORD.exists():
        return
    tree = tt.results.load_tree(RECORD)
    assert RECORD.stat().st_size < 3e5
    assert tree.attrs["form"] == "full"
    assert tree.attrs["config_sha256"] == full.config_sha256
    assert tree.attrs["not_run"] == "; ".join(full.not_run)
    assert tree["circuits"].sizes["draw"] == len(list(study.cells(study.FULL)))
