"""Durations: what is drawn, what bounds it, what is refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats

from throughtime.tasks import DelayedMatchToSample, TruncatedExponential, Uniform, durations


def _draw(duration, num=4000):
    return np.asarray(
        jax.vmap(lambda k: durations.sample(duration, k))(jax.random.split(jax.random.key(1), num))
    )


def test_truncated_exponential_follows_its_density():
    spread = TruncatedExponential(330, 80, 500)
    drawn = _draw(spread)
    reference = stats.truncexpon(b=(500 - 80) / 330, loc=80, scale=330)
    assert drawn.min() >= 80
    assert drawn.max() <= 500
    assert stats.kstest(drawn, reference.cdf).pvalue > 1e-4


def test_uniform_follows_its_density():
    assert stats.kstest(_draw(Uniform(500, 3000)), stats.uniform(500, 2500).cdf).pvalue > 1e-4


def test_a_tuple_is_drawn_with_equal_probability():
    values, counts = np.unique(_draw((200.0, 400.0, 800.0)), return_counts=True)
    assert values.tolist() == [200, 400, 800]
    assert stats.chisquare(counts).pvalue > 1e-4


def test_a_number_is_itself():
    assert (_draw(350.0, 3) == 350).all()


def test_bounds_of_a_tuple_do_not_depend_on_its_order():
    assert durations.bounds((400.0, 800.0, 200.0)) == (200, 800)


def test_number_of_levels():
    assert durations.num_levels((1.0, 1.0, 2.0)) == 2
    assert durations.num_levels(Uniform(5, 5)) == durations.num_levels(5.0) == 1
    assert durations.num_levels(Uniform(5, 6)) == np.inf


@pytest.mark.parametrize(
    ("delay", "message"),
    [
        (Uniform(3000, 500), "delay Uniform(3000, 500): lower bound exceeds upper bound."),
        (-100, "delay -100: a duration cannot be negative; use values >= 0."),
        ((500, -1), "delay (500, -1): a duration cannot be negative; use values >= 0."),
        ((), "delay (): no duration to draw from; give at least one."),
        ("long", "delay 'long': expected finite ms"),
        (float("inf"), "delay inf: expected finite ms"),
        (Uniform(0, float("nan")), "delay Uniform(0, nan): expected finite ms"),
        (None, "delay None: expected finite ms"),
        (TruncatedExponential(0, 1, 2), "delay TruncatedExponential(0, 1, 2): scale must be > 0 ms."),
    ],
)
def test_impossible_durations_are_refused(delay, message):
    with pytest.raises(ValueError) as error:
        DelayedMatchToSample(delay=delay)
    assert str(error.value).startswith(f"DelayedMatchToSample: {message}")


def test_an_epoch_that_is_needed_cannot_vanish():
    with pytest.raises(
        ValueError, match=r"^DelayedMatchToSample: test 0: the epoch can vanish; use values > 0"
    ):
        DelayedMatchToSample(test=0)
    DelayedMatchToSample(delay=0)
