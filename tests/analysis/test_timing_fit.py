import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.levels import assign, bin_edges
from throughtime.analysis.arrays.timing import timing

ASKED = np.repeat(np.arange(600.0, 1001.0, 100.0), 6)


def exact_noise(num_levels: int, num_trials: int) -> np.ndarray:
    """Values of mean 0 and sample SD 1 in every level."""
    one = np.linspace(-1, 1, num_trials)
    return np.tile(one / one.std(ddof=1), num_levels)


def test_known_answers():
    mean = 0.8 * ASKED + 160
    result = timing(ASKED, mean * (1 + 0.1 * exact_noise(5, 6)))
    assert result.slope == pytest.approx(0.8)
    assert result.intercept == pytest.approx(160)
    assert result.indifference == pytest.approx(800)
    assert result.bias == pytest.approx(28.2843, abs=1e-4)
    assert result.weber_fraction == pytest.approx(0.1)
    np.testing.assert_allclose(result.sd, 0.1 * result.mean)
    assert result.variance == pytest.approx(np.mean((0.1 * result.mean) ** 2))
    assert result.rmse**2 == pytest.approx(result.bias**2 + result.variance)
    assert result.fraction_missing == 0


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.4])
def test_exponent_of_the_power_law(beta):
    sd = 3.0 * (ASKED / 800) ** beta
    result = timing(ASKED, ASKED + sd * exact_noise(5, 6))
    assert result.beta == pytest.approx(beta)
    np.testing.assert_allclose(result.beta_interval, beta, atol=1e-6)
    predicted = result.sd_scale * (result.interval / result.interval_scale) ** beta
    np.testing.assert_allclose(predicted, result.sd)


def test_generalised_weber_law():
    result = timing(ASKED, ASKED + (5 + 0.05 * ASKED) * exact_noise(5, 6))
    assert (result.sd_intercept, result.sd_slope) == pytest.approx((5, 0.05))


def test_width_of_a_bin_adds_nothing_to_its_sd():
    asked = np.linspace(400, 1400, 500)
    exact = timing(asked, 0.9 * asked + 50, num_bins=4)
    assert exact.interval.size == 4
    np.testing.assert_allclose(exact.sd, 0, atol=1e-9)
    assert np.isnan(exact.beta)
    assert exact.slope == pytest.approx(0.9)


def test_missing_responses_are_counted_not_used():
    produced = ASKED + 10 * exact_noise(5, 6)
    produced[:3] = np.nan
    result = timing(ASKED, produced)
    assert result.fraction_missing == pytest.approx(3 / 30)
    np.testing.assert_allclose(result.missing, [0.5, 0, 0, 0, 0])
    np.testing.assert_array_equal(result.num_trials, 6)


def test_scaling_all_times_scales_the_answer():
    rng = np.random.default_rng(0)
    asked = rng.uniform(400, 1400, 300)
    produced = 0.9 * asked + 60 + 0.1 * asked * rng.standard_normal(300)
    a, b = timing(asked, produced), timing(2 * asked, 2 * produced)
    for name in ("slope", "beta", "weber_fraction"):
        assert getattr(a, name) == pytest.approx(getattr(b, name))
    for name in ("intercept", "bias", "rmse", "indifference"):
        assert 2 * getattr(a, name) == pytest.approx(getattr(b, name))


@pytest.mark.parametrize("resamples", [0, 60])
def test_intervals_cover_the_truth(resamples):
    rng = np.random.default_rng(3)
    hits = np.zeros(2)
    for seed in range(40):
        asked = np.repeat(np.linspace(400, 1400, 6), 40)
        produced = 0.9 * asked + 0.05 * asked * rng.standard_normal(asked.size)
        result = timing(asked, produced, num_resamples=resamples, seed=seed)
        for k, (bounds, truth) in enumerate(((result.slope_interval, 0.9), (result.beta_interval, 1.0))):
            hits[k] += bounds[0] <= truth <= bounds[1]
    assert (hits >= 33).all()


@pytest.mark.parametrize(
    ("asked", "produced", "message"),
    [
        (np.repeat([400.0, 800.0], 4), np.ones(8), "interval: 2 distinct intervals; use at least 3"),
        (np.array([400.0, 400, 800, 800, 900]), np.ones(5), "interval: 1 trials in one of 3 intervals"),
        (np.append(ASKED, np.nan), np.ones(31), "interval: 1 of 31 values are not finite"),
        (ASKED, np.ones(29), "unequal lengths: interval 30, produced 29"),
        (ASKED, np.full(30, np.inf), "produced: 30 infinite values; mark a missing response with NaN"),
        (ASKED - 600, np.ones(30), "interval: found 0 ms; intervals are positive"),
        (ASKED, np.full(30, np.nan), "produced: 0 intervals have 2 responses"),
        (ASKED[None], np.ones((1, 30)), r"interval: expected one value a trial, got shape \(1, 30\)"),
    ],
)
def test_refusals(asked, produced, message):
    with pytest.raises(ValueError, match=message):
        timing(asked, produced)


def test_bins():
    values = np.random.default_rng(0).exponential(size=1000)
    quantile = np.bincount(assign(values, bin_edges(values, 8)))
    assert set(quantile) == {125}
    equal = bin_edges(values, 8, "equal")
    np.testing.assert_allclose(np.diff(equal), (values.max() - values.min()) / 8)
    for bad, message in (
        ({"num_bins": 0}, "num_bins: got 0"),
        ({"binning": "other"}, "binning: unknown 'other'"),
    ):
        with pytest.raises(ValueError, match=message):
            bin_edges(values, **bad)


def test_dataset_calls_the_array_function_seed_by_seed():
    rng = np.random.default_rng(1)
    asked = xr.DataArray(rng.uniform(400, 1400, (3, 90)), dims=("seed", "trial"), coords={"seed": [4, 5, 6]})
    produced = asked * np.array([1.0, 0.8, 0.9])[:, None] + 20 * rng.standard_normal((3, 90))
    produced[1] = np.nan
    where = xr.ones_like(asked, dtype=bool)
    where[:, :5] = False
    result = analysis.timing(asked, produced, where=where, num_bins=5)
    edges = bin_edges(asked.values[:, 5:], 5)
    direct = timing(asked.values[2, 5:], produced.values[2, 5:], edges=edges)
    assert float(result.slope.sel(seed=6)) == direct.slope
    np.testing.assert_array_equal(result["sd"].sel(seed=6), direct.sd)
    np.testing.assert_array_equal(result.fit_status, [0, 1, 0])
    assert np.isnan(result.slope.sel(seed=5))
    assert float(result.fraction_missing.sel(seed=5)) == 1
    assert int(result.num_trials.sel(seed=4).sum()) == 85
    assert result["sd"].attrs["units"] == "ms"
    assert set(result.sizes) <= set(result.coords)
    assert result.attrs["method"] == "timing"
