"""The 20 tasks of Yang et al.: what is shown, what is right, and the numbers of each row."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from throughtime.tasks import Multitask, Uniform, YangTasks
from throughtime.tasks.yang_rules import NAMES, RULES

MIXTURE = YangTasks.all(noise=0.0)
PREFERRED = 2 * np.pi * np.arange(32) / 32
DELAYED = ("delaygo", "delayanti", "dmsgo", "dmsnogo", "dmcgo", "dmcnogo")


@pytest.fixture(scope="module")
def trials():
    keys = jax.random.split(jax.random.key(0), 1400)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(MIXTURE.trial))(keys))


def bump(angle):
    away = np.abs((PREFERRED - angle + np.pi) % (2 * np.pi) - np.pi)
    return 0.8 * np.exp(-0.5 * (away / (np.pi / 8)) ** 2)


def wrap(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


def of(trials, name):
    """Trials of one task, one by one, with a function that reads an input at a time."""
    for index in np.flatnonzero(trials.conditions["task"] == NAMES.index(name)):
        one = jax.tree.map(lambda leaf, index=index: leaf[index], trials)
        yield one, lambda time, one=one: one.inputs[int(time / MIXTURE.dt)]


def rings(inputs):
    return inputs[1:33], inputs[33:65]


def middle(epoch):
    return (epoch[0] + epoch[1]) / 2


def test_the_layout():
    task = YangTasks()
    assert len(task.input_names) == 85
    assert len(task.output_names) == 33
    assert task.input_names[1 + 32 + 7] == "ring2_07"
    assert task.input_names[65:] == tuple(f"rule_{name}" for name in NAMES)
    assert len(NAMES) == 20
    assert all(YangTasks(name=name).input_names == task.input_names for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_rule_and_fixation(trials, name):
    stays = name.startswith(("react", "dms", "dmc"))
    for one, _ in of(trials, name):
        go, end = one.epochs["response"]
        full = int(end / MIXTURE.dt)
        assert (one.inputs[:full, 65 + NAMES.index(name)] == 1).all()
        assert one.inputs[:, 65:].sum(1).max() <= 1 + 1e-6
        before, after = int(go / MIXTURE.dt), int(np.ceil(go / MIXTURE.dt))
        assert (one.inputs[:before, 0] == 1).all()
        np.testing.assert_allclose(one.inputs[after:full, 0], float(stays))
        answers = not np.isnan(one.conditions["target_angle"])
        last = one.targets[full - 1]
        np.testing.assert_allclose(last[0], 0.05 if answers else 0.8, atol=1e-6)
        ring = 0.05 + (bump(one.conditions["target_angle"]) if answers else 0)
        np.testing.assert_allclose(last[1:] * np.ones(32), ring * np.ones(32), atol=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if RULES[name].single])
def test_one_stimulus(trials, name):
    for one, at in of(trials, name):
        shown = middle(one.epochs["stimulus"])
        both, ring = rings(at(shown)), int(one.conditions["ring"])
        np.testing.assert_allclose(both[ring], bump(one.conditions["angle"]), atol=1e-4)
        assert not both[1 - ring].any()
        turned = wrap(one.conditions["target_angle"] - one.conditions["angle"])
        assert abs(abs(turned) - (np.pi if name.endswith("anti") else 0)) < 1e-5
        held = at(middle(one.epochs["response"]))[1:65].any()
        assert held == (not name.startswith("delay"))
        if name.startswith("react"):
            assert one.epochs["stimulus"][0] == one.epochs["response"][0]


@pytest.mark.parametrize("name", [name for name in NAMES if RULES[name].compared])
def test_two_strengths(trials, name):
    """Strengths read off the inputs; the stronger stimulus on what counts is the target."""
    one_ring = name in ("dm1", "dm2", "delaydm1", "delaydm2")
    counts = [1, 1] if "multi" in name else [0, 1] if name.endswith("2") else [1, 0]
    differences = []
    for one, at in of(trials, name):
        angles = [one.conditions["angle"], one.conditions["second_angle"]]
        assert abs(wrap(angles[1] - angles[0])) >= np.pi / 2 - 1e-4
        if "delay" in name:
            seen = [at(middle(one.epochs[e])) for e in ("stimulus", "second_stimulus")]
            strength = np.array(
                [
                    [ring @ bump(a) / (bump(a) @ bump(a)) for ring in rings(s)]
                    for s, a in zip(seen, angles, strict=True)
                ]
            )
        else:
            basis = np.stack([bump(a) for a in angles], 1)
            seen = np.stack(rings(at(middle(one.epochs["stimulus"]))), 1)
            strength = np.linalg.lstsq(basis, seen, rcond=None)[0]
            np.testing.assert_allclose(basis @ strength, seen, atol=1e-4)
        if one_ring:
            assert not strength[:, [k for k in (0, 1) if not counts[k]]].any()
        else:
            assert (strength > 0.3).all()
        total = strength @ np.array(counts) / sum(counts)
        assert one.conditions["target_angle"] == angles[int(total.argmax())]
        assert abs(total[0] - total[1]) / 2 == pytest.approx(one.conditions["coherence"], abs=1e-3)
        if "multi" in name:
            parts = np.abs(strength[:, 0] / strength.sum(1) - 0.5) * 2
            assert ((parts > 0.099) & (parts < 0.401)).all()
        differences.append(one.conditions["coherence"])
    published = (0.08, 0.16, 0.32) if "delay" in name else (0.01, 0.02, 0.04, 0.08)
    np.testing.assert_allclose(np.unique(differences), published, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if RULES[name].matched])
def test_matches(trials, name):
    responses = []
    for one, at in of(trials, name):
        first, second = one.conditions["angle"], one.conditions["second_angle"]
        seen = at(middle(one.epochs["response"]))[1:65].reshape(2, 32)
        assert min(np.abs(ring - bump(second)).max() for ring in seen) < 1e-4
        assert at(middle(one.epochs["delay"]))[1:65].sum() == 0
        if "dmc" in name:
            match = (first < np.pi) == (second < np.pi)
            place = first / np.pi * 10
            assert abs(place - round(float(place))) < 1e-4
            assert round(float(place)) % 2 == 1
        else:
            match = abs(wrap(first - second)) < 1e-6
            assert match or abs(wrap(first - second)) >= np.pi / 9 - 1e-4
        asked = match == (not name.endswith("nogo"))
        target = one.conditions["target_angle"]
        assert target == second if asked else np.isnan(target)
        responses.append(asked)
    assert 0.1 < np.mean(responses) < 0.9


def test_no_response_is_fixation_to_the_end(trials):
    task = YangTasks(name="delaydm1", noise=0.0)  # as long as the mixture
    one = next(one for one, _ in of(trials, "dmsgo") if np.isnan(one.conditions["target_angle"]))
    ideal, silent = one.targets, np.zeros_like(one.targets)
    gone = np.where(np.arange(len(ideal))[:, None] * 20 >= one.epochs["response"][0], silent, ideal)
    for outputs, right in ((ideal, True), (silent, False), (gone, False)):
        scores = task.score(outputs, one)
        assert bool(scores["correct"]) == right
        assert np.isnan(scores["angular_error"])


def test_timings_of_a_row():
    assert YangTasks(name="reactgo").fixation == Uniform(500, 2500)
    assert YangTasks(name="reactgo").stimulus is None
    assert YangTasks(name="fdgo").stimulus == Uniform(500, 1500)
    assert YangTasks(name="dm1").stimulus == (400, 800, 1600)
    assert YangTasks(name="delaydm1").second_delay == Uniform(100, 300)
    assert YangTasks().delay == YangTasks(name="dmsgo").delay == (200, 400, 800, 1600)
    assert (YangTasks().settling, YangTasks().response_weight, YangTasks().fixation_weight) == (100, 5, 2)
    assert YangTasks(delay=3000).delay == 3000


@pytest.mark.parametrize("name", NAMES)
def test_every_row_has_a_signature_and_is_made_harder(name):
    task = YangTasks(name=name)
    harder = [dataclasses.replace(task, **{task.hardest.field: value}) for value in task.hardest.values]
    assert harder[1] == task
    assert len(set(harder)) == 3
    assert dict(task.signature.variables)["level"] == (
        "delay" if name in DELAYED else "coherence" if RULES[name].compared else "angle"
    )


def test_the_mixture_of_all():
    assert Multitask(noise=0.0) == MIXTURE
    assert [task.name for task in MIXTURE.tasks] == list(NAMES)
    assert MIXTURE.weights == tuple(5.0 if "contextdm" in name else 1.0 for name in NAMES)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "delygo"}, "unknown task 'delygo'; did you mean 'delaygo'?"),
        ({"name": "xyz"}, "unknown task 'xyz'; the tasks are fdgo, reactgo, "),
        ({"name": "dm1", "delay": 100}, "delay 100: dm1 has none; leave it out"),
        ({"coherence": (0.1,)}, "coherence (0.1,): delaygo has none; leave it out"),
        (
            {"name": "dm1", "coherence": (0.0, 0.1)},
            "coherence (0, 0.1): expected a tuple of numbers between 0",
        ),
        ({"name": "dm1", "coherence": ()}, "coherence (): expected a tuple of numbers between 0"),
        ({"name": "dm1", "coherence": 0.1}, "coherence 0.1: expected a tuple of numbers between 0"),
        ({"stimulus": 10.0}, "dt 20: cannot resolve a stimulus of 10 ms; use dt <= 10."),
        ({"stimulus": 0.0}, "stimulus 0: the epoch can vanish; use values > 0."),
        ({"grace": 500.0}, "grace (500 ms) leaves no loss in a response of 500 ms; use grace < response."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        YangTasks(**fields)
    assert str(error.value).startswith(f"YangTasks: {message}")
