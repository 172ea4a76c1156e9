"""Copy memory: what is shown, what is asked, and what a subject without memory can do."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.objectives import CrossEntropy, SquaredError
from throughtime.tasks import CopyMemory

KEYS = jax.random.split(jax.random.key(0), 256)
SURE = 50.0


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def _scores(task, outputs, trials):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.score))(outputs, trials))


def _loss(objective, outputs, trials):
    return np.asarray(jax.vmap(objective)(jnp.asarray(outputs), trials))


def test_the_sequence_is_shown_and_asked_for_after_the_go_cue():
    task = CopyMemory()
    trials = _trials(task)
    assert trials.inputs.shape == (256, 70, 9)
    sequence = trials.inputs[:, :10].argmax(2)
    assert len(np.unique(sequence, axis=0)) == 256
    inputs, targets = np.zeros((256, 70, 9)), np.zeros((256, 70, 9))
    inputs[:, :10] = np.eye(9)[sequence]
    inputs[:, 59, 8] = 1
    targets[:, :60, 8] = 1
    targets[:, 60:] = np.eye(9)[sequence]
    np.testing.assert_array_equal(trials.inputs, inputs)
    np.testing.assert_array_equal(trials.targets, targets)
    np.testing.assert_array_equal(trials.mask, np.ones((256, 70, 9)))
    edges = {name: (start[0], end[0]) for name, (start, end) in trials.epochs.items()}
    assert edges == {
        "trial": (0, 1400), "presentation": (0, 200), "blank": (200, 1200), "go": (1180, 1200),
        "recall": (1200, 1400),
    }  # fmt: skip


def test_symbols_are_independent_and_equally_likely():
    sequence = _trials(CopyMemory(blank=1)).inputs[:, :10].argmax(2)
    counts = np.bincount(sequence.ravel(), minlength=8)
    error = np.sqrt(2560 * 7 / 64)
    assert np.abs(counts - 320).max() < 4 * error
    assert np.mean(sequence[:, 1:] == sequence[:, :-1]) == pytest.approx(1 / 8, abs=0.03)


@pytest.mark.parametrize(("blank", "num_symbols", "alphabet"), [(50, 10, 8), (500, 10, 8), (7, 3, 4)])
def test_cross_entropy_without_memory(blank, num_symbols, alphabet):
    task = dataclasses.replace(CopyMemory(), blank=blank, num_symbols=num_symbols, alphabet=alphabet)
    trials = _trials(task, KEYS[:16])
    outputs = np.zeros((task.num_steps, alphabet + 1), np.float32)
    recall = task.time >= trials.epochs["recall"][0][0]
    assert recall.sum() == num_symbols
    outputs[:, -1] = np.where(recall, -SURE, SURE)
    outputs = np.broadcast_to(outputs, (16, *outputs.shape))
    expected = num_symbols * np.log(alphabet) / (blank + 2 * num_symbols)
    np.testing.assert_allclose(_loss(CrossEntropy(), outputs, trials), expected, rtol=1e-5)
    alone = trials._replace(mask=trials.mask * recall[:, None])
    np.testing.assert_allclose(_loss(CrossEntropy(), outputs, alone), np.log(alphabet), rtol=1e-5)
    assert not _scores(task, outputs, trials)["correct"].all()


@pytest.mark.parametrize("dt", [20.0, 19.0, 15.0, 8.0, 5.0])
def test_a_perfect_answer_is_right_at_every_dt(dt):
    task = CopyMemory(dt=dt)
    trials = _trials(task)
    np.testing.assert_allclose(trials.targets.sum(2), 1, atol=1e-5)
    np.testing.assert_allclose(trials.mask.sum(1) * dt, 1400, rtol=1e-5)
    np.testing.assert_allclose(trials.inputs.sum((1, 2)) * dt, 220, rtol=1e-4)
    answer = jax.vmap(task.ideal)(trials)
    scores = _scores(task, answer, trials)
    assert scores["correct"].all()
    assert (scores["symbol_accuracy"] == 1).all()
    assert not _loss(SquaredError(), answer, trials).any()
    assert _scores(task, SURE * answer, trials)["correct"].all()
    if dt in (20.0, 5.0):
        assert _loss(CrossEntropy(), SURE * answer, trials).max() < 1e-6


def test_symbols_count_one_by_one():
    task = CopyMemory()
    trials = _trials(task)
    outputs = np.array(trials.targets)
    wrong = (outputs[:, 62:64, :8].argmax(2) + 1) % 8
    outputs[:, 62:64] = np.eye(9)[wrong]
    outputs[:, 65] = np.eye(9)[8]  # blank is no answer
    scores = _scores(task, outputs, trials)
    np.testing.assert_allclose(scores["symbol_accuracy"], 0.7)
    assert not scores["correct"].any()


def test_a_silent_subject_is_right_by_chance():
    assert CopyMemory().silent_score == 8.0**-10
    task = CopyMemory(num_symbols=1, alphabet=4)
    trials = _trials(task, jax.random.split(jax.random.key(1), 4096))
    scores = _scores(task, np.zeros_like(trials.targets), trials)
    error = np.sqrt(3 / 16 / 4096)
    assert scores["correct"].mean() == pytest.approx(task.silent_score, abs=4 * error)
    assert scores["symbol_accuracy"].mean() == scores["correct"].mean()


def test_an_output_that_is_not_finite_is_no_symbol():
    task = CopyMemory()
    trials = _trials(task, KEYS[:4])
    outputs = np.array(trials.targets)
    outputs[:, 3, 0] = np.inf
    scores = _scores(task, outputs, trials)
    assert not scores["correct"].any()
    assert not scores["symbol_accuracy"].any()


def test_many_symbols_have_names_of_one_length():
    task = CopyMemory(alphabet=12)
    assert task.output_names[:3] == ("symbol_00", "symbol_01", "symbol_02")
    assert task.output_names[-2:] == ("symbol_11", "blank")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_symbols": 0}, "num_symbols 0: there is nothing to recall; use at least 1."),
        ({"alphabet": 1}, "alphabet 1: a symbol without alternative needs no memory; use at least 2."),
        ({"blank": 0}, "blank 0: the go cue takes the last blank slot; use at least 1."),
        ({"blank": -5}, "blank -5: the go cue takes the last blank slot; use at least 1."),
        ({"blank": 2.5}, "blank 2.5: expected a whole number."),
        ({"slot": 0}, "slot 0: a slot needs a duration; use slot > 0."),
        ({"dt": 40}, "dt 40: cannot resolve a slot of 20 ms; use dt <= 20."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        CopyMemory(**fields)
    assert str(error.value) == f"CopyMemory: {message}"
