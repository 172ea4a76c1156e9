"""RSA: known correlations, permutations, and a distance that noise does not bias."""

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from throughtime import analysis
from throughtime.analysis.arrays.rsa import compare_dissimilarities, dissimilarity, rsa

from .similarity import named, rotation, stored

RNG = np.random.default_rng(3)
POINTS = np.array([[0.0], [1.0], [3.0], [7.0]])


def test_a_rotation_leaves_euclidean_distances():
    x = RNG.standard_normal((8, 5))
    found = rsa(x, 2 * x @ rotation(5, RNG) + 1, seed=0, metric="euclidean")
    assert found.spearman == pytest.approx(1, abs=1e-12)
    assert found.pearson == pytest.approx(1, abs=1e-12)
    assert found.p_value == pytest.approx(1 / 1001)


def test_a_monotone_map_of_distances_is_seen_by_pearson_alone():
    distance = np.abs(POINTS - POINTS.T)
    found = compare_dissimilarities(distance, distance**2, seed=0)
    assert found.spearman == pytest.approx(1, abs=1e-14)
    assert found.pearson == pytest.approx(0.980025, abs=5e-7)
    assert rsa(POINTS, POINTS, seed=0, metric="sqeuclidean").spearman == pytest.approx(1)


def test_spearman_is_scipys_of_pdist_by_default_on_correlations():
    x, y = RNG.standard_normal((2, 9, 6))
    found = rsa(x, y, seed=0, num_permutations=0)
    assert found.spearman == pytest.approx(spearmanr(pdist(x, "correlation"), pdist(y, "correlation"))[0])
    assert np.isnan(found.p_value)
    np.testing.assert_allclose(found.dissimilarity_x[np.triu_indices(9, 1)], pdist(x, "correlation"))


def test_permutation_p_is_that_of_all_orders():
    x, y = RNG.standard_normal((2, 5, 4))
    y[:2] += x[:2]
    first, second = dissimilarity(x), dissimilarity(y)
    upper = np.triu_indices(5, 1)
    observed = spearmanr(first[upper], second[upper])[0]
    orders = [np.ix_(order, order) for order in permutations(range(5))]
    above = [spearmanr(first[upper], second[at][upper])[0] >= observed - 1e-12 for at in orders]
    found = rsa(x, y, seed=0, num_permutations=3000)
    assert found.p_value == pytest.approx(np.mean(above), abs=0.03)
    assert found.p_value == rsa(x, y, seed=0, num_permutations=3000).p_value


def test_independent_systems_are_at_chance():
    p = [rsa(*RNG.standard_normal((2, 6, 5)), seed=draw, num_permutations=99).p_value for draw in range(100)]
    assert 0.4 < np.mean(p) < 0.6
    assert np.mean(np.array(p) <= 0.1) < 0.2


def test_crossvalidated_distance_is_unbiased_and_the_plain_one_is_not():
    means = RNG.standard_normal((5, 20))
    means[1] = means[0]
    repeats = means + RNG.standard_normal((4000, 5, 20))
    truth = ((means[:, None] - means) ** 2).mean(-1)
    pairs = repeats.reshape(2000, 2, 5, 20)
    drawn = np.array([dissimilarity(pair) for pair in pairs])
    error = drawn.std(0) / np.sqrt(2000)
    upper = np.triu_indices(5, 1)
    assert (np.abs(drawn.mean(0) - truth)[upper] < 4.5 * error[upper]).all()
    assert drawn[:, 0, 1].min() < 0
    plain = ((pairs.mean(1)[:, :, None] - pairs.mean(1)[:, None]) ** 2).mean(-1).mean(0)
    assert plain[0, 1] == pytest.approx(1, abs=0.05)  # 2 σ² of means of two


def test_crossvalidated_distance_counted_pair_by_pair():
    repeats = RNG.standard_normal((3, 4, 6))
    away = repeats[:, 0] - repeats[:, 2]
    expected = np.mean([away[a] @ away[b] for a in range(3) for b in range(3) if a != b]) / 6
    assert dissimilarity(repeats)[0, 2] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (POINTS[:3], "x: 3 conditions; use at least 4"),
        (POINTS, "x: correlation distances are not defined for a condition without variance over units"),
        (np.eye(4), "x: all dissimilarities are equal; their order means nothing"),
        (RNG.standard_normal((1, 4, 3)), "x: one repeat cannot be cross-validated"),
        (np.full((4, 3), np.nan), "x: 12 of 12 values are not finite"),
        (np.arange(4.0), r"x: shape \(4,\); expected \(condition, unit\)"),
        (RNG.standard_normal((5, 3)), "y: 4 conditions, x has 5; pass the same ones"),
    ],
)
def test_refuses(x, message):
    with pytest.raises(ValueError, match=message):
        rsa(x, RNG.standard_normal((4, 3)), seed=0)


def test_named_arrays_seed_by_seed():
    x, y = RNG.standard_normal((2, 6, 4)), RNG.standard_normal((2, 6, 7))
    first, second = named(x, "seed", "condition", "unit"), named(y, "seed", "condition", "unit")
    first[1, 0, 0] = np.nan
    found = analysis.rsa(first, second, seed=5, metric="euclidean")
    alone = rsa(x[0], y[0], seed=5, metric="euclidean")
    assert float(found.spearman[0]) == pytest.approx(alone.spearman)
    assert float(found.p[0]) == alone.p_value
    np.testing.assert_allclose(found.dissimilarity_y[0], alone.dissimilarity_y)
    assert found.status.values.tolist() == [0, 1]
    assert np.isnan(found.spearman[1])
    assert found.attrs["metric"] == "euclidean"
    assert not stored(found)


def test_named_repeats_need_not_be_as_many():
    x, y = RNG.standard_normal((3, 5, 4)), RNG.standard_normal((2, 5, 6))
    first, second = named(x, "trial", "condition", "unit"), named(y, "trial", "condition", "unit")
    found = analysis.rsa(first, second, seed=0, repeat_dim="trial")
    assert float(found.spearman) == pytest.approx(rsa(x, y, seed=0).spearman)
    assert found.attrs["metric"] == "crossvalidated"
    assert not stored(found)
    with pytest.raises(ValueError, match="y: 5 elements of 'condition'"):
        analysis.rsa(first, second.assign_coords(condition=np.arange(5) + 1), seed=0, repeat_dim="trial")
    with pytest.raises(ValueError, match=r"x: dims .* lack condition"):
        analysis.rsa(first.rename(condition="time"), second, seed=0)
