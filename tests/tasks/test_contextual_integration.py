"""Contextual integration: inputs by context, the ideal observer, and the slopes of simulated subjects."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.special import ndtr

from throughtime.analysis.fits import fit
from throughtime.tasks import ContextualIntegration

TASK = ContextualIntegration()
KEYS = jax.random.split(jax.random.key(0), 4096)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


TRIALS = _trials(TASK)
MOTION, COLOUR = (np.diff(TRIALS.inputs[:, 5:45, 2 * k : 2 * k + 2], axis=2).mean((1, 2)) for k in (1, 2))


def test_an_ideal_observer_reaches_the_stated_fractions():
    """Φ(d √T / (2 σ √τ)) with d = 5 c/100, T = 800 ms, σ = 0.05 and τ = 100 ms: .92, 1, 1."""
    size = np.array([1.0, 3.0, 10.0])
    expected = ndtr(0.05 * size * np.sqrt(800) / (2 * 0.05 * 10))
    assert expected.mean() == pytest.approx(0.97, abs=0.005)
    context = TRIALS.conditions["context"]
    right = (np.where(context == 0, MOTION, COLOUR) > 0) == TRIALS.conditions["correct_choice"]
    relevant = np.abs(np.where(context == 0, TRIALS.conditions["motion"], TRIALS.conditions["colour"]))
    for value, wanted in zip(size, expected, strict=True):
        assert right[relevant == value].mean() == pytest.approx(wanted, abs=0.03)


def test_the_signature_tells_who_follows_the_context():
    """An ideal observer has relevant slopes 1/σ = 1/0.707 per % and no others; a sum of both has ratio 1."""
    context = TRIALS.conditions["context"]
    ideal = fit(TASK.signature, {"choice": np.where(context == 0, MOTION, COLOUR) > 0}, TRIALS.conditions)
    assert ideal["relevant"] == pytest.approx(1 / 0.707, rel=0.15)
    assert ideal["worst_ratio"] > 10
    both = fit(TASK.signature, {"choice": MOTION + COLOUR > 0}, TRIALS.conditions)
    assert both["ratio"] == pytest.approx(1, abs=0.2)
    shuffled = np.random.default_rng(0).permutation(MOTION > 0)
    assert fit(TASK.signature, {"choice": shuffled}, TRIALS.conditions)["relevant"] < 0.02


def test_context_and_stimuli_of_the_low_rank_form():
    task = ContextualIntegration.lint(noise=0.0)
    trials = _trials(task, KEYS[:32])
    drawn, starts = trials.conditions, np.arange(69) * 20.0

    def share(onset, offset):
        return (np.minimum(starts + 20, offset) - np.maximum(starts, onset)).clip(0) / 20

    context, shown = 0.1 * share(100, 1350), share(450, 1250)
    stimulus = np.stack([drawn["motion"], drawn["colour"]], axis=1) / 100
    for index in range(32):
        np.testing.assert_allclose(trials.inputs[index, :, drawn["context"][index]], context, atol=1e-6)
        assert not trials.inputs[index, :, 1 - drawn["context"][index]].any()
        np.testing.assert_allclose(trials.inputs[index, :, 2:], shown[:, None] * stimulus[index], atol=1e-6)
    np.testing.assert_array_equal(drawn["congruent"], np.sign(stimulus[:, 0]) == np.sign(stimulus[:, 1]))
    assert task.input_names == ("context_motion", "context_colour", "motion", "colour")
    np.testing.assert_array_equal(np.flatnonzero(trials.mask[0]), [67, 68])
    assert trials.mask[0].sum() == pytest.approx(1.0)


def test_variants():
    lint, kim, mante = (getattr(ContextualIntegration, name)() for name in TASK.variants)
    assert (lint.duration, lint.noise, lint.context_level) == (1370, 0.032, 0.1)
    assert (kim.dt, kim.duration, kim.coherence, kim.noise) == (5, 2500, (50,), 0.158)
    assert (mante.dt, mante.duration, mante.response, mante.num_steps) == (1, 750, None, 750)
    assert [task.criterion[0].at_least for task in (TASK, lint, kim, mante)] == [0.9, 0.95, 0.95, 0.9]
    trial = jax.jit(ContextualIntegration.kim(noise=0.0, dt=50.0).trial)(KEYS[0])
    assert (np.asarray(trial.inputs)[:, int(trial.conditions["context"])] == 1).all()
    assert (np.asarray(trial.mask) == 1).all()
    np.testing.assert_allclose(np.abs(np.asarray(trial.inputs)[5:25, 2:]), 0.5)
    last = jax.jit(mante.trial)(KEYS[0])
    np.testing.assert_array_equal(np.flatnonzero(last.mask), [749])
    assert np.isnan(last.epochs["delay"]).all()
    assert [float(edge) for edge in last.epochs["response"]] == [0, 750]
    assert float(last.inputs[:, int(last.conditions["context"])].mean()) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"coherence": (0, 3)}, "coherence (0, 3): give magnitudes above 0; either sign is drawn."),
        ({"context_level": 0}, "context_level 0: the context would not be seen; use another level."),
        ({"delay": None}, "delay None: None goes with response=None, and only with it."),
        (
            {"delay": (100, 300), "context_lasts": True},
            "fixation_input False: the stimuli do not show when to respond; use fixation_input=True.",
        ),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        ContextualIntegration(**fields)
    assert str(error.value) == f"ContextualIntegration: {message}"
