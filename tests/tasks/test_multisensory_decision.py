"""Multisensory decision: channels by modality, the ideal observer, and its gain of √2."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.special import ndtr

from throughtime.analysis.fits import fit
from throughtime.tasks import MultisensoryDecision

TASK = MultisensoryDecision()
KEYS = jax.random.split(jax.random.key(0), 8192)
TRIALS = jax.tree.map(np.asarray, jax.jit(jax.vmap(TASK.trial))(KEYS))
MODALITY, RATE = TRIALS.conditions["modality"], TRIALS.conditions["rate"]
LEVEL = TRIALS.inputs[:, 5:55].mean(1)


def _observed() -> np.ndarray:
    """Evidence of an observer who looks at the modalities that are shown."""
    visual, auditory = LEVEL[:, 1] - LEVEL[:, 0], LEVEL[:, 3] - LEVEL[:, 2]
    return np.where(MODALITY == 0, visual, np.where(MODALITY == 1, auditory, visual + auditory))


def test_an_ideal_observer_reaches_the_stated_fractions():
    """Φ(d √T / (2 σ √τ)), d = 1.6 |r − 12.5|/7, T = 1000 ms, σ = 0.2; √2 more in the argument with both."""
    apart = np.array([0.5, 1.5, 2.5, 3.5])
    argument = 1.6 * apart / 7 * np.sqrt(1000) / (2 * 0.2 * 10)
    assert ndtr(argument).mean() == pytest.approx(0.95, abs=0.005)
    right = (_observed() > 0) == TRIALS.conditions["correct_choice"]
    for both, gain in ((False, 1.0), (True, 2**0.5)):
        for value, z in zip(apart, argument, strict=True):
            shown = (np.abs(RATE - 12.5) == value) & ((MODALITY == 2) == both)
            assert right[shown].mean() == pytest.approx(ndtr(gain * z), abs=0.045)


def test_the_signature_finds_a_gain_of_the_root_of_two():
    found = fit(TASK.signature, {"choice": _observed() > 0}, TRIALS.conditions)
    sigma = 2 * 0.2 * np.sqrt(100 / 1000) * 7 / 1.6
    assert found["highest_sigma"] == pytest.approx(sigma, rel=0.15)
    assert found["gain"] == pytest.approx(2**0.5, abs=0.2)
    assert found["optimality"] == pytest.approx(1, abs=0.15)
    shuffled = np.random.default_rng(0).permutation(MODALITY)
    conditions = TRIALS.conditions | {"modality": shuffled}
    alike = fit(TASK.signature, {"choice": _observed() > 0}, conditions)
    assert alike["gain"] == pytest.approx(1, abs=0.15)


def test_each_modality_has_two_channels_and_the_absent_one_is_silent():
    scaled = 0.4 + 0.8 * (RATE - 9) / 7
    for modality, columns in ((0, slice(0, 2)), (1, slice(2, 4))):
        shown = (modality == MODALITY) | (MODALITY == 2)
        for rate in range(9, 17):
            here = shown & (rate == RATE)
            low, high = LEVEL[here, columns].mean(0)
            assert high == pytest.approx(scaled[here][0], abs=0.03)
            assert low == pytest.approx(1.6 - scaled[here][0], abs=0.03)
        assert np.abs(LEVEL[~shown, columns]).mean() < 0.08


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rates": (9, 12.5)}, "rates (9, 12.5): a rate of 12.5 Hz has no correct choice; leave it out."),
        ({"rates": (9, 10, 16)}, "rates (9, 10, 16): give as many below 12.5 Hz as above."),
        ({"slowest": 16}, "fastest 16: must exceed slowest (16 Hz)."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        MultisensoryDecision(**fields)
    assert str(error.value) == f"MultisensoryDecision: {message}"
