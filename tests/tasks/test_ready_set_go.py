"""Ready-set-go: priors, contexts, gains, published settings."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime.analysis.fits import fit
from throughtime.tasks import ReadySetGo, Uniform

KEYS = jax.random.split(jax.random.key(0), 256)


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def test_the_context_tells_the_prior():
    task = ReadySetGo(noise=0.0)
    trials = _trials(task)
    short = trials.conditions["prior"] == 0
    np.testing.assert_allclose(trials.inputs[:, 0, 1], np.where(short, 0.3, 0.4), rtol=1e-5)
    for name, asked in (("short", short), ("long", ~short)):
        assert np.unique(trials.conditions["interval"][asked]).tolist() == list(getattr(task, name))
    np.testing.assert_allclose(trials.conditions["target_interval"], trials.conditions["interval"])
    np.testing.assert_allclose(trials.inputs[..., 0].sum(1) * 20, 120, rtol=1e-4)
    between = trials.epochs["set"][0] - trials.epochs["ready"][0]
    np.testing.assert_allclose(between, trials.conditions["interval"], rtol=1e-6)
    ready = trials.epochs["ready"][0]
    assert 150 <= ready.min() < ready.max() <= 250
    end = trials.epochs["set"][0] + 1.2 * trials.conditions["target_interval"] + 300
    np.testing.assert_allclose(trials.epochs["trial"][1], end, rtol=1e-6)
    np.testing.assert_allclose(trials.mask[:, :2, 0], 0)
    np.testing.assert_allclose(trials.mask[:, 2, 0], 0.5)
    one = _trials(ReadySetGo(noise=0.0, prior="short"), KEYS[:8])
    assert set(one.conditions["prior"].tolist()) == {0}
    np.testing.assert_allclose(one.inputs[:, 0, 1], 0.3, rtol=1e-5)


def test_gains_and_what_counts_as_early():
    task = ReadySetGo.remington(noise=0.0)
    trials = _trials(task, KEYS[:32])
    gain = trials.conditions["gain"]
    assert sorted(set(gain.tolist())) == [1.0, 1.5]
    np.testing.assert_allclose(trials.conditions["target_interval"], gain * trials.conditions["interval"])
    np.testing.assert_allclose(trials.inputs[:, 0, 1], 0.3 * gain, rtol=1e-5)
    at = np.stack(
        [
            np.interp(end, task.time, row[:, 0])
            for end, row in zip(trials.epochs["production"][1], trials.targets, strict=True)
        ]
    )
    np.testing.assert_allclose(at, 1, atol=1e-3)  # the exponential reaches the threshold at T
    score = jax.jit(jax.vmap(task.score))
    burning = trials.targets.copy()
    burning[:, :2] = 1.0
    assert score(burning, trials)["correct"].all()
    burning[:, 2:5] = 0.21
    assert score(burning, trials)["early"].all()
    burning = trials.targets.copy()
    burning[:, 0] = np.nan
    assert not score(burning, trials)["correct"].any()


def test_published_settings():
    sohn = ReadySetGo.sohn(prior="long")
    assert (sohn.dt, sohn.pulse, sohn.amplitude, sohn.tolerance, sohn.prior) == (1, 20, 0.4, 0.05, "long")
    three = ReadySetGo.jazayeri_shadlen()
    assert three.asked == ("short", "intermediate", "long")
    assert three.intermediate == Uniform(671, 1023)
    assert three.duration == 50 + 200 + 1200 * 2.2 + 300
    assert three.input_names == ("ready_set", "context")
    assert ReadySetGo.remington().duration == 50 + 200 + 1000 + 1.2 * 1500 + 300
    assert dict(ReadySetGo.remington().signature.variables)["group"] == "gain"
    assert ReadySetGo(prior="short").input_names == ReadySetGo().input_names
    assert ReadySetGo.remington().hardest.values == ((1.0, 1.5), (2.0, 3.0))


def test_the_signature_finds_the_pull_of_the_prior():
    trials = _trials(ReadySetGo(catch=0.1), KEYS)
    interval, prior = trials.conditions["interval"], trials.conditions["prior"]
    middle = np.where(prior == 0, 640, 1000)
    produced = middle + 0.7 * (interval - middle)
    found = fit(ReadySetGo().signature, {"produced_interval": produced}, trials.conditions)
    assert found["slope"] == pytest.approx(0.7, abs=1e-4)
    assert found["shared_difference"] == pytest.approx(0.3 * 360, abs=1e-2)
    assert found["inside"] == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"short": 480},
            "short 480: a slope needs at least 3 different intervals; use a tuple of 3 or Uniform.",
        ),
        (
            {"long": (800, 800, 900)},
            "long (800, 800, 900): a slope needs at least 3 different intervals; use a "
            "tuple of 3 or Uniform.",
        ),
        (
            {"short": None, "long": None},
            "short None: a task needs a prior; give short, intermediate or long.",
        ),
        ({"prior": "intermediate"}, "prior 'intermediate': expected 'mixed' or 'short' or 'long'."),
        (
            {"short": Uniform(50, 800), "dt": 5},
            "short Uniform(50, 800): Ready and Set would overlap; use more than 60 ms.",
        ),
        (
            {"context": (0.3, 0.3, 0.3)},
            "context (0.3, 0.3, 0.3): two priors get the same context; use different values.",
        ),
        ({"gain": (1, 0)}, "gain (1, 0): nothing would be left to produce; use gains > 0."),
        ({"gain": (1, 1)}, "gain (1, 1): a gain is given twice; use different values."),
        ({"gain": ()}, "gain (): expected one or more numbers, as a tuple."),
        ({"gain": (0.2, 1)}, "dt 20: cannot resolve a target of 96 ms; use dt <= 14.4."),
        ({"dt": 80}, "dt 80: cannot resolve an interval of 480 ms; use dt <= 72."),
        ({"burn": -1}, "burn -1: a duration cannot be negative; use burn >= 0."),
        ({"long": Uniform(900, 800)}, "long Uniform(900, 800): lower bound exceeds upper bound."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        ReadySetGo(**fields)
    assert str(error.value) == f"ReadySetGo: {message}"
