"""Fractional loss: planted losses, shuffled trials, values by hand, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.fractional_loss import fractional_loss

RNG = np.random.default_rng(5)
DELAY = np.repeat([500.0, 1000.0, 2000.0], 2000)
BEST = np.abs(RNG.standard_normal(DELAY.size))
PLANTED = {500.0: 0.05, 1000.0: 0.1, 2000.0: 0.4}
EXCESS = BEST * np.array([PLANTED[d] for d in DELAY]) + 0.5 * RNG.standard_normal(DELAY.size)


def test_recovers_planted_losses():
    result = fractional_loss(DELAY, EXCESS, BEST)
    planted = np.array(list(PLANTED.values()))
    np.testing.assert_allclose(result.loss, planted, atol=0.05)
    assert (result.lower < planted).all()
    assert (planted < result.upper).all()
    assert result.worst == result.loss[2]
    assert result.fractional_loss == pytest.approx(EXCESS.sum() / BEST.sum())


def test_shuffled_trials_do_not_depend_on_the_delay():
    shuffled = RNG.permutation(DELAY)
    result = fractional_loss(shuffled, EXCESS, BEST)
    assert np.ptp(result.loss) < 0.08
    assert result.fractional_loss == fractional_loss(DELAY, EXCESS, BEST).fractional_loss


def test_intervals_cover():
    """95 % intervals of a ratio of means cover the planted ratio in about 95 % of 2000 levels."""
    level = np.repeat(np.arange(2000.0), 40)
    best = np.abs(RNG.standard_normal(level.size))
    excess = 0.2 * best + 0.3 * RNG.standard_normal(level.size)
    result = fractional_loss(level, excess, best, edges=np.arange(1999) + 0.5)
    assert np.mean((result.lower < 0.2) & (result.upper > 0.2)) == pytest.approx(0.94, abs=0.02)


def test_values_by_hand():
    result = fractional_loss(np.zeros(2), np.array([1.0, 0.0]), np.array([1.0, 3.0]))
    assert result.loss[0] == result.worst == result.fractional_loss == 0.25
    half = 1.959964 * np.sqrt(0.75**2 + 0.75**2) / 4
    assert result.upper[0] - 0.25 == pytest.approx(half)
    assert 0.25 - result.lower[0] == pytest.approx(half)


def test_a_level_without_reference_is_nan():
    result = fractional_loss(np.array([0.0, 1.0]), np.array([1.0, 1.0]), np.array([0.0, 2.0]))
    np.testing.assert_array_equal(result.loss, [np.nan, 0.5])
    assert result.worst == 0.5


@pytest.mark.parametrize(
    ("level", "excess", "reference", "message"),
    [
        ([], [], [], "level: 0 trials; pass at least 1."),
        ([1.0], [np.nan], [1.0], "excess: 1 of 1 values are not finite"),
        ([1.0], [1.0], [np.inf], "reference: 1 of 1 values are not finite"),
        ([1.0, 2.0], [1.0], [1.0], "unequal lengths: level 2, excess 1, reference 1"),
        ([1.0], [1.0], [0.0], "reference: sums to 0; pass trials in which the best read-out has something"),
    ],
)
def test_refusals(level, excess, reference, message):
    with pytest.raises(ValueError, match=message):
        fractional_loss(np.array(level), np.array(excess), np.array(reference))


def test_dataset():
    dims = ("seed", "trial")
    delay = xr.DataArray(np.tile(DELAY, (2, 1)), dims=dims, attrs={"units": "ms"}, name="delay")
    broken = EXCESS.copy()
    broken[: DELAY.size // 4] = np.nan
    excess = xr.DataArray(np.stack([EXCESS, broken]), dims=dims)
    result = analysis.fractional_loss(delay, excess, delay.copy(data=np.tile(BEST, (2, 1))))
    direct = fractional_loss(DELAY, EXCESS, BEST)
    np.testing.assert_array_equal(result["loss"][0], direct.loss)
    np.testing.assert_array_equal(result["fraction_missing"], [0, 0.25])
    assert result["level"].attrs["units"] == "ms"
