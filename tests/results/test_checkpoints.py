from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from tests.results.records import CHECKPOINTS, SEEDS, UNITS, training_record
from throughtime.results import ResultsError, load_tree, params_of, run_tree, save, validate


def same_bits(found: dict, record, seed: int, checkpoint: int) -> bool:
    assert list(found) == list(record.params)
    expected = {name: values[seed, checkpoint] for name, values in record.params.items()}
    return all(
        found[name].dtype == value.dtype
        and found[name].shape == value.shape
        and found[name].tobytes() == value.tobytes()
        for name, value in expected.items()
    )


def test_axes_of_effective_weights(tree):
    group = tree["checkpoints"]
    leading = ("seed", "checkpoint")
    assert group["recurrent"].dims == (*leading, "unit", "presynaptic_unit")
    assert group["input_weights"].dims == (*leading, "unit", "input")
    assert group["readout"].dims == (*leading, "output", "unit")
    assert group["rule_feedback"].dims == (*leading, "unit", "output")
    assert group["tau"].dims == (*leading, "unit")
    assert group["tau"].attrs["units"] == "ms"
    assert group["checkpoint"].values.tolist() == [0, 1]
    assert group["checkpoint_update"].sel(seed=1).values.tolist() == [0, 50]


def test_gated_circuit_has_a_gate_axis():
    tree = run_tree(training_record(gates=3))
    assert tree["checkpoints/recurrent"].dims[2:] == ("gate", "unit", "presynaptic_unit")
    assert tree["checkpoints/bias"].dims[2:] == ("gate", "unit")
    assert tree["checkpoints/readout"].dims[2:] == ("output", "unit")
    assert validate(tree) == []


def test_equal_free_parameters_are_stored_once(tree):
    assert not [name for name in tree["checkpoints"].data_vars if name.startswith("free_")]


def test_free_parameters_that_differ_in_one_bit_are_stored_twice():
    record = training_record()
    record.params["bias"][0, 0, 0] = -0.0  # equal in value, not in bits
    tree = run_tree(record)
    free = [name for name in tree["checkpoints"].data_vars if name.startswith("free_")]
    assert free == ["free_bias"]
    assert same_bits(params_of(tree, 3, 0), record, 0, 0)


def awkward_record():
    """Parameters of every sort: bits of NaN, -0.0, other names, shapes and dtypes, no named axes."""
    record = training_record()
    draw = np.random.default_rng(3)
    record.params["recurrent"] = np.abs(record.params["recurrent"])
    record.params["bias"][:] = -0.0
    odd = np.array([0x7FC00001, 0xFFC00000, 0x7F800000], np.uint32).view(np.float32)
    record.params["readout_bias"] = np.resize(odd, (SEEDS, CHECKPOINTS, 1))
    record.params["gain"] = draw.normal(size=(SEEDS, CHECKPOINTS))
    record.params["left_factors"] = draw.normal(size=(SEEDS, CHECKPOINTS, UNITS, 3))
    record.params["values_of_synapses"] = np.full((SEEDS, CHECKPOINTS, 11), odd[1])
    record.params["kernel"] = draw.integers(0, 9, (SEEDS, CHECKPOINTS, 3, 2, 2))
    record.params["input"] = record.params["input"].astype(np.float64)
    return record


@pytest.mark.parametrize("checkpoint", [0, 1, -1])
def test_parameters_come_back_bit_for_bit(checkpoint):
    record = awkward_record()
    tree = run_tree(record)
    assert validate(tree) == []
    assert tree["checkpoints/free_left_factors"].dims[2:] == ("unit", "rank")
    assert tree["checkpoints/free_values_of_synapses"].dims[2:] == ("parameter",)
    assert tree["checkpoints/free_gain"].dims == ("seed", "checkpoint")
    for index, seed in enumerate((3, 1, 7)):
        assert same_bits(params_of(tree, seed, checkpoint), record, index, checkpoint)


def test_parameters_come_back_bit_for_bit_from_a_file(suffix, tmp_path):
    record = awkward_record()
    tree = load_tree(save(run_tree(record), tmp_path / f"run.{suffix}"))
    for index, seed in enumerate((3, 1, 7)):
        assert same_bits(params_of(tree, seed), record, index, -1)


def test_rule_state_whose_name_is_taken_keeps_both():
    record = training_record()
    record.rule_state["recurrent"] = np.ones((SEEDS, CHECKPOINTS, UNITS, UNITS), np.float32)
    group = run_tree(record)["checkpoints"]
    assert (group["rule_recurrent"] == 1).all()
    np.testing.assert_array_equal(group["recurrent"], record.weights["recurrent"])


def test_unknown_seed_and_checkpoint_name_the_known(tree):
    with pytest.raises(ResultsError, match=r"no seed 2; the run has seeds \[3, 1, 7\]"):
        params_of(tree, 2)
    with pytest.raises(ResultsError, match="no checkpoint 2; the run has checkpoints 0 to 1"):
        params_of(tree, 3, 2)
    with pytest.raises(ResultsError, match="no checkpoint -3"):
        params_of(tree, 3, -3)


def test_a_tree_without_checkpoints_is_refused():
    with pytest.raises(ResultsError, match="no group /checkpoints"):
        params_of(xr.DataTree(), 0)


def test_parameters_are_copies(tree):
    params_of(tree, 3)["recurrent"][:] = 0
    assert (tree["checkpoints/recurrent"].sel(seed=3) != 0).any()
    assert json.loads(tree["checkpoints"].attrs["parameters"])[0] == "recurrent"
