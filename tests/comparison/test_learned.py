"""What circuits came to be like under each rule: beside BPTT's, and beside what chance alone does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from throughtime import keys
from throughtime.comparison.distances import distances
from throughtime.comparison.inspection import Inspection
from throughtime.comparison.learned import NULLS, learned
from throughtime.comparison.nulls import free_seeds, reference
from throughtime.comparison.probe import Probe
from throughtime.results import labels, validate

TASK = tt.tasks.make("cue-set-go", dt=50.0)
CIRCUIT = tt.circuits.for_task(TASK, num_units=6, noise=0.1)
SEEDS = [5, 2]


@pytest.fixture(scope="module")
def tree():
    return tt.compare(
        TASK, CIRCUIT, ["rflo"], seeds=SEEDS, num_updates=6, batch_size=3, test_trials=2, keep=(3,),
        learning_rate=0.01, log_every=3, eval_every=3,
    )  # fmt: skip


@pytest.fixture(scope="module")
def probe():
    return Probe(TASK, CIRCUIT, tt.objectives.SquaredError(), data_seed=SEEDS[0], num_trials=32)


def of(data, name, rule, checkpoint=-1):
    return data[name].isel(rule=labels(data["rule"]).index(rule), checkpoint=checkpoint).values


def test_the_tree_holds_everything_and_is_valid(tree):
    assert validate(tree) == []
    data = tree["learned"].to_dataset()
    assert dict(data.sizes) == {"rule": 3, "seed": 2, "checkpoint": 3, "condition": 4}
    assert data["checkpoint_update"].values[0, 0].tolist() == [0, 3, 6]
    assert labels(data["condition"]) == list(NULLS)
    assert data["shape_distance"].attrs["units"] == "rad"
    assert data.attrs["regularised"] == 0
    assert not [name for name in data.attrs if name.startswith("refused")]
    undefined = {"effective_rank", "stable_rank"}  # where recurrent weights did not change
    for name, values in data.data_vars.items():
        if name not in undefined:
            assert np.isfinite(values).all(), name
    assert np.isfinite(of(data, "stable_rank", "rflo")).all()


def test_the_nulls_differ_from_the_reference_in_one_thing_each(tree):
    bptt = tt.Run(tree["bptt"])
    trials, weights = (tt.Run(tree[f"nulls/{name}"]) for name in ("other-trials", "other-weights"))
    for seed in SEEDS:
        for name, value in bptt.params(seed, 0).items():
            np.testing.assert_array_equal(trials.params(seed, 0)[name], value)
        assert (weights.params(seed, 0)["recurrent"] != bptt.params(seed, 0)["recurrent"]).all()
    hashes = [run.tree.attrs["data_sha256"] for run in (bptt, weights, trials)]
    assert hashes[0] == hashes[1] != hashes[2]
    settings = [run.config["training"] for run in (bptt, trials, weights)]
    assert settings[1]["data_seeds"] == settings[2]["init_seeds"] == (20_000, 20_001)
    for name in ("num_updates", "batch_size", "learning_rate", "optimizer"):
        assert len({run[name] for run in settings}) == 1


def test_distances_are_zero_from_bptt_itself_and_are_those_of_the_initial_circuit_at_first(tree):
    data = tree["learned"].to_dataset()
    for name in ("representation_distance", "shape_distance", "dynamics_distance", "spectrum_distance"):
        np.testing.assert_allclose(of(data, name, "bptt"), 0, atol=1e-6)
        first = data[f"null_{name}"].sel(condition=0)
        np.testing.assert_allclose(of(data, name, "rflo", 0), first, atol=1e-9)
        np.testing.assert_allclose(
            of(data, name, "readout-only"), data[f"null_{name}"].sel(condition=1), atol=1e-9
        )
        assert (first > 0).all()
        assert (data[f"null_{name}"].sel(condition=[2, 3]) > 0).all()


def test_values_by_hand(tree, probe):
    data = tree["learned"].to_dataset()
    run = tt.Run(tree["rflo"])
    np.testing.assert_allclose(of(data, "alignment", "bptt"), 1, atol=1e-9)
    assert (of(data, "alignment", "rflo") < 1).all()
    for index, seed in enumerate(SEEDS):
        after, before = run.params(seed), run.params(seed, 0)
        change = after["recurrent"].astype(float) - before["recurrent"]
        size = np.linalg.norm(change) / np.linalg.norm(before["recurrent"].astype(float))
        assert of(data, "weight_change", "rflo")[index] == pytest.approx(size)
        singular = np.linalg.svd(change, compute_uv=False)
        assert of(data, "stable_rank", "rflo")[index] == pytest.approx((singular**2).sum() / singular[0] ** 2)
        told = tt.compare_gradients(
            dataclasses.replace(CIRCUIT, noise_sd=0.0), after, probe.trials, {"rflo": run.rule},
            key=jax.random.key(0), states={"rflo": run.rule_state(seed)},
        )  # fmt: skip
        assert of(data, "alignment", "rflo")[index] == pytest.approx(
            float(told["cosine"].isel(rule=0, block=-1))
        )
    np.testing.assert_allclose(of(data, "tangent_alignment", "rflo", 0), 1)
    np.testing.assert_allclose(of(data, "representation_alignment", "rflo", 0), 1)
    np.testing.assert_array_equal(of(data, "weight_change", "readout-only"), 0)
    with jax.enable_x64(True):
        params = {name: jnp.asarray(value, jnp.float64) for name, value in run.params(SEEDS[0]).items()}
        flat, rebuild = jax.flatten_util.ravel_pytree(params)
        hessian = np.asarray(jax.hessian(lambda theta: probe.loss_of(16)(rebuild(theta)))(flat))
    value = np.linalg.eigvalsh(hessian)
    assert of(data, "sharpness", "rflo")[0] == pytest.approx(value[-1], rel=2e-2)
    assert of(data, "most_negative_curvature", "rflo")[0] == pytest.approx(value[0], abs=2e-2 * value[-1])


def test_trials_to_criterion_count_trials(tree):
    data = tree["learned"].to_dataset()
    for row, name in enumerate(labels(data["rule"])):
        reached = tree[name]["training"]["criterion_update"].values
        wanted = np.where(reached >= 0, 3 * reached, -1)
        np.testing.assert_array_equal(data["trials_to_criterion"][row], wanted)


def test_the_probe_is_of_the_stream_for_analysis(probe):
    run = tt.train(
        TASK, CIRCUIT, tt.rules.make("bptt"), seeds=SEEDS, num_updates=1, batch_size=2, test_trials=0
    )
    told = tt.evaluate(run, 32, purpose="analysis", noise=False)
    found = probe.activity(run.params(SEEDS[0]))
    valid = told["valid"].isel(seed=0).values.astype(bool)
    np.testing.assert_allclose(found.rates[valid], told["rates"].isel(seed=0).values[valid], atol=1e-5)
    assert found.fraction_correct == pytest.approx(float(told["correct"].isel(seed=0).mean()))
    trial, time = probe.samples
    assert valid[trial, time].all()
    masked = told["mask"].isel(seed=0).values.max(-1) > 0
    for index, last in enumerate(probe.decision):
        assert masked[index, last]
        assert not masked[index, last + 1 :].any()


def test_what_is_not_defined_leaves_a_reason_and_the_rest(tree):
    penalised = tt.objectives.SquaredError() + tt.objectives.VanishingGradient(0.1)
    probe = Probe(TASK, CIRCUIT, penalised, data_seed=0, num_trials=4)
    runs = {"bptt": tree["bptt"]}
    data = learned(runs, {"bptt": tt.rules.make("bptt")}, {}, probe, key_seed=0)
    assert "vanishing" in data.attrs["refused_alignment"]
    assert np.isnan(data["alignment"]).all()
    assert np.isfinite(data["shape_distance"]).all()
    assert np.isnan(data["null_shape_distance"].sel(condition=[1, 2, 3])).all()


def test_a_measure_that_fails_costs_neither_the_others_nor_the_trainings(tree, probe, monkeypatch):
    def broken(self, *given):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Inspection, "_curvature", broken)
    run = tt.Run(tree["bptt"])
    inspect = Inspection(probe)
    start = probe.numbers(run.params(5, 0))
    found = inspect(run, run.rule, 5, -1, start=start, end=probe.activity(start), key_seed=0)
    assert inspect.refusals == {"curvature": "RuntimeError: out of memory"}
    assert "sharpness" not in found
    assert np.isfinite(found["alignment"])
    refusals = {}
    still = probe.activity({name: np.zeros_like(value) for name, value in start.items()})
    assert np.isnan(distances(still, still, probe, refusals)["shape_distance"])
    assert "zero variance" in refusals["distances"]

    monkeypatch.setattr(Probe, "activity", broken)
    options = {"controls": False, "seeds": 1, "num_updates": 1, "batch_size": 2, "test_trials": 0}
    with pytest.warns(RuntimeWarning, match="out of memory"):
        whole = tt.compare(TASK, CIRCUIT, ["readout-only"], **options)
    assert whole.attrs["refused_learned"] == "RuntimeError: out of memory"
    assert "learned" not in whole.children
    assert tt.Run(whole["readout-only"]).params(0)
    assert validate(whole) == []


def test_nulls_take_the_schedule_of_the_reference():
    rates = [1e-2, 1e-3]
    tree = tt.compare(
        TASK, CIRCUIT, ["bptt"], controls=False, seeds=1, num_updates=2, batch_size=2, test_trials=0,
        learning_rate=rates,
    )  # fmt: skip
    wanted = tree["bptt/training/learning_rate"].values
    for name in ("other-trials", "other-weights"):
        np.testing.assert_array_equal(tree[f"nulls/{name}/training/learning_rate"].values, wanted)


def test_draws_of_rules_share_no_key_with_training(tree, probe, monkeypatch):
    met = []

    def compared(*given, key, **options):
        met.append(key)
        raise ValueError("seen")

    monkeypatch.setattr("throughtime.comparison.inspection.compare_gradients", compared)
    run = tt.Run(tree["bptt"])
    start = probe.numbers(run.params(5, 0))
    Inspection(probe)(run, run.rule, 5, -1, start=start, end=None, key_seed=5)
    roots = [keys.seed_key(5, role) for role in keys.SEEDS]
    held = [jax.random.fold_in(root, code) for root in roots for code in keys.PURPOSES.values()]
    for own in (met[0], *(jax.random.fold_in(met[0], fold) for fold in range(3))):
        assert not any((jax.random.key_data(own) == jax.random.key_data(one)).all() for one in roots + held)


def test_catch_trials_do_not_count_as_correct():
    task = tt.tasks.make("cue-set-go", dt=50.0, catch=0.5)
    probe = Probe(task, CIRCUIT, tt.objectives.SquaredError(), data_seed=0, num_trials=16)
    silent = {name: jnp.zeros_like(value) for name, value in CIRCUIT.init(key=jax.random.key(0)).items()}
    found = probe.activity(silent)
    with jax.enable_x64(True):
        correct = np.asarray(jax.vmap(task.score)(jnp.asarray(found.outputs), probe.trials)["correct"])
    catch = np.asarray(probe.trials.conditions["catch"], bool)
    assert catch.any()
    assert correct[catch].all()
    assert not correct[~catch].any()
    assert found.fraction_correct == 0


def test_a_circuit_that_diverged_is_nan(tree, probe):
    run = tt.Run(tree["bptt"])
    start = probe.numbers(run.params(5, 0))
    inspect = Inspection(probe)
    broken = {name: np.full_like(value, np.nan) for name, value in run.params(5).items()}
    run.params = lambda seed, checkpoint: broken
    assert inspect(run, run.rule, 5, -1, start=start, end=None, key_seed=0) == {}
    activity = probe.activity(broken)
    assert np.isnan(list(distances(probe.activity(start), activity, probe).values())).all()


def test_without_bptt_there_are_no_distances():
    tree = tt.compare(
        TASK, CIRCUIT, ["readout-only"], controls=False, seeds=1, num_updates=1, batch_size=2, test_trials=0
    )
    assert "nulls" not in tree.children
    assert np.isnan(tree["learned/shape_distance"]).all()
    assert np.isfinite(tree["learned/alignment"]).all()


def test_seeds_of_the_nulls_are_nobodys():
    assert free_seeds(3, [20_001, 7]) == [20_000, 20_002, 20_003]
    assert reference({"a": tt.rules.make("rflo")}) is None
