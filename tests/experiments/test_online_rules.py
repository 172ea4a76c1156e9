"""The study of online rules: steps as published, a run that can be stopped, a record of what is declared."""

from __future__ import annotations

import importlib
from pathlib import Path

import jax
import numpy as np
import pytest

import throughtime as tt
from throughtime.cli.scripts import imported

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "online_rules.py") as study:
    plan = importlib.import_module("_online_plan")
RECORD = ROOT / "evidence" / "online_rules.nc"

TINY = plan.Form(
    "tiny", num_units=4, steps=30, streams={"add-1": (4, 2)}, rules=("readout-only", "kernl"), rtrl=1,
    log_every=2, kept=(), aligned=("kernl",), align_seeds=1, align_trials=1, draws=3, settle=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny study that was never stopped: its cells, and its record."""
    folder = tmp_path_factory.mktemp("cells")
    made = study.study(TINY)
    found = made.go_on(folder)
    return folder, found, made.record(found)


def test_the_full_form_declares_every_rule_on_every_stream_once():
    cells = list(plan.cells(plan.FULL))
    assert len({cell.name for cell in cells}) == len({cell.identity for cell in cells}) == len(cells)
    trained = [cell for cell in cells if cell.labels[0] != "alignment"]
    assert len(trained) == len(plan.STREAMS) * len(plan.RULES) + 1
    names = {cell.declared["rule"].name for cell in trained}
    assert {"rtrl", "kf-rtrl", "r-kf-rtrl", "uoro", "rflo", "kernl", "dni", "readout-only"} < names


@pytest.mark.parametrize("name", plan.STREAMS)
def test_a_step_moves_weights_as_published(name):
    """Outputs move by 1e-4 (answer − target), of softmax cross-entropy or of half the squared error."""
    task = plan.task_of(name, 60)
    trial = task.trial(jax.random.key(0))
    objective = plan.STREAMS[name].objective
    assert len(trial.valid) == 60
    outputs = np.random.default_rng(0).standard_normal(trial.targets.shape[1])
    last = trial.targets[-1], trial.mask[-1], objective.normaliser(trial)
    slope = jax.grad(objective.at_step)(outputs, *last)
    answer = outputs if name.startswith("mimic") else jax.nn.softmax(outputs)
    np.testing.assert_allclose(
        plan.step_size(name, task) * slope, 1e-4 * (answer - trial.targets[-1]), rtol=1e-4, atol=1e-9
    )
    circuit = plan.circuit_of(name, task, 5)
    assert circuit.dt / circuit.dynamics.tau == float(name.partition("-")[2])


def test_all_rules_see_a_stream_of_one_length():
    for cell in plan.cells(plan.FULL):
        one = cell.declared["along"] if cell.labels[0] == "alignment" else cell.declared
        stream = "add-1" if cell.labels[0] == "alignment" else cell.labels[0]
        updates = plan.FULL.streams[stream][0]
        assert one["num_updates"] * one["task"].num_steps == updates * plan.FULL.steps
        assert one["log_every"] // one.get("cuts", 1) == plan.FULL.log_every


def test_floors_are_the_published_ones():
    for name in ("add-1", "add-0.5"):
        np.testing.assert_allclose(list(plan.levels(name).values()), [0.6616, 0.5192, 0.4544], atol=6e-5)
    assert plan.levels("mimic-1") == {}


def test_the_record_of_a_real_run_is_complete_and_can_be_drawn(finished, tmp_path):
    _, found, tree = finished
    path = tt.results.save(tree, tmp_path / "record.nc")
    read = tt.results.load_tree(path)
    trained, aligned = read["trained"].to_dataset(), read["alignment"].to_dataset()
    assert tt.results.labels(trained["option"]) == ["readout-only", "kernl", "rtrl"]
    assert trained["loss"].dims == ("task", "option", "seed", "update")
    assert trained["update"].values.tolist() == [2, 4]
    assert trained["num_seeds"].values.tolist() == [[2, 2, 1]]
    assert np.isfinite(trained["loss"].isel(option=slice(2))).all()
    assert np.isnan(trained["loss"].isel(option=2, seed=1)).all()
    curve = next(data for cell, data in found.items() if cell.labels == ("add-1", "kernl"))
    np.testing.assert_array_equal(trained["final_loss"].isel(task=0, option=1), curve["loss"][:, -1])
    assert aligned["cosine"].shape == (1, 2, 2)
    assert (np.abs(aligned["cosine"].isel(seed=0)) <= 1).all()
    with imported(ROOT / "figures" / "online_rules.py") as figure:
        figure.draw(read).canvas.draw()


def test_diverged_seeds_are_counted(finished):
    _, found, _ = finished
    changed = {cell: data.copy(deep=True) for cell, data in found.items()}
    cell = next(cell for cell in changed if cell.labels == ("add-1", "kernl"))
    changed[cell]["diverged_at"][0] = 3
    trained = study.combine(TINY, changed)["/trained"]
    assert trained["num_diverged"].values.tolist() == [[0, 1, 0]]
    assert np.isposinf(trained["final_loss"].values[0, 1, 0])


def test_stopped_at_every_cell_it_goes_on_and_ends_the_same(finished, tmp_path, monkeypatch):
    done, found, tree = finished
    calls = []

    def once_stopped(cell):
        calls.append(cell.name)
        if calls.count(cell.name) == 1:
            raise KeyboardInterrupt
        return found[cell].copy()

    monkeypatch.setattr(study, "measure", once_stopped)
    for stops in range(len(found)):
        with pytest.raises(KeyboardInterrupt):
            study.study(TINY).go_on(tmp_path)
        assert len(list(tmp_path.glob("*.nc"))) == stops
    last = study.study(TINY)
    again = last.record(last.go_on(tmp_path))
    assert all(calls.count(cell.name) == 2 for cell in found)
    groups = [{name: one[name].to_dataset() for name in one.children} for one in (again, tree)]
    assert groups[0].keys() == groups[1].keys()
    for name, data in groups[0].items():
        assert data.identical(groups[1][name])
    assert {path.name for path in tmp_path.glob("*.nc")} == {path.name for path in done.glob("*.nc")}


def test_the_committed_record_is_the_full_form_as_declared():
    full = study.study("full")
    assert full.record_path(Path("results")) == RECORD
    if not RECORD.exists():
        return
    tree = tt.results.load_tree(RECORD)
    assert RECORD.stat().st_size < 3e5
    assert tree.attrs["form"] == "full"
    assert tree.attrs["config_sha256"] == full.config_sha256
    assert tree.attrs["not_run"] == "; ".join(plan.NOT_RUN)
    assert set(tree.children) == {"trained", "alignment"}
    trained = tree["trained"].to_dataset()
    assert tt.results.labels(trained["task"]) == list(plan.FULL.streams)
    assert tt.results.labels(trained["option"]) == [*plan.FULL.rules, "rtrl"]
