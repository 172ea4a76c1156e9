"""Perturbations and lesions as datasets; see :mod:`throughtime.analysis.arrays.perturb`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._each_circuit import each_circuit, with_dims
from throughtime.analysis._named import Field, apply
from throughtime.analysis._steps import coordinates
from throughtime.analysis.arrays import perturb as arrays
from throughtime.analysis.arrays.simulate import Simulate

BOUNDS = {"": "", "_lower": ", lower bound", "_upper": ", upper bound"}
MEASURE = "change of the task measure"


def _bounded(name: str, dims: tuple[str, ...], long_name: str) -> dict[str, Field]:
    return {f"{name}{end}": Field(dims, "1", f"{long_name}{told}") for end, told in BOUNDS.items()}


PULSE = {
    "pulse_deviation": Field(("direction", "time"), "1", "deviation after a pulse"),
    "pulse_recovery": Field(("direction",), "ms", "recovery time constant"),
    "pulse_measure_change": Field(("direction",), "1", f"{MEASURE} by a pulse"),
    "pulse_p_value": Field(("direction",), "1", "p of a change as large under random directions"),
    **_bounded("null_pulse_deviation", ("time",), "deviation after pulses in random directions"),
    "null_pulse_recovery": Field(("draw",), "ms", "recovery time constant, random direction"),
    "null_pulse_measure_change": Field(("draw",), "1", f"{MEASURE} by a pulse in a random direction"),
}
LESION = {
    "lesion_deviation": Field(("lesion", "time"), "1", "deviation after a lesion"),
    "lesion_measure_change": Field(("lesion",), "1", f"{MEASURE} by a lesion"),
    "lesion_p_value": Field(("lesion",), "1", "p of a change as large under random lesions"),
    **_bounded("null_lesion_deviation", ("lesion", "time"), "deviation after random lesions"),
    "null_lesion_measure_change": Field(("lesion", "draw"), "1", f"{MEASURE} by a random lesion"),
}
WEIGHTS = {
    **_bounded("weights_deviation", ("time",), "deviation with resampled weights"),
    "weights_measure_change": Field(("draw",), "1", f"{MEASURE} by resampled weights"),
}


def perturb(
    simulate: Simulate | Sequence[Simulate],
    *,
    dt: float,
    seed: int,
    directions: xr.DataArray | None = None,
    size: float | None = None,
    time: float | None = None,
    silenced: xr.DataArray | None = None,
    weights: xr.DataArray | None = None,
    valid: xr.DataArray | None = None,
    num_random: int = 99,
    confidence: float = 0.95,
    resample: arrays.Resample = arrays.shuffled,
) -> xr.Dataset:
    """What pulses, lesions and resampled weights do to a circuit's states and to the task, beside chance.

    Each of the three that is asked for: pulses where ``directions``, ``size`` and ``time`` are given, lesions
    where ``silenced`` is, resampled weights where ``weights`` are. See
    :func:`throughtime.analysis.arrays.perturb.pulses`,
    :func:`~throughtime.analysis.arrays.perturb.lesions` and
    :func:`~throughtime.analysis.arrays.perturb.resampled_weights`;
    :func:`throughtime.analysis.circuit_simulator` makes ``simulate`` from a circuit.

    Args:
        simulate: runs the circuit; or a sequence of such, one for each seed.
        dt: ms. seed: of all random draws, the same for each circuit.
        directions: (…, direction, state) of pulses. size: of a pulse. time: of the pulse, ms.
        silenced: (…, lesion, unit) boolean. weights: (…, unit, presynaptic_unit), the circuit's own.
        valid: (…, trial, time) or (…, time), False after the end of a trial: such samples take no part in
            deviations, which are NaN at times when no trial goes on.
        num_random: random directions, random lesions and resampled weights, of each. confidence: of bounds.
        resample: see :func:`~throughtime.analysis.arrays.perturb.resampled_weights`.

    Returns:
        Dataset: ``pulse_deviation`` (…, direction, time), ``pulse_recovery`` (…, direction) ms,
        ``pulse_measure_change, pulse_p_value`` (…, direction), ``null_pulse_deviation`` (…, time) with
        ``_lower`` and ``_upper``, ``null_pulse_recovery, null_pulse_measure_change`` (…, draw); likewise over
        ``lesion``; ``weights_deviation`` (…, time) with bounds, ``weights_measure_change`` (…, draw);
        ``measure`` (…) without a perturbation, and ``fit_status`` (…). A circuit that is refused among others
        is NaN, with the reason in the attribute ``refusal``.

    Raises:
        ValueError: as the array functions, if no circuit can be computed; where nothing is asked for; for
            arrays without the dims above, or another number of seeds than of circuits.

    Example:
        >>> from throughtime.analysis.arrays.simulator import simulator
        >>> run = simulator(lambda s, u: 0.5 * s, np.ones(2), np.zeros((6, 1)), lambda s: s[-1].sum())
        >>> directions = xr.DataArray([[1.0, 0.0]], dims=("direction", "state"))
        >>> found = perturb(run, dt=1.0, seed=0, directions=directions, size=1.0, time=2.0, num_random=9)
        >>> found.pulse_deviation.values, found.pulse_recovery.attrs["units"]
        (array([[0.   , 0.   , 1.   , 0.5  , 0.25 , 0.125]]), 'ms')
    """
    runs, place = each_circuit(simulate)
    options: dict[str, Any] = {"seed": seed, "num_random": num_random, "confidence": confidence}
    pulse: dict[str, Any] = {"size": size, "time": time}
    if directions is None and any(value is not None for value in pulse.values()):
        raise ValueError("directions: not given, but size or time of a pulse are; pass (direction, state).")
    if directions is not None and any(value is None for value in pulse.values()):
        raise ValueError(f"size, time: {size}, {time}; a pulse along directions needs both.")
    asked: dict[str, tuple[xr.DataArray | None, tuple[str, ...], dict[str, Field]]] = {
        "directions": (directions, ("direction", "state"), PULSE),
        "silenced": (silenced, ("lesion", "unit"), LESION),
        "weights": (weights, ("unit", "presynaptic_unit"), WEIGHTS),
    }
    given = {
        name: with_dims(name, array, core, place)
        for name, (array, core, _) in asked.items()
        if array is not None
    }
    if not given:
        raise ValueError(
            "directions, silenced, weights: none given; ask for at least one kind of perturbation."
        )
    kinds = list(given)
    if valid is not None:
        ends = ("trial", "time") if "trial" in valid.dims else ("time",)
        asked["valid"] = (valid, ends, {})
        given["valid"] = with_dims("valid", valid, ends, place)
    fields = {name: field for kind in kinds for name, field in asked[kind][2].items()}
    fields |= {"measure": Field((), "1", "task measure without a perturbation")}

    def one(index: np.ndarray, *values: np.ndarray) -> list[Any]:
        run, flat, measure = runs[int(index)], [], np.nan
        counted = None if valid is None else values[-1].astype(bool)
        each_kind = {"valid": counted, **options}
        for kind, value in zip(kinds, values[: len(kinds)], strict=True):
            found: Any
            if kind == "directions":
                found = arrays.pulses(run, value, dt=dt, **pulse, **each_kind)
            elif kind == "silenced":
                found = arrays.lesions(run, value.astype(bool), **each_kind)
            else:
                found = arrays.resampled_weights(run, value, resample=resample, **each_kind)
            for each in found[:-1]:
                flat += list(each) if isinstance(each, tuple) else [each]
            measure = found.measure
        return [*flat, measure]

    sizes = {"time": np.shape(runs[0]()[0])[-2], "draw": num_random}
    for array in given.values():
        sizes |= {str(dim): length for dim, length in array.sizes.items()}
    attempts = Attempts(one, blank(fields, sizes))
    dataset = apply(
        attempts,
        (place, *(array.drop_vars(array.coords) for array in given.values())),
        [(), *(asked[name][1] for name in given)],
        fields | {"fit_status": STATUS},
        method="perturb",
        parameters={"dt": float(dt), "pulse_size": size, "pulse_time": time, **options},
    )
    dataset["fit_status"] = dataset["fit_status"].astype(np.int8)
    dataset["fit_status"].attrs |= {"flag_values": [0, 1], "flag_meanings": "computed refused"}
    centre = (np.arange(sizes["time"]) + 0.5) * dt
    attributes = {"units": "ms", "long_name": "time of the centre of the bin"}
    return coordinates(
        attempts.told(dataset.assign_coords(time=("time", centre, attributes))), *given.values()
    )
