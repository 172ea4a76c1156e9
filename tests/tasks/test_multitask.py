"""Mixtures of tasks: which is drawn, whose trial it is, how it is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from throughtime.tasks import CueSetGo, DelayedAntiResponse, DelayedResponse, Multitask, YangTasks

KEYS = jax.random.split(jax.random.key(0), 400)


@dataclass(frozen=True, kw_only=True)
class Labelled(DelayedResponse):
    """A task with conditions, an epoch and a score that others do not have, and with outputs of its own."""

    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "fixation", "pause", "stimulus", "delay", "response")
    condition_names: ClassVar[tuple[str, ...]] = (*DelayedResponse.condition_names, "label", "left")

    def plan(self, draw):
        plan = super().plan(draw)
        more = {"label": draw.index("label", 4), "left": plan.conditions["angle"] > np.pi}
        pause = {"pause": (plan.epochs["fixation"][1], plan.epochs["fixation"][1])}
        return plan._replace(conditions=plan.conditions | more, epochs=plan.epochs | pause)

    def score(self, outputs, trial):
        assert trial.conditions["label"].dtype == jnp.int32
        return super().score(outputs, trial) | {"doubled": 2 * trial.conditions["label"]}


TASKS = (DelayedResponse(delay=2000.0), Labelled(delay=100.0), DelayedAntiResponse(delay=800.0))
MIXTURE = Multitask(tasks=TASKS, weights=(1, 1, 2))


@pytest.fixture(scope="module")
def drawn():
    def one(key):
        trial = MIXTURE.trial(key)
        ideal = MIXTURE.ideal(trial)
        return trial, MIXTURE.score(ideal, trial), MIXTURE.score(0 * ideal, trial)

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(KEYS))


def test_tasks_are_drawn_by_weight(drawn):
    share = np.bincount(drawn[0].conditions["task"]) / len(KEYS)
    np.testing.assert_allclose(share, [0.25, 0.25, 0.5], atol=0.08)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_trial_is_that_of_the_task_drawn(drawn, place):
    task, trials = TASKS[place], drawn[0]
    here = np.flatnonzero(trials.conditions["task"] == place)[:8]
    own = jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(KEYS[here]))
    for name in ("inputs", "targets", "mask", "valid"):
        found = getattr(trials, name)[here]
        np.testing.assert_allclose(found[:, : task.num_steps], getattr(own, name), atol=1e-5)
        assert not found[:, task.num_steps :].any()
    for name in MIXTURE.condition_names[1:]:
        if name in own.conditions:
            np.testing.assert_allclose(trials.conditions[name][here], own.conditions[name], rtol=1e-5)
        elif trials.conditions[name].dtype == bool:
            assert not trials.conditions[name][here].any()
        else:
            assert np.isnan(trials.conditions[name][here]).all()
    for name in MIXTURE.epoch_names:
        expected = own.epochs.get(name, (np.nan, np.nan))
        for found, wanted in zip(trials.epochs[name], expected, strict=True):
            np.testing.assert_allclose(found[here], wanted + 0 * here, rtol=1e-5)


def test_names_and_types_are_those_of_all(drawn):
    assert MIXTURE.epoch_names == ("trial", "fixation", "pause", "stimulus", "delay", "response")
    assert MIXTURE.condition_names == ("task", *Labelled.condition_names)
    trials = drawn[0]
    types = {name: value.dtype.name for name, value in trials.conditions.items()}
    assert types["task"] == "int32"
    assert types["label"] == "float32"
    assert types["left"] == "bool"
    assert MIXTURE.num_steps == TASKS[0].num_steps


def test_scores_are_those_of_the_task_drawn(drawn):
    trials, ideal, silent = drawn
    assert ideal["correct"].dtype == bool
    assert ideal["correct"].all()
    assert not silent["correct"].any()
    labelled = trials.conditions["task"] == 1
    np.testing.assert_array_equal(np.isnan(ideal["doubled"]), ~labelled)
    np.testing.assert_array_equal(ideal["doubled"][labelled], 2 * trials.conditions["label"][labelled])


def test_rows_of_a_table_are_planned_once_and_as_they_would_be():
    """A mixture of rows and the same mixture planned task by task are the same trials."""
    rows = tuple(YangTasks(name=name) for name in ("reactanti", "multidm", "dmcgo"))
    together = Multitask(tasks=rows, noise=0.0)
    apart = Multitask(tasks=(*rows[:2], YangTasks(name="dmcgo", tolerance=0.5)), noise=0.0)
    assert together._one is not None
    assert apart._one is None
    one, other = (jax.jit(jax.vmap(task.trial))(KEYS[:32]) for task in (together, apart))
    assert len(np.unique(one.conditions["task"])) == 3
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_criterion_asks_for_100_trials_of_the_rarest():
    assert MIXTURE.criterion[0].trials == 400
    assert YangTasks.all().criterion[0].trials == 2800
    assert (MIXTURE.criterion[0].group, MIXTURE.criterion[0].reduce) == (("task",), "worst")
    assert MIXTURE.silent_score == 0


def test_dt_and_noise_are_those_of_all_tasks():
    assert Multitask(tasks=TASKS, dt=10.0).tasks[1].dt == 10
    fine = Multitask(tasks=tuple(DelayedResponse(dt=10.0, delay=d) for d in (1.0, 2.0)))
    assert (fine.dt, fine.noise, fine.weights) == (10, 0.01, (1.0, 1.0))


def test_harder_moves_every_task_along_its_own_values():
    task = Multitask(tasks=(DelayedResponse(), DelayedResponse(delay=77.0)), harder=1)
    assert task.members[0].delay == (400, 800, 1600, 3200)
    assert task.members[1].delay == 77
    assert Multitask(tasks=(DelayedResponse(),), harder=9).members[0].delay == (800, 1600, 3200, 6400)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": (DelayedResponse(), 3)}, "tasks (DelayedResponse("),
        (
            {"tasks": (DelayedResponse(), CueSetGo())},
            "tasks[1]: input_names of CueSetGo are cue, set, those of ",
        ),
        (
            {"tasks": (MIXTURE,)},
            "tasks[0]: Multitask has a condition 'task' already; mix the tasks themselves.",
        ),
        ({"tasks": 5}, "tasks 5: expected a tuple of tasks."),
        ({"tasks": TASKS, "weights": 2.0}, "weights 2: expected one for each of 3 tasks, as a tuple."),
        ({"tasks": TASKS, "weights": (1.0,)}, "weights (1,): expected one for each of 3 tasks."),
        ({"tasks": TASKS, "weights": (1.0, 0.0, 1.0)}, "weights (1, 0, 1): a task that is never drawn"),
        (
            {"tasks": (DelayedResponse(), DelayedResponse(dt=10.0))},
            "dt: the tasks have 10 and 20; say which with dt=.",
        ),
        (
            {"tasks": (DelayedResponse(), DelayedResponse(noise=0.0))},
            "noise: the tasks have 0 and 0.01; say which with noise=.",
        ),
        ({"tasks": TASKS, "harder": 0.5}, "harder 0.5: expected a whole number."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        Multitask(**fields)
    assert str(error.value).startswith(f"Multitask: {message}")
