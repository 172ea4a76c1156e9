"""One-two-three-go: pulses, and what a second measurement is worth."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.tasks import OneTwoThreeGo

KEYS = jax.random.split(jax.random.key(0), 64)
TASK = OneTwoThreeGo(noise=0.0)
TRIALS = jax.tree.map(np.asarray, jax.jit(jax.vmap(TASK.trial))(KEYS))
INTERVAL, WAIT = TRIALS.conditions["interval"], TRIALS.epochs["wait"][1]


def test_pulses_are_an_interval_apart():
    for place in range(3):
        onset = (WAIT + place * INTERVAL)[:, None]
        during = (TASK.time > onset + 10) & (TASK.time < onset + 50)
        np.testing.assert_allclose(TRIALS.inputs[..., 0][during], 1, rtol=1e-4)
    np.testing.assert_allclose(TRIALS.inputs.sum((1, 2)) * TASK.dt, 180, rtol=1e-4)
    np.testing.assert_allclose(TRIALS.epochs["production"][0], WAIT + 2 * INTERVAL, rtol=1e-6)
    np.testing.assert_allclose(TRIALS.epochs["trial"][1], WAIT + 3.2 * INTERVAL + 300, rtol=1e-6)


def test_one_sample_is_shown_by_two_pulses_with_the_same_channels():
    task = OneTwoThreeGo.one_two_go(noise=0.0, catch=0.5)
    trials = jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS))
    catch = trials.conditions["catch"]
    np.testing.assert_allclose(trials.inputs.sum((1, 2)) * task.dt, np.where(catch, 60, 120), rtol=1e-4)
    np.testing.assert_array_equal(trials.conditions["interval"], INTERVAL)
    assert task.input_names == TASK.input_names
    assert dataclasses.replace(task, num_samples=2, catch=0.0) == TASK


def test_the_signature_tells_two_measurements_from_one():
    """A Bayesian observer with Gaussian measurements of SD 80 ms and a prior of SD 115 ms."""
    rng = np.random.default_rng(0)
    asked = rng.uniform(600, 1000, 4000)
    fitted = []
    for num in (1, 2):
        measured = asked + 80 / np.sqrt(num) * rng.standard_normal(asked.size)
        trust = 115.5**2 / (115.5**2 + 80**2 / num)
        produced = 800 + trust * (measured - 800)
        found = fit(TASK.signature, {"produced_interval": produced}, {"target_interval": asked})
        assert found["slope"] == pytest.approx(trust, abs=0.04)
        fitted.append(found)
    once, twice = fitted
    assert once["slope"] < twice["slope"] < 1
    assert twice["variance"] < once["variance"]
    assert twice["rmse"] < once["rmse"]
    shuffled = fit(TASK.signature, {"produced_interval": rng.permutation(asked)}, {"target_interval": asked})
    assert abs(shuffled["slope"]) < 0.1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_samples": 0}, "num_samples 0: no interval would be shown; use num_samples >= 1."),
        ({"num_samples": 1.5}, "num_samples 1.5: expected a whole number."),
        (
            {"interval": (50, 500, 900), "dt": 5},
            "interval (50, 500, 900): the pulses would overlap; use more than 60 ms.",
        ),
        ({"dt": 100}, "dt 100: cannot resolve an interval of 600 ms; use dt <= 90."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        OneTwoThreeGo(**fields)
    assert str(error.value) == f"OneTwoThreeGo: {message}"
