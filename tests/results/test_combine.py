"""Runs side by side: exact where they may be, refused where they differ in more than was declared."""

from __future__ import annotations

import dataclasses
import importlib
import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.results.records import ToyRule, ToyTask, training_record
from throughtime.results import (
    ResultsError,
    Run,
    combine,
    content_sha256,
    labels,
    load_tree,
    run_tree,
    save,
    study_tree,
    validate,
)

CONFIG = training_record().config


@dataclasses.dataclass(frozen=True)
class OtherTask:
    dt: float = 20.0
    load: int = 2
    input_names: tuple[str, ...] = ("fixation", "go cue")
    output_names: tuple[str, ...] = ("ramp",)


@dataclasses.dataclass(frozen=True)
class ChannelCircuit:
    dt: float = 20.0
    num_inputs: int = 2
    num_units: int = 5


def tree(training: dict[str, Any] | None = None, scale: float = 1.0, **members: Any) -> xr.DataTree:
    """A run of other members or settings, whose loss is ``scale`` times that of all others."""
    record = training_record()
    curves = {**record.curves, "loss": scale * record.curves["loss"]}
    config = {**CONFIG, **members, "training": {**CONFIG["training"], **(training or {})}}
    return run_tree(dataclasses.replace(record, config=config, curves=curves))


def rules() -> list[xr.DataTree]:
    return [tree(rule=ToyRule(name), scale=k + 1.0) for k, name in enumerate(("bptt", "rflo", "eprop"))]


def test_rules_side_by_side_hold_what_each_run_holds(tmp_path, suffix):
    runs = rules()
    paths = [save(run, tmp_path / f"{k}.{suffix}") for k, run in enumerate(runs)]
    found = combine(paths, "training")
    assert found["loss"].dims == ("run", "seed", "update")
    for k, run in enumerate(runs):
        for name, array in run["training"].data_vars.items():
            np.testing.assert_array_equal(found[name].values[k], array.values)
            assert found[name].dtype == array.dtype
            assert found[name].attrs == array.attrs
    assert labels(found["rule"]) == ["bptt", "rflo", "eprop"]
    assert labels(found["task"]) == ["toy-task"] * 3
    assert labels(found["run"]) == [run.attrs["run_id"] for run in runs]
    assert json.loads(found.attrs["run_ids"]) == labels(found["run"])
    assert found["seed"].values.tolist() == [3, 1, 7]
    loaded = combine([Run(load_tree(paths[0])), *runs[1:]], "/training")
    assert loaded.equals(found)


def test_a_combined_dataset_is_saved_as_a_study(tmp_path, suffix):
    found = study_tree(combine(rules(), "training"))
    assert validate(found) == []
    assert found.attrs["kind"] == "study"
    assert "kind" not in found["training"].attrs
    path = save(found, tmp_path / f"study.{suffix}")
    assert content_sha256(load_tree(path)) == content_sha256(found)
    assert save(study_tree(combine(rules(), "training")), path) == path, "the same again is no change"


def test_a_group_below_another_and_attributes_all_agree_in():
    runs = rules()
    for k, run in enumerate(runs):
        attrs = {"method": "pca", "params": json.dumps({"k": k})}
        values = {"score": ("seed", np.arange(3.0) + k, {"units": "1", "long_name": "score"})}
        run["analysis"] = xr.DataTree()
        run["analysis/pca"] = xr.DataTree(xr.Dataset(values, {"seed": run["training/seed"]}, attrs))
        run.attrs["kind"] = "analysis"
    found = combine(runs, "analysis/pca")
    assert found["score"].values.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert found.attrs["method"] == "pca"
    assert "params" not in found.attrs
    assert study_tree(found)["analysis/pca"].attrs == {"method": "pca"}


def test_swept_keys_become_coordinates():
    runs = [
        tree({"learning_rate": rate, "optimizer": name}, rule=ToyRule("rflo", feedback))
        for rate, name, feedback in (
            (0.1, "adam", "random"),
            (0.01, None, "symmetric"),
            (0.1, None, "random"),
        )
    ]
    found = combine(runs, "training", swept=["training.learning_rate", "training.optimizer", "rule.feedback"])
    assert found["training_learning_rate"].values.tolist() == [0.1, 0.01, 0.1]
    assert found["training_learning_rate"].dims == ("run",)
    assert labels(found["training_optimizer"]) == ["adam", "null", "null"]
    assert labels(found["rule_feedback"]) == ["random", "symmetric", "random"]
    assert validate(study_tree(found)) == []


