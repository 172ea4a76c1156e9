"""Objectives are what their formulas say, as a whole and as a sum over steps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.objectives import OBJECTIVES, AbsoluteError
from throughtime.trial import Trial


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def trial_of(mask):
    drawn = np.random.default_rng(0).uniform(0.1, 1, mask.shape)
    targets = drawn / drawn.sum(1, keepdims=True)
    return Trial(np.zeros(mask.shape), targets, mask, np.ones(len(mask), bool), {}, {})


@pytest.mark.parametrize("kind", OBJECTIVES.values(), ids=OBJECTIVES)
def test_the_loss_is_the_sum_over_its_steps(kind):
    objective, outputs = kind(), np.random.default_rng(1).standard_normal((5, 3))
    trial = trial_of(np.array([0.0, 1, 2, 0, 0.5])[:, None] * np.ones(3))
    total = objective.normaliser(trial)
    parts = [objective.at_step(*one, total) for one in zip(outputs, trial.targets, trial.mask, strict=True)]
    assert float(sum(parts)) == pytest.approx(float(objective(outputs, trial)), rel=1e-12)
    assert [float(parts[k]) for k in (0, 3)] == [0, 0]


def test_the_absolute_error_is_the_weighted_mean_distance():
    rng = np.random.default_rng(2)
    mask, outputs = rng.integers(0, 3, (5, 2)).astype(float), rng.standard_normal((5, 2))
    trial = trial_of(mask)
    wanted = (mask * np.abs(outputs - trial.targets)).sum() / mask.sum()
    assert float(AbsoluteError()(outputs, trial)) == pytest.approx(wanted, rel=1e-12)
    slope = jax.grad(AbsoluteError())(jnp.asarray(outputs), trial)
    np.testing.assert_allclose(slope, mask * np.sign(outputs - trial.targets) / mask.sum(), rtol=1e-12)


def test_what_is_not_judged_does_not_count_for_the_absolute_error():
    trial = trial_of(np.array([[1.0], [0.0]]))
    outputs = np.array([[3.0], [np.nan]])
    whole = float(AbsoluteError()(outputs, trial))
    assert whole == pytest.approx(abs(3 - trial.targets[0, 0]), rel=1e-12)
    part = AbsoluteError().at_step(outputs[1], trial.targets[1], trial.mask[1], 1.0)
    assert float(part) == 0
