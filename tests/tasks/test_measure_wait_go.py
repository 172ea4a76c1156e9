"""Measure-wait-go: pulses, the window that counts, and catch trials."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime.tasks import MeasureWaitGo, Uniform

TASK = MeasureWaitGo(noise=0.0)
TRIALS = jax.tree.map(np.asarray, jax.jit(jax.vmap(TASK.trial))(jax.random.split(jax.random.key(0), 256)))
SCORE = jax.jit(jax.vmap(TASK.score))
CATCH, BLANK = TRIALS.conditions["catch"], TRIALS.conditions["blank"]
INTERVAL = TRIALS.conditions["interval"]
GO = TRIALS.epochs["wait"][1] + INTERVAL + TRIALS.conditions["delay"]


def test_pulses_are_an_interval_apart_and_set_follows_the_delay():
    area = TRIALS.inputs.sum(1) * TASK.dt
    np.testing.assert_allclose(area[~CATCH], np.tile([200, 100], ((~CATCH).sum(), 1)), rtol=1e-4)
    moment = (TRIALS.inputs * TASK.time[:, None]).sum(1) * TASK.dt / 100
    ready = TRIALS.epochs["ready"][0]
    both = moment[:, 0] - 2 * ready - TASK.pulse
    np.testing.assert_allclose(both[~CATCH], INTERVAL[~CATCH], atol=TASK.dt)
    np.testing.assert_allclose(TRIALS.epochs["measurement"][1][~BLANK], (ready + INTERVAL)[~BLANK], rtol=1e-6)
    np.testing.assert_allclose(TRIALS.epochs["set"][0][~CATCH], GO[~CATCH], rtol=1e-6)
    np.testing.assert_allclose(moment[~CATCH, 1] - GO[~CATCH] - TASK.pulse / 2, 0, atol=TASK.dt)


def test_catch_trials_lack_set_or_any_input():
    unset = CATCH & ~BLANK
    for kind in (unset, BLANK):
        assert kind.mean() == pytest.approx(0.1, abs=0.06)
    assert not (BLANK & ~CATCH).any()
    assert not TRIALS.inputs[BLANK].any()
    assert not TRIALS.inputs[CATCH, :, 1].any()
    np.testing.assert_allclose(TRIALS.inputs[unset].sum((1, 2)) * TASK.dt, 200, rtol=1e-4)
    assert (TRIALS.targets[CATCH][TRIALS.valid[CATCH]] == -0.5).all()
    np.testing.assert_allclose(
        TRIALS.mask[CATCH].sum((1, 2)) * TASK.dt, TRIALS.epochs["trial"][1][CATCH], rtol=1e-4
    )


def test_the_production_and_a_margin_bear_loss():
    np.testing.assert_allclose(TRIALS.mask[~CATCH].sum((1, 2)) * TASK.dt, INTERVAL[~CATCH] + 600, rtol=1e-4)
    opens = GO[~CATCH, None] - 300
    inside = (TASK.time > opens + 5) & (TASK.time < opens + 600 + INTERVAL[~CATCH, None] - 5)
    assert (TRIALS.mask[~CATCH, :, 0][inside] == 1).all()


def test_what_happens_before_the_window_is_not_early():
    busy = np.where(TRIALS.mask > 0, TRIALS.targets, 2.0)
    assert SCORE(busy, TRIALS)["correct"][~CATCH].all()
    early = np.where(TASK.time[:, None] < GO[:, None, None] - 100, -0.2, TRIALS.targets)
    scores = SCORE(early, TRIALS)
    assert scores["early"][~CATCH].all()
    assert not scores["correct"][~CATCH].any()
    assert scores["correct"][CATCH].all()
    broken = np.array(TRIALS.targets)
    broken[:, 0] = np.nan
    assert not SCORE(broken, TRIALS)["correct"].any()


def test_beiran_waits_longer():
    assert MeasureWaitGo.beiran().delay == Uniform(200, 2500)
    assert (TASK.dt, TASK.interval) == (10, (800, 1050, 1300, 1550))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"interval": (800, 900)},
            "interval (800, 900): a slope needs at least 3 different intervals; use a tuple of 3 or Uniform.",
        ),
        ({"delay": 10}, "delay 10: the pulses would overlap; use more than 10 ms."),
        (
            {"pulse": 800, "delay": 900},
            "interval (800, 1050, 1300, 1550): the pulses would overlap; use more than 800 ms.",
        ),
        (
            {"delay": Uniform(-5, 500)},
            "delay Uniform(-5, 500): a duration cannot be negative; use values >= 0.",
        ),
        ({"margin": 200}, "margin 200: right responses could come after it; use margin >= 232.5."),
        ({"blank": 1.5}, "blank 1.5: a probability lies between 0 and 1."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        MeasureWaitGo(**fields)
    assert str(error.value) == f"MeasureWaitGo: {message}"
