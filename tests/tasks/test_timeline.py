"""Bin averages, and noise that means the same at every dt."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime.tasks import CueSetGo, Timeline


@pytest.mark.parametrize(("onset", "offset"), [(20.0, 60.0), (23.0, 71.5), (41.0, 44.0), (0.0, 100.0)])
def test_an_event_keeps_its_area(onset, offset):
    box = np.asarray(Timeline(5, 20.0).box(onset, offset))
    assert box.sum() * 20 == pytest.approx(offset - onset)
    assert box.max() <= 1


def test_a_pulse_within_one_bin_is_its_share_of_it():
    np.testing.assert_allclose(Timeline(3, 20.0).box(22.0, 27.0), [0, 0.25, 0])


def test_an_absent_event_is_zero():
    assert not Timeline(3, 20.0).box(np.nan, np.nan).any()


@pytest.mark.parametrize("dt", [20.0, 10.0, 5.0])
def test_noise_of_a_window_has_the_same_variance_at_every_dt(dt):
    task = CueSetGo(dt=dt, noise=0.5, cue=(0.0, 0.0001), amplitude=1e-6, hold=2000.0, wait=800.0)
    inputs = np.asarray(jax.jit(jax.vmap(task.trial))(jax.random.split(jax.random.key(3), 1024)).inputs)
    window = int(400 / dt)
    num = int(2400 / dt) // window * window
    means = inputs[:, :num].reshape(1024, -1, window, 2).mean(2)
    assert means.size >= 8000
    assert means.var() == pytest.approx(2 * 0.5**2 * 100 / 400, rel=0.05)
    samples = inputs[:, :num]
    assert abs((samples[:, 1:] * samples[:, :-1]).mean() / samples.var()) < 0.01
    assert abs((samples[..., 0] * samples[..., 1]).mean() / samples.var()) < 0.01
