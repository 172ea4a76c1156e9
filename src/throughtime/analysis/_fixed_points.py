"""Fixed and slow points as datasets; see :mod:`throughtime.analysis.arrays.fixed_points`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, describe
from throughtime.analysis._steps import Step, at, coordinates, each_seed
from throughtime.analysis.arrays import fixed_points as arrays

ABSENT = 2
STATUS = ("computed", "not_finite", "none_found")
FIELDS = {
    "location": Field(("state",), "1", "state at the point"),
    "speed": Field((), "1/tau", "speed"),
    "kind": Field((), "1", "kind of point"),
    "n_starts": Field((), "1", "starts that led to the point"),
    "condition_number": Field((), "1", "condition number of the Jacobian of the flow"),
    "distance_to_data": Field((), "1", "distance to the nearest state of the data"),
    "n_unstable": Field((), "1", "unstable directions, -1 where there is no point"),
    "step_eig_real": Field(("mode",), "1", "real part of the step's eigenvalue"),
    "step_eig_imag": Field(("mode",), "1", "imaginary part of the step's eigenvalue"),
    "period2": Field((), "1", "whether a real eigenvalue of the step is below -1"),
    "period": Field((), "1", "steps after which the state returns, 0 where there is no point"),
    "unstable_direction": Field(("direction", "state"), "1", "direction in which deviations grow"),
}
FILL: dict[str, Any] = {"kind": ABSENT, "n_starts": 0, "n_unstable": -1, "period2": 0, "period": 0}
FLAGS = {"kind": (*arrays.KINDS, "absent"), "period2": ("no", "yes"), "fit_status": STATUS}


def fixed_points(
    step: Step | Sequence[Step],
    starts: xr.DataArray,
    *,
    alpha: float | np.ndarray | xr.DataArray | None,
    inputs: xr.DataArray | None = None,
    data: xr.DataArray | None = None,
    period: int = 1,
    n_iter: int = 500,
    fixed_speed: float = 1e-8,
    slow_speed: float = 0.1,
    unique_tol: float = 1e-3,
    num_directions: int = 2,
) -> xr.Dataset:
    """Fixed and slow points of a circuit's step, for each of the inputs that stay, and for each seed.

    See :func:`throughtime.analysis.arrays.fixed_points.fixed_points`.
    :func:`throughtime.analysis.circuit_step` makes ``step`` and ``alpha`` from a circuit, and vectors from
    recorded states. Points under different inputs are never merged.

    Args:
        step: next state from a state (state,), or from a state and an input (input,), float64, for JAX to
            trace; or a sequence of such, one for each seed.
        starts: (…, state), usually about 1000 states that the circuit went through, with noise added. All
            dims but ``seed``, and ``input_condition`` where the inputs have it, are samples.
        alpha: dt/tau, one number or (state,); with dim ``seed`` as a named array.
        inputs: (input,), (input_condition, input), or either with ``seed``.
        data: (…, state) states to measure distance to; ``starts`` if not given.
        period, n_iter, fixed_speed, slow_speed, unique_tol, num_directions: see the array function.

    Returns:
        Dataset with dims (…, fixed_point): ``location`` (…, state), ``speed, kind, n_starts,
        condition_number, distance_to_data, n_unstable, period2, period``, ``step_eig_real, step_eig_imag``
        (…, mode) and ``unstable_direction`` (…, direction, state). Where inputs or seeds have fewer points
        than others, the last are absent by ``kind``. ``num_unclassified, fit_status`` (…): starts that led
        nowhere, and whether starts or inputs of a seed were not finite or no point was found.

    Raises:
        ValueError: as the array function, for arrays without the dims above, or a number of steps that is not
            that of the seeds.

    Example:
        >>> import jax.numpy as jnp
        >>> starts = xr.DataArray(np.linspace(-3.0, 3.0, 9)[:, None], dims=("trial", "state"))
        >>> drive = xr.DataArray([[0.0], [0.6]], dims=("input_condition", "input"))
        >>> found = fixed_points(lambda s, u: 2 * jnp.tanh(s) + u, starts, alpha=1.0, inputs=drive)
        >>> (found.kind == 0).sum("fixed_point").values, found.location.dims
        (array([3, 1]), ('input_condition', 'fixed_point', 'state'))
    """
    named = alpha if isinstance(alpha, xr.DataArray) else None
    each = each_seed(step, starts, "starts", alpha=named, inputs=inputs, data=data)
    _refuse_dims(inputs)
    outer = {} if "seed" not in starts.dims else {"seed": len(each)}
    if inputs is not None and "input_condition" in inputs.dims:
        outer["input_condition"] = inputs.sizes["input_condition"]
    options: dict[str, Any] = {
        "period": period, "n_iter": n_iter, "fixed_speed": fixed_speed, "slow_speed": slow_speed,
        "unique_tol": unique_tol, "num_directions": num_directions,
    }  # fmt: skip
    found: list[arrays.FixedPoints | None] = []
    for seed, its_step in enumerate(each):
        own = alpha if named is None else at(named, seed=seed)
        search = arrays.prepare(its_step, alpha=None if own is None else np.asarray(own), **options)
        for k in range(outer.get("input_condition", 1)):
            where = {"seed": seed, "input_condition": k} if "input_condition" in outer else {"seed": seed}
            drive = at(inputs, **where)
            given = (
                _samples(at(starts, **where)),
                drive if drive is None else drive.values,
                _samples(at(data, **where)),
            )
            sound = all(values is None or np.isfinite(values).all() for values in given)
            found.append(search(*given) if sound or not outer else None)
    dataset = _dataset(found, outer, starts.sizes["state"], num_directions)
    dataset = describe(dataset, "fixed_points", options)
    return coordinates(dataset, inputs, starts)


def _refuse_dims(inputs: xr.DataArray | None) -> None:
    if inputs is not None and "time" in inputs.dims:
        raise ValueError(
            "inputs: dim time; a point belongs to one input that stays, so select a time, or rename the dim "
            "input_condition to search under each."
        )
    dims = set() if inputs is None else set(inputs.dims) ^ {"input"}
    if inputs is not None and dims - {"seed", "input_condition"}:
        raise ValueError(f"inputs: dims {inputs.dims}; expected (input,) or (input_condition, input).")


def _samples(states: xr.DataArray | None) -> np.ndarray | None:
    if states is None:
        return None
    return states.transpose(..., "state").values.reshape(-1, states.sizes["state"])


def _dataset(
    found: Sequence[arrays.FixedPoints | None], outer: dict[str, int], size: int, num_directions: int
) -> xr.Dataset:
    """Points of every seed and input in arrays as long as the longest list of points."""
    longest = max([len(each.location) for each in found if each is not None], default=0)
    sizes = {"fixed_point": longest, "state": size, "mode": size, "direction": num_directions}
    variables: dict[str, Any] = {}
    for name, field in FIELDS.items():
        dims = ("fixed_point", *field.dims)
        filled = np.full((len(found), *(sizes[dim] for dim in dims)), FILL.get(name, np.nan))
        for row, points in zip(filled, found, strict=True):
            if points is not None:
                values = _values(points, name)
                row[: len(values)] = values
        attributes = {"units": field.units, "long_name": field.long_name}
        variables[name] = ((*outer, *dims), filled.reshape(*outer.values(), *filled.shape[1:]), attributes)
    counts = [0 if each is None else each.num_unclassified for each in found]
    status = [1 if each is None else 0 if len(each.location) else 2 for each in found]
    for name, values, words in (
        ("num_unclassified", np.array(counts), "starts that ended at no point"),
        ("fit_status", np.array(status, np.int8), "how the computation ended"),
    ):
        variables[name] = (
            tuple(outer),
            values.reshape(tuple(outer.values())),
            {"units": "1", "long_name": words},
        )
    dataset = xr.Dataset(variables)
    for name, meanings in FLAGS.items():
        dataset[name] = dataset[name].astype(np.int8)
        dataset[name].attrs |= {
            "flag_values": list(range(len(meanings))),
            "flag_meanings": " ".join(meanings),
        }
    return dataset


def _values(points: arrays.FixedPoints, name: str) -> np.ndarray:
    if name.startswith("step_eig"):
        return np.asarray(points.step_eig.real if name.endswith("real") else points.step_eig.imag)
    return np.asarray(getattr(points, name))
