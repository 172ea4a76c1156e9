import numpy as np
import pytest
import xarray as xr
from scipy.optimize import minimize
from scipy.special import ndtr

from throughtime import analysis
from throughtime.analysis.arrays.accuracy import accuracy, wilson_interval
from throughtime.analysis.arrays.psychometric import curve, fit_counts, psychometric

COHERENCE = np.array([0.032, 0.064, 0.128, 0.256])


def test_perfect_integrator():
    np.testing.assert_allclose(
        curve(COHERENCE, 0.0, 1 / np.sqrt(50)), [0.5895, 0.6746, 0.8173, 0.9649], atol=6e-5
    )
    x = np.concatenate([-COHERENCE[::-1], COHERENCE])
    count = np.full(8, 1000.0)
    for rates in ((0.0, 0.0), (None, None)):
        found, _, _ = fit_counts(x, count * ndtr(x * np.sqrt(50)), count, *rates)
        assert found[:2] == pytest.approx([0.0, 0.141421], abs=2e-5)


def test_recovers_lapses_and_shift():
    x = np.linspace(-1, 1, 9)
    truth = (0.1, 0.25, 0.03, 0.06)
    count = np.full(9, 1e4)
    found, bound, _ = fit_counts(x, count * curve(x, *truth), count)
    np.testing.assert_allclose(found, truth, atol=1e-4)
    np.testing.assert_array_equal(bound, 0)


def test_no_parameters_are_likelier():
    """An independent optimiser started from the truth does not find a better fit."""
    rng = np.random.default_rng(4)
    for _ in range(5):
        x = np.linspace(-1, 1, 7)
        truth = (rng.normal(0, 0.2), rng.uniform(0.1, 0.6), rng.uniform(0, 0.08), rng.uniform(0, 0.08))
        count = np.full(7, 60.0)
        chosen = rng.binomial(60, curve(x, *truth)).astype(float)

        def cost(theta, x=x, chosen=chosen):
            p = np.clip(curve(x, *theta), 1e-12, 1 - 1e-12)
            return -(chosen * np.log(p) + (60 - chosen) * np.log1p(-p)).sum()

        bounds = [(-3, 3), (0.004, 20), (0, 0.1), (0, 0.1)]
        other = minimize(
            cost, truth, method="Nelder-Mead", bounds=bounds, options={"fatol": 1e-9, "xatol": 1e-9}
        )
        assert fit_counts(x, chosen, count)[2] >= -other.fun - 1e-6


def test_changing_units_of_the_stimulus_changes_only_units():
    rng = np.random.default_rng(0)
    x = rng.choice(np.linspace(-1, 1, 6), 400)
    choice = rng.random(400) < ndtr(3 * (x - 0.1))
    a = psychometric(x, choice, num_resamples=0)
    b = psychometric(100 * x + 7, choice, num_resamples=0)
    assert b.mu == pytest.approx(100 * a.mu + 7, rel=1e-3)
    assert b.sigma == pytest.approx(100 * a.sigma, rel=1e-3)
    assert b.log_likelihood == pytest.approx(a.log_likelihood)


def test_bound_is_flagged_for_errorless_choices():
    x = np.repeat(np.linspace(-1, 1, 6), 10)
    result = psychometric(x, x > 0, num_resamples=0, guess=0.0, lapse=0.0)
    assert abs(result.mu) < 0.2
    assert result.on_bound[0] == 0
    assert result.sigma < 0.1


def test_bootstrap_interval_covers_and_is_repeatable():
    rng = np.random.default_rng(1)
    x = rng.choice(np.linspace(-1, 1, 7), 600)
    choice = rng.random(600) < ndtr((x - 0.2) / 0.4)
    a = psychometric(x, choice, num_resamples=60, seed=5)
    b = psychometric(x, choice, num_resamples=60, seed=5)
    np.testing.assert_array_equal(a.interval, b.interval)
    assert a.interval[0, 0] < 0.2 < a.interval[0, 1]
    assert (a.interval[:2, 0] < [a.mu, a.sigma]).all()
    assert (a.interval[:2, 1] > [a.mu, a.sigma]).all()


