"""The study of recorded data: a simulator to be relied on, a run that can be stopped, what was found."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime.cli.scripts import imported
from throughtime.results import labels

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "recorded_data.py") as study:
    measuring = importlib.import_module("_recorded_measure")
    simulating = importlib.import_module("_decision_recordings")
RECORD = ROOT / "evidence" / "recorded_data.nc"
TINY = study.Form(
    "tiny", recordings=(0, 1), num_trials=110, circuits=(0,), num_observed=160, num_shown=160, num_splits=4,
    settings={"num_updates": 60, "batch_size": 16, "eval_every": 60}, num_resamples=10, num_shuffles=1,
)  # fmt: skip


def drawn(task, circuit, rule, *, seeds, num_updates, batch_size, **settings):
    """What training returns, without training: at the end the weights are 1.3 times those of the start."""
    assert settings.keys() >= {"learning_rate", "clip", "eval_every"}
    assert (rule.name, num_updates, batch_size) == ("bptt", 60, 16)
    each = [jax.jit(lambda key: circuit.init(key=key))(jax.random.key(seed)) for seed in seeds]
    params = {name: np.stack([np.stack([one[name], 1.3 * one[name]]) for one in each]) for name in each[0]}
    return SimpleNamespace(params=params, criterion_update=np.full(len(seeds), -1))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny study that was never stopped: its cells, and its record in a file.

    Its circuits are drawn, not trained, which saves a compilation; training has tests of its own.
    """
    folder = tmp_path_factory.mktemp("cells")
    made = study.study(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring.training, "train", drawn)
        found = made.go_on(folder)
    return found, tt.results.save(made.record(found), folder / "record.nc")


@pytest.fixture(scope="module")
def spikes():
    """A few trials of strong evidence for either side, in short."""
    coherence = np.repeat([-0.8, 0.8], 6)
    options = {"seed": 5, "duration": 700.0, "stimulus": (100.0, 600.0)}
    return simulating.simulate(coherence, **options), coherence, options


