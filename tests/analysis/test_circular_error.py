"""Spread and bias of angular errors: planted diffusion, shuffled trials, missing answers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.circular_error import circular_error

RNG = np.random.default_rng(3)
DELAY = np.repeat([200.0, 400.0, 800.0, 1600.0], 1000)
DIFFUSION, START, BIAS = 1e-4, 0.02, 0.05  # rad² per ms, rad², rad


def wrap(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


ERROR = wrap(BIAS + np.sqrt(START + DIFFUSION * DELAY) * RNG.standard_normal(DELAY.size))


def test_recovers_planted_diffusion():
    result = circular_error(DELAY, ERROR, num_resamples=100)
    assert result.slope == pytest.approx(DIFFUSION, rel=0.1)
    assert result.intercept == pytest.approx(START, abs=0.01)
    assert result.bias == pytest.approx(BIAS, abs=0.02)
    np.testing.assert_allclose(result.sd, np.sqrt(START + DIFFUSION * result.level), rtol=0.06)
    low, high = result.slope_interval
    assert 0 < low < result.slope < high


def test_shuffled_trials_have_no_slope():
    low, high = circular_error(RNG.permutation(DELAY), ERROR, num_resamples=100).slope_interval
    assert low < 0 < high


def test_values_by_hand():
    """Two answers ±a apart: R = cos a, unbiased R² = 2 cos² a − 1 = cos 2a."""
    result = circular_error(np.zeros(3), np.array([0.3, -0.1, np.nan]))
    assert result.sd[0] == pytest.approx(np.sqrt(-np.log(np.cos(0.4))))
    assert result.overall_sd == pytest.approx(result.sd[0])
    assert result.mean[0] == result.bias == pytest.approx(0.1)
    assert result.num_trials[0] == 3
    assert result.missing[0] == result.fraction_missing == pytest.approx(1 / 3)
    assert np.isnan(result.slope)


def test_errors_without_direction_have_no_spread():
    result = circular_error(np.zeros(8), np.arange(8) * np.pi / 4)
    assert np.isnan(result.sd[0])


def test_variance_is_unbiased_at_few_answers():
    """R² of 8 answers, averaged over many levels, is e^(−V)."""
    level = np.repeat(np.arange(2000.0), 8)
    error = 0.5 * RNG.standard_normal(level.size)
    sd = circular_error(level, error, edges=np.arange(1999) + 0.5).sd
    assert np.exp(-(sd**2)).mean() == pytest.approx(np.exp(-0.25), abs=0.01)


@pytest.mark.parametrize(
    ("level", "error", "message"),
    [
        ([], [], "level: 0 trials; pass at least 1."),
        ([1.0, 1.0], [0.1, np.inf], "error: 1 infinite values; mark a missing answer with NaN."),
        ([1.0, 2.0], [0.1, 0.2], "error: no level has 2 answers; a spread needs them."),
        ([1.0, np.nan], [0.1, 0.2], "level: 1 of 2 values are not finite"),
        ([1.0, 1.0], [0.1], "unequal lengths: level 2, error 1"),
    ],
)
def test_refusals(level, error, message):
    with pytest.raises(ValueError, match=message):
        circular_error(np.array(level), np.array(error))


def test_dataset():
    delay = xr.DataArray(np.tile(DELAY, (2, 1)), dims=("seed", "trial"), attrs={"units": "ms"}, name="delay")
    error = xr.DataArray(np.stack([ERROR, np.full_like(ERROR, np.nan)]), dims=("seed", "trial"))
    result = analysis.circular_error(delay, error)
    direct = circular_error(DELAY, ERROR)
    assert float(result["slope"][0]) == direct.slope
    np.testing.assert_array_equal(result["sd"][0], direct.sd)
    np.testing.assert_array_equal(result["fit_status"], [0, 1])
    assert result["level"].attrs["units"] == "ms"
    assert result["sd"].attrs["units"] == "rad"
