"""A trained circuit as a program for Brian2: differential equations to read, and the network they make.

There is one program. :func:`source` prints it, ``throughtime export --to brian2`` writes it, and
:func:`~throughtime.spiking.replicate` runs it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime import __version__

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from throughtime.circuits import Circuit, Equations

WEIGHTS, MODEL = "weights.npz", "brian2_model.py"
ORIGIN = f"Written by throughtime {__version__}."

HEAD = '''"""{title}

{origin}
As a script: python {model} inputs.npy result.npz
"""

import brian2 as b2
import numpy as np

{stored}
'''
FROM_FILE = f'stored = dict(np.load(__file__.removesuffix("{MODEL}") + "{WEIGHTS}"))'
NETWORK = '''\
W_in, b = stored["input"], stored["bias"]
W_out, b_out = stored["readout"], stored["readout_bias"]
dt = {dt!r} * b2.ms

UNITS = """
{units}
"""
OUTPUTS = """
{outputs}
"""{after}


def connect(name, sources, targets, summed, clock):
    """Synapses with the stored weights (target, source), where they exist."""
    synapses = b2.Synapses(sources, targets, "w : 1\\n" + summed, clock=clock, order=-1)
    target, source = np.nonzero(stored[name + "_exists"])
    synapses.connect(i=source, j=target)
    synapses.w = stored[name][target, source]
    return synapses


def simulate(drive):
    """Monitors of units and outputs under W_in x + b (time, unit): before each step, and after the last.

    Steps take place in the slot "groups". First synapses sum up the rates of the step before (order -1),
    then the units make a step of Euler (0), and at last the readout sums up the new rates (9).
    """
    clock = b2.Clock(dt)
    external = b2.TimedArray(drive, dt=dt)  # constant from one step to the next
    units = b2.NeuronGroup(
        len(b), UNITS, method="euler", clock=clock, order=0, namespace={{"external": external}}
    )
    outputs = b2.NeuronGroup(len(b_out), OUTPUTS, clock=clock, order=10, namespace={{}})
    {body}
    recorded = {recorded}
    of_units = b2.StateMonitor(units, recorded, record=True, clock=clock, when="start", order=0)
    of_outputs = b2.StateMonitor(outputs, ["output"], record=True, clock=clock, when="start", order=0)
    network = b2.Network(units, outputs, {synapses}, of_units, of_outputs)
    network.run((len(drive) + 1) * dt, namespace={{}})
    return of_units, of_outputs


def run(inputs, noise=0.0):
    """Rates (time, unit) and outputs (time, output) for inputs (time, input).

    Noise (time, unit), drawn beforehand, is added to the drive.
    """
    of_units, of_outputs = simulate(inputs @ W_in.T + b + noise)
    return np.array(of_units.{read}).T[1:], np.array(of_outputs.output).T[1:]
'''
MAIN = """

if __name__ == "__main__":
    import sys

    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rates, outputs = run(np.load(sys.argv[1]))
    np.savez(sys.argv[2], rates=rates, outputs=outputs)
"""


def source(circuit: Circuit, params: Mapping[str, Any] | None = None) -> str:
    """The Brian2 program of a circuit, which needs Brian2 and NumPy and not this library.

    Its equations are those of the dynamics (:meth:`~throughtime.circuits.Dynamics.equations`), for leaky
    units of the current form::

        τ dv/dt = −v + u,   u = W φ(v) + W_in x + b,   z = W_out φ(v) + b_out

    with v the current, φ(v) the rate, x the input, constant for one step of the circuit, and z the output;
    one step of Euler is one step of the circuit. Its ``run(inputs, noise=0.0)`` gives rates (time, unit) and
    outputs (time, output) of one trial, inputs (time, input), and ``simulate`` the monitors.

    Args:
        circuit: of leaky, adaptive or plastic units, or of others that say their equations.
        params: trained parameters, which then stand in the text in full precision; without them the program
            reads ``weights.npz`` beside it, as ``throughtime export --to brian2`` writes it.

    Raises:
        ValueError: for gated units, and others that have no equations.

    Source: Brian2: Stimberg, Brette & Goodman 2019, eLife 8:e47314.

    Example:
        >>> from throughtime.circuits import Circuit, Leaky
        >>> circuit = Circuit(1, 8, 1, dynamics=Leaky(activation="relu", form="rate"))
        >>> text = source(circuit)
        >>> print(text[text.index("UNITS") : text.index("OUTPUTS")])
        UNITS = \"""
        drate/dt = (-rate + clip(drive, 0, inf))/tau : 1
        firing = rate : 1
        drive = recurrent + external(t, i) : 1
        recurrent : 1
        tau : second (constant)
        \"""
    """
    import jax

    drawn = circuit.init(key=jax.random.key(0)) if params is None else params
    arrays, equations = model_numbers(circuit, drawn)
    return program(circuit, equations, arrays if params is not None else None)


