"""Delayed estimation: Poisson code, six rules, Bayes read-outs, published settings."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.checking import tasks as battery
from throughtime.tasks import DelayedEstimation
from throughtime.tasks.poisson_code import change_log_odds, comparison, resultant

RULES = ("estimate", "gated", "change", "compare", "two_alternative", "sine")
KEYS = jax.random.split(jax.random.key(0), 2000)
TASK = DelayedEstimation(noise=0.0)
STIMULUS, RESPONSE = slice(0, 5), slice(55, 60)


@functools.cache
def drawn(rule, num_locations=None):
    """Trials of a rule; scores of a perfect, a silent and a broken subject, and of the Bayes read-out."""
    task = dataclasses.replace(TASK, rule=rule, num_locations=num_locations)

    @jax.jit
    @jax.vmap
    def one(key):
        trial = task.trial(key)
        ideal = task.ideal(trial)
        at_best = best(task, trial)
        subjects = (ideal, 0 * ideal, ideal.at[-1, 0].set(jnp.nan), at_best)
        return trial, [task.score(outputs, trial) for outputs in subjects]

    return task, *jax.tree.map(np.asarray, one(KEYS))


def best(task, trial):
    """Outputs of the Bayes read-out."""
    known = trial.conditions
    if "evidence" in known:
        return jnp.full_like(trial.targets, known["evidence"])
    if "sine" in task.output_names:
        return trial.targets
    places = range(1, task.num_shown + 1) if task.num_shown > 1 else ("",)
    suffixes = [f"_{place}" if place else "" for place in places]
    parts = jnp.stack(
        [jnp.stack([known[f"statistic_{part}{s}"] for part in ("cos", "sin")]) for s in suffixes]
    )
    if "cue" in known:
        parts = parts[known["cue"] - 1]
    return jnp.broadcast_to(parts.reshape(-1), trial.targets.shape)


def lost(task, trials, scores):
    return fit(task.signature, scores, trials.conditions)["fractional_loss"]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule(rule):
    """A perfect subject is right, a silent one loses all, the Bayes read-out loses nothing."""
    task, trials, (ideal, silent, broken, at_best) = drawn(rule)
    assert trials.inputs.shape[1:] == (60, len(task.input_names))
    assert trials.targets.shape[1:] == trials.mask.shape[1:] == (60, len(task.output_names))
    assert set(trials.conditions) == set(task.condition_names)
    assert ideal["correct"].all()
    assert not broken["correct"].any()
    assert silent["correct"].mean() == pytest.approx(task.silent_score, abs=0.05)
    assert lost(task, trials, at_best) == pytest.approx(0, abs=1e-5)
    assert lost(task, trials, silent) > 0.99
    assert np.isnan(lost(task, trials, broken))
    mask = np.zeros(60)
    mask[RESPONSE] = 1
    np.testing.assert_allclose(
        trials.mask, np.broadcast_to(mask[:, None], trials.mask.shape[1:])[None].repeat(2000, 0)
    )
    assert not trials.targets[:, :55].any()


@pytest.mark.parametrize("rule", RULES)
def test_bins_are_averages_and_settings_are_kept(rule):
    task = DelayedEstimation(rule=rule)
    battery.round_trip(task)
    other = dataclasses.replace(task, noise=0.0)
    coarse = jax.jit(other.trial)(KEYS[0])
    fine = jax.jit(dataclasses.replace(other, dt=10.0).trial)(KEYS[0])
    for name in ("inputs", "targets", "mask"):
        pairs = np.asarray(getattr(fine, name)).reshape(60, 2, -1).mean(1)
        np.testing.assert_allclose(getattr(coarse, name), pairs, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, coarse.conditions, fine.conditions)


def test_spikes_and_statistic():
    """Inputs are counts over the peak's mean, with Poisson mean and variance; S sums them."""
    _, trials, _ = drawn("estimate")
    counts = trials.inputs[:, 0] * 2  # 20 spikes per s for 100 ms
    np.testing.assert_allclose(
        trials.inputs[:, STIMULUS], np.broadcast_to(counts[:, None] / 2, (2000, 5, 25))
    )
    np.testing.assert_allclose(counts, counts.round(), atol=1e-5)
    assert not trials.inputs[:, 5:].any()
    angle, preferred = trials.conditions["angle"], np.pi * np.arange(25) / 25
    mean = 2 * np.exp(2 * (np.cos(2 * (angle[:, None] - preferred)) - 1))
    assert ((counts - mean) / np.sqrt(mean)).mean() == pytest.approx(0, abs=0.02)
    assert ((counts - mean) ** 2 / mean).mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(trials.conditions["statistic_cos"], counts @ np.cos(2 * preferred), atol=1e-4)
    np.testing.assert_allclose(trials.conditions["statistic_sin"], counts @ np.sin(2 * preferred), atol=1e-4)
    assert angle.min() >= 0
    assert angle.max() < np.pi
    assert abs(np.exp(2j * angle).mean()) < 0.07


