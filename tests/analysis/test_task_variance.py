"""Task variance: disjoint and overlapping populations, the control, refusals, datasets."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from throughtime import analysis
from throughtime.analysis.arrays.task_variance import task_variance

PHASE = np.arange(8) * np.pi / 4
TIME = np.arange(5.0, 100.0, 10.0)


def swings(amplitudes, num_times=10):
    """Units that swing with the condition's phase: variance a²/2 over conditions, at every time."""
    rng = np.random.default_rng(9)
    shift = rng.uniform(0, 2 * np.pi, len(amplitudes))
    return np.asarray(amplitudes) * np.cos(PHASE[:, None, None] - shift) * np.ones((1, num_times, 1))


def disjoint(num=12):
    population = np.arange(num) % 3 == 0
    return population, [swings(np.where(population, 1.0, 0.0)), swings(np.where(population, 0.0, 2.0), 6)]


def test_disjoint_populations():
    population, activity = disjoint()
    found = task_variance(activity, seed=0, num_rotations=3)
    np.testing.assert_allclose(found.fractional_variance[:, 0, 1], np.where(population, 1, -1), atol=1e-12)
    assert found.num_clusters == 2
    assert found.silhouette == pytest.approx(1)
    assert adjusted_rand_score(population, found.cluster) == 1
    np.testing.assert_array_equal(found.cluster, ~population)
    assert np.nanmax(abs(found.fractional_variance_rotated[..., 0, 1])) < 0.999
    assert np.nanmean(abs(found.fractional_variance_rotated[..., 0, 1])) < 0.9


def test_three_populations_and_units_that_do_not_vary():
    amplitude = np.zeros((20, 4))
    amplitude[:6, 0], amplitude[6:12, 1:3], amplitude[12:18, 3] = 1.0, 0.7, 3.0
    amplitude[18] = 0.02
    found = task_variance([swings(column) for column in amplitude.T], seed=1, num_rotations=2)
    np.testing.assert_allclose(found.task_variance, amplitude**2 / 2, atol=1e-12)
    assert found.num_clusters == 3
    np.testing.assert_array_equal(found.cluster, [0] * 6 + [1] * 6 + [2] * 6 + [-1] * 2)
    np.testing.assert_allclose(found.normalized[:18], amplitude[:18] > 0, atol=1e-12)
    assert np.isnan(found.normalized[18:]).all()
    assert np.isnan(found.fractional_variance[18:]).all()
    assert np.isnan(found.fractional_variance[:6, 1, 2]).all()
    assert (found.silhouette_rotated < 0.9).all()


def test_fractional_variance_by_hand():
    a, b = np.array([1.0, 2.0, 0.5]), np.array([3.0, 2.0, 0.1])
    found = task_variance([swings(a), swings(b)], seed=0, num_rotations=0)
    contrast = (a**2 - b**2) / (a**2 + b**2)
    np.testing.assert_allclose(found.fractional_variance[:, 0, 1], contrast)
    np.testing.assert_allclose(found.fractional_variance[:, 1, 0], -contrast)
    assert found.task_variance_rotated.shape == (0, 3, 2)


def test_variance_over_conditions_is_averaged_over_the_times_there_are():
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((2, 5, 12, 4))
    first[:, :3] = np.nan  # fixation
    first[3:, 8:] = np.nan  # conditions that end early
    first[1:, 11] = np.nan  # a single condition left
    found = task_variance([first, second], seed=0, num_rotations=1)
    slow = np.array(
        [
            np.mean([np.var([x for x in first[:, t, i] if x == x]) for t in range(3, 11)])
            for i in range(4)
        ]
    )  # fmt: skip
    np.testing.assert_allclose(found.task_variance[:, 0], slow)
    np.testing.assert_allclose(found.task_variance[:, 1], second.var(0).mean(0))


def test_rotations_are_those_of_the_activity_and_keep_its_variance():
    rng = np.random.default_rng(4)
    activity = rng.standard_normal((3, 6, 7, 5)) * rng.uniform(0.2, 2, (3, 1, 1, 5))
    found = task_variance(activity, seed=5, num_rotations=4)
    np.testing.assert_allclose(
        found.task_variance_rotated.sum(1), np.tile(found.task_variance.sum(0), (4, 1))
    )
    assert found.task_variance_rotated.min() >= 0
    from throughtime.analysis.arrays.task_variance import _covariance, _rotated

    covariance = np.stack([_covariance(each, 0) for each in activity], -1)
    rotated = _rotated(covariance, 1, np.random.default_rng(7))[0]
    from scipy.stats import ortho_group

    mixing = ortho_group.rvs(5, random_state=np.random.default_rng(7))
    np.testing.assert_allclose(rotated, (activity @ mixing.T).var(1).mean(1).T)


def test_invariances():
    rng = np.random.default_rng(6)
    activity = rng.standard_normal((2, 6, 7, 9)) * rng.uniform(0, 2, (2, 1, 1, 9))
    base = task_variance(activity, seed=0, num_rotations=1)
    again = task_variance(activity, seed=0, num_rotations=1)
    np.testing.assert_array_equal(base.task_variance_rotated, again.task_variance_rotated)
    order = rng.permutation(9)
    other = task_variance(
        np.moveaxis(10 * activity[:, ::-1, ::-1][..., order] + 3, -1, 1),
        seed=0,
        axis=0,
        num_rotations=1,
        min_variance=0.1,
    )
    np.testing.assert_allclose(other.task_variance, 100 * base.task_variance[order])
    np.testing.assert_allclose(other.fractional_variance, base.fractional_variance[order])
    assert other.silhouette == pytest.approx(base.silhouette)
    np.testing.assert_allclose(base.fractional_variance, -base.fractional_variance.swapaxes(1, 2))


