"""Delayed pulse: pulses, peak and window, what the scores tell, and published settings."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.tasks import DelayedPulse, Uniform

KEY = jax.random.key(0)
TASK = DelayedPulse(delay=500.0, noise=0.0)
TRIAL = jax.jit(TASK.trial)(KEY)
SCORE = jax.jit(TASK.score)
SINCE = TASK.time - 200.0


def _peak(at):
    return (0.2 + 0.8 * np.exp(-((SINCE - at) ** 2) / 30**2))[:, None].astype(np.float32)


def test_a_pulse_then_a_peak():
    assert TASK.num_steps == 170
    pulse = np.zeros(170)
    pulse[40:50] = 5
    np.testing.assert_allclose(TRIAL.inputs[:, 0], pulse, atol=1e-5)
    assert not TRIAL.inputs[:, 1].any()
    width = 0.2 + 0.8 * np.exp(-((TASK.time - 700) ** 2) / 30**2)
    np.testing.assert_allclose(TRIAL.targets[:, 0], width, atol=1e-5)
    np.testing.assert_array_equal(TRIAL.mask[:, 0], TASK.time > 250)
    edges = {name: tuple(map(float, pair)) for name, pair in TRIAL.epochs.items()}
    absent = edges.pop("perturbation")
    assert np.isnan(absent).all()
    assert edges == {"trial": (0, 850), "wait": (0, 200), "pulse": (200, 250), "delay": (200, 700)}
    assert TRIAL.conditions == {"delay": 500, "perturbation": 0}


def test_a_perturbation_is_a_second_input_and_changes_nothing_else():
    probe = dataclasses.replace(TASK, perturbation=0.5, perturbation_onset=300.0)
    trial = jax.jit(probe.trial)(KEY)
    expected = np.zeros(170)
    expected[100:102] = 0.5
    np.testing.assert_allclose(trial.inputs[:, 1], expected, atol=1e-5)
    assert tuple(map(float, trial.epochs["perturbation"])) == (500, 510)
    assert trial.conditions["perturbation"] == 0.5
    for name in ("targets", "mask", "valid"):
        np.testing.assert_array_equal(getattr(trial, name), getattr(TRIAL, name))
    np.testing.assert_array_equal(trial.inputs[:, 0], TRIAL.inputs[:, 0])
    assert probe.input_names == TASK.input_names


def test_the_peak_follows_a_pulse_that_comes_at_different_times():
    task = DelayedPulse(delay=300.0, wait=Uniform(100, 400), noise=0.0)
    trials = jax.jit(jax.vmap(task.trial))(jax.random.split(KEY, 16))
    ideal = jax.jit(jax.vmap(lambda trial: task.score(task.ideal(trial), trial)))(trials)
    onset = trials.epochs["pulse"][0]
    assert np.ptp(onset) > 50
    np.testing.assert_allclose(ideal["peak_time"], 300, atol=0.1 * task.dt)
    np.testing.assert_allclose(ideal["r2"], 1, atol=1e-5)
    assert (trials.epochs["trial"][1] == onset + 450).all()


@pytest.mark.parametrize("at", [450.0, 487.3, 500.0, 501.2, 560.0])
def test_peak_time_is_that_of_the_output(at):
    scores = SCORE(_peak(at), TRIAL)
    assert scores["peak_time"] == pytest.approx(at, abs=0.05 * TASK.dt)
    later = SCORE(_peak(at + 2.0), TRIAL)
    assert later["peak_time"] - scores["peak_time"] == pytest.approx(2, abs=0.05 * TASK.dt)


def test_r2_is_the_squared_correlation_over_the_window():
    generator = np.random.default_rng(0)
    output = (_peak(510.0) + 0.1 * generator.standard_normal((170, 1))).astype(np.float32)
    window = slice(50, None)
    expected = np.corrcoef(output[window, 0], TRIAL.targets[window, 0])[0, 1] ** 2
    assert SCORE(output, TRIAL)["r2"] == pytest.approx(expected, rel=1e-4)
    assert SCORE(3 + 2 * TRIAL.targets, TRIAL)["r2"] == pytest.approx(1, abs=1e-4), "level and gain are free"
    before = np.array(TRIAL.targets)
    before[:50] = 9
    assert SCORE(before, TRIAL)["r2"] == pytest.approx(1, abs=1e-5), "the time before is not judged"
    assert SCORE(before, TRIAL)["peak_time"] == pytest.approx(500, abs=0.25)


def test_a_late_peak_or_a_dip_is_not_correct():
    assert SCORE(_peak(515.0), TRIAL)["correct"]
    assert not SCORE(_peak(560.0), TRIAL)["correct"]
    dip = SCORE(1 - TRIAL.targets, TRIAL)
    assert dip["r2"] == pytest.approx(1, abs=1e-5)
    assert not dip["correct"]


@pytest.mark.parametrize("level", [0.0, 0.2, 1.7])
def test_a_constant_output_correlates_with_nothing(level):
    scores = SCORE(jnp.full_like(TRIAL.targets, level), TRIAL)
    assert scores["r2"] == 0
    assert np.isnan(scores["peak_time"])
    assert not scores["correct"]


def test_a_maximum_at_the_edge_of_the_window_is_not_interpolated():
    rising = np.asarray(TASK.time, np.float32)[:, None]
    assert SCORE(rising, TRIAL)["peak_time"] == pytest.approx(TASK.time[-1] - 200, abs=1e-3)
    assert SCORE(9 - rising, TRIAL)["peak_time"] == pytest.approx(52.5, abs=1e-3)
    padded = dataclasses.replace(TASK, wait=(100.0, 400.0))
    early = next(
        trial
        for trial in map(jax.jit(padded.trial), jax.random.split(KEY, 8))
        if trial.epochs["wait"][1] == 100
    )
    score = jax.jit(padded.score)
    ramp = np.asarray(padded.time, np.float32)[:, None]
    assert score(ramp, early)["peak_time"] == pytest.approx(647.5, abs=1e-3)
    assert score(np.where(early.valid[:, None], early.targets, np.nan), early)["correct"], (
        "padding is ignored"
    )


def test_an_output_that_is_not_finite_is_never_correct():
    broken = SCORE(TRIAL.targets.at[3].set(jnp.nan), TRIAL)
    assert not broken["correct"]
    assert np.isnan(broken["r2"])
    assert np.isnan(broken["peak_time"])


def test_the_signature_recovers_how_the_spread_of_peak_times_grows():
    delays = np.repeat([500.0, 1000.0, 2000.0, 4000.0], 400)
    noise = np.random.default_rng(1).standard_normal(delays.size)
    peaks = delays + 0.02 * delays * noise
    fitted = fit(TASK.signature, {"peak_time": peaks}, {"delay": delays})
    assert fitted["weber_fraction"] == pytest.approx(0.02, rel=0.1)
    assert fitted["beta"] == pytest.approx(1, abs=0.1)
    assert set(TASK.signature.parameters) <= set(fitted)


def test_laje():
    task = DelayedPulse.laje()
    trial = jax.jit(task.trial)(KEY)
    assert (task.dt, task.amplitude, task.num_steps) == (1, 5, 2400)
    assert trial.targets[:, 0].argmax() in (2249, 2250)
    assert (trial.inputs[200:250, 0] == 5).all()
    assert trial.inputs.sum() == pytest.approx(250)
    assert DelayedPulse.laje(delay=300, perturbation=0.2, perturbation_onset=200).delay == 300


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dt": 20}, "dt 20 ms cannot resolve a peak of SD 21 ms; use dt <= 10."),
        ({"dt": 5, "peak_sd": 3}, "dt 5 ms cannot resolve a peak of SD 3 ms; use dt <= 1.5."),
        ({"pulse": 0}, "pulse 0: expected a duration; use pulse > 0."),
        (
            {"perturbation_duration": -1},
            "perturbation_duration -1: expected a duration; use perturbation_duration > 0.",
        ),
        ({"amplitude": 0}, "amplitude 0: the pulse would not be seen; use another amplitude."),
        ({"high": 0.2}, "high 0.2: must exceed low (0.2)."),
        ({"delay": 80}, "delay 80: the peak would rise during the pulse; use delay >= 93."),
        ({"delay": (250, 500)}, "delay (250, 500): expected a finite number."),
        ({"hold": 20}, "hold 20: the trial ends within the peak; use hold >= 43."),
        (
            {"delay": 400, "perturbation": 0.5},
            "perturbation_onset 500: not within the delay; use 0 to 390.",
        ),
        ({"wait": -1}, "wait -1: a duration cannot be negative; use values >= 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        DelayedPulse(**fields)
    assert str(error.value) == f"DelayedPulse: {message}"


def test_the_largest_bin_that_is_allowed_is_resolved():
    assert DelayedPulse(dt=10.0).num_steps == 135
