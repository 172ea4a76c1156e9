"""Cue-set-go: the cue, Set, and published settings."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from throughtime import config
from throughtime.tasks import CueSetGo

KEYS = jax.random.split(jax.random.key(0), 512)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def test_the_cue_is_linear_in_the_interval_and_on_throughout():
    trials = _trials(CueSetGo(noise=0.0), KEYS[:32])
    interval = trials.conditions["interval"]
    cue = 0.2 + 0.3 * (interval - 400) / 1000
    np.testing.assert_allclose(trials.conditions["cue"], cue, rtol=1e-5)
    whole = np.roll(trials.valid, -1, axis=1) & trials.valid
    whole[:, -1] = False
    np.testing.assert_allclose(trials.inputs[..., 0][whole], np.repeat(cue, whole.sum(1)), rtol=1e-5)
    np.testing.assert_allclose(trials.inputs[..., 1].sum(1) * 20, 60, rtol=1e-4)


def test_a_cue_may_end_before_set():
    changed = {"wait": 800.0, "noise": 0.0, "interval": (400.0, 900.0, 1400.0)}
    tonic, brief = (CueSetGo(**changed, cue_duration=duration) for duration in (None, 510.0))
    trials, before = _trials(brief, KEYS[:8]), _trials(tonic, KEYS[:8])
    cue = trials.conditions["cue"]
    np.testing.assert_allclose(trials.inputs[..., 0].sum(1) * 20, 510 * cue, rtol=1e-4)
    np.testing.assert_allclose(trials.inputs[:, :25, 0], np.repeat(cue[:, None], 25, 1), rtol=1e-5)
    assert (trials.epochs["cue"][1] == 510).all()
    for name in ("targets", "mask"):
        np.testing.assert_array_equal(getattr(trials, name), getattr(before, name))
    np.testing.assert_array_equal(trials.inputs[..., 1], before.inputs[..., 1])
    longer = _trials(dataclasses.replace(brief, cue_duration=1e6), KEYS[:8])
    np.testing.assert_array_equal(longer.inputs, before.inputs)
    assert config.canonical(tonic) == config.canonical(CueSetGo(**changed))
    assert "cue_duration" not in config.canonical(tonic)


def test_probing_an_untrained_interval_keeps_the_meaning_of_the_cue():
    probe = dataclasses.replace(CueSetGo(), interval=(400.0, 1400.0, 2400.0))
    trials = _trials(probe, KEYS[:32])
    longest = trials.conditions["interval"] == 2400
    assert longest.any()
    np.testing.assert_allclose(trials.conditions["cue"][longest], 0.8, rtol=1e-5)


@pytest.mark.parametrize("target", ["exponential", "step"])
def test_other_targets_are_produced_on_time(target):
    task = CueSetGo(target=target)
    trials = _trials(task)
    score = jax.jit(jax.vmap(lambda trial: task.score(task.ideal(trial), trial)))(trials)
    error = np.asarray(score["produced_interval"]) - trials.conditions["target_interval"]
    assert np.abs(error).max() <= 0.1 * task.dt
    assert score["correct"].all()


def test_beiran():
    task = CueSetGo.beiran(noise=0.0)
    trials = _trials(task)
    catch = trials.conditions["catch"]
    assert task.dt == 10
    assert catch.mean() == pytest.approx(0.1, abs=0.05)
    cues = {800.0: 0.0, 1050.0: 0.25 / 3, 1300.0: 0.5 / 3, 1550.0: 0.25}
    for interval, cue in cues.items():
        at = trials.conditions["interval"] == interval
        np.testing.assert_allclose(trials.conditions["cue"][at], cue, atol=1e-6)
    np.testing.assert_allclose(trials.inputs[~catch, :, 1].sum(1) * 10, 1000, rtol=1e-3)
    assert not trials.inputs[catch, :, 1].any()
    assert trials.targets.min() == pytest.approx(-0.5)
    assert (task.threshold, task.silent_score) == (0.45, 0.1)


@pytest.mark.parametrize(("variant", "first"), [("short", 720), ("long", 1420)])
def test_wang(variant, first):
    task = getattr(CueSetGo, variant)(noise=0.0)
    trials = _trials(task)
    interval = trials.conditions["interval"]
    assert np.unique(interval).tolist() == [first, first + 40, first + 80, first + 120, first + 160]
    cue = 0.3 * interval / 950 + 0.2 - 0.3 * 700 / 950
    np.testing.assert_allclose(trials.conditions["cue"], cue, rtol=1e-5)
    assert (trials.epochs["trial"][1] == 2200).all()
    np.testing.assert_allclose(trials.inputs[..., 1].sum(1) * 20, 20 * 0.4, rtol=1e-3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cue": (0.3, 0.3)}, "cue (0.3, 0.3): both intervals get the same cue; use two different values."),
        ({"cue": 0.3}, "cue 0.3: expected 2 numbers."),
        ({"cue": (0.3, "b")}, "cue (0.3, 'b'): expected finite numbers."),
        ({"cue_intervals": (400, 400)}, "cue_intervals (400, 400): a line needs two different intervals."),
        ({"trial_end": 1800}, "trial_end 1800: the longest target rises until 1880 ms; end no earlier."),
        ({"trial_end": "late"}, "trial_end 'late': expected ms, or None."),
        ({"cue_duration": 0}, "cue_duration 0: expected ms > 0, or None for a cue that stays on."),
        ({"cue_duration": "on"}, "cue_duration 'on': expected ms > 0, or None for a cue that stays on."),
        ({"interval": (0, 500, 900)}, "interval (0, 500, 900): the epoch can vanish; use values > 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        CueSetGo(**fields)
    assert str(error.value) == f"CueSetGo: {message}"
