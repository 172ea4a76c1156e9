"""What a worker does with a cell: trains, tunes or measures, and records what went wrong."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from tests.studies import members
from tests.studies.examples import small
from throughtime import results, training
from throughtime.comparison.held_out import held_out_losses
from throughtime.results import Run
from throughtime.studies import Folder, Study, Tuning, run_cell
from throughtime.studies.plans import combinations

ROOT = Path(__file__).resolve().parents[2]
GRID = (0.001, 0.03)
NOISY = {"noise": 3.0, "tolerance": 0.99, "catch": 0.5}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Folder]:
    """Tuned, trained, measured and evaluated; and beside it a rule that cannot work."""
    study = small(
        rules={"rflo": "rflo", "breaks": members.Breaks()},
        seeds=1,
        tuning=Tuning(grid=GRID, seeds=1, num_updates=4),
        measures=["weight_change"],
        measure_trials=4,
        evaluations={"noisy": NOISY},
        test_trials=12,
    )
    place = Folder(tmp_path_factory.mktemp("cells") / "study")
    place.declare(study)
    return study, place


def run_of(study: Study, rule: str) -> Any:
    return next(plan for plan in study.runs() if plan.rule == rule)


def test_a_cell_that_raises_is_recorded_and_the_rest_goes_on(tuned: Any) -> None:
    study, place = tuned
    plan = run_of(study, "breaks")
    for attempt in (1, 2):
        outcome = run_cell(place.path, plan.tune.identity)
        assert outcome.status == "failed"
        assert (outcome.record["type"], outcome.record["attempts"]) == ("RuntimeError", attempt)
    assert outcome.record["message"] == "no gradient today, see today.txt"
    assert "members.py" in outcome.record["traceback"]
    assert "/home" not in outcome.record["traceback"]
    assert str(ROOT) not in outcome.record["traceback"]
    assert list(place.failures()) == [plan.tune.identity]
    assert {cell.rule for cell in place.pending()} == {"rflo"}
    assert place.running() == {}
    early = run_cell(place.path, plan.cells[0].identity)
    assert "its step size is not found yet" in early.record["message"]
    with pytest.raises(ValueError, match="no cell 000 is declared"):
        run_cell(place.path, "000")


OTHER = """
import sys
from throughtime.studies import Folder, run_cell
place = Folder(sys.argv[1])
tune = next(cell for cell in place.study().cells() if cell.rule == "breaks")
print(run_cell(sys.argv[1], tune.identity).status, tune.identity)
"""


def test_declared_here_and_run_in_another_process(tuned: Any) -> None:
    study, place = tuned
    done = subprocess.run(
        [sys.executable, "-c", OTHER, str(place.path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    identity = run_of(study, "breaks").tune.identity
    assert done.stdout.split() == ["failed", identity], done.stderr
    assert place.failures()[identity]["message"] == "no gradient today, see today.txt"


def test_the_step_size_is_the_best_of_the_grid_on_other_seeds(tuned: Any) -> None:
    study, place = tuned
    plan = run_of(study, "rflo")
    one = next(one for one in combinations(study) if one.labels == plan.labels)
    outcome = run_cell(place.path, plan.tune.identity)
    assert outcome.status == "done"
    losses = []
    for rate in GRID:
        settings = {**dict(study.training), "num_updates": 4, "eval_every": 4, "keep": (), "stop": "budget"}
        record = training.train(
            one.task, one.circuit, one.rule, seeds=(10_000,), learning_rate=rate, progress=False, **settings
        )
        final = {name: values[:, -1] for name, values in record.params.items()}
        loss = tt.objectives.SquaredError()
        found = held_out_losses(
            one.task, one.circuit, loss, final, data_seeds=(10_000,), status=record.status
        )
        losses.append(float(found[0]))
    assert outcome.record["losses"] == tuple(losses)
    assert losses[0] != losses[1]
    assert outcome.record["best"] == int(np.argmin(losses))
    assert outcome.record["step_size"] == GRID[int(np.argmin(losses))]
    trained = run_cell(place.path, plan.cells[0].identity)
    assert trained.record["learning_rate"] == outcome.record["step_size"]
    run = place.open_run(plan)
    assert run is not None
    assert Run(run).config["training"]["learning_rate"] == outcome.record["step_size"]
    expected = held_out_losses(
        one.task,
        one.circuit,
        tt.objectives.SquaredError(),
        {name: values[None] for name, values in Run(run).params(0).items()},
        data_seeds=(0,),
        status=[0],
    )
    assert trained.record["final_loss"] == (float(expected[0]),)
    assert not run_cell(place.path, plan.cells[0].identity).computed


def test_measures_and_evaluations_are_those_of_the_run(tuned: Any) -> None:
    study, place = tuned
    plan = run_of(study, "rflo")
    outcome = run_cell(place.path, plan.measure.identity)
    assert outcome.status == "done", outcome.record
    assert outcome.record["measures"] == ("weight_change",)
    tree = results.load_tree(place.part_path(plan.measure))
    path = place.run_path(plan)
    assert path is not None
    run = results.load(path)
    assert tree.attrs["parent_run"] == run.tree.attrs["run_id"]
    assert tree.attrs["kind"] == "analysis"
    assert sorted(tree.children) == ["analysis", "evaluations"]
    direct = tt.analyse(run, ["weight_change"], num_trials=4).tree["analysis/weight_change"].to_dataset()
    xr.testing.assert_identical(tree["analysis/weight_change"].to_dataset(), direct)
    noisy = dataclasses.replace(run.task, **NOISY)
    trials = tt.evaluate(run, num_trials=12, task=noisy)
    timed = trials["correct"].values[trials["catch"].values == 0]
    assert 0 < timed.size < 12
    assert 0 < timed.mean() < 1
    score = tree["evaluations"].to_dataset()["score"]
    assert results.labels(score["condition"]) == ["noisy"]
    assert score.values.tolist() == [[float(timed.mean())]]
    final = {name: values[None] for name, values in run.params(0).items()}
    loss = held_out_losses(
        noisy, run.circuit, tt.objectives.SquaredError(), final, data_seeds=(0,), status=[0]
    )
    assert tree["evaluations/loss"].values.tolist() == [loss.tolist()]
    assert place.summary(plan.measure) == outcome.record


def test_a_state_of_an_interrupted_training_is_used(tmp_path: Path) -> None:
    study = small(seeds=1, test_trials=0)
    place = Folder(tmp_path / "study")
    place.declare(study)
    cell = study.cells()[0]
    one = next(combinations(study))
    rule, settings = one.settings((0,))
    left = place.begin(cell)
    other = {**settings, "num_updates": 2, "keep": ()}
    training.train(one.task, one.circuit, rule, checkpoint=left / "state.npz", progress=False, **other)
    outcome = run_cell(place.path, cell.identity)
    assert outcome.status == "failed"  # a state of another training, to see that it is looked at
    assert "belongs to a run with another configuration" in outcome.record["message"]
    for state in (place.path / "scratch").rglob("*.npz"):
        state.unlink()
    training.train(one.task, one.circuit, rule, checkpoint=left / "state.npz", progress=False, **settings)
    outcome = run_cell(place.path, cell.identity)
    assert outcome.status == "done"
    assert place.failures() == {}
    assert list((place.path / "scratch").iterdir()) == []
    expected = tt.train(one.task, one.circuit, rule, test_trials=0, **settings).tree
    assert outcome.record["content_sha256"] == results.content_sha256(expected)
