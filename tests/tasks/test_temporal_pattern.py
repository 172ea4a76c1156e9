"""Temporal pattern: peaks and cue at each speed, scale and times of an output at another one."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.tasks import TemporalPattern

TASK = TemporalPattern(noise=0.0, wait=100.0)
TRIALS = jax.tree.map(np.asarray, jax.jit(jax.vmap(TASK.trial))(jax.random.split(jax.random.key(0), 16)))
SCORE = jax.jit(jax.vmap(TASK.score))
SPEED = TRIALS.conditions["speed"]
PLACES = np.array(TASK.pattern.places)
SINCE = TASK.time - 100


def played(scale, late=0.0):
    """The pattern at scales (trial,), in units of the right ones."""
    time = (SINCE - late) / (np.asarray(scale) / SPEED)[:, None]
    return np.asarray(TASK.pattern.level(time, np), np.float32)[..., None]


def test_peaks_lie_at_fixed_fractions_at_every_speed():
    assert set(SPEED.tolist()) == {0.5, 1, 2}
    expected = sum(np.exp(-0.5 * ((SINCE * SPEED[:, None] - 2000 * place) / 60) ** 2) for place in PLACES)
    expected = np.where(TRIALS.valid, expected, 0)
    np.testing.assert_allclose(TRIALS.targets[..., 0], expected, atol=1e-4)
    np.testing.assert_allclose(TRIALS.epochs["trial"][1], 100 + 2000 / SPEED + 200)
    start, cue = np.moveaxis(TRIALS.inputs, -1, 0)
    np.testing.assert_allclose(start.sum(1) * TASK.dt, 60, rtol=1e-5)
    np.testing.assert_allclose(cue, 0.3 * SPEED[:, None] * TRIALS.valid, rtol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_peaks_are_apart_whatever_the_seed(seed):
    places = np.array(TemporalPattern(pattern_seed=seed).pattern.places)
    assert np.diff(places).min() > 0.111
    assert places[0] > 0.1
    assert places[-1] < 0.9
    assert seed == 0 or not np.allclose(places, PLACES)


@pytest.mark.parametrize("scale", [0.55, 0.8, 0.92, 1.0, 1.07, 1.15])
def test_scale_and_times_are_those_of_the_output(scale):
    found = SCORE(played(np.full(16, scale)), TRIALS)
    np.testing.assert_allclose(found["scale"], scale / SPEED, rtol=0.01)
    np.testing.assert_allclose(found["scale_error"], scale - 1, atol=0.01)
    assert (found["r2"] > 0.98).all()
    assert (found["correct"] == (abs(scale - 1) < 0.1)).all()
    for place in range(5):
        np.testing.assert_allclose(
            found[f"peak_{place + 1}_time"], 2000 * PLACES[place] * scale / SPEED, atol=0.1 * TASK.dt
        )


def test_peaks_that_the_trial_cuts_off_have_no_time():
    found = SCORE(played(np.full(16, 1.7)), TRIALS)
    for place in range(5):
        hidden = 2000 * PLACES[place] * 1.7 / SPEED > 2000 / SPEED + 200
        np.testing.assert_array_equal(np.isnan(found[f"peak_{place + 1}_time"]), hidden)
    np.testing.assert_allclose(found["scale"], 1.7 / SPEED, rtol=0.02)
    assert not found["correct"].any()


def test_a_constant_delay_shifts_times_and_not_the_scale():
    found = SCORE(played(np.ones(16), late=15.0), TRIALS)
    np.testing.assert_allclose(found["scale"], 1 / SPEED, rtol=0.01)
    np.testing.assert_allclose(found["peak_3_time"], 2000 * PLACES[2] / SPEED + 15, atol=1.5)


def test_the_wrong_pattern_and_no_pattern_are_not_correct():
    other = TemporalPattern(pattern_seed=3)
    assert not SCORE(other.pattern.level(SINCE[None] * SPEED[:, None])[..., None], TRIALS)["correct"].any()
    for flat in (0.0, 0.4):
        found = SCORE(np.full_like(TRIALS.targets, flat), TRIALS)
        assert not found["correct"].any()
        assert (found["r2"] == 0).all()
        assert np.isnan(found["scale"]).all()
    assert SCORE(3 + 2 * TRIALS.targets, TRIALS)["correct"].all(), "level and gain are free"
    broken = np.array(TRIALS.targets)
    broken[:, 3] = np.nan
    found = SCORE(broken, TRIALS)
    assert not found["correct"].any()
    assert np.isnan(found["r2"]).all()


def test_the_signature_tells_a_circuit_that_does_not_scale():
    assert fit(TASK.signature, SCORE(TRIALS.targets, TRIALS), TRIALS.conditions)["slope"] == pytest.approx(
        1, abs=0.01
    )
    fixed = SCORE(played(np.clip(SPEED, 0.6, 1.9)), TRIALS)
    fitted = fit(TASK.signature, fixed, TRIALS.conditions)
    assert fitted["slope"] < 0.5
    assert set(TASK.signature.parameters) == set(fitted)


def test_untrained_speeds_have_the_same_channels_and_meaning():
    probe = dataclasses.replace(TASK, speed=(0.7, 1.4))
    trial = jax.jit(probe.trial)(jax.random.key(1))
    speed = float(trial.conditions["speed"])
    assert speed in (np.float32(0.7), np.float32(1.4))
    assert trial.inputs[0, 1] == pytest.approx(0.3 * speed)
    assert (probe.input_names, probe.pattern) == (TASK.input_names, TASK.pattern)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"speed": (0, 1)}, "speed (0, 1): time would not go on; use speeds > 0."),
        ({"speed": (1, 1)}, "speed (1, 1): a speed is given twice; use different values."),
        ({"speed": 1.0}, "speed 1: expected one or more numbers, as a tuple."),
        ({"peak_sd": 80}, "peak_sd 80: peaks could run into each other; use at most 74.7."),
        ({"peak_sd": 0}, "peak_sd 0: expected a duration; use peak_sd > 0."),
        ({"pattern_seed": -1}, "pattern_seed -1: expected a seed >= 0."),
        ({"dt": 20}, "dt 20: cannot resolve a peak of SD 30 ms; use dt <= 15."),
        ({"cue": 0}, "cue 0: the input would not be seen; use another value."),
        ({"high": 0}, "high 0: must exceed low (0)."),
        ({"hold": -1}, "hold -1: a duration cannot be negative; use hold >= 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        TemporalPattern(**fields)
    assert str(error.value) == f"TemporalPattern: {message}"