def test_posterior_is_von_mises():
    """The mean cosine of twice the optimal error is that of von Mises posteriors of concentration κ|S|."""
    from scipy.special import ive

    _, trials, (_, _, _, at_best) = drawn("estimate")
    concentration = 2 * np.hypot(trials.conditions["statistic_cos"], trials.conditions["statistic_sin"])
    expected = (ive(1, concentration) / ive(0, concentration)).mean()
    np.testing.assert_allclose(at_best["angular_error"], at_best["optimal_error"], atol=1e-6)
    assert np.cos(2 * at_best["optimal_error"]).mean() == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("rule", ["change", "compare", "two_alternative"])
def test_evidence_is_calibrated(rule):
    """Among trials of equal evidence the mean answer is that evidence."""
    _, trials, (_, _, _, at_best) = drawn(rule)
    evidence, answer = trials.conditions["evidence"], 2 * trials.conditions["correct_choice"] - 1
    groups = np.array_split(np.argsort(evidence), 5)
    for group in groups:
        assert answer[group].mean() == pytest.approx(evidence[group].mean(), abs=0.15)
    assert at_best["correct"].mean() > 0.85
    np.testing.assert_array_equal(at_best["choice"], at_best["optimal_choice"])


def test_change_log_odds_are_integrals():
    """Against sums over a grid of orientations."""
    counts = np.random.default_rng(0).poisson(1.0, (2, 25)).astype(float)
    grid = np.linspace(0, np.pi, 500, endpoint=False)
    tuning = np.exp(2 * (np.cos(2 * (grid[:, None] - np.pi * np.arange(25) / 25)) - 1))
    first, second = (np.exp(np.log(tuning) @ each + 2 * each.sum()) for each in counts)
    expected = np.log(first.mean() * second.mean() / (first * second).mean())
    found = change_log_odds(*resultant(jnp.asarray(counts, jnp.float32)), 2.0)
    assert float(found) == pytest.approx(expected, rel=1e-3)


def test_comparison_counts_ties_half():
    means = np.array([[1.0, 0.5], [0.5, 1.0]])
    same = jnp.array([[3.0, 1.0], [3.0, 1.0]])
    assert float(comparison(same, means, jnp.ones(2))) == pytest.approx(0.5)
    weight = np.array([1, 2]) / 3  # one spike of the second unit
    p = comparison(jnp.array([[0.0, 1.0], [0.0, 0.0]]), means, jnp.ones(2))
    assert float(p) == pytest.approx(weight[1] * 0.5 + 0.5 * 0.5)


def test_gated_asks_for_the_cued_location():
    task, trials, (_, silent, _, at_best) = drawn("gated")
    cue = trials.conditions["cue"]
    assert set(cue) == {1, 2}
    assert task.input_names[-3:] == ("stimulus2_24", "cue_1", "cue_2")
    np.testing.assert_array_equal(trials.inputs[:, RESPONSE, 50:].argmax(2) + 1, cue[:, None].repeat(5, 1))
    assert not trials.inputs[:, :55, 50:].any()
    angle = np.where(cue == 1, trials.conditions["angle_1"], trials.conditions["angle_2"])
    np.testing.assert_allclose(
        trials.targets[:, -1], np.stack([np.cos(2 * angle), np.sin(2 * angle)], 1), atol=1e-5
    )
    assert np.isnan(silent["angular_error"]).all()
    assert np.abs(at_best["angular_error"]).mean() < 0.12


def test_change_is_at_one_location():
    task, trials, _ = drawn("change", 3)
    changed = trials.conditions["correct_choice"] == 1
    assert not trials.conditions["difference"][~changed].any()
    assert np.abs(trials.conditions["difference"][changed]).mean() == pytest.approx(np.pi / 4, abs=0.05)
    assert task.input_names[25] == "stimulus2_00"


