"""Fits of beats and of patterns at several speeds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.synchronization import synchronization
from throughtime.analysis.arrays.temporal_scaling import temporal_scaling

RNG = np.random.default_rng(3)
NUM = 6000
PERIOD = RNG.choice([125.0, 250.0, 500.0], NUM)


def beats(own: float, motor: float, tempo: float = 0.0, early: float = 0.0, num: int = 5) -> list[np.ndarray]:
    """Trials of beats: intervals of SD ``own``·T that add up, beats blurred by SD ``motor``·T."""
    clock = (1 + tempo) * np.arange(num) + np.cumsum(own * RNG.standard_normal((NUM, num)), 1)
    produced = clock + motor * RNG.standard_normal((NUM, num)) - early
    error = np.diff(produced) - 1
    late = PERIOD * (produced - np.arange(num)).mean(1)
    return [late, PERIOD * (1 + error.mean(1)), (error**2).mean(1), (error[:, 1:] * error[:, :-1]).mean(1)]


@pytest.mark.parametrize(("own", "motor"), [(0.04, 0.0), (0.0, 0.03), (0.03, 0.03)])
def test_recovers_clock_and_motor_variability(own, motor):
    """Wing and Kristofferson: variance C + 2M, autocovariance −M; a slow tempo biases neither."""
    found = synchronization(PERIOD, *beats(own, motor, tempo=0.1, early=0.05))
    variance = own**2 + 2 * motor**2
    np.testing.assert_allclose(found.sd, found.period * np.sqrt(variance), rtol=0.04)
    np.testing.assert_allclose(found.lags, -(motor**2) / variance, atol=0.06)
    assert found.lag_one == pytest.approx(-(motor**2) / variance, abs=0.03)
    assert found.cv == pytest.approx(np.sqrt(variance) / 1.1, rel=0.03)
    assert found.sd_slope == pytest.approx(np.sqrt(variance), rel=0.06)
    assert found.slope == pytest.approx(1.1, abs=0.01)
    assert found.asynchrony_slope == pytest.approx(0.15, abs=0.02), "0.05 early, 0.1 later with each beat"
    assert found.fraction_missing == 0


def test_shuffled_periods_are_not_followed():
    late, made, square, product = beats(0.04, 0.0)
    found = synchronization(RNG.permutation(PERIOD), late, made, square, product)
    assert abs(found.slope) < 0.05


def test_trials_without_beats_are_counted_and_left_out():
    values = [row.copy() for row in beats(0.04, 0.0)]
    for row in values:
        row[::4] = np.nan
    found = synchronization(PERIOD, *values)
    assert found.fraction_missing == 0.25
    assert found.slope == pytest.approx(1, abs=0.01)


ONE = np.ones(4)


@pytest.mark.parametrize(
    ("period", "produced", "message"),
    [
        (
            [],
            [],
            "produced: 0 periods have 2 trials with beats; a fit needs 2. Train longer or evaluate more",
        ),
        ([200, 200, 200, 200], ONE, "produced: 1 periods have 2 trials with beats"),
        ([200, 200, 400, 400], [1, 1, 1, np.nan], "produced: 1 periods have 2 trials with beats"),
        ([0, 0, 400, 400], ONE, "period: found 0 ms; periods are positive."),
        ([np.nan, 200, 400, 400], ONE, "period: 1 of 4 values are not finite"),
        ([200, 200, 400, 400], [1, 1, 1, np.inf], "produced: 1 infinite values; mark missing ones NaN."),
        ([200, 200, 400], ONE, "unequal lengths: period 3, asynchrony 4, produced 4"),
    ],
)
def test_synchronization_refusals(period, produced, message):
    rest = [ONE[: len(produced)]] * 3
    with pytest.raises(ValueError, match=message):
        synchronization(np.array(period, float), rest[0], np.array(produced, float), *rest[1:])


SPEED = RNG.choice([0.5, 1.0, 2.0], NUM)
PLACES = 2000 * np.array([0.1, 0.3, 0.5, 0.9])


def pattern(weber: dict[float, float], power: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Scales and peak times whose SD is a speed's Weber fraction of the time."""
    width = np.array([weber[v] for v in SPEED])
    scale = SPEED**-power
    times = scale[:, None] * PLACES * (1 + width[:, None] * RNG.standard_normal((NUM, 4)))
    return scale * (1 + width * RNG.standard_normal(NUM)), times


