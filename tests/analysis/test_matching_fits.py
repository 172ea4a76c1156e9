"""Fits of answers match and non-match: detection, repetition, category."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr

from throughtime import analysis
from throughtime.analysis.arrays.category import category
from throughtime.analysis.arrays.detection import detection, sensitivity
from throughtime.analysis.arrays.repetition import repetition

ONE = np.ones(4)


def test_sensitivity_of_an_observer_with_known_noise():
    """Hits Φ(d/2 − c) and false alarms Φ(−d/2 − c) of an observer at d′ = 1.5 with bias 0.3."""
    many = np.array([1e8])
    d_prime, bias = sensitivity(many * ndtr(0.45), many, many * ndtr(-1.05), many)
    assert d_prime == pytest.approx(1.5, abs=1e-6)
    assert bias == pytest.approx(0.3, abs=1e-6)


def test_the_log_linear_correction_keeps_a_perfect_observer_finite():
    d_prime, bias = sensitivity(np.array([9, 0]), np.array([9, 0]), np.array([0, 3]), np.array([9, 9]))
    np.testing.assert_allclose(d_prime, [2 * 1.6448536, np.nan], atol=1e-6)
    assert bias[0] == pytest.approx(0, abs=1e-12)


def test_detection_recovers_levels_and_rejects_shuffled_trials():
    rng = np.random.default_rng(0)
    back = rng.choice([1.0, 2.0, 3.0], 3000)
    planted = {1.0: 3.0, 2.0: 2.0, 3.0: 1.0}
    d = np.array([planted[n] for n in back])
    targets = lures = np.full(3000, 5)
    hits, false_alarms = rng.binomial(5, ndtr(d / 2)), rng.binomial(5, ndtr(-d / 2))
    found = detection(back, targets, hits, lures, false_alarms)
    np.testing.assert_allclose(found.d_prime, [3, 2, 1], atol=0.12)
    np.testing.assert_allclose(found.bias, 0, atol=0.05)
    assert found.worst_d_prime == found.d_prime[2]
    answers = rng.permuted(np.stack([hits, false_alarms]), axis=0)
    assert abs(detection(back, targets, answers[0], lures, answers[1]).overall_d_prime) < 0.1


def test_repetition_tells_a_subject_that_notices_repeats_from_one_that_remembers():
    rng = np.random.default_rng(1)
    shown = np.full(2000, 2)
    answers = [rng.binomial(2, p, 2000) for p in (0.9, 0.6, 0.1)]
    found = repetition(*(array for answer in answers for array in (shown, answer)))
    assert (found.hit_rate, found.repeated_rate, found.new_rate) == pytest.approx((0.9, 0.6, 0.1), abs=0.02)
    assert found.repetition_effect == pytest.approx(0.5, abs=0.03)
    assert ((found.lower < found.fraction_match) & (found.fraction_match < found.upper)).all()
    assert found.new_d_prime > found.repeated_d_prime
    mixed = rng.permuted(np.stack(answers[1:]), axis=0)
    shuffled = repetition(shown, answers[0], shown, mixed[0], shown, mixed[1])
    assert abs(shuffled.repetition_effect) < 0.05


def _pairs(num_trials, rng):
    """Distances and categories of pairs of ten directions around a circle that is cut into halves."""
    first, second = rng.integers(0, 10, (2, num_trials))
    away = np.abs(first - second)
    return 36.0 * np.minimum(away, 10 - away), (first // 5 == second // 5).astype(int)


@pytest.mark.parametrize(("by_category", "by_distance"), [(0.9, 0.0), (0.0, 0.9), (0.5, 0.3)])
def test_category_recovers_effects_and_rejects_shuffled_trials(by_category, by_distance):
    rng = np.random.default_rng(2)
    distance, same = _pairs(6000, rng)
    p = 0.5 * (1 - by_category + by_distance) + by_category * same - by_distance * distance / 180
    choice = rng.random(6000) < p
    found = category(distance, same, choice)
    assert found.category_effect == pytest.approx(by_category, abs=0.05)
    assert found.distance_effect == pytest.approx(by_distance, abs=0.07)
    assert np.isnan(found.same_fraction[-1])
    assert np.isnan(found.different_fraction[0])
    shuffled = category(distance, same, rng.permutation(choice))
    assert max(abs(shuffled.category_effect), abs(shuffled.distance_effect)) < 0.1


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (detection, [np.empty(0)] * 5, "level: 0 trials; pass at least 1"),
        (detection, [ONE, ONE, 2 * ONE, ONE, ONE], "hits: more than there were targets in 4 of 4 trials"),
        (detection, [ONE, ONE, ONE, ONE, 2 * ONE], "false_alarms: more than there were lures in 4 of 4"),
        (detection, [ONE, -ONE, ONE, ONE, ONE], "targets, hits: counts cannot be negative"),
        (detection, [ONE, ONE, ONE, ONE, ONE[:2]], "unequal lengths: level 4, targets 4"),
        (repetition, [np.empty(0)] * 6, "matches: 0 trials; pass at least 1"),
        (
            repetition,
            [ONE, ONE, ONE, 2 * ONE, ONE, ONE],
            "repeated_false_alarms: more than there were repeated",
        ),
        (repetition, [ONE, np.nan * ONE, ONE, ONE, ONE, ONE], "hits: 4 of 4 values are not finite"),
        (category, [np.empty(0)] * 3, "distance: 0 trials; pass at least 1"),
        (category, [ONE, 2 * ONE, ONE], "same: expected 0 and 1"),
        (
            category,
            [np.arange(4) > 1, np.arange(4) < 2, ONE],
            "distance, same: the distance tells the category",
        ),
    ],
)
def test_refusals(function, given, message):
    with pytest.raises(ValueError, match=message):
        function(*given)


def _named(*arrays):
    return [xr.DataArray(array, dims=("seed", "trial"), attrs={"units": "1"}) for array in arrays]


def test_datasets_are_the_array_functions_seed_by_seed():
    rng = np.random.default_rng(3)
    n, d = np.full((2, 60), 3), rng.integers(1, 4, (2, 60))
    h, f, g = (rng.binomial(3, p, (2, 60)) for p in (0.8, 0.3, 0.2))
    found = analysis.detection(*_named(d, n, h, n, f))
    np.testing.assert_allclose(found.d_prime[1], detection(d[1], n[1], h[1], n[1], f[1]).d_prime)
    found = analysis.repetition(*_named(n, h, n, f, n, g))
    one = repetition(n[1], h[1], n[1], f[1], n[1], g[1])
    np.testing.assert_allclose(found.fraction_match[1], one.fraction_match)
    assert float(found.repetition_effect[1]) == one.repetition_effect
    distance, same = (np.stack(both) for both in zip(_pairs(60, rng), _pairs(60, rng), strict=True))
    found = analysis.category(*_named(distance, same, h > 2))
    one = category(distance[0], same[0], h[0] > 2)
    np.testing.assert_allclose(found.same_fraction[0], one.same_fraction)
    assert float(found.category_effect[0]) == pytest.approx(one.category_effect)
