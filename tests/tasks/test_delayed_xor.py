"""Delayed exclusive or: timings, signs and the threshold of a correct choice."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import DelayedXOR, Uniform

KEYS = jax.random.split(jax.random.key(0), 256)


def _scores(task, outputs, trials):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.score))(jnp.asarray(outputs), trials))


@pytest.fixture(scope="module")
def drawn():
    task = DelayedXOR(noise=0.0, gap=(50.0, 100.0), rest=(100.0, 150.0))
    return task, jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS))


def test_both_stimuli_and_the_answer(drawn):
    task, trials = drawn
    time = task.time
    for index in range(64):
        gap = trials.conditions["gap"][index]
        signs = [2 * trials.conditions[name][index] - 1 for name in ("first", "second")]
        for channel, (sign, onset) in enumerate(zip(signs, (250, 500 + gap), strict=True)):
            shown = (time > onset) & (time < onset + 250)
            np.testing.assert_array_equal(trials.inputs[index, :, channel], sign * shown)
        go = 800 + gap
        answer = np.prod(signs) * ((time > go) & (time < go + 500))
        np.testing.assert_array_equal(trials.targets[index, :, 0], answer)
        np.testing.assert_array_equal(trials.mask[index, :, 0], trials.valid[index])
        assert trials.epochs["trial"][1][index] == trials.epochs["rest"][1][index]
    assert DelayedXOR().duration == 1500
    assert DelayedXOR(rest=0.0).duration == 1350


def test_a_choice_has_to_exceed_the_threshold(drawn):
    task, trials = drawn
    for scale, expected in ((0.72, True), (0.68, False), (-1.0, False), (np.nan, False)):
        scores = _scores(task, scale * trials.targets, trials)
        assert (scores["correct"] == expected).all()
    np.testing.assert_allclose(_scores(task, 0.5 * trials.targets, trials)["margin"], 0.5, rtol=1e-5)


def test_the_signature_is_accuracy_against_gap(drawn):
    task, trials = drawn
    scores = _scores(task, trials.targets * (trials.conditions["gap"] == 50)[:, None, None], trials)
    found = fits.fit(task.signature, scores, trials.conditions)
    assert found == {"overall": scores["correct"].mean(), "worst": 0}


def test_channels_rest_at_their_level():
    task = DelayedXOR(report="channels", threshold=0.5, mask_fixation=False, rest=110.0, noise=0.0, dt=20.0)
    trial = jax.tree.map(np.asarray, jax.jit(task.trial)(KEYS[0]))
    assert task.duration == 1460
    np.testing.assert_allclose(trial.targets[68:], 0.2, atol=1e-6)
    assert trial.mask[:, 0].sum() * 20 == pytest.approx(500)
    assert bool(task.score(task.ideal(trial), trial)["correct"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threshold": 1}, "threshold 1: targets have a margin of 1; use 0 <= threshold < 1."),
        (
            {"threshold": 0.9, "report": "channels"},
            "threshold 0.9: targets have a margin of 0.8; use 0 <= threshold < 0.8.",
        ),
        ({"dt": 100, "first": 50}, "dt 100: cannot resolve a stimulus of 50 ms; use dt <= 50."),
        ({"gap": -5}, "gap -5: a duration cannot be negative; use values >= 0."),
        ({"first": 0}, "first 0: the epoch can vanish; use values > 0."),
        ({"gap": Uniform(900, 50)}, "gap Uniform(900, 50): lower bound exceeds upper bound."),
        ({"grace": 500}, "grace (500 ms) leaves no loss in a response of 500 ms; use grace < response."),
        (
            {"delay": (50, 100)},
            "fixation_input False: the stimuli do not show when to respond; use fixation_input=True.",
        ),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        DelayedXOR(**fields)
    assert str(error.value) == f"DelayedXOR: {message}"


def test_fixation_stays_let_go_in_the_rest():
    task = DelayedXOR(fixation_output=True, noise=0.0, dt=20.0, rest=110.0)
    trials = jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS[:4]))
    np.testing.assert_allclose(trials.targets[:, task.time > 870, 0], 0.2, rtol=1e-5)
    assert not trials.targets[:, task.time > 1370, 1].any()
