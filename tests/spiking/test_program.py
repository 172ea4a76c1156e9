"""The Brian2 program of a circuit, printed and exported: equations to read, and it runs by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from tests.results.circuits import circuit_of, records
from tests.results.folders import entries
from tests.results.records import INPUTS
from throughtime import spiking
from throughtime.circuits import GRU, Circuit, Leaky
from throughtime.results import ResultsError, Run, export_brian2, export_numpy, run_tree

SEED = 7


def run_of(circuit: Circuit, dtype: type = np.float64) -> Run:
    return Run(run_tree(records(circuit, dtype)[0]))


def inputs(steps: int = 30) -> np.ndarray:
    return np.random.default_rng(4).normal(size=(steps, INPUTS))


def loaded(text: str) -> dict[str, Any]:
    """The program as a module that was imported."""
    scope: dict[str, Any] = {"__name__": "brian2_model"}
    exec(compile(text, "brian2_model.py", "exec"), scope)
    return scope


def imported(text: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(text)))
    assert not any(isinstance(node, ast.ImportFrom) for node in nodes)
    return {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}


@pytest.mark.parametrize("case", ["trained tau", "leaky readout, held rates, plasticity"])
def test_the_printed_program_is_the_replica(case: str) -> None:
    circuit = circuit_of(case)
    with jax.enable_x64(True):
        params = run_of(circuit).params(SEED)
    text = spiking.source(circuit, params)
    assert max(map(len, text.splitlines())) <= 110
    noise = np.random.default_rng(2).normal(size=(30, circuit.num_units))
    with spiking.brian.simulator():
        rates, outputs = loaded(text)["run"](inputs(), noise)
    replica = spiking.replicate(circuit, params, inputs(), noise=noise)
    np.testing.assert_array_equal(rates, replica.rates)
    np.testing.assert_array_equal(outputs, replica.outputs)


def test_the_program_is_the_same_wherever_its_numbers_are() -> None:
    circuit = circuit_of("masks and signs")
    params = circuit.init(key=jax.random.key(0))
    from_file, own = spiking.source(circuit), spiking.source(circuit, params)
    rest = from_file[from_file.index("W_in, b =") :]
    assert own.endswith(rest)
    assert "np.load(__file__" in from_file
    assert "np.load(__file__" not in own
    assert imported(from_file) == imported(own) == {"brian2", "numpy", "sys"}
    assert len(rest.splitlines()) < 70
    for line in (
        "dcurrent/dt = (-current + drive)/tau : 1",
        "firing = tanh(current) : 1",
        "drive = recurrent + external(t, i) : 1",
        "tau : second (constant)",
    ):
        assert line in rest


def test_only_existing_synapses_are_connected() -> None:
    circuit = circuit_of("sparse, Dale")
    params = circuit.init(key=jax.random.key(0))
    existing = np.asarray(circuit.weights(params).existing)
    program = loaded(spiking.source(circuit, params))
    made = []

    class Recorded:
        def __init__(self, network: type) -> None:
            self.network = network

        def __call__(self, *objects: Any) -> Any:
            made.extend(objects)
            return self.network(*objects)

    with spiking.brian.simulator() as b2:
        right, b2.Network = b2.Network, Recorded(b2.Network)
        try:
            program["run"](inputs(2))
        finally:
            b2.Network = right
        recurrent = next(o for o in made if isinstance(o, b2.Synapses) and o.source is o.target)
        pairs = {(int(j), int(i)) for i, j in zip(recurrent.i[:], recurrent.j[:], strict=True)}
    assert pairs == set(zip(*map(np.ndarray.tolist, np.nonzero(existing)), strict=True))
    assert 0 < len(pairs) < circuit.num_units**2


def test_the_exported_script_runs_by_itself(tmp_path: Path) -> None:
    circuit = circuit_of("regions, Dale")
    run = run_of(circuit)
    script = export_brian2(run, tmp_path / "new" / "folder", seed=SEED)
    assert entries(script.parent) == ["brian2_model.py", "weights.npz"]
    text = script.read_text()
    for part in (
        "circuit of 5 Leaky units in Brian2, steps of 20 ms",
        f"task toy-task, rule kf-rtrl,\nrun {run.tree.attrs['run_id']}, seed 7, after",
        "Inputs: x0, x1.\nOutputs: ramp.",
    ):
        assert part in text
    np.save(tmp_path / "inputs.npy", inputs())
    (tmp_path / "brian_preferences").write_text("codegen.target = 'numpy'")  # nothing to compile
    command = [
        sys.executable,
        "-I",
        "-W",
        "error::UserWarning:__main__",
        str(script),
        "inputs.npy",
        "result.npz",
    ]
    ended = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True)
    assert "WARNING" not in ended.stderr
    with jax.enable_x64(True):
        path = jax.tree.map(np.asarray, circuit.run(run.params(SEED), inputs()))
    with np.load(tmp_path / "result.npz") as result:
        assert np.abs(result["rates"] - path.rates).max() < 1e-10
        assert np.abs(result["outputs"] - path.outputs).max() < 1e-10


def test_a_run_in_single_precision_is_exported_in_double(tmp_path: Path) -> None:
    run = run_of(circuit_of("output fed back, plasticity"), np.float32)
    script = export_brian2(run, tmp_path, seed=SEED, checkpoint=0)
    with np.load(tmp_path / "weights.npz") as stored:
        kinds = {array.dtype for array in stored.values()}
        np.testing.assert_array_equal(stored["bias"], run.params(SEED, 0)["bias"])
    assert kinds == {np.dtype(float), np.dtype(bool)}
    assert f"steps of {run.circuit.dt:g} ms" in script.read_text()


def test_files_that_are_there_already(tmp_path: Path) -> None:
    run = run_of(circuit_of("masks and signs"))
    export_brian2(run, tmp_path, seed=SEED)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ResultsError, match=r"holds weights\.npz and brian2_model\.py; .*overwrite=True"):
        export_brian2(run, tmp_path, seed=SEED)
    export_brian2(run, tmp_path, seed=SEED, overwrite=True)
    with pytest.raises(
        ResultsError, match=r"holds brian2_model\.py, which reads other numbers .* another fol"
    ):
        export_numpy(run, tmp_path, seed=SEED, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_gated_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="GRU units have 4 drives"):
        export_brian2(run_of(circuit_of("gru")), tmp_path / "new", seed=SEED)
    assert not entries(tmp_path)
    with pytest.raises(ValueError, match="GRU units have 4 drives"):
        spiking.source(Circuit(1, 4, 1, dynamics=GRU()))


def test_a_program_of_another_form_differs() -> None:
    current, rate = (
        spiking.source(Circuit(1, 4, 1, dynamics=Leaky(form=form))) for form in ("current", "rate")
    )
    assert "drate/dt = (-rate + tanh(drive))/tau : 1" in rate
    assert current != rate
