"""A trained circuit as two files that do without throughtime: its numbers, and a program to read."""

from __future__ import annotations

import ast
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime import __version__, atomic
from throughtime.results.errors import ResultsError
from throughtime.results.flags import labels
from throughtime.spiking.program import MODEL, WEIGHTS, model_numbers, program

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.circuits.dynamics import NumpyStep
    from throughtime.results.run import Run

    Arrays = dict[str, Any]

FORWARD = "forward.py"

SIGMOID = """

def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))
"""
PROGRAM = '''"""{title}

{origin}
Inputs: {inputs}.
Outputs: {outputs}.
As a script: python {forward} inputs.npy result.npz
"""

import numpy as np

stored = dict(np.load(__file__.removesuffix("{forward}") + "{weights}"))
W, W_in, b = stored["recurrent"], stored["input"], stored["bias"]{gates}
W_out, b_out = stored["readout"], stored["readout_bias"]{outputs_too}{constants}
{sigmoid}

def run(inputs):
    """Rates (time, unit) and outputs (time, output) for inputs (time, input), without noise."""
    {initial}
    rates = np.zeros((len(inputs), W_out.shape[1]))
    {start}for t, x in enumerate(inputs):
        drive = {drive}
        {step}
        rates[t] = {readout}
    {finish}


if __name__ == "__main__":
    import sys

    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rates, outputs = run(np.load(sys.argv[1]))
    np.savez(sys.argv[2], rates=rates, outputs=outputs)
'''


def export_numpy(
    run: Run,
    folder: str | os.PathLike[str],
    *,
    seed: int | None = None,
    checkpoint: int = -1,
    overwrite: bool = False,
) -> Path:
    """Write one trained circuit as ``weights.npz`` and ``forward.py``.

    ``weights.npz`` holds the effective weights, the initial state (learned or warmed up, if it is) and the
    constants of the dynamics, in the precision of the run. ``forward.py`` imports NumPy and nothing else; its
    ``run(inputs)`` gives rates (time, unit) and outputs (time, output) of one trial as ``circuit.run`` does,
    without noise. Weights of gated units have one matrix a drive, zero where none arrives. Fed-back outputs
    and a leaky readout are part of the program.

    Args:
        run: a trained or loaded run.
        folder: where the two files go; made if it is missing.
        seed: label of the seed; may be left out where the run has only one.
        checkpoint: which recorded weights, the final ones by default.
        overwrite: replace the two files if they are there.

    Returns:
        The path of ``forward.py``.

    Raises:
        ResultsError: for a seed or checkpoint the run does not have, files that are there already, or a
            folder that cannot be written.
        ValueError: for a dynamics that does not say what it does in NumPy.
    """

    def content(circuit: Circuit, params: Mapping[str, Any], origin: dict[str, str]) -> tuple[Arrays, str]:
        arrays, step = _numbers(circuit, params)
        return arrays, _program(circuit, step, **origin)

    return _export(run, folder, FORWARD, content, seed, checkpoint, overwrite)


def export_brian2(
    run: Run,
    folder: str | os.PathLike[str],
    *,
    seed: int | None = None,
    checkpoint: int = -1,
    overwrite: bool = False,
) -> Path:
    """Write one trained circuit as ``weights.npz`` and ``brian2_model.py``.

    The program is that of :func:`throughtime.spiking.source`; it imports NumPy and Brian2 and nothing else,
    and its ``run(inputs)`` gives rates (time, unit) and outputs (time, output) of one trial as
    ``circuit.run`` does. ``weights.npz`` holds the effective weights, which synapses exist, the initial state
    and the constants of the dynamics, in float64. Brian2 itself is not needed to write them.

    Args:
        run: a trained or loaded run.
        folder: where the two files go; made if it is missing.
        seed: label of the seed; may be left out where the run has only one.
        checkpoint: which recorded weights, the final ones by default.
        overwrite: replace the two files if they are there.

    Returns:
        The path of ``brian2_model.py``.

    Raises:
        ResultsError: for a seed or checkpoint the run does not have, files that are there already, or a
            folder that cannot be written.
        ValueError: for a dynamics without differential equations, such as gated units.
    """

    def content(circuit: Circuit, params: Mapping[str, Any], origin: dict[str, str]) -> tuple[Arrays, str]:
        arrays, equations = model_numbers(circuit, params)
        words = "{origin}\nInputs: {inputs}.\nOutputs: {outputs}.".format(**origin)
        return arrays, program(circuit, equations, origin=words)

    return _export(run, folder, MODEL, content, seed, checkpoint, overwrite)


EXPORTS: dict[str, Callable[..., Path]] = {"numpy": export_numpy, "brian2": export_brian2}


