"""Flip-flop: what is told, what is held, and how long."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.analysis import fits
from throughtime.tasks import FlipFlop

KEYS = jax.random.split(jax.random.key(0), 512)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def _scores(task, outputs, trials):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.score))(jnp.asarray(outputs), trials))


def _told(inputs, off, blind):
    """Targets, mask, flips, and the longest hold with its bit and end, slot by slot."""
    length, bits = inputs.shape
    state, since, flipped = np.full(bits, off), np.zeros(bits, int), np.zeros(bits, int)
    targets, mask = np.zeros((length, bits)), np.zeros((length, bits))
    flips, longest = 0, (0, 0, 0)
    for slot, pulses in enumerate(inputs):
        for bit, pulse in enumerate(pulses):
            if pulse:
                since[bit] = slot
                new = pulse if off else float(pulse > 0)
                if slot and new != state[bit]:
                    flips += 1
                    flipped[bit] = slot
                state[bit] = new
            if slot + 1 - since[bit] > longest[0]:
                longest = slot + 1 - since[bit], bit, slot + 1
        targets[slot], mask[slot] = state, slot - flipped >= blind
    return targets, mask, flips, longest


@pytest.mark.parametrize("task", [FlipFlop(), FlipFlop.ctdb(noise=0.0)], ids=["default", "ctdb"])
def test_the_last_pulse_is_held(task):
    trials = _trials(task)
    off, dense = (-1.0, 0.5) if task.levels == "signed" else (0.0, 0.02)
    told = trials.inputs[:, max(task.quiet, 1) :]
    assert np.mean(told != 0) == pytest.approx(dense, rel=0.03)
    assert np.mean(told[told != 0]) == pytest.approx(0, abs=0.03)
    if task.quiet:
        assert not trials.inputs[:, : task.quiet].any()
    else:
        assert (np.abs(trials.inputs[:, 0]) == 1).all()
        assert trials.inputs[:, 0].mean() == pytest.approx(0, abs=0.1)
    for index in range(40):
        targets, mask, flips, (hold, bit, end) = _told(trials.inputs[index], off, task.blind)
        np.testing.assert_array_equal(trials.targets[index], targets)
        np.testing.assert_array_equal(trials.mask[index], mask)
        conditions = {name: value[index] for name, value in trials.conditions.items()}
        assert conditions == {"flips": flips, "hold_interval": 20 * hold, "held_bit": bit}
        assert [edge[index] for edge in trials.epochs["longest_hold"]] == [20 * (end - hold), 20 * end]
    if not task.quiet:
        # Each slot after the first flips a bit with probability ¼.
        assert trials.conditions["flips"].mean() == pytest.approx(3 * 63 / 4, abs=1)


def test_sparse_pulses_last_and_flip_six_times():
    task = FlipFlop.sparse(slot=20.0, dt=10.0)
    trials = _trials(task)
    assert trials.inputs.shape == (512, 200, 3)
    assert trials.conditions["flips"].mean() == pytest.approx(6, abs=0.4)
    bits = trials.inputs.transpose(0, 2, 1).reshape(-1, 200)
    assert (bits[:, :20] != 0).all()
    alone = bits[(bits[:, 20:] == 0).all(1)]  # one pulse a trial, of ten slots
    assert len(alone)
    assert (bits[bits != 0] == trials.targets.transpose(0, 2, 1).reshape(-1, 200)[bits != 0]).all()


def test_scores_and_the_signature_of_a_subject_that_forgets():
    """A subject that says + after ten slots without a pulse."""
    task = FlipFlop(bits=2, pulse_probability=0.1)
    trials = _trials(task)
    age = np.zeros((512, 2))
    outputs = np.array(trials.targets)
    for slot in range(64):
        age = np.where(trials.inputs[:, slot] != 0, 0, age + 1)
        outputs[:, slot] = np.where(age >= 10, 0.5, outputs[:, slot])
    scores = _scores(task, outputs, trials)
    right = (outputs > 0) == (trials.targets > 0)
    np.testing.assert_allclose(scores["bit_accuracy"], right.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(scores["mse"], ((outputs - trials.targets) ** 2).mean((1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(scores["correct"], right.all(2).mean(1) >= 0.99)
    hold = trials.conditions["hold_interval"]
    assert scores["held"][hold <= 200].all()
    assert scores["held"][hold > 200].mean() == pytest.approx(0.5, abs=0.1)
    found = fits.fit(task.signature, scores, trials.conditions)
    assert found["overall"] == scores["held"].mean()
    assert found["worst"] < 0.65

    outputs[:, 5, 1] = np.nan
    broken = _scores(task, outputs, trials)
    assert np.isnan(broken["mse"]).all()
    assert not (broken["correct"] | broken["held"]).any()
    assert not broken["bit_accuracy"].any()


def test_silent_scores():
    assert (FlipFlop().silent_score, FlipFlop.sparse().silent_score) == (0, 0)
    assert FlipFlop.ctdb().silent_score < 1e-6
    assert FlipFlop.ctdb(bits=1).silent_score == pytest.approx(0.99**491)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bits": 0}, "bits 0: there is nothing to hold; use at least 1."),
        ({"length": 0}, "length 0: there is nothing to hold; use at least 1."),
        ({"pulse_slots": 0}, "pulse_slots 0: there is nothing to hold; use at least 1."),
        ({"pulse_probability": -0.1}, "pulse_probability -0.1: a probability lies between 0 and 1."),
        ({"levels": "graded"}, "levels 'graded': expected 'signed' or 'binary'."),
        ({"quiet": 64}, "quiet 64: no slot is left for a pulse; use 0 to 63."),
        ({"blind": -1}, "blind -1: no slot is left for the loss; use 0 to 63."),
        ({"slot": 0}, "slot 0: a slot needs a duration; use slot > 0."),
        ({"dt": 40}, "dt 40: cannot resolve a slot of 20 ms; use dt <= 20."),
        (
            {"dt": 15},
            "dt 15: a bin would mix two slots of 20 ms; use a dt that divides a slot, such as 20 / 2.",
        ),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        FlipFlop(**fields)
    assert str(error.value) == f"FlipFlop: {message}"
