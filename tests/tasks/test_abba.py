"""ABBA: places of matches, repeats, and what a subject that only notices repeats does."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import ABBA

KEYS = jax.random.split(jax.random.key(0), 512)
PLACES = range(3)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


@pytest.fixture(scope="module")
def drawn():
    task = ABBA(noise=0.0)
    return task, _trials(task)


def _tests(trials):
    return np.stack([trials.conditions[f"test_{place + 1}"] for place in PLACES], 1)


def test_a_match_ends_the_trial_and_non_matches_repeat_or_are_new(drawn):
    _, trials = drawn
    for index, row in enumerate(_tests(trials)):
        sample, last = trials.conditions["sample"][index], trials.conditions["match_position"][index]
        shown = row[: last or 3]
        np.testing.assert_array_equal(row[len(shown) :], -1)
        np.testing.assert_array_equal(shown == sample, [place + 1 == last for place in range(len(shown))])
        assert trials.epochs["trial"][1][index] == 400 + 800 * len(shown)
        for place in range(3):
            onset, offset = (edge[index] for edge in trials.epochs[f"test_{place + 1}"])
            expected = [800 + 800 * place, 1200 + 800 * place] if place < len(shown) else [np.nan] * 2
            np.testing.assert_array_equal([onset, offset], expected)
        kinds = [
            "repeated" if now == before else "new"
            for before, now in itertools.pairwise(shown)
            if now != sample
        ]
        for name in ("repeated", "new"):
            assert trials.conditions[name][index] == kinds.count(name)
        distinct = [now for place, now in enumerate(shown) if place == 0 or now != shown[place - 1]]
        assert len(set(distinct)) == len(distinct)


def test_tests_are_seen_by_tuned_units_and_answered_while_shown(drawn):
    task, trials = drawn
    index = int(np.flatnonzero(trials.conditions["match_position"] == 2)[0])
    row, sample = _tests(trials)[index], trials.conditions["sample"][index]
    for onset, direction in ((0, sample), (40, row[0]), (80, row[1])):
        shown = trials.inputs[index, onset + 10]
        assert shown.argmax() == 3 * direction
        assert shown.max() == pytest.approx(4)
        np.testing.assert_array_equal(trials.inputs[index, onset], shown)
    assert not trials.inputs[index, 20:40].any()
    first, second, rest = [0, 1, 0], [0, 0, 1], [1, 0, 0]
    expected = np.repeat([rest, first, rest, second, [0, 0, 0]], [40, 20, 20, 20, 40], axis=0)
    np.testing.assert_allclose(trials.targets[index], expected, atol=1e-6)
    # The first 50 of 400 ms of a test bear no loss.
    weight = np.repeat([1, 0, 1, 0, 1, 0], [40, 2, 38, 2, 18, 40]).astype(float)
    weight[[42, 82]] = 0.5
    np.testing.assert_allclose(trials.mask[index], np.tile(weight[:, None], 3), atol=1e-5)
    assert task.num_steps == 140


def _answered(trials, said, task):
    """Scores of a subject that answers match where ``said`` (trial, test) is true."""
    outputs = np.zeros((*trials.targets.shape[:2], 3), np.float32)
    for place in PLACES:
        onset = 40 + 40 * place
        outputs[:, onset : onset + 20, 2] = said[:, place, None]
        outputs[:, onset : onset + 20, 1] = 1 - outputs[:, onset : onset + 20, 2]
    scores = jax.jit(jax.vmap(task.score))(jnp.asarray(outputs), trials)
    return jax.tree.map(np.asarray, scores)


def test_the_signature_tells_what_a_subject_remembers(drawn):
    task, trials = drawn
    row = _tests(trials)
    match = row == trials.conditions["sample"][:, None]
    again = np.zeros_like(match)
    again[:, 1:] = (row[:, 1:] == row[:, :-1]) & (row[:, 1:] >= 0)
    scores = _answered(trials, match | again, task)
    found = fits.fit(task.signature, scores, trials.conditions)
    assert (found["hit_rate"], found["repeated_rate"], found["new_rate"]) == (1, 1, 0)
    assert found["new_d_prime"] > 3
    np.testing.assert_array_equal(scores["correct"], ~again.any(1))
    shown = row >= 0
    np.testing.assert_allclose(scores["test_accuracy"], 1 - (again & shown).sum(1) / shown.sum(1))

    rng = np.random.default_rng(0)
    scores = _answered(trials, rng.random(match.shape) < np.where(match, 0.9, 0.3), task)
    found = fits.fit(task.signature, scores, trials.conditions)
    assert found["hit_rate"] == pytest.approx(0.9, abs=0.05)
    assert (found["repeated_rate"], found["new_rate"]) == pytest.approx((0.3, 0.3), abs=0.1)
    shuffled = {name: rng.permutation(score) for name, score in scores.items()}
    assert abs(fits.fit(task.signature, shuffled, trials.conditions)["repetition_effect"]) < 0.15


def test_masse_shows_all_tests_whatever_matches():
    task = ABBA.masse(noise=0.0, fixation_input=True)
    trials = _trials(task)
    row = _tests(trials)
    match = row == trials.conditions["sample"][:, None]
    assert (task.dt, task.duration, task.silent_score) == (10, 3300, 0.125)
    assert (trials.epochs["trial"][1] == 3300).all()
    assert trials.valid.all()
    np.testing.assert_allclose(match.mean(0), 0.5, atol=0.09)
    np.testing.assert_array_equal(trials.conditions["matches"], match.sum(1))
    first = np.where(match.any(1), match.argmax(1) + 1, 0)
    np.testing.assert_array_equal(trials.conditions["match_position"], first)
    after = ~match[:, 1:] & ~match[:, :-1]
    np.testing.assert_array_equal(trials.conditions["repeated"] + trials.conditions["new"], after.sum(1))
    shown = np.repeat([1, 0, 1, 0, 1, 0], [130, 40, 40, 40, 40, 40])
    np.testing.assert_allclose(trials.inputs[:, :, 0], np.tile(shown, (512, 1)), atol=1e-5)
    assert ABBA.abca().repeat_probability == 0


def test_the_last_answer_is_held_to_the_end_of_its_bin():
    """A trial that ends within a bin: its target is whole, its loss weight half."""
    trials = _trials(ABBA(num_tests=1, test=390.0), KEYS[:8])
    answer = np.stack(
        [~trials.conditions["match_position"].astype(bool), trials.conditions["match_position"]], 1
    )
    np.testing.assert_allclose(trials.targets[:, 59, 1:], answer, atol=1e-6)
    np.testing.assert_allclose(trials.mask[:, 59], 0.5, atol=1e-5)
    assert trials.valid.all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_tests": 0}, "num_tests 0: there is nothing to answer; use at least 1."),
        ({"matches": "many"}, "matches 'many': expected 'one' or 'independent'."),
        ({"repeat_probability": 1.5}, "repeat_probability 1.5: a probability lies between 0 and 1."),
        (
            {"num_directions": 3},
            "num_directions 3: non-matches are directions not shown before; use more than num_tests, 3.",
        ),
        ({"num_directions": 1}, "num_directions 1: a non-match needs another direction; use at least 2."),
        (
            {"response": 500.0},
            "response 500: the tests are answered while they are shown; use response=None.",
        ),
        ({"num_tuned": 2}, "num_tuned 2: fewer units cannot tell all directions; use at least 3."),
        ({"height": 0}, "height 0: untuned units tell no direction; use a value > 0."),
        ({"delay": 0}, "delay 0: the epoch can vanish; use values > 0."),
        ({"grace": 400}, "grace (400 ms) leaves no loss in a test of 400 ms; use grace < test."),
        ({"dt": 400}, "dt 400: cannot resolve a decision of 350 ms; use dt <= 350."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        ABBA(**fields)
    assert str(error.value).startswith(f"ABBA: {message}")
