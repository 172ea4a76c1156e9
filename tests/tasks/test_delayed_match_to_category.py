"""Delayed match to category: directions, the boundary, choices by category against those by distance."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import DelayedMatchToCategory

KEYS = jax.random.split(jax.random.key(0), 512)


@pytest.fixture(scope="module")
def drawn():
    task = DelayedMatchToCategory(noise=0.0)
    return task, jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS))


def test_the_boundary_lies_at_0_and_pi(drawn):
    _, trials = drawn
    given = trials.conditions
    for name in ("sample", "test"):
        direction = given[f"{name}_direction"]
        np.testing.assert_allclose(np.unique(direction), np.pi * np.arange(0.1, 2, 0.2), rtol=1e-5)
        np.testing.assert_array_equal(given[f"{name}_category"], direction > np.pi)
    np.testing.assert_array_equal(given["match"], given["sample_category"] == given["test_category"])
    turned = np.exp(1j * (given["test_direction"] - given["sample_direction"]))
    np.testing.assert_allclose(given["angular_distance"], np.abs(np.angle(turned)), atol=1e-4)


def test_directions_are_bumps_on_a_ring_of_32(drawn):
    task, trials = drawn
    preferred = 2 * np.pi * np.arange(32) / 32
    for step, name in ((40, "sample"), (110, "test")):
        direction = trials.conditions[f"{name}_direction"][:, None]
        apart = np.abs(np.angle(np.exp(1j * (direction - preferred))))
        expected = 0.8 * np.exp(-0.5 * (apart / (np.pi / 8)) ** 2)
        np.testing.assert_allclose(trials.inputs[:, step, 1:], expected, atol=1e-5)
    # 500 ms of fixation, 650 of sample, 1000 of delay, 650 of test: the answer is due during the test.
    shown = trials.inputs[0, :, 1:].any(1)
    np.testing.assert_array_equal(shown, np.repeat([False, True, False, True], [25, 33, 49, 33]))
    np.testing.assert_allclose(trials.inputs[0, :, 0], np.r_[np.ones(107), 0.5, np.zeros(32)], atol=1e-5)
    assert task.input_names[:2] == ("fixation", "ring_00")
    sign = np.where(trials.conditions["match"], 1, -1)
    np.testing.assert_allclose(trials.targets[:, 120, 0], sign)
    np.testing.assert_array_equal(np.flatnonzero(trials.mask[0, :, 0]), np.arange(112, 140))


def test_the_signature_tells_category_from_distance(drawn):
    task, trials = drawn
    given = trials.conditions
    rng = np.random.default_rng(0)
    by_category = fits.fit(task.signature, {"choice": given["match"]}, given)
    assert by_category["category_effect"] == pytest.approx(1)
    assert by_category["distance_effect"] == pytest.approx(0, abs=1e-6)
    near = rng.random(512) < 1 - given["angular_distance"] / np.pi
    by_distance = fits.fit(task.signature, {"choice": near}, given)
    assert abs(by_distance["category_effect"]) < 0.15
    assert by_distance["distance_effect"] == pytest.approx(1, abs=0.2)
    shuffled = fits.fit(task.signature, {"choice": rng.permutation(given["match"])}, given)
    assert max(map(abs, shuffled.values())) < 0.25


@pytest.mark.parametrize("num_directions", [2, 7])
def test_refusals(num_directions):
    with pytest.raises(ValueError) as error:
        DelayedMatchToCategory(num_directions=num_directions)
    assert str(error.value) == (
        f"DelayedMatchToCategory: num_directions {num_directions}: two categories need two directions each "
        "or more; use an even number >= 4."
    )
