"""Initial recurrent weights: spectra, balance of rows, and which synapses a random mask has."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.circuits.connectivity_cases import CASES, MASK, N, draw
from throughtime.circuits import Dale, Dense, Leaky, MultiRegion, Sparse

BALANCED_ROWS = [name for name in CASES if "balanced" in name or "dale" in name]


@pytest.mark.parametrize("name", BALANCED_ROWS)
def test_rows_of_balanced_weights_sum_to_zero(name):
    connectivity, _ = CASES[name]
    weights = np.asarray(connectivity.weights(draw(connectivity, 3)), float)
    sums, sizes = weights.sum(-1), np.abs(weights).sum(-1)
    if "unbalanced" in name:
        assert (np.abs(sums) > 1e-2).any()
        return
    mixed = (weights > 0).any(-1) & (weights < 0).any(-1)
    assert mixed.mean() > 0.5
    assert (np.abs(sums[mixed]) < 1e-5 * sizes[mixed]).all()


def test_what_each_region_sends_cancels_first_and_then_the_row():
    full = MultiRegion((5, 3), blocks=np.ones((2, 2)))
    weights = np.asarray(Dale(0.6, base=full).weights(draw(Dale(0.6, base=full))), float)
    for units in (slice(0, 5), slice(5, 8)):
        assert np.abs(weights[:, units].sum(1)).max() < 1e-5
    mask = np.ones((N, N), bool)
    mask[0, 3:7] = False  # of region a unit 0 hears excitation alone, of region b inhibition alone
    dale = Dale(0.6, base=Sparse(mask=mask, base=full))
    weights = np.asarray(dale.weights(draw(dale)), float)
    assert weights[0, :3].sum() > 1e-2
    assert np.abs(weights.sum(1)).max() < 1e-5


def radius(connectivity, num_units):
    connectivity.check(num_units, Leaky(activation="relu"))
    weights = np.asarray(connectivity.weights(draw(connectivity, num_units=num_units)), float)
    return np.abs(np.linalg.eigvals(weights)).max()


@pytest.mark.parametrize(
    "connectivity",
    [
        Dense(1.5),
        Dense(1.5, "balanced"),
        Sparse(0.1, base=Dense(1.5)),
        Sparse(0.3, self_connections=False, base=Dense(1.5, "orthogonal")),
        Dale(0.8, base=Dense(1.5)),
        Dale(0.7, base=Sparse(0.2, base=Dense(1.5))),
        Sparse(0.2, base=Dale(0.8, base=Dense(1.5))),
        MultiRegion((192, 64), blocks=[[0.3, 0.1], [0.6, 1.0]], base=Dense(1.5)),
        Dale(0.8, base=MultiRegion((156, 100), blocks=[[0.9, 0.2], [0.4, 0.3]], base=Dense(1.5))),
    ],
    ids=[
        "normal",
        "balanced",
        "sparse",
        "sparse-orthogonal",
        "dale",
        "dale-sparse",
        "sparse-dale",
        "regions",
        "dale-regions",
    ],
)
def test_no_eigenvalue_lies_outside_the_gain(connectivity):
    num_units = 400 if connectivity == Dale(0.8, base=Dense(1.5)) else 256
    assert 0.85 * 1.5 < radius(connectivity, num_units) < 1.15 * 1.5


def test_without_balance_an_eigenvalue_lies_far_outside():
    assert radius(Dale(0.8, balanced=False), 400) > 5


def test_initial_weights_by_name():
    params = draw(Dense(1.3, "orthogonal"), 2, num_units=20)["recurrent"]
    np.testing.assert_allclose(np.linalg.svd(params, compute_uv=False), 1.3, rtol=1e-5)
    np.testing.assert_array_equal(draw(Dense(0.5, "identity"))["recurrent"], 0.5 * np.eye(N))
    key = jax.random.key(3)
    plain = 1.2 / np.sqrt(N) * jax.random.normal(key, (N, N), jnp.float32)
    np.testing.assert_array_equal(Dense(1.2).init(N, 1, key=key)["recurrent"], plain)
    corners = draw(Dense(distribution="orthogonal"), 20)["recurrent"][:, 0, 0]
    assert 4 < (corners > 0).sum() < 16, "uniform over orthogonal matrices; a bare QR has one sign here"


def test_a_mask_rescales_one_draw():
    key = jax.random.key(0)
    full = np.asarray(Dense().init(N, 1, key=key)["recurrent"])
    sparse = np.asarray(Sparse(mask=MASK).init(N, 1, key=key)["recurrent"])
    np.testing.assert_allclose(sparse, full * MASK / np.sqrt(MASK.mean()), rtol=1e-6)
    np.testing.assert_array_equal(Sparse(density=1.0).init(N, 1, key=key)["recurrent"], full)
    chain = MultiRegion((4, 4), blocks=[[0, 0], [1, 0]])  # no loop, so the radius is 0
    weights = np.asarray(chain.init(N, 1, key=key)["recurrent"])
    np.testing.assert_allclose(weights[4:, :4], 2 * full[4:, :4], rtol=1e-6)
    kept = Sparse(mask=MASK, base=Dense(distribution="identity"))
    np.testing.assert_array_equal(draw(kept)["recurrent"], MASK * np.eye(N))


def test_random_masks_depend_on_size_density_and_seed_alone():
    first = np.asarray(Sparse(0.2).existing(200))
    assert first.mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_array_equal(first, Sparse(0.2, base=Dense(2.0)).existing(200))
    assert (first != np.asarray(Sparse(0.2, mask_seed=1).existing(200))).any()
    blocks = [[0.8, 0.1], [0.3, 0.0]]
    drawn = np.asarray(MultiRegion((150, 50), blocks=blocks).existing(200))
    for row, units in enumerate((slice(0, 150), slice(150, 200))):
        for column, sources in enumerate((slice(0, 150), slice(150, 200))):
            assert drawn[units, sources].mean() == pytest.approx(blocks[row][column], abs=0.02)
    default = np.asarray(MultiRegion().existing(128))
    assert default[:64, :64].all()
    assert default[:64, 64:].mean() == pytest.approx(0.1, abs=0.02)
    traced = jax.jit(lambda x: x * Sparse(0.2, mask_seed=2).existing(20))(1.0)
    np.testing.assert_array_equal(traced, Sparse(0.2, mask_seed=2).existing(20))
