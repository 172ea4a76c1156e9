"""The add task: what is asked, and what circuits that know neither lag, one or both can reach."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from throughtime.objectives import CrossEntropy, SquaredError
from throughtime.tasks import AddTask

KEYS = jax.random.split(jax.random.key(0), 512)
TASK = AddTask()
LOGITS = AddTask(report="logits")


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def _scores(task, outputs, trials):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.score))(jnp.asarray(outputs), trials))


@pytest.fixture(scope="module")
def trials():
    return _trials(TASK)


@pytest.mark.parametrize(
    ("task", "lags", "steps"),
    [
        (TASK, (5, 9), 1),
        (AddTask.leaky(), (2, 4), 2),
        (AddTask(first_lag=6, second_lag=1, length=8), (6, 1), 1),
    ],
)
def test_targets_add_what_was_shown(task, lags, steps):
    trials = _trials(task, KEYS[:8])
    assert trials.inputs.shape == (8, task.length * steps, 2)
    assert task.dt == 20
    x = trials.inputs[:, ::steps, 0]
    assert np.isin(x, (0, 1)).all()
    np.testing.assert_array_equal(trials.inputs[..., 0], np.repeat(x, steps, axis=1))
    np.testing.assert_array_equal(trials.inputs[..., 1], 1 - trials.inputs[..., 0])
    longest = max(lags)
    first, second = (x[:, longest - lag : x.shape[1] - lag] for lag in lags)
    y = np.repeat(0.5 + 0.5 * first - 0.25 * second, steps, axis=1)
    np.testing.assert_array_equal(trials.targets[:, longest * steps :, 0], y)
    np.testing.assert_array_equal(trials.targets[..., 1], 1 - trials.targets[..., 0])
    counted = np.repeat(np.arange(task.length) >= longest, steps)
    np.testing.assert_array_equal(trials.mask, np.broadcast_to(counted[:, None], trials.mask.shape))
    assert trials.conditions["delay"][0] == trials.epochs["response"][0][0] == longest * task.slot


def test_inputs_are_fair_and_independent(trials):
    x = trials.inputs[..., 0]
    assert x.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(x.size))
    centred = x - x.mean()
    for lag in range(1, 11):
        assert abs((centred[:, lag:] * centred[:, :-lag]).mean()) < 4 * 0.25 / np.sqrt(x[:, lag:].size)


def test_levels_are_mean_entropies_and_variances():
    """Of y given what is known: the mean of y is then 5/8; 3/8, 7/8; 3/4, 1/2; or y itself."""

    def entropy(*means):
        return np.mean([stats.bernoulli(mean).entropy() for mean in means])

    expected = {
        "neither": entropy(0.625), "first_lag": entropy(0.375, 0.875), "second_lag": entropy(0.75, 0.5),
        "both": entropy(0.5, 1.0, 0.25, 0.75),
    }  # fmt: skip
    found = {name: level["cross_entropy"] for name, level in TASK.levels.items()}
    assert found == pytest.approx(expected, rel=1e-9)
    published = {"neither": 0.6616, "first_lag": 0.5192, "both": 0.4544}
    assert {name: found[name] for name in published} == pytest.approx(published, abs=1e-4)
    assert {name: level["mse"] for name, level in TASK.levels.items()} == {
        "neither": 0.078125, "first_lag": 0.015625, "second_lag": 0.0625, "both": 0.0,
    }  # fmt: skip
    assert AddTask.leaky().levels == TASK.levels


@pytest.mark.parametrize(
    ("level", "lags"), [("neither", ()), ("first_lag", (5,)), ("second_lag", (9,)), ("both", (5, 9))]
)
def test_a_regression_on_what_is_known_reaches_its_level(trials, level, lags):
    x, asked = trials.inputs[..., 0], slice(9, None)
    known = [np.ones_like(x[:, asked])] + [x[:, 9 - lag : 100 - lag] for lag in lags]
    design, y = np.stack(known, -1).reshape(-1, len(known)), trials.targets[:, asked, 0]
    fitted = (design @ np.linalg.lstsq(design, y.ravel(), rcond=None)[0]).reshape(y.shape)
    answers = np.full(trials.targets.shape, 0.5, np.float32)
    answers[:, asked] = np.stack([fitted, 1 - fitted], -1)
    scores = _scores(TASK, answers, trials)
    for measure, expected in TASK.levels[level].items():
        spread = scores[measure].std() / np.sqrt(len(KEYS))
        assert scores[measure].mean() == pytest.approx(expected, abs=4 * spread + 1e-5), measure
    assert scores["correct"].all() if level == "both" else not scores["correct"].any()
    as_logits = _scores(LOGITS, np.log(np.maximum(answers, 1e-6)), trials)
    for measure in ("mse", "cross_entropy"):
        np.testing.assert_allclose(as_logits[measure], scores[measure], atol=2e-5)


def test_scores_are_the_objectives(trials):
    outputs = 0.4 * np.random.default_rng(0).normal(size=trials.targets.shape).astype(np.float32)
    squared = jax.vmap(SquaredError())(outputs, trials)
    np.testing.assert_allclose(_scores(TASK, outputs, trials)["mse"], squared, rtol=1e-5)
    scores = _scores(LOGITS, 3 * outputs, trials)
    entropy = jax.vmap(CrossEntropy())(jnp.asarray(3 * outputs), trials)
    np.testing.assert_allclose(scores["cross_entropy"], entropy, rtol=1e-5)
    as_values = _scores(TASK, jax.nn.softmax(3 * outputs), trials)
    np.testing.assert_allclose(scores["mse"], as_values["mse"], rtol=1e-5)


def test_a_wrong_certainty_is_dear_and_finite(trials):
    wrong = np.broadcast_to(np.array([0.0, 2.0], np.float32), trials.targets.shape)
    surprise = _scores(TASK, wrong, trials)["cross_entropy"]
    y = trials.targets[:, 9:, 0].mean(1)
    np.testing.assert_allclose(surprise, y * np.log(2e6), rtol=1e-4)


@pytest.mark.parametrize("task", [TASK, LOGITS])
def test_perfect_and_silent_subjects_under_both_reports(task, trials):
    ideal = jax.vmap(task.ideal)(trials)
    assert _scores(task, ideal, trials)["correct"].all()
    assert not _scores(task, np.zeros_like(ideal), trials)["correct"].any()
    broken = np.array(ideal)
    broken[:, 3] = np.inf
    scores = _scores(task, broken, trials)
    assert not scores["correct"].any()
    assert np.isnan(scores["mse"]).all()
    assert np.isnan(scores["cross_entropy"]).all()


@pytest.mark.parametrize("dt", [15.0, 20 / 3])
def test_bins_are_averages_over_slots(dt):
    task = dataclasses.replace(TASK, dt=dt, length=13)
    trial, whole = (jax.jit(one.trial)(KEYS[0]) for one in (task, dataclasses.replace(task, dt=20.0)))
    shares = task.shares(0, 13)
    np.testing.assert_allclose(trial.inputs, shares @ whole.inputs, atol=1e-5)
    held = task.shares(0, 13, held=True)
    np.testing.assert_allclose(trial.targets, held @ whole.targets, atol=1e-5)
    assert task.score(task.ideal(trial), trial)["correct"]


def test_long_streams_are_cheap():
    task = AddTask(length=1000)
    program = jax.jit(jax.vmap(task.trial)).lower(KEYS[:4]).compile()
    assert program.memory_analysis().temp_size_in_bytes < 4 * 1000 * 2 * 4 * 16
    assert program(KEYS[:4]).inputs.shape == (4, 1000, 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"first_lag": 0}, "first_lag 0: what is shown now needs no memory; use at least 1."),
        ({"second_lag": -1}, "second_lag -1: what is shown now needs no memory; use at least 1."),
        ({"second_lag": 5}, "second_lag 5: the two lags are one; use another than first_lag."),
        ({"length": 9}, "length 9: no target lies within the trial; use more than 9 slots."),
        ({"report": "values"}, "report 'values': expected 'probabilities' or 'logits'."),
        ({"dt": 40}, "dt 40: cannot resolve a slot of 20 ms; use dt <= 20."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        AddTask(**fields)
    assert str(error.value) == f"AddTask: {message}"
