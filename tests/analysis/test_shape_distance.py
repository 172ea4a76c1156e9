"""Shape distances: known angles, metric axioms, invariances, exactness near 0."""

import numpy as np
import pytest
from scipy.spatial import procrustes

from throughtime import analysis
from throughtime.analysis.arrays.cca import cca
from throughtime.analysis.arrays.shape_distance import shape_distance

from .similarity import STRETCHED, U, named, rotation, stored

RNG = np.random.default_rng(2)


def test_known_angle_and_squared_distance():
    found = shape_distance(STRETCHED, U)
    assert found.angle == pytest.approx(np.arccos(3 / np.sqrt(10)), abs=1e-14)
    assert found.angle == pytest.approx(0.3217505544, abs=5e-11)
    assert found.squared_distance == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.0])
def test_metric_on_random_triples(alpha):
    for draw in range(60):
        rng = np.random.default_rng(draw)
        cloud = [
            rng.standard_normal((12, width)) @ rng.standard_normal((width, width)) for width in (3, 5, 4)
        ]
        pairs = [(0, 1), (1, 2), (0, 2)]
        angles = [shape_distance(cloud[i], cloud[j], alpha=alpha).angle for i, j in pairs]
        lengths = [
            np.sqrt(shape_distance(cloud[i], cloud[j], alpha=alpha).squared_distance) for i, j in pairs
        ]
        for sides in (angles, lengths):
            assert max(sides) <= sum(sides) - max(sides) + 1e-12
        back = shape_distance(cloud[1], cloud[0], alpha=alpha)
        assert back.angle == pytest.approx(angles[0], abs=1e-12)
        assert np.sqrt(back.squared_distance) == pytest.approx(lengths[0], abs=1e-10)


def test_rotations_reflections_and_shifts_do_not_matter_and_size_only_for_one():
    x = RNG.standard_normal((30, 6))
    turned = x @ rotation(6, RNG) * 3 + RNG.standard_normal(6)
    found = shape_distance(x, turned)
    assert found.angle < 1e-14 * 100  # exact near 0, where an arccos would leave 1e-8
    assert found.squared_distance == pytest.approx(4 * ((x - x.mean(0)) ** 2).sum(), rel=1e-12)
    assert shape_distance(x, x).squared_distance < 1e-24
    wide = np.concatenate([x, np.zeros((30, 3))], axis=1) @ rotation(9, RNG)
    assert shape_distance(x, wide).angle < 1e-12


def test_sum_of_squares_is_scipys_procrustes_disparity():
    x, y = RNG.standard_normal((2, 20, 4))
    disparity = procrustes(x, y)[2]  # of unit size, with the best scale: sin² θ
    assert np.sin(shape_distance(x, y).angle) ** 2 == pytest.approx(disparity, abs=1e-12)


def test_alpha_0_ignores_invertible_maps_and_is_the_angle_of_canonical_correlations():
    x, y = RNG.standard_normal((30, 4)), RNG.standard_normal((30, 3))
    y[:, 0] += x[:, 1]
    moved = x @ RNG.standard_normal((4, 4)) + 1
    assert shape_distance(x, moved, alpha=0).angle < 1e-10
    assert shape_distance(x, moved, alpha=1).angle > 0.1
    assert 0 < shape_distance(x, moved, alpha=0.5).angle < shape_distance(x, moved, alpha=1).angle + 0.5
    expected = np.arccos(cca(x, y).correlation.sum() / np.sqrt(12))
    assert shape_distance(x, y, alpha=0).angle == pytest.approx(expected, abs=1e-12)
    assert shape_distance(moved, y, alpha=0).angle == pytest.approx(expected, abs=1e-10)


def test_opposed_clouds_are_a_right_angle():
    assert shape_distance(U[:, :1], U[:, 1:]).angle == pytest.approx(np.pi / 2, abs=1e-14)


def test_refuses():
    x = RNG.standard_normal((5, 5))
    with pytest.raises(ValueError, match=r"alpha: 1.5; use a number from 0 \(CCA\) to 1"):
        shape_distance(x, x, alpha=1.5)
    with pytest.raises(ValueError, match="x: 5 samples of 5 units, too few to whiten"):
        shape_distance(x, x, alpha=0)
    with pytest.raises(ValueError, match="y: zero variance"):
        shape_distance(x, 0 * x)
    with pytest.raises(ValueError, match="y: samples of shape"):
        shape_distance(x, x[:4])


def test_named_arrays_seed_by_seed():
    x, y = RNG.standard_normal((3, 20, 4)), RNG.standard_normal((3, 20, 6))
    found = analysis.shape_distance(
        named(x, "seed", "trial", "unit"), named(y, "seed", "trial", "unit"), alpha=0.5
    )
    for seed in range(3):
        alone = shape_distance(x[seed], y[seed], alpha=0.5)
        assert float(found.angle[seed]) == pytest.approx(alone.angle)
        assert float(found.squared_distance[seed]) == pytest.approx(alone.squared_distance)
    assert found.angle.attrs["units"] == "rad"
    assert found.attrs["alpha"] == 0.5
    assert not stored(found)
