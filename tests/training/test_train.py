"""The update loop: what it does to parameters, when it stops, what it records, what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.processes import as_users_compile
from tests.training.resumable import QuicklyJudged
from throughtime import config, keys
from throughtime.circuits import Circuit, Dense, Leaky, for_task
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT, NodePerturbation, Traits
from throughtime.tasks import Criterion
from throughtime.training import Clip, configuration, evaluate, train
from throughtime.training.finish import hash_arrays
from throughtime.training.plan import Plan
from throughtime.training.update import advance, start, validate

TASK = QuicklyJudged(dt=50.0)
CIRCUIT = for_task(TASK, num_units=6, noise=0.05)
COMMON = {"num_updates": 6, "batch_size": 4, "eval_every": 4, "log_every": 2, "stop": "budget"}


def run(circuit=CIRCUIT, rule=None, task=TASK, **settings):
    return train(task, circuit, rule or BPTT(), **{**COMMON, **settings})


@pytest.fixture(scope="module")
def pair():
    return run(seeds=(3, 8), keep=(4,))


def trials_of(seed, update, batch_size=4):
    root = keys.seed_key(seed, "data")
    each = jnp.stack([keys.trial_key(root, "train", update, index) for index in range(batch_size)])
    return jax.vmap(TASK.trial)(each), jax.random.fold_in(
        jax.random.fold_in(root, keys.PURPOSES["train"]), update
    )


def by_hand(seed, num_updates, transformation, clip=None, rates=None):
    """The same updates outside the loop, trials rebuilt from their four integers."""
    params = CIRCUIT.init(key=keys.seed_key(seed, "init"))
    state = transformation.init(params)
    losses = []
    compute = jax.jit(lambda p, trials, key: BPTT().gradient(CIRCUIT, p, {}, trials, SquaredError(), key=key))
    batch = jax.jit(lambda update: trials_of(seed, update))
    for update in range(num_updates):
        trials, key = batch(update)
        grads, _, info = compute(params, trials, key)
        if clip is not None:
            scale = min(1.0, clip / float(optax.tree.norm(grads)))
            grads = jax.tree.map(lambda leaf, scale=scale: leaf * scale, grads)
        moves, state = transformation.update(grads, state, params)
        rate = 1.0 if rates is None else rates[update]
        params = jax.tree.map(lambda one, move, rate=rate: one + rate * move, params, moves)
        losses.append(float(info["loss"]))
    return params, losses


def test_updates_are_those_of_optax_on_trials_rebuilt_from_their_keys():
    schedule = optax.linear_schedule(1e-2, 0.0, 6)
    record = run(seeds=(5,), learning_rate=schedule, clip=0.5, num_updates=6)
    params, losses = by_hand(5, 6, optax.adam(1.0), clip=0.5, rates=[float(schedule(i)) for i in range(6)])
    for name, wanted in params.items():
        np.testing.assert_allclose(record.params[name][0, -1], wanted, rtol=1e-3, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(record.curves["loss"][0], np.reshape(losses, (3, 2)).mean(1), rtol=1e-4)
    wanted = [schedule(0.5), schedule(2.5), schedule(4.5)]
    np.testing.assert_allclose(record.curves["learning_rate"][0], wanted, rtol=1e-5)
    assert not np.allclose(record.params["recurrent"][0, 0], record.params["recurrent"][0, -1], atol=1e-3)


def test_a_seed_in_an_ensemble_is_that_seed_alone(pair):
    alone = run(seeds=(8,), keep=(4,))
    for name in pair.params:
        np.testing.assert_allclose(pair.params[name][1], alone.params[name][0], rtol=2e-5, atol=1e-7)
    assert pair.init_sha256["8"] == alone.init_sha256["8"] != pair.init_sha256["3"]
    assert pair.data_sha256["8"] == alone.data_sha256["8"] != pair.data_sha256["3"]


CORES = """
import sys
import numpy as np
from tests.training.test_train import run
from throughtime.rules import RFLO
found = {}
def keep(label, record):
    arrays = {**record.params, **{"curve " + name: value for name, value in record.curves.items()}}
    found.update({f"{label}: {name}": value for name, value in arrays.items()})
