"""Sine generation: targets, what the scores tell, and published settings."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.circuits import Leaky, for_task
from throughtime.objectives import SquaredError
from throughtime.results.schema import units_of
from throughtime.tasks import SineGeneration
from throughtime.tasks.oscillation import period_and_amplitude

KEY = jax.random.key(0)
TASK = SineGeneration()
TRIAL = jax.jit(TASK.trial)(KEY)
SCORE = jax.jit(TASK.score)


def _waves(task, ratio=1.0, phase=0.0):
    """The target's sum of sines with a period ``ratio`` times as long, each component shifted."""
    time = (np.arange(task.num_steps) + 0.5) * task.dt
    total = np.zeros(task.num_steps)
    for index, amplitude in enumerate(task.components):
        total += amplitude * np.sin(2 * np.pi * (index + 1) * time / (ratio * task.period) + phase)
    return total[:, None].astype(np.float32)


def test_the_target_is_a_sine_from_the_start_and_the_input_is_silent():
    quiet = jax.jit(dataclasses.replace(TASK, noise=0.0).trial)(KEY)
    time = np.arange(10, 1600, 20)
    np.testing.assert_allclose(quiet.targets[:, 0], 0.9 * np.sin(2 * np.pi * time / 800), atol=1e-6)
    assert not quiet.inputs.any()
    assert (quiet.mask == 1).all()
    assert quiet.epochs["trial"] == (0, 1600)
    assert TRIAL.inputs.any(), "noise on the silent channel"


def test_components_are_amplitudes_of_harmonics():
    task = SineGeneration(period=200, num_periods=1.5, dt=2, components=[0.5, 0, 0.25])
    assert task.components == (0.5, 0.0, 0.25)
    assert task.harmonics == (1, 3)
    assert task.num_steps == 150
    targets = jax.jit(task.trial)(KEY).targets
    np.testing.assert_allclose(targets, _waves(task), atol=1e-6)


def test_murray_is_one_period_of_three_sines_for_units_of_ten_steps():
    for tau_multiples in (20, 80, 160):
        task = SineGeneration.murray(period=10.0 * tau_multiples)
        trial = jax.jit(task.trial)(KEY)
        assert (task.dt, task.num_steps) == (1, 10 * tau_multiples)
        phase = 2 * np.pi * (np.arange(task.num_steps) + 0.5) / task.num_steps
        expected = np.sin(phase) + np.sin(2 * phase) / 2 + np.sin(4 * phase) / 4
        np.testing.assert_allclose(trial.targets[:, 0], expected, atol=1e-5)
        assert not trial.inputs.any()
    assert SineGeneration.murray() == SineGeneration.murray(period=200)
    circuit = for_task(task, num_units=30, dynamics=Leaky(tau=10.0))
    assert circuit.dt / circuit.dynamics.tau == 0.1


def test_rmse_is_the_root_of_the_squared_error():
    offset = TRIAL.targets + 0.2
    scores = SCORE(offset, TRIAL)
    assert scores["rmse"] == pytest.approx(0.2, abs=1e-5)
    assert scores["rmse"] == pytest.approx(np.sqrt(SquaredError()(offset, TRIAL)), rel=1e-5)
    assert not scores["correct"]
    assert SCORE(TRIAL.targets + 0.049, TRIAL)["correct"]
    assert not SCORE(TRIAL.targets + 0.051, TRIAL)["correct"]


@pytest.mark.parametrize(
    ("task", "within"),
    [(TASK, 1e-3), (SineGeneration.murray(), 1e-3), (SineGeneration(num_periods=1), 2e-3)],
    ids=("two periods", "murray", "one period"),
)
def test_period_and_amplitude_are_found_at_any_phase_and_offset(task, within):
    trial = jax.jit(task.trial)(KEY)
    score = jax.jit(task.score)
    for ratio in (0.6, 0.97, 1.0, 1.25, 1.7):
        for phase in (0.0, 1.0, 4.0):
            if ratio > 1.25 and task.num_periods == 1:
                continue  # less than a period is seen
            scores = score(0.5 * _waves(task, ratio, phase) + 3, trial)
            assert scores["period"] == pytest.approx(ratio * task.period, rel=within)
            assert scores["amplitude"] == pytest.approx(0.5 * task.components[0], rel=2e-3)


def test_an_output_that_does_not_oscillate_has_no_period():
    for flat in (0.0, 0.7):
        scores = SCORE(jnp.full_like(TRIAL.targets, flat), TRIAL)
        assert np.isnan(scores["period"])
        assert scores["amplitude"] == pytest.approx(0, abs=1e-6)
        assert not scores["correct"]
    noise = np.random.default_rng(0).standard_normal((80, 1)).astype(np.float32)
    assert np.isnan(SCORE(noise, TRIAL)["period"])
    for ratio in (0.4, 2.3):
        assert np.isnan(SCORE(_waves(TASK, ratio), TRIAL)["period"]), "outside the range"


def test_an_output_that_is_not_finite_is_never_correct():
    broken = SCORE(TRIAL.targets.at[7].set(jnp.inf), TRIAL)
    assert not broken["correct"]
    assert all(np.isnan(broken[name]) for name in ("rmse", "period", "amplitude"))


def test_the_signature_tells_bias_and_variance_of_the_period():
    ratios = np.array([1.02, 1.04, 1.06, 1.08])
    each = [SCORE(_waves(TASK, ratio), TRIAL) for ratio in ratios]
    scores = {name: np.array([one[name] for one in each]) for name in each[0]}
    fitted = fit(TASK.signature, scores, {"target_period": np.full(4, 800.0)})
    assert fitted["bias"] == pytest.approx(40, abs=1)
    assert fitted["variance"] == pytest.approx(np.var(800 * ratios, ddof=1), rel=0.05)
    assert set(TASK.signature.parameters) <= set(fitted)
    assert units_of("period") == units_of("target_period") == "ms"


def test_the_lowest_component_need_not_be_the_fundamental():
    time = np.arange(0.5, 200)
    output = 0.3 * np.sin(4 * np.pi * time / 100 + 1) + 0.2 * np.cos(6 * np.pi * time / 100)
    fitted = jax.jit(lambda output: period_and_amplitude(output, 1.0, 100.0, (2, 3)))
    period, amplitude = fitted(output.astype(np.float32))
    assert period == pytest.approx(100, abs=0.05)
    assert amplitude == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"period": 0}, "period 0: an oscillation needs a period; use period > 0."),
        ({"num_periods": 0.5}, "num_periods 0.5: less than one shows no period; use num_periods >= 1."),
        (
            {"components": (0.05,)},
            "components (0.05,): silence would be close enough; use larger amplitudes.",
        ),
        ({"components": ()}, "components (): expected one or more numbers, as a tuple."),
        ({"components": 0.9}, "components 0.9: expected one or more numbers, as a tuple."),
        ({"components": (0.9, "b")}, "components (0.9, 'b'): expected finite numbers."),
        ({"dt": 70}, "dt 70: cannot resolve a sine of period 800 ms; use dt <= 66.666."),
        (
            {"components": (1, 0, 0.1), "dt": 25},
            "dt 25: cannot resolve a sine of period 266.667 ms; use dt <= 22.222.",
        ),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        SineGeneration(**fields)
    assert str(error.value) == f"SineGeneration: {message}"
