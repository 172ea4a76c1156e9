"""Targeted dimensionality reduction: mixing axes found again, order, refusals, datasets."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.tdr import tdr

RNG = np.random.default_rng(0)
NUM_TIMES, NUM_UNITS = 15, 20
DIRECTIONS = np.linalg.qr(RNG.standard_normal((NUM_UNITS, 3)))[0].T
MIXING = np.array([[1.0, 0.3, 0.0], [0.0, 2.0, 0.6], [0.2, 0.0, 0.5]]) @ DIRECTIONS
COURSE = np.exp(-((np.arange(NUM_TIMES) - np.array([[3], [7], [11]])) ** 2) / 8)
VARIABLES = np.array(np.meshgrid([-1, 1], [-1, 0, 1], [-0.5, 0.5])).reshape(3, -1).T.astype(float)
VARIABLES = np.tile(VARIABLES, (3, 1))
ACTIVITY = 5 + np.einsum("kv,vt,vi->kti", VARIABLES, COURSE, MIXING)


def same_axes(first, second):
    np.testing.assert_allclose(abs((first * second).sum(-1)), 1, atol=1e-12)


@pytest.mark.parametrize("standardize", [False, True])
def test_mixing_axes_without_noise(standardize):
    found = tdr(ACTIVITY, VARIABLES, standardize=standardize)
    same_axes(found.axis, np.linalg.qr((MIXING / found.scale).T)[0].T)
    np.testing.assert_array_equal(found.peak, [3, 7, 11])
    np.testing.assert_allclose(found.axis @ found.axis.T, np.eye(3), atol=1e-12)
    assert (((MIXING / found.scale) * found.axis).sum(1) > 0).all()
    expected = COURSE[..., None] * (MIXING / found.scale)[:, None]
    np.testing.assert_allclose(found.coefficient, expected, atol=1e-12)
    np.testing.assert_allclose(found.coefficient_norm, np.linalg.norm(expected, axis=-1), atol=1e-12)
    assert (found.scale == 1).all() != standardize


def test_orthogonal_axes_are_the_mixing_axes_and_scores_their_courses():
    activity = np.einsum("kv,vt,vi->kti", VARIABLES, COURSE, DIRECTIONS)
    found = tdr(activity, VARIABLES, standardize=False)
    np.testing.assert_allclose(found.axis, DIRECTIONS, atol=1e-12)
    np.testing.assert_allclose(found.score, found.value[:, None] * COURSE.T, atol=1e-12)
    assert found.value.shape == (12, 3)


def test_the_order_decides_where_vectors_overlap():
    order = [2, 0, 1]
    found = tdr(ACTIVITY, VARIABLES[:, order], standardize=False)
    same_axes(found.axis, np.linalg.qr(MIXING[order].T)[0].T)
    first = tdr(ACTIVITY, VARIABLES, standardize=False)
    assert abs(first.axis[2] @ found.axis[0]) < 0.99


def test_against_a_regression_unit_by_unit():
    rng = np.random.default_rng(1)
    activity = ACTIVITY + 0.2 * rng.standard_normal(ACTIVITY.shape)
    found = tdr(activity, VARIABLES, num_components=5)
    z = (activity - activity.mean((0, 1))) / activity.std((0, 1))
    design = np.column_stack([np.ones(len(z)), VARIABLES])
    for t, i in [(0, 0), (7, 3), (14, 19)]:
        slow = np.linalg.solve(design.T @ design, design.T @ z[:, t, i])[1:]
        np.testing.assert_allclose(found.coefficient[:, t, i], slow, atol=1e-10)
    means = np.stack([z[(row == VARIABLES).all(1)].mean(0) for row in np.unique(VARIABLES, axis=0)])
    flat = means.reshape(-1, NUM_UNITS)
    _, _, right = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    projected = found.coefficient @ right[:5].T @ right[:5]
    np.testing.assert_array_equal(found.peak, np.linalg.norm(projected, axis=-1).argmax(1))
    chosen = projected[np.arange(3), found.peak]
    done = []
    for vector in chosen:  # Gram and Schmidt
        for before in done:
            vector = vector - (vector @ before) * before
        done.append(vector / np.linalg.norm(vector))
    np.testing.assert_allclose(found.axis, done, atol=1e-10)
    np.testing.assert_allclose(found.score, means @ np.transpose(done), atol=1e-10)
    # noise turns the axes a little, the weakest variable's most
    overlap = abs((found.axis * np.linalg.qr((MIXING / found.scale).T)[0].T).sum(1))
    assert (overlap > [0.9, 0.9, 0.7]).all()


def test_invariances():
    base = tdr(ACTIVITY, VARIABLES)
    other = tdr(np.moveaxis(3 * ACTIVITY - 2, -1, 0), VARIABLES * [1, 10, 0.1] + [0, 4, 0], axis=0)
    np.testing.assert_allclose(base.axis, other.axis, atol=1e-10)
    np.testing.assert_array_equal(base.peak, other.peak)
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((NUM_UNITS, NUM_UNITS)))[0]
    turned = tdr(ACTIVITY @ turn, VARIABLES, standardize=False)
    np.testing.assert_allclose(
        turned.axis, tdr(ACTIVITY, VARIABLES, standardize=False).axis @ turn, atol=1e-10
    )


def test_silent_units_keep_their_scale():
    activity = np.concatenate([ACTIVITY, np.full((*ACTIVITY.shape[:2], 1), 2.0)], -1)
    found = tdr(activity, VARIABLES)
    np.testing.assert_allclose(found.axis[:, :-1], tdr(ACTIVITY, VARIABLES).axis, atol=1e-12)
    assert (found.axis[:, -1] == 0).all()
    assert found.scale[-1] == 1


@pytest.mark.parametrize(
    ("activity", "variables", "options", "message"),
    [
        (np.where(ACTIVITY > 6, np.nan, ACTIVITY), VARIABLES, {}, "activity: .* not finite; cut to times"),
        (ACTIVITY, np.where(VARIABLES > 0, np.nan, VARIABLES), {}, "variables: .* leave these trials out"),
        (ACTIVITY[0], VARIABLES, {}, "expected .trial, time, unit. and .trial, variable."),
        (ACTIVITY[1:], VARIABLES, {}, "unequal lengths: activity 35, variables 36"),
        (ACTIVITY, VARIABLES, {"condition": np.zeros(3)}, "unequal lengths: activity 36, condition 3"),
        (ACTIVITY, VARIABLES, {"condition": np.zeros(36)}, "condition: a single one"),
        (0 * ACTIVITY + 3, VARIABLES, {}, "activity: zero variance in every unit"),
        (ACTIVITY[:4], VARIABLES[:4], {}, "variables: 4 trials for 3 variables and a constant; use at least"),
        (ACTIVITY, VARIABLES * [1, 0, 1], {}, "variables: number 1 is the same in every trial"),
        (
            ACTIVITY,
            VARIABLES @ np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1e-7]]),
            {},
            "condition number .*e.* a",
        ),
        (ACTIVITY, VARIABLES, {"num_components": 2}, "num_components: 2 of 20 there are, for 3 variables"),
        (ACTIVITY[..., :2], VARIABLES, {}, "num_components: 12 of 2 there are"),
    ],
)
def test_refusals(activity, variables, options, message):
    with pytest.raises(ValueError, match=message):
        tdr(activity, variables, **options)


def test_refuses_a_variable_without_an_effect_of_its_own():
    activity = np.einsum("kv,vt,vi->kti", VARIABLES, COURSE, DIRECTIONS[[0, 1, 1]])
    with pytest.raises(ValueError, match="variables: number 2 moves the activity in no direction beyond"):
        tdr(activity, VARIABLES, standardize=False)
    activity = np.einsum("kv,vt,vi->kti", VARIABLES, COURSE * [[1], [0], [1]], DIRECTIONS)
    with pytest.raises(ValueError, match="variables: number 1 moves the activity in no direction"):
        tdr(activity, VARIABLES)


def dataset():
    names = ("choice", "motion", "colour")
    rates = np.stack([ACTIVITY, ACTIVITY[..., ::-1] + 1])
    rates = xr.DataArray(
        rates, dims=("seed", "trial", "time", "unit"), attrs={"units": "Hz"},
        coords={"seed": [4, 5], "time": 10.0 * np.arange(NUM_TIMES) + 5, "unit": np.arange(NUM_UNITS) + 1},
    )  # fmt: skip
    return rates, {
        name: xr.DataArray(VARIABLES[:, k], dims="trial", name=name) for k, name in enumerate(names)
    }


def test_datasets():
    rates, variables = dataset()
    found = analysis.tdr(rates, variables, num_components=6)
    for s in range(2):
        direct = tdr(rates.values[s], VARIABLES, num_components=6)
        np.testing.assert_allclose(found.axis[s], direct.axis)
        np.testing.assert_allclose(found.score[s], direct.score, atol=1e-12)
        np.testing.assert_allclose(found.coefficient[s], direct.coefficient)
        np.testing.assert_allclose(found.value[s], direct.value)
    np.testing.assert_array_equal(found.peak_time, [[35, 75, 115]] * 2)
    assert found.parameter.attrs["flag_meanings"] == "choice motion colour"
    assert found.score.dims == ("seed", "condition", "time", "parameter")
    assert found["mean"].attrs["units"] == "Hz"
    np.testing.assert_array_equal(found["unit"], rates["unit"])
    typed = rates.assign_coords(cell_type=("unit", np.arange(rates.sizes["unit"]) % 2))
    np.testing.assert_array_equal(analysis.tdr(typed, variables, num_components=6).cell_type, typed.cell_type)
    np.testing.assert_array_equal(found["time"], rates["time"])
    assert set(found.sizes) <= set(found.coords)
    assert all({"units", "long_name"} <= set(each.attrs) for each in found.data_vars.values())
    assert found.attrs["method"] == "tdr"
    assert (found.fit_status == 0).all()


def test_trials_units_and_seeds_that_are_missing():
    rates, variables = dataset()
    more = xr.concat([rates, 100 + rates.isel(trial=[0, 5])], dim="trial")
    choice = xr.concat([variables["choice"], xr.DataArray([np.nan, 1.0], dims="trial")], dim="trial")
    longer = {name: xr.concat([each, each[:2]], dim="trial") for name, each in variables.items()}
    longer["choice"] = choice
    where = xr.DataArray(np.arange(38) != 37, dims="trial")
    more = more.where(more["unit"] != 3)
    found = analysis.tdr(more, longer, where=where)
    rest = [k for k in range(NUM_UNITS) if k != 2]
    assert np.isnan(found.axis[..., 2]).all()
    np.testing.assert_allclose(found.axis[0][:, rest], tdr(ACTIVITY[..., rest], VARIABLES).axis)
    flat = rates.copy()
    flat[1] = 1.0
    found = analysis.tdr(flat, variables)
    np.testing.assert_array_equal(found.fit_status, [0, 1])
    assert np.isnan(found.axis[1]).all()
    assert "zero variance" in found.attrs["refusal"]
    with pytest.raises(ValueError, match="zero variance"):
        analysis.tdr(flat.isel(seed=1), variables)


def test_conditions_of_ones_own_and_variables_by_seed():
    rates, variables = dataset()
    side = xr.DataArray(np.where(VARIABLES[:, 0] > 0, 0.5, -0.5), dims="trial", name="side")
    found = analysis.tdr(rates, variables, condition=side)
    np.testing.assert_array_equal(found.side, [-0.5, 0.5])
    assert found.sizes["condition"] == 2
    order = np.random.default_rng(5).permutation(36)
    shuffled = xr.concat([rates.isel(seed=0), rates.isel(seed=1, trial=order)], dim="seed")
    by_seed = {name: xr.concat([each, each[order]], dim="seed") for name, each in variables.items()}
    both = analysis.tdr(shuffled, by_seed)
    np.testing.assert_allclose(both.score, analysis.tdr(rates, variables).score, atol=1e-10)
    with pytest.raises(ValueError, match=r"rates: dims .* lack trial; expected"):
        analysis.tdr(rates.mean("trial"), variables)
    with pytest.raises(ValueError, match="variables: none; give one array"):
        analysis.tdr(rates, {})
    with pytest.raises(ValueError, match=r"variables: 'side' is .* over .'unit',.; expected numbers"):
        analysis.tdr(rates, {"side": xr.DataArray(np.zeros(20), dims="unit")})
