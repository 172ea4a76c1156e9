"""Interval comparison and discrimination: stimuli, go, success and the time-order effect."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.tasks import IntervalComparison, IntervalDiscrimination, Uniform

TASK = IntervalComparison.bi_zhou(noise=0.0)
TRIALS = jax.tree.map(np.asarray, jax.jit(jax.vmap(TASK.trial))(jax.random.split(jax.random.key(0), 512)))
TRIAL = jax.tree.map(lambda array: array[0], TRIALS)
SCORE = jax.jit(TASK.score)


def test_each_stimulus_lasts_as_long_as_it_says():
    for index, name in enumerate(("first_interval", "second_interval")):
        np.testing.assert_allclose(TRIALS.inputs[..., index].sum(1) * 20, TRIALS.conditions[name], rtol=1e-5)
    first, second = TRIALS.conditions["first_interval"], TRIALS.conditions["second_interval"]
    np.testing.assert_allclose(TRIALS.conditions["log_ratio"], np.log(second / first), atol=1e-5)
    np.testing.assert_array_equal(TRIALS.conditions["correct_choice"], second > first)
    np.testing.assert_allclose(TRIALS.epochs["response"][0], TRIALS.epochs["second_interval"][1])


def _answer(before=0.0, first=0.0, second=0.0):
    go = float(TRIAL.epochs["response"][0])
    outputs = np.zeros((TASK.num_steps, 2), np.float32)
    outputs[TASK.time > go] = first, second
    outputs[np.abs(TASK.time - go + 100) < 20] = before
    return outputs


@pytest.mark.parametrize(
    ("shown", "success"),
    [
        ({"first": 1.0}, True),
        ({"first": 1.0, "before": 0.19}, True),
        ({"first": 1.0, "before": 0.21}, False),
        ({"first": 0.49}, False),
        ({"first": 0.9, "second": 0.6}, False),
    ],
)
def test_success_is_one_output_above_a_half_and_none_before(shown, success):
    scores = SCORE(_answer(**shown), TRIAL)
    wrong = float(TRIAL.conditions["correct_choice"] != 0)
    assert scores["success"] == success
    assert scores["choice_error"] == pytest.approx(wrong if success else 0.02)


def test_what_is_not_finite_is_no_success():
    outputs = _answer(first=1.0)
    outputs[0] = np.nan
    scores = SCORE(outputs, TRIAL)
    assert not scores["success"]
    assert scores["choice_error"] == 1


def test_a_signed_output_is_one_alternative_on_each_side():
    task = IntervalComparison(noise=0.0)
    trial, score = jax.jit(task.trial)(jax.random.key(3)), jax.jit(task.score)
    ideal = np.asarray(task.ideal(trial))
    for outputs, success, error in (
        (ideal, 1, 0),
        (-ideal, 1, 1),
        (0.4 * ideal, 0, 0.02),
        (ideal - 0.3, 0, 0.02),
    ):
        scores = score(outputs, trial)
        assert scores["success"] == success
        assert scores["choice_error"] == pytest.approx(error)
    assert [measure.met(value) for measure, value in zip(task.criterion, (1.0, 0.0), strict=True)] == [
        True,
        True,
    ]


def test_the_signature_finds_a_planted_time_order_effect_and_no_curve_in_shuffled_choices():
    log_ratio = np.random.default_rng(0).uniform(-1, 1, 4000)
    choice = log_ratio + np.random.default_rng(1).normal(0.1, 0.3, 4000) > 0
    found = fit(TASK.signature, {"choice": choice}, {"log_ratio": log_ratio})
    assert found["mu"] == pytest.approx(-0.1, abs=0.03)
    assert found["sigma"] == pytest.approx(0.3, abs=0.05)
    shuffled = np.random.default_rng(2).permutation(choice)
    assert fit(TASK.signature, {"choice": shuffled}, {"log_ratio": log_ratio})["sigma"] > 3


def test_published_settings():
    assert (TASK.low, TASK.grace, TASK.dt, TASK.noise, IntervalComparison.bi_zhou().noise) == (
        0,
        0,
        20,
        0,
        0.0045,
    )
    assert TASK.output_names == ("choice_first", "choice_second")
    assert TASK.first_interval == TASK.second_interval == Uniform(400, 1400)
    assert (TASK.delay, TASK.response) == (Uniform(600, 1600), 300)


def test_discrimination_waits_for_fixation_to_end():
    task = IntervalDiscrimination(noise=0.0, first_interval=430.0, delay=(800.0, 1500.0))
    trial = jax.jit(task.trial)(jax.random.key(0))
    go = float(trial.epochs["response"][0])
    assert go == pytest.approx(float(trial.epochs["second_interval"][1]) + 500)
    np.testing.assert_allclose(np.asarray(trial.inputs)[:, 0].sum() * 20, go, rtol=1e-5)
    assert trial.inputs[:, 1].sum() * 20 == pytest.approx(430, rel=1e-5)
    assert not np.asarray(trial.mask)[task.time < go].any()
    assert [criterion.measure for criterion in task.criterion] == ["correct"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"first_interval": 500, "second_interval": Uniform(600, 900)},
            "second_interval Uniform(600, 900): the same stimulus always lasts longer; "
            "use ranges that overlap.",
        ),
        (
            {"first_interval": 500, "second_interval": (400, 500, 600)},
            "second_interval (400, 500, 600): equal stimuli (500 ms) have no correct choice; leave it out.",
        ),
        ({"first_interval": ()}, "first_interval (): no duration to draw from; give at least one."),
        (
            {"first_interval": Uniform(100, 900), "dt": 125},
            "dt 125: cannot resolve a stimulus of 100 ms; use dt <= 100.",
        ),
        ({"grace": 300}, "grace (300 ms) leaves no loss in a response of 300 ms; use grace < response."),
        ({"delay": -5}, "delay -5: a duration cannot be negative; use values >= 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        IntervalComparison(**fields)
    assert str(error.value) == f"IntervalComparison: {message}"


def test_discrimination_needs_its_fixation_input():
    with pytest.raises(ValueError, match="the stimuli do not show when to respond; use fixation_input=True"):
        dataclasses.replace(IntervalDiscrimination(), fixation_input=False)
