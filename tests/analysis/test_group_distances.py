"""Distances between labels against those within: by hand, all relabellings, calibration, pairs of seeds."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import energy_distance

from throughtime import analysis
from throughtime.analysis.arrays.group_distances import group_distances

from .similarity import named, rotation, stored

RNG = np.random.default_rng(6)
LINE = np.array([0.0, 1.0, 5.0, 7.0])
SECOND = np.array([False, False, True, True])


def line(*places):
    places = np.array(places, float)
    return np.abs(places[:, None] - places)


def excess_by_hand(distance, second):
    def mean(rows, columns):
        return np.mean([distance[i, j] for i in rows for j in columns if i != j])

    first, other = np.flatnonzero(~second), np.flatnonzero(second)
    return mean(first, other) - (mean(first, first) + mean(other, other)) / 2


def test_means_by_hand():
    found = group_distances(line(*LINE), SECOND, level=0.5)
    assert found.between_distance == (5 + 7 + 4 + 6) / 4
    assert (found.within_first, found.within_second, found.within_distance) == (1, 2, 1.5)
    assert found.excess == 4
    assert np.isnan(found.matched_distance)
    assert (found.num_first, found.num_second) == (2, 2)
    assert (found.within_lower, found.within_upper) == pytest.approx((1.025, 1.975))
    assert found.p == found.p_minimum == pytest.approx(1 / 3)


@pytest.mark.parametrize(("count", "expected"), [(3, 0.1), (4, 0.0286), (5, 0.0079)])
def test_smallest_p_of_far_groups(count, expected):
    places = np.concatenate([np.arange(count), np.arange(count) + 100])
    found = group_distances(line(*places), places > 50, level=0.2)
    assert found.p == found.p_minimum == pytest.approx(expected, abs=5e-5)


def test_p_is_that_of_all_relabellings_counted_by_hand():
    points = RNG.standard_normal((7, 3))
    points[3:] += 0.8
    distance, second = squareform(pdist(points)), np.arange(7) >= 3
    observed = excess_by_hand(distance, second)
    drawn = [excess_by_hand(distance, np.isin(np.arange(7), chosen)) for chosen in combinations(range(7), 4)]
    found = group_distances(distance, second)
    assert found.excess == pytest.approx(observed)
    assert found.p == pytest.approx(np.mean(np.array(drawn) >= observed - 1e-12))
    assert found.p_minimum == pytest.approx(1 / 35)  # unequal numbers: no mirror image
    sampled = group_distances(distance, second, num_permutations=99, seed=1)
    assert sampled.p == pytest.approx(found.p, abs=0.1) or found.p > 0.2


def test_random_relabellings_count_the_one_observed():
    places = np.concatenate([np.arange(8), np.arange(8) + 100])
    found = group_distances(line(*places), places > 50, num_permutations=199)
    assert found.p == found.p_minimum == 1 / 200
    again = group_distances(
        squareform(pdist(RNG.standard_normal((16, 2)))), places > 50, num_permutations=999
    )
    assert 0.005 < again.p <= 1


def test_excess_is_half_the_energy_distance_without_the_diagonal():
    x, y = RNG.standard_normal(40), RNG.standard_normal(50) + 1
    found = group_distances(line(*x, *y), np.arange(90) >= 40, num_permutations=99)
    # scipy's version counts each point against itself too
    between = np.abs(x[:, None] - y).mean()
    own = [found.within_first * 39 / 40, found.within_second * 49 / 50]
    assert energy_distance(x, y) ** 2 == pytest.approx(2 * between - sum(own))
    assert found.excess == pytest.approx(between - (found.within_first + found.within_second) / 2)


def test_labels_that_do_not_matter_are_at_chance():
    p, excess = [], []
    for draw in range(200):
        distance = squareform(pdist(np.random.default_rng(draw).standard_normal((8, 5))))
        found = group_distances(distance, np.arange(8) >= 4)
        p.append(found.p)
        excess.append(found.excess)
    assert np.mean(np.array(p) <= 0.06) == pytest.approx(0.06, abs=0.045)
    assert 0.4 < np.mean(p) < 0.62
    assert abs(np.mean(excess)) < 4 * np.std(excess) / np.sqrt(200)


def seeds_and_rules(count, effect, rng):
    """Points of two rules whose seeds weigh more than the rule does."""
    start = 5 * rng.standard_normal((count, 4))
    moved = start + np.array([effect, 0, 0, 0])
    points = np.concatenate([start, moved]) + 0.3 * rng.standard_normal((2 * count, 4))
    return squareform(pdist(points)), np.arange(2 * count) >= count, np.tile(np.arange(count), 2)


def test_pairs_of_one_seed_are_left_out_and_reported():
    distance, second, seed = seeds_and_rules(6, 3.0, RNG)
    found = group_distances(distance, second, replicate=seed)
    block = distance[:6, 6:]
    assert found.between_distance == pytest.approx(block[~np.eye(6, dtype=bool)].mean())
    assert found.matched_distance == pytest.approx(np.diag(block).mean())
    assert found.p_minimum == 2.0**-5
    order = np.array([3, 8, 0, 11, 5, 7, 1, 10, 2, 4, 6, 9])
    again = group_distances(distance[np.ix_(order, order)], second[order], replicate=seed[order])
    assert again == pytest.approx(found)


def test_paired_p_is_that_of_all_exchanges_counted_by_hand():
    distance, second, seed = seeds_and_rules(5, 2.0, RNG)
    strange = distance.copy()
    strange[seed[:, None] == seed] = np.nan

    def excess(flips):
        label = np.concatenate([np.array(flips, bool), ~np.array(flips, bool)])
        parts = [
            strange[np.ix_(one, other)] for one, other in ((label, ~label), (label, label), (~label, ~label))
        ]
        between, first, other = (np.nanmean(part) for part in parts)
        return between - (first + other) / 2

    drawn = [excess(flips) for flips in product((0, 1), repeat=5)]
    found = group_distances(distance, second, replicate=seed, level=0.1)
    assert found.excess == pytest.approx(excess([0] * 5))
    assert found.p == pytest.approx(np.mean(np.array(drawn) >= found.excess - 1e-12))


def test_paired_labels_that_do_not_matter_are_at_chance_and_unpaired_they_are_not():
    def values(paired):
        for draw in range(150):
            distance, second, seed = seeds_and_rules(6, 0.0, np.random.default_rng(draw))
            yield group_distances(distance, second, replicate=seed if paired else None).p

    assert np.mean(np.array(list(values(True))) <= 0.125) == pytest.approx(0.125, abs=0.08)
    assert np.mean(list(values(False))) > 0.8  # same seeds are near, so labels look alike


def test_p_is_refused_where_it_could_not_be_small_enough():
    distance = line(*LINE)
    found = group_distances(distance, SECOND)
    assert np.isnan(found.p)
    assert (found.p_status, found.p_minimum) == (1, pytest.approx(1 / 3))
    assert group_distances(np.ones((8, 8)) - np.eye(8), np.arange(8) >= 4).p_status == 2
    places = np.concatenate([np.arange(5), np.arange(5) + 100])
    assert group_distances(line(*places), places > 50, family_size=6).p_status == 0
    assert group_distances(line(*places), places > 50, family_size=7).p_status == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: group_distances(np.ones((2, 3)), SECOND), r"distance: shape \(2, 3\) with 4 labels"),
        (lambda: group_distances(line(*LINE) * np.nan, SECOND), "distance: 16 values are not finite"),
        (lambda: group_distances(np.triu(line(*LINE)), SECOND), "distance: not symmetric"),
        (
            lambda: group_distances(line(*LINE), np.arange(4) > 2),
            "second: 3 systems of the first label and 1",
        ),
        (lambda: group_distances(line(*LINE), SECOND, level=2.0), "level: 2.0 is not between 0 and 1"),
        (
            lambda: group_distances(line(*LINE), SECOND, num_permutations=9),
            "family_size, num_permutations: 1, 9",
        ),
        (
            lambda: group_distances(line(*LINE), SECOND, replicate=np.arange(4)),
            r"replicate: \[0, 1\] under one",
        ),
        (
            lambda: group_distances(line(*LINE), SECOND, replicate=np.zeros(4)),
            r"replicate: \[0.0, 0.0\] under",
        ),
        (
            lambda: group_distances(line(*LINE), SECOND, replicate=np.zeros(3)),
            r"replicate: shape \(3,\), 4 syst",
        ),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def rates(num_rules, num_seeds, *, far=(), rng=RNG):
    shapes = np.repeat(rng.standard_normal((1, 30, 4)), num_rules, axis=0)
    for rule in far:
        shapes[rule] = rng.standard_normal((30, 4))
    values = [
        [shape @ rotation(4, rng) + 0.5 * rng.standard_normal((30, 4)) for _ in range(num_seeds)]
        for shape in shapes
    ]
    return named(np.array(values), "rule", "seed", "trial", "unit")


def test_rules_are_told_from_seeds():
    activity = rates(3, 8, far=(2,), rng=np.random.default_rng(0))
    activity["rule"].attrs |= {"flag_values": [0, 1, 2], "flag_meanings": "bptt rflo e-prop"}
    matrix = analysis.distance_matrix(activity)
    found = analysis.group_distances(matrix)
    assert found["pair"].attrs["flag_meanings"] == "bptt_–_rflo bptt_–_e-prop rflo_–_e-prop"
    assert found["first"].values.tolist() == [0, 0, 1]
    assert found["second"].values.tolist() == [1, 2, 2]
    assert found.paired.values.tolist() == [1, 1, 1]
    assert (found.p.values[1:] == 2.0**-7).all()
    assert found.p.values[0] > 0.05
    np.testing.assert_allclose(found.p_holm.values[1:], 3 * 2.0**-7)
    assert (found.excess.values[1:] > 0.1).all()
    assert abs(float(found.excess[0])) < 0.03
    second = np.repeat([False, True], 8)
    block = matrix.distance.values[:16, :16]
    alone = group_distances(block, second, replicate=np.tile(np.arange(8), 2), family_size=3)
    for name in ("between_distance", "within_distance", "within_upper", "matched_distance", "p"):
        assert float(found[name][0]) == pytest.approx(getattr(alone, name))
    assert found.between_distance.attrs["units"] == "rad"
    np.testing.assert_array_equal(found.distance, matrix.distance)
    assert not stored(found)
    unpaired = analysis.group_distances(matrix, paired=False)
    assert np.isnan(unpaired.matched_distance).all()
    assert unpaired.paired.values.tolist() == [0, 0, 0]


def test_failed_circuits_and_labels_of_one_are_counted():
    activity = rates(3, 4)
    activity[0, 1], activity[1, :3] = np.nan, np.nan
    found = analysis.group_distances(analysis.distance_matrix(activity))
    assert found.num_first.values.tolist() == [1, 3, 1]  # pairs of seeds that both are there
    assert found.p_status.values.tolist() == [1, 1, 1]
    assert np.isfinite(found.between_distance.values[1])
    assert np.isnan(found.excess.values).tolist() == [True, False, True]
    assert not stored(found)
    apart = analysis.group_distances(analysis.distance_matrix(activity), paired=False)
    assert (apart.num_first.values.tolist(), apart.num_second.values.tolist()) == ([3, 3, 1], [1, 4, 4])
    assert np.isfinite(apart.between_distance.values).all()


def test_labels_with_other_seeds_are_not_paired():
    activity = rates(2, 3)
    other = {"a": activity[0], "b": activity[1].assign_coords(seed=[7, 8, 9])}
    found = analysis.group_distances(analysis.distance_matrix(other), level=0.2)
    assert found.paired.values.tolist() == [0]
    assert float(found.p_minimum[0]) == pytest.approx(0.1)
    assert found["pair"].attrs["flag_values"] == 0
    assert not stored(found)


def test_refuses_names():
    matrix = analysis.distance_matrix(rates(2, 3))
    with pytest.raises(ValueError, match="matrix: all circuits have one label"):
        analysis.group_distances(matrix.isel(run=slice(3), other_run=slice(3)))
    with pytest.raises(ValueError, match="family_size: 0 with 1 pairs"):
        analysis.group_distances(matrix, family_size=0)
