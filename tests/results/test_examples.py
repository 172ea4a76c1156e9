"""Example trials: one of each condition, answered as a perfect subject would."""

from __future__ import annotations

import numpy as np
import pytest

import throughtime as tt
from throughtime.results import example_trials
from throughtime.results.examples import choose

RANDOM = np.random.default_rng(0)
COUNT = 800
CONDITIONS = {
    "side": RANDOM.integers(0, 2, COUNT),
    "delay": RANDOM.uniform(300, 900, COUNT),
    "angle": RANDOM.uniform(0, 6, COUNT),
    "word": RANDOM.integers(0, 20, COUNT),
    "catch": RANDOM.random(COUNT) < 0.1,
}


def shown(*order, **options):
    told, trials = choose(CONDITIONS, order, **options)
    return [one.name for one in told], trials


def test_every_combination_is_shown_once_and_a_catch_trial_last():
    names, trials = shown("side", "delay")
    assert names == ["side", "delay"]
    assert CONDITIONS["side"][trials[:-1]].tolist() == [0, 0, 0, 1, 1, 1]
    assert CONDITIONS["catch"][trials].tolist() == [False] * 6 + [True]


def test_many_values_are_shown_low_middle_and_high():
    _, trials = shown("delay")
    np.testing.assert_allclose(CONDITIONS["delay"][trials[:3]], [330, 600, 870], atol=25)


def test_labels_of_many_values_are_spread_out():
    _, trials = shown("word", most=6)
    assert CONDITIONS["word"][trials[:5]].tolist() == [0, 5, 10, 14, 19]
    assert len(trials) == 6


def test_what_would_give_too_many_examples_is_left_out_and_enough_are_enough():
    assert shown("delay", "angle", "side")[0] == ["delay", "side"], (
        "3 × 3 are too many for 8 with a catch trial"
    )
    assert shown("word", "side")[0] == ["word"]


def test_fewer_levels_are_shown_where_there_is_little_room():
    assert len(shown("delay", by=("delay",), most=3)[1]) == 3
    assert shown("side", "delay", by=("side", "delay"), most=5)[0] == ["side", "delay"]


def test_there_are_no_more_examples_than_asked_for():
    assert shown("side", most=1) == ([], [0])
    assert len(shown("side", "delay", by=("side", "delay"), most=2)[1]) == 2


def test_a_condition_asked_for_is_told_apart_beyond_enough():
    assert shown("side", "delay", by=("side", "delay"))[0] == ["side", "delay"]
    assert shown("catch", by=("catch",))[0] == []


def test_an_absent_value_is_a_level_of_its_own():
    values = {"angle": np.array([np.nan, 1.0, 2.0, np.nan])}
    told, trials = choose(values, ("angle",))
    assert trials == [0, 1, 2]
    assert told[0].code.tolist() == [-1, 0, 1, -1]


def test_examples_are_trials_of_the_task_answered_well():
    task = tt.tasks.make("delayed-match-to-sample", delay=(500.0, 1000.0))
    found = example_trials(task)
    assert found.attrs["by"] == "delay correct_choice"
    assert found["delay"].values.tolist() == [500, 500, 1000, 1000]
    assert found["correct_choice"].values.tolist() == [0, 1, 0, 1]
    assert found["correct_choice"].attrs["flag_meanings"] == "nonmatch match"
    assert found["correct"].values.all()
    np.testing.assert_array_equal(found["outputs"], found["targets"])
    other = example_trials(task, ("sample", "test"), seed=1)
    assert list(zip(other["sample"].values, other["test"].values, strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]


def test_a_condition_there_is_not_is_refused():
    with pytest.raises(
        ValueError, match="CueSetGo: no condition 'side' to show examples by; its conditions are in"
    ):
        example_trials(tt.tasks.make("cue-set-go"), ("side",))


def test_conditions_a_task_does_not_have_with_these_settings_are_not_shown():
    task = tt.tasks.DelayedEstimation(rule="two_alternative")
    assert "angle" in task.shown_by
    assert "angle" not in task.condition_names
    assert example_trials(task).attrs["by"] == "correct_choice"
