"""Runs of a circuit that an analysis interferes with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime.analysis._circuit_step import Steppable, circuit_step
from throughtime.analysis.arrays.simulate import Simulate
from throughtime.analysis.arrays.simulator import simulator


def circuit_simulator(
    circuit: Steppable,
    params: Mapping[str, Any],
    inputs: xr.DataArray,
    measure: Callable[[np.ndarray], float],
    *,
    valid: xr.DataArray | None = None,
) -> Simulate:
    """A circuit's noise-free run of given trials, as :func:`throughtime.analysis.perturb` and others call it.

    States are vectors as :func:`throughtime.analysis.circuit_step` makes them. Everything is in float64, and
    compiled once however often it runs.

    Args:
        circuit: anything with ``initial_state``, ``step``, ``weights`` and ``dt``.
        params: of the circuit.
        inputs: (trial, time, input) or (time, input).
        measure: how well the task was done, larger is better, from outputs (trial, time, output), without
            trials where inputs have none.
        valid: (trial, time) or (time), False after the end of a trial, where the state stands still.

    Returns:
        A function, see :class:`throughtime.analysis.arrays.simulate.Simulate`. It refuses to silence units
        whose rate is not 0 at state 0, and weights that the circuit's connectivity turns into others.

    Raises:
        ValueError: for inputs without these dims, or as
            :func:`throughtime.analysis.arrays.simulator.simulator`.

    Example:
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=3, num_outputs=1, dt=20.0)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> inputs = xr.DataArray(np.ones((4, 10, 1)), dims=("trial", "time", "input"))
        >>> run = circuit_simulator(circuit, params, inputs, lambda outputs: -np.mean(outputs**2))
        >>> states, performance = run()
        >>> states.shape, performance > run(silenced=np.array([True, False, False]))[1]
        ((4, 10, 3), False)
    """
    dims = [dim for dim in ("trial", "time", "input") if dim != "trial" or dim in inputs.dims]
    if set(inputs.dims) != set(dims):
        raise ValueError(f"inputs: dims {inputs.dims}; expected (trial, time, input) of one circuit.")
    drive = inputs.transpose(*dims).astype(np.float64)
    going = xr.ones_like(drive.isel(input=0, drop=True))
    if valid is not None:
        if any(valid.sizes[dim] != going.sizes.get(dim) for dim in valid.dims):
            raise ValueError(f"valid: {dict(valid.sizes)}; expected one value a step, {dict(going.sizes)}.")
        going = valid.drop_vars(valid.coords).astype(np.float64) * going.drop_vars(going.coords)
    going = going.transpose(*dims[:-1])
    channels = np.concatenate([drive.values, going.values[..., None]], axis=-1)
    found = circuit_step(circuit, params)
    with jax.enable_x64(True):
        numbers = {name: _double(value) for name, value in params.items()}
        weights = circuit.weights(numbers)
        own, readout, bias = (
            np.asarray(each, np.float64)
            for each in (weights.recurrent, weights.readout, weights.readout_bias)
        )
    replaceable = "recurrent" in numbers and np.array_equal(_turned(circuit, numbers, own), own)
    silent = not np.abs(found.rates(np.zeros_like(found.start))).max() > 0

    def step(state: Any, u: Any, given: Any = None) -> Any:
        named = dict(zip(found.names, state.reshape(len(found.names), -1), strict=True))
        after = circuit.step(numbers if given is None else numbers | {"recurrent": given}, named, u[:-1])
        return jnp.where(u[-1] > 0, jnp.concatenate([after[name] for name in found.names]), state)

    def score(states: np.ndarray) -> float:
        outputs = found.rates(states) @ readout.T + bias
        tau = getattr(circuit, "readout_tau", None)
        return measure(outputs if tau is None else _leaky(outputs, float(np.exp(-circuit.dt / tau))))

    run = simulator(step, found.start, channels, score, weights=own if replaceable else None)

    def simulate(
        *,
        pulse: np.ndarray | None = None,
        silenced: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        basis: np.ndarray | None = None,
    ) -> tuple[np.ndarray, float]:
        if silenced is not None and not silent:
            raise ValueError(
                "silenced: rates of this circuit are not 0 at state 0; use an activation that is 0 at 0."
            )
        if weights is not None:
            given = np.asarray(weights, np.float64)
            if not replaceable or not np.allclose(_turned(circuit, numbers, given), given, atol=0):
                raise ValueError(
                    "weights: the circuit's connectivity turns these into others (masks, signs, factors); "
                    "take an unconstrained circuit with the same weights."
                )
        return run(pulse=pulse, silenced=silenced, weights=weights, basis=basis)

    return simulate


def _turned(circuit: Steppable, numbers: dict[str, Any], given: np.ndarray) -> np.ndarray:
    """Effective recurrent weights with ``given`` in place of the free ones."""
    with jax.enable_x64(True):
        return np.asarray(circuit.weights(numbers | {"recurrent": jnp.asarray(given)}).recurrent)


def _leaky(arriving: np.ndarray, decay: float) -> np.ndarray:
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -decay], arriving, axis=-2))


def _double(value: Any) -> jax.Array:
    value = jnp.asarray(value)
    return value.astype(jnp.float64) if jnp.issubdtype(value.dtype, jnp.floating) else value
