"""Go/NoGo: what is shown, and which outputs are a response."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import GoNoGo

KEYS = jax.random.split(jax.random.key(0), 256)


def _trials(task):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS))


@pytest.fixture(scope="module")
def drawn():
    task = GoNoGo(noise=0.0)
    score = jax.jit(jax.vmap(task.score))
    return task, _trials(task), lambda outputs, trials: jax.tree.map(np.asarray, score(outputs, trials))


def test_a_stimulus_asks_for_a_response(drawn):
    task, trials, _ = drawn
    time, go = task.time, trials.conditions["go"][:, None] == 1
    np.testing.assert_array_equal(trials.inputs[..., 0], go & (time > 250) & (time < 375))
    np.testing.assert_array_equal(trials.targets[..., 0], go & (time > 375))
    assert (trials.mask == 1).all()
    assert task.duration == 1000


def test_neurogym_shows_both_kinds_and_the_go():
    task = GoNoGo.neurogym(noise=0.0)
    trials = _trials(task)
    time, go = task.time, trials.conditions["go"][:, None] == 1
    assert task.input_names == ("fixation", "go", "nogo")
    np.testing.assert_array_equal(trials.inputs[..., 0], np.broadcast_to(time < 1000, (256, 75)))
    np.testing.assert_array_equal(trials.inputs[..., 1], go & (time < 500))
    np.testing.assert_array_equal(trials.inputs[..., 2], ~go & (time < 500))
    np.testing.assert_array_equal(trials.targets[..., 0], go & (time > 1000))


def test_one_sample_is_a_response(drawn):
    _, trials, score = drawn
    go = trials.conditions["go"] == 1
    for peak, before, on_go, on_nogo in (
        (0.71, 0, True, False),
        (0.69, 0, False, False),
        (0.31, 0, False, False),
        (-0.31, 0, False, False),
        (0.29, 1, False, True),
        (-0.29, 1, False, True),
    ):
        outputs = np.zeros_like(trials.targets)
        outputs[:, 74] = before  # the last bin of the stimulus
        outputs[:, 150] = peak
        scores = score(jnp.asarray(outputs), trials)
        np.testing.assert_array_equal(scores["correct"], np.where(go, on_go, on_nogo))
        np.testing.assert_array_equal(scores["responded"], peak > 0.7)
        np.testing.assert_allclose(scores["peak"], max(peak, 0))
    outputs[:, 0] = np.inf
    broken = score(jnp.asarray(outputs), trials)
    assert not broken["correct"].any()
    assert np.isnan(broken["peak"]).all()


def test_the_signature_tells_go_from_nogo(drawn):
    task, trials, score = drawn
    scores = score(jnp.ones_like(trials.targets), trials)
    found = fits.fit(task.signature, scores, trials.conditions)
    assert found == {"overall": trials.conditions["go"].mean(), "worst": 0}
    assert GoNoGo(go_probability=0.8).silent_score == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"go_probability": 2}, "go_probability 2: a probability lies between 0 and 1."),
        (
            {"threshold": 1},
            "threshold 1: a target of 1 has to exceed it, and 0 must not; use 0 <= threshold < 1.",
        ),
        ({"quiet": 0}, "quiet 0: a target of 0 has to stay below it; use a value > 0."),
        ({"dt": 200}, "dt 200: cannot resolve a stimulus of 125 ms; use dt <= 125."),
        ({"dt": 100, "response": 50}, "dt 100: cannot resolve a response of 50 ms; use dt <= 50."),
        (
            {"delay": (0, 500)},
            "fixation_input False: the stimuli do not show when to respond; use fixation_input=True.",
        ),
        ({"response": 0}, "response 0: the epoch can vanish; use values > 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        GoNoGo(**fields)
    assert str(error.value) == f"GoNoGo: {message}"
