from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from tests.results.records import ToyCircuit, ToyRule, ToyTask, training_record
from throughtime.results import ResultsError, Run, load, run_tree, save


def test_a_run_survives_a_file(tree, suffix, tmp_path):
    path = Run(tree).save(tmp_path / f"run.{suffix}")
    run = load(path)
    assert run.task == ToyTask()
    assert run.circuit == ToyCircuit()
    assert run.rule == ToyRule()
    assert run.config["training"]["clip"] == float("inf")
    assert run.seeds == [3, 1, 7]
    assert run.status == {3: "criterion_reached", 1: "budget_exhausted", 7: "diverged"}
    np.testing.assert_array_equal(run.params(1)["readout"], training_record().params["readout"][1, -1])
    np.testing.assert_array_equal(run.params(1, 0)["bias"], training_record().params["bias"][1, 0])


def test_summary_gives_last_measured_values(tree):
    curves = training_record().curves
    lines = Run(tree).summary().splitlines()
    assert lines[0] == f"toy-task, toy-circuit, kf-rtrl ({tree.attrs['run_id']})"
    rows = [line.split() for line in lines[1:]]
    assert rows[0] == ["seed", "status", "criterion", "updates", "loss", "score"]
    first, second, third = rows[1:]
    assert first[:4] == ["3", "criterion_reached", "40", "40"]
    assert first[4:] == [f"{curves['loss'][0, 3]:.4g}", f"{curves['score'][0, 3]:.4g}"]
    assert second[:4] == ["1", "budget_exhausted", "never", "50"]
    assert second[4:] == [f"{curves['loss'][1, 4]:.4g}", f"{curves['score'][1, 2]:.4g}"]
    assert third == ["7", "diverged", "never", "25", "nan", "nan"]
    assert len({len(line) for line in lines[1:]}) == 1


def test_summary_without_a_measured_score():
    record = training_record()
    del record.curves["score"]
    assert Run(run_tree(record)).summary().splitlines()[2].endswith("nan")


def test_repr_is_short_and_html_is_the_trees(tree):
    run = Run(tree)
    assert repr(run) == f"<Run toy-task, toy-circuit, kf-rtrl ({tree.attrs['run_id']}): 3 seeds>"
    assert "training" in run._repr_html_()


def test_config_is_decoded_only_when_asked(tree):
    config = tree.attrs["config"].replace("tests.results.records:ToyTask", "no_such_module:ToyTask")
    tree.attrs["config"] = config
    run = Run(tree)
    assert run.seeds == [3, 1, 7]
    with pytest.raises(ValueError, match="'no_such_module:ToyTask' cannot be found"):
        run.task
    assert json.loads(config)["training"]["num_updates"] == 50


def test_other_kinds_of_results_are_no_run(tree, tmp_path):
    study = xr.DataTree(xr.Dataset(attrs={**tree.attrs, "kind": "study"}))
    path = save(study, tmp_path / "study.nc")
    with pytest.raises(ResultsError, match=r"kind 'study' with groups \[\]; .*results\.load_tree"):
        load(path)