for label, seeds, batch in (("seeds apart", (0, 1), 20), ("tiles shared", (2,), 37)):
    keep(label, run(seeds=seeds, batch_size=batch))
within = dict(rule=RFLO(online=True, step_size=0.1), batch_size=1, optimizer="sgd", learning_rate=1.0)
keep("side by side", run(seeds=(0, 1, 2), **within))
keep("alone", run(seeds=(0,), **within))
np.savez(sys.argv[1], **found)
"""


def test_same_bits_on_one_core_and_on_two(tmp_path):
    found = []
    for cores in (1, 2):
        path = tmp_path / f"{cores}.npz"
        subprocess.run(
            [sys.executable, "-c", CORES, str(path)], check=True,
            env=as_users_compile(THROUGHTIME_CORES=str(cores)), cwd=Path(__file__).parents[2],
        )  # fmt: skip
        found.append(dict(np.load(path)))
    labels = {"seeds apart", "tiles shared", "side by side", "alone"}
    assert {name.split(":")[0] for name in found[0]} == labels
    for name, first in found[0].items():
        assert first.tobytes() == found[1][name].tobytes(), name
    for name in (one.removeprefix("alone: ") for one in found[0] if one.startswith("alone: ")):
        alone, among = (found[0][f"{label}: {name}"][0] for label in ("alone", "side by side"))
        assert alone.tobytes() == among.tobytes(), f"{name}: a seed's bits depend on the seeds beside it"


def test_budget_records_the_crossing_and_goes_on():
    task = EasilyPleased(dt=50.0)
    kept = run(task=task, seeds=(0, 1))
    assert kept.status.tolist() == [0, 0]
    assert kept.criterion_update.tolist() == [4, 4]
    assert kept.num_updates.tolist() == [6, 6]
    stopped = run(task=task, seeds=(0, 1), stop="criterion")
    assert stopped.num_updates.tolist() == [4, 4]
    assert stopped.update.tolist() == [2, 4]
    np.testing.assert_array_equal(stopped.curves["loss"], kept.curves["loss"][:, :2])
    assert stopped.trials_seen.tolist() == [16, 16]


@dataclasses.dataclass(frozen=True)
class EasilyPleased(QuicklyJudged):
    @property
    def criterion(self):
        return (Criterion("correct", at_least=0.0, trials=16),)


@dataclasses.dataclass(frozen=True)
class PleasedBySomeSeeds(QuicklyJudged):
    """Met by the seed with the higher mean output, so that one of two seeds stops before the other."""

    threshold: float = 0.0

    def score(self, outputs, trial):
        return {**super().score(outputs, trial), "level": jnp.mean(outputs)}

    @property
    def criterion(self):
        return (Criterion("level", at_least=self.threshold, trials=16),)


def test_a_seed_that_is_done_stops_changing_while_others_go_on():
    probe = run(task=PleasedBySomeSeeds(dt=50.0, threshold=1e9), seeds=(0, 1), num_updates=4)
    means = [
        evaluate(TASK, CIRCUIT, {name: value[[i], -1] for name, value in probe.params.items()}, seeds=[seed],
                 num_trials=16, purpose="validation", update=4).outputs.mean()
        for i, seed in enumerate(probe.seeds)
    ]  # fmt: skip
    task = PleasedBySomeSeeds(dt=50.0, threshold=float(np.mean(means)))
    record = run(task=task, seeds=(0, 1), stop="criterion", num_updates=8, keep=(6,))
    first = int(np.argmax(means))
    assert record.num_updates[first] == 4
    assert record.num_updates[1 - first] > 4
    assert record.status[first] == 0
    assert np.isnan(record.curves["loss"][first, 2:]).all()
    assert np.isfinite(record.curves["loss"][1 - first, :3]).all()
    for value in record.params.values():
        np.testing.assert_array_equal(value[first, 1], value[first, 2])
    assert not np.array_equal(record.params["bias"][1 - first, 0], record.params["bias"][1 - first, -1])


def test_checkpoints_hold_initial_kept_and_final_weights(pair):
    assert pair.checkpoint_update.tolist() == [[0, 4, 6], [0, 4, 6]]
    first = CIRCUIT.init(key=keys.seed_key(3, "init"))
    for name, value in first.items():
        np.testing.assert_array_equal(pair.params[name][0, 0], value)
    assert not np.array_equal(pair.params["recurrent"][0, 1], pair.params["recurrent"][0, 2])
    np.testing.assert_array_equal(pair.weights["recurrent"], pair.params["recurrent"])
    assert pair.weights["tau"].shape == (2, 3, 6)
    assert pair.update.tolist() == [2, 4, 6]
    assert np.isnan(pair.curves["score"][:, 0]).all()
    assert np.isfinite(pair.curves["score"][:, 1:]).all()


def test_three_seeds_act_on_three_things():
    base = run(seeds=(1,))
    other = {name: run(seeds=(1,), **{f"{name}_seeds": 9}) for name in ("init", "data", "rule")}
    assert other["init"].init_sha256 != base.init_sha256
    assert other["init"].data_sha256 == base.data_sha256
    assert other["data"].init_sha256 == base.init_sha256
    assert other["data"].data_sha256 != base.data_sha256
    for name in base.params:
        np.testing.assert_array_equal(other["rule"].params[name], base.params[name])


def test_the_seed_of_the_rule_sets_what_it_tries_and_nothing_else():
    rule = NodePerturbation(baseline="noise-free")
    one, same, other = (run(seeds=(1,), rule=rule, rule_seeds=(seed,)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.params["recurrent"], same.params["recurrent"])
    assert not np.array_equal(one.params["recurrent"], other.params["recurrent"])
    assert one.data_sha256 == other.data_sha256


def test_training_and_held_out_trials_are_disjoint():
    root = keys.seed_key(0, "data")
    seen = set()
    for purpose in keys.PURPOSES:
        for update in (0, 1, 5):
            words = np.asarray(jax.random.key_data(keys.trial_keys(root, purpose, update, 64)))
            seen |= {tuple(pair) for pair in words.tolist()}
    assert len(seen) == len(keys.PURPOSES) * 3 * 64
    one = keys.trial_key(root, "test", 5, 7)
    assert jnp.array_equal(one, keys.trial_keys(root, "test", 5, 8)[7])


def test_clipping_by_block_and_by_global_norm_is_recorded():
    free = run(seeds=(0,), num_updates=2, optimizer="sgd", learning_rate=0.1)
    norm = free.curves["gradient_norm"][0, 0]
    assert free.curves["clipped_fraction"][0, 0] == 0
    whole = run(seeds=(0,), num_updates=2, clip=norm / 100, optimizer="sgd", learning_rate=0.1)
    assert whole.curves["clipped_fraction"][0, 0] == 1
    moved = sum(float(((v[0, -1] - v[0, 0]) ** 2).sum()) for v in whole.params.values()) ** 0.5
    assert moved <= 2 * 0.1 * norm / 100 * 1.001
    block = run(
        seeds=(0,), num_updates=2, clip=Clip(norm / 100, by="block"), optimizer="sgd", learning_rate=0.1
    )
    assert 0 < block.curves["clipped_fraction"][0, 0] <= 1
    for value in block.params.values():
        assert np.linalg.norm(value[0, -1] - value[0, 0]) <= 2 * 0.1 * norm / 100 * 1.001


def test_clip_leaves_a_zero_gradient_alone():
    for by in ("global", "block", "value"):
        clipped, fraction = Clip(1.0, by=by)({"a": jnp.zeros(3), "b": jnp.zeros(2)})
        assert not any(np.isnan(leaf).any() for leaf in clipped.values())
        assert float(fraction) == 0


def test_divergence_is_a_result():
    circuit = for_task(TASK, num_units=6, dynamics=Leaky(activation="relu"), recurrent=Dense(gain=1.5))
    record = run(circuit, seeds=(0, 1), num_updates=8, optimizer="sgd", learning_rate=[0.0] * 3 + [1e20] * 5)
    assert record.status.tolist() == [2, 2]
    assert record.diverged_update.tolist() == [5, 5]
    assert record.num_updates.tolist() == [4, 4]
    assert np.isfinite(record.curves["loss"][:, :2]).all()
    assert not np.isfinite(record.curves["loss"][:, 2]).any()
    assert len(record.update) == 3, "nothing more is run once every seed has diverged"
    assert record.params["bias"].shape[1] == 2


def test_one_compilation_serves_all_seeds_rates_and_lengths():
    run(seeds=(0,), num_updates=5)
    before = advance._cache_size()
    run(seeds=(7,), num_updates=9, learning_rate=3e-4)
    run(seeds=(7,), num_updates=3, learning_rate=optax.cosine_decay_schedule(0.1, 3))
    assert advance._cache_size() == before
    assert validate._cache_size() >= 1


@dataclasses.dataclass(frozen=True)
class ReadoutOnly(BPTT):
    """Trains two arrays only; the others must stand still even under momentum and decay."""

    @property
    def traits(self):
        return dataclasses.replace(super().traits, trained=("readout", "readout_bias"))


def test_untrained_parameters_stand_still_under_decay():
    record = run(rule=ReadoutOnly(), seeds=(0,), optimizer="adamw", learning_rate=0.1)
    for name, value in record.params.items():
        moved = not np.array_equal(value[0, 0], value[0, -1])
        assert moved == (name in ("readout", "readout_bias")), name


@dataclasses.dataclass(frozen=True)
class OneTrial(BPTT):
    @property
    def traits(self):
        return dataclasses.replace(super().traits, batch_size=1, displacement=True)


def test_traits_are_obeyed():
    with pytest.raises(ValueError, match="OneTrial works with batch_size 1 only, got 4"):
        run(rule=OneTrial(), seeds=(0,))
    with pytest.raises(ValueError, match="makes its own steps"):
        run(rule=OneTrial(), seeds=(0,), batch_size=1)
    assert isinstance(OneTrial().traits, Traits)


def test_initial_parameters_can_be_given(pair):
    given = {name: value[0, -1] for name, value in pair.params.items()}
    record = run(seeds=(0, 1), params=given)
    for name, value in given.items():
        np.testing.assert_array_equal(record.params[name][:, 0], np.stack([value, value]))
    assert record.config["training"]["initial_params"] == hash_arrays(given)
    with pytest.raises(ValueError, match="params\\['bias'\\] has shape \\(2,\\)"):
        run(seeds=(0,), params={**given, "bias": np.zeros(2)})
    with pytest.raises(ValueError, match="the circuit needs"):
        run(seeds=(0,), params={"bias": np.zeros(2)})


def test_parameters_with_steps_of_their_own():
    plain = run(seeds=(0,), num_updates=2, optimizer="momentum", learning_rate=1e-2)
    sizes = {"readout": 3e-2, "bias": 0.0}
    own = run(seeds=(0,), num_updates=2, optimizer="momentum", learning_rate=1e-2, step_sizes=sizes)
    first, last = ({name: one[0] for name, one in record.params.items()} for record in (plain, own))
    np.testing.assert_array_equal(last["bias"][0], last["bias"][-1])
    assert not np.array_equal(first["bias"][0], first["bias"][-1])
    assert np.linalg.norm(last["readout"][-1] - last["readout"][0]) > 2.5 * np.linalg.norm(
        first["readout"][-1] - first["readout"][0]
    )
    once = {
        name: run(seeds=(0,), num_updates=1, optimizer="sgd", learning_rate=1e-2, step_sizes=sizes).params
        for name, sizes in (("plain", None), ("own", {"readout": 3e-2}))
    }
    moves = {name: params["readout"][0, -1] - params["readout"][0, 0] for name, params in once.items()}
    np.testing.assert_allclose(moves["own"], 3 * moves["plain"], rtol=1e-4, atol=1e-7)
    for name in ("recurrent", "input", "readout_bias"):
        np.testing.assert_array_equal(once["own"][name], once["plain"][name])
    config = configuration(TASK, CIRCUIT, BPTT(), step_sizes={"readout": 3e-2})["training"]
    assert config["step_sizes"] == {"readout": 3e-2}
    assert "step_sizes" not in configuration(TASK, CIRCUIT, BPTT())["training"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": ()}, "at least one"),
        ({"seeds": (1, 1)}, "appears twice"),
        ({"seeds": (-1,)}, "whole numbers from 0"),
        ({"seeds": (0, 1), "data_seeds": (1,)}, "data_seeds has 1 entries, seeds has 2"),
        ({"num_updates": 0}, "num_updates 0 is not a whole number >= 1"),
        ({"batch_size": 2.5}, "batch_size 2.5"),
        ({"eval_every": True}, "eval_every True"),
        ({"stop": "whenever"}, "use 'criterion' or 'budget'"),
        ({"clip": -1.0}, "at -1.0 is not a positive number"),
        ({"step_sizes": {"readout": -1.0}}, "is not a number >= 0"),
        ({"step_sizes": {"output": 1.0}}, "'output', which is not trained; use bias, input"),
        (
            {"step_sizes": {"input": 1.0}, "circuit": dataclasses.replace(CIRCUIT, fixed=("input",))},
            "not trained",
        ),
        ({"learning_rate": -1.0}, "negative or non-finite"),
        ({"learning_rate": [1e-3, 1e-3]}, "or 6 numbers"),
        ({"optimizer": "adamm"}, "unknown optimizer 'adamm'; did you mean 'adam'"),
        ({"checkpoint": "/nowhere/at/all.ckpt"}, "create it first"),
        ({"circuit": Circuit(1, 4, 1, dt=50.0)}, "num_inputs is 1, the task needs 2"),
        ({"circuit": Circuit(2, 4, 2, dt=20.0)}, "dt is 20.0, the task needs 50.0"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        run(**settings)


def test_an_optimizer_must_be_one():
    with pytest.raises(TypeError, match="neither a name nor an optax transformation"):
        run(optimizer=3)


def test_a_number_of_seeds_is_their_range():
    assert configuration(TASK, CIRCUIT, BPTT(), seeds=3)["training"]["seeds"] == (0, 1, 2)
    with pytest.raises(ValueError, match="seeds 0 is not a whole number >= 1"):
        run(seeds=0)


def test_configuration_is_what_a_run_records(pair):
    assert config.sha256(
        configuration(TASK, CIRCUIT, BPTT(), **{**COMMON, "seeds": (3, 8), "keep": (4,)})
    ) == (config.sha256(pair.config))


def test_progress_is_told_on_request_only(capfd):
    run(seeds=(0,), num_updates=4, progress=True)
    told = capfd.readouterr().err
    assert "4/4" in told
    assert "loss=" in told
    assert "score=" in told
    run(seeds=(0,), num_updates=4)
    assert capfd.readouterr() == ("", "")


def test_states_start_from_the_seeds():
    plan = Plan(TASK, CIRCUIT, BPTT(), SquaredError(), "adam", None, 4, 1)
    states = start(plan, (4, 5), (4, 5), (4, 5))
    np.testing.assert_array_equal(
        states.params["readout"][1], CIRCUIT.init(key=keys.seed_key(5, "init"))["readout"]
    )
