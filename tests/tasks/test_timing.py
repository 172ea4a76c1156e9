"""The timing family: produced intervals, early responses, catch trials, targets."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.tasks import CueSetGo

TASK = CueSetGo(wait=150.0, interval=(600.0, 800.0, 1000.0), noise=0.0, hold=600.0)
SCORE, DRAW = jax.jit(TASK.score), jax.jit(TASK.trial)
TRIAL = DRAW(jax.random.key(0))
INTERVAL = float(TRIAL.conditions["interval"])


def _ramp(crossing, task=TASK):
    """Output that reaches 1 at ``crossing`` ms, having left 0 400 ms before."""
    return np.clip((task.time - crossing) / 400 + 1, 0, 1.2)[:, None].astype(np.float32)


@pytest.mark.parametrize("shift", [-73.0, -9.0, 0.0, 0.7, 13.0, 61.0, 89.9])
def test_a_ramp_is_timed_exactly(shift):
    score = SCORE(_ramp(150 + INTERVAL + shift), TRIAL)
    assert score["produced_interval"] == pytest.approx(INTERVAL + shift, abs=1e-2)
    assert score["relative_error"] == pytest.approx(shift / INTERVAL, abs=1e-4)
    assert score["correct"] == (abs(shift) <= 0.15 * INTERVAL)


@pytest.mark.parametrize(("target", "within"), [("ramp", 1e-2), ("exponential", 0.1), ("step", 0.09 * 20)])
def test_a_shifted_target_shifts_the_produced_interval(target, within):
    task = dataclasses.replace(TASK, target=target)
    score = jax.jit(task.score)
    for delta in (0.0, 3.0, 7.1, 20.0, 33.0):
        later = task.production(jnp.float32(150 + delta), jnp.float32(INTERVAL))
        assert score(later, TRIAL)["produced_interval"] == pytest.approx(INTERVAL + delta, abs=within)


@pytest.mark.parametrize(("error", "right"), [(0.149, True), (0.151, False), (-0.149, True), (-0.151, False)])
def test_the_tolerance_is_fifteen_percent(error, right):
    assert SCORE(_ramp(150 + INTERVAL * (1 + error)), TRIAL)["correct"] == right


def test_a_late_response_is_seen_and_wrong():
    score = SCORE(_ramp(150 + 1.4 * INTERVAL), TRIAL)
    assert score["produced_interval"] == pytest.approx(1.4 * INTERVAL, abs=0.01)
    assert not score["correct"]


def test_never_producing_is_nan_and_meets_no_criterion():
    score = SCORE(jnp.full((TASK.num_steps, 1), 0.19), TRIAL)
    assert np.isnan(score["produced_interval"])
    assert not score["early"]
    assert not score["correct"]
    assert score["absolute_error"] == 1
    scores = {name: np.full(8, value) for name, value in score.items()}
    fitted = {"slope": float("nan")}
    assert not any(c.met(c.value(scores, {"catch": np.zeros(8)}, fitted)) for c in TASK.criterion)


def test_a_constant_interval_fails_by_its_slope():
    correct, error, slope = CueSetGo.short().criterion
    intervals = np.array(CueSetGo.short().interval)
    relative = np.abs(800 - intervals) / intervals
    assert correct.met((relative <= 0.15).mean())
    assert error.met(relative.mean())
    assert not slope.met(0.0)


def test_above_threshold_at_set_is_early_and_produces_nothing():
    outputs = _ramp(150 + INTERVAL)
    outputs[:10] = 1.1
    score = SCORE(outputs, TRIAL)
    assert score["early"]
    assert not score["correct"]
    assert np.isnan(score["produced_interval"])


def test_a_crossing_before_set_is_not_the_one_that_is_timed():
    outputs = _ramp(150 + INTERVAL)
    outputs[2] = 1.5
    score = SCORE(outputs, TRIAL)
    assert score["early"]
    assert score["produced_interval"] == pytest.approx(INTERVAL, abs=1e-2)


def test_a_fifth_of_the_range_before_set_is_early():
    outputs = _ramp(150 + INTERVAL)
    outputs[3] = 0.21
    score = SCORE(outputs, TRIAL)
    assert score["early"]
    assert not score["correct"]
    outputs[3] = 0.19
    assert SCORE(outputs, TRIAL)["correct"]
    outputs[9] = 0.3  # after Set
    assert SCORE(outputs, TRIAL)["correct"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_outputs_are_wrong_only_within_the_trial(bad):
    trial = TRIAL
    last = int(trial.valid.sum())
    outputs = np.array(TASK.ideal(trial))
    outputs[last:] = bad
    assert SCORE(outputs, trial)["correct"]
    outputs[last - 1] = bad
    assert not SCORE(outputs, trial)["correct"]


def test_a_crossing_on_padding_does_not_count():
    shortest = next(
        t for t in map(DRAW, jax.random.split(jax.random.key(1), 30)) if t.conditions["interval"] == 600
    )
    outputs = np.zeros((TASK.num_steps, 1), np.float32)
    outputs[int(shortest.valid.sum()) :] = 2.0
    assert np.isnan(SCORE(outputs, shortest)["produced_interval"])


def test_catch_trials_ask_for_silence():
    task = CueSetGo.beiran(catch=0.99)
    trial = task.trial(jax.random.key(0))
    assert trial.conditions["catch"]
    assert not trial.inputs[:, 1].max() > 1
    assert np.isnan(trial.epochs["set"][0])
    assert np.isnan(trial.epochs["production"][1])
    valid = np.asarray(trial.valid)
    np.testing.assert_allclose(trial.targets[valid], -0.5)
    np.testing.assert_allclose(trial.mask[valid][:-1], 1)
    silence = task.score(task.ideal(trial), trial)
    assert silence["correct"]
    assert not silence["early"]
    response = np.array(task.ideal(trial))
    response[100] = 0.5
    assert not task.score(response, trial)["correct"]


def test_target_shapes():
    since = TASK.time - 150
    shapes = {
        "ramp": np.clip(since / INTERVAL, 0, 1.2),
        "exponential": np.clip(3 * np.expm1(since * math.log(4 / 3) / INTERVAL), 0, 1.2),
    }
    for target, expected in shapes.items():
        made = dataclasses.replace(TASK, target=target).production(jnp.float32(150), jnp.float32(INTERVAL))
        np.testing.assert_allclose(made[:, 0], expected, atol=1e-5)
    step = dataclasses.replace(TASK, target="step").production(jnp.float32(150), jnp.float32(INTERVAL))
    assert float(step.sum()) * TASK.dt == pytest.approx(300)
    assert step[int((150 + INTERVAL) // 20) + 1] == 1
    scaled = dataclasses.replace(TASK, low=-0.5, high=0.45).production(
        jnp.float32(150), jnp.float32(INTERVAL)
    )
    np.testing.assert_allclose(scaled[:, 0], -0.5 + 0.95 * shapes["ramp"], atol=1e-5)


def test_targets_hold_to_the_end_and_the_mask_ends_with_the_trial():
    end = float(TRIAL.epochs["trial"][1])
    last = int(TRIAL.valid.sum()) - 1
    assert last == math.ceil(end / 20) - 1
    assert TRIAL.targets[last, 0] == pytest.approx(1.2)
    assert float(TRIAL.mask.sum()) * 20 == pytest.approx(end, rel=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": "sine"}, "target 'sine': expected 'ramp' or 'exponential' or 'step'."),
        ({"high": 0}, "high 0: must exceed low (0)."),
        ({"hold": -1}, "hold -1: a duration cannot be negative; use hold >= 0."),
        ({"pulse": 0}, "pulse 0: an input pulse needs a duration; use pulse > 0."),
        ({"amplitude": 0}, "amplitude 0: the pulse would not be seen; use another amplitude."),
        ({"tolerance": 0}, "tolerance 0: a relative error lies between 0 and 1."),
        ({"catch": -0.1}, "catch -0.1: a probability lies between 0 and 1."),
        ({"catch": 1.1}, "catch 1.1: a probability lies between 0 and 1."),
        ({"catch": 1}, "catch 1: no trial would ask for an interval; use catch < 1."),
        ({"interval": 800}, "interval 800: a slope needs at least 3 different intervals"),
        ({"interval": (500, 500, 800)}, "interval (500, 500, 800): a slope needs at least 3"),
        ({"dt": 100}, "dt 100: cannot resolve an interval of 400 ms; use dt <= 60."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        CueSetGo(**fields)
    assert str(error.value).startswith(f"CueSetGo: {message}")
