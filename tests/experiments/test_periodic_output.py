"""The study of periodic output: learned as ``train`` learns, can be stopped, its record as declared."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import throughtime as tt
from throughtime.cli.scripts import imported
from throughtime.results import labels
from throughtime.training.loop import train

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "periodic_output.py") as study:
    measuring = importlib.import_module("_periodic_measure")
RECORD = ROOT / "evidence" / "periodic_output.nc"

TINY = study.Form(
    "tiny", num_seeds=2, num_trials=6, num_units=4, periods={"rflo": (6,)}, notebook=(5, 5),
    slower=(0.01, ("rflo",), (6,)),
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny study that was never stopped: its cells, and its record."""
    made = study.study(TINY)
    found = made.go_on(tmp_path_factory.mktemp("cells"))
    return found, made.record(found)


def test_the_full_form_declares_cells_of_its_own_each():
    cells = list(study.cells(study.FULL))
    assert len({cell.name for cell in cells}) == len({cell.identity for cell in cells}) == len(cells)
    assert {cell.labels[0] for cell in cells} == set(study.ARMS)
    assert {cell.declared["num_seeds"] for cell in cells} == {9}


def test_the_committed_record_is_the_full_form_as_declared():
    tree = tt.results.load_tree(RECORD)
    assert RECORD.stat().st_size < 3e5
    assert (tree.attrs["form"], tree.attrs["config_sha256"]) == ("full", study.study("full").config_sha256)
    trained = tree["trained"].to_dataset()
    assert set(labels(trained["option"])) == set(study.ARMS)
    assert trained.sizes["seed"] == 9
    for arm, periods in study.FULL.periods.items():
        one = trained.isel(option=labels(trained["option"]).index(arm))
        assert one["condition"].values[one["diverged"].notnull().all("seed")].tolist() == list(periods)


def test_initial_weights_are_the_published_ones():
    cell = next(iter(study.cells(dataclasses.replace(study.FULL, num_units=400))))
    task = tt.tasks.SineGeneration.murray()
    circuit = measuring.circuit_of(cell.declared, task)
    params = measuring.initial_params(circuit, 0)
    assert np.std(params["recurrent"]) == pytest.approx(1.5 / 20, rel=0.01)
    assert np.abs(params["readout"]).max() == pytest.approx(0.1 / 20, rel=0.02)
    assert np.std(params["readout"]) == pytest.approx(0.1 / 20 / np.sqrt(3), rel=0.1)
    assert (np.asarray(params["initial_rate"]) == 0.1).all()
    assert set(circuit.untrained) == {"input", "bias", "readout_bias", "initial_rate"}


def test_seeds_side_by_side_learn_as_train_does(finished):
    """The same losses and weights as a call of ``train``, to float32."""
    found, _ = finished
    cell = next(cell for cell in found if cell.name == "rflo-6tau-4units")
    job = measuring.job_of(cell.declared)
    record = train(
        job.plan.task, job.plan.circuit, job.plan.rule, seeds=job.labels, num_updates=6, batch_size=1,
        optimizer="sgd", learning_rate=float(job.rates[0]), params=job.params, log_every=1, eval_every=6,
        stop="budget", progress=False,
    )  # fmt: skip
    data = found[cell]
    assert data["update"].values.tolist() == [1, 2, 3, 6]
    halves = record.curves["loss"] / 2
    np.testing.assert_allclose(data["loss"][:, :3], halves[:, :3], rtol=1e-5)
    np.testing.assert_allclose(data["final_loss"], halves[:, 3:].mean(1), rtol=1e-5)
    readout = record.params["readout"][:, -1, 0]
    final = data["produced"].values
    middle = int(np.argsort(data["final_loss"].values)[1])
    ran = job.plan.circuit.run(
        {name: value[middle, -1] for name, value in record.params.items()}, np.zeros((60, 1), np.float32)
    )
    at, phase = (np.arange(60) + 0.5) / 60, data["time"].values
    np.testing.assert_allclose(final, np.interp(phase, at, ran.outputs[:, 0]), rtol=1e-4, atol=1e-6)
    assert not np.allclose(readout, job.params["readout"][:, 0])


def test_a_published_step_is_made():
    """The learning rate is that of half the mean squared error: W_out moves by η ⟨(y − z) r⟩."""
    cell = next(cell for cell in study.cells(TINY) if cell.declared["num_units"] == 4)
    job = measuring.job_of({**cell.declared, "num_trials": 1, "num_seeds": 1})
    params = {name: value[0] for name, value in job.params.items()}
    trial = job.plan.task.trial(jax.random.key(0))
    ran = job.plan.circuit.run(params, trial.inputs)
    error = np.asarray(trial.targets - ran.outputs, float)[:, 0]
    wanted = 0.03 * (error[:, None] * np.asarray(ran.rates, float)).mean(0)
    states = measuring.start(job.plan, *job.seeds, job.params)
    batch = jax.tree.map(lambda leaf: leaf[None], trial)
    state = {name: value[0] for name, value in states.rule.items()}
    grads, _ = tt.gradient(
        job.plan.circuit, params, batch, job.plan.rule, key=jax.random.key(1), state=state
    )  # fmt: skip
    np.testing.assert_allclose(-job.rates[0] * np.asarray(grads["readout"])[0], wanted, rtol=1e-4)


def test_the_alignment_is_the_cosine():
    params = {"readout": np.array([[[3.0, 4.0]], [[1.0, 0.0]]])}
    feedback = {"rule_feedback": np.array([[[3.0], [4.0]], [[-2.0], [0.0]]])}
    both = SimpleNamespace(params=params, rule=feedback)
    np.testing.assert_allclose(measuring.alignment(both), [1.0, -1.0])
    assert np.isnan(measuring.alignment(SimpleNamespace(params=params, rule={}))).all()


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
    read = tt.results.load_tree(path)
    assert labels(read["notebook"]["option"]) == ["bptt", "rflo"]
    np.testing.assert_allclose(read["notebook"]["published_loss"], [2.3160511e-4, 1.5187803e-4], rtol=1e-6)
    study.report(read)
    assert "rflo, 6 tau: loss" in capsys.readouterr().out
    with imported(ROOT / "figures" / "periodic_output.py") as figure:
        figure.draw(read).canvas.draw()
