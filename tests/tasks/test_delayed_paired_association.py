"""Delayed paired association: pairs, timing, and what neither stimulus tells alone."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import DelayedPairedAssociation

KEYS = jax.random.split(jax.random.key(0), 512)


@pytest.fixture(scope="module")
def drawn():
    task = DelayedPairedAssociation(noise=0.0)
    return task, jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS))


def test_a_goes_with_c_and_b_with_d(drawn):
    _, trials = drawn
    given = trials.conditions
    one_hot = np.eye(4)
    np.testing.assert_allclose(trials.inputs[:, 25, 1:], one_hot[given["sample"]])
    np.testing.assert_allclose(trials.inputs[:, 125, 1:], one_hot[given["test"]])
    shown = trials.inputs[:, :, 1:].any((0, 2))
    np.testing.assert_array_equal(shown, np.repeat([True, False, True, False], [50, 50, 50, 75]))
    np.testing.assert_array_equal(trials.inputs[0, :, 0], np.arange(225) < 200)
    paired = [(0, 2), (1, 3)]
    expected = [pair in paired for pair in zip(given["sample"], given["test"], strict=True)]
    np.testing.assert_array_equal(given["correct_choice"], expected)
    np.testing.assert_array_equal(given["correct_choice"], np.isin(given["pair"], (0, 3)))
    np.testing.assert_array_equal(trials.targets[:, 210, 0] > 0, expected)
    np.testing.assert_array_equal(np.flatnonzero(trials.mask[0, :, 0]), np.arange(205, 225))


def test_knowing_one_stimulus_is_worth_nothing(drawn):
    task, trials = drawn
    given = trials.conditions
    for name, first in (("sample", 0), ("test", 2)):
        right = given["correct_choice"] == (given[name] == first)
        found = fits.fit(task.signature, {"correct": right}, given)
        assert found["overall"] == pytest.approx(0.5, abs=0.09)
        assert found["worst"] == 0
    some = np.random.default_rng(0).random(512) < np.array([0.9, 0.9, 0.6, 0.9])[given["pair"]]
    assert fits.fit(task.signature, {"correct": some}, given)["worst"] == pytest.approx(0.6, abs=0.1)
    shuffled = np.random.default_rng(1).permutation(some)
    assert fits.fit(task.signature, {"correct": shuffled}, given)["worst"] > 0.7


def test_the_answer_may_follow_the_test_at_once_but_not_without_a_go():
    assert DelayedPairedAssociation(response=None, fixation_input=False).duration == 4000
    with pytest.raises(ValueError) as error:
        DelayedPairedAssociation(fixation_input=False)
    assert str(error.value) == (
        "DelayedPairedAssociation: fixation_input False: the stimuli do not show when to respond; use "
        "fixation_input=True."
    )
