"""The step of a circuit as the plain map of a vector that analyses of dynamics study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax.flatten_util import ravel_pytree


class Steppable(Protocol):
    """What has neurons, a noise-free step and time constants, such as a circuit."""

    dt: float
    dynamics: Any

    def initial_state(self, params: Any) -> Any:
        """State before the first step, name -> (unit,)."""

    def step(self, params: Any, state: Any, x: Any) -> Any:
        """Next state from a state and an input (input,)."""

    def weights(self, params: Any) -> Any:
        """Effective weights, with ``tau`` (unit,) in ms."""


class CircuitStep(NamedTuple):
    """A circuit's noise-free step on vectors of ``S`` numbers: every variable of every neuron.

    Attributes:
        step: next state from a state (S,) and an input (input,), in float64, for JAX to trace.
        start: (S,) state before the first step.
        alpha: (S,) dt over the time constant of each component; None where they have no one constant.
        dt: ms.
        names: variables of a neuron, in the order in which they lie in a state, ``num_units`` numbers each.
        rates: (…, unit) what the readout reads of states (…, S).
    """

    step: Callable[[Any, Any], Any]
    start: np.ndarray
    alpha: np.ndarray | None
    dt: float
    names: tuple[str, ...]
    rates: Callable[[Any], np.ndarray]

    def vectors(self, states: xr.DataArray) -> xr.DataArray:
        """Recorded states (…, state, unit) as vectors (…, state): what ``step`` takes.

        Args:
            states: as in the group ``/evaluation`` of a run; ``state`` names the variables of a neuron.

        Raises:
            ValueError: for states without these dims, or of another number of variables or units.
        """
        missing = {"state", "unit"} - set(states.dims)
        if missing:
            raise ValueError(f"states: dims {states.dims} lack {', '.join(sorted(missing))}; name them so.")
        shape = (len(self.names), self.start.size // len(self.names))
        found = (states.sizes["state"], states.sizes["unit"])
        if found != shape:
            raise ValueError(
                f"states: {found[0]} variables of {found[1]} units; the circuit has {shape[0]} of {shape[1]}."
            )
        first = [dim for dim in states.dims if dim not in ("state", "unit")]
        ordered = states.transpose(*first, "state", "unit")
        flat = ordered.values.reshape(*ordered.shape[:-2], -1).astype(np.float64)
        coords = {name: states[name] for name in states.coords if set(states[name].dims) <= set(first)}
        return xr.DataArray(flat, coords, (*first, "state"), attrs=dict(states.attrs))


def circuit_step(circuit: Steppable, params: Mapping[str, Any]) -> CircuitStep:
    """The map s → step(s, x) of a circuit, its parameters bound, with all that analyses of dynamics ask for.

    States are vectors in float64: where a neuron has several variables, all units' first variable, then all
    units' second, in the order of ``names``. A circuit whose neurons have one variable relaxes with its time
    constants, so ``alpha`` is dt/tau; with several there is no one constant, and ``alpha`` is None: choose
    one, such as 1 for speeds per step.

    Args:
        circuit: anything with ``initial_state``, ``step``, ``weights`` and ``dt``.
        params: of the circuit; floating-point numbers are taken to float64.

    Example:
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=3, num_outputs=1, dt=20.0)
        >>> params = circuit.init(key=jax.random.key(0)) | {"recurrent": np.zeros((3, 3))}
        >>> found = circuit_step(circuit, params)
        >>> found.alpha, found.names
        (array([0.2, 0.2, 0.2]), ('current',))
        >>> with jax.enable_x64(True):
        ...     found.step(jnp.ones(3), jnp.zeros(1))  # only the leak is left
        Array([0.8, 0.8, 0.8], dtype=float64)
    """
    with jax.enable_x64(True):
        numbers = {name: _double(value) for name, value in params.items()}
        first = {name: _double(value) for name, value in circuit.initial_state(numbers).items()}
        names = tuple(first)
        start = np.concatenate([np.asarray(first[name]) for name in names])
        tau = np.asarray(circuit.weights(numbers).tau, np.float64)
        unravel = ravel_pytree([first[name] for name in names])[1]
    alpha = circuit.dt / tau if len(names) == 1 and _relaxes(circuit) else None

    def named(state: Any) -> dict[str, Any]:
        return dict(zip(names, unravel(state), strict=True))

    def step(state: Any, x: Any) -> Any:
        after = circuit.step(numbers, named(state), x)
        return jnp.concatenate([after[name] for name in names])

    def rates(states: Any) -> np.ndarray:
        with jax.enable_x64(True):
            states = jnp.asarray(states, jnp.float64)
            flat = states.reshape(-1, states.shape[-1])
            read = jax.vmap(lambda one: circuit.dynamics.readout(numbers, named(one)))(flat)
            return np.asarray(read).reshape(*states.shape[:-1], -1)

    return CircuitStep(step, start, alpha, float(circuit.dt), names, rates)


def _relaxes(circuit: Steppable) -> bool:
    """Whether neurons leak to what drives them; gated ones hold their state as long as their gates say."""
    return int(circuit.dynamics.num_drives) == 1


def _double(value: Any) -> jax.Array:
    value = jnp.asarray(value)
    return value.astype(jnp.float64) if jnp.issubdtype(value.dtype, jnp.floating) else value
