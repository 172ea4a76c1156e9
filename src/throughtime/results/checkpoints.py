"""Parameters and effective weights at the checkpoints, and back again bit for bit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from throughtime.results.errors import ResultsError
from throughtime.results.flags import flag_attributes
from throughtime.results.schema import AXES, attributes, stored_name
from throughtime.results.units import unit_coordinates
from throughtime.training.record import TrainingRecord

LEADING = ("seed", "checkpoint")
GATES = ("recurrent_gate", "input_gate")


def checkpoints_dataset(
    record: TrainingRecord,
    *,
    input_names: tuple[str, ...] | None = None,
    output_names: tuple[str, ...] | None = None,
) -> xr.Dataset:
    """Group ``/checkpoints`` of a run.

    Effective arrays stand under the names of ``circuit.weights`` (``input`` as ``input_weights``). A free
    parameter is added as ``free_<name>`` unless the effective array of that name has the same bits; the
    group's attribute ``parameters`` (JSON) lists the free parameters in the order of ``circuit.init``.

    The first axis of a gated circuit's arrays is ``gate``, one entry a drive. Where recurrent or input
    weights feed only some drives, their axis is ``recurrent_gate`` or ``input_gate``, labelled by the drives
    they feed. Types and regions of units are the coordinates ``cell_type`` and ``unit_region``.

    Args:
        record: what training found.
        input_names, output_names: channel names, used where their number fits.
    """
    sizes = {"seed": record.seeds.size, "checkpoint": record.checkpoint_update.shape[1]}
    sizes.update(_sizes(record.weights))
    update = attributes("checkpoint_update")
    variables: dict[str, Any] = {"checkpoint_update": (LEADING, record.checkpoint_update, update)}
    known = [name for name in AXES if name in record.weights]
    others = [name for name in record.weights if name not in AXES]
    for name in known + others:
        variables[stored_name(name)] = _variable(stored_name(name), name, record.weights[name], sizes)
    for name, values in record.params.items():
        if not _same_bits(values, record.weights.get(name)):
            variables[f"free_{name}"] = _variable(f"free_{name}", name, values, sizes)
    for name, values in record.rule_state.items():
        stored = stored_name(name)
        stored = f"rule_{name}" if stored in variables else stored
        variables[stored] = _variable(stored, name, values, sizes)
    _pad_parameters(variables, sizes)
    coords = {dim: (dim, np.arange(size), attributes(dim)) for dim, size in sizes.items()}
    coords["seed"] = ("seed", np.asarray(record.seeds), attributes("seed"))
    circuit = record.config.get("circuit")
    for dim in GATES:
        drives = getattr(getattr(circuit, "dynamics", None), f"{dim.removesuffix('_gate')}_drives", ())
        if sizes.get(dim) == len(drives):
            coords[dim] = (dim, np.asarray(drives), attributes(dim))
    coords.update(unit_coordinates(circuit))
    for dim, names in (("input", input_names), ("output", output_names)):
        if names and sizes.get(dim) == len(names):
            coords[dim] = (dim, np.arange(len(names)), attributes(dim, **flag_attributes(names)))
    return xr.Dataset(variables, coords, {"parameters": json.dumps(list(record.params))})


def params_of(tree: xr.DataTree, seed: int, checkpoint: int = -1) -> dict[str, np.ndarray]:
    """Free parameters of one seed, bit for bit and in the order ``circuit.init`` gave them.

    Args:
        tree: a run.
        seed: label of the seed.
        checkpoint: label of the checkpoint; negative counts from the last.

    Returns:
        Name -> array, without seed and checkpoint axes.

    Raises:
        ResultsError: for a tree without checkpoints, an unknown seed or checkpoint.
    """
    group, index = _one(tree, seed, checkpoint)
    params = {}
    for name in json.loads(group.attrs["parameters"]):
        stored = f"free_{name}" if f"free_{name}" in group else stored_name(name)
        params[name] = _unpadded(group[stored], index)
    return params


def rule_state_of(
    tree: xr.DataTree, names: Iterable[str], seed: int, checkpoint: int = -1
) -> dict[str, np.ndarray]:
    """What a rule held at a checkpoint (feedback weights, expectations, predictors), bit for bit.

    Args:
        tree: a run.
        names: of the arrays of the rule's state, as ``rule.init`` calls them.
        seed, checkpoint: as for :func:`params_of`.

    Raises:
        ResultsError: as :func:`params_of`, and for a name that the run does not hold.
    """
    group, index = _one(tree, seed, checkpoint)
    state = {}
    for name in names:
        stored = f"rule_{name}" if f"rule_{name}" in group else stored_name(name)
        if stored not in group:
            raise ResultsError(f"rule_state: the run holds no {name!r}; it was trained with another rule.")
        state[name] = _unpadded(group[stored], index)
    return state


def _one(tree: xr.DataTree, seed: int, checkpoint: int) -> tuple[xr.Dataset, tuple[int, int]]:
    """The group ``/checkpoints`` and the place of one seed's checkpoint in it."""
    if "checkpoints" not in tree.children:
        raise ResultsError("params: the tree has no group /checkpoints; take parameters from a run.")
    group = tree.children["checkpoints"].to_dataset()
    seeds = group["seed"].values.tolist()
    if seed not in seeds:
        raise ResultsError(f"params: no seed {seed!r}; the run has seeds {seeds}.")
    count = group.sizes["checkpoint"]
    if not -count <= checkpoint < count:
        raise ResultsError(f"params: no checkpoint {checkpoint}; the run has checkpoints 0 to {count - 1}.")
    return group, (seeds.index(seed), checkpoint % count)


