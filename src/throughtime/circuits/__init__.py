"""Circuits: linear synapses plus local neuron dynamics."""

from __future__ import annotations

from typing import Any, Protocol

from throughtime import runtime  # noqa: F401  (settings JAX reads when its backend starts)
from throughtime.circuits.activations import ACTIVATIONS, activation
from throughtime.circuits.arrays import from_arrays
from throughtime.circuits.circuit import Circuit, Trajectory, Weights
from throughtime.circuits.connectivity import Connectivity, Dale, Dense, LowRank, MultiRegion, Sparse
from throughtime.circuits.dynamics import (
    GRU,
    LSTM,
    Adaptive,
    Dynamics,
    Equations,
    Leaky,
    NumpyStep,
    ShortTermPlasticity,
)
from throughtime.circuits.initial import Initial, Learned, Rest, Scattered, WarmUp
from throughtime.circuits.torch_layout import from_torch, to_torch
from throughtime.registry import kebab, unknown

DYNAMICS = {kebab(kind.__name__): kind for kind in (Leaky, Adaptive, ShortTermPlasticity, GRU, LSTM)}
CONNECTIVITY = {kebab(kind.__name__): kind for kind in (Dense, Sparse, Dale, LowRank, MultiRegion)}
INITIAL = {kebab(kind.__name__): kind for kind in (Rest, Learned, Scattered, WarmUp)}

__all__ = [
    "ACTIVATIONS",
    "GRU",
    "LSTM",
    "Adaptive",
    "Circuit",
    "Connectivity",
    "Dale",
    "Dense",
    "Dynamics",
    "Equations",
    "Initial",
    "Leaky",
    "Learned",
    "LowRank",
    "MultiRegion",
    "NumpyStep",
    "Rest",
    "Scattered",
    "ShortTermPlasticity",
    "Sparse",
    "Trajectory",
    "WarmUp",
    "Weights",
    "activation",
    "for_task",
    "from_arrays",
    "from_torch",
    "get",
    "names",
    "to_torch",
]


class _Channels(Protocol):
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    dt: float


def for_task(
    task: _Channels,
    num_units: int = 128,
    *,
    dynamics: Dynamics | None = None,
    recurrent: Connectivity | None = None,
    noise: float = 0.0,
    **fields: Any,
) -> Circuit:
    """A circuit with the inputs, outputs and step of a task.

    Args:
        task: anything with ``input_names``, ``output_names`` and ``dt`` (ms).
        num_units: number of recurrent units.
        dynamics: default ``Leaky()``; recurrent: default ``Dense()``.
        noise: σ of the drive noise, the SD of an isolated ``current``-form unit (state units).
        fields: further fields of :class:`Circuit`.

    Example:
        >>> from types import SimpleNamespace
        >>> task = SimpleNamespace(input_names=("a", "b"), output_names=("choice",), dt=10.0)
        >>> circuit = for_task(task, num_units=32, dynamics=Leaky(tau=50.0), noise=0.05)
        >>> circuit.num_inputs, circuit.num_outputs, circuit.dt
        (2, 1, 10.0)
    """
    return Circuit(
        num_inputs=len(task.input_names),
        num_units=num_units,
        num_outputs=len(task.output_names),
        dt=float(task.dt),
        dynamics=Leaky() if dynamics is None else dynamics,
        recurrent=Dense() if recurrent is None else recurrent,
        noise_sd=noise,
        **fields,
    )


def names() -> dict[str, tuple[str, ...]]:
    """Registry names of dynamics, connectivities and initial states."""
    return {"dynamics": tuple(DYNAMICS), "connectivity": tuple(CONNECTIVITY), "initial": tuple(INITIAL)}


def get(name: str) -> type:
    """The dynamics, connectivity or initial state of a registry name.

    Raises:
        ValueError: for an unknown name, with near names.
    """
    table: dict[str, type] = {**DYNAMICS, **CONNECTIVITY, **INITIAL}
    if name not in table:
        raise unknown("circuit part", name, table, "throughtime list circuits")
    return table[name]
