"""The record of the tasks: filled a cell at a time, resumed, and what it says about every task."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime.analysis.fits import FITS
from throughtime.cli.scripts import imported
from throughtime.results import labels
from throughtime.tasks.measured import MEASURED

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "evidence.py") as study:
    recording, plan = importlib.import_module("_task_record"), importlib.import_module("_task_settings")
RECORD = ROOT / "evidence" / "tasks.nc"
NAME = "delayed-match-to-sample"
QUICK = {"num_updates": 2, "eval_every": 2, "batch_size": 2}


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Two updates of four units, and a record in a folder of its own."""
    monkeypatch.setattr(plan, "COMMON", QUICK)
    monkeypatch.setitem(plan.DEPARTURES, NAME, plan.Recipe(num_units=4))
    monkeypatch.setattr(study, "RECORD", tmp_path / "tasks.nc")
    monkeypatch.setattr(study, "MODULE", tmp_path / "measured.py")
    monkeypatch.setattr(study, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(study, "NUM_TRIALS", 16)
    monkeypatch.setattr(study, "PROBES", {})
    monkeypatch.setattr(tt.tasks, "names", lambda: (NAME,))
    monkeypatch.setattr(tt, "reservoir_ceiling", lambda task: ceiling(task))
    shorter = tt.tasks.Hardest("delay", (500.0, tt.tasks.Uniform(500.0, 3000.0)))
    monkeypatch.setattr(tt.tasks.get(NAME), "hardest", shorter)
    return tmp_path


def ceiling(task):
    """What the true function finds in a small circuit on few trials, half of it replaced by a pass."""
    found = TRUE_CEILING(task, num_units=4, gains=(0.8, 1.2), num_trials=16)
    return found.assign(reached=found["reached"] + (found["gain"] > 1) * (task.delay == 500.0))


TRUE_CEILING = tt.reservoir_ceiling


def test_every_value_of_every_task_is_declared_once():
    cells = study.cells()
    assert len({cell.identity for cell in cells}) == len(cells)
    own = [cell for cell in cells if cell.part == "trained"]
    assert [cell.name for cell in own] == list(tt.tasks.names())
    assert all(cell.task == tt.tasks.make(cell.name) for cell in own)
    values = {(cell.name, cell.index) for cell in cells if cell.part in ("trained", "levels")}
    assert values == {(cell.name, cell.index) for cell in cells if cell.part == "ceiling"}
    assert all(probe.name in tt.tasks.names() for probe in plan.PROBES.values())
    assert set(plan.DEPARTURES) <= set(tt.tasks.names())


def test_it_goes_on_where_it_stopped_and_says_what_is_missing(quick, monkeypatch, capsys):
    assert study.main((NAME,), ("trained",)) == 1
    told = capsys.readouterr().out
    assert f"ceiling {NAME} 500" in told
    assert f"trained {NAME}" not in told.rpartition("not run: ")[2]
    monkeypatch.setattr(tt, "train", None)  # what is there is not run again
    assert study.main((NAME,), ("trained", "ceiling")) == 1
    assert recording.Record.read(study.RECORD, study.cells()).missing == [f"levels {NAME} 500"]


def test_what_is_read_is_what_was_measured(quick):
    cells = study.cells()
    record = recording.Record(cells, {})
    for cell in cells:
        study.measure(cell, record)
    record.write(quick / "one.nc")
    again = recording.Record.read(quick / "one.nc", cells)
    assert set(again.found) == set(cells)
    for cell, data in record.found.items():
        for name, array in data.data_vars.items():
            np.testing.assert_array_equal(again.found[cell][name], array, err_msg=name)
    assert again.missing == []
    assert list((quick / "checkpoints").iterdir()) == []
    [first, second] = again.measured()[NAME]
    assert (first.untrained, second.untrained) == (True, False)
    assert (first.trained, second.trained) == (False, False)
    text = again.module()
    names: dict = {}
    exec(text, names)
    assert names["MEASURED"] == {NAME: (first, second)}


def test_a_ceiling_that_is_not_finite_is_none():
    cell = study.cells(("ceiling",))[0]
    nothing = {"ceiling": np.full((2, 2), np.nan), "ceiling_reached": np.zeros((2, 2), int)}
    data = xr.Dataset({name: (("option", "draw"), values) for name, values in nothing.items()})
    names: dict = {}
    exec(recording.Record((cell,), {cell: data}).module(), names)
    assert names["MEASURED"] == {cell.name: (tt.tasks.Measured(None, False, None),)}


def test_another_declaration_is_measured_again(quick, monkeypatch):
    cells = study.cells(("trained",))
    record = recording.Record(cells, {})
    study.measure(cells[0], record)
    record.write(quick / "one.nc")
    monkeypatch.setitem(plan.DEPARTURES, NAME, plan.Recipe(num_units=5))
    again = recording.Record.read(quick / "one.nc", cells)
    assert again.found == {}
    assert again.missing == [f"trained {NAME} 500–3000"]


def test_stages_of_shaping_lie_below_the_value_that_is_trained():
    task = tt.tasks.make("copy-memory", blank=20)
    assert plan.declare("copy-memory", task)["curriculum"].values == (1.0, 5.0, 10.0)
    assert "curriculum" not in plan.declare("copy-memory", dataclasses.replace(task, blank=1))


# What the committed record says.


@pytest.fixture(scope="module")
def tree():
    """The committed record."""
    return tt.results.load_tree(RECORD)


def test_the_package_says_what_the_record_says():
    cells = study.cells()
    record = recording.Record.read(RECORD, cells)
    assert {name: list(rows) for name, rows in MEASURED.items()} == record.measured()
    assert record.tree().attrs["not_run"] == "; ".join(record.missing)
    assert RECORD.stat().st_size < 3e6


def test_circuits_learn_every_task_that_was_run(tree):
    trained = tree["trained"].to_dataset()
    names = labels(trained["task"])
    unlearned = []
    for place, name in enumerate(names):
        row = trained["criterion_update"].isel(task=place, condition=int(trained["own"][place])).values
        if (row == -1).any():
            unlearned.append(name)
    assert unlearned == plan.NOT_LEARNED


def test_every_signature_is_one_of_the_fits(tree):
    there = [name for name in labels(tree["trained"]["task"]) if name in tree.children]
    assert len(there) > 20
    for name in there:
        assert tree[name].attrs["fit"] == tt.tasks.make(name).signature.fit
        assert tree[name].attrs["fit"] in FITS