@pytest.mark.parametrize(
    ("stimulus", "choice", "options", "message"),
    [
        (
            np.repeat([0.0, 1, 2], 4),
            np.tile([0, 1], 6),
            {},
            "stimulus: 3 distinct levels; a fit needs at least 4",
        ),
        (np.arange(8.0), np.ones(8), {}, "choice: every choice is 1"),
        (np.arange(8.0), np.full(8, 2), {}, r"choice: expected 0 and 1, found \[2.0\]"),
        (np.arange(8.0), np.arange(7) % 2, {}, "unequal lengths: stimulus 8, choice 7"),
        (np.full(8, np.nan), np.arange(8) % 2, {}, "stimulus: 8 of 8 values are not finite"),
        (np.arange(8.0), np.arange(8) % 2, {"lapse": 0.6}, r"lapse: 0.6 is not in \[0, 0.5\)"),
        (np.arange(8.0), np.arange(8) % 2, {"confidence": 95}, "confidence: 95 is not between 0 and 1"),
    ],
)
def test_psychometric_refusals(stimulus, choice, options, message):
    with pytest.raises(ValueError, match=message):
        psychometric(stimulus, choice, **options)


def test_psychometric_dataset():
    rng = np.random.default_rng(2)
    x = xr.DataArray(rng.uniform(-1, 1, (2, 200)), dims=("seed", "trial"), attrs={"units": "Hz"})
    choice = xr.DataArray((rng.random((2, 200)) < ndtr(3 * x.values)).astype(int), dims=("seed", "trial"))
    choice[1] = 1
    result = analysis.psychometric(x, choice, num_resamples=5, num_bins=6)
    direct = psychometric(x.values[0], choice.values[0], num_resamples=5)
    assert float(result.mu[0]) == direct.mu
    np.testing.assert_array_equal(result.lower[0], direct.interval[:, 0])
    np.testing.assert_array_equal(result.fit_status, [0, 1])
    assert result["fraction"].sizes["condition"] == 6
    assert result.mu.attrs["units"] == "Hz"
    assert result["parameter"].attrs["flag_meanings"] == "mu sigma guess lapse"


def test_wilson_interval_known_answers():
    lower, upper = wilson_interval(np.array([0.0, 8.0, 81.0]), np.array([10.0, 10.0, 263.0]))
    np.testing.assert_allclose(lower, [0.0, 0.49016, 0.25527], atol=1e-4)
    np.testing.assert_allclose(upper, [0.27753, 0.94331, 0.36621], atol=1e-4)


def test_wilson_interval_covers():
    rng = np.random.default_rng(0)
    count = np.full(4000, 40.0)
    for p in (0.5, 0.9, 0.97):
        lower, upper = wilson_interval(rng.binomial(40, p, 4000).astype(float), count)
        assert ((lower <= p) & (p <= upper)).mean() > 0.92


def test_accuracy_by_level():
    level = np.array([1.0, 1, 2, 2, 2, 3])
    result = accuracy(level, np.array([1, 0, 1, 1, 1, 0], bool))
    np.testing.assert_allclose(result.fraction_correct, [0.5, 1, 0])
    np.testing.assert_array_equal(result.num_trials, [2, 3, 1])
    assert (result.overall, result.worst) == (pytest.approx(4 / 6), 0.0)


def test_accuracy_of_continuous_levels_is_binned():
    level = np.linspace(500, 3000, 400)
    result = accuracy(level, level < 1750, num_bins=4)
    np.testing.assert_allclose(result.fraction_correct, [1, 1, 0, 0])
    assert (np.diff(result.level) > 0).all()


@pytest.mark.parametrize(
    ("level", "correct", "message"),
    [
        (np.empty(0), np.empty(0), "level: 0 trials; pass at least 1"),
        (np.ones(3), np.array([0, 1, 0.5]), "correct: expected 0 and 1"),
        (np.ones(3), np.ones(2), "unequal lengths: level 3, correct 2"),
        (np.array([1, np.inf]), np.ones(2), "level: 1 of 2 values are not finite"),
    ],
)
def test_accuracy_refusals(level, correct, message):
    with pytest.raises(ValueError, match=message):
        accuracy(level, correct)


def test_accuracy_dataset():
    rng = np.random.default_rng(0)
    delay = xr.DataArray(
        rng.uniform(500, 3000, (2, 50)), dims=("seed", "trial"), attrs={"units": "ms"}, name="delay"
    )
    correct = xr.DataArray(rng.integers(0, 2, (2, 50)), dims=("seed", "trial"))
    result = analysis.accuracy(delay, correct, num_bins=5)
    np.testing.assert_allclose(result.overall, correct.mean("trial"))
    np.testing.assert_array_equal(result.num_trials.sum("condition"), 50)
    assert result["level"].attrs == {"units": "ms", "long_name": "delay"}
    assert ((result.lower <= result.fraction_correct) & (result.fraction_correct <= result.upper)).all()
