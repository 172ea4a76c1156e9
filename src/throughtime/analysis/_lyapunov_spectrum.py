"""Lyapunov exponents as datasets; see :mod:`throughtime.analysis.arrays.lyapunov_spectrum`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply
from throughtime.analysis._steps import Step, at, coordinates, each_seed
from throughtime.analysis.arrays import lyapunov_spectrum as arrays

FIELDS = {
    "exponent": Field(("direction",), "1/ms", "Lyapunov exponent"),
    "kaplan_yorke": Field((), "1", "Kaplan–Yorke dimension"),
    "mean_log_det": Field((), "1/ms", "mean logarithm of the determinant of the Jacobian"),
    "final_state": Field(("state",), "1", "state after the last step"),
    "fit_status": Field((), "1", "how the computation ended"),
}


def lyapunov_spectrum(
    step: Step | Sequence[Step],
    start: xr.DataArray,
    *,
    dt: float,
    inputs: xr.DataArray | None = None,
    num_steps: int = 20_000,
    burn_in: int = 2_000,
    qr_every: int = 1,
    num_exponents: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Lyapunov exponents of a circuit's step along the trajectory from each start.

    See :func:`throughtime.analysis.arrays.lyapunov_spectrum.lyapunov_spectrum`.
    :func:`throughtime.analysis.circuit_step` makes ``step``, ``start`` and ``dt`` from a circuit.

    Args:
        step: next state from a state (state,), or from a state and an input (input,), float64, for JAX to
            trace; or a sequence of such, one for each element of the dim ``seed`` of ``start``.
        start: (…, state), one trajectory for each element of the other dims.
        dt: ms. inputs: (…, time, input) where ``step`` takes one; dims it shares with ``start`` go together.
        num_steps, burn_in, qr_every, num_exponents, seed: see the array function.

    Returns:
        Dataset: ``exponent`` (…, direction) 1/ms, descending; ``kaplan_yorke`` (…), ``mean_log_det`` (…)
        1/ms, ``final_state`` (…, state), and ``fit_status`` (…): whether the trajectory diverged, or one of
        many began with what is not finite, and all is NaN, or the Jacobian was singular, and exponents are
        −∞.

    Raises:
        ValueError: as the array function, for arrays without the dims above, or a number of steps that is not
            that of the seeds.

    Example:
        >>> start = xr.DataArray(np.ones((2, 1)), dims=("trial", "state"))
        >>> found = lyapunov_spectrum(lambda s: 0.9 * s, start, dt=1.0, num_steps=10, burn_in=0)
        >>> np.exp(found.exponent).values.round(9).ravel(), found.exponent.attrs["units"]
        (array([0.9, 0.9]), '1/ms')
    """
    each = each_seed(step, start, "start", inputs=inputs)
    if inputs is not None and not {"time", "input"} <= set(inputs.dims):
        raise ValueError(f"inputs: dims {inputs.dims}; expected (…, time, input).")
    parts = []
    for index, its_step in enumerate(each):
        measure = arrays.prepare(
            its_step, dt=dt, num_steps=num_steps, burn_in=burn_in, qr_every=qr_every,
            num_exponents=num_exponents, seed=seed,
        )  # fmt: skip
        here, drive = at(start, seed=index), at(inputs, seed=index)
        assert here is not None
        size = here.sizes["state"]
        given = [here.drop_vars(here.coords)]
        core: list[tuple[str, ...]] = [("state",)]
        if drive is not None:
            given, core = [*given, drive.drop_vars(drive.coords)], [*core, ("time", "input")]
        parts.append(
            apply(
                partial(_one, measure, size if num_exponents is None else num_exponents, start.ndim > 1),
                given,
                core,
                FIELDS,
                method="lyapunov_spectrum",
                parameters={
                    "dt": float(dt),
                    "num_steps": num_steps,
                    "burn_in": burn_in,
                    "qr_every": qr_every,
                    "seed": seed,
                },
            )
        )
    dataset = parts[0]
    if "seed" in start.dims:
        dataset = xr.concat(parts, "seed", join="exact", combine_attrs="identical")
        dataset = dataset.assign_coords(seed=np.arange(len(parts)))
    dataset["fit_status"] = dataset["fit_status"].astype(np.int8)
    dataset["fit_status"].attrs |= {"flag_values": [0, 1, 2], "flag_meanings": " ".join(arrays.STATUS)}
    return coordinates(dataset, start, None if inputs is None else inputs.isel(time=0, input=0, drop=True))


def _one(
    measure: Callable[..., arrays.LyapunovSpectrum], num_exponents: int, mapped: bool, *values: np.ndarray
) -> tuple[object, ...]:
    """What ``measure`` gives, or of one trajectory among others whose start or input is not finite, NaN."""
    if mapped and not all(np.isfinite(each).all() for each in values):
        return np.full(num_exponents, np.nan), np.nan, np.nan, np.full(values[0].shape, np.nan), 1
    return tuple(measure(*values))
