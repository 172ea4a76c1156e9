"""Parametric working memory: pairs, channels, catch trials and the graded target."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.tasks import ParametricWorkingMemory

TASK = ParametricWorkingMemory(noise=0.0, delay=(500.0, 810.0))
KEYS = jax.random.split(jax.random.key(0), 2048)
TRIALS = jax.tree.map(np.asarray, jax.jit(jax.vmap(TASK.trial))(KEYS))
CATCH = TRIALS.conditions["catch"]


def test_the_frequencies_are_shown_one_after_the_other():
    drawn, epochs = TRIALS.conditions, TRIALS.epochs
    starts = np.arange(TASK.num_steps) * 20.0
    for index in np.flatnonzero(~CATCH)[:24]:
        expected = np.zeros((TASK.num_steps, 2))
        for name, f in (("first_stimulus", drawn["f1"][index]), ("second_stimulus", drawn["f2"][index])):
            onset, offset = (edge[index] for edge in epochs[name])
            share = (np.minimum(starts + 20, offset) - np.maximum(starts, onset)).clip(0) / 20
            high = 0.4 + 0.8 * (f - 10) / 24
            expected += share[:, None] * np.array([1.6 - high, high])
        np.testing.assert_allclose(TRIALS.inputs[index], expected, atol=1e-5)
    np.testing.assert_array_equal(drawn["difference"][~CATCH], (drawn["f2"] - drawn["f1"])[~CATCH])
    np.testing.assert_array_equal(drawn["correct_choice"][~CATCH], (drawn["f1"] > drawn["f2"])[~CATCH])
    assert TASK.condition_labels["pair"][:3] == ("10-18", "18-10", "14-22")
    assert TASK.pairs == ((10, 18), (14, 22), (18, 26), (22, 30), (26, 34))


def test_catch_trials_show_nothing_and_ask_for_silence():
    assert TASK.duration == 2500
    assert ParametricWorkingMemory().duration == 4900
    assert CATCH.mean() == pytest.approx(1 / 11, abs=0.025)
    assert not TRIALS.inputs[CATCH].any()
    np.testing.assert_allclose(TRIALS.targets[CATCH], 0.2)
    assert (TRIALS.mask[CATCH] == 1).all()
    loss = TRIALS.mask[~CATCH].sum((1, 2))
    np.testing.assert_allclose(loss, 2 * (100 + 300) / 20, rtol=1e-5)
    assert TASK.silent_score == pytest.approx(0.5 + 0.5 / 11)


def test_fixation_is_held_through_catch_trials_and_has_no_grades():
    task = ParametricWorkingMemory.lint(
        noise=0.0, catch=0.3, catch_duration=710.0, fixation_input=True, fixation_output=True
    )
    trials = jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS[:64]))
    catch = trials.conditions["catch"]
    valid = trials.valid[catch]
    np.testing.assert_array_equal(trials.inputs[catch][valid], [[1, 0]] * valid.sum())
    np.testing.assert_array_equal(trials.targets[catch][valid], [[1, 0]] * valid.sum())
    scores = jax.jit(jax.vmap(task.score))
    assert scores(trials.targets, trials)["correct"].all()
    chosen = trials.targets.copy()
    chosen[..., 1] = 1
    assert not scores(chosen, trials)["correct"][catch].any()
    fixation, fixating = trials.targets[~catch, :, 0], trials.inputs[~catch, :, 0]
    valid = trials.valid[~catch]
    np.testing.assert_allclose(fixation[valid], (0.2 + 0.8 * fixating)[valid], atol=1e-5)


def test_the_criterion_is_that_of_the_worst_pair():
    """A subject that fails one pair of ten, and answers on catch trials, has 0 in the worst of them."""
    (worst,) = TASK.criterion
    assert (worst.at_least, worst.validations, worst.group) == (0.85, 5, ("pair",))
    assert worst.trials * (1 - TASK.catch) / 10 >= 100
    correct = (TRIALS.conditions["pair"] != 3) & ~CATCH
    assert worst.value({"correct": correct}, TRIALS.conditions, {}) == 0
    assert worst.value({"correct": ~CATCH}, TRIALS.conditions, {}) == 1


def test_the_signature_is_accuracy_against_the_difference():
    correct = np.where(TRIALS.conditions["difference"] > 0, 1.0, np.arange(2048) % 2)
    found = fit(TASK.signature, {"correct": correct}, TRIALS.conditions)
    assert found["worst"] == pytest.approx(0.5, abs=0.07)
    assert found["overall"] == pytest.approx(0.75, abs=0.06)
    shuffled = fit(
        TASK.signature, {"correct": np.random.default_rng(0).permutation(correct)}, TRIALS.conditions
    )
    assert shuffled["worst"] > 0.68


def test_the_graded_form():
    task = ParametricWorkingMemory.lint(noise=0.0, delay=500.0)
    assert len(task.pairs) == 17 + 9 + 1
    assert {faster - slower for slower, faster in task.pairs} == {8, 16, 24}
    assert (task.input_names, task.output_names, task.duration) == (("stimulus",), ("choice",), 900)
    assert task.criterion[0].group == ()
    trials = jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS[:256]))
    f1, f2 = trials.conditions["f1"], trials.conditions["f2"]
    np.testing.assert_allclose(trials.inputs[:, 7, 0], (f1 - 22) / 24, rtol=1e-5)
    np.testing.assert_allclose(trials.inputs[:, 37, 0], (f2 - 22) / 24, rtol=1e-5)
    np.testing.assert_allclose(trials.targets[:, -1, 0], (f1 - f2) / 24, rtol=1e-5)
    assert not trials.conditions["catch"].any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"response": 100, "grace": 100},
            "grace (100 ms) leaves no loss in a response of 100 ms; use grace < response.",
        ),
        ({"fastest": 10}, "fastest 10: must exceed slowest (10 Hz)."),
        (
            {"differences": (0, 8)},
            "differences (0, 8): two frequencies differ by more than 0 and at most 24 Hz.",
        ),
        (
            {"differences": (30,)},
            "differences (30,): two frequencies differ by more than 0 and at most 24 Hz.",
        ),
        ({"spacing": 0}, "spacing 0: pairs would not end; use spacing > 0."),
        (
            {"graded": True},
            "graded True: channels tell which is higher, not by how much; use report='signed'.",
        ),
        ({"first_stimulus": 10}, "dt 20: cannot resolve a stimulus of 10 ms; use dt <= 10."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        ParametricWorkingMemory(**fields)
    assert str(error.value) == f"ParametricWorkingMemory: {message}"
