from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.results.records import SAMPLES, evaluation_record, example_tree, training_record
from throughtime.results import ResultsError, evaluation_dataset, labels, run_tree, validate


def test_tree_of_a_run_obeys_every_rule(tree):
    assert validate(tree) == []
    assert sorted(tree.children) == ["behaviour", "checkpoints", "evaluation", "training"]
    assert not tree.to_dataset().variables


def test_tree_without_evaluation():
    tree = run_tree(training_record())
    assert sorted(tree.children) == ["checkpoints", "training"]
    assert validate(tree) == []
    assert labels(tree["checkpoints/input"]) == ["fixation", "go_cue"]  # named by the task


def test_training_group_keeps_the_diverged_seed(tree):
    training = tree["training"]
    assert training["loss"].dims == ("seed", "update")
    assert training["loss"].dtype == np.float64
    assert training["loss"].sel(seed=7).isnull().values.tolist() == [False, False, True, True, True]
    assert labels(training["status"]) == ["criterion_reached", "budget_exhausted", "diverged"]
    assert training["diverged_update"].sel(seed=7) == 25
    assert training["criterion_update"].values.tolist() == [40, -1, -1]
    assert training["update"].values.tolist() == [10, 20, 30, 40, 50]


def test_no_updates_at_all_is_still_a_run():
    record = training_record()
    curves = {name: values[:, :0] for name, values in record.curves.items()}
    tree = example_tree(update=record.update[:0], curves=curves)
    assert tree["training"].sizes["update"] == 0
    assert validate(tree) == []


def test_recordings_have_dims_units_and_bin_centres():
    data = evaluation_dataset(evaluation_record())
    assert data["rates"].dims == ("seed", "trial", "time", "unit")
    assert data["outputs"].dims == ("seed", "trial", "time", "output")
    assert data["inputs"].dims == ("seed", "trial", "time", "input")
    assert data["rates"].dtype == np.float32
    np.testing.assert_array_equal(data["time"], 20.0 * np.arange(SAMPLES) + 10.0)
    assert data["time"].attrs["units"] == "ms"
    assert labels(data["input"]) == ["fixation", "go_cue"]
    assert labels(data["output"]) == ["ramp"]


def test_states_are_told_apart_by_name():
    record = evaluation_record()
    data = evaluation_dataset(record)
    assert data["states"].dims == ("seed", "trial", "time", "state", "unit")
    assert labels(data["state"]) == ["x", "adaptation"]
    np.testing.assert_array_equal(data["states"].sel(state=1), record.states["adaptation"])


def test_epochs_in_ms_and_absent_ones_nan():
    data = evaluation_dataset(evaluation_record())
    assert labels(data["epoch"]) == ["sample", "delay"]
    assert data["epoch_onset"].dims == ("seed", "trial", "epoch")
    assert data["epoch_offset"].attrs["units"] == "ms"
    assert data["epoch_onset"].sel(epoch=1).values[0].tolist()[:3] == [60.0, 60.0, 60.0]
    assert data["epoch_offset"].sel(epoch=1).isnull().values.tolist() == [[False] * 3 + [True]] * 3


def test_conditions_become_codes_that_name_themselves():
    data = evaluation_dataset(evaluation_record())
    assert data["match"].dtype == np.int8
    assert labels(data["match"][0]) == ["true", "false", "false", "true"]
    assert labels(data["context"][0]) == ["motion", "colour_map", "motion", "motion"]
    assert data["delay"].attrs["units"] == "ms"
    assert data["match"].attrs["units"] == "1"
    assert data["response_time"].attrs["units"] == "ms"


def test_units_given_by_the_caller_win():
    record = evaluation_record(conditions={"heading": np.zeros((3, 4))})
    assert evaluation_dataset(record)["heading"].attrs["units"] == "1"
    assert evaluation_dataset(record, units={"heading": "rad"})["heading"].attrs["units"] == "rad"


