"""CCA and SVCCA: a correlation set by hand, invertible maps, an eigenvalue problem as judge."""

import numpy as np
import pytest
from scipy.linalg import eigh

from throughtime import analysis
from throughtime.analysis.arrays.cca import cca

from .similarity import U, named, stored

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.95])
def test_a_correlation_set_by_hand(rho):
    x, e = U[:, :1], U[:, 1:]
    found = cca(x, rho * x + np.sqrt(1 - rho**2) * e)
    assert found.correlation == pytest.approx([rho], abs=1e-14)
    assert found.mean == pytest.approx(rho, abs=1e-14)


def test_any_invertible_map_gives_ones():
    for draw in range(5):
        rng = np.random.default_rng(draw)
        x = rng.standard_normal((40, 6))
        found = cca(x, x @ rng.standard_normal((6, 6)) + 3)
        np.testing.assert_allclose(found.correlation, np.ones(6), atol=1e-10)
        assert found.num_directions == (6, 6)


def test_correlations_are_those_of_the_eigenvalue_problem_of_covariances():
    x = RNG.standard_normal((60, 4)) @ RNG.standard_normal((4, 4))
    y = x[:, :3] + RNG.standard_normal((60, 3)) @ RNG.standard_normal((3, 3))
    joint = np.cov(x, y, rowvar=False)
    own_x, own_y, cross = joint[:4, :4], joint[4:, 4:], joint[:4, 4:]
    squared = eigh(cross.T @ np.linalg.solve(own_x, cross), own_y, eigvals_only=True)[::-1]
    found = cca(x, y)
    np.testing.assert_allclose(found.correlation, np.sqrt(squared), atol=1e-10)
    np.testing.assert_allclose(cca(y, x).correlation, found.correlation, atol=1e-12)
    moved = cca(x @ RNG.standard_normal((4, 4)), y)
    np.testing.assert_allclose(moved.correlation, found.correlation, atol=1e-9)


def test_svcca_keeps_the_directions_with_variance():
    signal = RNG.standard_normal((50, 2))
    noise = 1e-3 * RNG.standard_normal((50, 40))
    wide = np.concatenate([signal, noise], axis=1)
    found = cca(wide, signal @ [[1, 2], [3, -1]], variance=0.99)
    assert found.num_directions == (2, 2)
    np.testing.assert_allclose(found.correlation, 1, atol=1e-4)
    exact = U * [3.0, 1.0]  # shares .9 and .1
    assert cca(exact, U[:, :1], variance=0.9).num_directions == (1, 1)
    assert cca(exact, U[:, :1], variance=0.91).num_directions == (2, 1)


def test_directions_that_repeat_others_do_not_count():
    x = RNG.standard_normal((10, 2))
    found = cca(np.concatenate([x, x @ [[1, 1], [0, 1]], np.ones((10, 1))], axis=1), x)
    assert found.num_directions == (2, 2)
    np.testing.assert_allclose(found.correlation, 1)


def test_refuses_as_few_samples_as_directions():
    x = RNG.standard_normal((8, 5))
    with pytest.raises(ValueError, match=r"x: 8 samples for 5 \+ 3 directions.*variance=0.99 \(SVCCA\)"):
        cca(x, x[:, :3])
    with pytest.raises(ValueError, match="keep less variance"):
        cca(x, RNG.standard_normal((8, 3)), variance=0.9999)
    assert cca(np.concatenate([x, x + 0.1, [[9.0] * 5]]), np.ones((17, 1)) * np.arange(17)[:, None]).mean < 1
    with pytest.raises(ValueError, match=r"variance: 1\.5 is not between 0 and 1"):
        cca(x, x, variance=1.5)
    with pytest.raises(ValueError, match="zero variance"):
        cca(0 * x, x)


def test_named_arrays_seed_by_seed():
    x, y = RNG.standard_normal((2, 30, 4)), RNG.standard_normal((2, 30, 6))
    x[1, :, 2] = x[1, :, 1]  # a direction less
    found = analysis.cca(named(x, "seed", "trial", "unit"), named(y, "seed", "trial", "unit"))
    assert found.correlation.dims == ("seed", "component")
    np.testing.assert_allclose(found.correlation[0], cca(x[0], y[0]).correlation)
    np.testing.assert_allclose(found.correlation[1, :3], cca(x[1], y[1]).correlation)
    assert np.isnan(found.correlation[1, 3])
    assert found.num_directions_x.values.tolist() == [4, 3]
    assert not stored(found)
    assert not stored(
        analysis.cca(named(x, "seed", "trial", "unit"), named(y, "seed", "trial", "unit"), variance=0.9)
    )