def test_recovers_scaling_and_the_weber_speed_effect():
    found = temporal_scaling(SPEED, *pattern({0.5: 0.06, 1.0: 0.04, 2.0: 0.02}))
    assert found.slope == pytest.approx(1, abs=0.01)
    assert found.worst_error < 0.01
    np.testing.assert_allclose(found.mean_scale, [2, 1, 0.5], rtol=0.01)
    np.testing.assert_allclose(found.weber_slopes, [0.06, 0.04, 0.02], rtol=0.08)
    np.testing.assert_allclose(found.cvs, [0.06, 0.04, 0.02], rtol=0.05)
    np.testing.assert_allclose(found.time[0], 2 * PLACES, rtol=0.01)
    assert found.cv_slope == pytest.approx(-0.02, rel=0.1)
    assert found.weber_slope == pytest.approx(0.04, rel=0.05)


def test_incomplete_scaling_and_shuffled_speeds_are_told():
    flat = dict.fromkeys((0.5, 1.0, 2.0), 0.04)
    scale, times = pattern(flat, power=0.5)
    assert temporal_scaling(SPEED, scale, times).slope == pytest.approx(0.47, abs=0.02)
    assert temporal_scaling(SPEED, scale, times).worst_error == pytest.approx(1 - 2**-0.5 + 0.12, abs=0.02)
    assert abs(temporal_scaling(RNG.permutation(SPEED), *pattern(flat)).slope) < 0.05


def test_a_missing_peak_costs_that_peak_alone():
    scale, times = pattern(dict.fromkeys((0.5, 1.0, 2.0), 0.04))
    times[SPEED == 0.5, 3] = np.nan
    found = temporal_scaling(SPEED, scale, times)
    assert np.isnan(found.time[0, 3])
    np.testing.assert_allclose(found.weber_slopes, 0.04, rtol=0.1)


TIMES = np.ones((4, 2))


@pytest.mark.parametrize(
    ("speed", "scale", "peaks", "message"),
    [
        (
            [1, 1, 2, 2],
            ONE,
            ONE,
            r"peaks: expected \(trial, peak\), got shape \(4,\); stack one column a peak.",
        ),
        ([1, 1, 2], ONE, TIMES, "unequal lengths: speed 3, scale 4, peaks 4"),
        ([0, 1, 2, 2], ONE, TIMES, "speed: found 0; speeds are positive."),
        ([1, 1, 2, 2], ONE * np.inf, TIMES, "scale: 4 infinite values; mark missing ones NaN."),
        ([1, 1, 2, 2], ONE * np.nan, TIMES, "scale: no speed has 2 trials with a scale. Train longer"),
    ],
)
def test_scaling_refusals(speed, scale, peaks, message):
    with pytest.raises(ValueError, match=message):
        temporal_scaling(np.array(speed, float), scale, peaks)


def test_datasets_agree_and_one_seed_may_fail():
    dims = ("seed", "trial")

    def seeds(row):
        return xr.DataArray(np.stack([row, row * np.nan]), dims=dims)

    rows = beats(0.04, 0.02)
    found = analysis.synchronization(
        xr.DataArray(np.tile(PERIOD, (2, 1)), dims=dims, attrs={"units": "ms"}), *map(seeds, rows)
    )
    direct = synchronization(PERIOD, *rows)
    np.testing.assert_array_equal(found["sd"][0], direct.sd)
    np.testing.assert_array_equal(found["fit_status"], [0, 1])
    np.testing.assert_array_equal(found["fraction_missing"], [0, 1])
    assert np.isnan(found["lag_one"][1])
    assert found["sd"].attrs["units"] == "ms"

    scale, times = pattern(dict.fromkeys((0.5, 1.0, 2.0), 0.04))
    peaks = {f"peak_{k + 1}": seeds(times[:, k]) for k in range(4)}
    speed = xr.DataArray(np.tile(SPEED, (2, 1)), dims=dims)
    scaled = analysis.temporal_scaling(speed, seeds(scale), **peaks)
    np.testing.assert_array_equal(scaled["peak_sd"][0], temporal_scaling(SPEED, scale, times).sd)
    np.testing.assert_array_equal(scaled["fit_status"], [0, 1])
    assert scaled["peak_time"].dims == ("seed", "condition", "rank")
    with pytest.raises(ValueError, match="peaks: expected one array a peak, peak_1, peak_2, …; found last"):
        analysis.temporal_scaling(speed, seeds(scale), last=peaks["peak_1"])
