"""Timing by group: planted slopes and a planted effect of the prior come back, shuffled trials do not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.timing_by import estimate, ordered, timing_by

SHORT, LONG = np.arange(480.0, 801.0, 80.0), np.arange(800.0, 1201.0, 100.0)
ASKED = np.repeat(np.concatenate([LONG, SHORT]), 8)
PRIOR = np.repeat([2.0, 0.0], 40)  # the longer one first: groups are ordered by their intervals
CENTRE = np.where(PRIOR == 0, 640.0, 1000.0)
SLOPE = np.where(PRIOR == 0, 0.8, 0.6)
BLUR = np.tile(np.linspace(-20, 20, 8), 10)
LEANING = CENTRE + SLOPE * (ASKED - CENTRE) + BLUR


def test_planted_parameters_come_back():
    found = timing_by(ASKED, LEANING, PRIOR)
    assert found.group.tolist() == [0, 2]
    np.testing.assert_allclose(found.slopes, [0.8, 0.6])
    assert (found.lowest_slope, found.highest_slope) == pytest.approx((0.6, 0.8))
    np.testing.assert_allclose(found.indifferences, [640, 1000])
    spread = np.array([((x - x.mean()) ** 2).sum() for x in (SHORT, LONG)])
    assert found.slope == pytest.approx((spread * [0.8, 0.6]).sum() / spread.sum())
    assert found.inside == 1
    np.testing.assert_allclose(found.shortest, [480, 800])
    np.testing.assert_allclose(found.longest, [800, 1200])
    # 800 ms: 640 + 0.8 * 160 under the short prior, 1000 - 0.6 * 200 under the long one
    assert found.shared_difference == pytest.approx(880 - 768)
    assert np.isnan(found.differences[0])
    error = BLUR[:8].std(ddof=1) * np.sqrt(2 / 8)
    assert found.difference_uppers[1] - found.shared_difference == pytest.approx(2.144787 * error, rel=1e-6)
    np.testing.assert_allclose(found.interval, np.concatenate([SHORT, LONG]))
    assert found.interval_group.tolist() == [0] * 5 + [1] * 5
    np.testing.assert_allclose(found.sd, BLUR[:8].std(ddof=1))


def test_one_interval_a_group_has_no_slope_within():
    found = timing_by(ASKED, CENTRE + BLUR, PRIOR)
    assert abs(found.slope) < 1e-12
    assert analysis.arrays.timing.timing(ASKED, CENTRE + BLUR).slope > 0.6


def test_shuffled_trials_show_nothing():
    rng = np.random.default_rng(0)
    prior = rng.permutation(PRIOR)
    asked = rng.choice(np.arange(600.0, 1001.0, 100.0), PRIOR.size)
    found = estimate(asked, rng.permutation(LEANING), prior, ordered(asked, prior))
    assert abs(found.slope) < 0.5
    assert found.difference_lowers[1] < 0 < found.difference_uppers[1]


def test_continuous_ranges_are_compared_where_they_overlap():
    rng = np.random.default_rng(1)
    prior = np.repeat([0.0, 1.0], 300)
    asked = np.where(prior == 0, rng.uniform(500, 850, 600), rng.uniform(650, 1000, 600))
    found = timing_by(asked, 200 + 0.7 * asked + 40 * prior, prior)
    assert found.shared_difference == pytest.approx(40)
    assert found.slope == pytest.approx(0.7)


def test_ranges_that_share_nothing_have_no_difference():
    found = timing_by(ASKED + 500 * (PRIOR == 2), LEANING, PRIOR)
    assert np.isnan(found.shared_difference)
    assert timing_by(ASKED[:40], LEANING[:40], PRIOR[:40]).slope == pytest.approx(0.6)


def test_seeds_and_missing_responses():
    produced = np.stack([LEANING, np.where(ASKED > 700, np.nan, LEANING)])
    produced[0, 0] = np.nan
    named = [xr.DataArray(np.tile(array, (2, 1)), dims=("seed", "trial")) for array in (ASKED, PRIOR)]
    result = analysis.timing_by(named[0], xr.DataArray(produced, dims=("seed", "trial")), named[1])
    assert result["fit_status"].values.tolist() == [0, 1]
    np.testing.assert_allclose(result["fraction_missing"], [1 / 80, 7 / 10])
    assert np.isnan(result["slopes"][1]).all()
    assert result["slopes"][0].values == pytest.approx([0.8, 0.6], abs=0.02)
    assert result["interval"].attrs["units"] == "ms"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ASKED, LEANING, PRIOR[:-1]), "unequal lengths"),
        ((ASKED, LEANING, np.where(PRIOR == 0, np.nan, 1)), "group: 40 of 80 values are not finite"),
        ((ASKED[:0], LEANING[:0], PRIOR[:0]), "group: 0 trials; pass at least 6."),
        ((np.where(PRIOR == 2, 800.0, ASKED), LEANING, PRIOR), "group 2: interval: 1 distinct intervals"),
        ((ASKED, np.where(PRIOR == 2, np.nan, LEANING), PRIOR), "produced: in group 2, 0 intervals have 2"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        timing_by(*arguments)
