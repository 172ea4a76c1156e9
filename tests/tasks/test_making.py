"""Tasks by name, their fields, and the settings all of them refuse."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime import config, tasks
from throughtime.tasks import (
    AddingProblem,
    AddTask,
    CopyMemory,
    CueSetGo,
    DelayedMatchToSample,
    DelayedPulse,
    EvidenceAccumulation,
    MimicTask,
    SineGeneration,
    Uniform,
    base,
)
from throughtime.tasks.hardest import Measured


def test_make_is_the_class_with_its_fields():
    assert tasks.make("cue-set-go", dt=10) == CueSetGo(dt=10.0)
    assert tasks.make("delayed-match-to-sample", "lint") == DelayedMatchToSample()
    assert tasks.make("delayed-match-to-sample", variant="masse", dt=20) == DelayedMatchToSample.masse(dt=20)
    assert tasks.get("cue-set-go") is CueSetGo


@pytest.mark.parametrize(
    ("arguments", "fields", "message"),
    [
        (("cue-set",), {}, "unknown task 'cue-set'; did you mean 'cue-set-go' or 'ready-set-go'?"),
        (("xyz",), {}, "unknown task 'xyz'; see throughtime list tasks."),
        (
            ("cue-set-go", "masse"),
            {},
            "CueSetGo: unknown variant 'masse'; its variants are beiran, short, long.",
        ),
        (
            ("cue-set-go",),
            {"delay": 1.0},
            "CueSetGo: unknown field 'delay'; its fields are dt, noise, target",
        ),
        (
            ("cue-set-go", "short"),
            {"delay": 1.0},
            "CueSetGo: unknown field 'delay'; its fields are dt, noise",
        ),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(arguments, fields, message):
    with pytest.raises(ValueError) as error:
        tasks.make(*arguments, **fields)
    assert str(error.value).startswith(message)


def test_equal_settings_are_equal_and_have_one_hash():
    plain = DelayedMatchToSample(delay=[500, 1000], dt=20, noise=np.float32(0.5))
    assert plain == DelayedMatchToSample(delay=(500.0, 1000.0), dt=20.0, noise=0.5)
    assert config.sha256(plain) == config.sha256(DelayedMatchToSample(delay=(500.0, 1000.0), noise=0.5))
    assert Uniform(1, 2) == Uniform(1.0, 2.0)
    assert hash(plain) == hash(dataclasses.replace(plain))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dt": 0}, "dt 0: a bin needs a positive width; use dt > 0."),
        ({"dt": -5}, "dt -5: a bin needs a positive width; use dt > 0."),
        ({"dt": "20"}, "dt '20': expected a finite number."),
        ({"noise": -0.1}, "noise -0.1: a standard deviation cannot be negative; use noise >= 0."),
        ({"noise": float("nan")}, "noise nan: expected a finite number."),
        ({"noise": True}, "noise True: expected a finite number."),
        ({"mask_fixation": 1}, "mask_fixation 1: expected True or False."),
        ({"num_stimuli": 2.5}, "num_stimuli 2.5: expected a whole number."),
    ],
)
def test_impossible_values_are_refused(fields, message):
    with pytest.raises(ValueError) as error:
        DelayedMatchToSample(**fields)
    assert str(error.value) == f"DelayedMatchToSample: {message}"


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (DelayedMatchToSample(), {"sample": 1, "delay": 2476.896, "match": 1}),
        (CueSetGo.beiran(), {"interval": 800.0, "catch": 0}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_old_trials_stay_as_they_were(task, expected):
    conditions = jax.jit(task.trial)(jax.random.key(7)).conditions
    assert {name: pytest.approx(float(conditions[name]), abs=0.01) for name in expected} == expected


@dataclasses.dataclass(frozen=True, kw_only=True)
class Careless(CueSetGo):
    def plan(self, draw):
        plan = super().plan(draw)
        wide = {"number": jnp.asarray(0.1, float), "count": jnp.asarray(3, int), "flag": jnp.asarray(True)}
        return plan._replace(conditions=wide, mask=plan.mask.astype(float))


def test_a_trial_is_single_precision_whatever_the_task_computes_in():
    with jax.enable_x64(True):
        trial = jax.jit(Careless().trial)(jax.random.key(0))
    conditions = {name: str(value.dtype) for name, value in trial.conditions.items()}
    assert conditions == {"number": "float32", "count": "int32", "flag": "bool"}
    assert trial.mask.dtype == jnp.float32


@pytest.mark.parametrize(
    "task",
    [
        DelayedMatchToSample.masse(),
        CueSetGo.beiran(),
        CopyMemory(),
        AddingProblem(),
        AddTask(),
        MimicTask(),
        EvidenceAccumulation.bellec(dt=10.0),
        DelayedPulse(wait=Uniform(100, 200), perturbation=0.5),
        SineGeneration.murray(),
    ],
    ids=lambda t: type(t).__name__,
)
def test_double_precision_changes_neither_types_nor_draws(task):
    key = jax.random.key(5)
    single = jax.jit(task.trial)(key)
    with jax.enable_x64(True):
        double = jax.jit(task.trial)(key)
        scores = jax.jit(task.score)(task.ideal(double), double)
    for one, two in zip(jax.tree.leaves(single), jax.tree.leaves(double), strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-4)
    assert scores["correct"].dtype == jnp.bool_
    assert scores["correct"]


def test_what_was_measured_belongs_to_the_parameter_that_was_varied(monkeypatch):
    found = (Measured(0.5, False, True),)
    monkeypatch.setitem(base.MEASURED, "ready-set-go", found)
    monkeypatch.setitem(base.MEASURED, "perceptual-decision", found)
    easiest = tasks.ReadySetGo().hardest.values[0]
    assert (tasks.ReadySetGo().measured, tasks.ReadySetGo(noise=0.1).demanding) == (found, (easiest,))
    assert (tasks.ReadySetGo.remington().measured, tasks.ReadySetGo.remington().demanding) == ((), ())
    assert tasks.PerceptualDecision.lint().measured == found
    assert tasks.SineGeneration().measured == base.MEASURED.get("sine-generation", ())
