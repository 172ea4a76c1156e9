"""Delayed response and anti-response: rings, masks, population vector, published timings."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.tasks import DelayedAntiResponse, DelayedResponse

KEYS = jax.random.split(jax.random.key(0), 256)
TASK = DelayedResponse(noise=0.0, response_weight=5.0, fixation_weight=2.0, settling=110.0)
PREFERRED = 2 * np.pi * np.arange(32) / 32


@pytest.fixture(scope="module")
def trials():
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(TASK.trial))(KEYS))


def bump(angle):
    away = np.abs((PREFERRED - angle + np.pi) % (2 * np.pi) - np.pi)
    return 0.8 * np.exp(-0.5 * (away / (np.pi / 8)) ** 2)


def test_inputs_targets_and_mask(trials):
    for index in range(16):
        angle = trials.conditions["angle"][index]
        on, off, go, end = (
            round(float(edge) / TASK.dt)
            for edge in (*(trials.epochs["stimulus"][side][index] for side in (0, 1)),
                         *(trials.epochs["response"][side][index] for side in (0, 1)))
        )  # fmt: skip
        inputs = np.zeros((TASK.num_steps, 33))
        inputs[:go, 0] = 1
        inputs[on:off, 1:] = bump(angle)
        np.testing.assert_allclose(trials.inputs[index], inputs, atol=1e-4)
        targets = np.zeros((TASK.num_steps, 33))
        targets[:end, 1:], targets[:go, 0], targets[go:end, 0] = 0.05, 0.8, 0.05
        targets[go:end, 1:] += bump(angle)
        np.testing.assert_allclose(trials.targets[index], targets, atol=1e-4)
        mask = np.zeros(TASK.num_steps)
        mask[6:go], mask[5], mask[go + 5 : end] = 1, 0.5, 5
        np.testing.assert_allclose(trials.mask[index], np.outer(mask, [2, *[1] * 32]), atol=1e-4)


def test_angles_are_uniform(trials):
    angle = trials.conditions["angle"]
    assert angle.min() >= 0
    assert angle.max() < 2 * np.pi
    assert abs(np.exp(1j * angle).mean()) < 0.15
    np.testing.assert_array_equal(trials.conditions["target_angle"], angle)


def test_scores(trials):
    """A response turned by δ has error δ; responses without fixation, release or direction are wrong."""
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), trials)
    ideal, target = TASK.ideal(one), float(one.conditions["target_angle"])
    after = np.asarray(one.targets[:, 0] < 0.5)[:, None]

    def reported(angle, height=1.0):
        ring = np.where(after, 0.05 + height * bump(angle), 0.05)
        return jnp.asarray(np.concatenate([ideal[:, :1], ring], 1))

    outputs = [reported(target + turn) for turn in (0.0, 0.6, -0.6, 0.65, np.pi)]
    outputs += [reported(target, height=0.0), ideal.at[:, 0].set(0.9), ideal.at[:, 0].set(0.1)]
    outputs += [ideal.at[3, 7].set(jnp.nan)]
    scores = jax.jit(jax.vmap(TASK.score, in_axes=(0, None)))(jnp.stack(outputs), one)
    assert scores["correct"].tolist() == [True, True, True, *[False] * 6]
    np.testing.assert_allclose(scores["angular_error"][:4], [0, 0.6, -0.6, 0.65], atol=2e-3)
    assert abs(abs(float(scores["angular_error"][4])) - np.pi) < 2e-3
    assert np.isnan(scores["choice_angle"][5])
    assert scores["fixated"].tolist() == [*[True] * 7, False, True]


def test_signature_recovers_planted_errors(trials):
    rng = np.random.default_rng(0)
    delay = np.tile(trials.conditions["delay"], 8)
    error = 0.1 + np.sqrt(1e-4 * delay) * rng.standard_normal(delay.size)
    found = fit(TASK.signature, {"angular_error": error}, {"delay": delay})
    assert found["slope"] == pytest.approx(1e-4, rel=0.2)
    assert found["bias"] == pytest.approx(0.1, abs=0.02)
    assert set(found) == set(TASK.signature.parameters)
    shuffled = fit(TASK.signature, {"angular_error": error}, {"delay": rng.permutation(delay)})
    assert abs(shuffled["slope"]) < 0.4e-4


def test_anti_response_is_opposite(trials):
    task = DelayedAntiResponse(noise=0.0)
    other = jax.jit(task.trial)(KEYS[0])
    angle = trials.conditions["angle"][0]
    assert other.conditions["angle"] == angle
    assert other.conditions["target_angle"] == pytest.approx((angle + np.pi) % (2 * np.pi), abs=1e-5)
    go = round(float(other.epochs["response"][0]) / task.dt)
    np.testing.assert_allclose(other.targets[go + 2, 1:], 0.05 + bump(angle + np.pi), atol=1e-4)
    np.testing.assert_array_equal(other.inputs, trials.inputs[0])


def test_published_timings():
    shown = DelayedResponse.neurogym()
    assert (shown.fixation, shown.stimulus, shown.delay, shown.response) == (0, 500, (0, 1000, 2000), 500)
    anti = DelayedAntiResponse.neurogym()
    assert (anti.fixation, anti.stimulus, anti.delay, anti.response) == (500, 500, 0, 500)
    assert DelayedAntiResponse.neurogym(delay=1000).delay == 1000


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"grace": 500}, "grace (500 ms) leaves no loss in a response of 500 ms; use grace < response."),
        ({"grace": -1}, "grace -1: a duration cannot be negative; use grace >= 0."),
        ({"settling": -1}, "settling -1: a duration cannot be negative; use settling >= 0."),
        ({"settling": 700}, "settling 700: leaves no fixation in 700 ms before the go; use less."),
        ({"dt": 450}, "dt 450: cannot resolve a decision of 400 ms; use dt <= 400."),
        ({"response_weight": 0}, "response_weight 0: a loss weight must be > 0."),
        ({"fixation_weight": -1}, "fixation_weight -1: a loss weight must be > 0."),
        ({"tolerance": 4}, "tolerance 4: an angular error lies between 0 and pi."),
        ({"stimulus": 0}, "stimulus 0: the epoch can vanish; use values > 0."),
        ({"delay": ()}, "delay (): no duration to draw from; give at least one."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        DelayedResponse(**fields)
    assert str(error.value) == f"DelayedResponse: {message}"


def test_harder_delays_are_the_published_ones_stretched():
    values = DelayedResponse().hardest.values
    assert [value[0] for value in values] == [100, 200, 400, 800]
    assert all(dataclasses.replace(TASK, delay=value).delay == value for value in values)
    assert math.isclose(DelayedResponse().tolerance, math.radians(36))
