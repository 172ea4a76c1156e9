"""The study of gradients can be stopped anywhere, and its committed record is what it declares."""

from __future__ import annotations

import dataclasses
import importlib
import os
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime import config
from throughtime.cli.scripts import imported
from throughtime.results.flags import labels

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "gradient_anatomy.py") as study:
    plan, measuring, record = (
        importlib.import_module(f"_anatomy_{name}") for name in ("plan", "measure", "record")
    )
    files = importlib.import_module("_study")

TINY = plan.Form(
    "tiny", num_units=4, batch_size=4, untrained=("vanilla-1", "relu-1.6", "gru"), blank=4,
    untrained_seeds=(0,), untrained_trials=1, trained=("vanilla-1",), lags=(4, 5),
    seeds=(0,), num_updates=4, eval_every=2,
    norm_trials=1, test_trials=8, pilot_rates=(1e-3, 1e-2), pilot_lag=4, pilot_seeds=(9,), pilot_updates=10,
    clip_lag=4, clip_updates=4, memory_steps=(4, 8, 16), memory_repeats=1,
)  # fmt: skip


def fake_memory(declared):
    """What the benchmark returns, without its processes."""
    size = 1000.0 * declared["num_steps"] * np.array([1.0, 0.5])
    units = {"peak_memory": "byte", "planned_memory": "byte", "gradient_time": "ms"}
    option = ("option", [0, 1], {"units": "1", "flag_values": [0, 1], "flag_meanings": "whole segments"})
    return xr.Dataset(
        {name: ("option", size, {"units": unit}) for name, unit in units.items()}, {"option": option}
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny study that was never stopped, and the file of its record."""
    folder = tmp_path_factory.mktemp("cells")
    if os.environ.get("PYTEST_XDIST_WORKER"):  # its tests may be split among workers, which then share cells
        folder = tmp_path_factory.getbasetemp().parent / "gradient-anatomy"
        folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(record.MEASURES, "memory", fake_memory)
        done = study.Study(TINY, folder)
        assert done.go_on()
    return done, done.save(folder / "record.nc")


def test_the_full_form_declares_cells_of_its_own_each():
    cells = list(plan.cells(plan.FULL, lambda task, circuit: 1e-3))
    assert len({cell.name for cell in cells}) == len({cell.identity for cell in cells}) == len(cells)
    assert {cell.part for cell in cells} == set(record.PARTS) == set(record.MEASURES)
    trained = [cell for cell in cells if cell.part == "trained"]
    assert len(trained) == len(plan.TASKS) * len(plan.FULL.trained) * len(plan.FULL.lags)
    assert {cell.labels[0] for cell in trained} <= set(tt.tasks.names())
    for cell in trained:
        task, circuit = cell.declared["task"], cell.declared["circuit"]
        assert task.dt == task.slot == plan.SLOT == circuit.dt
        assert set(cell.declared["seeds"]).isdisjoint(plan.FULL.pilot_seeds)
    vanilla = next(cell for cell in trained if cell.labels[1] == "vanilla-1").declared["circuit"]
    assert vanilla.dynamics.tau == vanilla.dt


def test_chrono_biases_are_set_for_the_steps_of_the_task():
    task = plan.task_of("copy-memory", 50)
    assert plan.circuit_of("lstm-chrono", task, 4).dynamics.chrono == task.num_steps == 56


def test_the_committed_record_is_the_full_form_as_declared():
    if not study.RECORD.exists():
        assert study.RECORD.relative_to(ROOT).as_posix() == "evidence/gradient_anatomy.nc"
        return
    tree = tt.results.load_tree(study.RECORD)
    assert study.RECORD.stat().st_size < 1e6
    assert tree.attrs["form"] == "full"
    assert tree.attrs["config_sha256"] == config.sha256(plan.declaration(plan.FULL))
    assert set(tree.children) == set(record.PARTS)
    trained, untrained = tree["trained"].to_dataset(), tree["untrained"].to_dataset()
    known = lambda names: [name.replace("_", " ") for name in names]  # noqa: E731
    assert labels(trained["option"]) == known(plan.FULL.trained)
    assert labels(untrained["option"]) == known(plan.FULL.untrained)
    assert labels(trained["task"]) == known(plan.TASKS)
    assert trained["condition"].values.tolist() == list(plan.FULL.lags)
    assert trained["seed"].values.tolist() == list(plan.FULL.seeds)


def test_the_record_of_a_real_run_is_complete_and_can_be_drawn(finished):
    _, path = finished
    tree = tt.results.load_tree(path)
    assert tree.attrs["config_sha256"] == config.sha256(plan.declaration(TINY))
    assert (tree.attrs["form"], tree.attrs["kind"]) == ("tiny", "study")
    trained = tree["trained"].to_dataset()
    assert trained["loss"].dims == ("task", "option", "condition", "seed", "update")
    assert np.isfinite(trained["symbol_accuracy"]).all()
    assert np.isfinite(trained["squared_error"]).all()
    norms = trained["jacobian_norm"]
    assert norms.dims == ("task", "option", "condition", "checkpoint", "seed", "lag")
    np.testing.assert_allclose(norms.sel(lag=0), 1, rtol=1e-12)
    assert (norms.sel(checkpoint=0) != norms.sel(checkpoint=1)).sel(lag=40.0).all()
    assert tree["clipping"]["clipped_fraction"].dims == ("option", "seed", "update")
    pilot = tree["pilot"].to_dataset()
    best = pilot["condition"].values[pilot["loss"].transpose("task", "option", "condition").values.argmin(-1)]
    np.testing.assert_allclose(pilot["learning_rate"], best, rtol=1e-6)
    np.testing.assert_allclose(tree["memory"]["exponent"], [1.0, 1.0], rtol=1e-5)
    with imported(ROOT / "figures" / "gradient_anatomy.py") as figure:
        figure.draw(tree).canvas.draw()


def test_stopped_at_every_cell_it_goes_on_and_ends_the_same(finished, tmp_path, monkeypatch):
    done, path = finished
    contents = {cell.name: data for cell, data in done.found.items()}
    calls = []

    def kept(cell_part):
        def one(declared):
            cell = next(cell for cell in done.found if cell.part == cell_part and cell.declared == declared)
            if calls.count(cell.name) == 0:
                calls.append(cell.name)
                raise KeyboardInterrupt
            calls.append(cell.name)
            return contents[cell.name].copy()

        return one

    for part in record.PARTS:
        monkeypatch.setitem(record.MEASURES, part, kept(part))
    torn = tmp_path / f".{files.path_of(next(iter(done.found)), tmp_path).name}.0.part"
    torn.write_bytes(b"half")
    for stops in range(1, len(contents) + 1):
        with pytest.raises(KeyboardInterrupt):
            study.Study(TINY, tmp_path).go_on()
        assert len(list(tmp_path.glob("*.nc"))) == stops - 1
    last = study.Study(TINY, tmp_path)
    assert last.go_on()
    assert last.measured == 1
    assert not torn.exists()
    assert all(calls.count(name) == 2 for name in contents)  # stopped once, measured once
    again = tt.results.load_tree(last.save(tmp_path / "record.nc"))
    assert tt.results.content_sha256(again) == tt.results.content_sha256(tt.results.load_tree(path))


def test_a_changed_declaration_is_measured_again_and_nothing_else(finished):
    done, _ = finished
    longer = dataclasses.replace(TINY, num_updates=6)
    other = {cell.name: cell.identity for cell in plan.cells(longer, done.rate)}
    changed = {cell.part for cell in done.found if other[cell.name] != cell.identity}
    assert changed == {"trained"}


def test_nothing_is_started_after_the_limit(tmp_path, capsys):
    assert not study.Study(TINY, tmp_path).go_on(until=0.0)
    assert not list(tmp_path.glob("*.nc"))
    assert "not run: untrained-vanilla-1" in capsys.readouterr().out


def test_a_file_of_another_declaration_is_not_taken(finished, tmp_path):
    done, _ = finished
    first, second = list(done.found)[:2]
    files.path_of(second, tmp_path).write_bytes(files.path_of(first, done.folder).read_bytes())
    with pytest.raises(SystemExit, match="of another declaration"):
        files.read(second, tmp_path)


def test_norms_are_those_of_a_leak_alone():
    """Without synapses every norm falls by 1 − dt/τ a step, both by lag from the last step."""
    task = plan.task_of("adding-problem", 30)
    circuit = plan.circuit_of("leaky-500", task, 5)
    params = circuit.init(key=jax.random.key(0))
    params = {**params, "recurrent": np.zeros((5, 5))}
    back = (0, 1, 2, 5, 10, 30)
    found = measuring.norms_of(
        circuit, params, task, plan.TASKS["adding-problem"][2], seed=0, trials=2, back=(*back, 50)
    )
    leak = (1 - plan.SLOT / 500.0) ** np.array(back, float)
    assert found["lag"].values.tolist() == [plan.SLOT * step for step in back]
    np.testing.assert_allclose(found["jacobian_norm"], np.broadcast_to(leak, (2, 6)), rtol=1e-9)
    credit = found["loss_gradient_norm"].values
    assert (credit[:, 0] > 0).all()
    np.testing.assert_allclose(credit[:, :5] / credit[:, :1], np.broadcast_to(leak[:5], (2, 5)), rtol=1e-9)
    assert np.isnan(credit[:, 5]).all()
