"""Jacobian spectra as datasets; see :mod:`throughtime.analysis.arrays.jacobian_spectrum`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, describe
from throughtime.analysis._steps import Step, at, coordinates, each_seed
from throughtime.analysis.arrays import jacobian_spectrum as arrays
from throughtime.analysis.arrays.steps import step_size

STATUS = ("computed", "not_finite")
FIELDS = {
    "step_eig": Field(("mode",), "1", "eigenvalue of the step"),
    "cont_eig": Field(("mode",), "1/ms", "eigenvalue of the flow"),
    "time_constant": Field(("mode",), "ms", "time constant"),
    "time_constant_step": Field(("mode",), "ms", "time constant of the steps"),
    "frequency": Field(("mode",), "Hz", "frequency"),
    "right": Field(("mode", "state"), "1", "right eigenvector"),
    "left": Field(("mode", "state"), "1", "selection vector"),
    "eigenvector_condition": Field((), "1", "condition number of the eigenvectors"),
    "henrici": Field((), "1/ms", "departure of the flow from normality"),
    "numerical_abscissa": Field((), "1/ms", "largest rate at which deviations can grow"),
}
COMPLEX = ("step_eig", "cont_eig", "right", "left")


def jacobian_spectrum(
    step: Step | Sequence[Step],
    states: xr.DataArray,
    *,
    dt: float,
    inputs: xr.DataArray | None = None,
) -> xr.Dataset:
    """Eigenvalues, time constants, selection vectors and non-normality of a circuit's step at given states.

    See :func:`throughtime.analysis.arrays.jacobian_spectrum.jacobian_spectrum`.
    :func:`throughtime.analysis.circuit_step` makes ``step`` and ``dt`` from a circuit.

    Args:
        step: next state from a state (state,), or from a state and an input (input,), float64, for JAX to
            trace; or a sequence of such, one for each seed.
        states: (…, state), such as ``location`` of :func:`throughtime.analysis.fixed_points`.
        dt: ms.
        inputs: (…, input) where ``step`` takes one; dims it shares with ``states`` go together.

    Returns:
        Dataset: ``step_eig_real, step_eig_imag`` and ``cont_eig_real, cont_eig_imag`` (…, mode),
        ``time_constant, time_constant_step`` (…, mode) ms, ``frequency`` (…, mode) Hz, ``right_real,
        right_imag, left_real, left_imag`` (…, mode, state), ``eigenvector_condition, henrici,
        numerical_abscissa`` (…), and ``fit_status`` (…): not computed, and NaN, where one of many states, its
        input or its Jacobian is not finite.

    Raises:
        ValueError: as the array function, for arrays without the dims above, or a number of steps that is not
            that of the seeds.

    Warns:
        UserWarning: as the array function.

    Example:
        >>> states = xr.DataArray(np.zeros((2, 1)), dims=("fixed_point", "state"))
        >>> found = jacobian_spectrum(lambda s: s + 0.1 * (0.9 * s - s), states, dt=1.0)
        >>> found.time_constant.round(6).values.ravel(), found.time_constant.attrs["units"]
        (array([100., 100.]), 'ms')
    """
    each = each_seed(step, states, "states", inputs=inputs)
    if inputs is not None and "input" not in inputs.dims:
        raise ValueError(f"inputs: dims {inputs.dims} lack input; name the channels so.")
    mapped = states.ndim > 1
    parts = []
    for seed, its_step in enumerate(each):
        here, drive = at(states, seed=seed), at(inputs, seed=seed)
        jacobians = arrays.prepare_jacobians(its_step, among_others=mapped)
        parts.append(_of_one(jacobians, here, drive, mapped, step_size(dt)))
    dataset = xr.concat(parts, "seed", join="exact") if "seed" in states.dims else parts[0]
    dataset["fit_status"].attrs |= {"flag_values": [0, 1], "flag_meanings": " ".join(STATUS)}
    return coordinates(describe(dataset, "jacobian_spectrum", {"dt": float(dt)}), states, inputs)


def _of_one(
    jacobians: Callable[..., np.ndarray],
    states: xr.DataArray,
    inputs: xr.DataArray | None,
    mapped: bool,
    dt: float,
) -> xr.Dataset:
    """Spectra of one circuit at all states, those left out that are not finite among others."""
    states = states.drop_vars(list(states.coords)).transpose(..., "state")
    drive = None
    if inputs is not None:
        inputs = inputs.drop_vars(list(inputs.coords))
        states, inputs = xr.broadcast(states, inputs, exclude=("state", "input"))
        drive = inputs.transpose(*states.dims[:-1], "input").values.reshape(-1, inputs.sizes["input"])
    points = states.values.reshape(-1, states.sizes["state"])
    sound = np.ones(len(points), bool)
    if mapped:
        sound = np.isfinite(points).all(1) & (True if drive is None else np.isfinite(drive).all(1))
    found = None
    if sound.any():
        slopes = jacobians(points[sound], None if drive is None else drive[sound])
        finite = np.isfinite(slopes).all((1, 2))
        sound[sound] = finite
        found = arrays.spectrum(slopes[finite], dt=dt) if finite.any() else None
    return _dataset(found, sound, states.dims[:-1], states.shape)


def _dataset(
    found: arrays.JacobianSpectrum | None, sound: np.ndarray, dims: tuple[Any, ...], shape: tuple[int, ...]
) -> xr.Dataset:
    """Spectra found, in their place among those left out."""
    sizes = {"mode": shape[-1], "state": shape[-1]}
    variables: dict[str, Any] = {}
    for name, field in FIELDS.items():
        filled = np.full((sound.size, *(sizes[dim] for dim in field.dims)), complex(np.nan, np.nan))
        if found is not None:
            filled[sound] = getattr(found, name)
        shaped = filled.reshape((*shape[:-1], *filled.shape[1:]))
        parts = {name: (shaped.real, "")}
        if name in COMPLEX:
            parts = {
                f"{name}_real": (shaped.real, ", real part"),
                f"{name}_imag": (shaped.imag, ", imaginary part"),
            }
        for part, (values, words) in parts.items():
            attributes = {"units": field.units, "long_name": field.long_name + words}
            variables[part] = ((*dims, *field.dims), values.copy(), attributes)
    status = np.where(sound, 0, 1).astype(np.int8).reshape(shape[:-1])
    variables["fit_status"] = (dims, status, {"units": "1", "long_name": "how the computation ended"})
    return xr.Dataset(variables)