def _export(
    run: Run,
    folder: str | os.PathLike[str],
    name: str,
    content: Callable[[Circuit, Mapping[str, Any], dict[str, str]], tuple[Arrays, str]],
    seed: int | None,
    checkpoint: int,
    overwrite: bool,
) -> Path:
    """Write the arrays and the program ``name`` that ``content`` makes of one circuit."""
    folder = Path(folder)
    seeds = run.seeds
    if seed is None:
        if len(seeds) > 1:
            raise ResultsError(f"export: the run has seeds {seeds}; choose one of them (--seed).")
        seed = seeds[0]
    params = run.params(seed, checkpoint)
    there = [file for file in (WEIGHTS, name) if os.path.lexists(folder / file)]
    if there and not overwrite:
        raise ResultsError(
            f"export: {folder} holds {' and '.join(there)}; choose another folder, or replace what is there "
            "with overwrite=True (--overwrite)."
        )
    others = [file for file in {FORWARD, MODEL} - {name} if os.path.lexists(folder / file)]
    if others:
        raise ResultsError(
            f"export: {folder} holds {others[0]}, which reads other numbers from {WEIGHTS}; choose another "
            "folder."
        )
    arrays, text = content(run.circuit, params, _origin(run, seed, checkpoint))
    numbers = io.BytesIO()
    np.savez(numbers, **arrays)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(folder / WEIGHTS, numbers.getvalue())
        atomic.write_bytes(folder / name, text.encode())
    except OSError as error:
        raise ResultsError(
            f"export: {folder} cannot be written ({error.strerror}); choose another folder, or ask for the "
            "right to write there."
        ) from error
    return folder / name


def _numbers(circuit: Circuit, params: Mapping[str, Any]) -> tuple[Arrays, NumpyStep]:
    """Every array of the forward pass by name, and the dynamics' step."""
    from throughtime.circuits.numbers import free, numbers, precision

    arrays, dynamics, units = numbers(circuit, params), circuit.dynamics, circuit.num_units
    with precision(params):
        step = dynamics.numpy_step(free(params), units, circuit.dt)
    fed = {"recurrent": dynamics.recurrent_drives, "input": dynamics.input_drives}
    fed |= {"output_feedback": dynamics.input_drives} if circuit.output_feedback else {}
    for name, drives in fed.items():
        arrays[name] = _every_drive(arrays[name], drives, dynamics.num_drives)
    for name, constant in step.constants.items():
        arrays[name] = np.broadcast_to(np.asarray(constant, arrays["bias"].dtype), (units,))
    return arrays, step


def _every_drive(weights: np.ndarray, drives: tuple[int, ...], num_drives: int) -> np.ndarray:
    """Weights with one matrix a drive, zero where they feed none."""
    if num_drives == 1:
        return weights
    full = np.zeros((num_drives, *weights.shape[1:]), weights.dtype)
    full[list(drives)] = weights
    return full


def _origin(run: Run, seed: int, checkpoint: int) -> dict[str, str]:
    """Where the circuit comes from and what its channels are called, in words."""
    group, attrs = run.tree["checkpoints"].to_dataset(), run.tree.attrs
    made = int(group["checkpoint_update"].sel(seed=seed).values[checkpoint])
    texts = {
        "origin": (
            f"Exported by throughtime {__version__}: task {attrs['task']}, rule {attrs['rule']},\n"
            f"run {attrs['run_id']}, seed {seed}, after {made} updates."
        ),
        **{f"{channel}s": ", ".join(labels(group[channel])) for channel in ("input", "output")},
    }
    return {name: text.replace("\\", "/").replace('"', "'") for name, text in texts.items()}


def _program(circuit: Circuit, step: NumpyStep, **texts: str) -> str:
    """Source of the forward pass."""
    dynamics = circuit.dynamics
    fed_back, leaky = circuit.output_feedback, circuit.readout_tau is not None
    used = any("sigmoid(" in line for line in (*step.step, step.rate, step.readout))
    return PROGRAM.format(
        title=(
            f"Forward pass of a trained circuit of {circuit.num_units} {type(dynamics).__name__} units, "
            f"steps of {circuit.dt:g} ms, in plain NumPy."
        ),
        forward=FORWARD,
        weights=WEIGHTS,
        gates="  # first axis: the drives of a unit" if dynamics.num_drives > 1 else "",
        constants="".join(f'\n{name} = stored["{name}"]' for name in step.constants),
        sigmoid=SIGMOID if used else "",
        initial="\n    ".join(f'{name} = stored["initial_{name}"]' for name in dynamics.state_names),
        outputs_too=(
            '\nW_fb = stored["output_feedback"]  # what the output of the step before adds to the drive'
            if fed_back
            else '\nkappa = stored["kappa"]  # what an output keeps of itself in a step'
            if leaky
            else ""
        ),
        start="outputs = np.zeros((len(inputs), len(b_out)))\n    z = 0 * b_out\n    " if leaky else "",
        finish="return rates, outputs" if leaky else "return rates, rates @ W_out.T + b_out",
        drive=(
            f"{'' if dynamics.two_stage else f'W @ {_factor(step.rate)} + '}W_in @ x + b"
            f"{f' + W_fb @ (W_out @ {_factor(step.readout)} + b_out)' if fed_back else ''}"
        ),
        step="\n        ".join(step.step),
        readout=(
            step.readout
            + ("\n        z = outputs[t] = kappa * z + W_out @ rates[t] + b_out" if leaky else "")
        ),
        **texts,
    )


def _factor(expression: str) -> str:
    """An expression as a factor of a product: in brackets unless it is a name or a call."""
    plain = isinstance(ast.parse(expression, mode="eval").body, ast.Name | ast.Call)
    return expression if plain else f"({expression})"