def test_names_that_are_taken_get_a_suffix():
    data = evaluation_dataset(evaluation_record())
    assert data["choice"].values[0].tolist() == [1, 0, 1, 0]  # the score
    assert data["choice_condition"].values[0].tolist() == [2, 1, 2, 1]
    assert "task" not in data.variables
    assert data["task_condition"].values[0].tolist() == [0, 1, 0, 0]


def test_without_epochs_states_and_conditions():
    data = evaluation_dataset(evaluation_record(epochs={}, states={}, conditions={}))
    assert "epoch" not in data.dims
    assert "state" not in data.dims
    assert validate(run_tree(training_record(), evaluation_record(epochs={}, states={}, conditions={}))) == []


def test_behaviour_counts_trials_and_correct_ones_per_condition(tree):
    behaviour = tree["behaviour"].to_dataset()
    assert set(behaviour.dims) == {"seed", "trial", "condition"}
    names = labels(behaviour["condition"])
    motion = names.index("delay=1000,match=true,context=motion,task=0,choice=1")
    assert behaviour["num_trials"].values.sum(axis=1).tolist() == [4, 4, 4]
    assert behaviour["num_trials"].sel(condition=motion).values.tolist() == [1, 1, 1]
    assert behaviour["fraction_correct"].sel(condition=motion).values.tolist() == [1.0, 1.0, 0.0]
    wrong = names.index("delay=1000,match=false,context=colour_map,task=1,choice=1")
    assert behaviour["fraction_correct"].sel(condition=wrong).values.tolist() == [0.0, 1.0, 0.0]


def test_behaviour_is_nan_where_a_seed_never_met_the_condition():
    match = np.array([[True] * 4, [True] * 4, [False] * 4])
    tree = run_tree(training_record(), evaluation_record(conditions={"match": match}))
    behaviour = tree["behaviour"]
    assert labels(behaviour["condition"]) == ["match=false", "match=true"]
    np.testing.assert_array_equal(
        behaviour["fraction_correct"], [[np.nan, 0.75], [np.nan, 1.0], [0.0, np.nan]]
    )


def test_continuous_conditions_do_not_make_combinations():
    angle = np.random.default_rng(0).uniform(size=(3, 40))
    record = evaluation_record()
    wide = {
        name: np.repeat(getattr(record, name), 10, axis=1)
        for name in ("inputs", "targets", "mask", "valid", "outputs", "rates")
    }
    scores = {"correct": np.ones((3, 40), bool)}
    record = evaluation_record(**wide, states={}, epochs={}, scores=scores, conditions={"angle": angle})
    behaviour = run_tree(training_record(), record)["behaviour"]
    assert "condition" not in behaviour.dims
    assert list(behaviour.data_vars) == ["correct"]


def test_other_seeds_in_evaluation_are_refused():
    with pytest.raises(ResultsError, match=r"\[3, 7, 1\].*\[3, 1, 7\].*same order"):
        run_tree(training_record(), evaluation_record(seeds=np.array([3, 7, 1])))


def test_labels_refuse_a_code_without_meaning():
    coordinate = xr.DataArray(
        [0, 2], dims="input", name="input", attrs={"flag_values": [0, 1], "flag_meanings": "a b"}
    )
    with pytest.raises(ResultsError, match=r"'input' holds \[2\]"):
        labels(coordinate)


def test_labels_without_flags_and_with_one():
    assert labels(xr.DataArray([10, 20], dims="update")) == ["10", "20"]
    one = xr.DataArray([0], dims="output", attrs={"flag_values": 0, "flag_meanings": "ramp"})
    assert labels(one) == ["ramp"]


def test_labels_stay_distinct_without_spaces():
    names = ("go cue", "go_cue", "")
    data = evaluation_dataset(
        evaluation_record(inputs=np.zeros((3, 4, SAMPLES, 3), np.float32), input_names=names)
    )
    assert labels(data["input"]) == ["go_cue", "go_cue_1", "_2"]