def test_units_of_a_swept_key_and_a_key_that_stands_for_all_below_it():
    runs = [tree(task=ToyTask(dt)) for dt in (20.0, 10.0)]
    assert combine(runs, "training", swept=["task.dt"])["task_dt"].attrs["units"] == "1"
    runs = [tree({"schedule": {"delay": delay, "kind": kind}}) for delay, kind in ((5.0, "a"), (7.0, "b"))]
    delays = combine(runs, "training", swept=["training.schedule.delay", "training.schedule.kind"])
    assert delays["training_schedule_delay"].attrs["units"] == "ms"
    found = combine(runs, "training", swept=["training.schedule"])
    assert labels(found["training_schedule"]) == ['{"delay":5.0,"kind":"a"}', '{"delay":7.0,"kind":"b"}']


def grid(rates: tuple[float, ...] = (0.1, 0.01)) -> list[xr.DataTree]:
    tasks, names = (ToyTask(), OtherTask()), ("bptt", "rflo")
    number = iter(range(100))
    return [
        tree({"learning_rate": rate}, task=task, rule=ToyRule(name), scale=1.0 + next(number))
        for rate in rates for name in names for task in tasks
    ]  # fmt: skip


def test_a_full_grid_is_unstacked():
    runs = grid()
    stacked = combine(runs, "training", swept=["training.learning_rate"])
    found = combine(runs[::-1], "training", swept=["training.learning_rate"], unstack=True)
    assert found["loss"].dims == ("task", "circuit", "rule", "option", "seed", "update")
    assert found["status"].dims == ("task", "circuit", "rule", "option", "seed")
    tasks, rules = labels(found["task"]), labels(found["rule"])
    for k in range(len(runs)):
        one = stacked.isel(run=k)
        option = found["training_learning_rate"].values.tolist().index(float(one["training_learning_rate"]))
        place = {
            "task": tasks.index(labels(one["task"])[0]),
            "rule": rules.index(labels(one["rule"])[0]),
            "circuit": 0,
            "option": option,
        }
        np.testing.assert_array_equal(found["loss"].isel(place).values, one["loss"].values)
    assert validate(study_tree(found)) == []
    assert labels(found["option"])[0] == f"training.learning_rate={found['training_learning_rate'].values[0]}"
    plain = combine(grid(rates=(0.1,)), "training", unstack=True)
    assert plain["loss"].dims == ("task", "circuit", "rule", "seed", "update")


def test_a_circuit_follows_its_task():
    runs = [
        tree(task=ToyTask(), circuit=ChannelCircuit()),
        tree(task=OtherTask(dt=10.0), circuit=ChannelCircuit(dt=10.0, num_inputs=3)),
    ]
    assert combine(runs, "training").sizes["run"] == 2
    more = tree(task=OtherTask(dt=10.0), circuit=ChannelCircuit(dt=10.0, num_inputs=3, num_units=9))
    with pytest.raises(ResultsError, match=r"differs from run \w+ in circuit\.num_units"):
        combine([runs[0], more], "training")


def changed(source: xr.DataTree, change: Any) -> xr.DataTree:
    """The tree with its ``/training`` changed."""
    found = source.copy()
    found["training"] = xr.DataTree(change(source["training"].to_dataset()))
    return found


def with_attrs(source: xr.DataTree, **attrs: Any) -> xr.DataTree:
    found = source.copy()
    found.attrs = {**source.attrs, **attrs}
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("score"), "it lacks score"),
        (lambda d: d.assign(more=d["loss"]), "it has also more"),
        (lambda d: d.assign(loss=d["loss"].transpose()), r"loss has dims \('update', 'seed'\)"),
        (lambda d: d.assign(loss=d["loss"].astype("f4")), "loss has dtype float32, not float64"),
        (lambda d: d.assign(loss=d["loss"].assign_attrs(units="ms")), "loss has units 'ms', not '1'"),
        (
            lambda d: d.assign(status=d["status"].assign_attrs(flag_meanings="lost won drawn")),
            "status has flag_meanings 'lost won drawn'",
        ),
        (lambda d: d.isel(update=slice(0, 4)), "update 4 long, not 5"),
        (lambda d: d.assign_coords(update=d["update"] + 1), "coordinate update has other values"),
    ],
)
def test_what_cannot_stand_side_by_side(change, message):
    first, second, _ = rules()
    with pytest.raises(ResultsError, match=rf"cannot stand beside run \w+: .*{message}.* reduce=lambda"):
        combine([first, changed(second, change)], "training")


def test_other_lengths_are_combined_after_reduction():
    first, second, _ = rules()
    second = changed(second, lambda d: d.isel(update=slice(0, 4)))
    found = combine([first, second], "training", reduce=lambda d: d[["loss"]].mean("update", keep_attrs=True))
    expected = [run["training/loss"].mean("update").values for run in (first, second)]
    np.testing.assert_array_equal(found["loss"].values, np.stack(expected))