def program(
    circuit: Circuit,
    equations: Equations,
    arrays: Mapping[str, np.ndarray] | None = None,
    origin: str = ORIGIN,
) -> str:
    """The whole program, with ``arrays`` in its text, or else read from the file of weights.

    Args:
        origin: words on where the circuit comes from.
    """
    stored = FROM_FILE
    if arrays is not None:
        lines = (f'    "{name}": {_literal(value, len(name) + 8)},\n' for name, value in arrays.items())
        stored = f"stored = {{\n{''.join(lines)}}}"
    title = (
        f"A trained circuit of {circuit.num_units} {type(circuit.dynamics).__name__} units in Brian2, steps "
        f"of {circuit.dt:g} ms."
    )
    head = HEAD.format(title=title, origin=origin, stored=stored, model=MODEL)
    return head + network(circuit, equations) + MAIN


def network(circuit: Circuit, equations: Equations) -> str:
    """The part of the program that reads ``stored`` and defines ``simulate`` and ``run``."""
    dynamics, fed_back, leaky = circuit.dynamics, circuit.output_feedback, circuit.readout_tau is not None
    units = [
        *equations.lines,
        f"drive = recurrent + {'fed_back + ' if fed_back else ''}external(t, i) : 1",
        "recurrent : 1",
        *(["fed_back : 1"] if fed_back else []),
        *(f"{name} : second (constant)" for name in equations.times),
        *(f"{name} : 1 (constant)" for name in equations.constants),
    ]
    outputs = [
        "output : 1" if leaky else "output = arriving + bias : 1",
        "arriving : 1",
        "bias : 1 (constant)",
    ]
    outputs += ["kappa : 1 (constant)"] if leaky else []
    read = f'"arriving_post = w*{equations.read}_pre : 1 (summed)"'
    sent = f'"recurrent_post = w*{equations.sent}_pre : 1 (summed)"'
    body = [
        *(f'units.{name} = stored["initial_{name}"]' for name in dynamics.state_names),
        *(f'units.{name} = stored["{name}"] * b2.ms' for name in equations.times),
        *(f'units.{name} = stored["{name}"]' for name in equations.constants),
        "outputs.bias = b_out",
        'outputs.kappa = stored["kappa"]' if leaky else 'outputs.arriving = W_out @ stored["initial_read"]',
        f'recurrent = connect("recurrent", units, units, {sent}, clock)',
        f'readout = connect("readout", units, outputs, {read}, clock)',
    ]
    synapses = ["recurrent", "readout"]
    if fed_back:
        synapses.append("fed_back")
        sent = '"fed_back_post = w*output_pre : 1 (summed)"'
        body.append(f'fed_back = connect("output_feedback", outputs, units, {sent}, clock)')
    if equations.after:
        body.append('units.run_regularly(AFTER, clock=clock, when="groups", order=1)')
    if leaky:
        body += [
            'step = "output = kappa*output + arriving + bias"',
            'outputs.run_regularly(step, clock=clock, when="groups", order=11)',
        ]
    after = "\n".join(equations.after)
    recorded = dict.fromkeys([*dynamics.state_names, equations.read])
    return NETWORK.format(
        dt=circuit.dt,
        units="\n".join(units),
        outputs="\n".join(outputs),
        after=f'\nAFTER = """\n{after}\n"""' if after else "",
        body="\n    ".join(body),
        recorded="[" + ", ".join(f'"{name}"' for name in recorded) + "]",
        synapses=", ".join(synapses),
        read=equations.read,
    )


def model_numbers(
    circuit: Circuit, params: Mapping[str, Any], state: Mapping[str, ArrayLike] | None = None
) -> tuple[dict[str, np.ndarray], Equations]:
    """What a program reads as ``stored``, in float64, and the equations of the units.

    Args:
        state: before the first step, variables (unit,); the circuit's own by default.

    Raises:
        ValueError: for a dynamics without equations.
    """
    from throughtime.circuits.numbers import free, numbers, precision

    params = {name: np.asarray(value, float) for name, value in params.items()}
    units = circuit.num_units
    arrays = numbers(circuit, params)
    if state is not None:
        arrays |= {f"initial_{name}": np.asarray(value, float) for name, value in state.items()}
    with precision(params):
        given = free(params)
        equations = circuit.dynamics.equations(given, units, circuit.dt)
        start = {name: arrays[f"initial_{name}"] for name in circuit.dynamics.state_names}
        arrays["initial_read"] = np.asarray(circuit.dynamics.readout(given, free(start)))
        arrays["recurrent_exists"] = np.asarray(circuit.weights(given).existing, bool)
    mask, everywhere = circuit.readout_mask, np.ones((circuit.num_outputs, units), bool)
    arrays["readout_exists"] = everywhere if mask is None else mask.values
    if circuit.output_feedback:
        arrays["output_feedback_exists"] = everywhere.T
    for name, value in {**equations.times, **equations.constants}.items():
        arrays[name] = np.array(np.broadcast_to(np.asarray(value, float), (units,)))
    return arrays, equations


def _literal(array: np.ndarray, indent: int) -> str:
    """An array as Python code, to the last bit."""
    prefix = " " * indent + "np.array("
    text = np.array2string(
        array, max_line_width=108, threshold=sys.maxsize, separator=", ", prefix=prefix,
        formatter={"float_kind": lambda number: repr(float(number))},
    )  # fmt: skip
    return f"np.array({text})"
