"""N-back: which items match, what is asked, and d′ of subjects that remember more or less."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import NBack, Uniform

KEYS = jax.random.split(jax.random.key(0), 512)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def _scores(task, outputs, trials):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.score))(jnp.asarray(outputs), trials))


def _items(task, trials):
    return np.stack([trials.conditions[f"item_{place + 1}"] for place in range(task.num_items)], axis=1)


@pytest.fixture(scope="module")
def drawn():
    task = NBack(noise=0.0)
    return task, _trials(task)


def test_items_are_shown_and_compared_with_the_one_two_before(drawn):
    task, trials = drawn
    items = _items(task, trials)
    assert trials.inputs.shape == (512, 180, 6)
    assert (task.input_names[0], task.silent_score) == ("symbol_a", 0.5**10)
    match = items[:, 2:] == items[:, :-2]
    shown, answer = np.zeros((512, 180, 6)), np.zeros((512, 180, 1))
    for place in range(12):
        shown[:, 15 * place : 15 * place + 5] = np.eye(6)[items[:, place], None]
        if place >= 2:
            answer[:, 15 * place : 15 * place + 15, 0] = np.where(match[:, place - 2], 1, -1)[:, None]
    np.testing.assert_allclose(trials.inputs, shown, atol=1e-6)
    np.testing.assert_allclose(trials.targets, answer, atol=1e-6)
    weight = np.r_[np.zeros(30), np.tile([0, 0, 0.5, *[1] * 12], 10)]
    np.testing.assert_allclose(trials.mask, np.tile(weight[:, None], (512, 1, 1)), atol=1e-5)
    np.testing.assert_array_equal(trials.conditions["targets"], match.sum(1))
    np.testing.assert_array_equal(trials.conditions["lures"], (~match).sum(1))
    assert trials.epochs["item_3"][0][0] == 600
    # Items that do not match are any other symbol, also the one just shown.
    other = (items[:, 2:] - items[:, :-2])[~match] % 6
    assert np.abs(np.bincount(other, minlength=6)[1:] / len(other) - 0.2).max() < 0.03


def test_counts_and_d_prime_of_a_subject_that_errs(drawn):
    task, trials = drawn
    rng = np.random.default_rng(0)
    items = _items(task, trials)
    match = items[:, 2:] == items[:, :-2]
    said = rng.random(match.shape) < np.where(match, 0.9, 0.2)
    outputs = np.zeros((512, 180, 1), np.float32)
    for place in range(10):
        start = 15 * (place + 2)
        outputs[:, start + 3 : start + 15, 0] = np.where(said[:, place], 0.1, -0.1)[:, None]
        outputs[:, start : start + 2] = 5 * (-1) ** place  # within the grace
    scores = _scores(task, outputs, trials)
    np.testing.assert_array_equal(scores["hits"], (said & match).sum(1))
    np.testing.assert_array_equal(scores["false_alarms"], (said & ~match).sum(1))
    np.testing.assert_allclose(scores["item_accuracy"], (said == match).mean(1), rtol=1e-6)
    np.testing.assert_array_equal(scores["correct"], (said == match).all(1))
    found = fits.fit(task.signature, scores, trials.conditions)
    assert found["d_prime"] == pytest.approx(1.2816 + 0.8416, abs=0.1)
    blind = _scores(task, rng.permutation(outputs), trials)
    assert abs(fits.fit(task.signature, blind, trials.conditions)["d_prime"]) < 0.15
    outputs[:, 0] = np.nan
    broken = _scores(task, outputs, trials)
    assert not any(broken[name].any() for name in ("correct", "item_accuracy", "hits", "false_alarms"))


def test_continuous_items_with_gaps_of_their_own_and_orientations():
    task = NBack.continuous(n=5, num_items=8, encoding="orientation", noise=0.0)
    trials = _trials(task, KEYS[:128])
    onsets = np.stack([trials.epochs[f"item_{place + 1}"][0] for place in range(8)], 1)
    gaps = np.diff(onsets, axis=1) - 500
    assert 1500 <= gaps.min() < 1550 < 2450 < gaps.max() <= 2500
    assert abs(np.corrcoef(gaps[:, 0], gaps[:, 1])[0, 1]) < 0.3
    assert task.duration == 24000
    assert trials.conditions["targets"].mean() == pytest.approx(1, abs=0.25)
    first = trials.inputs[:, 10]
    twice = 2 * np.pi * trials.conditions["item_1"] / 6
    np.testing.assert_allclose(first, np.stack([np.cos(twice), np.sin(twice)], 1), atol=1e-6)
    assert _scores(task, trials.targets, trials)["correct"].all()
    assert task.silent_score == pytest.approx((2 / 3) ** 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 0}, "n 0: an item always matches itself; use at least 1."),
        ({"n": 12}, "num_items 12: no item has one n before it; use more than n, 12."),
        ({"encoding": "letters"}, "encoding 'letters': expected 'one-hot' or 'orientation'."),
        (
            {"num_symbols": 1},
            "num_symbols 1: an item that does not match needs another symbol; use at least 2.",
        ),
        (
            {"num_symbols": 27},
            "num_symbols 27: one-hot symbols are named a to z; use encoding='orientation'.",
        ),
        ({"match_probability": 1.2}, "match_probability 1.2: a probability lies between 0 and 1."),
        ({"grace": -1}, "grace -1: a duration cannot be negative; use grace >= 0."),
        ({"grace": 300}, "grace (300 ms) leaves no loss in an item of 300 ms; use grace < item."),
        ({"dt": 150}, "dt 150: cannot resolve an item and its answer; use dt <= 100."),
        ({"gap": Uniform(9, 3)}, "gap Uniform(9, 3): lower bound exceeds upper bound."),
        ({"stimulus": 0}, "stimulus 0: the epoch can vanish; use values > 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        NBack(**fields)
    assert str(error.value) == f"NBack: {message}"
