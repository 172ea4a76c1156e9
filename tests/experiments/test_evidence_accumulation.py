"""The study of evidence accumulation: units that adapt, a run that can be stopped, a record as declared."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from throughtime.cli.scripts import imported
from throughtime.results import labels

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "evidence_accumulation.py") as study:
    measuring = importlib.import_module("_accumulation_measure")
FULL_PARTS = measuring.parts_of
RECORD = ROOT / "evidence" / "evidence_accumulation.nc"

TINY = study.Form(
    "tiny", seeds=(0, 1), num_updates=2, eval_every=2, batch_size=2, num_units=4, trials=8,
    arms=("eprop-random", "eprop-random-no-adaptation"),
)  # fmt: skip


def brief(declared):
    """Task, circuit and rule of a cell, with three cues, a short delay and one input a group."""
    _, circuit, rule = FULL_PARTS(declared)
    task = tt.tasks.EvidenceAccumulation.bellec(dt=10.0, encoding="rates", num_cues=3, delay=150.0)
    return task, dataclasses.replace(circuit, num_inputs=4), rule


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny study that was never stopped: its cells, and its record."""
    made = study.study(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "parts_of", brief)
        found = made.go_on(tmp_path_factory.mktemp("cells"))
    return found, made.record(found)


def test_the_full_form_declares_cells_of_its_own_each():
    cells = list(study.cells(study.FULL))
    assert len({cell.identity for cell in cells}) == len(cells) == len(study.ARMS)
    for cell in cells:
        task, circuit, _ = measuring.parts_of(cell.declared)
        strengths = np.asarray(circuit.dynamics.strength)
        assert (strengths > 0).sum() == (0 if "no-adaptation" in cell.name else 50)
        assert (circuit.num_units, circuit.num_inputs, circuit.readout_tau) == (100, 40, 20.0)
        assert task.criterion[0].at_least == 0.93


def test_the_committed_record_is_the_full_form_as_declared():
    tree = tt.results.load_tree(RECORD)
    assert RECORD.stat().st_size < 3e5
    assert (tree.attrs["form"], tree.attrs["config_sha256"]) == ("full", study.study("full").config_sha256)
    trained = tree["trained"].to_dataset()
    assert labels(trained["option"]) == list(study.ARMS)
    assert trained["seed"].values.tolist() == list(study.FULL.seeds)


def test_the_memory_of_a_unit_is_its_correlation_with_the_evidence():
    g = np.random.default_rng(0)
    evidence = g.standard_normal(50)
    other = g.standard_normal(50)
    states = np.stack([np.stack([-2 * evidence + 1, other, np.ones(50)], 1)] * 2, 1)
    states[:, 1, 0] = evidence
    expected = (1 + abs(np.corrcoef(evidence, other)[0, 1]) + 0) / 3
    np.testing.assert_allclose(measuring.correlation(states, evidence), [expected, expected])
    assert np.isnan(measuring.correlation(states[..., :0], evidence)).all()


def test_seeds_that_never_learn_count_in_the_interval():
    assert study.interval(np.array([40, 40, 40, 40, 40])) == (40.0, 40.0, 40.0)
    middle, low, high = study.interval(np.array([20, 40, 60, -1, -1]))
    assert (middle, high) == (60.0, np.inf)
    assert low <= 40
    assert study.interval(np.array([-1, -1, -1])) == (np.inf,) * 3


def test_stopped_at_every_cell_it_goes_on_and_ends_the_same(finished, tmp_path):
    found, tree = finished
    measured = []

    def stops(cell):
        measured.append(cell.name)
        if measured.count(cell.name) == 1:
            raise KeyboardInterrupt
        return found[cell].copy()

    made = dataclasses.replace(study.study(TINY), measure=stops)
    for kept in range(len(found)):
        with pytest.raises(KeyboardInterrupt):
            made.go_on(tmp_path)
        assert len(list(tmp_path.glob("*.nc"))) == kept
    again = made.record(made.go_on(tmp_path))
    assert all(measured.count(cell.name) == 2 for cell in found)
    assert tt.results.content_sha256(again) == tt.results.content_sha256(tree)


def test_the_record_of_a_real_run_can_be_saved_and_drawn(finished, tmp_path, capsys):
    _, tree = finished
    path = tt.results.save(tree, tmp_path / "record.nc")
    trained = tt.results.load_tree(path)["trained"].to_dataset()
    assert trained["score"].dims == ("option", "seed", "update")
    memory = trained["memory"]
    assert (memory.isel(option=0) <= 1 + 1e-6).all()
    adaptation = labels(trained["state"]).index("adaptation")
    assert np.isnan(memory.isel(option=1, state=adaptation)).all()
    assert memory.isel(option=1, state=1 - adaptation).notnull().all()
    assert ((trained["answer"] >= 0) & (trained["answer"] <= 1)).all()
    assert trained["shown_inputs"].sel(time=510.0).isel(input=slice(0, 2)).max() == 0  # silent in the delay
    study.report(tt.results.load_tree(path))
    assert "0 diverged" in capsys.readouterr().out
    with imported(ROOT / "figures" / "evidence_accumulation.py") as figure:
        figure.draw(tt.results.load_tree(path)).canvas.draw()
