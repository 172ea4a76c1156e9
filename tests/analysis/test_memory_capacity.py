"""Memory capacity: delay lines, leaky units with a known memory, and its bound."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.memory_capacity import memory_capacity
from throughtime.results import schema


def white(num_steps, seed=0):
    return np.random.default_rng(seed).standard_normal(num_steps)


def driven(weights, entry, inputs):
    """(time, unit) states after each step of s' = Ws + vu."""
    state, states = np.zeros(len(weights)), []
    for u in inputs:
        state = weights @ state + entry * u
        states.append(state)
    return np.array(states)


def delay_line(size, inputs):
    return driven(np.eye(size, k=-1), np.eye(size)[0], inputs)


def test_a_delay_line_remembers_as_much_as_it_has_units():
    inputs = white(20_000)
    found = memory_capacity(inputs, delay_line(20, inputs))
    assert found.capacity == pytest.approx(20.0, abs=0.05)
    np.testing.assert_allclose(found.r2[:20], 1, atol=1e-6)
    np.testing.assert_allclose(found.r2[20:], 0, atol=5e-3)
    assert found.bound == 20
    np.testing.assert_array_equal(found.lag, np.arange(1, 41))


def test_a_leaky_unit_remembers_by_its_leak():
    """x = Σ a^k u_{t-k}: R² of the input k steps before the latest is (1 − a²) a^{2k}."""
    inputs, a = white(100_000, 1), 0.8
    found = memory_capacity(inputs, driven(np.array([[a]]), np.ones(1), inputs), max_lag=12)
    np.testing.assert_allclose(found.r2, (1 - a**2) * a ** (2 * np.arange(12)), atol=0.015)
    assert found.capacity == pytest.approx(1 - a**24, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_no_linear_circuit_beats_the_bound_and_coordinates_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    inputs = white(4000, seed)
    weights = 0.9 * np.linalg.qr(rng.standard_normal((5, 5)))[0]
    states = driven(weights, rng.standard_normal(5), inputs)
    found = memory_capacity(inputs, states, max_lag=30)
    assert found.capacity == pytest.approx(5, abs=0.3)  # 5 (1 − 0.9⁶⁰) but for the sample
    mixed = states @ np.diag([1.0, 3.0, 0.3, 2.0, 1.0]) @ np.linalg.qr(rng.standard_normal((5, 5)))[0] - 7.0
    again = memory_capacity(3 * inputs - 2, mixed.T, axis=0, max_lag=30)
    np.testing.assert_allclose(again.r2, found.r2, atol=1e-5)


def test_the_held_out_half_is_not_what_the_read_out_was_fitted_to():
    inputs, noise = white(2000), np.random.default_rng(9).standard_normal((2000, 40))
    found = memory_capacity(inputs, noise)
    assert found.capacity < 0.1  # 40 weights explain 4 % of each of 80 lags where they are fitted
    early = delay_line(2, inputs)
    early[1002:] = np.random.default_rng(3).standard_normal((998, 2))
    np.testing.assert_allclose(memory_capacity(inputs, early).r2, 0, atol=1e-6)


def test_a_heavy_ridge_shrinks_what_is_recalled():
    inputs = white(2000)
    line = delay_line(3, inputs)
    found = memory_capacity(inputs, line, ridge=1.0)  # weights 1/2: a quarter of the variance is left over
    np.testing.assert_allclose(found.r2[:3], 0.75, atol=0.05)
    twice = memory_capacity(inputs, np.concatenate([line, line], axis=1), max_lag=6)
    np.testing.assert_allclose(twice.r2[:3], 1, atol=1e-6)  # units that repeat each other
    assert memory_capacity(inputs, np.concatenate([line, line], axis=1), ridge=0.0).capacity == pytest.approx(
        3, abs=0.05
    )


INPUTS = white(400)
LINE = delay_line(3, INPUTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.append(INPUTS[1:], np.nan)}, "inputs: 1 of 400 values are not finite"),
        ({"activity": np.full((400, 3), np.inf)}, "activity: 1200 of 1200 values are not finite"),
        ({"inputs": INPUTS[:-1]}, "unequal lengths: inputs 399, activity 400"),
        ({"inputs": INPUTS[:, None]}, r"inputs: shape \(400, 1\); pass one input"),
        ({"activity": INPUTS}, r"activity: shape \(400,\); expected \(time, unit\)"),
        (
            {"burn_in": 251},
            r"activity: 149 steps after burn_in, of 3 units, for 6 lags; use at least 50 .*: 150",
        ),
        ({"inputs": np.ones(400)}, "inputs: zero variance"),
        ({"activity": np.ones((400, 3))}, "activity: zero variance in every unit"),
        ({"inputs": INPUTS + np.roll(INPUTS, 2)}, r"inputs: autocorrelation 0\.\d+ at a lag of 2 steps"),
        ({"max_lag": 101}, "for 101 lags; use at least .* 404"),
        ({"max_lag": 0}, "max_lag, burn_in: 0, 0 steps"),
        ({"ridge": -1.0}, "ridge: -1.0; use 0 or more"),
    ],
)
def test_refusals(change, message):
    given = {"inputs": INPUTS, "activity": LINE} | change
    with pytest.raises(ValueError, match=message):
        memory_capacity(given.pop("inputs"), given.pop("activity"), **given)


def test_dataset_over_seeds():
    inputs = np.stack([white(400, seed) for seed in range(3)])
    states = np.stack([delay_line(3, u) for u in inputs])
    states[2] = 0.0
    time = (np.arange(400) + 0.5) * 20.0
    rates = xr.DataArray(states, {"seed": [1, 3, 5], "time": time}, ("seed", "time", "unit"))
    drive = xr.DataArray(inputs[..., None], {"seed": [1, 3, 5]}, ("seed", "time", "input"))
    found = analysis.memory_capacity(drive, rates)
    assert found.r2.dims == ("seed", "lag")
    for s in range(2):
        alone = memory_capacity(inputs[s], states[s])
        np.testing.assert_array_equal(found.r2[s], alone.r2)
        assert found.capacity[s] == alone.capacity
    np.testing.assert_array_equal(found["lag"], 20.0 * np.arange(1, 7))
    np.testing.assert_array_equal(found["seed"], [1, 3, 5])
    assert found.fit_status.values.tolist() == [0, 0, 1]
    assert np.isnan(found.capacity[2])
    assert found.attrs["refusal"].startswith("activity: zero variance")
    assert set(found.dims) <= schema.DIMS
    assert all({"units", "long_name"} <= set(found[name].attrs) for name in (*found.data_vars, "lag"))
    one = analysis.memory_capacity(drive[0, :, 0], rates[0].drop_vars("time"), dt=10.0, max_lag=4)
    np.testing.assert_array_equal(one["lag"], [10, 20, 30, 40])
    with pytest.raises(ValueError, match="inputs: 2 inputs; select one"):
        analysis.memory_capacity(xr.concat([drive, drive], "input"), rates)
    with pytest.raises(ValueError, match=r"rates: dims .*; expected \(…, time, unit\)"):
        analysis.memory_capacity(drive, rates.rename(unit="state"))
    with pytest.raises(ValueError, match="dt: not given, and rates have no evenly spaced"):
        analysis.memory_capacity(drive, rates.drop_vars("time"))
    with pytest.raises(ValueError, match="activity: zero variance"):
        analysis.memory_capacity(drive[2], rates[2])
