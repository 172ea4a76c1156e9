import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.dimensionality import dimensionality, participation_ratio
from throughtime.analysis.arrays.pca import pca

U = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) / 2
EQUAL = np.tile([0.1, -0.7, 1 / 3], (11, 1))  # samples alike, whose mean is not quite they


def test_pca_known_answer():
    result = pca(U * [2.0, 1.0])
    np.testing.assert_allclose(result.explained_variance_ratio, [0.8, 0.2])
    np.testing.assert_allclose(result.component, np.eye(2), atol=1e-12)
    assert participation_ratio(result.explained_variance) == pytest.approx(25 / 17)


def test_pca_reconstructs_and_is_orthonormal():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 7, 5)) + 3
    result = pca(x, soft_normalization=2.0)
    np.testing.assert_allclose(result.component @ result.component.T, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(result.score @ result.component * result.scale + result.mean, x)
    assert result.score.shape == (6, 7, 5)
    largest = np.abs(result.component).argmax(1)
    assert (result.component[np.arange(5), largest] > 0).all()
    np.testing.assert_allclose(result.scale, np.ptp(x, axis=(0, 1)) + 2.0)


def test_pca_ignores_rotation_offset_and_order_of_axes():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 4)) @ np.diag([4.0, 2, 1, 0.5])
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    a, b = pca(x), pca(x @ rotation + 7)
    np.testing.assert_allclose(a.explained_variance, b.explained_variance)
    np.testing.assert_allclose(pca(x.T, axis=0).component, a.component)


def test_pca_leaves_invalid_samples_out():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, 20, 4))
    valid = np.ones((3, 20), bool)
    valid[1, 12:] = False
    padded = np.where(valid[..., None], x, np.nan)
    result = pca(padded, valid=valid)
    np.testing.assert_allclose(result.component, pca(x[valid]).component)
    np.testing.assert_array_equal(np.isnan(result.score).all(-1), ~valid)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.full((4, 2), np.nan), {}, "activity: 8 of 8 values are not finite; leave padding out"),
        (np.ones((4, 2)), {}, "activity: zero variance in every unit"),
        (EQUAL, {}, "activity: zero variance in every unit"),
        (np.ones((4, 0)), {}, r"activity: shape \(4, 0\) has no units"),
        (np.ones((1, 2)), {}, "activity: 1 valid samples; use at least 2"),
        (U, {"num_components": 3}, "num_components: 3 with 4 samples of 2 units; use 1 to 2"),
        (U * [1, 0], {"soft_normalization": 0.0}, "soft_normalization: 0.0 leaves a unit without range"),
        (U, {"valid": np.ones(3, bool)}, r"valid: bool of shape \(3,\); use booleans of shape \(4,\)"),
    ],
)
def test_pca_refusals(x, options, message):
    with pytest.raises(ValueError, match=message):
        pca(x, **options)


def test_participation_ratio_known_answers():
    assert participation_ratio(np.full(9, 0.3)) == pytest.approx(9)
    assert participation_ratio(0.5 ** np.arange(60)) == pytest.approx(3)
    np.testing.assert_allclose(participation_ratio(np.eye(3)), 1)


def test_white_noise():
    rng = np.random.default_rng(0)
    results = [dimensionality(rng.standard_normal((200, 100))) for _ in range(4)]
    assert np.mean([r.participation_ratio for r in results]) == pytest.approx(66.4, abs=1.5)
    assert np.mean([r.participation_ratio_corrected for r in results]) == pytest.approx(100, abs=3)


def test_correction_solves_the_moments_of_the_wishart_distribution():
    x = np.random.default_rng(1).standard_normal((7, 4)) * [3, 2, 1, 1]
    s, dof = np.cov(x.T), 6
    moments = [[1 + 1 / dof, 1 / dof], [2 / dof, 1]]
    a, b = np.linalg.solve(moments, [np.trace(s @ s), np.trace(s) ** 2])
    assert dimensionality(x).participation_ratio_corrected == pytest.approx(b / a)


