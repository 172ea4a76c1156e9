"""Delayed match to sample: stimuli, rules and published settings."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from throughtime.tasks import DelayedMatchToSample

KEYS = jax.random.split(jax.random.key(0), 512)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def test_stimuli_are_shown_in_their_epochs():
    task = DelayedMatchToSample(delay=1010.0, noise=0.0)
    trials = _trials(task, KEYS[:64])
    one_hot = np.eye(2)
    for index in range(64):
        sample, test = (trials.conditions[name][index] for name in ("sample", "test"))
        expected = np.zeros((task.num_steps, 2))
        expected[5:30] = one_hot[sample]
        expected[81:105] += one_hot[test]
        expected[[80, 105]] += 0.5 * one_hot[test]
        np.testing.assert_allclose(trials.inputs[index], expected, atol=1e-5)


@pytest.mark.parametrize("rule", ["match", "nonmatch"])
def test_the_rule_decides_the_sign(rule):
    task = DelayedMatchToSample(rule=rule)
    trials = _trials(task, KEYS[:64])
    same = trials.conditions["sample"] == trials.conditions["test"]
    np.testing.assert_array_equal(trials.conditions["match"], same)
    last = trials.valid.sum(1) - 1
    sign = trials.targets[np.arange(64), last, 0]
    np.testing.assert_array_equal(sign > 0, same if rule == "match" else ~same)


def test_a_test_that_does_not_match_is_any_other_stimulus():
    trials = _trials(dataclasses.replace(DelayedMatchToSample.masse(), num_stimuli=4))
    away = (trials.conditions["test"] - trials.conditions["sample"]) % 4
    counts = np.bincount(away, minlength=4) / len(KEYS)
    np.testing.assert_allclose(counts, [1 / 2, 1 / 6, 1 / 6, 1 / 6], atol=0.07)


def test_masse():
    task = DelayedMatchToSample.masse(noise=0.0)
    trials = _trials(task, KEYS[:8])
    assert (task.dt, task.duration, len(task.input_names)) == (10, 2500, 24)
    assert task.output_names == ("fixation", "choice_nonmatch", "choice_match")
    assert DelayedMatchToSample.masse().noise == 0.1
    shown = trials.inputs[0, 60]
    assert shown.argmax() == 3 * trials.conditions["sample"][0]
    assert shown.max() == pytest.approx(4)
    assert shown.min() == pytest.approx(4 * np.exp(-4), rel=1e-4)
    np.testing.assert_array_equal(trials.epochs["response"], trials.epochs["test"])
    assert trials.epochs["response"][0][0] == 2000
    np.testing.assert_array_equal(np.flatnonzero(trials.mask[0, :, 0] == 0), np.arange(200, 205))
    match = trials.conditions["match"]
    np.testing.assert_allclose(trials.targets[:, 220], np.stack([0 * match, ~match, match], 1))
    np.testing.assert_allclose(trials.targets[:, 150], np.tile([1, 0, 0], (8, 1)))


def test_miconi():
    task = DelayedMatchToSample.miconi()
    trials = _trials(task, KEYS[:8])
    assert task.num_steps == 1000
    shown = trials.inputs.sum(2)
    assert (shown[:, :200] == 1).all()
    assert (shown[:, 400:600] == 1).all()
    assert not shown[:, 200:400].any()
    assert not shown[:, 600:].any()
    assert (trials.mask.sum((1, 2)) == 200).all()
    assert (trials.mask[:, 800:] == 1).all()
    np.testing.assert_allclose(trials.targets[:, 900, 0], np.where(trials.conditions["match"], -0.98, 0.98))


def test_neurogym_timings():
    epochs = jax.jit(DelayedMatchToSample.neurogym().trial)(KEYS[0]).epochs
    onsets = [float(epochs[name][0]) for name in ("fixation", "sample", "delay", "test", "response")]
    assert onsets == [0, 300, 800, 1800, 2300]
    assert epochs["trial"][1] == 3200


def test_a_named_constructor_takes_other_fields():
    assert DelayedMatchToSample.masse(delay=3000).delay == 3000
    assert DelayedMatchToSample.miconi(rule="match").rule == "match"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rule": "same"}, "rule 'same': expected 'match' or 'nonmatch'."),
        ({"encoding": "image"}, "encoding 'image': expected 'one-hot' or 'tuned'."),
        ({"num_stimuli": 1}, "num_stimuli 1: a non-match needs another stimulus; use at least 2."),
        ({"num_stimuli": 27}, "num_stimuli 27: one-hot stimuli are named a to z; use encoding='tuned'"),
        ({"encoding": "tuned", "num_tuned": 2}, "num_tuned 2: fewer units cannot tell all directions"),
        ({"encoding": "tuned", "height": 0}, "height 0: untuned units tell no direction; use a value > 0."),
        ({"encoding": "tuned", "concentration": -1}, "concentration -1: untuned units tell no direction"),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        DelayedMatchToSample(**fields)
    assert str(error.value).startswith(f"DelayedMatchToSample: {message}")
