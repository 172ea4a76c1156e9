"""Synchronization-continuation: pulses and target, what a beat is, what the scores tell."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.tasks import SynchronizationContinuation

TASK = SynchronizationContinuation(
    noise=0.0, wait=100.0, period=(250.0, 500.0), num_paced=(3.0,), num_continued=(4.0, 5.0)
)
KEYS = jax.random.split(jax.random.key(0), 8)
TRIALS = jax.tree.map(np.asarray, jax.jit(jax.vmap(TASK.trial))(KEYS))
SCORE = jax.jit(TASK.score)
ONE = next(
    jax.tree.map(lambda leaf, k=k: leaf[k], TRIALS)
    for k in range(8)
    if TRIALS.conditions["target_period"][k] == 500 and TRIALS.conditions["num_continued"][k] == 5
)
FIRST = 100 + 3 * 500  # the first beat without a pulse


def beating(moments, time=TASK.time):
    """A triangle wave between −1 and 1 that crosses zero from below at each of ``moments``."""
    middles = (np.asarray(moments)[1:] + np.asarray(moments)[:-1]) / 2
    moments = np.asarray(moments, float)
    knots = np.sort(np.concatenate([moments, middles]))
    quarter = (knots[1:] + knots[:-1]) / 2
    x = np.sort(np.concatenate([knots, quarter, [quarter[0] - 250, knots[-1] + 125]]))
    y = [-1.0] + [0.0, 1.0, 0.0, -1.0] * (len(moments) - 1) + [0.0, 1.0]
    return np.interp(time, x, y)[:, None].astype(np.float32)


def scores(moments):
    """Scores of beats at these times after the first pulse, in periods of 500 ms."""
    return {name: float(value) for name, value in SCORE(beating(100 + 500 * np.array(moments)), ONE).items()}


ON_TIME = np.arange(8.0)


def test_pulses_context_and_target():
    pulse, context = ONE.inputs.T
    time = TASK.time
    shown = sum(((time > at) & (time < at + 60)).astype(float) for at in (100, 600, 1100))
    np.testing.assert_allclose(pulse, shown, atol=1e-5)
    np.testing.assert_allclose(context, 0.2 * ((time > 100) & (time < 3850)), atol=1e-6)
    np.testing.assert_allclose(
        ONE.targets[:, 0],
        np.sin(2 * np.pi * (time - 100) / 500) * ((time > 100) & (time < 3850)),
        atol=1e-5,
    )
    edges = {name: tuple(map(float, pair)) for name, pair in ONE.epochs.items()}
    assert edges == {
        "trial": (0, 3850), "wait": (0, 100), "synchronization": (100, 1600), "continuation": (1600, 3850),
    }  # fmt: skip
    np.testing.assert_array_equal(TRIALS.mask[..., 0] > 0, TRIALS.valid)
    np.testing.assert_allclose(TRIALS.conditions["context"], 100 / TRIALS.conditions["target_period"])


def test_asynchronies_and_intervals_in_closed_form():
    late = np.array([0.02, -0.04, 0.06, 0.0, 0.01])
    found = scores(ON_TIME + np.concatenate([np.zeros(3), late]))
    off = np.diff(late)
    assert found["correct"] == 1
    assert found["asynchrony"] == pytest.approx(500 * late.mean(), abs=0.5)
    assert found["largest_error"] == pytest.approx(0.06, abs=1e-3)
    assert found["period"] == pytest.approx(500 * (1 + off.mean()), abs=0.5)
    assert found["squared_error"] == pytest.approx((off**2).mean(), rel=0.05)
    assert found["successive_error"] == pytest.approx((off[1:] * off[:-1]).mean(), rel=0.05)
    centred = off - off.mean()
    assert found["lag_one"] == pytest.approx(
        (centred[1:] * centred[:-1]).sum() / (centred**2).sum(), abs=0.02
    )


@pytest.mark.parametrize(
    "moments",
    [
        np.delete(ON_TIME, 5),
        np.sort(np.append(ON_TIME, [4.3])),
        ON_TIME / 2 + 1.0,
        ON_TIME[:6],
    ],
    ids=["one missing", "one too many", "twice as fast", "stopped"],
)
def test_a_missing_or_an_extra_beat_is_not_correct(moments):
    found = scores(moments)
    assert found["correct"] == 0
    assert found["largest_error"] == 0.5
    assert np.isnan(found["period"])


def test_a_late_beat_is_not_correct_but_timed():
    found = scores(ON_TIME + 0.12 * (ON_TIME == 6))
    assert found["correct"] == 0
    assert found["largest_error"] == pytest.approx(0.12, abs=2e-3)
    assert found["period"] == pytest.approx(500, abs=0.5)


def test_only_after_a_trough_is_a_crossing_a_beat():
    output = beating(100 + 500 * ON_TIME)
    for level, correct in ((-0.2, True), (-0.3, False)):
        dipped = output.copy()
        dipped[int((FIRST + 120) / 10)] = level
        assert bool(SCORE(dipped, ONE)["correct"]) is correct


def test_an_output_that_is_not_finite_is_never_correct():
    broken = np.array(ONE.targets)
    broken[3] = np.nan
    found = SCORE(broken, ONE)
    assert not found["correct"]
    assert np.isnan(found["asynchrony"])
    padded = np.where(ONE.valid[:, None], ONE.targets, np.nan)
    assert SCORE(padded, ONE)["correct"], "padding is ignored"


def test_the_signature_recovers_a_blurred_clock():
    """Beats of a perfect clock with SD 3 % of T each: intervals of SD √2 · 3 % and lag −1/2."""
    rng, ones = np.random.default_rng(0), ON_TIME[:5]
    late = 0.03 * rng.standard_normal((256, 5)) - 0.02
    outputs = np.stack([beating(100 + 500 * np.concatenate([[0, 1, 2], 3 + ones + row])) for row in late])
    many = jax.jit(jax.vmap(TASK.score, in_axes=(0, None)))(outputs, ONE)
    fitted = fit(TASK.signature, many, {"target_period": np.full(256, 500.0)})
    assert fitted["asynchrony"] == pytest.approx(-10, abs=1)
    assert fitted["cv"] == pytest.approx(0.03 * np.sqrt(2), rel=0.08)
    assert fitted["lag_one"] == pytest.approx(-0.5, abs=0.06)
    assert set(TASK.signature.parameters) == set(fitted)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"period": 500}, "period 500: no tempo would have to be kept; use at least 2 different periods."),
        ({"dt": 20}, "dt 20: cannot resolve a period of 125 ms; use dt <= 10.416."),
        ({"num_paced": (0, 1)}, "num_paced (0, 1): expected whole numbers of beats, at least 1."),
        ({"num_continued": (2, 4)}, "num_continued (2, 4): expected whole numbers of beats, at least 3."),
        ({"num_continued": 4.5}, "num_continued 4.5: expected one or more numbers, as a tuple."),
        ({"num_continued": (4.5,)}, "num_continued (4.5,): expected whole numbers of beats, at least 3."),
        ({"pulse": 125}, "pulse 125: pulses would not be apart; use more than 0 and less than 125 ms."),
        ({"amplitude": 0}, "amplitude 0: the pulses would not be seen; use another amplitude."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        SynchronizationContinuation(**fields)
    assert str(error.value) == f"SynchronizationContinuation: {message}"
