"""Low-rank views as datasets; see :mod:`throughtime.analysis.arrays.lowrank_view`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._each_circuit import each_circuit, with_dims
from throughtime.analysis._named import Field, apply
from throughtime.analysis._steps import coordinates
from throughtime.analysis.arrays import lowrank_view as arrays
from throughtime.analysis.arrays.simulate import Simulate

VECTORS = {
    "singular_value": Field(("mode",), "1", "singular value"),
    "left": Field(("component", "unit"), "1", "left singular vector"),
    "right": Field(("component", "presynaptic_unit"), "1", "right singular vector"),
}
COSINES = {
    "left_right": Field(("component", "mode"), "1", "cosine of left and right vector"),
    "left_input": Field(("component", "input"), "1", "cosine of left and input vector"),
    "right_input": Field(("component", "input"), "1", "cosine of right and input vector"),
    "left_readout": Field(("component", "output"), "1", "cosine of left and readout vector"),
    "right_readout": Field(("component", "output"), "1", "cosine of right and readout vector"),
    "input_readout": Field(("input", "output"), "1", "cosine of input and readout vector"),
}
RANKS = {
    "performance": Field(("rank",), "1", "performance with truncated weights"),
    "performance_share": Field(("rank",), "1", "share of the performance kept with truncated weights"),
    "trajectory_error": Field(("rank",), "1", "relative error of trajectories with truncated weights"),
    "span_dimension": Field(("rank",), "1", "dimension of the subspace"),
    "span_share": Field(("rank",), "1", "share of the trajectories' squared length in the subspace"),
    "reduced_performance": Field(("rank",), "1", "performance of the dynamics in the subspace"),
    "reduced_share": Field(("rank",), "1", "share of the performance kept by the dynamics in the subspace"),
    "reduced_error": Field(("rank",), "1", "relative error of trajectories in the subspace"),
    "rank_status": Field(("rank",), "1", "how the runs ended"),
    "full_performance": Field((), "1", "performance of the circuit itself"),
}
CORE = {
    "weights": ("unit", "presynaptic_unit"),
    "before": ("unit", "presynaptic_unit"),
    "input_weights": ("unit", "input"),
    "readout": ("output", "unit"),
    "bias": ("unit",),
    "start": ("unit",),
}
NEEDS = {"input": "input_weights", "readout": "readout"}


def lowrank_view(
    weights: xr.DataArray,
    simulate: Simulate | Sequence[Simulate],
    *,
    before: xr.DataArray | None = None,
    input_weights: xr.DataArray | None = None,
    readout: xr.DataArray | None = None,
    bias: xr.DataArray | None = None,
    start: xr.DataArray | None = None,
    ranks: Sequence[int] | None = None,
    num_vectors: int | None = None,
    chance: float = 0.0,
) -> xr.Dataset:
    """Singular vectors of recurrent weights or of their change, and what is kept when only a few are.

    See :func:`throughtime.analysis.arrays.lowrank_view.lowrank_view`;
    :func:`throughtime.analysis.circuit_simulator` makes ``simulate`` from a circuit.

    Args:
        weights: (…, unit, presynaptic_unit). before: likewise, to view the change.
        simulate: runs the circuit; or a sequence of such, one for each element of the dim ``seed``.
        input_weights: (…, unit, input). readout: (…, output, unit). bias, start: (…, unit).
        ranks, num_vectors, chance: see the array function.

    Returns:
        Dataset: ``singular_value`` (…, mode), ``left`` (…, component, unit), ``right`` (…, component,
        presynaptic_unit); cosines ``left_right`` (…, component, mode), ``left_input, right_input`` (…,
        component, input), ``left_readout, right_readout`` (…, component, output), ``input_readout`` (…,
        input, output), where these weights are given; ``performance, performance_share, trajectory_error,
        span_dimension, span_share, reduced_performance, reduced_share, reduced_error, rank_status``
        (…, rank), ``full_performance, fit_status`` (…). A circuit that is refused among others is NaN, with
        the reason in the attribute ``refusal``.

    Raises:
        ValueError: as the array function, if no circuit can be computed; for arrays without the dims above,
            or another number of seeds than of circuits.

    Example:
        >>> from throughtime.analysis.arrays.simulator import simulator
        >>> own = 0.9 * np.outer([0.6, 0.8], [0.6, 0.8])
        >>> run = simulator(
        ...     lambda s, u, w: w @ s + u, np.zeros(2), np.tile([0.6, 0.8], (5, 1)), lambda s: s[-1, 1],
        ...     weights=own)
        >>> found = lowrank_view(xr.DataArray(own, dims=("unit", "presynaptic_unit")), run)
        >>> found.performance_share.values.round(3), found["rank"].values
        (array([0.244, 1.   , 1.   ]), array([0, 1, 2]))
    """
    runs, place = each_circuit(simulate)
    arguments = {
        "weights": weights, "before": before, "input_weights": input_weights, "readout": readout,
        "bias": bias, "start": start,
    }  # fmt: skip
    given = {
        name: with_dims(name, array, CORE[name], place)
        for name, array in arguments.items()
        if array is not None
    }
    size = weights.sizes["unit"]
    chosen = list(range(min(arrays.MOST, size) + 1)) if ranks is None else [int(rank) for rank in ranks]
    absent = {
        name for name in COSINES for part, needed in NEEDS.items() if part in name and needed not in given
    }
    cosines = {name: field for name, field in COSINES.items() if name not in absent}
    fields = VECTORS | cosines | RANKS

    def one(index: np.ndarray, *values: np.ndarray) -> tuple[Any, ...]:
        named: dict[str, Any] = dict(zip(given, values, strict=True))
        found = arrays.lowrank_view(
            named.pop("weights"), runs[int(index)], ranks=chosen, num_vectors=num_vectors, chance=chance,
            **named,
        )  # fmt: skip
        return (
            found.singular_value, found.left, found.right,
            *(getattr(found.cosines, name) for name in cosines),
            found.performance, found.performance_share, found.trajectory_error, found.span_dimension,
            found.span_share, found.reduced_performance, found.reduced_share, found.reduced_error,
            found.status, found.full_performance,
        )  # fmt: skip

    sizes = {"mode": size, "rank": len(chosen)}
    sizes["component"] = max(max(chosen, default=1), 1) if num_vectors is None else min(num_vectors, size)
    for array in given.values():
        sizes |= {str(dim): length for dim, length in array.sizes.items()}
    attempts = Attempts(one, blank(fields, sizes, {"rank_status": len(arrays.STATUS), "span_dimension": 0}))
    dataset = apply(
        attempts,
        (place, *(array.drop_vars(array.coords) for array in given.values())),
        [(), *(CORE[name] for name in given)],
        fields | {"fit_status": STATUS},
        method="lowrank_view",
        parameters={"chance": chance, "of": "weights" if before is None else "change"},
    )
    for name, meanings in (
        ("rank_status", (*arrays.STATUS, "refused")),
        ("fit_status", ("computed", "refused")),
    ):
        dataset[name] = dataset[name].astype(np.int8)
        codes = list(range(len(meanings)))
        dataset[name].attrs |= {"flag_values": codes, "flag_meanings": " ".join(meanings)}
    dataset = dataset.assign_coords(rank=("rank", chosen, {"units": "1", "long_name": "rank kept"}))
    return coordinates(attempts.told(dataset), *given.values())
