"""Gradient norms of circuits; see :mod:`throughtime.analysis.arrays.gradient_norms`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import gradient_norms as arrays

FIELDS = {
    "jacobian_norm": Field(("lag",), "1", "Jacobian norm"),
    "slope": Field((), "1/ms", "slope of the log Jacobian norm"),
    "num_left_out": Field((), "1", "Jacobian norms the slope leaves out"),
    "loss_gradient_norm": Field(("time",), "1", "loss gradient norm"),
    "loss_gradient_slope": Field((), "1/ms", "slope of the log loss gradient norm"),
    "num_left_out_loss_gradient": Field((), "1", "loss gradient norms the slope leaves out"),
    "fit_status": Field((), "1", "0 computed, 1 diverged"),
}


class Steppable(Protocol):
    """What has a state before the first step and a noise-free step, such as a circuit."""

    def initial_state(self, params: Any) -> Any:
        """State before the first step, name -> (unit,)."""

    def step(self, params: Any, state: Any, x: Any) -> Any:
        """Next state from a state and an input (input,)."""


def gradient_norms(
    circuit: Steppable,
    params: Mapping[str, Any],
    inputs: xr.DataArray,
    loss: Callable[..., Any],
    *,
    targets: Sequence[xr.DataArray] = (),
    valid: xr.DataArray | None = None,
    dt: float | None = None,
    lags: np.ndarray | None = None,
) -> xr.Dataset:
    """Norms of the gradients by a circuit's state, trial by trial, and their slopes over lag.

    See :func:`throughtime.analysis.arrays.gradient_norms.gradient_norms`. The variables of a neuron's state
    count as one vector, in their own units. One circuit, hence one seed, a call; everything is computed in
    float64, and without noise.

    Args:
        circuit: anything with ``initial_state(params)`` and ``step(params, state, x)``.
        params: of the circuit; floating-point numbers are taken to float64.
        inputs: (…, time, input), usually (trial, time, input).
        loss: scalar of one trial from its states after each step, name -> (time, unit), and its
            ``targets``.
        targets: arrays for ``loss``; dims they share with ``inputs``, but for time and input, are mapped.
        valid: (…, time) False after the end of the trial; lags are then counted from its last step.
        dt: step, ms; the spacing of the coordinate ``time`` of ``inputs`` if not given.
        lags: (lag,) ms, increasing multiples of dt; all if not given.

    Returns:
        Dataset: ``jacobian_norm`` (…, lag), ``loss_gradient_norm`` (…, time), ``slope,
        loss_gradient_slope`` (…) 1/ms, ``num_left_out, num_left_out_loss_gradient`` (…) norms that these
        leave out, ``fit_status`` (…) 1 where the circuit diverged and all is NaN.

    Raises:
        ValueError: as the array function, or for inputs without dims time and input, or without dt.

    Example:
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=1, dt=20.0)
        >>> params = circuit.init(key=jax.random.key(0)) | {"recurrent": np.zeros((4, 4))}
        >>> inputs = xr.DataArray(np.ones((2, 10, 1)), dims=("trial", "time", "input"))
        >>> result = gradient_norms(circuit, params, inputs, lambda h: h["current"][-1].sum(), dt=20.0)
        >>> result.slope.values.round(6)  # only the leak is left: ln(1 − 20/100) / 20
        array([-0.011157, -0.011157])
    """
    missing = {"time", "input"} - set(inputs.dims)
    if missing:
        raise ValueError(f"inputs: dims {inputs.dims} lack {', '.join(sorted(missing))}; name them so.")
    dt = _spacing(inputs) if dt is None else dt
    with jax.enable_x64(True):
        numbers = {name: _double(value) for name, value in params.items()}
        start = circuit.initial_state(numbers)
    one = arrays.prepare(lambda state, x: circuit.step(numbers, state, x), loss, dt=dt, lags=lags)
    valid = xr.ones_like(inputs.isel(input=0, drop=True), dtype=bool) if valid is None else valid.astype(bool)
    mapped = set(inputs.dims) - {"time", "input"}
    own = [tuple(str(dim) for dim in each.dims if dim not in mapped) for each in targets]

    def norms(x: np.ndarray, here: np.ndarray, *goals: np.ndarray) -> tuple[Any, ...]:
        found = one(start, x, goals, here)
        return (
            found.jacobian_norm, found.slope, found.num_left_out, found.loss_gradient_norm,
            found.loss_gradient_slope, found.num_left_out_loss_gradient, int(found.diverged),
        )  # fmt: skip

    dataset = apply(
        norms,
        (inputs, valid, *targets),
        [("time", "input"), ("time",), *own],
        FIELDS,
        method="gradient_norms",
        parameters={"dt": dt},
    )
    lag = arrays.steps_back(lags, dt, inputs.sizes["time"]) * dt
    centre = (np.arange(inputs.sizes["time"]) + 0.5) * dt
    dataset = dataset.assign_coords(
        lag=("lag", lag, {"units": "ms", "long_name": "time before the last state"}),
        time=("time", centre, {"units": "ms", "long_name": "time of the centre of the bin"}),
    )
    kept = (name for name in inputs.coords if set(inputs[name].dims) <= set(dataset.dims))
    named = dataset.assign_coords({name: inputs[name] for name in kept})
    named["time"].attrs = dataset["time"].attrs | named["time"].attrs
    return named


def _spacing(inputs: xr.DataArray) -> float:
    time = inputs["time"].values if "time" in inputs.coords else np.zeros(0)
    steps = np.diff(time)
    if not steps.size or not np.allclose(steps, steps.mean(), rtol=1e-6, atol=0):
        raise ValueError("dt: not given, and inputs have no evenly spaced coordinate time; pass dt in ms.")
    return float(steps.mean())


def _double(value: Any) -> jax.Array:
    value = jnp.asarray(value)
    return value.astype(jnp.float64) if jnp.issubdtype(value.dtype, jnp.floating) else value
