"""Perceptual decision: inputs, what an ideal observer reaches, reaction times, catch trials."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.special import ndtr

from throughtime.analysis.fits import fit
from throughtime.tasks import PerceptualDecision, TruncatedExponential, Uniform

TASK = PerceptualDecision()
KEYS = jax.random.split(jax.random.key(0), 4096)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


TRIALS = _trials(TASK)


def test_an_ideal_observer_reaches_the_stated_fractions():
    """Φ(d √T / (2 σ √τ)) with d = 3.2 c/100, T = 800 ms, σ = 0.05 and τ = 100 ms: .82, .96, 1, 1, 1."""
    size = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    expected = ndtr(0.032 * size * np.sqrt(800) / (2 * 0.05 * 10))
    np.testing.assert_allclose(expected, [0.82, 0.965, 1, 1, 1], atol=0.003)
    assert expected.mean() == pytest.approx(0.96, abs=0.005)
    evidence = np.diff(TRIALS.inputs[:, 5:45], axis=2).mean((1, 2))
    right = (evidence > 0) == TRIALS.conditions["correct_choice"]
    for value, wanted in zip(size, expected, strict=True):
        shown = np.abs(TRIALS.conditions["coherence"]) == value
        assert right[shown].mean() == pytest.approx(
            wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / 700) + 1e-3
        )


def test_its_choices_have_the_sigma_of_the_noise():
    """In units of coherence, 2 σ √(τ/T) / 0.032 = 1.105 %; shuffled choices have no curve."""
    choice = np.diff(TRIALS.inputs[:, 5:45], axis=2).mean((1, 2)) > 0
    found = fit(TASK.signature, {"choice": choice}, TRIALS.conditions)
    assert found["sigma"] == pytest.approx(1.105, rel=0.12)
    shuffled = np.random.default_rng(0).permutation(choice)
    assert fit(TASK.signature, {"choice": shuffled}, TRIALS.conditions)["sigma"] > 16


def test_the_channels_and_what_counts_for_the_loss():
    trial = _trials(PerceptualDecision(noise=0.0, coherence=(10,)), KEYS[:8])
    sign = np.where(trial.conditions["correct_choice"], 1, -1)
    for index in range(8):
        levels = np.array([1 - 0.32 * sign[index], 1 + 0.32 * sign[index]]) / 2
        np.testing.assert_allclose(trial.inputs[index, 5:45], np.tile(levels, (40, 1)), rtol=1e-6)
    assert not trial.inputs[:, :5].any()
    assert not trial.inputs[:, 45:].any()
    np.testing.assert_array_equal(trial.mask[0, :, 0], np.r_[np.ones(5), np.zeros(40), np.ones(15)])
    np.testing.assert_allclose(np.sort(trial.targets[0, -1]), [0.2, 1.0])
    np.testing.assert_allclose(trial.targets[0, :45], 0.2)


REACTION = PerceptualDecision.reaction_time(noise=0.0)


@pytest.mark.parametrize(
    ("rises_at", "expected"), [(400.0, 400.0), (115.0, 115.0), (5.0, 5.0), (-50.0, 0.0), (2000.0, np.nan)]
)
def test_reaction_times_are_those_planted(rises_at, expected):
    """A difference of outputs that reaches half of its range, 0.5, at a time after stimulus onset."""
    trial = jax.tree.map(lambda array: array[0], REACTION_TRIALS)
    outputs = np.full((REACTION.num_steps, 2), 0.2, np.float32)
    outputs[:, 1] += 0.5 + (REACTION.time - 100 - rises_at) / 200
    outputs[:, 1] = outputs[:, 1].clip(0.2, 1.2)
    assert float(REACTION_SCORE(outputs, trial)["reaction_time"]) == pytest.approx(
        expected, abs=0.01, nan_ok=True
    )


REACTION_TRIALS = _trials(REACTION, KEYS[:512])
REACTION_SCORE = jax.jit(REACTION.score)


def test_reaction_times_may_fall_with_coherence():
    assert REACTION.duration == 900
    assert REACTION.input_names[-1] == "start"
    np.testing.assert_array_equal(REACTION_TRIALS.mask[0, :, 0], np.r_[np.ones(5), np.zeros(15), np.ones(25)])
    np.testing.assert_array_equal(REACTION_TRIALS.inputs[0, :, 2], np.r_[np.zeros(5), np.ones(40)])
    assert REACTION_TRIALS.targets.max() == pytest.approx(1.2)
    coherence = REACTION_TRIALS.conditions["coherence"]
    onset = 700 - 100 * np.log2(np.abs(coherence))
    step = REACTION.time[None] > (100 + onset)[:, None]
    outputs = 0.2 + np.stack([step * (coherence < 0)[:, None], step * (coherence > 0)[:, None]], axis=2)
    scores = jax.jit(jax.vmap(REACTION.score))(outputs.astype(np.float32), REACTION_TRIALS)
    found = fit(REACTION.signature, scores, REACTION_TRIALS.conditions)
    assert found["slope"] == pytest.approx(-100, abs=3)
    assert found["intercept"] == pytest.approx(700, abs=12)
    broken = REACTION_SCORE(np.full_like(outputs[0], np.nan), jax.tree.map(lambda a: a[0], REACTION_TRIALS))
    assert np.isnan(broken["reaction_time"])


def test_zero_coherence_is_either_side_by_chance():
    task = PerceptualDecision(coherence=(0, 8), allow_zero=True)
    conditions = jax.jit(jax.vmap(lambda key: task.trial(key).conditions))(KEYS)
    none = np.asarray(conditions["coherence"]) == 0
    assert none.mean() == pytest.approx(0.5, abs=0.04)
    assert np.asarray(conditions["correct_choice"])[none].mean() == pytest.approx(0.5, abs=0.05)


def test_catch_trials_ask_for_silence():
    task = PerceptualDecision(catch=0.3, noise=0.0, fixation_input=True)
    trials = _trials(task, KEYS[:1024])
    catch = trials.conditions["catch"]
    assert task.duration == 2000
    assert task.silent_score == pytest.approx(0.65)
    assert catch.mean() == pytest.approx(0.3, abs=0.06)
    assert not trials.inputs[catch, :, 1:].any()
    assert (trials.inputs[catch, :, 0] == 1).all(), "no go without a stimulus"
    assert (trials.mask[catch] == 1).all()
    np.testing.assert_allclose(trials.targets[catch], 0.2)
    assert (trials.conditions["correct_choice"][catch] == -1).all()
    assert np.isnan(trials.conditions["coherence"]).tolist() == catch.tolist()
    assert np.isnan(trials.epochs["response"][0]).tolist() == catch.tolist()
    assert (trials.epochs["trial"][1][catch] == 2000).all()
    score = jax.jit(jax.vmap(task.score))
    late = trials.targets.copy()
    late[:, -1] = 0.61  # crosses halfway on catch trials alone: others are over by then
    for outputs, correct in ((trials.targets, True), (late, ~catch)):
        scores = score(outputs, trials)
        np.testing.assert_array_equal(scores["correct"], np.broadcast_to(correct, catch.shape))
        assert (np.asarray(scores["choice"])[catch] == -1).all()


def test_variants():
    variable, lint = PerceptualDecision.variable_duration(), PerceptualDecision.lint()
    assert variable.stimulus == TruncatedExponential(330, 80, 1500)
    assert variable.duration == 1900
    assert variable.input_names == ("stimulus_left", "stimulus_right", "start")
    assert variable.signature.fit == "accuracy"
    assert (lint.input_names, lint.output_names, lint.delay) == (("stimulus",), ("choice",), 300)
    assert [each.criterion[0].at_least for each in (TASK, lint)] == [0.85, 0.95]
    assert TASK.criterion[0].validations == 5
    trial = _trials(PerceptualDecision.lint(noise=0.0), KEYS[:4])
    np.testing.assert_allclose(trial.inputs[:, 20, 0], 0.032 * trial.conditions["coherence"], rtol=1e-5)
    np.testing.assert_array_equal(trial.mask[0, :, 0] > 0, np.arange(75) >= 60)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"coherence": (0, 4)}, "coherence 0 has no correct choice; probe it with allow_zero=True."),
        ({"coherence": (-4,)}, "coherence (-4,): give magnitudes; either sign is drawn."),
        ({"coherence": ()}, "coherence (): expected one or more numbers, as a tuple."),
        (
            {"delay": None},
            "delay None: a response after the stimulus needs one; use 0 for a response at once.",
        ),
        ({"response": None}, "delay 0: a response during the stimulus leaves none; use delay=None."),
        (
            {"delay": Uniform(100, 300)},
            "fixation_input False: the stimuli do not show when to respond; use fixation_input=True.",
        ),
        ({"grace": 300}, "grace (300 ms) leaves no loss in a response of 300 ms; use grace < response."),
        ({"dt": 400}, "dt 400: cannot resolve a decision of 300 ms; use dt <= 300."),
        ({"gain": 0}, "gain 0: stimuli would look alike; use gain > 0."),
        ({"encoding": "one"}, "encoding 'one': expected 'opposed' or 'single'."),
        ({"catch": 1}, "catch 1: no trial would show a stimulus; use catch < 1."),
        ({"catch_duration": 0}, "catch_duration 0: a trial needs a duration; use catch_duration > 0."),
        ({"required": 85}, "required 85: a fraction correct lies between 0 and 1."),
        ({"stimulus": -1}, "stimulus -1: a duration cannot be negative; use values >= 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        PerceptualDecision(**fields)
    assert str(error.value) == f"PerceptualDecision: {message}"
