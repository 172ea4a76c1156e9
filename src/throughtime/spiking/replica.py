"""The rates of a trained circuit from an independent simulator: Brian2, from differential equations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from throughtime.spiking.brian import simulator
from throughtime.spiking.program import model_numbers, network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from throughtime.circuits import Circuit


class Replica(NamedTuple):
    """What Brian2 says a circuit did in one trial, in float64.

    Attributes:
        states: name -> (time, unit), state *after* each step.
        rates: (time, unit), what the readout reads.
        outputs: (time, output).
    """

    states: dict[str, np.ndarray]
    rates: np.ndarray
    outputs: np.ndarray


def replicate(
    circuit: Circuit,
    params: Mapping[str, Any],
    inputs: ArrayLike,
    *,
    noise: ArrayLike | None = None,
    state: Mapping[str, ArrayLike] | None = None,
    valid: ArrayLike | None = None,
    target: str = "numpy",
) -> Replica:
    """Run one trial in Brian2; the numbers are those of ``circuit.run`` in float64.

    The units are a ``NeuronGroup`` with the differential equations of their dynamics, existing synapses sum
    up what arrives at them, and so does the readout. A step of Euler is a step of the circuit; the drive
    from inputs, bias and noise stands still within it. :func:`~throughtime.spiking.source` prints the
    program that is run.

    Args:
        circuit: of leaky, adaptive or plastic units, with any connectivity, initial state and readout.
        params: trained parameters; they are taken to float64.
        inputs: (time, input) of one trial.
        noise: (time, unit) drive noise from ``circuit.noise``, replayed; none by default.
        state: before the first step, variables (unit,); the circuit's own by default.
        valid: (time,) bool; where False the state stands still. All True by default.
        target: ``numpy``, or ``cython``, which compiles for tens of seconds the first time.

    Returns:
        states, rates and outputs after each step. The chaos of a circuit with a Lyapunov exponent λ > 0
        makes two float64 simulations part after a time of about ln(10⁵)/λ.

    Raises:
        ValueError: for gated units and others that have no equations, arrays of other shapes, a state of
            other variables, or a trial without a valid step.
        NoBrian: without Brian2.

    Source: Brian2: Stimberg, Brette & Goodman 2019, eLife 8:e47314.

    Example:
        >>> import jax
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=1)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> replica = replicate(circuit, params, np.ones((5, 1)))
        >>> path = circuit.run(params, np.ones((5, 1)))  # in float32
        >>> replica.rates.shape, float(abs(replica.rates - path.rates).max()) < 1e-6
        ((5, 4), True)
    """
    given = np.asarray(inputs, float)
    going = np.ones(len(given), bool) if valid is None else np.asarray(valid, bool)
    added = np.zeros((len(given), circuit.num_units)) if noise is None else np.asarray(noise, float)
    _check(circuit, given, added, going, state)
    numbers, equations = model_numbers(circuit, params, state)
    scope: dict[str, Any] = {"np": np, "stored": numbers}
    with simulator(target) as b2:
        scope["b2"] = b2
        exec(compile(network(circuit, equations), "<circuit in Brian2>", "exec"), scope)
        drive = given @ numbers["input"].T + numbers["bias"] + added
        of_units, of_outputs = scope["simulate"](drive[going])
        # Samples are what was there before a step: the first is the initial state, which stands while no
        # step is valid.
        sample = np.cumsum(going)
        states = {name: np.array(getattr(of_units, name)).T[sample] for name in circuit.dynamics.state_names}
        rates = np.array(getattr(of_units, equations.read)).T[sample]
        outputs = np.array(of_outputs.output).T[sample]
    return Replica(states, rates, outputs)


def _check(
    circuit: Circuit,
    inputs: np.ndarray,
    noise: np.ndarray,
    valid: np.ndarray,
    state: Mapping[str, ArrayLike] | None,
) -> None:
    """Refuse arrays of shapes that do not go together, and names of other variables."""
    steps, units = len(inputs), circuit.num_units
    if inputs.ndim != 2 or inputs.shape[1] != circuit.num_inputs:
        raise ValueError(
            f"replicate: inputs have shape {inputs.shape}, expected (time, {circuit.num_inputs}); give one "
            "trial."
        )
    if noise.shape != (steps, units):
        raise ValueError(
            f"replicate: noise has shape {noise.shape}, expected {(steps, units)}; draw it with "
            "circuit.noise(key, num_steps)."
        )
    if valid.shape != (steps,):
        raise ValueError(f"replicate: valid has shape {valid.shape}, expected ({steps},): one entry a step.")
    if not valid.any():
        raise ValueError("replicate: no step of the trial is valid; give a trial with at least one.")
    if state is None:
        return
    names = circuit.dynamics.state_names
    shapes = {name: np.shape(value) for name, value in state.items()}
    if shapes != dict.fromkeys(names, (units,)):
        raise ValueError(
            f"replicate: state has {shapes}, expected {', '.join(names)}, each of shape ({units},), as "
            "circuit.initial_state(params) gives it."
        )
