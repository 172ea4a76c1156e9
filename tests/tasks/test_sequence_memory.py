"""Sequence memory: order, report, serial positions and the named sequences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import SequenceMemory
from throughtime.tasks.named_sequences import DOTS, RIGHT, WRONG

KEYS = jax.random.split(jax.random.key(0), 512)


def _drawn(task):
    trials = jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS))
    score = jax.jit(jax.vmap(task.score))
    return task, trials, lambda outputs: jax.tree.map(np.asarray, score(jnp.asarray(outputs), trials))


@pytest.fixture(scope="module")
def shown():
    return _drawn(SequenceMemory(noise=0.0, num_items=4, delay=(1000.0, 1500.0), dt=50.0, intertrial=50.0))


@pytest.fixture(scope="module")
def named():
    return _drawn(SequenceMemory.averbeck_lee(noise=0.0))


def _items(trials, num):
    return np.stack([trials.conditions[f"item_{rank + 1}"] for rank in range(num)], axis=1)


def test_locations_are_shown_and_reported_in_order(shown):
    task, trials, _ = shown
    items, time = _items(trials, 4), task.time
    assert all(len(set(row)) == 4 for row in items)
    assert len(np.unique(items, axis=0)) > 250  # of 360
    delay = trials.conditions["delay"][:, None]
    assert set(delay.ravel()) == {1000, 1500}
    go = 50 + 4 * 650 + delay
    assert task.duration == 50 + 4 * 650 + 1500 + 2000
    np.testing.assert_array_equal(trials.inputs[..., 0], (time > 50) & (time < go))
    np.testing.assert_array_equal(trials.targets[..., 0], trials.inputs[..., 0])
    for location in range(6):
        seen, told = np.zeros((2, 512, task.num_steps), bool)
        for rank in range(4):
            here = items[:, rank, None] == location
            onset = 50 + 650 * rank
            seen |= here & (time > onset) & (time < onset + 250)
            told |= here & (time > go + 500 * rank) & (time < go + 500 * (rank + 1))
        np.testing.assert_array_equal(trials.inputs[..., 1 + location], seen)
        np.testing.assert_array_equal(trials.targets[..., 1 + location], told)
    graced = (time > go) & ((time - go) % 500 < 100)
    np.testing.assert_allclose(trials.mask[..., 3], trials.valid & ~graced, atol=1e-5)


def test_the_signature_finds_planted_serial_positions(shown):
    task, trials, score = shown
    rng = np.random.default_rng(0)
    wanted = np.array([0.95, 0.6, 0.6, 0.8])
    kept = rng.random((512, 4)) < wanted
    outputs = np.array(trials.targets)
    for index in range(512):
        for rank in range(4):
            if not kept[index, rank]:
                onset, offset = (edge[index] / 50 for edge in trials.epochs[f"response_{rank + 1}"])
                outputs[index, int(onset) : int(offset), 1:] = 0.0
                wrong = (trials.conditions[f"item_{rank + 1}"][index] + 1) % 6
                outputs[index, int(onset) + 3, 1 + wrong] = 0.1
    scores = score(outputs)
    for rank in range(4):
        np.testing.assert_array_equal(scores[f"item_correct_{rank + 1}"], kept[:, rank])
    assert not (scores["item_correct_5"] | scores["item_correct_6"]).any()
    np.testing.assert_array_equal(scores["correct"], kept.all(1))
    np.testing.assert_allclose(scores["item_accuracy"], kept.mean(1), rtol=1e-6)
    found = fits.fit(task.signature, scores, trials.conditions)
    assert found["overall"] == pytest.approx(kept.mean())
    assert found["primacy"] == pytest.approx(0.35, abs=0.08)
    assert found["recency"] == pytest.approx(0.2, abs=0.08)
    outputs[:, 0, 0] = np.inf
    broken = score(outputs)
    assert np.isnan(broken.pop("rmse")).all()
    assert not any(values.any() for values in broken.values())


def test_named_sequences_are_eight_walks_over_neighbouring_dots(named):
    task, trials, score = named
    walks = np.concatenate([np.zeros((8, 1, 2)), DOTS[RIGHT]], axis=1)
    np.testing.assert_array_equal(np.abs(np.diff(walks, axis=1)).sum(2), 1)
    np.testing.assert_array_equal(np.abs(DOTS[WRONG] - walks[:, :-1]).sum(2), 1)
    assert len(np.unique(RIGHT, axis=0)) == 8
    sequence = trials.inputs[:, 150, 9:].argmax(1)
    assert np.abs(np.bincount(sequence, minlength=8) - 64).max() < 32
    np.testing.assert_array_equal(_items(trials, 3), RIGHT[sequence])
    assert trials.inputs.shape == (512, 175, 17)
    on = np.repeat([0, 1], [50, 125])
    np.testing.assert_array_equal(trials.inputs[:, :, 9:].sum(2), np.tile(on, (512, 1)))
    np.testing.assert_array_equal(trials.inputs[:, :100, 4], np.tile(on[:100], (512, 1)))
    for move in range(3):
        dots = trials.inputs[:, 100 + 25 * move : 125 + 25 * move, :9]
        offered = np.eye(9)[RIGHT[sequence, move]] + np.eye(9)[WRONG[sequence, move]]
        np.testing.assert_allclose(dots, np.tile(offered[:, None], (1, 25, 1)), atol=1e-6)
        place = trials.targets[:, 100 + 25 * move : 125 + 25 * move]
        np.testing.assert_allclose(
            place, np.tile(DOTS[RIGHT[sequence, move]][:, None], (1, 25, 1)), atol=1e-6
        )
    assert not trials.targets[:, :100].any()

    scores = score(trials.targets + np.float32([0.3, -0.4]))
    np.testing.assert_allclose(scores["rmse"], np.sqrt(0.125), rtol=1e-5)
    assert scores["correct"].all()
    far = score(0.4 * trials.targets)
    assert not far["item_correct_1"].any()
    assert task.criterion[0].measure == "rmse"
    found = fits.fit(task.signature, scores, trials.conditions)
    assert (found["overall"], found["primacy"]) == (1, 0)


def test_one_item_is_right_by_chance():
    assert SequenceMemory(num_items=1).silent_score == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_items": 0}, "num_items 0: there is nothing to report; use at least 1."),
        ({"num_items": 7}, "num_items 7: no location comes twice; use at most 6."),
        ({"cue": "order"}, "cue 'order': expected 'items' or 'name'."),
        (
            {"cue": "name"},
            "cue 'name': named sequences have 3 items of 9 locations; use 'items' for others.",
        ),
        ({"grace": -1}, "grace -1: a duration cannot be negative; use grace >= 0."),
        ({"grace": 500}, "grace (500 ms) leaves no loss in a response of 500 ms; use grace < response."),
        ({"dt": 300}, "dt 300: cannot resolve an item and its answer; use dt <= 250."),
        ({"delay": -5}, "delay -5: a duration cannot be negative; use values >= 0."),
        ({"stimulus": 0}, "stimulus 0: the epoch can vanish; use values > 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        SequenceMemory(**fields)
    assert str(error.value) == f"SequenceMemory: {message}"


def test_the_hardest_parameter_of_named_sequences_is_none():
    """They have as many moves as they have, and nothing is held."""
    assert SequenceMemory.averbeck_lee().hardest is None
    assert SequenceMemory().hardest.field == "num_items"
