"""Selectivity: analysis of variance against regressions, classes, noise, refusals, datasets."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import f as f_distribution
from scipy.stats import f_oneway, kstest

from throughtime import analysis
from throughtime.analysis.arrays.selectivity import CLASSES, selectivity


def design(num_rows=3, num_columns=2, num_trials=5, seed=0):
    order = np.random.default_rng(seed).permutation(num_rows * num_columns * num_trials)
    rows, columns = np.divmod(np.arange(num_rows * num_columns * num_trials) // num_trials, num_columns)
    return rows[order], columns[order]


def residual(design_matrix, y):
    fitted = design_matrix @ np.linalg.lstsq(design_matrix, y, rcond=None)[0]
    return ((y - fitted) ** 2).sum(0)


def test_f_and_p_are_those_of_nested_regressions():
    first, second = design()
    rng = np.random.default_rng(1)
    activity = rng.standard_normal((30, 6)) + np.outer(first, rng.standard_normal(6)) + 3
    found = selectivity(activity, first, second)
    a, b = np.eye(3)[first] - 1 / 3, np.eye(2)[second] - 1 / 2
    product = (a[:, :, None] * b[:, None]).reshape(30, -1)
    blocks = {"one": np.ones((30, 1)), "a": a, "b": b, "ab": product}
    full = residual(np.hstack(list(blocks.values())), activity)
    total = ((activity - activity.mean(0)) ** 2).sum(0)
    for term, (left_out, freedom) in enumerate({"a": 2, "b": 1, "ab": 2}.items()):
        less = residual(np.hstack([blocks[name] for name in blocks if name != left_out]), activity)
        ratio = ((less - full) / freedom) / (full / 24)
        np.testing.assert_allclose(found.f[term], ratio)
        np.testing.assert_allclose(found.p[term], f_distribution.sf(ratio, freedom, 24))
        np.testing.assert_allclose(found.share[term], (less - full) / total)
        order = np.argsort(found.p[term])
        by_hand = np.maximum.accumulate(np.minimum(1, (6 - np.arange(6)) * found.p[term][order]))
        np.testing.assert_allclose(found.p_adjusted[term][order], by_hand)


def test_a_factor_without_the_other_is_a_one_way_analysis():
    # with the second effect and the interaction put back into the error, F is that of one way
    first, second = design(2, 2, 8)
    activity = np.random.default_rng(2).standard_normal((32, 4)) + 0.5 * first[:, None]
    found = selectivity(activity, first, second)
    one_way = f_oneway(activity[first == 0], activity[first == 1]).statistic
    rest = 1 - found.share[0]
    np.testing.assert_allclose(found.share[0] / (rest / 30), one_way)
    cells = [activity[(first == i) & (second == j)] for i in (0, 1) for j in (0, 1)]
    explained = found.share.sum(0)
    np.testing.assert_allclose((explained / 3) / ((1 - explained) / 28), f_oneway(*cells).statistic)


def test_classes_of_units_that_are_known():
    first, second = design(2, 2, 20)
    x, y = 2 * first - 1, 2 * second - 1
    signal = {
        "none": 0 * x, "pure": x, "pure too": -y, "linear_mixed": x + 0.8 * y,
        "nonlinear_mixed": x * y, "nonlinear_mixed too": x + y + x * y,
    }  # fmt: skip
    activity = np.stack(list(signal.values()), -1) + 0.5 * np.random.default_rng(3).standard_normal((80, 6))
    found = selectivity(activity, first, second)
    assert [CLASSES[code] for code in found.category] == [name.split()[0] for name in signal]
    np.testing.assert_allclose(found.class_share, [1 / 6, 2 / 6, 1 / 6, 2 / 6])


def test_noise_alone():
    first, second = design(2, 3, 10)
    activity = np.random.default_rng(4).standard_normal((60, 1000))
    found = selectivity(activity, first, second)
    for term in found.p:
        assert kstest(term, "uniform").pvalue > 0.01
    assert found.class_share[0] > 0.995
    assert found.p_adjusted.min() > 1e-3
    shuffled = np.random.default_rng(5).permutation(60)
    strong = activity + 2 * first[:, None]
    assert (selectivity(strong, first, second).category == 1).mean() > 0.95
    assert (selectivity(strong, first[shuffled], second[shuffled]).category == 0).mean() > 0.99


def test_invariances():
    first, second = design()
    rng = np.random.default_rng(6)
    activity = rng.standard_normal((30, 4)) + first[:, None] * [0, 1, 2, 0] + second[:, None] * [0, 0, 3, 2]
    base = selectivity(activity, first, second)
    order = rng.permutation(30)
    moved = selectivity(
        (activity * [2, -3, 1, 0.1] + 9)[order].T, 7 - first[order], second[order] + 4, axis=0
    )
    np.testing.assert_allclose(moved.f, base.f)
    np.testing.assert_array_equal(moved.category, base.category)
    swapped = selectivity(activity, second, first)
    np.testing.assert_allclose(swapped.p[[1, 0, 2]], base.p)


def test_activity_without_noise_and_units_that_are_silent():
    first, second = design(2, 2, 3)
    activity = np.stack([first + second, first * second, 0 * first, 1e6 + 1e-2 * first], -1).astype(float)
    found = selectivity(activity, first, second)
    assert [CLASSES[code] for code in found.category] == ["linear_mixed", "nonlinear_mixed", "none", "none"]
    assert np.isinf(found.f[:2, 0]).all()
    np.testing.assert_array_equal(found.f[:, 2], 0)
    np.testing.assert_array_equal(found.p[:, 2], 1)
    np.testing.assert_array_equal(found.share[:, 2], 0)
    np.testing.assert_allclose(found.share[:, :2], [[0.5, 1 / 3], [0.5, 1 / 3], [0, 1 / 3]], atol=1e-12)


FIRST, SECOND = design()
ACTIVITY = np.random.default_rng(7).standard_normal((30, 2))


@pytest.mark.parametrize(
    ("activity", "first", "second", "options", "message"),
    [
        (np.where(ACTIVITY > 1, np.nan, ACTIVITY), FIRST, SECOND, {}, "activity: .* not finite; leave these"),
        (ACTIVITY[None], FIRST, SECOND, {}, "activity: shape .1, 30, 2.; expected .trial, unit.: average"),
        (ACTIVITY, FIRST[1:], SECOND, {}, "unequal lengths: activity 30, first 29, second 30"),
        (ACTIVITY, FIRST + 0.5, SECOND, {}, "first: float64 of shape .30,.; use one integer level a trial"),
        (ACTIVITY, FIRST, 0 * SECOND, {}, "second: 1 level; an effect needs at least two"),
        (ACTIVITY[1:], FIRST[1:], SECOND[1:], {}, "activity: cells hold 4 to 5 trials; the analysis takes"),
        (ACTIVITY, FIRST, FIRST % 2, {}, "activity: cells hold 0 to 10 trials"),
        (ACTIVITY[:4], np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), {}, "activity: 1 trial in each cell"),
        (0 * ACTIVITY + 0.3, FIRST, SECOND, {}, "activity: zero variance in every unit"),
        (ACTIVITY, FIRST, SECOND, {"alpha": 0.0}, "alpha: 0.0 is not between 0 and 1"),
    ],
)  # fmt: skip
def test_refusals(activity, first, second, options, message):
    with pytest.raises(ValueError, match=message):
        selectivity(activity, first, second, **options)


def dataset():
    first, second = design(2, 2, 10)
    rng = np.random.default_rng(8)
    activity = rng.standard_normal((2, 40, 3, 5)) + 2.0 * first[:, None, None] * np.eye(5)[0]
    activity[:, :, 2] += 3.0 * (first * second)[:, None] * np.eye(5)[1]
    rates = xr.DataArray(
        activity, dims=("seed", "trial", "time", "unit"),
        coords={"seed": [0, 4], "time": [5.0, 15.0, 25.0], "unit": np.arange(5) + 2},
    )  # fmt: skip
    side = xr.DataArray(np.array(["left", "right"])[first], dims="trial")
    return rates, {"side": side, "rule": xr.DataArray(second * 0.5, dims="trial")}, first, second


def test_datasets():
    rates, factors, first, second = dataset()
    found = analysis.selectivity(rates, factors)
    for s in range(2):
        for t in range(3):
            direct = selectivity(rates.values[s, :, t], first, second)
            np.testing.assert_allclose(found.f[s, t], direct.f)
            np.testing.assert_allclose(found.p_adjusted[s, t], direct.p_adjusted)
            np.testing.assert_array_equal(found.category[s, t], direct.category)
            np.testing.assert_allclose(found.class_share[s, t], direct.class_share)
    assert found.parameter.attrs["flag_meanings"] == "side rule side×rule"
    assert found.option.attrs["flag_meanings"] == "none pure linear_mixed nonlinear_mixed"
    assert found.category.dtype.kind == "i"
    np.testing.assert_array_equal(found["unit"], rates["unit"])
    typed = rates.assign_coords(cell_type=("unit", np.arange(rates.sizes["unit"]) % 2))
    np.testing.assert_array_equal(analysis.selectivity(typed, factors).cell_type, typed.cell_type)
    np.testing.assert_array_equal(found["time"], rates["time"])
    assert (found.num_units == 5).all()
    assert (found.num_trials == 40).all()
    assert set(found.sizes) <= set(found.coords)
    assert all({"units", "long_name"} <= set(each.attrs) for each in found.data_vars.values())


def test_trials_units_and_times_that_are_missing():
    rates, factors, first, second = dataset()
    rates = rates.where((rates["unit"] != 3) & ((rates["time"] < 20) | (rates["seed"] == 0)))
    found = analysis.selectivity(rates, factors)
    assert (found.category.sel(unit=3) == -1).all()
    np.testing.assert_array_equal(found.fit_status, [[0, 0, 0], [0, 0, 1]])
    rest = [0, 2, 3, 4]
    direct = selectivity(rates.values[0, :, 0][:, rest], first, second)
    np.testing.assert_allclose(found.p[0, 0][:, rest], direct.p)
    np.testing.assert_allclose(found.class_share[0, 0], direct.class_share)
    keep = np.sort(np.concatenate([np.flatnonzero(2 * first + second == k)[:6] for k in range(4)]))
    where = xr.DataArray(np.isin(np.arange(40), keep), dims="trial")
    fewer = analysis.selectivity(rates.isel(seed=0, time=0), factors, where=where)
    assert fewer.num_trials == 24
    less = selectivity(rates.values[0, :, 0][np.ix_(keep, rest)], first[keep], second[keep])
    np.testing.assert_allclose(fewer.f[:, rest], less.f)
    with pytest.raises(ValueError, match="cells hold 9 to 10 trials"):
        analysis.selectivity(
            rates.isel(seed=0, time=0, trial=slice(1, None)), {k: v[1:] for k, v in factors.items()}
        )
    with pytest.raises(ValueError, match="factors: 1; give two"):
        analysis.selectivity(rates, {"side": factors["side"]})
    with pytest.raises(ValueError, match=r"rates: dims .* lack trial; expected"):
        analysis.selectivity(rates.mean("trial"), factors)
