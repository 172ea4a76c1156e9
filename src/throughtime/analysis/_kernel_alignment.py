"""Rich or lazy learning as datasets; see :mod:`throughtime.analysis.arrays.kernel_alignment`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._blocks import LEADING, UPDATE, blocks, with_update
from throughtime.analysis._gradient_comparison import block_coordinate
from throughtime.analysis._named import Field, apply, describe
from throughtime.analysis.arrays import kernel_alignment as arrays
from throughtime.analysis.arrays.checks import DegenerateError

CHECKPOINT = "checkpoint"
STATUS = {"flag_values": [0, 1, 2], "flag_meanings": "computed not_finite constant"}
Params = xr.Dataset | Mapping[str, Any]


def kernel_alignment(
    rates: xr.DataArray | None = None,
    *,
    outputs: Callable[[Any, Any], Any] | None = None,
    params: Params | None = None,
    inputs: xr.DataArray | None = None,
    entering: Sequence[str] | None = None,
    jacobian: xr.DataArray | None = None,
    start_rates: xr.DataArray | None = None,
    start_params: Params | None = None,
    start_jacobian: xr.DataArray | None = None,
) -> xr.Dataset:
    """How far learning turned the kernels of representation and tangent, and how far it moved the weights.

    See :func:`throughtime.analysis.arrays.kernel_alignment.kernel_alignment`. Every kernel is set beside the
    first along the dim ``checkpoint``, or beside a start given. Lazy learning keeps the tangent kernel at an
    alignment of 1 and hardly moves the weights; rich learning turns it.

    Args:
        rates: (…, trial, unit) activity at one time, such as that of the decision; from it
            ``representation_alignment``.
        outputs: outputs of one trial from parameters by name and its input, for JAX to trace.
        params: name -> array, with dims ``run``, ``seed`` and ``checkpoint`` beside their own;
            ``checkpoint_update`` among them is carried over. inputs: (…, trial, …) of ``outputs``. From these
            three ``tangent_alignment``, from the parameters ``relative_weight_change``.
        entering: names of the parameters that both count; all if not given.
        jacobian: (…, trial, output, parameter) derivatives that are there already, in place of ``outputs``.
        start_rates, start_params, start_jacobian: before learning, without a dim ``checkpoint``.

    Returns:
        Dataset, of what was given: ``representation_alignment, representation_alignment_centred`` and
        ``tangent_alignment, tangent_alignment_centred`` (…), with ``representation_num_rows,
        tangent_num_rows`` and ``representation_status, tangent_status``: alignments are NaN where something
        is not finite, or nothing varies over trials; ``relative_weight_change`` (…, block), NaN for a block
        that was 0. The attribute ``parameters`` names those that enter.

    Raises:
        ValueError: as the array function; for none of these given, or no start.

    Example:
        >>> rates = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, -1.0]]])
        >>> rates = xr.DataArray(rates, dims=("checkpoint", "trial", "unit"))
        >>> kernel_alignment(rates).representation_alignment.values.round(9)  # turned, which no kernel sees
        array([1., 1.])
    """
    parts, told = [], {}
    if rates is not None:
        start = _start("rates", rates, start_rates)
        parts.append(_aligned("representation", rates, start, ("trial", "unit")))
    if jacobian is not None:
        start = _start("jacobian", jacobian, start_jacobian)
        parts.append(_aligned("tangent", jacobian, start, ("trial", "output", "parameter")))
    if params is not None:
        before = _start_params(params, start_params)
        names = _entering(params, entering)
        told["parameters"] = " ".join(names)
        parts.append(_moved(params, before, names))
        if outputs is not None:
            if inputs is None or jacobian is not None:
                raise ValueError("outputs: needs params and inputs, and no jacobian; give these alone.")
            parts.append(_tangent(outputs, params, before, inputs, names))
    elif outputs is not None:
        raise ValueError("outputs: needs params and inputs; give the parameters by name.")
    if not parts:
        raise ValueError("rates: nothing given; pass rates, a jacobian, or outputs, params and inputs.")
    dataset = xr.merge(parts, combine_attrs="override", compat="no_conflicts", join="outer")
    reference = (
        "given"
        if any(each is not None for each in (start_rates, start_params, start_jacobian))
        else "first checkpoint"
    )
    dataset = describe(dataset, "kernel_alignment", {"reference": reference, **told})
    return dataset if params is None else with_update(dataset, params)


def _aligned(kind: str, after: xr.DataArray, before: xr.DataArray, core: tuple[str, ...]) -> xr.Dataset:
    missing = sorted(set(core) - set(after.dims))
    if missing:
        raise ValueError(f"{kind}: dims {after.dims} lack {', '.join(missing)}; name them so.")
    mapped = set(after.dims) > set(core)
    return apply(
        lambda one, start: _values(one, start, mapped),
        (after, before.reset_coords(drop=True)),
        [core, core],
        _fields(kind),
        method="",
        parameters={},
    ).pipe(_flagged, kind)


def _tangent(
    outputs: Callable[[Any, Any], Any],
    params: Params,
    before: Params,
    inputs: xr.DataArray,
    names: tuple[str, ...],
) -> xr.Dataset:
    after, start = blocks(params), blocks(before)
    own = tuple(str(dim) for dim in inputs.dims if dim not in LEADING)
    if "trial" not in own:
        raise ValueError(f"inputs: dims {inputs.dims} lack trial; name them so.")
    own = ("trial", *(dim for dim in own if dim != "trial"))
    derive = arrays.prepare(outputs, entering=names)
    mapped = bool(after.leading) or set(inputs.dims) > set(own)
    kept: dict[bytes, np.ndarray] = {}

    def one(trials: np.ndarray, *values: np.ndarray) -> tuple[Any, ...]:
        count = len(after.names)
        now = dict(zip(after.names, values[:count], strict=True))
        first = dict(zip(start.names, values[count:], strict=True))
        if mapped and not all(np.isfinite(value).all() for value in (trials, *values)):
            return np.nan, np.nan, 0, 1
        key = b"".join(value.tobytes() for value in (trials, *values[count:]))
        if key not in kept:  # the start of a seed is that of all its checkpoints
            kept.clear()
            kept[key] = derive(first, trials)
        return _values(derive(now, trials), kept[key], mapped)

    dataset = apply(
        one,
        (inputs.reset_coords(drop=True), *after.arrays, *start.arrays),
        [own, *after.core_dims, *start.core_dims],
        _fields("tangent"),
        method="",
        parameters={},
    )
    return _flagged(dataset, "tangent")


def _moved(params: Params, before: Params, names: tuple[str, ...]) -> xr.Dataset:
    after, start = (
        blocks({name: params[name] for name in names}),
        blocks({name: before[name] for name in names}),
    )

    def one(*values: np.ndarray) -> tuple[Any, ...]:
        count = len(names)
        if after.leading and not all(np.isfinite(value).all() for value in values):
            return (np.full(count + 1, np.nan),)
        pairs = (dict(zip(names, each, strict=True)) for each in (values[:count], values[count:]))
        return (np.array(list(arrays.relative_change(*pairs).values())),)

    dataset = apply(
        one,
        (*after.arrays, *start.arrays),
        [*after.core_dims, *start.core_dims],
        {"relative_weight_change": Field(("block",), "1", "norm of the change relative to the start")},
        method="",
        parameters={},
    )
    return dataset.assign_coords(block=block_coordinate((*names, "all")))


def _values(after: np.ndarray, before: np.ndarray, mapped: bool) -> tuple[Any, ...]:
    """Alignments, rows and status; a failure among others is a value, and one alone is refused."""
    if mapped and not (np.isfinite(after).all() and np.isfinite(before).all()):
        return np.nan, np.nan, 0, 1
    try:
        return (*arrays.kernel_alignment(after, before), 0)
    except DegenerateError:
        if not mapped:
            raise
        return np.nan, np.nan, 0, 2


def _fields(kind: str) -> dict[str, Field]:
    return {
        f"{kind}_alignment": Field((), "1", f"alignment of the {kind} kernel with its start"),
        f"{kind}_alignment_centred": Field((), "1", f"alignment of the centred {kind} kernel with its start"),
        f"{kind}_num_rows": Field((), "1", f"rows of the {kind} kernel"),
        f"{kind}_status": Field((), "1", "how the computation ended"),
    }


def _flagged(dataset: xr.Dataset, kind: str) -> xr.Dataset:
    dataset[f"{kind}_status"] = dataset[f"{kind}_status"].astype(np.int8)
    dataset[f"{kind}_status"].attrs |= STATUS
    return dataset


def _start(name: str, after: xr.DataArray, before: xr.DataArray | None) -> xr.DataArray:
    if before is not None:
        return before
    if CHECKPOINT not in after.dims:
        raise ValueError(f"start_{name}: not given, and {name} have no dim checkpoint; give those before.")
    return after.isel({CHECKPOINT: 0}, drop=True)


def _start_params(params: Params, before: Params | None) -> Params:
    if before is not None:
        return before
    given = blocks(params)
    if CHECKPOINT not in given.leading:
        raise ValueError("start_params: not given, and params have no dim checkpoint; give those before.")
    first = (array.isel({CHECKPOINT: 0}, drop=True, missing_dims="ignore") for array in given.arrays)
    return dict(zip(given.names, first, strict=True))


def _entering(params: Params, entering: Sequence[str] | None) -> tuple[str, ...]:
    names = [str(name) for name in params if name != UPDATE]
    unknown = sorted(set(entering or ()) - set(names))
    if unknown:
        raise ValueError(f"entering: no parameters {', '.join(unknown)}; there are {', '.join(names)}.")
    return tuple(names if entering is None else entering)
