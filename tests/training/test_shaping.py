"""Curricula: stages go on when performance allows, per seed, to the same bits after an interruption."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from throughtime import config, keys
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT
from throughtime.tasks import Criterion, DelayedMatchToSample, Shaping, Uniform
from throughtime.training import configuration, loop, train
from throughtime.training.finish import hash_trials
from throughtime.training.plan import Plan
from throughtime.training.update import start, validate


@dataclasses.dataclass(frozen=True, kw_only=True)
class Short(DelayedMatchToSample):
    """Judged on few trials of few bins; ``level`` is the mean output, which differs between seeds."""

    dt: float = 50.0
    sample: float = 100.0
    delay: float = 400.0
    test: float = 100.0
    response: float = 100.0

    def score(self, outputs, trial):
        return {**super().score(outputs, trial), "level": jnp.mean(outputs)}

    @property
    def criterion(self):
        return (Criterion("correct", at_least=0.0, trials=8),)


TASK = Short()
CIRCUIT = tt.circuits.for_task(TASK, num_units=5, noise=0.05)
COMMON = {"num_updates": 8, "batch_size": 4, "eval_every": 2, "log_every": 2, "stop": "budget"}
ALWAYS, NEVER = (Criterion("loss", at_most=bound, trials=8) for bound in (1e9, -1.0))


def run(until=ALWAYS, values=(100.0, 200.0), **settings):
    return train(
        TASK, CIRCUIT, BPTT(), **{**COMMON, "curriculum": Shaping("delay", values, until=until), **settings}
    )


@pytest.fixture(scope="module")
def eager():
    return run(seeds=(0, 1), stop="criterion")


def test_stages_go_on_and_the_tasks_own_criterion_counts_in_the_last(eager):
    assert eager.stage.tolist() == [[0, 1, 2]] * 2
    assert eager.stage_update.tolist() == [[0, 2, 4]] * 2
    assert eager.criterion_update.tolist() == [6, 6]
    assert eager.num_updates.tolist() == [6, 6]


def test_a_stage_trains_on_trials_of_its_task(eager):
    first = dataclasses.replace(TASK, delay=100.0)
    alone = train(first, CIRCUIT, BPTT(), seeds=(0, 1), **{**COMMON, "num_updates": 2})
    np.testing.assert_array_equal(alone.curves["loss"][:, 0], eager.curves["loss"][:, 0])
    np.testing.assert_array_equal(alone.curves["score"][:, 0], eager.curves["score"][:, 0])
    assert alone.data_sha256 == eager.data_sha256
    plan = Plan(TASK, CIRCUIT, BPTT(), SquaredError(), "adam", None, 4, 1)
    assert hash_trials(plan, np.array([0]))[0] != eager.data_sha256["0"]


def test_a_stage_that_is_not_done_with_never_ends():
    record = run(until=NEVER, seeds=(0,))
    assert record.stage.tolist() == [[0] * 4]
    assert record.stage_update.tolist() == [[0, -1, -1]]
    assert record.criterion_update.tolist() == [-1], "the task's criterion is met, but not in the last stage"


def test_no_stage_begins_when_the_budget_is_spent():
    assert run(seeds=(0,), num_updates=2).stage_update.tolist() == [[0, -1, -1]]


def test_evaluations_of_an_earlier_stage_do_not_count():
    twice = dataclasses.replace(ALWAYS, validations=2)
    assert run(until=twice, seeds=(0,), num_updates=10).stage_update.tolist() == [[0, 4, 8]]


def test_each_seed_goes_on_by_itself_and_its_bits_do_not_depend_on_the_others():
    probe = run(until=NEVER, seeds=(0, 1), num_updates=2)
    plan = Plan(dataclasses.replace(TASK, delay=100.0), CIRCUIT, BPTT(), SquaredError(), "adam", None, 4, 1)
    final = {name: value[:, -1] for name, value in probe.params.items()}
    scores, _ = validate(plan, 8, final, np.uint32([0, 1]), np.int32(2))
    level = np.asarray(scores["level"]).mean(1)
    between = Criterion("level", at_least=float(level.mean()), trials=8)
    together = run(until=between, seeds=(0, 1))
    ahead = int(np.argmax(level))
    assert together.stage_update[ahead, 1] == 2
    assert together.stage_update[1 - ahead, 1] != 2
    twins = run(until=between, seeds=(2, 3), init_seeds=(ahead, ahead), data_seeds=(ahead, ahead),
                rule_seeds=(ahead, ahead))  # fmt: skip
    for name, value in together.params.items():
        np.testing.assert_array_equal(value[ahead], twins.params[name][0], err_msg=name)
    np.testing.assert_array_equal(together.stage[ahead], twins.stage[0])


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, monkeypatch, eager):
    path, whole = tmp_path / "state.npz", loop.advance
    left = [2]

    def interrupted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(loop, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(seeds=(0, 1), stop="criterion", checkpoint=path)
    monkeypatch.setattr(loop, "advance", whole)
    again = run(seeds=(0, 1), stop="criterion", checkpoint=path)
    for name in ("stage", "stage_update", "criterion_update", "update"):
        np.testing.assert_array_equal(getattr(again, name), getattr(eager, name), err_msg=name)
    for name, value in eager.params.items():
        assert value.tobytes() == again.params[name].tobytes(), name
    with pytest.raises(ValueError, match="another configuration"):
        run(seeds=(0, 1), stop="criterion", values=(100.0,), checkpoint=path)


def test_the_loss_of_held_out_trials_is_that_of_the_objective():
    plan = Plan(TASK, CIRCUIT, BPTT(), SquaredError(), "adam", None, 4, 1)
    params = start(plan, (0,), (0,), (0,)).params
    scores, _ = validate(plan, 8, params, np.uint32([0]), np.int32(0), True)
    each = keys.trial_keys(keys.seed_key(0, "data"), "validation", 0, 8)
    one = {name: value[0] for name, value in params.items()}
    trials = jax.vmap(TASK.trial)(each)
    _, info = tt.gradient(tt.circuits.for_task(TASK, num_units=5), one, trials, BPTT(), key=each[0])
    quiet = dataclasses.replace(plan, circuit=tt.circuits.for_task(TASK, num_units=5))
    found, _ = validate(quiet, 8, params, np.uint32([0]), np.int32(0), True)
    np.testing.assert_allclose(np.asarray(found["loss"]).mean(), info["loss"], rtol=1e-5)
    assert scores["loss"].shape == (1, 8)


def test_the_published_shaping_of_delayed_match_to_sample():
    shaping = DelayedMatchToSample.lint().shaping
    assert [stage.delay for stage in shaping.stages(DelayedMatchToSample.lint())] == [
        Uniform(500, 700), Uniform(500, 1000), Uniform(500, 3000),
    ]  # fmt: skip
    assert (shaping.until.measure, shaping.until.at_most) == ("loss", 0.05)
    assert DelayedMatchToSample.masse().shaping is None
    assert DelayedMatchToSample(delay=Uniform(500, 700)).shaping is None
    assert len(DelayedMatchToSample(delay=Uniform(800, 3000)).shaping.values) == 1


def test_a_configuration_has_a_curriculum_only_where_one_was_asked_for():
    task = DelayedMatchToSample()
    circuit = tt.circuits.for_task(task, num_units=4)
    plain = configuration(task, circuit, BPTT())
    assert "curriculum" not in plain["training"]
    shaped = configuration(task, circuit, BPTT(), curriculum="published")
    assert shaped["training"]["curriculum"] == task.shaping
    assert config.decode(config.encode(shaped))["training"]["curriculum"] == task.shaping
    assert config.sha256(shaped) != config.sha256(plain)


def test_a_run_records_stages(eager):
    tree = tt.results.run_tree(eager)
    assert tt.results.validate(tree) == []
    training = tree["training"]
    assert training["current_stage"].dims == ("seed", "update")
    assert training["stage_update"].values.tolist() == [[0, 2, 4]] * 2
    assert "3 of 3" in tt.Run(tree).summary()


@pytest.mark.parametrize(
    ("curriculum", "message"),
    [
        ("published", "Short with these settings declares no shaping"),
        ("publishd", "use None, 'published' or throughtime.tasks.Shaping"),
        (Shaping("delays", (1.0,), ALWAYS), "Short has no field 'delays'; its fields are dt, "),
        (Shaping("delay", (400.0,), ALWAYS), "delay 400: two stages after each other are the same"),
        (Shaping("delay", (-1.0,), ALWAYS), "Short: delay -1: a duration cannot be negative"),
        (Shaping("num_stimuli", (3,), ALWAYS), "at num_stimuli 3 the input_names of Short are"),
        (Shaping("delay", (1.0,), Criterion("corect", at_least=0.5)), "measure 'corect': expected one of"),
        (
            Shaping("delay", (1.0,), Criterion("correct", at_least=0.5, group=("delays",))),
            "group 'delays': no such condition",
        ),
    ],
)
def test_curricula_that_cannot_be_are_refused(curriculum, message):
    with pytest.raises(ValueError, match=message):
        configuration(TASK, CIRCUIT, BPTT(), curriculum=curriculum)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("delay", (), ALWAYS), r"values \(\): expected a tuple of values of delay"),
        (("delay", 3.0, ALWAYS), "values 3.0: expected a tuple"),
        (("delay", (3.0,), 0.9), "until 0.9: expected a criterion such as"),
    ],
)
def test_shaping_needs_stages_and_a_bound(arguments, message):
    with pytest.raises(ValueError, match=message):
        Shaping(*arguments)
