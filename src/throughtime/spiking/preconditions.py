"""Which circuits may be carried over to integrate-and-fire neurons."""

from __future__ import annotations

import warnings
from typing import Any

from throughtime.circuits import Leaky
from throughtime.spiking.lif import LIF

SHORTEST_TAU, FEWEST_UNITS = 20.0, 200
UNSUITABLE = {
    "tanh": "its rates can be negative, and those of spikes cannot",
    "relu": "its rates are unbounded and silent below 0: of 100 published circuits none could be transferred",
    "retanh": "it is silent below 0, as relu is, of whose published circuits none could be transferred",
}


def check_circuit(task: Any, circuit: Any, neurons: LIF) -> None:
    """Refuse a circuit that has no spiking counterpart; warn of one for which it is seldom found.

    Raises:
        ValueError: with the reason.
    """
    dynamics = circuit.dynamics
    kind = type(dynamics).__name__
    if type(dynamics) is not Leaky:
        _refuse(f"units are {kind}, whose further variables a LIF neuron lacks; use Leaky(form='current')")
    if dynamics.form != "current":
        _refuse(
            "the units have the rate form, in which τ smooths the rate; τ has to be that of a synaptic "
            "current: use Leaky(form='current')"
        )
    if dynamics.activation in UNSUITABLE:
        _refuse(f"activation {dynamics.activation!r}: {UNSUITABLE[dynamics.activation]}; use 'sigmoid'")
    if dynamics.held_rates is not None:
        _refuse("units are held at a rate, which spikes do not obey; use held_rates=None")
    if circuit.output_feedback:
        _refuse("outputs are fed back into the circuit, which this scheme lacks; use output_feedback=False")
    if circuit.readout_tau is not None:
        _refuse("the readout has a leak of its own beside the filters of spikes; use readout_tau=None")
    sizes = {"inputs": circuit.num_inputs, "outputs": circuit.num_outputs, "dt": circuit.dt}
    wanted = {"inputs": len(task.input_names), "outputs": len(task.output_names), "dt": task.dt}
    for name, size in sizes.items():
        if size != wanted[name]:
            _refuse(f"the circuit has {name} {size:g} and the task {wanted[name]:g}; they have to agree")
    neurons.steps_of("dt of the task", task.dt)
    if dynamics.activation == "softplus":
        warnings.warn(
            "transfer: softplus does not saturate; about half of the published circuits with it could be "
            "transferred, of those with 'sigmoid' 94 %.",
            stacklevel=3,
        )
    if circuit.num_units < FEWEST_UNITS:
        warnings.warn(
            f"transfer: {circuit.num_units} units; below {FEWEST_UNITS} few circuits can be transferred.",
            stacklevel=3,
        )


def tau_problem(shortest: float) -> str | None:
    """Why a circuit with a unit of this τ (ms) is refused; None if it is not."""
    if shortest >= SHORTEST_TAU:
        return None
    return (
        f"a unit has a τ of {shortest:.4g} ms; below {SHORTEST_TAU:g} ms a spike's current is over before "
        "the next, so train with tau_range=(20.0, …)"
    )


def loss_problem(error: float, below: float) -> str | None:
    """Why a circuit with this error is refused; None if it is not."""
    if error < below:
        return None
    return (
        f"the root of a trial's summed squared error is {error:.3g} on average, not below {below:g}; "
        "accuracy alone is not enough, so train on, or raise loss_below"
    )


def accuracy_problem(accuracy: float, at_least: float) -> str | None:
    """Why a rate circuit of this accuracy is refused; None if it is not."""
    if accuracy >= at_least:
        return None
    return (
        f"the rate circuit itself is right in {100 * accuracy:.3g} % of the trials, not in "
        f"{100 * at_least:g} %; train on, or lower accuracy_at_least"
    )


def _refuse(reason: str) -> None:
    raise ValueError(f"transfer: {reason}.")