def test_members_that_are_none(tmp_path, small):
    with pytest.raises(ResultsError, match="no runs given"):
        combine([], "training")
    with pytest.raises(ResultsError, match=r"got 'x\.nc'; write \['x\.nc'\]"):
        combine("x.nc", "training")
    with pytest.raises(ResultsError, match="expected files, runs or trees, got int"):
        combine([3], "training")
    with pytest.raises(ResultsError, match=r"there is no .*x\.nc"):
        combine([tmp_path / "x.nc"], "training")
    with pytest.raises(ResultsError, match="is of kind 'study'; expected runs"):
        combine([study_tree(combine(rules(), "training"))], "training")
    with pytest.raises(ResultsError, match=r"has no group 'behaviour'; it has checkpoints, training"):
        combine([small], "behaviour")
    small["training/loss"].attrs["units"] = "furlong"
    with pytest.raises(ResultsError, match=r"breaks 1 rules of the format, first /training/loss \(rule 6\)"):
        combine([small], "training")


def test_a_measure_that_was_refused_tells_why(small):
    small["analysis"] = xr.DataTree(xr.Dataset())
    small["analysis/pca"] = xr.DataTree(xr.Dataset(attrs={"refusal": "too few conditions."}))
    small.attrs["kind"] = "analysis"
    with pytest.raises(ResultsError, match=r"'analysis/pca' of run .* is empty: too few conditions"):
        combine([small], "analysis/pca")


def test_a_group_with_a_dim_that_tells_runs_apart(small):
    taken = changed(small, lambda d: d.assign(x=("task", [1.0], {"units": "1"})).assign_coords(
        task=("task", [0], {"units": "1", "long_name": "task"})
    ))  # fmt: skip
    with pytest.raises(ResultsError, match="has a dim 'task', which names what runs differ in"):
        combine([taken], "training")


def test_a_run_and_a_cell_that_are_there_twice():
    first, second, _ = rules()
    with pytest.raises(ResultsError, match=r"run (\w+) and run \1 are the same run \1; name each run once"):
        combine([first, second, first], "training")
    two = [tree({"learning_rate": rate}) for rate in (0.1, 0.01)]
    with pytest.raises(
        ResultsError, match=r"differs from .* in training\.learning_rate; .*swept=\['training"
    ):
        combine(two, "training")


def test_a_grid_with_a_hole():
    with pytest.raises(
        ResultsError, match=r"no run of other-task, toy-circuit, rflo, 0\.01, so .* no full grid"
    ):
        combine(grid()[:-1], "training", swept=["training.learning_rate"], unstack=True)


def test_other_seeds_and_other_versions(monkeypatch):
    first, second, _ = rules()
    other = run_tree(training_record(config={**CONFIG, "rule": ToyRule("rflo")}, seeds=np.array([3, 7, 1])))
    with pytest.raises(ResultsError, match=r"has seeds \[3, 7, 1\], run \w+ has \[3, 1, 7\]; .* same order"):
        combine([first, other], "training")
    monkeypatch.setattr(importlib.import_module("throughtime.results.validate"), "SCHEMA_VERSION", 2)
    with pytest.raises(ResultsError, match=r"schema versions \[1, 2\] differ"):
        combine([first, with_attrs(second, schema_version=2)], "training")


def test_pairs_had_the_same_weights_and_trials():
    first, second, _ = rules()
    assert combine([first, second], "training", paired=True).sizes["run"] == 2
    for name, what in (("init_sha256", "initial weights"), ("data_sha256", "trials")):
        other = with_attrs(second, **{name: json.dumps({"3": "aa", "1": "x", "7": "ff"})})
        assert combine([first, other], "training").sizes["run"] == 2
        with pytest.raises(ResultsError, match=rf"had other {what} than .* for seed .* \({name}\)"):
            combine([first, other], "training", paired=True)


def test_swept_keys_that_are_none():
    with pytest.raises(ResultsError, match="swept is the text"):
        combine(rules(), "training", swept="rule.feedback")
    with pytest.raises(ResultsError, match=r"unknown swept key 'training.lerning_rate'; did you mean"):
        combine([tree({"learning_rate": 1.0})], "training", swept=["training.lerning_rate"])
    with pytest.raises(ResultsError, match=r"'circuit' would be named 'circuit', which is taken"):
        combine(rules(), "training", swept=["circuit"])


def test_a_configuration_may_lack_a_field_that_another_has():
    runs = [tree(), tree({"carry": {}})]
    with pytest.raises(ResultsError, match=r"in training\.carry; "):
        combine(runs, "training")
    found = combine(runs, "training", swept=["training.carry"])
    assert labels(found["training_carry"]) == ["<absent>", "{}"]


def test_study_tree_of_something_else():
    with pytest.raises(ResultsError, match="expected a dataset that combine returned"):
        study_tree(xr.Dataset())
