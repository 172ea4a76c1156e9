"""Dual delayed match: fields, cues and the item each test is compared with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import DualDelayedMatch

KEYS = jax.random.split(jax.random.key(0), 256)


def _trials(task):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS))


@pytest.fixture(scope="module")
def drawn():
    task = DualDelayedMatch(noise=0.0)
    return task, _trials(task)


def test_each_test_is_compared_with_the_cued_item(drawn):
    _, trials = drawn
    given = trials.conditions
    items = np.stack([given["sample_1"], given["sample_2"]], 1)
    for place in (1, 2):
        cued = given[f"cued_{place}"]
        item = np.take_along_axis(items, cued[:, None] - 1, axis=1)[:, 0]
        np.testing.assert_array_equal(given[f"match_{place}"], given[f"test_{place}"] == item)
        # Steps 75 and 150 are the first of the tests at 1500 and 3000 ms.
        shown = trials.inputs[:, 75 * place]
        cues = trials.inputs[:, :, 48:]
        fields = shown[:, :48].reshape(-1, 2, 24).argmax(2) // 3
        np.testing.assert_array_equal(
            np.take_along_axis(fields, cued[:, None] - 1, 1)[:, 0], given[f"test_{place}"]
        )
        np.testing.assert_array_equal(
            np.take_along_axis(fields, 2 - cued[:, None], 1)[:, 0], given[f"uncued_{place}"]
        )
        on = slice(50, 100) if place == 1 else slice(125, 175)
        np.testing.assert_array_equal(cues[:, on].argmax(2), np.tile(cued[:, None] - 1, (1, 50)))
        np.testing.assert_array_equal(cues[:, on].sum(2), 1)
    np.testing.assert_array_equal(given["switch"], given["cued_1"] != given["cued_2"])
    off = np.r_[0:50, 100:125]
    assert not trials.inputs[:, off, 48:].any()
    sampled = trials.inputs[:, 10, :48].reshape(-1, 2, 24).argmax(2) // 3
    np.testing.assert_array_equal(sampled, items)
    assert not trials.inputs[:, np.r_[25:75, 100:150], :48].any()


def test_answers_and_their_weights(drawn):
    _, trials = drawn
    given = trials.conditions
    for place, on in ((1, 75), (2, 150)):
        match = given[f"match_{place}"]
        np.testing.assert_allclose(
            trials.targets[:, on + 12], np.stack([0 * match, ~match, match], 1), atol=1e-6
        )
    np.testing.assert_allclose(trials.targets[:, 110], np.tile([1, 0, 0], (256, 1)), atol=1e-6)
    weight = np.ones(175)
    weight[[75, 76, 150, 151]], weight[[77, 152]] = 0, 0.5
    np.testing.assert_allclose(trials.mask[0], np.tile(weight[:, None], 3), atol=1e-5)


def test_forgetting_the_item_that_is_not_attended_shows_in_the_signature(drawn):
    task, trials = drawn
    given = trials.conditions
    forgot = given["switch"]
    outputs = trials.targets.copy()
    outputs[:, 150:, 1:] = np.where(forgot[:, None, None], outputs[:, 150:, :0:-1], outputs[:, 150:, 1:])
    scores = jax.tree.map(np.asarray, jax.jit(jax.vmap(task.score))(jnp.asarray(outputs), trials))
    assert scores["correct_1"].all()
    np.testing.assert_array_equal(scores["correct_2"], ~forgot)
    np.testing.assert_array_equal(scores["correct"], ~forgot)
    found = fits.fit(task.signature, scores, given)
    assert found["worst"] == 0
    assert found["overall"] == pytest.approx(1 - forgot.mean())
    shuffled = {"correct_2": np.random.default_rng(0).permutation(scores["correct_2"])}
    assert fits.fit(task.signature, shuffled, given)["worst"] > 0.35


def test_neurogym():
    task = DualDelayedMatch.neurogym(noise=0.0)
    trials = _trials(task)
    given = trials.conditions
    onsets = [trials.epochs[name][0][0] for name in task.epoch_names[1:]]
    assert onsets == [0, 500, 1000, 2000, 2500, 3500]
    assert given["switch"].all()
    assert (given["uncued_1"] == -1).all()
    fields = trials.inputs[:, 110, :48].reshape(-1, 2, 24).max(2)
    np.testing.assert_array_equal(fields.argmax(1) + 1, given["cued_1"])
    assert (fields.min(1) == 0).all()
    np.testing.assert_array_equal(
        trials.inputs[0, :, 48:].sum(1), np.repeat([0, 1, 0, 1, 0], [75, 25, 50, 25, 25])
    )


def test_masse_adds_fixation():
    task = DualDelayedMatch.masse(delay=2000.0)
    assert (task.dt, task.fixation, task.delay, task.duration) == (10, 500, 2000, 6000)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"second_cue": "same"}, "second_cue 'same': expected 'independent' or 'other'."),
        (
            {"response": 100.0},
            "response 100: the tests are answered while they are shown; use response=None.",
        ),
        ({"num_directions": 1}, "num_directions 1: a non-match needs another direction; use at least 2."),
        ({"concentration": 0}, "concentration 0: untuned units tell no direction; use a value > 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        DualDelayedMatch(**fields)
    assert str(error.value) == f"DualDelayedMatch: {message}"
