import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.scaling_index import scaling_index, scatter
from throughtime.analysis.arrays.warp import align, group_means, phases, warp

TIME = np.arange(0.5, 2200.0)
DURATION = np.array([1000.0, 1500.0, 2000.0])


def stretched(time: np.ndarray, duration: np.ndarray) -> np.ndarray:
    phase = time / duration[:, None]
    return np.stack([np.sin(3 * phase), np.cos(2 * phase), phase**2], -1)


def test_perfect_scaling_is_one():
    result = scaling_index(stretched(TIME, DURATION), TIME, np.zeros(3), DURATION)
    np.testing.assert_allclose(result.scaling_index, 1, atol=1e-6)
    assert result.population == pytest.approx(1, abs=1e-6)
    assert result.population_unwarped < 0.9


def test_ramp_to_no_bound():
    ramp = np.tile(TIME, (2, 1))[..., None] / 1000
    result = scaling_index(ramp, TIME, np.zeros(2), np.array([1000.0, 2000.0]))
    assert result.scaling_index == pytest.approx([9 / 13], abs=1e-4)
    assert result.population_unwarped == pytest.approx(1)


def test_components_are_ordered_and_stationary():
    rng = np.random.default_rng(0)
    mixed = np.concatenate([stretched(TIME, DURATION), np.tile(np.sin(TIME / 300), (3, 1))[..., None]], -1)
    mixed = mixed @ rng.standard_normal((4, 6))
    result = scaling_index(mixed, TIME, np.zeros(3), DURATION, variance=0.9999)
    index = result.scaling_index
    assert (np.diff(index) <= 0).all()
    assert index[0] > 0.999
    assert index[-1] < 0.9
    residual, total = scatter(result.warped)
    for value, w in zip(index, result.axis, strict=True):
        assert 1 - (w @ residual @ w) / (w @ total @ w) == pytest.approx(value, abs=1e-6)


def test_invariances():
    activity = np.concatenate([stretched(TIME, DURATION), np.tile(np.sin(TIME / 300), (3, 1))[..., None]], -1)
    base = scaling_index(activity, TIME, np.zeros(3), DURATION)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    for other in (
        scaling_index(3 * activity @ rotation + 2, TIME, np.zeros(3), DURATION),
        scaling_index(activity, TIME / 10, np.zeros(3), DURATION / 10),
        scaling_index(activity, TIME + 70, np.full(3, 70.0), DURATION),
        scaling_index(
            np.repeat(activity, 2, 0), TIME, np.zeros(6), np.repeat(DURATION, 2), np.repeat([7, 2, 5], 2)
        ),
    ):
        assert other.population == pytest.approx(base.population)
        np.testing.assert_allclose(other.scaling_index, base.scaling_index, atol=1e-8)


def test_missing_trials_are_left_out():
    activity = stretched(TIME, DURATION)
    more = np.concatenate([activity, np.full_like(activity[:1], np.nan)])
    result = scaling_index(more, TIME, np.zeros(4), np.append(DURATION, np.nan))
    assert result.population == scaling_index(activity, TIME, np.zeros(3), DURATION).population


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration": np.full(3, 900.0)}, "duration: 1 distinct in 3 conditions; scaling needs at least 2"),
        ({"duration": np.array([900.0, 1000, 2600])}, "an interval runs past the recording"),
        ({"duration": np.array([900.0, 1000])}, "unequal lengths: activity 3, onset 3, duration 2"),
        ({"duration": np.array([-1.0, 1000, 1100])}, "duration: found -1 ms; durations are positive"),
        ({"activity": np.ones((3, TIME.size, 2))}, "activity: zero variance over conditions and time"),
        (
            {"activity": np.full((3, TIME.size, 2), [0.1, -0.7])},
            "activity: zero variance over conditions and time",
        ),
        (
            {"activity": np.ones((3, TIME.size))},
            r"activity: shape \(3, 2200\); expected \(trial, time, unit\)",
        ),
        ({"activity": np.ones((3, 9, 2))}, r"activity: shape \(3, 9, 2\); expected \(trial, 2200 times"),
        ({"time": TIME**2}, "time: samples are not uniformly spaced"),
        ({"num_phases": 1}, "num_phases: 1; use at least 2"),
        ({"variance": 1.5}, "variance: 1.5 is not between 0 and 1"),
    ],
)
def test_refusals(change, message):
    arguments = {
        "activity": stretched(TIME, DURATION),
        "time": TIME,
        "onset": np.zeros(3),
        "duration": DURATION,
    }
    with pytest.raises(ValueError, match=message):
        scaling_index(**(arguments | change))


