"""Every kind of circuit in a results file: named axes, parameters bit for bit, cell types and regions."""

from __future__ import annotations

import numpy as np
import pytest

import throughtime as tt
from tests.results.circuits import CASES, circuit_of, records
from tests.results.records import CHECKPOINTS, UNITS
from throughtime.circuits import Circuit
from throughtime.results import Run, labels, load, run_tree, validate
from throughtime.training.record import TrainingRecord


@pytest.fixture(params=CASES, scope="module")
def example(request: pytest.FixtureRequest) -> tuple[str, Circuit, TrainingRecord, Run]:
    circuit = circuit_of(request.param)
    record, evaluation = records(circuit)
    return request.param, circuit, record, Run(run_tree(record, evaluation))


def test_axes_are_named(example):
    case, circuit, _, run = example
    assert validate(run.tree) == []
    group = run.tree["checkpoints"].to_dataset()
    for name, dims in CASES[case][1].items():
        assert group[name].dims[2:] == dims, name
    assert "parameter" not in group.dims, "every array of the library has axes of its own"
    for dim in ("recurrent", "input"):
        if f"{dim}_gate" in group.dims:
            drives = getattr(circuit.dynamics, f"{dim}_drives")
            assert group[f"{dim}_gate"].values.tolist() == list(drives)
            assert set(drives) < set(group["gate"].values.tolist())


def test_run_survives_a_file(example, suffix, tmp_path):
    _, circuit, record, run = example
    found = load(run.save(tmp_path / f"run.{suffix}"))
    assert validate(found.tree) == []
    assert found.circuit == circuit
    for index, seed in enumerate(found.seeds):
        for checkpoint in range(CHECKPOINTS):
            params = found.params(seed, checkpoint)
            assert list(params) == list(record.params)
            for name, value in params.items():
                wanted = record.params[name][index, checkpoint]
                assert (value.dtype, value.shape) == (wanted.dtype, wanted.shape), name
                assert value.tobytes() == wanted.tobytes(), name
    for group in ("checkpoints", "evaluation"):
        before, after = (tree[group].to_dataset() for tree in (run.tree, found.tree))
        assert set(before.coords) == set(after.coords), "coordinates stay coordinates"
        for name in before.coords:
            np.testing.assert_array_equal(before[name], after[name])
            assert before[name].attrs == after[name].attrs


def test_stored_weights_are_those_of_the_parameters(example):
    _, circuit, _, run = example
    weights = circuit.weights(run.params(1))
    stored = run.tree["checkpoints"].to_dataset().sel(seed=1).isel(checkpoint=-1)
    for name in ("recurrent", "bias", "readout", "tau"):
        np.testing.assert_allclose(stored[name], getattr(weights, name), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stored["input_weights"], weights.input, rtol=1e-6)


def test_factors_multiply_by_their_dims():
    record, _ = records(circuit_of("gru, low rank"))
    group = run_tree(record)["checkpoints"].to_dataset()
    product = (group["free_left"] * group["free_right"]).sum("rank") / UNITS
    np.testing.assert_allclose(
        product.transpose(*group["recurrent"].dims), group["recurrent"], rtol=1e-4, atol=1e-6
    )


def test_units_tell_their_type_and_region():
    circuit = circuit_of("regions, Dale")
    record, evaluation = records(circuit)
    tree = run_tree(record, evaluation)
    for path in ("checkpoints", "evaluation"):
        group = tree[path].to_dataset()
        types = ["excitatory", "excitatory", "inhibitory", "excitatory", "inhibitory"]
        assert labels(group["cell_type"]) == types
        assert labels(group["unit_region"]) == ["cortex"] * 3 + ["striatum"] * 2
        assert group["cell_type"].dims == ("unit",)
        assert group["cell_type"].dtype.kind == "i"
        assert "unit_region" not in group.indexes
    rates = tree["evaluation"]["rates"]
    inhibitory = rates.where(rates["cell_type"] == 1, drop=True)
    assert inhibitory["unit"].values.tolist() == [2, 4]
    assert rates.groupby("unit_region").mean().sizes["unit_region"] == 2


def test_units_without_types_have_no_labels():
    record, evaluation = records(circuit_of("gru"))
    for group in run_tree(record, evaluation).children.values():
        assert not {"cell_type", "unit_region"} & set(group.to_dataset().variables)


@pytest.mark.parametrize("case", ["output fed back, gru", "regions, Dale"])
def test_trained_runs(case, suffix, tmp_path):
    task = tt.tasks.make("cue-set-go", dt=40.0)
    fields = CASES[case][0]
    circuit = tt.circuits.for_task(task, UNITS, **fields)
    run = tt.train(task, circuit, tt.rules.make("bptt"), num_updates=2, batch_size=2, test_trials=2)
    assert validate(run.tree) == []
    found = tt.load(run.save(tmp_path / f"run.{suffix}"))
    assert found.circuit == circuit
    again = tt.evaluate(found, 2)
    np.testing.assert_array_equal(again["outputs"], run.tree["evaluation/outputs"])
    assert set(again.coords) == set(run.tree["evaluation"].to_dataset().coords)
    assert ("cell_type" in again.coords) == (case == "regions, Dale")
    checkpoints = found.tree["checkpoints"].to_dataset()
    assert ("output_feedback" in checkpoints) == circuit.output_feedback