def rate_of(found, pool, window, trials):
    """Mean rate of a pool, Hz."""
    inside = (found.spike_time >= window[0]) & (found.spike_time < window[1])
    own = inside & (found.unit // simulating.POOL == pool) & np.isin(found.trial, trials)
    held = found.held[trials][:, np.arange(found.held.shape[1]) // simulating.POOL == pool].sum()
    return own.sum() / held / (window[1] - window[0]) * 1000


def test_rates_rise_with_evidence_and_the_evidence_decides(spikes):
    found, coherence, _ = spikes
    left, right = np.flatnonzero(coherence < 0), np.flatnonzero(coherence > 0)
    before = [rate_of(found, pool, (0.0, 100.0), right) for pool in (0, 1)]
    assert max(before) < 20
    for pool, own, other in ((0, right, left), (1, left, right)):
        early, late = (rate_of(found, pool, window, own) for window in ((100.0, 200.0), (500.0, 600.0)))
        assert late > 1.5 * early > 1.5 * before[pool]
        assert rate_of(found, pool, (500.0, 600.0), other) < 0.2 * late
    np.testing.assert_array_equal(found.choice, coherence > 0)


def test_a_recording_comes_again_from_its_seed_and_is_masked_as_it_says(spikes):
    found, coherence, options = spikes
    again = simulating.simulate(coherence, **options)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)
    lossy = simulating.simulate(coherence, **options, share_lost=0.5)
    assert not lossy.held.all()
    assert lossy.held[lossy.trial, lossy.unit].all()
    absent = np.bincount(lossy.trial * 60 + lossy.unit, minlength=12 * 60).reshape(12, 60)[~lossy.held]
    np.testing.assert_array_equal(absent, 0)
    changed = simulating.simulate(coherence, **options | {"seed": 6})
    assert changed.spike_time.size != found.spike_time.size


def test_errors_of_the_process_stay_its_own(spikes):
    assert sys.excepthook.__module__.split(".")[0] != "brian2"


def test_lost_units_are_not_silent_ones():
    held = simulating._held(np.random.default_rng(0), 50, 400, 0.25)
    lossy = ~held.all(0)
    assert 0.15 < lossy.mean() < 0.35
    change = np.abs(np.diff(held.astype(int), axis=0)).sum(0)
    np.testing.assert_array_equal(change, lossy)
    assert (held.sum(0) >= 10).all()


def test_conditions_are_those_of_task_and_recordings():
    task = tt.tasks.make(measuring.TASK)
    np.testing.assert_allclose(task.gain * np.array(task.coherence) / 100, measuring.STRENGTHS)
    drawn = simulating.coherences(300, 0)
    np.testing.assert_allclose(np.unique(np.round(drawn, 6)), measuring.LEVELS)
    assert np.unique(np.unique(drawn, return_counts=True)[1]).size > 1
    code = measuring.codes(np.array([-0.512, 0.032, 0.512]), np.array([0, 1, 0]))
    axes = measuring.axes()
    np.testing.assert_allclose(axes["coherence"][1][code], [-0.512, 0.032, 0.512])
    np.testing.assert_array_equal(axes["chosen"][1][code], [-1, 1, -1])
    edges = measuring.CENTRES[:, None] + measuring.BIN * np.array([-0.5, 0.5])
    assert {0.0, 800.0} <= set(edges.ravel())  # no bin straddles onset or end of the stimulus


def test_steps_of_a_task_are_averaged_in_the_bins_of_the_recordings():
    steps = (np.arange(60) + 0.5) * 20.0
    activity = np.broadcast_to(steps[None, :, None], (2, 60, 3))
    found = measuring.binned(activity, 20.0, onset=100.0)
    np.testing.assert_allclose(found[1, :, 2], measuring.CENTRES + 100)
    with pytest.raises(ValueError, match="do not fill the bins"):
        measuring.binned(activity[:, :50], 20.0, onset=100.0)


def test_what_spikes_are_in_a_bin_is_its_rate(finished):
    found, _ = finished
    recording = next(data for cell, data in found.items() if cell.name == "recording-0")
    direct = simulating.simulate(simulating.coherences(110, 0), seed=0)
    since = direct.spike_time - direct.stimulus[0]
    for trial, unit, time in ((0, 3, 7), (60, 41, 20), (109, 12, 0)):
        middle = measuring.CENTRES[time]
        inside = (
            (direct.trial == trial) & (direct.unit == unit) & (since >= middle - 20) & (since < middle + 20)
        )
        wanted = 25.0 * inside.sum() if direct.held[trial, unit] else np.nan
        assert float(recording["rates"][trial, time, unit]) == pytest.approx(wanted, nan_ok=True)
    np.testing.assert_array_equal(recording["rates"].notnull().all("time"), direct.held)
    np.testing.assert_array_equal(recording["choice"], direct.choice)


def test_the_record_of_a_real_run_is_complete_and_can_be_drawn(finished, capsys):
    _, path = finished
    tree = tt.results.load_tree(path)
    assert tree.attrs["config_sha256"] == study.study(TINY).config_sha256
    coding, compared = tree["coding"].to_dataset(), tree["comparison"].to_dataset()
    assert coding.sizes["draw"] == compared.sizes["draw"] == 2
    assert labels(compared["predictor"]) == ["circuit", "inputs", "untrained", "time", "another_recording"]
    assert labels(compared["epoch"]) == list(measuring.EPOCHS)
    assert (coding["num_complete_units"] < coding["num_units"]).all()
    assert np.isfinite(compared["population_normalized_score"]).all()
    assert (compared["advantage"].isel(predictor=0) == 0).all()
    study.report(tree)
    assert "after, circuit: normalised score" in capsys.readouterr().out
    with imported(ROOT / "figures" / "recorded_data.py") as figure:
        figure.draw(tree).canvas.draw()


def test_stopped_at_every_cell_it_goes_on_and_ends_the_same(finished, tmp_path, monkeypatch):
    found, path = finished
    contents, calls = {cell.name: data for cell, data in found.items()}, []

    def once_stopped(cell, known):
        needed = [name for name in contents if name.startswith(("recording", "circuits"))]
        assert cell.name in needed or set(needed) <= set(known)
        calls.append(cell.name)
        if calls.count(cell.name) == 1:
            raise KeyboardInterrupt
        return contents[cell.name].copy()

    monkeypatch.setattr(study, "measure", once_stopped)
    for stops in range(len(found)):
        with pytest.raises(KeyboardInterrupt):
            study.study(TINY).go_on(tmp_path)
        assert len(list(tmp_path.glob("*.nc"))) == stops
    last = study.study(TINY)
    again = last.record(last.go_on(tmp_path))
    for group in ("coding", "comparison"):
        assert again[group].to_dataset().identical(tt.results.load_tree(path)[group].to_dataset())
    assert last.go_on(tmp_path / "empty", until=0.0) is None


@pytest.fixture(scope="module")
def tree():
    """The committed record."""
    return tt.results.load_tree(RECORD)


def test_the_committed_record_is_the_full_form_as_declared(tree):
    full = study.study("full")
    assert full.record_path(Path("results")) == RECORD
    assert RECORD.stat().st_size < 3e5
    assert tree.attrs["form"] == "full"
    assert tree.attrs["config_sha256"] == full.config_sha256
    assert tree.attrs["not_run"] == "; ".join(full.not_run)
    assert tree["coding"].sizes["draw"] == 4
    assert tree["comparison"].sizes["seed"] == 3


def test_what_recordings_encode(tree):
    """The code shrinks to one dimension, stays, and was there a little before the stimulus."""
    coding = tree["coding"].to_dataset()
    dimension = coding["participation_ratio"]
    assert (dimension.sel(time=-60, method="nearest") > 40).all()
    assert (dimension.sel(time=780, method="nearest") < 2).all()
    accuracy = coding["accuracy"]
    late = accuracy.sel(time_train=slice(400, None), time_test=slice(800, None))
    assert (late > 0.9).all()
    assert (accuracy.sel(time_train=slice(None, 0), time_test=slice(None, 0)) < coding["null_maximum"]).all()
    assert (accuracy.sel(time_train=slice(None, 0), time_test=slice(800, None)) > 0.85).all()
    share = coding["class_share"].isel(option=labels(coding["option"]).index("nonlinear_mixed"))
    np.testing.assert_array_equal(share, 1.0)
    known, circuits = (tree[name].to_dataset() for name in ("behaviour", "circuit_behaviour"))
    assert float(known["sigma"].min()) > float(circuits["sigma"].max())


def test_trained_circuits_predict_the_recordings_better_than_all_but_another_recording(tree):
    compared = tree["comparison"].to_dataset()
    names = labels(compared["predictor"])

    def of(name: str, variable: str) -> xr.DataArray:
        return compared[variable].isel(predictor=names.index(name))

    whole = compared["epoch"].values.tolist().index(0)
    score = {name: of(name, "population_normalized_score").isel(epoch=whole) for name in names}
    assert (score["circuit"] > 0.9).all()
    assert (score["circuit"] < 1.0).all()
    assert (score["another_recording"] > 0.95).all()
    for name in ("inputs", "untrained", "time"):
        assert (of(name, "advantage_lower").isel(epoch=whole) > 0).all()
    assert (of("another_recording", "advantage").isel(epoch=whole) < 0).all()
    after = labels(compared["epoch"]).index("after")
    assert (of("inputs", "population_normalized_score").isel(epoch=after) < 0).all()
    assert (of("circuit", "population_normalized_score").isel(epoch=after) > 0.9).all()
    assert (of("untrained", "advantage_lower").isel(epoch=after) > 0).all()
