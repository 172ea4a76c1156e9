"""Timescales: exact decays, autoregressive activity, and what removing trial means would do."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.autocorrelation_timescale import autocorrelation_timescale, fit_decay
from throughtime.results import schema

LAG = np.arange(10.0, 501.0, 10.0)


def autoregressive(coefficient, num_trials, num_bins, seed=0, num_units=1):
    """(trial, time, unit) stationary activity of unit variance."""
    rng = np.random.default_rng(seed)
    x = [rng.standard_normal((num_trials, num_units))]
    for _ in range(num_bins - 1):
        fresh = np.sqrt(1 - coefficient**2) * rng.standard_normal(x[0].shape)
        x.append(coefficient * x[-1] + fresh)
    return np.stack(x, axis=1)


@pytest.mark.parametrize(("amplitude", "offset"), [(1.0, 0.0), (0.3, 0.5), (0.02, -0.2)])
def test_an_exact_decay(amplitude, offset):
    found = fit_decay(LAG, amplitude * (np.exp(-LAG / 100) + offset))
    assert found.tau == pytest.approx(100, abs=1e-4)
    assert found.amplitude == pytest.approx(amplitude, rel=1e-6)
    assert found.offset == pytest.approx(offset, abs=1e-6)
    assert found.r2 == pytest.approx(1, abs=1e-10)
    assert found.status == 0


@pytest.mark.parametrize("tau", [12.0, 480.0])
def test_decays_as_short_as_a_lag_and_as_long_as_all(tau):
    assert fit_decay(LAG, 0.5 * np.exp(-LAG / tau)).tau == pytest.approx(tau, rel=1e-4)


def test_autoregressive_activity():
    activity = autoregressive(0.9, 2000, 50)
    found = autocorrelation_timescale(activity, dt=10.0)
    assert found.tau[0] == pytest.approx(-10 / np.log(0.9), rel=0.1)
    assert found.tau[0] == pytest.approx(94.912, rel=0.1)
    np.testing.assert_array_equal(found.lag, 10.0 * np.arange(1, 50))
    np.testing.assert_allclose(found.autocorrelation[0, :9], 0.9 ** np.arange(1, 10), atol=0.03)
    # within trials, about the mean of each, the decay looks faster
    short = activity[:, :20, 0]
    within = short - short.mean(1, keepdims=True)
    curve = [np.mean(within[:, : 20 - k] * within[:, k:]) / within.var() for k in range(1, 20)]
    biased = fit_decay(10.0 * np.arange(1, 20), np.array(curve))
    assert biased.tau < 0.7 * 94.912
    assert autocorrelation_timescale(short[..., None], dt=10.0).tau[0] == pytest.approx(94.912, rel=0.25)


def test_correlations_are_means_over_pairs_of_bins():
    activity = np.random.default_rng(1).standard_normal((12, 9, 2))
    found = autocorrelation_timescale(activity, dt=5.0, min_lag=10.0, max_lag=30.0)
    np.testing.assert_array_equal(found.lag, [10, 15, 20, 25, 30])
    np.testing.assert_array_equal(found.num_pairs, [7, 6, 5, 4, 3])
    for unit in range(2):
        for place, k in enumerate(range(2, 7)):
            pairs = [np.corrcoef(activity[:, i, unit], activity[:, i + k, unit])[0, 1] for i in range(9 - k)]
            np.testing.assert_allclose(found.autocorrelation[unit, place], np.mean(pairs))


def test_the_fit_is_that_of_all_pairs():
    """Weighing a lag by its pairs is to fit every pair: a grid over τ with the rest solved finds the same."""
    rng = np.random.default_rng(2)
    weight = np.arange(30.0, 0, -1)
    lag = 10.0 * np.arange(1, 31)
    curve = 0.5 * np.exp(-lag / 60) + 0.1 + 0.02 * rng.standard_normal(30)
    found = fit_decay(lag, curve, weight)
    x, y = np.repeat(lag, weight.astype(int)), np.repeat(curve, weight.astype(int))
    best = (np.inf, 0.0)
    for tau in np.linspace(20, 200, 3601):
        design = np.stack([np.exp(-x / tau), np.ones_like(x)], axis=1)
        solution = np.linalg.lstsq(design, y, rcond=None)[0]
        best = min(best, (float(((design @ solution - y) ** 2).sum()), tau))
    assert found.tau == pytest.approx(best[1], abs=0.05)
    assert found.r2 == pytest.approx(1 - best[0] / ((y - y.mean()) ** 2).sum(), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_each_bin_has_its_own_scale_and_mean_and_trials_no_order(seed):
    activity = autoregressive(0.8, 40, 15, seed)
    rng = np.random.default_rng(seed)
    changed = 5.0 * rng.standard_normal((1, 15, 1)) + rng.uniform(0.5, 3, (1, 15, 1)) * activity
    here = autocorrelation_timescale(activity, dt=10.0)
    there = autocorrelation_timescale(changed[rng.permutation(40)], dt=10.0)
    np.testing.assert_allclose(there.autocorrelation, here.autocorrelation, atol=1e-12)
    np.testing.assert_allclose(there.tau, here.tau, rtol=1e-6)


def test_units_that_have_no_timescale():
    rng = np.random.default_rng(3)
    slow = rng.standard_normal((400, 1)) * np.ones(20) + 0.1 * rng.standard_normal((400, 20)).cumsum(1)
    silent = np.zeros((400, 20))
    activity = np.stack([slow, silent, autoregressive(0.5, 400, 20)[..., 0]], axis=-1)
    found = autocorrelation_timescale(activity, dt=10.0)
    assert found.status.tolist() == [1, 2, 0]
    assert np.isnan(found.tau).tolist() == [True, True, False]
    assert np.isnan(found.autocorrelation).all(1).tolist() == [False, True, False]
    moved = autocorrelation_timescale(np.moveaxis(activity, -1, 0), dt=10.0, axis=0)
    np.testing.assert_array_equal(moved.tau, found.tau)
    assert fit_decay(LAG, np.exp(LAG / 100)).status in (1, 3)
    assert fit_decay(LAG, np.full(LAG.size, 0.3)).status == 3
    assert fit_decay(LAG, np.exp(-LAG / 900)).status == 1
    assert np.isnan(fit_decay(LAG, np.exp(-LAG / 900)).tau)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"activity": np.full((5, 9, 1), np.nan)},
            "activity: 45 of 45 values are not finite; choose a window",
        ),
        ({"activity": np.zeros((5, 9))}, r"activity: shape \(5, 9\); expected \(trial, time, unit\)"),
        ({"activity": np.zeros((2, 9, 1))}, "activity: 2 trials; use at least 3"),
        ({"activity": np.ones((5, 9, 1))}, "activity: zero variance across trials in every unit"),
        ({"activity": np.ones((5, 5, 1))}, "activity: 4 lags from 10 to 40 ms; use at least 5"),
        ({"max_lag": 40.0}, "activity: 4 lags from 10 to 40 ms"),
        ({"min_lag": 0.0}, "min_lag: 0.0 ms; use at least one bin of 10 ms"),
        ({"dt": -1.0}, "dt: -1.0 ms is not a positive number"),
    ],
)
def test_refusals(change, message):
    given = {"activity": np.random.default_rng(0).standard_normal((5, 9, 1)), "dt": 10.0} | change
    with pytest.raises(ValueError, match=message):
        autocorrelation_timescale(given.pop("activity"), **given)


@pytest.mark.parametrize(
    ("lag", "curve", "message"),
    [
        (LAG[:4], LAG[:4], "lag: 4 lags; use at least 5"),
        (LAG[::-1], LAG, "lag: does not increase"),
        (LAG, LAG[:9], "unequal lengths: lag 50, correlation 9"),
        (LAG * np.nan, LAG, "lag: 50 of 50 values are not finite"),
    ],
)
def test_refusals_of_the_fit(lag, curve, message):
    with pytest.raises(ValueError, match=message):
        fit_decay(lag, curve)


def test_dataset_over_seeds():
    values = np.stack([autoregressive(c, 60, 12, num_units=2) for c in (0.5, 0.8, 0.5)])
    values[1, 3, 4, 0] = np.nan  # a trial that ended
    values[2] = 1.0  # a silent circuit
    coords = {
        "seed": [2, 5, 8],
        "time": 10.0 + 20.0 * np.arange(12),
        "unit": [7, 9],
        "side": ("trial", [0] * 60),
    }
    rates = xr.DataArray(values, coords, ("seed", "trial", "time", "unit"))
    found = analysis.autocorrelation_timescale(rates)
    assert found.tau.dims == ("seed", "unit")
    assert found.autocorrelation.dims == ("seed", "unit", "lag")
    np.testing.assert_array_equal(found["lag"], 20.0 * np.arange(1, 12))
    np.testing.assert_array_equal(found["unit"], [7, 9])
    np.testing.assert_array_equal(found["seed"], [2, 5, 8])
    np.testing.assert_array_equal(found.num_trials, [60, 59, 60 * 0])
    for s, kept in ((0, values[0]), (1, np.delete(values[1], 3, axis=0))):
        alone = autocorrelation_timescale(kept, dt=20.0)
        for name in ("tau", "amplitude", "offset", "r2", "autocorrelation", "fitted", "num_pairs"):
            np.testing.assert_array_equal(found[name][s], getattr(alone, name))
    assert found.fit_status[2].values.tolist() == [4, 4]
    assert found.fit_status.attrs["flag_meanings"].split()[4] == "refused"
    assert found.attrs["refusal"].startswith("activity: zero variance")
    assert set(found.dims) <= schema.DIMS
    for array in found.variables.values():
        assert array.attrs.get("units", "1") in schema.UNITS
    assert all(found[name].attrs["long_name"] for name in found.data_vars)
    assert (found.tau.attrs["units"], found["lag"].attrs["units"]) == ("ms", "ms")
    aligned = rates.rename(time="lag").isel(seed=0, drop=True)
    np.testing.assert_array_equal(analysis.autocorrelation_timescale(aligned).tau, found.tau[0])
    np.testing.assert_allclose(
        analysis.autocorrelation_timescale(rates.drop_vars("time"), dt=40.0).tau[:2],
        2 * found.tau[:2],
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match="dt: not given, and rates have no evenly spaced coordinate time"):
        analysis.autocorrelation_timescale(rates.drop_vars("time"))
    with pytest.raises(ValueError, match=r"rates: dims .* lack trial"):
        analysis.autocorrelation_timescale(rates[:, 0])
    with pytest.raises(ValueError, match="activity: zero variance across trials"):
        analysis.autocorrelation_timescale(rates[2])
