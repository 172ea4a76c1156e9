"""Held-out trials as a dataset, and the behaviour in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.results.flags import encode_flags, flag_attributes, flag_table
from throughtime.results.schema import DIMS, attributes
from throughtime.results.units import unit_coordinates
from throughtime.training.record import EvaluationRecord

PER_TRIAL = ("seed", "trial")
MAX_LEVELS, MAX_COMBINATIONS = 32, 256


def evaluation_dataset(record: EvaluationRecord, *, units: Mapping[str, str] | None = None) -> xr.Dataset:
    """Group ``/evaluation`` of a run: recordings, epochs, conditions and scores of held-out trials.

    Recordings are float32 over (seed, trial, time, input | output | unit), variables of the neuron over
    (seed, trial, time, state, unit); conditions and scores stand on (seed, trial) under their own names.
    A condition or score whose name is a dim or taken gets the suffix ``_condition`` or ``_score``.
    Booleans and strings become integers with flags; channel, state and epoch names the labels of
    their coordinates. Types and regions of units are the coordinates ``cell_type`` and ``unit_region``.

    Args:
        record: the trials; times in ms.
        units: name of a condition or score -> units, where the ending of the name does not tell them.
    """
    num_trials, num_samples, num_units = record.rates.shape[1:]
    variables: dict[str, Any] = {
        name: ((*PER_TRIAL, "time", *last), _recording(values), attributes(name))
        for name, last, values in (
            ("inputs", ("input",), record.inputs),
            ("targets", ("output",), record.targets),
            ("mask", ("output",), record.mask),
            ("outputs", ("output",), record.outputs),
            ("rates", ("unit",), record.rates),
        )
    }
    valid, flags = encode_flags(np.asarray(record.valid, dtype=bool))
    variables["valid"] = ((*PER_TRIAL, "time"), valid, attributes("valid", **flags))
    coords: dict[str, Any] = {
        "seed": ("seed", np.asarray(record.seeds), attributes("seed")),
        "trial": ("trial", np.arange(num_trials), attributes("trial")),
        "time": ("time", (np.arange(num_samples) + 0.5) * record.dt, attributes("time")),
        "unit": ("unit", np.arange(num_units), attributes("unit")),
        "input": _named("input", record.input_names),
        "output": _named("output", record.output_names),
        **unit_coordinates(record.circuit),
    }
    if record.states:
        states = np.stack([_recording(values) for values in record.states.values()], axis=3)
        variables["states"] = ((*PER_TRIAL, "time", "state", "unit"), states, attributes("states"))
        coords["state"] = _named("state", list(record.states))
    if record.epochs:
        edges = np.stack([np.asarray(edge) for edge in record.epochs.values()], axis=2)
        for index, name in enumerate(("epoch_onset", "epoch_offset")):
            variables[name] = ((*PER_TRIAL, "epoch"), edges[..., index], attributes(name))
        coords["epoch"] = _named("epoch", list(record.epochs))
    # Scores first, so that `correct` and `choice` keep their names whatever a condition is called.
    for kind, group in (("score", record.scores), ("condition", record.conditions)):
        for name, values in group.items():
            stored = f"{name}_{kind}" if name in variables or name in DIMS else name
            variables[stored] = _per_trial(name, np.asarray(values), units or {})
    return xr.Dataset(variables, coords)


def behaviour_dataset(record: EvaluationRecord, evaluation: xr.Dataset) -> xr.Dataset:
    """Group ``/behaviour``: the scores of each trial, and how many were correct per condition.

    ``condition`` runs over the combinations of conditions that occur: categories, and numbers of at most
    32 levels. With more than 256 combinations, or none, there are no per-condition measures.

    Args:
        record: the trials.
        evaluation: their :func:`evaluation_dataset`.
    """
    scores = [name if name in evaluation else f"{name}_score" for name in record.scores]
    behaviour = evaluation[scores]
    behaviour = behaviour.drop_vars([name for name in behaviour.coords if name not in PER_TRIAL])
    codes, names = _combinations(record, evaluation)
    if "correct" not in behaviour or not 0 < len(names) <= MAX_COMBINATIONS:
        return behaviour
    member = codes[..., None] == np.arange(len(names))
    count = member.sum(axis=1)
    right = np.where(member, behaviour["correct"].values[..., None], 0).sum(axis=1)
    fraction = np.divide(right, count, out=np.full(count.shape, np.nan), where=count > 0)
    behaviour = behaviour.assign_coords(condition=_named("condition", names))
    behaviour["fraction_correct"] = (("seed", "condition"), fraction, attributes("fraction_correct"))
    behaviour["num_trials"] = (("seed", "condition"), count, attributes("num_trials"))
    return behaviour


def _combinations(record: EvaluationRecord, evaluation: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Code (seed, trial) of each trial's combination of conditions, and the names of the codes."""
    columns, texts = [], []
    for name in record.conditions:
        stored = f"{name}_condition" if f"{name}_condition" in evaluation else name
        variable = evaluation[stored]
        levels, codes = np.unique(variable.values, return_inverse=True)
        if variable.dtype.kind == "f" and levels.size > MAX_LEVELS:
            continue
        table = flag_table(variable.attrs)
        columns.append(codes.ravel())
        texts.append([f"{name}={table.get(level, format(level, 'g'))}" for level in levels.tolist()])
    if not columns:
        return np.zeros((0, 0), int), []
    rows, codes = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    names = [",".join(text[level] for text, level in zip(texts, row, strict=True)) for row in rows]
    return codes.reshape(record.rates.shape[:2]), names


def _recording(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


def _named(dim: str, names: Sequence[str]) -> tuple[str, np.ndarray, dict[str, object]]:
    return dim, np.arange(len(names)), attributes(dim, **flag_attributes(names))


def _per_trial(name: str, values: np.ndarray, units: Mapping[str, str]) -> tuple[Any, ...]:
    stored, flags = encode_flags(values)
    attrs = attributes(name, **flags)
    if flags:
        attrs["units"] = "1"
    if name in units:
        attrs["units"] = units[name]
    if name in DIMS:
        attrs["long_name"] = name.replace("_", " ")
    return PER_TRIAL, stored, attrs
