"""Kinematics of trajectories: known slopes and distances, a brute-force judge, refusals, datasets."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.kinematics import kinematics

TIME = np.arange(5.0, 1000.0, 10.0)
DURATION = np.array([500.0, 800.0, 1000.0])


def course(phase):
    return np.stack([np.sin(3 * phase), np.cos(3 * phase), phase, phase**2], -1)


def stretched(duration=DURATION, time=TIME):
    activity = course(time / duration[:, None])
    activity[time >= duration[:, None]] = np.nan
    return activity


def parallel(offsets):
    """Plane curves shifted along a direction orthogonal to their plane."""
    curve = np.stack([np.sin(TIME / 300), np.cos(TIME / 300), 0 * TIME], -1)
    return curve + np.array(offsets)[:, None, None] * [0, 0, 1.0]


@pytest.mark.parametrize("reference", [0, 1, 2])
def test_one_course_in_different_times_has_slopes_in_their_ratio(reference):
    found = kinematics(stretched(), TIME, reference=reference, variance=1.0)
    ratio = DURATION / DURATION[reference]
    np.testing.assert_allclose(found.slope, ratio, rtol=2e-4)
    np.testing.assert_allclose(found.relative_speed, 1 / ratio, rtol=2e-4)
    np.testing.assert_allclose(found.intercept, 0, atol=0.2)
    assert np.nanmax(abs(found.distance)) < 2e-3 + 3 * 10 / DURATION.min()
    expected = np.array(TIME)
    expected[DURATION[reference] <= TIME] = np.nan
    assert np.isnan(found.nearest_time[:, np.isnan(expected)]).all()
    np.testing.assert_array_equal(found.nearest_time[reference], expected)


@pytest.mark.parametrize("interpolate", [True, False])
def test_parallel_courses_are_as_far_apart_as_they_were_shifted(interpolate):
    offsets = [-2.0, -0.5, 0.0, 1.5]
    found = kinematics(parallel(offsets), TIME, reference=2, variance=1.0, interpolate=interpolate)
    np.testing.assert_allclose(found.distance, np.tile(offsets, (TIME.size, 1)).T, atol=1e-7)
    np.testing.assert_allclose(found.nearest_time, np.tile(TIME, (4, 1)), atol=1e-5)
    np.testing.assert_allclose(found.slope, 1, atol=1e-7)
    assert found.num_components == 3


def test_speed_and_distance_are_told_apart():
    shift = np.array([-1.0, 0.0, 2.0])[:, None, None] * [0, 0, 0, 0, 1.0]
    activity = np.concatenate([stretched(), 0 * stretched()[..., :1]], -1) + shift
    found = kinematics(activity, TIME, reference=1, variance=1.0)
    np.testing.assert_allclose(found.slope, DURATION / 800, rtol=2e-4)
    inside = np.isfinite(found.distance[0])
    np.testing.assert_allclose(np.median(found.distance[:, inside], axis=1), [-1, 0, 2], atol=1e-3)


def test_brute_force_on_a_fine_course_agrees():
    rng = np.random.default_rng(0)
    activity = stretched() @ rng.standard_normal((4, 7)) + rng.standard_normal((3, 1, 7)) * 0.2
    found = kinematics(activity, TIME, variance=1.0)
    assert found.reference == 1
    for c in (0, 2):
        fine = np.arange(TIME[0], TIME[np.isfinite(activity[c, :, 0])][-1], 0.02)
        path = np.stack([np.interp(fine, TIME, activity[c, :, unit]) for unit in range(7)], -1)
        for j in (0, 13, 40, 79):
            gap = np.linalg.norm(path - activity[1, j], axis=1)
            assert found.nearest_time[c, j] == pytest.approx(fine[gap.argmin()], abs=0.03)
            assert abs(found.distance[c, j]) == pytest.approx(gap.min(), abs=1e-4)


def test_components_leave_noise_out():
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((4, 60))
    activity = stretched() @ mixing + 0.3 * rng.standard_normal((3, TIME.size, 60))
    found = kinematics(activity, TIME, reference=1, variance=0.85)
    whole = kinematics(activity, TIME, reference=1, variance=1.0)
    assert found.num_components <= 4 < whole.num_components == 60
    np.testing.assert_allclose(found.slope, DURATION / 800, rtol=0.03)
    assert np.nanmean(abs(found.distance)) < np.nanmean(abs(whole.distance)) / 3


def test_invariances():
    rng = np.random.default_rng(2)
    activity = stretched() + rng.standard_normal((3, 1, 4)) * 0.3
    base = kinematics(activity, TIME)
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    other = kinematics(2 * np.moveaxis(activity @ rotation + 5, -1, 0), TIME / 10 + 3, axis=0)
    np.testing.assert_allclose(other.slope, base.slope)
    np.testing.assert_allclose(other.distance, 2 * base.distance)
    np.testing.assert_allclose(other.nearest_time, base.nearest_time / 10 + 3)
    turned = kinematics(activity[::-1], TIME)
    np.testing.assert_allclose(turned.distance[::-1], -base.distance, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activity": stretched()[:1]}, "activity: 1 conditions; kinematics compare at least 2"),
        ({"activity": stretched()[0]}, r"activity: shape \(100, 4\); expected \(condition, time, unit\)"),
        ({"time": TIME[:-1]}, "unequal lengths: activity 100 times, time 99"),
        ({"time": TIME[::-1]}, "time: does not increase; sort it first"),
        ({"reference": 3}, "reference: 3 of 3 conditions; use 0 to 2"),
        ({"variance": 1.2}, "variance: 1.2; use a share above 0 and up to 1"),
        ({"activity": np.where(TIME[:, None] > 15, np.nan, stretched())}, "activity: 2 times in condition 0"),
        (
            {"activity": np.where((TIME[:, None] > 100) & (TIME[:, None] < 200), np.nan, stretched())},
            "activity: condition 0 has 1 gaps; fill them, or cut it there",
        ),
        (
            {"activity": np.where(np.arange(4) == 1, np.nan, stretched())},
            "activity: units are missing at 230 of 300 states; drop the units that are not there",
        ),
        ({"activity": np.ones((2, 100, 3))}, "activity: zero variance in every unit"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        kinematics(**({"activity": stretched(), "time": TIME} | change))


def test_datasets():
    good = stretched()
    rates = xr.DataArray(
        np.stack([good, np.full_like(good, 1.0), 2 * good]),
        dims=("seed", "condition", "time", "unit"),
        coords={"seed": [1, 2, 3], "time": TIME, "interval": ("condition", DURATION, {"units": "ms"})},
        attrs={"units": "Hz"},
    )
    rates[2, :, :, 3] = np.nan
    found = analysis.kinematics(rates, reference=0, variance=1.0)
    direct = kinematics(2 * good[..., :3], TIME, reference=0, variance=1.0)
    for name in ("nearest_time", "distance", "slope", "relative_speed", "num_times", "num_components"):
        np.testing.assert_allclose(found[name].sel(seed=3), getattr(direct, name))
    np.testing.assert_array_equal(found.fit_status, [0, 1, 0])
    assert found.attrs["refusal"].startswith("activity: zero variance")
    assert (found.attrs["reference"], found.distance.attrs["units"]) == (0, "Hz")
    np.testing.assert_array_equal(found["interval"], DURATION)
    assert set(found.sizes) <= set(found.coords)
    lagged = analysis.kinematics(rates.isel(seed=0).rename(time="lag"))
    assert lagged.nearest_time.dims == ("condition", "lag")
    with pytest.raises(
        ValueError, match="average over the trials of each condition first, by condition_means"
    ):
        analysis.kinematics(rates.rename(condition="trial"))
    with pytest.raises(ValueError, match="activity: zero variance"):
        analysis.kinematics(rates.isel(seed=[1]))