def _unpadded(variable: xr.DataArray, index: tuple[int, int]) -> np.ndarray:
    values = variable.values[index]
    if "shape" in variable.attrs:
        shape = json.loads(variable.attrs["shape"])
        values = values[: int(np.prod(shape))].reshape(shape)
    return np.array(values)


def _sizes(weights: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Sizes of unit, presynaptic_unit, input, output and gates, read off the arrays of known axes.

    The bias comes first: it has one entry a drive.
    """
    sizes: dict[str, int] = {}
    for name in ("bias", "recurrent", "input", "readout", "readout_bias"):
        if name in weights:
            shape = weights[name].shape[2:]
            axes = _named_axes(name, shape, sizes)
            if len(shape) == len(axes):
                for dim, size in zip(axes, shape, strict=True):
                    sizes.setdefault(dim, size)
    return sizes


def _named_axes(name: str, shape: tuple[int, ...], sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Dims the name of an array stands for, behind those of its gates where it has one axis more."""
    named = AXES.get(name, ())
    if not named or len(shape) != len(named) + 1:
        return named
    every = sizes.get("gate", shape[0]) == shape[0]
    some = "input_gate" if name in ("input", "output_feedback") else "recurrent_gate"
    return ("gate" if every else some, *named)


def _variable(stored: str, name: str, values: np.ndarray, sizes: dict[str, int]) -> tuple[Any, ...]:
    values = np.asarray(values)
    shape = values.shape[2:]
    attrs = attributes(stored)
    if stored.startswith("free_"):
        # Before constraints a number has no units of its own, whatever the effective array's are.
        attrs = attributes(stored, units="1", long_name=f"{name.replace('_', ' ')}, free parameter")
    elif name == "tau" or name.startswith("tau_"):
        attrs["units"] = "ms"
    axes = _axes(name, shape, sizes)
    if axes is None:
        flat = values.reshape(*values.shape[:2], -1)
        return (*LEADING, "parameter"), flat, {**attrs, "shape": json.dumps(list(shape))}
    sizes.update(zip(axes, shape, strict=True))
    return (*LEADING, *axes), values, attrs


def _axes(name: str, shape: tuple[int, ...], sizes: Mapping[str, int]) -> tuple[str, ...] | None:
    """Dims of an array by its name, else by its shape; None where neither decides."""
    named = _named_axes(name, shape, sizes)
    fits = all(sizes.get(dim, size) == size for dim, size in zip(named, shape, strict=False))
    if named and len(named) == len(shape) and fits:
        return named
    return _axes_by_shape(shape, sizes)


def _axes_by_shape(shape: tuple[int, ...], sizes: Mapping[str, int]) -> tuple[str, ...] | None:
    """An axis as long as the circuit is ``unit``; another is what alone has its length, else ``rank``."""
    axes: list[str] = []
    for size in shape:
        free = [dim for dim in ("unit", "presynaptic_unit") if dim not in axes]
        if size == sizes.get("unit") and free:
            axes.append(free[0])
            continue
        known = ("input", "output", "gate", *GATES)
        candidates = [dim for dim in known if sizes.get(dim) == size and dim not in axes]
        if not candidates and axes[:1] == ["unit"] and len(shape) == 2 and sizes.get("rank", size) == size:
            candidates = ["rank"]
        if len(candidates) != 1:
            return None
        axes.append(candidates[0])
    return tuple(axes)


def _pad_parameters(variables: dict[str, Any], sizes: dict[str, int]) -> None:
    """Give arrays without named axes one common length; their attribute ``shape`` tells the true one."""
    flat = {name: v for name, v in variables.items() if v[0][-1] == "parameter"}
    if not flat:
        return
    sizes["parameter"] = max(values.shape[-1] for _, values, _ in flat.values())
    for name, (dims, values, attrs) in flat.items():
        padded = np.zeros((*values.shape[:2], sizes["parameter"]), values.dtype)
        if values.dtype.kind == "f":
            padded[:] = np.nan
        padded[..., : values.shape[-1]] = values
        variables[name] = (dims, padded, attrs)


def _same_bits(values: np.ndarray, effective: np.ndarray | None) -> bool:
    if effective is None or values.dtype != effective.dtype or values.shape != effective.shape:
        return False
    return values.tobytes() == effective.tobytes()
