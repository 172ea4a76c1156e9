"""The mimic task: the teacher, what it shows, and when it has forgotten where it began."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from throughtime.objectives import SquaredError
from throughtime.tasks import MimicTask

KEYS = jax.random.split(jax.random.key(0), 64)
VARIANTS = {"default": MimicTask(), "leaky": MimicTask.leaky()}


def _trials(task, keys=KEYS):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(task.trial))(keys))


def _scores(task, outputs, trials):
    return jax.tree.map(np.asarray, jax.vmap(task.score)(outputs, trials))


def _teach(task, inputs, state):
    """The recursion in plain double precision; inputs (trial, slot, input), state (trial, unit)."""
    teacher, alpha, outputs = task.teacher, task.slot / task.teacher_tau, []
    w_in, w, w_out, b, b_out = (np.asarray(array, float) for array in teacher)
    for x in inputs.swapaxes(0, 1):
        state = (1 - alpha) * state + alpha * np.tanh(state @ w.T + x @ w_in.T + b)
        outputs.append(state @ w_out.T + b_out)
    return np.stack(outputs, 1)


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS.keys())
def task(request):
    return request.param


@pytest.fixture(scope="module")
def trials(task):
    return _trials(task)


def test_targets_are_the_teachers_recursion(task, trials):
    np.testing.assert_allclose(trials.targets, _teach(task, trials.inputs, np.zeros((64, 32))), atol=1e-5)
    counted = np.arange(100) >= task.settling
    np.testing.assert_array_equal(trials.mask, np.broadcast_to(counted[:, None], trials.mask.shape))
    assert trials.conditions["memory"][0] == task.slot / {1: 1.0, 2: 0.5}[task.hold]


def test_inputs_are_fair_independent_and_held(task, trials):
    fresh = trials.inputs[:, :: task.hold]
    np.testing.assert_array_equal(np.repeat(fresh, task.hold, axis=1), trials.inputs)
    assert np.isin(fresh, (0, 1)).all()
    assert fresh.mean() == pytest.approx(0.5, abs=2 / np.sqrt(fresh.size))
    centred = fresh - 0.5
    for one, other in ((centred[:, 1:], centred[:, :-1]), (centred[..., 1:], centred[..., :-1])):
        assert abs((one * other).mean()) < 1 / np.sqrt(one.size)


def test_the_start_is_forgotten_before_targets_count(task, trials):
    random = np.random.default_rng(0)
    for seed in range(3):
        taught = dataclasses.replace(task, teacher_seed=seed)
        starts = np.zeros((64, 32)), random.choice([-0.8, 0.8], (64, 32))
        here, there = (_teach(taught, trials.inputs, start) for start in starts)
        counted = task.settling
        apart = ((here - there)[:, counted] ** 2).mean() / here[:, counted:].var(axis=(0, 1)).mean()
        assert apart < 2e-3
        assert ((here - there)[:, 0] ** 2).mean() > 100 * ((here - there)[:, counted] ** 2).mean()


def test_the_teacher_is_drawn_as_published():
    teacher = MimicTask(num_inputs=8, num_units=64, num_outputs=200).teacher
    np.testing.assert_allclose(teacher.weights @ teacher.weights.T, np.eye(64), atol=1e-5)
    for array, spread in (
        (teacher.inputs, 8**-0.5), (teacher.outputs, 64**-0.5),
        (teacher.bias, 0.1), (teacher.output_bias, 0.1),
    ):  # fmt: skip
        assert array.dtype == np.float32
        assert array.std() == pytest.approx(spread, rel=4 / np.sqrt(2 * array.size))
        assert abs(array.mean()) < 4 * spread / np.sqrt(array.size)


def test_the_seed_decides_the_teacher_and_the_key_the_inputs():
    task, other = (MimicTask(length=14, teacher_seed=seed) for seed in (0, 1))
    first, second = _trials(task, KEYS[:2]), _trials(other, KEYS[:2])
    np.testing.assert_array_equal(first.inputs, second.inputs)
    assert np.abs(first.targets - second.targets).max() > 0.5
    assert not np.array_equal(first.inputs[0], first.inputs[1])
    np.testing.assert_array_equal(task.teacher.weights, MimicTask(length=50).teacher.weights)


def test_nmse_is_the_error_over_the_variance():
    task = MimicTask()
    trials = _trials(task)
    counted = trials.targets[:, 10:]
    constant = np.array(trials.targets)
    constant[:, 10:] = counted.mean(1, keepdims=True)
    constant[:, :10] = 7.0  # does not count
    np.testing.assert_allclose(_scores(task, constant, trials)["nmse"], 1, rtol=1e-5)
    half = trials.targets + 0.5 * (constant - trials.targets)
    half[:, :10] = 0
    scores = _scores(task, half, trials)
    np.testing.assert_allclose(scores["nmse"], 0.25, rtol=1e-5)
    assert not scores["correct"].any()
    losses = jax.vmap(SquaredError())(half, trials)
    np.testing.assert_allclose(scores["nmse"], losses / counted.var(axis=1).mean(1), rtol=1e-5)
    near = trials.targets + 0.2 * (constant - trials.targets)
    assert _scores(task, near, trials)["correct"].all()
    broken = np.array(trials.targets)
    broken[:, 3, 1] = np.nan  # not masked in, still not finite
    scores = _scores(task, broken, trials)
    assert np.isnan(scores["nmse"]).all()
    assert not scores["correct"].any()


def test_many_channels_have_names_of_one_length():
    task = MimicTask(num_inputs=101, num_outputs=3)
    assert task.input_names[::50] == ("input_000", "input_050", "input_100")
    assert task.output_names == ("output_00", "output_01", "output_02")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hold": 0}, "hold 0: use at least 1."),
        ({"num_units": 0}, "num_units 0: use at least 1."),
        ({"settling": -1}, "settling -1: a number of slots cannot be negative; use settling >= 0."),
        ({"length": 11}, "length 11: two targets that count make a variance; use at least 12 slots."),
        ({"teacher_tau": 10}, "teacher_tau 10: the teacher's α would exceed 1; use teacher_tau >= 20."),
        ({"teacher_seed": -1}, "teacher_seed -1: a seed cannot be negative; use teacher_seed >= 0."),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError) as error:
        MimicTask(**fields)
    assert str(error.value) == f"MimicTask: {message}"