def test_counts_of_components():
    x = np.concatenate([np.eye(4), -np.eye(4)]) * np.sqrt([80.0, 12, 5, 3])
    result = dimensionality(x)
    assert (result.num_components_90, result.num_components_95, result.num_samples) == (2, 3, 8)
    assert dimensionality(x.T, axis=0).participation_ratio == result.participation_ratio


def test_correction_is_nan_when_it_has_no_answer():
    flat = np.concatenate([np.eye(6), -np.eye(6)])[:5]
    assert np.isnan(dimensionality(flat).participation_ratio_corrected)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 3)), "activity: 2 samples; use at least 3"),
        (np.ones((5, 3)), "activity: zero variance"),
        (EQUAL, "activity: zero variance"),
        (np.ones((5, 0)), r"activity: shape \(5, 0\) has no units"),
        (np.full((5, 3), np.inf), "activity: 15 of 15 values are not finite"),
    ],
)
def test_dimensionality_refusals(x, message):
    with pytest.raises(ValueError, match=message):
        dimensionality(x)


def test_datasets():
    rng = np.random.default_rng(3)
    rates = xr.DataArray(
        rng.standard_normal((2, 3, 8, 4)),
        dims=("seed", "condition", "time", "unit"),
        coords={"seed": [1, 2], "time": np.arange(8.0)},
    )
    rates[0, 1, 5:] = np.nan
    result = analysis.pca(rates, num_components=3)
    direct = pca(rates.values[1], num_components=3)
    np.testing.assert_allclose(result.components.sel(seed=2), direct.component)
    np.testing.assert_allclose(result.score.sel(seed=2), direct.score)
    assert np.isnan(result.score.sel(seed=1, condition=1)[5:]).all()
    np.testing.assert_array_equal(result["time"], rates["time"])
    assert set(result.sizes) <= set(result.coords)
    sizes = analysis.dimensionality(rates)
    np.testing.assert_array_equal(sizes.num_samples, [21, 24])
    assert float(sizes.participation_ratio.sel(seed=2)) == dimensionality(rates.values[1]).participation_ratio
    assert result.attrs["samples"] == "condition time"


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_failed_seed_is_nan_among_others_and_refused_alone(seed, value):
    rates = xr.DataArray(np.random.default_rng(4).standard_normal((3, 9, 4)), dims=("seed", "trial", "unit"))
    whole = [f(rates) for f in (analysis.dimensionality, analysis.pca)]
    rates[seed] = value
    others = [k for k in range(3) if k != seed]
    for function, before in zip((analysis.dimensionality, analysis.pca), whole, strict=True):
        found = function(rates)
        assert found.fit_status.values[seed] == 1
        assert (found.fit_status.values[others] == 0).all()
        assert found.fit_status.attrs["flag_meanings"] == "computed refused"
        assert found.attrs["refusal"].startswith("activity: ")
        for name, array in found.drop_vars("fit_status").data_vars.items():
            np.testing.assert_array_equal(array[others], before[name][others])
            assert array.dtype == before[name].dtype
            assert np.isnan(array[seed]).all() if array.dtype.kind == "f" else (array[seed] == 0).all()
        with pytest.raises(ValueError, match="activity: "):
            function(rates[seed])


@pytest.mark.parametrize("name", ["pca", "dimensionality"])
def test_each_checkpoint_is_a_circuit_and_no_sample(name):
    rng = np.random.default_rng(0)
    rates = xr.DataArray(rng.standard_normal((2, 30, 4)), dims=("checkpoint", "trial", "unit"))
    rates = rates * xr.DataArray([1.0, 5.0], dims="checkpoint")
    both = getattr(analysis, name)(rates)
    for index in range(2):
        alone = getattr(analysis, name)(rates.isel(checkpoint=index))
        for variable in alone.data_vars:
            np.testing.assert_allclose(both[variable].isel(checkpoint=index), alone[variable])
