"""The noise generator: its distribution, its independence, its sameness in every context."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from throughtime import gaussian


def test_quantile_of_every_word():
    words = np.arange(0, 2**24, 37, dtype=np.uint32)
    words = np.concatenate(
        [words, np.arange(64, dtype=np.uint32), np.uint32(2**24 - 1) - np.arange(64, dtype=np.uint32)]
    )
    found = np.asarray(gaussian.quantile(jnp.asarray(words << np.uint32(8))), float)
    wanted = ndtri((words.astype(float) + 0.5) / 2**24)
    away = np.abs(wanted) > 1e-6
    assert np.abs(found / np.where(away, wanted, 1) - 1)[away].max() < 4e-5
    assert np.abs(found - wanted).max() < 2e-4
    assert found.min() < -5.3


def test_threefry_with_twenty_rounds_is_that_of_jax():
    key = jax.random.key(42)
    words = jax.random.key_data(key)
    count = jnp.arange(8, dtype=jnp.uint32)
    mine = gaussian.threefry((words[0], words[1]), (count, jnp.zeros_like(count) + 5), rounds=20)
    # fold_in hashes the pair (0, data) under the key
    theirs = jax.random.key_data(jax.random.fold_in(key, 5))
    np.testing.assert_array_equal([mine[0][0], mine[1][0]], theirs)


def test_distribution_and_independence():
    sample = np.asarray(gaussian.normal(jax.random.key(1), 2000, 101), float)
    assert stats.kstest(sample.ravel(), "norm").pvalue > 1e-3
    assert stats.kurtosis(sample.ravel()) == pytest.approx(0, abs=0.05)
    one = sample - sample.mean()
    for lag in ((1, 0), (2, 0), (0, 1), (1, 1), (1000, 0), (0, 50)):
        shifted = np.roll(one, lag, (0, 1))
        assert abs((one * shifted).mean()) < 4 / np.sqrt(one.size), lag
    other = np.asarray(gaussian.normal(jax.random.key(2), 2000, 101), float)
    assert abs((one * other).mean()) < 4 / np.sqrt(one.size)
    assert len(np.unique(sample)) > 0.98 * sample.size


def same(found, wanted):
    """Equal but for the last bits, which a compiler rounds as it fuses."""
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


def test_number_depends_on_step_and_unit_alone():
    key = jax.random.key(3)
    whole = np.asarray(gaussian.normal(key, 31, 17))
    same(gaussian.normal(key, 8, 17), whole[:8])
    same(gaussian.normal(key, 31, 5), whole[:, :5])


def test_same_numbers_in_every_context():
    keys = jax.random.split(jax.random.key(4), 5)
    plain = np.stack([gaussian.normal(key, 9, 7) for key in keys])
    same(jax.jit(jax.vmap(lambda key: gaussian.normal(key, 9, 7)))(keys), plain)
    across = jax.jit(jax.vmap(lambda key: gaussian.normal(key, 9, 7), out_axes=1))(keys)
    same(across, plain.swapaxes(0, 1))
    with jax.enable_x64(True):
        doubled = jax.jit(jax.vmap(lambda key: gaussian.normal(key, 9, 7).astype(jnp.float64) * 2))(keys)
    same(np.asarray(doubled) / 2, plain)
