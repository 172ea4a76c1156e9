"""Changes of weights as datasets; see :mod:`throughtime.analysis.arrays.weight_change`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import weight_change as arrays

STATUS = ("computed", "not_finite", "unchanged")
RANKS = {
    "stable_rank": "stable rank of the change",
    "effective_rank": "effective rank of the change",
    "num_modes_90": "singular values holding 90 % of the squared change",
}
ENDS = {"": "", "_lower": ", lower quantile", "_upper": ", upper quantile"}


def weight_change(
    weights: xr.DataArray,
    *,
    seed: int,
    start: xr.DataArray | None = None,
    input_weights: xr.DataArray | None = None,
    readout: xr.DataArray | None = None,
    axes: tuple[str, str] = ("unit", "presynaptic_unit"),
    num_vectors: int = 5,
    num_draws: int = 200,
    confidence: float = 0.95,
) -> xr.Dataset:
    """Size, ranks and directions of what learning did to a weight matrix, beside a change without structure.

    See :func:`throughtime.analysis.arrays.weight_change.weight_change`. Every element of the dims beyond
    ``axes``, such as seed, checkpoint and gate, is a matrix of its own.

    Args:
        weights: (…, unit, presynaptic_unit), usually with a dim ``checkpoint``.
        seed: of the null, the same for all elements.
        start: the weights before learning; the first checkpoint if not given.
        input_weights: (…, unit, input), whose columns span what the circuit is told. readout: (…, output,
            unit), whose rows span what is read of it.
        axes: dims of the matrix; ``("unit", "input")`` for input weights.
        num_vectors, num_draws, confidence: see the array function.

    Returns:
        Dataset: ``relative_change, stable_rank, effective_rank, num_modes_90, num_above_null`` (…) and
        ``singular_value`` (…, mode); of the null ``null_singular_value, null_stable_rank,
        null_effective_rank, null_num_modes_90``, with ``…_lower`` and ``…_upper``; with ``input_weights``
        ``left_input_overlap, right_input_overlap`` (…, component) and ``input_overlap_chance`` (…), with
        ``readout`` the same of the readout; ``fit_status`` (…): where weights are not finite all is NaN,
        where they are unchanged all but ``relative_change``.

    Raises:
        ValueError: as the array function; for weights without a start.

    Example:
        >>> weights = np.stack([np.eye(3), np.eye(3) + np.outer([1.0, 0, 0], [0, 2.0, 0])])
        >>> weights = xr.DataArray(weights, dims=("checkpoint", "unit", "presynaptic_unit"))
        >>> found = weight_change(weights, seed=0, num_draws=20)
        >>> found.relative_change.values.round(3), found.stable_rank.values
        (array([0.   , 1.155]), array([nan,  1.]))
    """
    missing = sorted(set(axes) - set(weights.dims))
    if missing:
        raise ValueError(
            f"weights: dims {weights.dims} lack {', '.join(missing)}; name them so, or pass axes."
        )
    if start is None:
        if "checkpoint" not in weights.dims:
            raise ValueError("start: not given, and weights have no dim checkpoint; pass the weights before.")
        start = weights.isel(checkpoint=0, drop=True)
    start = start.reset_coords(drop=True)
    shape = weights.sizes[axes[0]], weights.sizes[axes[1]]
    count, num_modes = min(num_vectors, *shape), min(shape)
    given = {"input": input_weights, "readout": readout}
    others = {name: array.reset_coords(drop=True) for name, array in given.items() if array is not None}
    core = {"input": ("unit", "input"), "readout": ("output", "unit")}
    fields = _fields(list(others))
    sizes = {"mode": num_modes, "component": count}
    mapped = set(weights.dims) | {dim for array in others.values() for dim in array.dims}
    alone = not mapped - {*axes, "unit", "input", "output"}

    def one(before: np.ndarray, after: np.ndarray, *more: np.ndarray) -> tuple[object, ...]:
        sound = all(np.isfinite(each).all() for each in (before, after, *more))
        if not alone and (not sound or np.array_equal(before, after)):
            nothing = [np.full([sizes[dim] for dim in field.dims], np.nan) for field in fields.values()]
            nothing[0] = np.zeros(()) if sound else nothing[0]
            return (*nothing[:-1], 2 if sound else 1)
        found = arrays.weight_change(
            before, after, seed=seed, num_vectors=count, num_draws=num_draws, confidence=confidence,
            **{_argument(name): each for name, each in zip(others, more, strict=True)},
        )  # fmt: skip
        null = [each for estimate in found.null_spectrum for each in estimate]
        overlaps = [each for each in (found.input_overlap, found.readout_overlap) if each is not None]
        flat = [each for overlap in overlaps for each in overlap]
        return (
            found.relative_change, *map(float, found.spectrum), float(found.num_above_null),
            found.singular_value,
            *found.null_singular_value, *null, *flat, 0,
        )  # fmt: skip

    dataset = apply(
        one,
        (start, weights, *others.values()),
        [axes, axes, *(core[name] for name in others)],
        fields,
        method="weight_change",
        parameters={"seed": seed, "num_draws": num_draws, "confidence": confidence},
    )
    dataset["fit_status"] = dataset["fit_status"].astype(np.int8)
    dataset["fit_status"].attrs |= {"flag_values": [0, 1, 2], "flag_meanings": " ".join(STATUS)}
    return dataset


def _argument(name: str) -> str:
    return {"input": "input_weights"}.get(name, name)


def _fields(others: list[str]) -> dict[str, Field]:
    fields = {"relative_change": Field((), "1", "norm of the change relative to the weights before")}
    fields |= {name: Field((), "1", long_name) for name, long_name in RANKS.items()}
    fields["num_above_null"] = Field((), "1", "singular values above those of the null")
    fields["singular_value"] = Field(("mode",), "1", "singular value of the change")
    for end, told in ENDS.items():
        fields[f"null_singular_value{end}"] = Field(("mode",), "1", f"singular value of the null{told}")
    for name, long_name in RANKS.items():
        short = long_name.replace("of the change", "of the null").replace("squared change", "squared null")
        fields |= {f"null_{name}{end}": Field((), "1", f"{short}{told}") for end, told in ENDS.items()}
    for name in others:
        for side, verb in (("left", "writes to"), ("right", "reads from")):
            text = f"share of what the change {verb} in the span of the {name} weights"
            fields[f"{side}_{name}_overlap"] = Field(("component",), "1", text)
        fields[f"{name}_overlap_chance"] = Field(
            (), "1", f"share in the span of the {name} weights by chance"
        )
    fields["fit_status"] = Field((), "1", "how the computation ended")
    return fields
