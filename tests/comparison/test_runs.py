"""Training with several rules: what differs, what must not, tuning, the summary, and the file."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.results.records import training_record
from throughtime import comparison, keys, results, rules
from throughtime.comparison.choice import gradient_form, labelled, own_step, with_step
from throughtime.comparison.held_out import held_out_losses
from throughtime.comparison.summary import summary
from throughtime.comparison.tuning import Tuned, check_grid, tune, tuning_seeds, untuned
from throughtime.results import labels, run_tree, validate
from throughtime.training.record import BUDGET_EXHAUSTED, DIVERGED

TASK = tt.tasks.make("cue-set-go", dt=50.0)
CIRCUIT = tt.circuits.for_task(TASK, num_units=6)
MOVING = rules.make("eprop", online=True, step_size=0.5)


@pytest.fixture(scope="module")
def trained():
    options = {
        "num_updates": 4,
        "batch_size": 2,
        "log_every": 2,
        "eval_every": 2,
        "test_trials": 2,
        "learned": False,
    }
    return tt.compare(
        TASK, CIRCUIT, ["bptt", "force"], seeds=[5, 2], match="trials", controls=False,
        command="throughtime compare --out /home/me/x.nc", **options,
    )  # fmt: skip


def test_every_rule_starts_from_the_same_weights(trained):
    assert list(trained.children) == ["comparison", "bptt", "force"]
    one, other = (tt.Run(trained[label]) for label in ("bptt", "force"))
    assert one.tree.attrs["init_sha256"] == other.tree.attrs["init_sha256"]
    assert (one.task, one.circuit, one.seeds) == (other.task, other.circuit, [5, 2])
    assert (one.rule, other.rule) == (rules.make("bptt"), rules.make("force"))
    assert one.config["training"]["optimizer"] == "adam"
    wanted = {"optimizer": "sgd", "clip": None, "learning_rate": 1.0, "batch_size": 1, "num_updates": 8}
    assert {name: other.config["training"][name] for name in wanted} == wanted


def test_the_summary_is_what_the_runs_hold(trained):
    data = trained["comparison"].to_dataset()
    assert labels(data["rule"]) == ["bptt", "force"]
    assert data["update"].values.tolist() == [2, 4]  # rows of force, at 4 and 8, saw as many trials
    for index, label in enumerate(labels(data["rule"])):
        training = trained[label]["training"].to_dataset()
        np.testing.assert_array_equal(data["loss"][index], training["loss"])
        np.testing.assert_array_equal(data["final_training_loss"][index], training["loss"][:, -1])
        np.testing.assert_array_equal(data["final_score"][index], training["score"][:, -1])
    assert (data["trials_seen"] == 8).all()
    assert data["num_updates"].values.tolist() == [[4, 4], [8, 8]]
    assert data["learning_rate"].values.tolist() == [1e-3, 1.0]


def by_hand(circuit, objective, params, seed, carried=False):
    """Mean loss of 64 validation trials of block 0, each run alone with the noise of its key."""

    def run(index, state=None):
        key = keys.trial_key(keys.seed_key(seed, "data"), "validation", 0, index)
        trial = TASK.trial(key)
        noise = circuit.noise(key, len(trial.valid))
        return trial, circuit.run(params, trial.inputs, noise=noise, valid=trial.valid, state=state)

    def one(index):
        before = {name: x[-1] for name, x in run(64 + index)[1].states.items()} if carried else None
        trial, path = run(index, before)
        return objective(path.outputs, trial) + objective.penalty(path, trial.valid)

    loss = float(jnp.mean(jax.vmap(one)(jnp.arange(64))))
    return loss + float(objective.weight_penalty(circuit.weights(params)))


def test_rules_are_ranked_by_what_their_final_weights_do_on_held_out_trials(trained):
    data = trained["comparison"].to_dataset()
    for index, label in enumerate(("bptt", "force")):
        for column, seed in enumerate((5, 2)):
            params = {name: jnp.asarray(x) for name, x in tt.Run(trained[label]).params(seed).items()}
            loss = by_hand(CIRCUIT, tt.objectives.SquaredError(), params, seed)
            assert float(data["final_loss"][index, column]) == pytest.approx(loss, rel=1e-5)
    apart = np.abs(data["final_loss"] / data["final_training_loss"] - 1)
    assert (apart.isel(rule=1) > 0.01).all()  # force reports the loss met while its readout moves


def test_held_out_losses_have_penalties_and_noise_and_no_diverged_seed():
    circuit = tt.circuits.for_task(TASK, num_units=6, noise=0.3)
    objective = (
        tt.objectives.SquaredError() + tt.objectives.RatePenalty(0.5) + tt.objectives.WeightPenalty(0.1)
    )
    params = jax.vmap(lambda key: circuit.init(key=key))(jax.random.split(jax.random.key(1), 3))
    params["bias"] = params["bias"].at[2].set(jnp.nan)
    status = np.array([BUDGET_EXHAUSTED, DIVERGED, BUDGET_EXHAUSTED])
    found = held_out_losses(TASK, circuit, objective, params, data_seeds=(3, 3, 3), status=status)
    first = {name: value[0] for name, value in params.items()}
    fresh = by_hand(circuit, objective, first, 3)
    assert found[0] == pytest.approx(fresh, rel=1e-5)
    assert np.isnan(found[1:]).all()
    one = jax.tree.map(lambda leaf: leaf[:1], params)
    found = held_out_losses(
        TASK, circuit, objective, one, data_seeds=[3], status=status[:1], carry_state=True
    )
    carried = by_hand(circuit, objective, first, 3, carried=True)
    assert found[0] == pytest.approx(carried, rel=1e-5)
    assert abs(carried / fresh - 1) > 1e-4


def test_a_study_survives_a_file(trained, tmp_path):
    assert validate(trained) == []
    path = results.save(trained, tmp_path / "study.nc")
    back = results.load_tree(path)
    assert results.content_sha256(back) == results.content_sha256(trained)
    assert back.attrs["kind"] == "study"
    assert back.attrs["command"] == "throughtime compare --out x.nc"
    assert tt.Run(back["force"]).summary() == tt.Run(trained["force"]).summary()
    tt.Run(back["force"]).save(tmp_path / "run.nc")
    assert tt.load(tmp_path / "run.nc").rule == rules.make("force")
    with pytest.raises(results.ResultsError, match=r"Runs are in its groups: Run\(tree\['bptt'\]\)"):
        tt.load(path)


@pytest.fixture
def asked(monkeypatch):
    """What training is asked for, without training: the losses are distances of the step from 3e-3."""
    calls = {"tuning": [], "runs": [], "held out": []}

    def record(rule, settings):
        size = own_step(rule, settings["learning_rate"])
        made = training_record()
        loss = np.zeros((3, 5))
        status = np.full(3, DIVERGED if size > 0.5 else BUDGET_EXHAUSTED)
        sizes = np.zeros((3, 2, 1), np.float32)
        sizes[:, -1] = size
        params, weights = ({**each, "readout_bias": sizes} for each in (made.params, made.weights))
        curves = {**made.curves, "loss": 7 + 0 * loss}  # what a rule reports chooses nothing
        return dataclasses.replace(made, curves=curves, status=status, params=params, weights=weights)

    def held_out(task, circuit, objective, params, *, data_seeds, status, carry_state):
        calls["held out"].append((tuple(data_seeds), carry_state))
        loss = abs(np.log(params["readout_bias"][:, 0] / 3e-3))
        return np.where(status == DIVERGED, np.nan, loss)

    def tuning(task, circuit, rule, **settings):
        calls["tuning"].append((rule, settings))
        return record(rule, settings)

    def run(task, circuit, rule, **settings):
        calls["runs"].append((rule, settings))
        return SimpleNamespace(tree=run_tree(record(rule, settings)))

    monkeypatch.setattr("throughtime.training.train", tuning)
    monkeypatch.setattr("throughtime.api.train", run)
    monkeypatch.setattr("throughtime.comparison.study.held_out_losses", held_out)
    return calls


def test_tuning_goes_through_the_stages_of_a_curriculum(asked):
    until = tt.tasks.Criterion("correct", at_least=0.5)
    shaping = tt.tasks.Shaping("interval", ((400.0, 500.0, 600.0),), until=until)
    options = {"controls": False, "num_updates": 9, "eval_every": 3, "tune": True, "grid": (1e-3, 1e-2)}
    tt.compare(TASK, CIRCUIT, ["rflo"], curriculum=shaping, learned=False, **options)
    for _, settings in (*asked["tuning"], *asked["runs"]):
        assert (settings["curriculum"], settings["eval_every"]) == (shaping, 3)


def test_tuning_is_the_same_for_every_rule_and_never_sees_the_seeds(asked, tmp_path):
    tree = tt.compare(
        TASK, CIRCUIT, ["rflo", ("moving", MOVING), "force"], seeds=range(3), tune=True,
        grid=(1e-3, 4e-3, 1.0),
        tune_seeds=2, tune_updates=7, num_updates=9, data_seeds=4, checkpoint=tmp_path, clip=1.0, keep=(3,),
        learned=False,
    )  # fmt: skip
    data = tree["comparison"].to_dataset()
    assert labels(data["rule"]) == ["rflo", "moving", "force", "readout-only", "bptt"]
    assert len(asked["tuning"]) == 4 * 3  # least squares has no step size
    for rule, settings in asked["tuning"]:
        assert settings["seeds"] == (10_000, 10_001)
        assert settings["num_updates"] == 7
        assert settings["stop"] == "budget"
        assert not {"data_seeds", "keep"} & set(settings)
        assert settings["clip"] == (None if rule.traits.displacement else 1.0)
    sizes = [own_step(rule, settings["learning_rate"]) for rule, settings in asked["tuning"]]
    assert sizes == [1e-3, 4e-3, 1.0] * 4
    for rule, settings in asked["runs"]:
        assert (settings["seeds"], settings["data_seeds"], settings["num_updates"]) == ((0, 1, 2), 4, 9)
        assert settings["batch_size"] == (1 if type(rule) is rules.get("force") else 64)
        assert own_step(rule, settings["learning_rate"]) == (1.0 if rule.traits.batch_size else 4e-3)
    states = [settings["checkpoint"].name for _, settings in asked["tuning"] + asked["runs"]]
    assert len(set(states)) == len(states)
    assert states[0] == "rflo-tuning-0.npz"
    np.testing.assert_allclose(data["learning_rate"], [4e-3, 4e-3, 1.0, 4e-3, 4e-3])
    np.testing.assert_allclose(data["tuning_loss"][0], [np.log(3), np.log(4 / 3), np.inf], rtol=1e-6)
    np.testing.assert_allclose(data["final_loss"][:2], np.log(4 / 3), rtol=1e-6)
    assert np.isnan(data["final_loss"][2]).all()
    assert asked["held out"] == [((10_000, 10_001), False)] * 12 + [((4, 4, 4), False)] * 5
    assert np.isnan(data["tuning_loss"][2]).all()
    assert data["tuning_diverged"].values[0].tolist() == [0, 0, 3]
    assert not data["at_edge"].any()
    assert validate(tree) == []


def test_an_edge_of_the_grid_is_flagged(asked):
    tree = tt.compare(
        TASK, CIRCUIT, ["rflo"], controls=False, tune=True, grid=(4e-3, 1e-2), seeds=3, learned=False
    )
    assert tree["comparison/at_edge"].values.tolist() == [1]
    assert len(asked["tuning"]) == 2


def test_without_tuning_every_rule_keeps_its_own_step(asked):
    tree = tt.compare(TASK, CIRCUIT, ["rflo", ("moving", MOVING)], seeds=3, learning_rate=0.01, learned=False)
    assert asked["tuning"] == []
    assert tree["comparison/learning_rate"].values.tolist() == [0.01, 0.5, 0.01, 0.01]
    assert [settings["learning_rate"] for _, settings in asked["runs"]] == [0.01, 1.0, 0.01, 0.01]


def test_all_diverged_takes_the_smallest_step():
    def fail(rule, learning_rate, seeds, name):
        return np.array([np.nan, 2.0])

    found = tune(fail, rules.make("bptt"), "bptt", (0.1, 1.0), (8, 9))
    assert (found.rate, found.at_edge, found.num_diverged.tolist()) == (0.1, True, [1, 1])
    assert np.isinf(found.losses).all()


def tree_of(loss, status):
    made = training_record()
    made = dataclasses.replace(
        made,
        curves={"loss": np.array(loss, float), "score": 0 * np.array(loss, float)},
        status=np.array(status),
    )
    return run_tree(made)


def test_diverged_seeds_are_counted_and_rank_worst():
    nan = np.nan
    fine = [[5, 4, 3, 2, 1], [5, 4, 3, 3, nan], [9, 8, 7, 6, 4]]
    bad = [[5, 4, 2, 1, 1], [5, 9, nan, nan, nan], [7, 99, nan, nan, nan]]
    runs = {"fine": tree_of(fine, [1, 0, 1]), "bad": tree_of(bad, [1, DIVERGED, DIVERGED])}
    tuned = {label: untuned(rules.make("bptt"), 0.1, 1) for label in runs}
    measured = {"fine": np.array([0.5, 0.5, 0.5]), "bad": np.array([0.25, nan, nan])}
    data = summary(runs, tuned, held_out=measured, scale=dict.fromkeys(runs, 1))
    np.testing.assert_array_equal(data["final_loss"], [[0.5, 0.5, 0.5], [0.25, nan, nan]])
    np.testing.assert_array_equal(data["final_training_loss"], [[1, 3, 4], [1, nan, nan]])
    assert data["num_diverged"].values.tolist() == [0, 2]
    assert data["matched_loss"].values.tolist() == [3, -np.inf]  # half of the seeds of bad came to nothing
    update = data["update"].values
    assert data["update_at_loss"].sel(condition=0).values.tolist() == [
        [update[2], update[2], -1],
        [update[2], -1, -1],
    ]
    assert (data["update_at_loss"].sel(condition=1) == -1).all()
    given = summary(runs, tuned, held_out=measured, scale=dict.fromkeys(runs, 1), levels=[4.0])
    assert given["update_at_loss"].values[:, :, 0].tolist() == [
        [update[1], update[1], update[4]],
        [update[1], -1, -1],
    ]
    assert labels(given["condition"]) == ["4"]


def test_labels_and_forms():
    given = labelled({"a": "bptt", "b": MOVING}, controls=True)
    assert list(given) == ["a", "b", "readout-only"]
    assert labelled([MOVING]) == {"eprop": MOVING}
    assert gradient_form(MOVING) == rules.make("eprop")
    assert with_step(MOVING, 0.25) == (dataclasses.replace(MOVING, step_size=0.25), 1.0)
    hebbian = rules.make("reward-modulated-hebbian")
    assert with_step(hebbian, 0.25) == (dataclasses.replace(hebbian, rate=0.25), 1.0)
    assert with_step(rules.make("force"), 0.25) == (rules.make("force"), 1.0)
    assert gradient_form(hebbian) is hebbian


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "rules: none given"),
        ("bptt", r"expected several rules, got the text 'bptt'; write \['bptt'\]"),
        (["bptt", "bptt"], "'bptt' is there twice; tell them apart with pairs"),
        ([("a b", "bptt")], "label 'a b' cannot name a group"),
        ([("comparison", "bptt")], "label 'comparison' cannot name a group"),
        ([3], "3 is no rule; give names"),
        (["bpttt"], "unknown rule 'bpttt'"),
    ],
)
def test_refused_rules(given, message):
    with pytest.raises(ValueError, match=message):
        labelled(given)


def test_refused_grids_and_seeds():
    for grid in ((1e-3,), (1e-2, 1e-3), (0.0, 1.0), (1.0, np.inf)):
        with pytest.raises(ValueError, match="expected at least two step sizes > 0, from small to large"):
            check_grid(grid, ["bptt"])
    with pytest.raises(ValueError, match=r"grid has \['rflo'\], the rules are \['bptt'\]"):
        check_grid({"rflo": (1, 2)}, ["bptt"])
    with pytest.raises(ValueError, match="grids of different lengths; every rule gets as many tries"):
        check_grid({"rflo": (1, 2), "bptt": (1, 2, 3)}, ["bptt", "rflo"])
    assert tuning_seeds(None, [0]) == (10_000, 10_001, 10_002)
    with pytest.raises(ValueError, match=r"tune_seeds \[7\] are seeds of the comparison too"):
        tuning_seeds([7, 8], [7])
    assert Tuned(np.array([1.0, np.nan]), np.zeros(2), np.zeros(2), 0).at_edge is False


@pytest.mark.usefixtures("asked")
def test_what_cannot_work_is_refused_before_anything_is_trained(asked, tmp_path):
    def ask(*given, circuit=CIRCUIT, **options):
        return tt.compare(TASK, circuit, given or ["bptt"], **options)

    leaky = tt.circuits.for_task(TASK, num_units=4, readout_tau=100.0)
    with pytest.raises(ValueError, match="which this rule moves the weights by; use readout_tau=None"):
        ask("bptt", "reward-modulated-hebbian", circuit=leaky)
    with pytest.raises(ValueError, match="Force: CrossEntropy is not what this rule"):
        ask("bptt", "force", objective=tt.objectives.CrossEntropy())
    with pytest.raises(ValueError, match="match 'losses' is not known; use 'updates' or 'trials'"):
        ask(match="losses")
    with pytest.raises(ValueError, match="is no folder; create it first"):
        ask(checkpoint=tmp_path / "absent")
    with pytest.raises(ValueError, match=r"tune_seeds \[4\] are seeds of the comparison too"):
        ask(tune=True, tune_seeds=[4], data_seeds=4)
    with pytest.raises(ValueError, match="tune_updates 0 is not a whole number >= 1"):
        ask(tune=True, tune_updates=0)
    for shape in ((1, 6), (2, 6)):
        params = {**CIRCUIT.init(key=jax.random.key(0)), "bias": np.zeros(shape)}
        with pytest.raises(
            ValueError, match=r"tune=True with params\['bias'\] of shape .* Give one of shape \(6,\)"
        ):
            ask(tune=True, params=params, seeds=shape[0], tune_seeds=shape[0])
    assert asked == {"tuning": [], "runs": [], "held out": []}
    assert comparison.CONTROLS == ("readout-only", "bptt")
