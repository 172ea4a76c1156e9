"""The adding problem: values, marks, and what a subject that does not look can do."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from throughtime.objectives import SquaredError
from throughtime.tasks import AddingProblem

KEYS = jax.random.split(jax.random.key(0), 4096)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def _scores(task, outputs, trials):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.score))(outputs, trials))


def _constant(value, trials):
    return jnp.full(trials.targets.shape, value, jnp.float32)


@pytest.mark.parametrize("length", [100, 7, 2])
def test_one_mark_in_each_half(length):
    task = dataclasses.replace(AddingProblem(), length=length)
    trials = _trials(task)
    marker = trials.inputs[..., 1]
    assert np.isin(marker, (0, 1)).all()
    first, second = marker[:, : length // 2], marker[:, length // 2 :]
    for half in (first, second):
        assert (half.sum(1) == 1).all()
        if half.shape[1] > 1:
            assert stats.chisquare(half.sum(0)).pvalue > 1e-4
    interval = 20 * (length // 2 + second.argmax(1) - first.argmax(1))
    np.testing.assert_array_equal(trials.conditions["mark_interval"], interval)
    onsets = trials.epochs["second_mark"][0] - trials.epochs["first_mark"][0]
    np.testing.assert_array_equal(onsets, interval)


def test_values_are_uniform_and_independent():
    values = _trials(AddingProblem()).inputs[..., 0]
    assert stats.kstest(values[:, ::20].ravel(), "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(values[:, 0], values[:, 1])[0, 1]) < 4 / np.sqrt(4096)


def test_the_sum_is_asked_for_in_the_last_slot_alone():
    trials = _trials(AddingProblem(dt=5.0), KEYS[:64])
    assert trials.inputs.shape == (64, 400, 2)
    asked = trials.inputs.prod(2).sum(1) / 4
    assert asked.std() > 0.3
    np.testing.assert_allclose(trials.conditions["sum"], asked, rtol=1e-5)
    values = trials.conditions["first_value"] + trials.conditions["second_value"]
    np.testing.assert_allclose(values, asked, rtol=1e-5)
    np.testing.assert_allclose(trials.targets[:, 396:, 0], np.repeat(asked[:, None], 4, 1), rtol=1e-5)
    assert not trials.targets[:, :396].any()
    assert (trials.mask[:, 396:] == 1).all()
    assert not trials.mask[:, :396].any()


def test_the_best_answer_without_looking_has_an_error_of_a_sixth():
    task = AddingProblem()
    trials = _trials(task)
    scores = _scores(task, _constant(1.0, trials), trials)
    error = np.sqrt((1 / 15 - 1 / 36) / len(KEYS))
    assert scores["squared_error"].mean() == pytest.approx(1 / 6, abs=4 * error)
    losses = jax.vmap(SquaredError())(_constant(1.0, trials), trials)
    np.testing.assert_allclose(losses, scores["squared_error"], atol=1e-6)
    for other in (0.9, 1.1):
        assert _scores(task, _constant(other, trials), trials)["squared_error"].mean() > 1 / 6
    assert not task.criterion[0].met(1 / 12)


@pytest.mark.parametrize("dt", [20.0, 10.0, 20 / 3, 4.0])
def test_the_answer_is_the_mean_output_of_the_last_slot(dt):
    task = AddingProblem(dt=dt)
    trials = _trials(task, KEYS[:64])
    ideal = np.asarray(jax.vmap(task.ideal)(trials))
    assert np.abs(_scores(task, ideal, trials)["error"]).max() < 1e-5
    noisy = np.array(ideal)
    last = task.time > 1980
    noisy[:, ~last] = 7.0
    noisy[:, last, 0] += np.linspace(-0.3, 0.42, last.sum()) if last.sum() > 1 else 0.06
    scores = _scores(task, noisy, trials)
    np.testing.assert_allclose(scores["error"], 0.06, atol=1e-5)
    np.testing.assert_allclose(scores["squared_error"], 0.0036, atol=1e-5)
    assert scores["correct"].all()
    assert not _scores(task, ideal + 0.11, trials)["correct"].any()
    assert not _scores(task, ideal - 0.11, trials)["correct"].any()


def test_a_silent_subject_is_right_when_the_sum_is_small():
    task = AddingProblem(length=10)
    trials = _trials(task, jax.random.split(jax.random.key(1), 65536))
    scores = _scores(task, _constant(0.0, trials), trials)
    assert task.silent_score == pytest.approx(0.005)
    error = np.sqrt(0.005 / 65536)
    assert scores["correct"].mean() == pytest.approx(0.005, abs=4 * error)
    np.testing.assert_array_equal(scores["correct"], trials.conditions["sum"] < 0.1)


def test_an_output_that_is_not_finite_is_never_learned():
    task = AddingProblem()
    trials = _trials(task, KEYS[:4])
    outputs = np.array(trials.targets)
    outputs[:, 3] = np.nan
    scores = _scores(task, outputs, trials)
    assert not scores["correct"].any()
    assert np.isnan(scores["squared_error"]).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"length": 1}, "length 1: each half needs a slot for its mark; use at least 2."),
        ({"length": 10.5}, "length 10.5: expected a whole number."),
        ({"slot": -20}, "slot -20: a slot needs a duration; use slot > 0."),
        ({"dt": 40}, "dt 40: cannot resolve a slot of 20 ms; use dt <= 20."),
        (
            {"dt": 15},
            "dt 15: a bin would mix the values of two slots of 20 ms; use a dt that divides a slot, such as "
            "20 / 2.",
        ),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        AddingProblem(**fields)
    assert str(error.value) == f"AddingProblem: {message}"
