"""The exported forward pass is the circuit's own, for every dynamics."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

from tests.results.circuits import CASES, circuit_of, records
from tests.results.folders import entries
from tests.results.records import INPUTS, OUTPUTS, UNITS
from throughtime import circuits
from throughtime.circuits import (
    ACTIVATIONS,
    GRU,
    LSTM,
    Adaptive,
    Circuit,
    Leaky,
    Learned,
    ShortTermPlasticity,
)
from throughtime.circuits.activations import NUMPY
from throughtime.results import ResultsError, Run, export_numpy, load, run_tree

TAUS = (30.0, 60.0, 90.0, 150.0, 40.0)
SEED = 1

# The defaults of every registered dynamics, and more of those there are.
DEFAULTS = [kind() for kind in circuits.DYNAMICS.values()]
FORMS = ("current", "rate")
VARIANTS: list[Any] = [
    *(Leaky(tau=TAUS, activation=name, form=form) for name in ACTIVATIONS for form in FORMS),
    Leaky(tau=60.0, tau_range=(25.0, 200.0)),
    Adaptive(tau=77.7, activation="softplus", tau_adaptation=TAUS, strength=(0.0, 0.5, 1, 2, 3)),
    *(ShortTermPlasticity(TAUS, "softplus", form, facilitating=0.3, tau_range=(25, 200)) for form in FORMS),
    GRU(reset="before"),
    LSTM(chrono=20.0),
]
PRECISELY = [(dynamics, np.float64, 1e-12) for dynamics in (*DEFAULTS, *VARIANTS)]
AS_TRAINED = [(dynamics, np.float32, 1e-6) for dynamics in DEFAULTS]


def run_of(circuit: Circuit, dtype: type = np.float32) -> Run:
    return Run(run_tree(records(circuit, dtype)[0]))


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("forward", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def inputs(circuit: Circuit, dtype: type = np.float32) -> np.ndarray:
    return 2 * np.random.default_rng(4).normal(size=(40, circuit.num_inputs)).astype(dtype)


@pytest.mark.parametrize(("dynamics", "dtype", "tolerance"), PRECISELY + AS_TRAINED, ids=str)
def test_rates_and_outputs_are_those_of_the_circuit(dynamics, dtype, tolerance, tmp_path):
    circuit = Circuit(INPUTS, UNITS, OUTPUTS, dynamics=dynamics, initial=Learned())
    with jax.enable_x64(True) if dtype is np.float64 else contextlib.nullcontext():
        run = run_of(circuit, dtype)
        given = inputs(circuit, dtype)
        path = circuit.run(run.params(SEED), given)
    forward = module(export_numpy(run, tmp_path, seed=SEED))
    rates, outputs = forward.run(given)
    assert {array.dtype for array in forward.stored.values()} == {np.dtype(dtype)}
    assert np.abs(path.rates).max() > 0.1, "the circuit must be alive"
    scale = max(1.0, np.abs(path.rates).max())  # rates of a rectified unit may be large
    np.testing.assert_allclose(rates, path.rates, rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(outputs, path.outputs, rtol=0, atol=UNITS * tolerance * scale)


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith(("gru,", "as many"))])
def test_constraints_and_initial_states_are_resolved(case, tmp_path):
    circuit = circuit_of(case)
    run = run_of(circuit)
    forward = module(export_numpy(run, tmp_path, seed=7, checkpoint=0))
    path = circuit.run(run.params(7, 0), inputs(circuit))
    rates, outputs = forward.run(inputs(circuit))
    scale = max(1.0, np.abs(path.rates).max())
    np.testing.assert_allclose(rates, path.rates, rtol=0, atol=2e-6 * scale)
    np.testing.assert_allclose(outputs, path.outputs, rtol=0, atol=1e-5 * scale)


def test_the_script_needs_numpy_alone(tmp_path, suffix):
    circuit = circuit_of("lstm, learned state")
    run = load(run_of(circuit).save(tmp_path / f"run.{suffix}"))
    script = export_numpy(run, tmp_path / "new" / "folder", seed=SEED)
    assert entries(script.parent) == ["forward.py", "weights.npz"]
    nodes = ast.walk(ast.parse(script.read_text()))
    assert {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names} == {
        "numpy",
        "sys",
    }
    np.save(tmp_path / "inputs.npy", inputs(circuit))
    words = [sys.executable, "-I", str(script), "inputs.npy", "result.npz"]
    subprocess.run(words, check=True, cwd=tmp_path)
    alone = subprocess.run(words[:3], capture_output=True, text=True)
    assert alone.returncode == 1
    assert "forward.py inputs.npy result.npz" in alone.stderr
    path = circuit.run(run.params(SEED), inputs(circuit))
    with np.load(tmp_path / "result.npz") as result:
        np.testing.assert_allclose(result["rates"], path.rates, atol=1e-6)
        np.testing.assert_allclose(result["outputs"], path.outputs, atol=1e-6)


def test_it_says_where_it_comes_from_and_reads_well(tmp_path):
    run = run_of(circuit_of("gru"))
    text = export_numpy(run, tmp_path, seed=SEED).read_text()
    for part in (
        "5 GRU units, steps of 20 ms",
        "task toy-task",
        run.tree.attrs["run_id"],
        "seed 1, after 50",
    ):
        assert part in text
    assert "Inputs: x0, x1.\nOutputs: ramp." in text
    assert max(map(len, text.splitlines())) <= 110
    body = text[text.index("def run") : text.index("if __name__")].strip().splitlines()
    assert len(body) <= 16


def test_the_same_files_again_and_not_over_others(tmp_path):
    run = run_of(circuit_of("masks and signs"))
    export_numpy(run, tmp_path, seed=SEED)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "forward.py").write_text("mine")
    with pytest.raises(ResultsError, match=r"holds weights\.npz and forward\.py; .*overwrite=True \(--over"):
        export_numpy(run, tmp_path, seed=SEED)
    assert (tmp_path / "forward.py").read_text() == "mine"
    export_numpy(run, tmp_path, seed=SEED, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_seed_needs_no_name(tmp_path):
    run = run_of(circuit_of("masks and signs"))
    one = Run(run.tree.isel(seed=[2]))
    assert "seed 7," in export_numpy(one, tmp_path).read_text()


@dataclass(frozen=True)
class Nameless(Leaky):
    """A dynamics that does not tell its NumPy lines."""

    numpy_step = circuits.Dynamics.numpy_step


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"the run has seeds \[3, 1, 7\]; choose one of them \(--seed\)"),
        ({"seed": 2}, r"no seed 2; the run has seeds \[3, 1, 7\]"),
        ({"seed": 1, "checkpoint": 5}, "no checkpoint 5; the run has checkpoints 0 to 1"),
    ],
)
def test_what_the_run_does_not_have(options, message, tmp_path):
    with pytest.raises(ResultsError, match=message):
        export_numpy(run_of(circuit_of("masks and signs")), tmp_path / "new", **options)
    assert not entries(tmp_path)


def test_a_dynamics_without_lines_is_refused(tmp_path):
    run = run_of(Circuit(INPUTS, UNITS, OUTPUTS, dynamics=Nameless()))
    with pytest.raises(
        ValueError, match=r"Nameless does not say .* define numpy_step\(params, num_units, dt\)"
    ):
        export_numpy(run, tmp_path / "new", seed=SEED)
    assert not entries(tmp_path)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ResultsError, match=r"cannot be written \(.*choose another folder"):
        export_numpy(run_of(circuit_of("masks and signs")), tmp_path / "file", seed=SEED)
    assert os.listdir(tmp_path) == ["file"]


def test_every_activation_has_a_line():
    assert set(NUMPY) == set(ACTIVATIONS)


def test_the_comparison_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = Leaky.numpy_step

    def wrong(self: Leaky, *arguments: Any) -> Any:
        step = original(self, *arguments)
        return step._replace(step=(step.step[0].replace("(1 - alpha)", "(0.99 - alpha)"),))

    monkeypatch.setattr(Leaky, "numpy_step", wrong)
    with pytest.raises(AssertionError, match="Mismatched"):
        test_rates_and_outputs_are_those_of_the_circuit(Leaky(), np.float32, 1e-6, tmp_path)
