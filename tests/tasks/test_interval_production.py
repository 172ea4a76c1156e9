"""Interval production: what is shown, what is asked, and who counts as successful."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime.tasks import IntervalProduction, Uniform

TASK = IntervalProduction(noise=0.0, wait=100.0, interval=(600.0, 800.0, 1000.0), delay=650.0)
TRIAL = jax.jit(TASK.trial)(jax.random.key(0))
SCORE = jax.jit(TASK.score)
INTERVAL = float(TRIAL.conditions["interval"])
GO = 100 + INTERVAL + 650


def _step(crossing):
    """Output that passes a half at ``crossing`` ms."""
    return np.clip((TASK.time - crossing) / 40 + 0.5, 0, 1)[:, None].astype(np.float32)


def test_pulses_and_go_come_from_onset_to_onset():
    pulse, go = np.asarray(TRIAL.inputs).T
    starts = TASK.time - TASK.dt / 2
    at = (starts >= 100) & (starts < 160) | (starts >= 100 + INTERVAL) & (starts < 160 + INTERVAL)
    np.testing.assert_allclose(pulse, at, atol=1e-5)
    assert go.sum() * TASK.dt == pytest.approx(60, rel=1e-5)
    assert [float(edge) for edge in TRIAL.epochs["production"]] == pytest.approx([GO, GO + INTERVAL])
    assert float(TRIAL.epochs["trial"][1]) == pytest.approx(GO + INTERVAL + 300)
    weight = np.asarray(TRIAL.mask)[:, 0]
    np.testing.assert_allclose(weight[TASK.time < 100], 0)
    np.testing.assert_allclose(weight[(TASK.time > 100) & (TASK.time < GO + INTERVAL + 300)], 1)


def test_a_step_at_the_interval_is_success_and_its_error_counts():
    for shift in (0.0, 9.0, -60.0):
        scores = SCORE(_step(GO + INTERVAL + shift), TRIAL)
        assert scores["success"]
        assert scores["success_error"] == pytest.approx(abs(shift) / INTERVAL, abs=1e-4)
        assert scores["relative_error"] == pytest.approx(shift / INTERVAL, abs=1e-4)


def test_failures_count_for_success_alone():
    early = _step(GO + INTERVAL)
    early[int(GO / 20) - 5] = 0.21
    for outputs in (early, np.zeros_like(early)):
        scores = SCORE(outputs, TRIAL)
        assert not scores["success"]
        assert not scores["correct"]
        assert scores["success_error"] == pytest.approx(0.025)


def test_nothing_before_the_first_pulse_is_early_but_it_must_be_finite():
    outputs = _step(GO + INTERVAL)
    outputs[:4] = 1.0
    assert SCORE(outputs, TRIAL)["success"]
    assert SCORE(outputs, TRIAL)["correct"]
    outputs[2] = np.nan
    scores = SCORE(outputs, TRIAL)
    assert not scores["success"]
    assert not scores["correct"]
    assert scores["success_error"] == 1


def test_a_wrong_interval_is_a_success_that_meets_no_criterion():
    scores = {name: np.full(8, value) for name, value in SCORE(_step(GO + INTERVAL - 60), TRIAL).items()}
    success, error = TASK.criterion
    assert success.met(success.value(scores, {}, {}))
    assert not error.met(error.value(scores, {}, {}))


def test_bi_zhou_measures_between_offset_and_onset():
    task = IntervalProduction.bi_zhou(catch=0.2)
    assert (task.dt, task.noise, task.pulse, task.target) == (20, 0.0045, 60, "step")
    assert (task.interval, task.delay) == (Uniform(460, 1460), Uniform(660, 1660))
    assert IntervalProduction.long().interval == Uniform(460, 2860)
    trials = jax.jit(jax.vmap(task.trial))(jax.random.split(jax.random.key(1), 16))
    late = jax.numpy.concatenate([trials.targets[:, :1], trials.targets[:, :-1]], axis=1)
    scores = jax.jit(jax.vmap(task.score))(late, trials)
    catch, interval = np.asarray(trials.conditions["catch"]), np.asarray(trials.conditions["interval"])
    assert 0 < catch.sum() < 16
    np.testing.assert_allclose(scores["absolute_error"][~catch], 20 / (interval - 60)[~catch], atol=0.004)
    assert scores["success"].all()
    assert np.isnan(scores["relative_error"][catch]).all()


def test_the_trial_is_long_enough_for_other_targets():
    assert IntervalProduction(target="ramp").duration == 500 + 1400 + 1600 + 1.2 * 1400 + 300
    assert IntervalProduction.long().duration == 500 + 2860 + 1660 + 2860 + 300


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"interval": 800},
            "interval 800: a slope needs at least 3 different intervals; use a tuple of 3 or Uniform.",
        ),
        (
            {"interval": Uniform(60, 900), "dt": 5},
            "interval Uniform(60, 900): the pulses would overlap; use more than 60 ms.",
        ),
        ({"delay": 50}, "delay 50: the pulses would overlap; use more than 60 ms."),
        ({"delay": Uniform(900, 600)}, "delay Uniform(900, 600): lower bound exceeds upper bound."),
        ({"dt": 80}, "dt 80: cannot resolve an interval of 400 ms; use dt <= 60."),
        ({"pulse_counts": 1}, "pulse_counts 1: expected True or False."),
        ({"hold": 5}, "hold 5: the trial would end before the step shows; use hold >= 10."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        IntervalProduction(**fields)
    assert str(error.value) == f"IntervalProduction: {message}"
