"""The choice family: what is decided, what counts, what is refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.tasks import DelayedMatchToSample

KEY = jax.random.key(4)
SHORT = DelayedMatchToSample(fixation=100.0, sample=100.0, delay=100.0, test=100.0, response=200.0, noise=0.0)


@dataclass(frozen=True, kw_only=True)
class Unannounced(DelayedMatchToSample):
    @property
    def go_is_shown(self) -> bool:
        return False


@dataclass(frozen=True, kw_only=True)
class ThreeWay(DelayedMatchToSample):
    @property
    def alternatives(self) -> tuple[str, ...]:
        return ("left", "middle", "right")


def _with_choice(task, correct_choice, key=KEY):
    trial = jax.jit(task.trial)(key)
    conditions = {**trial.conditions, "correct_choice": jnp.asarray(correct_choice)}
    return trial._replace(conditions=conditions)


def test_signed_targets_and_mask():
    trial = jax.jit(SHORT.trial)(KEY)
    sign = 1 if trial.conditions["match"] else -1
    np.testing.assert_allclose(trial.targets[:, 0], [0] * 20 + [sign] * 10)
    np.testing.assert_allclose(trial.mask[:, 0], [0] * 20 + [1] * 10)


def test_targets_hold_to_the_end_and_the_mask_ends_with_the_trial():
    task = dataclasses.replace(SHORT, response=190.0)
    trial = jax.jit(task.trial)(KEY)
    np.testing.assert_allclose(np.abs(trial.targets[20:, 0]), 1)
    np.testing.assert_allclose(trial.mask[20:, 0], [1] * 9 + [0.5])


def test_channel_targets_fixation_and_weights():
    task = dataclasses.replace(
        SHORT, report="channels", fixation_output=True, fixation_input=True, mask_fixation=True, grace=50.0,
        response_weight=5.0, fixation_weight=2.0,
    )  # fmt: skip
    trial = jax.jit(task.trial)(KEY)
    right = int(trial.conditions["correct_choice"])
    assert task.output_names == ("fixation", "choice_nonmatch", "choice_match")
    assert task.input_names == ("fixation", "stimulus_a", "stimulus_b")
    np.testing.assert_allclose(trial.inputs[:, 0], [1] * 20 + [0] * 10)
    np.testing.assert_allclose(trial.targets[:, 0], [1] * 20 + [0.2] * 10)
    np.testing.assert_allclose(trial.targets[:, 1 + right], [0.2] * 20 + [1] * 10)
    np.testing.assert_allclose(trial.targets[:, 2 - right], 0.2)
    np.testing.assert_allclose(trial.mask[:, 1], [2] * 20 + [0] * 2 + [2.5] + [5] * 7)


def test_the_decision_is_the_mean_after_grace():
    task = dataclasses.replace(SHORT, grace=50.0)
    trial = _with_choice(task, 1)
    outputs = np.zeros((30, 1), np.float32)
    outputs[:22] = -100.0
    outputs[22:25] = 1.0
    score = task.score(outputs, trial)
    assert score["correct"]
    assert score["choice"] == 1
    assert score["margin"] == pytest.approx((0.5 + 2) / 7.5)
    wrong = task.score(outputs, _with_choice(task, 0))
    assert not wrong["correct"]
    assert wrong["margin"] == -score["margin"]


def test_channels_compare_alternatives_and_leave_fixation_out():
    task = dataclasses.replace(SHORT, report="channels", fixation_output=True)
    outputs = np.tile(np.float32([9.0, 0.5, 0.2]), (30, 1))
    score = task.score(outputs, _with_choice(task, 0))
    assert score["correct"]
    assert score["margin"] == pytest.approx(0.3)
    wrong = task.score(outputs, _with_choice(task, 1))
    assert not wrong["correct"]
    assert wrong["margin"] == pytest.approx(-0.3)


def test_more_alternatives():
    task = ThreeWay(report="channels")
    assert task.silent_score == pytest.approx(1 / 3)
    trial = jax.jit(task.trial)(KEY)
    score = task.score(jnp.zeros((task.num_steps, 3)), trial)
    assert score["choice"] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_outputs_are_wrong_only_within_the_trial(bad):
    task = DelayedMatchToSample(delay=(500.0, 3000.0))
    trial = next(
        t for t in map(jax.jit(task.trial), jax.random.split(KEY, 20)) if t.conditions["delay"] == 500
    )
    outputs = np.array(task.ideal(trial))
    outputs[-1] = bad
    assert task.score(outputs, trial)["correct"]
    outputs[0] = bad
    assert not task.score(outputs, trial)["correct"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"grace": 1000}, "grace (1000 ms) leaves no loss in a response of 1000 ms; use grace < response."),
        (
            {"grace": 500, "response": None},
            "grace (500 ms) leaves no loss in a test of 500 ms; use grace < test.",
        ),
        ({"grace": -1}, "grace -1: a duration cannot be negative; use grace >= 0."),
        ({"report": "both"}, "report 'both': expected 'signed' or 'channels'."),
        ({"high": 0.0}, "high 0: must exceed the level of rest (low, or 0 if signed)."),
        (
            {"high": 0.1, "report": "channels"},
            "high 0.1: must exceed the level of rest (low, or 0 if signed).",
        ),
        ({"dt": 600, "grace": 500}, "dt 600: cannot resolve a decision of 500 ms; use dt <= 500."),
        ({"response_weight": 0}, "response_weight 0: a loss weight must be > 0; to leave fixation out"),
        ({"fixation_weight": -1}, "fixation_weight -1: a loss weight must be > 0; to leave fixation out"),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        DelayedMatchToSample(**fields)
    assert str(error.value).startswith(f"DelayedMatchToSample: {message}")


def test_a_sign_tells_two_alternatives():
    with pytest.raises(
        ValueError, match="report 'signed': a sign cannot tell 3 alternatives; use 'channels'"
    ):
        ThreeWay()


def test_a_go_that_is_not_shown_needs_a_fixation_input():
    with pytest.raises(ValueError, match="fixation_input False: the stimuli do not show when to respond"):
        Unannounced()
    assert Unannounced(fixation_input=True).input_names[0] == "fixation"
