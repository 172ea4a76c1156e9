"""Tasks of recorded trials: every form of arrays, scores, splits, training, files, refusals."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import weakref
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime import config
from throughtime.checking import tasks as battery
from throughtime.tasks import RecordedTrials, bank, from_arrays

RNG = np.random.default_rng(0)
STEPS = (12, 20, 16, 20, 8)
INPUTS = [RNG.normal(size=(steps, 2)).astype(np.float32) for steps in STEPS]
TARGETS = [each.cumsum(0)[:, :1] for each in INPUTS]
SIDE = ["left", "right", "left", "left", "right"]
SETTINGS = {
    "dt": 20.0,
    "conditions": {"side": SIDE, "gain": np.linspace(0, 1, 5), "rewarded": np.arange(5) > 2},
    "epochs": {
        "cue": (20.0, 60.0),
        "go": ([60.0, 80.0, np.nan, 100.0, 80.0], [160.0, 80.0, np.nan, 300.0, 90.0]),
    },
}
TASK = from_arrays(INPUTS, TARGETS, **SETTINGS)


def drawn(task, number=64):
    return jax.tree.map(
        np.asarray, jax.jit(jax.vmap(task.trial))(jax.random.split(jax.random.key(0), number))
    )


def padded(trials):
    values = np.full((len(trials), 20, trials[0].shape[1]), np.nan)
    for row, each in zip(values, trials, strict=True):
        row[: len(each)] = each
    return values


@pytest.mark.parametrize("check", battery.BATTERY, ids=lambda check: check.__name__)
def test_battery(check):
    check(TASK)


def test_trials_are_those_recorded():
    trials = drawn(TASK)
    recording = trials.conditions["recording"]
    assert set(recording) == set(range(5))
    for row, which in enumerate(recording):
        steps = STEPS[which]
        np.testing.assert_array_equal(trials.inputs[row, :steps], INPUTS[which])
        np.testing.assert_array_equal(trials.targets[row, :steps], TARGETS[which])
        assert not trials.inputs[row, steps:].any()
        np.testing.assert_array_equal(trials.valid[row], np.arange(20) < steps)
        np.testing.assert_array_equal(trials.mask[row, :, 0], np.arange(20) < steps)
        assert trials.conditions["side"][row] == (SIDE[which] == "right")
        assert trials.epochs["trial"][1][row] == 20 * steps
        assert trials.epochs["cue"][1][row] == 60
    assert trials.conditions["rewarded"].dtype == bool
    assert np.isnan(trials.epochs["go"][0][recording == 2]).all()


def test_forms_of_arrays_agree():
    """Lists, padded arrays with lengths, and DataArrays in other orders make equal tasks."""
    array = from_arrays(padded(INPUTS), padded(TARGETS), lengths=np.array(STEPS), **SETTINGS)
    assert array == TASK
    assert hash(array) == hash(TASK)
    coords = {"time": np.arange(20) * 0.02, "channel": ["left", "right"], "side": ("trial", SIDE)}
    inputs = xr.DataArray(padded(INPUTS), dims=("trial", "time", "channel"), coords=coords)
    inputs["time"].attrs["units"] = "s"
    inputs = inputs.transpose("channel", "trial", "time")
    targets = xr.DataArray(padded(TARGETS)[..., 0], dims=("trial", "time"))
    rest = {name: SETTINGS["conditions"][name] for name in ("gain", "rewarded")}
    named = from_arrays(inputs, targets, lengths=np.array(STEPS), epochs=SETTINGS["epochs"], conditions=rest)
    assert named.input_names == ("left", "right")
    assert (named.dt, named.condition_names) == (20, ("recording", "side", "gain", "rewarded"))
    assert named.bank.digest == TASK.bank.digest
    again = from_arrays(inputs, targets, lengths=np.array(STEPS), input_names=("a", "b"), dt=20)
    assert again.input_names == ("a", "b")


def test_evaluated_trials_are_a_task():
    """What ``tt.evaluate`` returns has names in flags."""
    given = xr.DataArray(np.ones((3, 5, 2)).cumsum(1), dims=("trial", "time", "input"))
    given["input"] = ("input", [0, 1], {"flag_values": [0, 1], "flag_meanings": "cue go"})
    given["time"] = (np.arange(5) + 0.5) * 10
    task = from_arrays(given, given)
    assert (task.dt, task.input_names, task.output_names) == (10, ("cue", "go"), ("cue", "go"))


def test_masks():
    weights = [np.linspace(0, 1, steps) for steps in STEPS]
    trials = drawn(from_arrays(INPUTS, TARGETS, weights, dt=20))
    for row, which in enumerate(trials.conditions["recording"]):
        np.testing.assert_allclose(trials.mask[row, : STEPS[which], 0], weights[which], atol=1e-6)
    both = from_arrays(INPUTS, INPUTS, [np.stack([0 * w, w > 0.5], 1) for w in weights], dt=20)
    assert not drawn(both).mask[..., 0].any()


def test_finer_bins_repeat_samples():
    fine = dataclasses.replace(TASK, dt=5.0)
    assert (fine.num_steps, fine.duration) == (80, 400)
    np.testing.assert_array_equal(drawn(fine).inputs[:, ::4], drawn(TASK).inputs)
    np.testing.assert_array_equal(drawn(fine).inputs[:, 3::4], drawn(TASK).inputs)


def test_scores_of_errors():
    """An error of a share of the variance, by the mask, is that nmse."""
    trial = jax.tree.map(lambda leaf: leaf[0], drawn(TASK))
    targets = np.concatenate(TARGETS)
    assert TASK.bank.variance == pytest.approx(targets.var(), rel=1e-5)
    off = jnp.asarray(trial.targets) + 0.2 * targets.std()
    scores = TASK.score(off, trial)
    assert float(scores["nmse"]) == pytest.approx(0.04, rel=1e-4)
    assert float(scores["mse"]) == pytest.approx(0.04 * targets.var(), rel=1e-4)
    assert bool(scores["correct"])
    assert not dataclasses.replace(TASK, tolerance=0.03).score(off, trial)["correct"]
    broken = TASK.score(off.at[0, 0].set(jnp.nan), trial)
    assert np.isnan(broken["nmse"])
    assert not broken["correct"]


@dataclass(frozen=True)
class Ends:
    """The last output is on the side of the last target."""

    def __call__(self, outputs, trial):
        last = trial.valid.sum() - 1
        return outputs[last, 0] * trial.targets[last, 0] > 0


@pytest.mark.parametrize("rule", ["sign", "argmax", Ends()], ids=str)
def test_rules_of_choices(rule):
    targets = np.zeros((6, 10, 2))
    targets[np.arange(6), 5:, np.arange(6) % 2] = 1
    signed = rule if rule == "argmax" else None
    values = targets if signed else targets[..., :1] - targets[..., 1:]
    mask = np.arange(10) >= 5
    task = from_arrays(np.ones((6, 10, 1)), values, np.tile(mask, (6, 1)), dt=20, correct=rule)
    trial = jax.tree.map(lambda leaf: leaf[0], drawn(task))
    ideal = 0.1 * jnp.asarray(trial.targets).at[:5].set(7.0)
    assert task.score(ideal, trial)["correct"]
    other = ideal[:, ::-1] if signed else -ideal
    assert not task.score(other, trial)["correct"]
    assert task.silent_score == (0.5 if signed else 0)
    assert task.criterion[0].measure == "correct"
    battery.round_trip(task)


def test_split_shares_no_trial():
    ids = np.arange(20)
    task = from_arrays(
        RNG.normal(size=(20, 6, 1)), RNG.normal(size=(20, 6, 1)), dt=20, conditions={"day": ids % 4}
    )
    train, held_out = task.split(held_out=0.3, seed=1)
    assert (train.bank.num_trials, held_out.bank.num_trials) == (14, 6)
    found = [set(part.bank.values[5]) for part in (train, held_out)]
    assert found[0] | found[1] == set(ids)
    assert not found[0] & found[1]
    assert task.split(held_out=0.3, seed=1) == (train, held_out)
    assert task.split(held_out=0.3, seed=2) != (train, held_out)


def test_is_not_in_the_table():
    assert "recorded-trials" not in tt.tasks.names()


def settings(task):
    circuit = tt.circuits.for_task(task, num_units=8)
    return circuit, tt.rules.make("bptt"), {"num_updates": 2, "batch_size": 4, "test_trials": 4}


def test_trains_evaluates_and_comes_back(tmp_path):
    train, held_out = TASK.split(held_out=0.4)
    circuit, rule, options = settings(train)
    run = tt.train(train, circuit, rule, **options)
    run.save(tmp_path / "run.nc")
    again = tt.load(tmp_path / "run.nc")
    assert again.task == train
    assert again.tree.attrs["task"] == "recorded-trials"
    data = tt.evaluate(again, num_trials=8, task=held_out)
    assert set(data["recording"].values.ravel()) <= set(held_out.bank.values[5])
    assert np.isfinite(data["outputs"]).all()


def test_many_trials_stay_out_of_configurations(tmp_path, monkeypatch):
    """Programs fetch them, files name them, and what is read finds them or says what to do."""
    monkeypatch.setattr(bank, "SMALL_BYTES", 0)
    task = from_arrays(INPUTS, TARGETS, **SETTINGS)
    assert task.bank.content == ()
    assert task.bank.digest == TASK.bank.digest
    jax.tree.map(np.testing.assert_array_equal, drawn(task), drawn(TASK))
    assert len(config.canonical(task)) < 2000
    circuit, rule, options = settings(task)
    run = tt.train(task, circuit, rule, seeds=2, **options)
    same = tt.train(TASK, circuit, rule, seeds=2, **options)
    np.testing.assert_array_equal(run.tree["training/loss"], same.tree["training/loss"])
    run.save(tmp_path / "run.nc")
    again = tt.load(tmp_path / "run.nc")
    assert again.task == task
    assert tt.evaluate(again, num_trials=2).sizes["trial"] == 2
    monkeypatch.setattr(bank, "_KNOWN", weakref.WeakValueDictionary())
    lost = tt.load(tmp_path / "run.nc").task
    assert lost.input_names == task.input_names
    with pytest.raises(
        ValueError, match=r"digest .*make the task of the same arrays again with tasks.from_arrays"
    ):
        lost.trial(jax.random.key(0))


def test_tasks_do_not_import_xarray():
    code = "import sys, throughtime.tasks; assert 'xarray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


GOOD = np.arange(30.0).reshape(3, 5, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOOD, GOOD), "dt: not known; pass the bin in ms, or DataArrays with a time coordinate."),
        ((GOOD, GOOD, None, -1), "dt: -1 ms; use dt > 0."),
        (([], [], None, 20), "inputs: no trials; pass at least one."),
        (
            (GOOD[:0], GOOD[:0], None, 20),
            "inputs: shape (0, 5, 2); pass at least one trial, sample and channel.",
        ),
        (
            (GOOD[0, 0], GOOD, None, 20),
            "inputs: expected (trial, time, channel) or (trial, time), got shape (2,).",
        ),
        ((GOOD.astype(str), GOOD, None, 20), "inputs: expected numbers, got <U32."),
        (
            ([GOOD[0], GOOD[0, :, :1]], GOOD, None, 20),
            "inputs: expected trials (time, channel) with equal channels",
        ),
        (([GOOD[0], GOOD[0, :0]], GOOD, None, 20), "inputs: trial 1 has no samples; leave it out."),
        ((GOOD, GOOD[:2], None, 20), "targets: 2 trials, and inputs of 3; pass both of each trial."),
        ((GOOD, GOOD[:, :4], None, 20), "targets: trial 0 has 4 samples, and its inputs 5; cut one."),
        (
            (np.where(GOOD == 13, np.nan, GOOD), GOOD, None, 20),
            "inputs: not finite at sample 1 of trial 1; repair it",
        ),
        ((GOOD, GOOD, -GOOD, 20), "mask: a loss weight cannot be negative, found -29; use values >= 0."),
        (
            (GOOD, GOOD, GOOD * [[[0]], [[1]], [[1]]], 20),
            "mask: trial 0 bears no loss; leave it out or give it",
        ),
        (
            (GOOD, GOOD, GOOD[:, :4], 20),
            "mask: shape (3, 4, 2), and targets of (3, 5, 2); pass a weight for each",
        ),
        (
            (GOOD, 0 * GOOD, None, 20),
            "targets: never vary where they bear loss, so there is nothing to learn",
        ),
    ],
)
def test_refusals_of_arrays(arguments, message):
    inputs, targets, mask, dt = (*arguments, None, None)[:4]
    with pytest.raises(ValueError) as error:
        from_arrays(inputs, targets, mask, dt=dt)
    assert str(error.value).split(": ", 1)[1].startswith(message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lengths": [5, 5]}, "lengths: expected a whole number for each of 3 trials, got [5, 5]."),
        ({"lengths": [5, 6, 1]}, "lengths: expected 1 to 5 samples, got 1 to 6."),
        ({"conditions": {"a": [1, 2]}}, "conditions: a has shape (2,); pass one value for each of 3 trials."),
        (
            {"conditions": {"a": np.ones(3, complex)}},
            "conditions: a has values of complex128; pass numbers, truth",
        ),
        (
            {"epochs": {"trial": (0, 1)}},
            "epochs: trial is the whole of each trial already; use another name.",
        ),
        (
            {"epochs": {"a": 3}},
            "epochs: a: expected (onset, offset), each a number or one for each of 3 trials.",
        ),
        (
            {"epochs": {"a": (0, 200)}},
            "epochs: a is 0 to 200 ms in trial 0 of 100 ms; times count from the start",
        ),
        (
            {"epochs": {"a": (50, 60), "b": (0, 60)}},
            "epochs: a, b: not in the order of their onsets; pass them in",
        ),
        ({"input_names": "aa"}, "input_names: expected 2 different names, got a, a."),
        (
            {"correct": "error", "tolerance": 0},
            "tolerance 0: an error cannot be negative; use tolerance > 0.",
        ),
        ({"correct": "best"}, "correct 'best': expected 'error' or 'sign' or 'argmax'."),
        ({"correct": abs}, "correct <built-in function abs>: expected 'error', 'sign', 'argmax' or a frozen"),
        ({"level": "side"}, "level 'side': no such condition; there are recording."),
    ],
)
def test_refusals_of_settings(fields, message):
    with pytest.raises(ValueError) as error:
        from_arrays(GOOD, GOOD, dt=20.0, **fields)
    assert str(error.value).split(": ", 1)[1].startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"dims": ("trial", "space", "channel")},
            "inputs: expected dims trial, time and at most one more, got",
        ),
        ({"time": [0, 1, 2, 3, 7]}, "inputs: time is not evenly spaced; resample it first."),
        ({"units": "hour"}, "inputs: time is in 'hour'; convert it to ms."),
        ({"dt": 10.0}, "dt: 10 ms, and a time coordinate has 20 ms; resample one."),
        (
            {"trial": [0, 2, 1]},
            "targets: the labels of their trials are not those of the inputs; align them first.",
        ),
    ],
)
def test_refusals_of_named_arrays(change, message):
    dims = change.get("dims", ("trial", "time", "channel"))
    given = xr.DataArray(GOOD, dims=dims)
    if "time" in dims:
        given["time"] = (
            "time",
            change.get("time", np.arange(5) * 20.0),
            {"units": change.get("units", "ms")},
        )
    targets = given.assign_coords(trial=[0, 1, 2])
    with pytest.raises(ValueError) as error:
        from_arrays(given.assign_coords(trial=change.get("trial", [0, 1, 2])), targets, dt=change.get("dt"))
    assert str(error.value).split(": ", 1)[1].startswith(message)


@pytest.mark.parametrize(
    ("targets", "rule", "message"),
    [
        (GOOD[..., :1], "argmax", "correct 'argmax': one output has no rival; use 'sign' or 'error'."),
        (
            GOOD - GOOD.mean(1, keepdims=True),
            "sign",
            "correct 'sign': recorded trial 0 has no right answer, its mean",
        ),
        (
            GOOD - GOOD.mean(1, keepdims=True),
            "argmax",
            "correct 'argmax': recorded trial 0 has no right answer, two",
        ),
    ],
)
def test_refusals_of_rules(targets, rule, message):
    with pytest.raises(ValueError) as error:
        from_arrays(GOOD, targets, dt=20, correct=rule)
    assert str(error.value).startswith(f"RecordedTrials: {message}")


def test_refusals_of_changes():
    with pytest.raises(
        ValueError, match=r"dt 15: expected 20 ms, the bin of the recordings, or a whole fraction of it"
    ):
        dataclasses.replace(TASK, dt=15.0)
    with pytest.raises(
        ValueError, match=r"held_out 0\.01 of 5 trials leaves 5 to train on; use a fraction that"
    ):
        TASK.split(held_out=0.01)
    with pytest.raises(ValueError, match=r"bank 3: expected a bank of trials; use tasks.from_arrays"):
        RecordedTrials(bank=3)


@pytest.mark.parametrize("step", [16.7, 0.1, 1000 / 30])
def test_a_trial_has_as_many_valid_samples_as_were_recorded(step):
    """However the bin is rounded in 32 bits."""
    lengths = list(range(1, 41))
    arrays = [RNG.normal(size=(length, 1)) for length in lengths]
    trials = drawn(from_arrays(arrays, arrays, dt=step), 256)
    expected = np.array(lengths)[trials.conditions["recording"]]
    np.testing.assert_array_equal(trials.valid.sum(1), expected)


def test_an_epoch_may_end_with_a_trial_whose_bin_was_read_off_a_time_axis():
    time = np.arange(30) * (1000 / 30)
    array = xr.DataArray(RNG.normal(size=(2, 30)), dims=("trial", "time"), coords={"time": time})
    task = from_arrays(array, array, epochs={"go": (900.0, 1000.0)})
    trials = drawn(task, 2)
    assert (trials.epochs["go"][1] <= trials.epochs["trial"][1] * (1 + 1e-6)).all()


def test_whole_numbers_beyond_32_bits_are_refused():
    with pytest.raises(ValueError, match="subject has whole numbers beyond 32 bits"):
        from_arrays(INPUTS, TARGETS, dt=20.0, conditions={"subject": np.arange(5) + 2**40})
