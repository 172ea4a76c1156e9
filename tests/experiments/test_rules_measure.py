"""What the study of rules measures on kept circuits: alignment, and circuits at equal loss."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from throughtime.cli.scripts import imported
from throughtime.results import labels

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "rules_on_tasks.py"):
    plan = importlib.import_module("_rules_plan")
    measure = importlib.import_module("_rules_measure")
    written = importlib.import_module("_rules_record")
    diagonal = importlib.import_module("_rules_diagonal")
    apart = importlib.import_module("_rules_apart")

UPDATES = np.arange(1, 11)


@pytest.mark.parametrize(
    ("loss", "place"),
    [
        ([9, 9, 9, 9, 1, 1, 1, 1, 1, 1], 2),  # from update 6 on: the median of records 4 to 8 is 1
        ([1, 1, 1, 1, 1, 9, 9, 9, 9, 9], None),  # reached and lost again
        ([9, 9, 1, 9, 9, 9, 9, 9, 9, 9], None),  # one record is not a level
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 1),  # that before training does not count
    ],
)
def test_a_level_is_reached_where_it_holds_at_every_later_checkpoint(loss, place):
    assert measure.reached_from(np.array(loss, float), UPDATES, [0, 2, 6, 8], 2.0) == place


@pytest.fixture(scope="module")
def runs():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=8, noise=0.05)
    settings = {
        "seeds": [0, 1], "num_updates": 3, "batch_size": 4, "optimizer": "sgd", "learning_rate": 1e-3,
        "log_every": 1, "keep": (1, 2), "stop": "budget", "test_trials": 4, "progress": False,
    }  # fmt: skip
    return {
        name: tt.train(task, circuit, rule, **settings)
        for name, rule in (
            (plan.BPTT, "bptt"),
            ("node-perturbation", "node-perturbation"),
        )
    }  # fmt: skip


def test_the_exact_rule_is_aligned_and_noise_has_variance(runs, monkeypatch):
    monkeypatch.setattr(measure, "NUM_TRIALS", 4)
    exact, noisy = (measure.alignment_of(runs[name], (1, 2)) for name in (plan.BPTT, "node-perturbation"))
    np.testing.assert_allclose(exact["cosine"], 1.0)
    np.testing.assert_allclose(exact["norm_ratio"], 1.0)
    np.testing.assert_allclose(exact["bias"], 0.0, atol=1e-9)
    assert (noisy["relative_variance"] > 1).all()
    assert (noisy["cosine"] < 0.9).all()
    assert (exact["gradient_norm"] > 0).all()


def test_displacement_is_aligned_with_the_descent_direction(runs, monkeypatch):
    monkeypatch.setattr(measure, "NUM_TRIALS", 4)
    run = runs[plan.BPTT]
    found = measure.alignment_of(run, (1,))
    assert (found["displacement_cosine"] > 0.2).all()
    swapped = run.tree["checkpoints"]["recurrent"].values
    trials = measure.jax.vmap(run.task.trial)(measure.jax.random.split(measure.jax.random.key(0), 4))
    gradient = measure.exact_gradient(run.circuit, run.params(0, 1), trials)["recurrent"]
    way = swapped[0, 1] - swapped[0, 2]
    cosine = (way * gradient).sum() / np.linalg.norm(way) / np.linalg.norm(gradient)
    np.testing.assert_allclose(found["displacement_cosine"][0, 0], cosine, rtol=1e-5)


def test_without_weights_onto_themselves_the_diagonal_carries_nothing(runs, monkeypatch):
    monkeypatch.setattr(diagonal, "NUM_TRIALS", 4)
    run = runs[plan.BPTT]
    with_them = diagonal.diagonal_of(run, (1, 2))
    assert (with_them["cosine"] < 1 - 1e-6).all()
    tree = run.tree.copy(deep=True)
    weights = tree["checkpoints"]["recurrent"].values
    weights[..., np.arange(8), np.arange(8)] = 0.0
    without = diagonal.diagonal_of(measure.Run(tree), (1, 2))
    np.testing.assert_allclose(without["cosine"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(without["norm_ratio"], 1.0, rtol=1e-6)


def test_a_circuit_that_is_bptts_own_has_no_distance_from_it(runs):
    twins = {
        plan.BPTT: runs[plan.BPTT],
        "twin": runs[plan.BPTT],
        "node-perturbation": runs["node-perturbation"],
    }
    found = measure.matched_of(twins, (1e6, -1.0))
    assert found["reached"].values[..., 0].all()
    assert not found["reached"].values[..., 1].any()
    assert (found["reached_at"].values[..., 0] == 1).all()
    np.testing.assert_allclose(found["angle"].values[1, :, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(found["cka"].values[1, :, 0], 1.0)
    np.testing.assert_allclose(found["null_angle"].values[0, :, 0], found["null_angle"].values[1, :, 0])
    assert (found["null_angle"].values[0, :, 0] > 0.05).all()
    assert np.isnan(found["angle"].values[0]).all()


def test_tasks_of_parts_follow_each_other():
    one = measure.xr.Dataset(
        {"cosine": (("task",), [1.0])},
        {"task": measure.named("task", ["a"])},
    )
    other = one.assign_coords(task=measure.named("task", ["b"]))
    found = measure.along_tasks([one, other])
    assert labels(found["task"]) == ["a", "b"]
    assert found["task"].values.tolist() == [0, 1]


def test_tasks_are_the_replicates_of_what_is_said_across_them():
    rules, seeds, tasks = list(plan.arms()), 2, 6
    longest = np.zeros((tasks, len(rules), seeds))
    longest[:, rules.index("symmetric-exact")] = 1000.0
    longest[:, rules.index("random-exact"), 0] = 1000.0
    longest[0, rules.index("symmetric-none")] = 1000.0
    named = measure.named
    data = measure.xr.Dataset(
        {
            "longest": (("task", "rule", "seed"), longest),
            "reach": (("task", "condition"), np.full((tasks, 1), 1000.0)),
        },
        {"task": named("task", [f"t{k}" for k in range(tasks)]), "rule": named("rule", rules)},
    )  # fmt: skip
    found = written.across_tasks(data)
    names = labels(found["pair"])
    planned = found.isel(pair=names.index("exact−none"))
    np.testing.assert_allclose(planned["mean_difference"], 0.75 - 0.5 / 6)
    np.testing.assert_allclose(planned["p"], 2 / 2**6)
    other = found.isel(pair=names.index("random-exact−symmetric-exact"))
    np.testing.assert_allclose(other["mean_difference"], -0.5)
    assert np.isnan(other["p"])
    data["longest"][1, 3, 0] = np.nan  # a rung that was not run
    assert written.across_tasks(data)["num_tasks"] == tasks - 1


def test_distances_are_those_of_the_circuits_named(runs, tmp_path):
    path = tt.results.save(runs[plan.BPTT], tmp_path / "run.nc")
    every = {("task", plan.BPTT): path, ("task", "twin"): path}
    circuits = [(plan.BPTT, 0), (plan.BPTT, 1), ("twin", 0)]
    found = apart.distances_of("task", every, circuits, 8)
    for name in ("cka", "shape_distance"):
        matrix = found[name].values
        np.testing.assert_allclose(matrix[0, 2], 0.0, atol=1e-6)
        assert matrix[0, 1] > 1e-3
        np.testing.assert_allclose(matrix[0, 1], matrix[2, 1])
