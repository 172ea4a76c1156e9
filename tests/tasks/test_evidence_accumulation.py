"""Evidence accumulation: cues, delays, Poisson inputs, and the curves of simulated subjects."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from throughtime.analysis import fits
from throughtime.tasks import EvidenceAccumulation, Uniform
from throughtime.tasks.draw import Draw

KEYS = jax.random.split(jax.random.key(0), 4096)
QUIET = EvidenceAccumulation(noise=0.0, delay=200.0)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


@pytest.fixture(scope="module")
def trials():
    return _trials(QUIET)


@pytest.fixture(scope="module")
def cues(trials):
    return np.stack([trials.conditions[f"cue_{place}"] for place in range(1, 8)], axis=1)


def test_the_published_timing():
    for task in (EvidenceAccumulation(), EvidenceAccumulation.bellec()):
        assert task.duration == 2250
        epochs = jax.jit(task.trial)(KEYS[0]).epochs
        edges = {name: (float(start), float(end)) for name, (start, end) in epochs.items()}
        assert edges == {
            "trial": (0, 2250),
            "cues": (0, 1050),
            "delay": (1050, 2100),
            "response": (2100, 2250),
        }


def test_cues_come_after_their_gaps_and_recall_with_the_response(trials, cues):
    for index in range(32):
        expected = np.zeros((70, 4))
        for place, side in enumerate(cues[index]):
            for step in range(70):
                onset, offset = 50 + 150 * place, 150 + 150 * place
                expected[step, side] += max(0, min(20 * step + 20, offset) - max(20 * step, onset)) / 20
        expected[62, 2], expected[63:, 2] = 0.5, 1
        expected[:, 3] = 0.25
        np.testing.assert_allclose(trials.inputs[index], expected, atol=1e-5)
    sign = np.where(trials.conditions["correct_choice"], 1, -1)
    np.testing.assert_array_equal(trials.targets[:, -1, 0], sign)
    assert not trials.mask[:, :62].any()


def test_right_is_the_side_with_more_cues(trials, cues):
    drawn = trials.conditions
    np.testing.assert_array_equal(drawn["right"], cues.sum(1))
    np.testing.assert_array_equal(drawn["left"], 7 - cues.sum(1))
    np.testing.assert_array_equal(drawn["difference"], drawn["right"] - drawn["left"])
    np.testing.assert_array_equal(drawn["correct_choice"], drawn["difference"] > 0)
    # two cues of one trial lie on one side with probability p² + q², beyond chance
    assert np.mean(cues[:, 0] == cues[:, 6]) == pytest.approx(0.58, abs=4 * 0.5 / 64)


@pytest.mark.parametrize("spread", [0.8, 2.5])
def test_the_signature_recovers_a_noisy_subject(trials, spread):
    random = np.random.default_rng(0)
    noise = 0.6 + spread * random.normal(size=4096)
    outputs = np.zeros_like(trials.targets)
    outputs[:] = (trials.conditions["difference"] - noise)[:, None, None]
    scores = jax.jit(jax.vmap(QUIET.score))(outputs, trials)
    found = fits.fit(QUIET.signature, scores, trials.conditions)
    assert found["mu"] == pytest.approx(0.6, abs=0.15)
    assert found["sigma"] == pytest.approx(spread, rel=0.15)
    shuffled = {**trials.conditions, "difference": random.permutation(trials.conditions["difference"])}
    assert not fits.fit(QUIET.signature, scores, shuffled)["sigma"] < 2 * spread


def test_regression_weights_are_flat_for_a_perfect_subject_and_show_a_leak(trials, cues):
    design = np.concatenate([cues - 0.5, np.ones((4096, 1))], axis=1)

    def weights(outputs):
        choices = jax.vmap(QUIET.score)(outputs, trials)["choice"]
        return np.linalg.lstsq(design, np.asarray(choices, float), rcond=None)[0][:7]

    flat = weights(trials.targets)
    assert np.ptp(flat) < 0.06
    assert flat.min() > 0.1
    leaky = ((cues - 0.5) * 0.5 ** np.arange(6, -1, -1)).sum(1)
    assert (np.diff(weights(np.broadcast_to(leaky[:, None, None], trials.targets.shape))) > -0.02).all()
    assert np.ptp(weights(np.broadcast_to(leaky[:, None, None], trials.targets.shape))) > 0.5


def test_poisson_units_fire_at_their_rates():
    task = EvidenceAccumulation.bellec(dt=5.0)
    assert len(task.input_names) == 40
    assert task.input_names[::10] == ("left_0", "right_0", "recall_0", "noise_0")
    assert task.output_names == ("choice_left", "choice_right")
    trials = _trials(task, KEYS[:256])
    counts = trials.inputs * 0.2  # spikes of 5 ms at 40 Hz
    np.testing.assert_allclose(counts, counts.round(), atol=1e-5)
    levels = _trials(dataclasses.replace(task, encoding="rates"), KEYS[:256]).inputs
    levels = np.repeat(levels, 10, axis=2)
    assert not trials.inputs[levels == 0].any()
    for level in (0.25, 1.0):
        fired = counts[levels == level].round()
        p = stats.poisson.pmf(np.arange(3), 0.2 * level)
        seen = np.array([(fired == 0).sum(), (fired == 1).sum(), (fired == 2).sum(), (fired > 2).sum()])
        assert stats.chisquare(seen, fired.size * np.append(p, 1 - p.sum())).pvalue > 1e-4
    recalled = counts[:, 420:, 20:30].reshape(256, -1)
    units = counts[:, 420:, 20:22].reshape(-1, 2)
    assert abs(np.corrcoef(units.T)[0, 1]) < 4 / np.sqrt(len(units))
    assert recalled.sum(1).var() == pytest.approx(60, rel=0.4)


@pytest.mark.parametrize("mean", [1e-3, 0.04, 3.0, 12.0])
def test_counts_are_poisson(mean):
    means = jnp.full((200, 1000), mean, jnp.float32)
    counts = np.asarray(jax.jit(lambda key: Draw(key).counts("spikes", means, 12.0))(KEYS[3]))
    possible = np.arange(stats.poisson.ppf(1 - 1e-4, mean) + 1)
    expected = counts.size * stats.poisson.pmf(possible, mean)
    kept = expected > 5
    seen = np.array([(counts == value).sum() for value in possible])
    rest = [counts.size - seen[kept].sum()], [counts.size - expected[kept].sum()]
    observed, wanted = (np.append(a[kept], b) for a, b in zip((seen, expected), rest, strict=True))
    assert stats.chisquare(observed, wanted).pvalue > 1e-4
    assert counts.max() < stats.poisson.isf(1e-9, mean) + 1


def test_delays_may_vary():
    task = EvidenceAccumulation(delay=Uniform(500, 1500), noise=0.0)
    trials = _trials(task, KEYS[:64])
    assert task.num_steps == 135
    assert np.ptp(trials.conditions["delay"]) > 800
    ends = np.asarray(trials.epochs["trial"][1])
    np.testing.assert_allclose(ends, 1200 + trials.conditions["delay"], rtol=1e-5)
    np.testing.assert_allclose(trials.inputs[..., 3].sum(1) * 20, 0.25 * ends, rtol=1e-4)


def test_one_cue_and_certain_sides():
    task = EvidenceAccumulation(num_cues=1, cue_probability=1.0)
    assert task.condition_names == ("left", "right", "difference", "cue_1", "delay", "correct_choice")
    assert task.cues == 150
    certain = _trials(dataclasses.replace(QUIET, cue_probability=1.0), KEYS[:64]).conditions["right"]
    assert set(certain.tolist()) == {0, 7}
    assert math.isclose(task.duration, 150 + 1050 + 150)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_cues": 6}, "num_cues 6: must be odd (ties have no correct side)."),
        ({"num_cues": -1}, "num_cues -1: must be odd (ties have no correct side)."),
        ({"cue": 0}, "cue 0: a cue needs a duration; use cue > 0."),
        ({"cue_interval": 90}, "cue_interval 90: the cues would overlap; use cue_interval >= 100."),
        ({"cue_probability": 1.2}, "cue_probability 1.2: a probability lies between 0 and 1."),
        ({"background": -1}, "background -1: a level cannot be negative; use background >= 0."),
        ({"encoding": "spikes"}, "encoding 'spikes': expected 'rates' or 'poisson'."),
        ({"group_size": 0}, "group_size 0: a group needs a unit; use at least 1."),
        ({"rate_hz": 0}, "rate_hz 0: units that do not fire show nothing; use rate_hz > 0."),
        ({"dt": 200}, "dt 200: cannot resolve a decision of 150 ms; use dt <= 150."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        EvidenceAccumulation(**fields)
    assert str(error.value) == f"EvidenceAccumulation: {message}"


@pytest.mark.parametrize("encoding", ["rates", "poisson"])
def test_a_fixation_input_has_a_name(encoding):
    task = EvidenceAccumulation(fixation_input=True, encoding=encoding, group_size=2)
    assert task.input_names[0] == "fixation"
    assert len(task.input_names) == jax.eval_shape(task.trial, KEYS[0]).inputs.shape[1]


def test_the_recall_cue_has_a_time_of_its_own():
    with pytest.raises(ValueError, match="response None: expected finite ms"):
        EvidenceAccumulation(response=None)