def test_nothing_to_divide():
    same = swings([1.0, 1.0, 1.0, 1.0])
    found = task_variance([same, same], seed=0, num_rotations=0)
    assert found.num_clusters == 1
    assert np.isnan(found.silhouette)
    np.testing.assert_array_equal(found.cluster, 0)


@pytest.mark.parametrize(
    ("activity", "options", "message"),
    [
        ([swings([1.0])], {}, "activity: 1 task; variances are compared between at least 2"),
        ([swings([1.0]), swings([1.0, 2.0])], {}, "expected .condition, time, unit. with the same units"),
        ([swings([0.01]), swings([0.01])], {}, "activity: the largest summed variance of a unit is 0.0001"),
        (
            [swings([1.0, 1.0]), np.where([True, False], np.nan, swings([1.0, 1.0]))],
            {},
            "activity: units are missing at 80 of 80 samples of task 1; drop the units",
        ),
        ([swings([1.0]), swings([1.0])[:1]], {}, "activity: task 1 never has two conditions at one time"),
        ([swings([1.0])] * 2, {"max_clusters": 1}, "max_clusters 1, num_starts 20, num_rotations 10: use at"),
    ],
)
def test_refusals(activity, options, message):
    with pytest.raises(ValueError, match=message):
        task_variance(activity, seed=0, **options)


def test_datasets():
    _, (first, second) = disjoint()
    unit = np.arange(12) + 3
    go = xr.DataArray(
        np.stack([first, 2 * first]),
        dims=("seed", "condition", "time", "unit"),
        coords={"unit": unit, "seed": [4, 5]},
    )
    anti = xr.DataArray(
        np.stack([second, second[..., ::-1]])[:, :6], dims=go.dims, coords={"unit": unit, "seed": [4, 5]}
    )
    found = analysis.task_variance({"go": go, "anti saccade": anti}, num_rotations=2)
    for s in range(2):
        direct = task_variance([go.values[s], anti.values[s]], seed=0, num_rotations=2)
        np.testing.assert_allclose(found.task_variance[s], direct.task_variance)
        np.testing.assert_array_equal(found.cluster[s], direct.cluster)
        np.testing.assert_allclose(found.fractional_variance[s], direct.fractional_variance)
        np.testing.assert_allclose(found.silhouette_rotated[s], direct.silhouette_rotated)
    assert found.task.attrs["flag_meanings"] == found.other_task.attrs["flag_meanings"] == "go anti_saccade"
    np.testing.assert_array_equal(found["unit"], unit)
    assert set(found.sizes) <= set(found.coords)
    assert all({"units", "long_name"} <= set(variable.attrs) for variable in found.data_vars.values())

    failed = analysis.task_variance({"go": go.where(go.seed > 4), "anti": anti}, num_rotations=2)
    np.testing.assert_array_equal(failed.fit_status, [1, 0])
    assert failed.attrs["refusal"].startswith("activity: units are missing at") or "task 0" in failed.refusal
    assert np.isnan(failed.silhouette[0])
    assert (failed.cluster[0] == -1).all()
    np.testing.assert_allclose(failed.task_variance[1], found.task_variance[1])

    missing = go.where(go["unit"] != 5), anti.where(anti["unit"] != 5)
    less = analysis.task_variance({"go": missing[0], "anti": missing[1]}, num_rotations=1)
    assert np.isnan(less.task_variance.sel(unit=5)).all()
    assert (less.cluster.sel(unit=5) == -1).all()
    rest = [k for k in range(12) if k != 2]
    np.testing.assert_allclose(less.task_variance[:, rest], found.task_variance[:, rest])


def test_samples_that_are_not_valid_take_no_part():
    _, (first, second) = disjoint()
    names = ("condition", "time", "unit")
    go, anti = xr.DataArray(first.copy(), dims=names), xr.DataArray(second, dims=names)
    fixation = xr.DataArray(np.arange(10) >= 4, dims="time").expand_dims(condition=8)
    go[:, :4] = 100 * np.arange(8)[:, None, None]
    masks = {"go": fixation, "anti": fixation.isel(time=slice(0, 6))}
    found = analysis.task_variance({"go": go, "anti": anti}, valid=masks, num_rotations=0)
    np.testing.assert_allclose(
        found.task_variance[:, 0], task_variance([first, second], seed=0).task_variance[:, 0]
    )
    with pytest.raises(ValueError, match=r"valid: sizes {'time': 6} differ from those of rates"):
        analysis.task_variance(
            {"go": go, "anti": anti}, valid={"go": fixation[:, :6], "anti": fixation[:, :6]}
        )
    with pytest.raises(
        ValueError, match=r"'go' has dims \('trial', 'time', 'unit'\); expected condition, time"
    ):
        analysis.task_variance({"go": go.rename(condition="trial")})
    with pytest.raises(ValueError, match="lack task; pass a mapping of tasks"):
        analysis.task_variance(go)
    with pytest.raises(
        ValueError, match="rates: the units differ between tasks; give the same in every task"
    ):
        analysis.task_variance({"go": go, "anti": anti.isel(unit=slice(0, 5))})
    with pytest.raises(ValueError, match="rates: no tasks; pass one array a task"):
        analysis.task_variance({})