def test_interpolation_is_exact_for_lines_and_ends_with_the_recording():
    time = np.arange(10.0, 200.0, 20.0)
    lag = np.array([-10.0, 0.0, 33.0, 100.0])
    activity = np.stack([2 * time, -time])[..., None]
    got = align(activity, time, np.array([10.0, 50.0]), lag)[..., 0]
    np.testing.assert_allclose(got[0], 2 * (10 + lag))
    np.testing.assert_allclose(got[1], -(50 + lag))
    assert np.isnan(align(activity, time, np.array([0.0, np.nan]), np.array([-1.0, 201.0]))).all()
    np.testing.assert_allclose(
        warp(activity[:1], time, np.zeros(1), np.array([200.0]))[0, :, 0], 400 * phases()
    )


def test_group_means():
    values = np.array([[1.0, np.nan], [3.0, 5.0], [7.0, 9.0]])
    np.testing.assert_array_equal(group_means(values, np.array([0, 0, 2]), 3), [[2, 5], [np.nan] * 2, [7, 9]])
    complete = group_means(values, np.array([0, 0, 2]), 3, complete=True)
    np.testing.assert_array_equal(complete, [[2, np.nan], [np.nan] * 2, [7, 9]])


def test_datasets():
    rates = xr.DataArray(
        np.stack([stretched(TIME, DURATION)] * 2),
        dims=("seed", "trial", "time", "unit"),
        coords={"time": TIME},
    )
    duration = xr.DataArray(np.stack([DURATION, np.full(3, np.nan)]), dims=("seed", "trial"))
    result = analysis.scaling_index(rates, xr.zeros_like(duration), duration)
    np.testing.assert_array_equal(result.fit_status, [0, 1])
    assert float(result.population[0]) == pytest.approx(1, abs=1e-6)
    assert np.isnan(result.population[1])
    assert result.attrs["refusal"].startswith("duration: 0 distinct")
    assert set(result.sizes) <= set(result.coords)
    turned = analysis.scaling_index(rates.T, xr.zeros_like(duration).T, duration.T)
    np.testing.assert_allclose(turned.unit_scaling_index, result.unit_scaling_index)
    one = rates.isel(seed=0)
    label = xr.DataArray([0, 1, -1], dims="trial")
    warped = analysis.warp(one, xr.zeros_like(duration[0]), duration[0], condition=label, num_conditions=2)
    assert warped.dims == ("condition", "phase", "unit")
    lag = np.arange(0.0, 1900.0, 100.0)
    cut = analysis.align(one, xr.zeros_like(duration[0]), lag, until=duration[0])
    np.testing.assert_array_equal(np.isfinite(cut[..., 0]).sum("lag"), [11, 16, 19])


def test_levels_and_example_seed():
    interval = xr.DataArray(np.array([[400.0, 800, 900], [400, 900, np.nan]]), dims=("seed", "trial"))
    index, centre = analysis.levels(interval)
    np.testing.assert_array_equal(index, [[0, 1, 2], [0, 2, -1]])
    np.testing.assert_array_equal(centre, [400, 800, 900])
    training = xr.Dataset(
        {
            "status": ("seed", [1, 1, 2, 1]),
            "criterion_update": ("seed", [-1] * 4),
            "score": (("seed", "update"), [[0.5, 0.9], [0.5, 0.7], [0.9, np.nan], [0.8, np.nan]]),
        }
    )
    assert analysis.example_seed(training) == 3
    with pytest.raises(ValueError, match="training: all 1 seeds diverged"):
        analysis.example_seed(training.isel(seed=[2]))
