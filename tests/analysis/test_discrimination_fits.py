"""Fits of choices about graded stimuli: groups, contexts and reaction times."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr

from throughtime import analysis
from throughtime.analysis.arrays.chronometric import chronometric
from throughtime.analysis.arrays.contextual import contextual, estimate
from throughtime.analysis.arrays.psychometric_by import psychometric_by

N = 6000
RNG = np.random.default_rng(0)
MODALITY = np.arange(N) % 3
RATE = RNG.choice(np.arange(9.0, 17.0), N) - 12.5
CONTEXT = np.arange(N) % 2
FIRST, SECOND = RNG.choice([-10.0, -3.0, -1.0, 1.0, 3.0, 10.0], (2, N))


def _by_modality(sigmas, rng):
    return RATE + rng.normal(0.4, np.asarray(sigmas)[MODALITY]) > 0


@pytest.mark.parametrize(("sigmas", "gain"), [((2.0, 2.0, 2**0.5), 2**0.5), ((1.5, 1.5, 1.5), 1.0)])
def test_gain_of_cues_that_are_combined_and_of_cues_that_are_not(sigmas, gain):
    found = psychometric_by(
        RATE, _by_modality(sigmas, np.random.default_rng(1)), MODALITY, guess=0.0, lapse=0.0, num_resamples=50
    )
    np.testing.assert_allclose(found.sigmas, sigmas, rtol=0.08)
    np.testing.assert_allclose(found.mus, -0.4, atol=0.15)
    assert ((found.sigma_lowers < found.sigmas) & (found.sigmas < found.sigma_uppers)).all()
    assert found.gain == pytest.approx(gain, rel=0.08)
    assert found.optimality == pytest.approx(gain / 2**0.5, rel=0.08)
    assert (found.lowest_sigma, found.highest_sigma) == (found.sigmas.min(), found.sigmas.max())


def test_the_better_of_two_cues_counts_more():
    """1/σ² = 1/1² + 1/3²: an observer that combines unequal cues well has optimality 1."""
    sigmas = (1.0, 3.0, (1 + 1 / 9) ** -0.5)
    found = psychometric_by(
        RATE, _by_modality(sigmas, np.random.default_rng(2)), MODALITY, guess=0.0, lapse=0.0, num_resamples=0
    )
    assert found.optimality == pytest.approx(1, abs=0.08)
    assert found.gain == pytest.approx(2 / sigmas[2], rel=0.1)


def test_groups_of_shuffled_trials_gain_nothing():
    choice = _by_modality((2.0, 2.0, 1.0), np.random.default_rng(3))
    shuffled = np.random.default_rng(4).permutation(MODALITY)
    assert psychometric_by(RATE, choice, shuffled, num_resamples=0).gain == pytest.approx(1, abs=0.15)
    lost = psychometric_by(RATE, np.random.default_rng(5).permutation(choice), MODALITY, num_resamples=0)
    assert lost.lowest_sigma > 5


def _in_context(relevant, irrelevant, rng, bias=(0.0, 0.0)):
    """Choices of an observer with these slopes of the probit, by context."""
    own, other = np.where(CONTEXT == 0, FIRST, SECOND), np.where(CONTEXT == 0, SECOND, FIRST)
    slopes = np.asarray(relevant)[CONTEXT], np.asarray(irrelevant)[CONTEXT]
    return rng.random(N) < ndtr(np.asarray(bias)[CONTEXT] + slopes[0] * own + slopes[1] * other)


def test_contextual_recovers_slopes():
    choice = _in_context((0.4, 0.2), (0.05, -0.02), np.random.default_rng(6), (0.3, -0.3))
    found = contextual(FIRST, SECOND, CONTEXT, choice)
    for name, planted in (("relevant", (0.4, 0.2)), ("irrelevant", (0.05, -0.02))):
        lower, upper = getattr(found, f"{name}_lower"), getattr(found, f"{name}_upper")
        half = (upper - lower) / 2
        np.testing.assert_allclose(getattr(found, f"{name}_slope"), planted, atol=1.5 * half.max())
        assert (half < 0.04).all()
    np.testing.assert_allclose(found.bias, (0.3, -0.3), atol=0.12)
    assert found.relevant == pytest.approx(0.3, abs=0.03)
    assert found.irrelevant == pytest.approx(0.035, abs=0.015)
    assert found.ratio == pytest.approx(found.relevant / found.irrelevant)
    assert found.worst_ratio == pytest.approx(min(found.relevant_slope / np.abs(found.irrelevant_slope)))
    np.testing.assert_allclose(found.level, np.unique(FIRST))
    assert (found.num_trials == N / 2).all()


def test_wald_intervals_cover_the_slopes():
    """About 95 % of 60 simulated observers."""
    inside = []
    for seed in range(60):
        found = contextual(
            FIRST, SECOND, CONTEXT, _in_context((0.3, 0.3), (0.02, 0.02), np.random.default_rng(seed))
        )
        inside.append((found.irrelevant_lower < 0.02) & (found.irrelevant_upper > 0.02))
    assert 0.88 < np.mean(inside) <= 1


def test_choices_without_error_have_finite_slopes():
    choice = _in_context((50.0, 50.0), (0.0, 0.0), np.random.default_rng(7))
    found = contextual(FIRST, SECOND, CONTEXT, choice)
    assert np.isfinite(found.relevant_slope).all()
    assert found.worst_ratio > 30
    np.testing.assert_array_equal(found.relevant_fraction, np.array([[0, 0, 0, 1, 1, 1]] * 2))


def test_a_context_without_a_slope_leaves_no_worst_ratio():
    choice = (FIRST > 0).astype(float)
    found = estimate(FIRST, SECOND, CONTEXT, np.where(CONTEXT == 1, 1.0, choice), np.array([0.0]))
    assert np.isnan([found.ratio, found.worst_ratio]).all()


def test_a_subject_that_ignores_the_context_has_a_ratio_of_one_and_shuffled_trials_have_no_slope():
    rng = np.random.default_rng(8)
    both = contextual(FIRST, SECOND, CONTEXT, _in_context((0.3, 0.3), (0.3, 0.3), rng))
    assert both.ratio == pytest.approx(1, abs=0.15)
    choice = rng.permutation(_in_context((0.3, 0.3), (0.0, 0.0), rng))
    shuffled = contextual(FIRST, SECOND, CONTEXT, choice)
    assert abs(shuffled.relevant) < 0.02


STRENGTH = RNG.choice([1.0, 2.0, 4.0, 8.0, 16.0], N) * RNG.choice([-1, 1], N)


def test_chronometric_recovers_a_planted_slope_and_finds_none_in_shuffled_trials():
    rng = np.random.default_rng(9)
    times = 700 - 60 * np.log2(np.abs(STRENGTH)) + rng.normal(0, 80, N)
    times[:600] = np.nan
    found = chronometric(STRENGTH, times)
    assert found.slope == pytest.approx(-60, abs=3)
    assert found.lower < -60 < found.upper
    assert found.intercept == pytest.approx(700, abs=8)
    np.testing.assert_allclose(found.reaction_times, [700, 640, 580, 520, 460], atol=10)
    np.testing.assert_allclose(found.sds, 80, rtol=0.1)
    assert found.fraction_missing == pytest.approx(0.1)
    assert abs(chronometric(STRENGTH, rng.permutation(times)).slope) < 5
    noon = chronometric(np.append(STRENGTH, np.zeros(50)), np.append(times, np.full(50, 900.0)))
    assert noon.slope == pytest.approx(found.slope)
    assert noon.reaction_times[0] == 900


ONES, COUNT = np.ones(8), np.arange(8.0)
BIT = np.arange(8) % 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: psychometric_by(COUNT, BIT, ONES), "group: 1 found; a comparison needs at least 2."),
        (
            lambda: psychometric_by(COUNT, COUNT // 4, COUNT // 4),
            "group 0: choice: every choice is 0; a curve needs trials of both kinds.",
        ),
        (
            lambda: contextual(COUNT, COUNT, np.zeros(8), BIT),
            "context: no trial of context 1; pass trials of both.",
        ),
        (
            lambda: contextual(ONES, COUNT, BIT, COUNT // 4),
            "first: always 1 in context 0; pass trials that vary it.",
        ),
        (
            lambda: chronometric(COUNT, np.full(8, np.nan)),
            "reaction_time: responses at 0 strengths above 0; a slope needs 2. Train longer or evaluate more "
            "trials.",
        ),
        (
            lambda: chronometric(COUNT, np.full(8, np.inf)),
            "reaction_time: 8 infinite values; mark a missing response with NaN.",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message


def _seeds(*arrays):
    """Each array for two seeds, with units."""
    return [
        xr.DataArray(np.stack([array, array]), dims=("seed", "trial"), attrs={"units": "%"})
        for array in arrays
    ]


def test_skins_work_seed_by_seed_and_say_where_there_is_no_fit():
    choice = _in_context((0.4, 0.4), (0.0, 0.0), np.random.default_rng(10)).astype(float)
    first, second, context, chosen, modality, rate = _seeds(FIRST, SECOND, CONTEXT, choice, MODALITY, RATE)
    by_rate = chosen.copy(data=np.stack([RATE > 0, RATE > 0]).astype(float))
    times = chosen.copy(data=np.stack([500 - 10 * np.abs(FIRST)] * 2))
    for array in (chosen, by_rate):
        array[1] = 1.0
    times[1] = np.nan
    found = analysis.contextual(first, second, context, chosen)
    expected = contextual(FIRST, SECOND, CONTEXT, choice)
    np.testing.assert_allclose(found["ratio"], [expected.ratio, np.nan])
    assert found["relevant_slope"].attrs["units"] == "1/%"
    np.testing.assert_array_equal(found["num_trials"].sum("condition"), [N, N])
    by = analysis.psychometric_by(rate, by_rate, modality, num_resamples=0)
    assert by["fraction"].dims == ("seed", "input_condition", "condition")
    chrono = analysis.chronometric(first, times)
    assert float(chrono["slope"][0]) == pytest.approx(chronometric(FIRST, times[0].values).slope)
    for result in (found, by, chrono):
        np.testing.assert_array_equal(result["fit_status"], [0, 1])
