"""What is done with a saved run: evaluate, show, figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from tests.cli.conftest import Call
from throughtime.analysis.fits import fit
from throughtime.cli.evaluate import report


def test_scores_and_fits_of_every_seed(trained: Path, call: Call) -> None:
    status, told, err = call("evaluate", trained, "--num-trials", "32", "--task.interval", "400,700,1000")
    assert (status, err) == (0, "")
    assert "32 held-out trials per seed" in told
    rows = {line.split("  ")[0]: line.split()[-2:] for line in told.splitlines() if line}
    assert rows["mean score, seed"] == ["0", "1"]
    assert rows["correct by interval (ms), seed"] == ["0", "1"]
    assert {"400", "700", "1000"} <= set(rows)
    run = tt.load(trained)
    task = dataclasses.replace(run.task, interval=(400.0, 700.0, 1000.0))
    data = tt.evaluate(run, 32, task=task)
    assert rows["early"] == [f"{value:.3g}" for value in data["early"].mean("trial").values]
    assert set(task.signature.parameters) <= set(rows)


def test_the_report_fits_what_the_task_declares(trained: Path) -> None:
    run = tt.load(trained)
    data = tt.evaluate(run, 30).copy(deep=True)
    data["produced_interval"].values[:] = 0.8 * data["interval"].values + 20.0
    data["correct"].values[:] = data["interval"].values > data["interval"].median().item()
    rows = {line.split("  ")[0]: line.split()[-2:] for line in report(run, run.task, data).splitlines()}
    assert rows["slope"] == ["0.8", "0.8"]
    assert rows["correct"] == [f"{value:.3g}" for value in data["correct"].mean("trial").values]
    levels = [line for line in report(run, run.task, data).split("seed")[-1].splitlines()[1:] if line]
    assert [line.split()[1:] for line in (levels[0], levels[-1])] == [["0", "0"], ["1", "1"]]
    one = {name: data[name].values[0] for name in ("produced_interval", "target_interval")}
    fitted = fit(run.task.signature, one, one)
    assert f"{fitted['bias']:.3g}" == rows["bias"][0]


def test_catch_trials_do_not_count(trained: Path) -> None:
    run = tt.load(trained)
    task = dataclasses.replace(run.task, catch=0.5)
    data = tt.evaluate(run, 40, task=task).copy(deep=True)
    catch = data["catch"].values.astype(bool)
    assert 0 < catch.sum() < catch.size
    data["correct"].values[:] = catch
    rows = {line.split("  ")[0]: line.split()[-2:] for line in report(run, task, data).splitlines()}
    assert rows["correct"] == ["0", "0"]


def test_trials_are_saved_with_the_run_they_came_from(trained: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "new" / "trials.nc"
    words = ("evaluate", trained, "--num-trials", "6", "--task.hold", "400", "--out", out)
    status, told, err = call(*words)
    assert (status, err) == (0, "")
    assert f"saved: {out}" in told
    tree = tt.results.load_tree(out)
    run = tt.load(trained)
    assert tree.attrs["kind"] == "analysis"
    assert tree.attrs["parent_run"] == run.tree.attrs["run_id"]
    assert str(tmp_path) not in tree.attrs["command"]
    expected = tt.evaluate(run, 6, task=dataclasses.replace(run.task, hold=400.0))
    np.testing.assert_array_equal(tree["evaluation/outputs"].values, expected["outputs"].values)
    assert call(*words)[0] == 0  # the same again
    other = (*words, "--checkpoint", "0")
    status, _, err = call(*other)
    assert status == 2
    assert "exists and holds another configuration" in err
    assert call(*other, "--overwrite")[0] == 0
    told = call("show", out)[1]
    assert told.startswith("analysis ")
    assert f"parent_run = {run.tree.attrs['run_id']}" in told


def test_show_tells_what_a_run_is(trained: Path, call: Call) -> None:
    status, told, err = call("show", trained)
    assert (status, err) == (0, "")
    run = tt.load(trained)
    assert told.startswith(run.summary())
    flat = " ".join(told.split())
    for part in (
        "circuit = Circuit(dt=40, dynamics=Leaky(activation=tanh, form=current, tau=100, tau_range=None)",
        "rule = BPTT(",
        "interval=Uniform(high=1400, low=400)",
        "num_updates=2, optimizer=adam",
        f"jax_version = {run.tree.attrs['jax_version']}",
        "/training (seed 2, update 1): loss,",
        "/checkpoints (seed 2, checkpoint 2,",
    ):
        assert part in flat, part


@pytest.mark.parametrize("command", ["show", "evaluate"])
def test_files_that_are_no_result(
    command: str, trained: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    assert "did you mean run.nc?" in refused(command, trained.with_name("rum.nc"))
    foreign = tmp_path / "foreign.nc"
    foreign.write_text("a,b\n1,2\n")
    assert "is no results file: it is not netCDF4" in refused(command, foreign)
    assert "has suffix '.csv'" in refused(command, tmp_path / "foreign.csv")


def test_evaluate_refuses(trained: Path, refused: Callable[..., str], tmp_path: Path) -> None:
    assert "the circuit's dt is 40.0, the task needs 20.0" in refused("evaluate", trained, "--task.dt", "20")
    message = refused("evaluate", trained, "--task.interval", "400,700")
    assert "CueSetGo: interval (400, 700): a slope needs at least 3 different intervals" in message
    assert "num_trials 0 is not a whole number" in refused("evaluate", trained, "--num-trials", "0")
    assert "no checkpoint 9" in refused("evaluate", trained, "--checkpoint", "9")
    assert "did you mean --task.hold?" in refused("evaluate", trained, "--task.hole", "1")
    message = refused("evaluate", trained, "--rule.feedback", "x")
    assert "--rule.feedback: throughtime evaluate takes --task.FIELD" in message
    assert "no fields of objects" in refused("show", trained, "--task.dt", "3")
    assert "ending in .nc" in refused("evaluate", trained, "--out", tmp_path / "x.txt")


def test_a_circuit_is_exported(
    trained: Path, tmp_path: Path, call: Call, refused: Callable[..., str]
) -> None:
    out = tmp_path / "new" / "circuit"
    words = ("export", trained, "--to", "numpy", "--out", out)
    assert "the run has seeds [0, 1]; choose one of them (--seed)" in refused(*words)
    status, told, err = call(*words, "--seed", "1", "--checkpoint", "0")
    assert (status, told, err) == (0, f"saved: {out / 'forward.py'}\n", "")
    with np.load(out / "weights.npz") as stored:
        np.testing.assert_array_equal(stored["recurrent"], tt.load(trained).params(1, 0)["recurrent"])
    assert "replace what is there with overwrite=True (--overwrite)" in refused(*words, "--seed", "1")
    assert call(*words, "--seed", "1", "--overwrite")[0] == 0
    assert "no seed 5; the run has seeds [0, 1]" in refused(*words, "--seed", "5", "--overwrite")
    equations = ("export", trained, "--to", "brian2", "--seed", "1", "--out", tmp_path / "brian2")
    assert call(*equations)[:2] == (0, f"saved: {tmp_path / 'brian2' / 'brian2_model.py'}\n")
    other = ("export", trained, "--to", "matlab", "--out", out)
    assert (
        "--to: expected numpy or brian2 for a run, csv, netcdf, zarr for a study, found 'matlab'"
        in refused(*other)
    )
    assert "is a file; choose another folder" in refused("export", trained, "--to", "numpy", "--out", trained)
