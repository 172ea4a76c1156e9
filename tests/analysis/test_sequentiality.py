"""Sequentiality: known answers, a second implementation, refusals, datasets."""

import math

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.sequentiality import FLOOR, sequentiality

TIME = np.arange(5.0, 1000.0, 10.0)


def bumps(num_bins=20, width=15.0, base=0.0):
    centres = (np.arange(num_bins) + 0.5) * 1000 / num_bins
    return base + np.exp(-((TIME[:, None] - centres) ** 2) / (2 * width**2))


def by_loops(rates, num_bins):
    counts, ratios = [0] * num_bins, []
    bin_width = 1000 / num_bins
    for series in rates.T:
        peak = max(range(TIME.size), key=lambda k: series[k])
        counts[int(TIME[peak] // bin_width)] += 1
        inside = [series[k] for k in range(TIME.size) if abs(TIME[k] - TIME[peak]) <= bin_width]
        outside = [series[k] for k in range(TIME.size) if abs(TIME[k] - TIME[peak]) > bin_width]
        rest = max(sum(outside) / len(outside), FLOOR * max(series))
        ratios.append(math.log(sum(inside) / len(inside) / rest))
    shares = [count / rates.shape[1] for count in counts if count]
    return -sum(share * math.log(share) for share in shares), ratios


@pytest.mark.parametrize("num_bins", [4, 10, 20, 50])
def test_bumps_that_tile_the_time_have_the_entropy_of_the_bins(num_bins):
    found = sequentiality(bumps(num_bins), TIME, num_bins=num_bins)
    assert found.entropy == pytest.approx(np.log(num_bins), abs=1e-12)
    np.testing.assert_allclose(found.peak_share, 1 / num_bins)
    np.testing.assert_allclose(found.peak_time, found.bin_centre, atol=5.0)
    assert found.num_units == num_bins


@pytest.mark.parametrize("level", [0.2, 37.0])
def test_constant_rates_have_ratio_one_and_no_peaks(level):
    found = sequentiality(np.full((TIME.size, 6), level), TIME)
    np.testing.assert_array_equal(np.exp(found.log_ratio), 1)
    assert np.isnan(found.peak_time).all()
    assert (found.sequentiality, found.entropy, found.num_units) == (0, 0, 6)


def test_square_bumps_by_hand():
    """A bump of height 4 over a window as wide as the ridge, on a background of 1: ratio 4."""
    square = np.ones((TIME.size, 3))
    for unit, peak in enumerate((20, 50, 80)):
        square[peak - 5 : peak + 6, unit] = 4
        square[peak, unit] = 4 + 1e-9
    found = sequentiality(square, TIME)
    np.testing.assert_allclose(found.log_ratio, np.log(4), atol=1e-9)
    assert found.sequentiality == pytest.approx(np.log(3) + np.log(4))


def test_a_second_implementation_agrees():
    rates = np.random.default_rng(0).gamma(2.0, size=(TIME.size, 30)) * bumps(30, 60.0, 0.2)
    found = sequentiality(rates, TIME, num_bins=12)
    entropy, ratios = by_loops(rates, 12)
    assert found.entropy == pytest.approx(entropy)
    np.testing.assert_allclose(found.log_ratio, ratios)
    assert found.sequentiality == pytest.approx(entropy + np.mean(ratios))


def test_sequence_above_ramps_synchrony_and_noise():
    rng = np.random.default_rng(1)
    sequence = sequentiality(bumps(base=0.05), TIME)
    ramps = sequentiality(TIME[:, None] * rng.uniform(1, 2, 20), TIME)
    together = sequentiality(np.tile(bumps(base=0.05)[:, 9:10], 20), TIME)
    noise = sequentiality(rng.uniform(0.9, 1.1, (TIME.size, 20)), TIME)
    for other in (ramps, together, noise):
        assert other.sequentiality < sequence.sequentiality - 0.5
    assert ramps.entropy == together.entropy == 0
    assert abs(noise.log_ratio).max() < 0.1


def test_invariances():
    rates = bumps(20, 30.0, 0.1)
    base = sequentiality(rates, TIME)
    rng = np.random.default_rng(2)
    order, scale = rng.permutation(20), rng.uniform(0.5, 40, 20)
    other = sequentiality((rates * scale)[:, order].T, TIME + 300, axis=0)
    assert other.sequentiality == pytest.approx(base.sequentiality)
    np.testing.assert_allclose(other.log_ratio, base.log_ratio[order])
    np.testing.assert_allclose(other.peak_time, base.peak_time[order] + 300)
    np.testing.assert_allclose(sequentiality(rates[::-1], TIME).sequentiality, base.sequentiality)


def test_silent_units_are_left_out_and_empty_backgrounds_are_bounded():
    rates = np.concatenate([bumps(20, 3.0), np.zeros((TIME.size, 2)), np.full((TIME.size, 1), 1e-3)], 1)
    found = sequentiality(rates, TIME, min_rate=0.002)
    assert found.num_units == 20
    assert np.isnan(found.log_ratio[20:]).all()
    assert (found.log_ratio[:20] <= np.log(1 / FLOOR)).all()
    assert np.isfinite(found.sequentiality)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activity": np.full((100, 2), np.nan)}, "activity: 200 of 200 values are not finite; average over"),
        ({"activity": -bumps()}, "activity: rates down to -1; ratios need rates that are not negative"),
        ({"activity": np.zeros((100, 3))}, "activity: no unit has a mean rate above 0; lower min_rate"),
        ({"activity": np.ones((100, 3, 2))}, r"activity: shape \(100, 3, 2\); expected units and times"),
        ({"activity": np.ones((90, 3))}, "unequal lengths: activity 90, time 100"),
        ({"num_bins": 3}, "num_bins: 3; use at least 4"),
        ({"num_bins": 101}, "num_bins: 101 for 100 times; use at most one bin a time"),
        ({"time": TIME**2}, "time: samples are not uniformly spaced"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        sequentiality(**({"activity": bumps(), "time": TIME} | change))


def test_datasets():
    rates = xr.DataArray(
        np.stack([bumps(), np.full_like(bumps(), np.nan), bumps(20, 40.0)]),
        dims=("seed", "time", "unit"),
        coords={"seed": [3, 4, 5], "time": TIME, "unit": np.arange(20) + 7},
        attrs={"units": "Hz"},
    )
    rates[2, :, 4] = np.nan
    found = analysis.sequentiality(rates, num_bins=10)
    direct = sequentiality(np.delete(rates.values[2], 4, 1), TIME, num_bins=10)
    last = found.sel(seed=5)
    for name in ("sequentiality", "entropy", "num_units"):
        assert float(last[name]) == pytest.approx(getattr(direct, name))
    np.testing.assert_allclose(np.delete(last["log_ratio"].values, 4), direct.log_ratio)
    np.testing.assert_allclose(last["lag"], direct.bin_centre)
    assert float(last.mean_log_ratio) == pytest.approx(direct.log_ratio.mean())
    np.testing.assert_array_equal(found.fit_status, [0, 1, 0])
    assert found.attrs["refusal"].startswith("activity: shape (100, 0); expected units and times")
    np.testing.assert_array_equal(found["unit"], rates["unit"])
    assert set(found.sizes) <= set(found.coords)
    for variable in found.variables.values():
        assert "units" in variable.attrs or variable.dims in (("seed",), ("time",), ("unit",))
    with pytest.raises(ValueError, match=r"rates: has trials; average them first"):
        analysis.sequentiality(rates.rename(seed="trial"))
    with pytest.raises(ValueError, match="activity: rates down to -1"):
        analysis.sequentiality(-rates.isel(seed=[0, 2]))