def test_sine_is_a_bin_average():
    _, trials, _ = drawn("sine")
    edges = np.pi / 4 * np.arange(6) / 5
    expected = -np.diff(np.cos(edges)) / np.diff(edges)
    np.testing.assert_allclose(
        trials.targets[:, RESPONSE, 0], np.broadcast_to(expected, (2000, 5)), atol=1e-4
    )
    np.testing.assert_array_equal(trials.inputs[0, :, 0], np.r_[np.zeros(5), np.ones(50), np.zeros(5)])


def test_scores_of_reports():
    """Turned reports have the turn as their error, at the edge of the period too; a guess has 45 degrees."""
    task, trials, _ = drawn("estimate")
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), trials)
    theta, optimal = float(one.conditions["angle"]), float(one.conditions["statistic_cos"])
    turns = np.array([0.25, -0.25, 0.27, 1.5, -1.5])
    reports = np.stack([np.cos(2 * (theta + turns)), np.sin(2 * (theta + turns))], 1)
    outputs = jnp.asarray(np.broadcast_to(reports[:, None], (5, 60, 2)), jnp.float32)
    scores = jax.vmap(task.score, in_axes=(0, None))(outputs, one)
    np.testing.assert_allclose(scores["angular_error"], turns, atol=1e-4)
    assert scores["correct"].tolist() == [True, True, False, False, False]
    np.testing.assert_allclose(scores["excess"] + scores["reference"], np.abs(turns), atol=1e-4)
    nothing = task.score(jnp.zeros((60, 2)), one)
    assert float(nothing["excess"] + nothing["reference"]) == pytest.approx(np.pi / 4)
    assert np.isfinite(optimal)


def test_shuffled_reports_lose_all():
    """The signature of reports of other trials is that of a guess."""
    task, trials, (_, _, _, at_best) = drawn("estimate")
    reference = np.abs(at_best["optimal_error"])
    shuffled = np.random.default_rng(0).permutation(trials.conditions["angle"]) - trials.conditions["angle"]
    error = np.abs((shuffled + np.pi / 2) % np.pi - np.pi / 2)
    found = lost(task, trials, {"excess": error - reference, "reference": reference})
    assert found == pytest.approx((np.pi / 4 - reference.mean()) / reference.mean(), rel=0.05)
    planted = fit(task.signature, {"excess": 0.1 * reference, "reference": reference}, trials.conditions)
    assert planted["fractional_loss"] == pytest.approx(0.1)
    assert set(planted) == set(task.signature.parameters)


def test_published_settings():
    task = DelayedEstimation.orhan_ma(rule="gated")
    assert (task.dt, task.stimulus, task.delay, task.response) == (10, 250, 1000, 250)
    assert (len(task.input_names), task.gain * task.stimulus / 1000) == (102, 1)
    assert DelayedEstimation.variable_delay().delay == (100, 400, 700, 1000)
    assert DelayedEstimation(num_locations=2).output_names == ("cos_1", "sin_1", "cos_2", "sin_2")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rule": "recall"}, "rule 'recall': expected 'estimate' or 'gated' or 'change' or 'compare' or"),
        (
            {"rule": "gated", "num_locations": 1},
            "num_locations 1: rule 'gated' shows at least 2 of them; use None.",
        ),
        (
            {"rule": "compare", "num_locations": 2},
            "num_locations 2: rule 'compare' shows 1 of them; use None.",
        ),
        ({"num_locations": 1.5}, "num_locations 1.5: expected a whole number or None."),
        ({"num_units": 3}, "num_units 3: too few units to tell a direction; use at least 4."),
        ({"gain": 0}, "gain 0: must be positive; use gain > 0."),
        ({"gain": 600}, "gain 600: more than 50 spikes an epoch; use gain <= 500."),
        ({"concentration": -1}, "concentration -1: must be positive; use concentration > 0."),
        ({"half_cycles": 0}, "half_cycles 0: must be positive; use half_cycles > 0."),
        ({"tolerance": 2}, "tolerance 2: an error of orientation lies between 0 and pi/2."),
        ({"grace": -1}, "grace -1: a duration cannot be negative; use grace >= 0."),
        ({"grace": 100}, "grace (100 ms) leaves no loss in a response of 100 ms; use grace < response."),
        ({"dt": 150}, "dt 150: cannot resolve a decision of 100 ms; use dt <= 100."),
        ({"stimulus": 0}, "stimulus 0: the epoch can vanish; use values > 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        DelayedEstimation(**fields)
    assert str(error.value).startswith(f"DelayedEstimation: {message}")
