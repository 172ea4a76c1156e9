"""The study of learning from reward: published settings, a run that can be stopped, a record as declared."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from throughtime.cli.scripts import imported

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "reward_learning.py") as study:
    measuring = importlib.import_module("_reward_measure")
RECORD = ROOT / "evidence" / "reward_learning.nc"
TINY = study.Form("tiny", num_units=12, cubic=(2, 120), node=(1, 120), together=2, shorter=40)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny study that was never stopped: its cells, and its record in a file.

    Its second variant is taken from the first, which saves a compilation; tests of the rule have both.
    """
    folder, real, done = tmp_path_factory.mktemp("cells"), study.measure, []

    def measure(declared):
        done.append(real(declared) if declared["variant"] == "cubic" else done[0].isel(seed=[0]))
        return done[-1].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "measure", measure)
        made = study.study(TINY)
        found = made.go_on(folder)
    return found, tt.results.save(made.record(found), folder / "record.nc")


def test_the_full_form_declares_every_seed_once():
    cells = list(study.cells(study.FULL))
    assert len({cell.name for cell in cells}) == len({cell.identity for cell in cells}) == len(cells)
    for variant, (number, _) in (("cubic", study.FULL.cubic), ("node", study.FULL.node)):
        seeds = [seed for cell in cells if cell.labels[0] == variant for seed in cell.declared["seeds"]]
        assert seeds == list(range(number))
    assert study.FULL.cubic[0] == 20
    assert study.FULL.num_units == 200
    assert study.FULL.shorter == 1


def test_task_and_circuit_are_the_published_ones():
    task, circuit = measuring.task_of(1), measuring.circuit_of(200)
    assert task == tt.tasks.DelayedMatchToSample.miconi()
    assert (task.num_steps, task.dt) == (1000, circuit.dt) == (1000, 1.0)
    params = measuring.initial_params(circuit, 3)
    params = {name: np.asarray(value) for name, value in params.items()}
    assert 0.09 < np.abs(params["initial_current"]).max() <= 0.1
    assert (params["input"][0] == 0).all()
    assert 0.95 < np.abs(params["input"][1:]).max() <= 1
    rates = np.asarray(circuit.dynamics.rate(params, {"current": np.zeros(200, np.float32)}))
    np.testing.assert_allclose(rates[[1, 10, 11]], np.tanh([1, 1, -1]), rtol=1e-6)
    assert np.flatnonzero(rates).tolist() == [1, 10, 11]
    assert np.flatnonzero(params["readout"]).tolist() == [measuring.OUTPUT_UNIT]
    assert params["readout"][0, measuring.OUTPUT_UNIT] == 1
    assert set(circuit.param_names) - set(circuit.untrained) == {"recurrent"}


@pytest.mark.parametrize(("variant", "published"), [("cubic", (0.1, 3e-4)), ("node", (0.001, 3e-4))])
def test_a_step_is_clipped_as_published(variant, published):
    """``clip(η g, ±c)`` number by number."""
    rate, clip = measuring.STEPS[variant]
    drawn = np.random.default_rng(0).standard_normal((5, 5)) * published[1] / published[0]
    moved, _ = clip({"recurrent": drawn})
    wanted = np.clip(published[0] * drawn, -published[1], published[1])
    np.testing.assert_allclose(rate * moved["recurrent"], wanted, rtol=1e-5)
    assert np.unique(np.abs(wanted) == published[1]).size == 2


def test_the_criterion_is_met_at_the_last_of_a_hundred_trials():
    errors = np.full(300, 2.0)
    errors[100:] = 0.7
    assert measuring.first_met(errors, 1.0, 95) == 195
    assert measuring.first_met(errors, 1.0, 96) == 196
    assert measuring.first_met(errors, 0.5, 95) == -1
    errors[150] = 1.0  # not below
    assert measuring.first_met(errors, 1.0, 95) == 196
    assert study.quartiles(np.array([400, -1, 500, 600])) == (400, 500, 600)
    assert study.quartiles(np.array([400, -1, -1, -1]))[1] == np.inf


def test_the_record_of_a_real_run_is_complete_and_can_be_drawn(finished, tmp_path, capsys):
    found, path = finished
    tree = tt.results.load_tree(path)
    assert tree.attrs["config_sha256"] == study.study(TINY).config_sha256
    cubic, node = tree["cubic"].to_dataset(), tree["node"].to_dataset()
    assert cubic.sizes["seed"] == 2
    assert node.sizes["draw"] == 1
    assert cubic["error"].shape == (2, 120 // measuring.BLOCK)
    assert float(cubic["published_trials_to_criterion"]) == 843
    first = next(iter(found.values()))
    blocks = first["success"].values.reshape(2, -1, measuring.BLOCK)
    assert (blocks.mean(-1)[first["error"] < 0.5] > 0).all()
    assert np.isfinite(cubic["answer"]).all()
    np.testing.assert_array_equal(
        cubic["answer"][:, 0, :1], cubic["answer"][:, 1, :1]
    )  # the same first stimulus
    study.report(tree)
    assert "0 diverged" in capsys.readouterr().out
    with imported(ROOT / "figures" / "reward_learning.py") as figure:
        figure.draw(tree).canvas.draw()


def test_stopped_at_every_cell_it_goes_on_and_ends_the_same(finished, tmp_path, monkeypatch):
    found, path = finished
    contents, calls = {cell.name: data for cell, data in found.items()}, []
    by_declaration = {str(cell.declared): cell.name for cell in found}

    def once_stopped(declared):
        calls.append(by_declaration[str(declared)])
        if calls.count(calls[-1]) == 1:
            raise KeyboardInterrupt
        return contents[calls[-1]].copy()

    monkeypatch.setattr(study, "measure", once_stopped)
    for stops in range(len(found)):
        with pytest.raises(KeyboardInterrupt):
            study.study(TINY).go_on(tmp_path)
        assert len(list(tmp_path.glob("*.nc"))) == stops
    last = study.study(TINY)
    again = last.record(last.go_on(tmp_path))
    for group in ("cubic", "node"):
        assert again[group].to_dataset().identical(tt.results.load_tree(path)[group].to_dataset())
    assert last.go_on(tmp_path, until=0.0) is not None
    assert last.go_on(tmp_path / "empty", until=0.0) is None


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
    assert tree["cubic"].sizes["seed"] == study.FULL.cubic[0]
    assert tree["node"].sizes["draw"] == study.FULL.node[0]
