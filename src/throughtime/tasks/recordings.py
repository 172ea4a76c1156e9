"""A task of a user's own recorded trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.tasks.bank import Bank
from throughtime.tasks.recorded_trials import RecordedTrials
from throughtime.tasks.series import TRIAL, Series, refuse, series

MASK, CONDITIONS, EPOCHS = "mask", "conditions", "epochs"
ROUNDING = 1e-5
"""By which an epoch may seem to end after its trial, relative: a bin read off a time axis is rounded."""


def from_arrays(
    inputs: Any,
    targets: Any,
    mask: Any = None,
    *,
    dt: float | None = None,
    lengths: Any = None,
    conditions: Mapping[str, Any] | None = None,
    epochs: Mapping[str, tuple[Any, Any]] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    correct: Any = "error",
    tolerance: float = 0.1,
    level: str = "recording",
    noise: float = 0.0,
) -> RecordedTrials:
    """A task of one's own recorded trials.

    Inputs and targets are arrays (trial, time, channel), or (trial, time) of a single channel; lists of
    arrays (time, channel) or (time,) of unequal lengths; or xarray DataArrays with dims ``trial``, ``time``
    and at most one more, in any order. Of DataArrays, labels of the third dim that are text name the
    channels, the spacing of ``time`` (units ``s`` if it says so, else ms) is dt, and other coordinates along
    ``trial`` are conditions.

    Args:
        inputs, targets: the recordings.
        mask: loss weights, shaped as the targets or without their channels; 1 by default.
        dt: bin, ms.
        lengths: (trial,) samples of each trial, where arrays are padded; what follows is ignored.
        conditions: name -> (trial,) numbers, truth values or texts; texts become their places in the sorted
            list of all.
        epochs: name -> (onset, offset) in ms since the start of the trial, each a number or (trial,), in the
            order of their onsets; (NaN, NaN) where absent.
        input_names, output_names: of the channels; ``input_00``, … by default.
        correct, tolerance, level, noise: see :class:`RecordedTrials`.

    Raises:
        ValueError: naming the argument, what was found and what to do.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> inputs = [rng.normal(size=(steps, 2)) for steps in (30, 50, 40)]
        >>> task = from_arrays(inputs, [each[:, :1] for each in inputs], dt=10.0, conditions={"side": "llr"})
        >>> task.duration, task.input_names, task.condition_names
        (500.0, ('input_00', 'input_01'), ('recording', 'side'))
    """
    shown, asked = series("inputs", inputs, lengths), series("targets", targets, lengths)
    _refuse_unequal(shown, asked)
    num_trials = len(asked.values)
    step = _agreed_dt(dt, shown, asked)
    weight = _weights(mask, asked, lengths)
    ends = asked.lengths * step
    told = {"recording": np.arange(num_trials), **shown.conditions, **asked.conditions, **(conditions or {})}
    known = {name: _condition(name, values, num_trials) for name, values in told.items()}
    edges = _epochs(epochs or {}, ends)
    bank = Bank.of(
        (shown.values, asked.values, weight, asked.lengths.astype(np.int32), edges, *known.values()),
        dt=step,
        input_names=_names("input", input_names, shown),
        output_names=_names("output", output_names, asked),
        condition_names=tuple(known),
        epoch_names=tuple(epochs or {}),
    )
    return RecordedTrials(bank=bank, dt=step, correct=correct, tolerance=tolerance, level=level, noise=noise)


def _refuse_unequal(shown: Series, asked: Series) -> None:
    """Refuse inputs and targets that are not of the same trials."""
    if len(shown.values) != len(asked.values):
        refuse(
            "targets",
            f"{len(asked.values)} trials, and inputs of {len(shown.values)}; pass both of each trial",
        )
    if (shown.lengths != asked.lengths).any():
        trial = int(np.flatnonzero(shown.lengths != asked.lengths)[0])
        refuse(
            "targets",
            f"trial {trial} has {asked.lengths[trial]} samples, "
            f"and its inputs {shown.lengths[trial]}; cut one",
        )
    if shown.labels is not None and asked.labels is not None and (shown.labels != asked.labels).any():
        refuse("targets", "the labels of their trials are not those of the inputs; align them first")


def _agreed_dt(dt: float | None, *both: Series) -> float:
    """The bin that was given or that the time coordinates have."""
    found = [each.dt for each in both if each.dt is not None]
    steps = [float(dt)] if dt is not None else found[:1]
    if not steps:
        refuse("dt", "not known; pass the bin in ms, or DataArrays with a time coordinate")
    if not (np.isfinite(steps[0]) and steps[0] > 0):
        refuse("dt", f"{dt} ms; use dt > 0")
    for other in found:
        if abs(other / steps[0] - 1) > 1e-3:
            refuse("dt", f"{steps[0]:g} ms, and a time coordinate has {other:g} ms; resample one")
    return steps[0]


def _weights(mask: Any, asked: Series, lengths: Any) -> np.ndarray:
    """Loss weights in the shape of the targets."""
    shape = asked.values.shape
    inside = (np.arange(shape[1]) < asked.lengths[:, None])[..., None]
    if mask is None:
        return np.broadcast_to(inside, shape).astype(np.float32)
    found = series(MASK, mask, lengths)
    if found.values.shape[:2] != shape[:2] or found.values.shape[2] not in (1, shape[2]):
        refuse(MASK, f"shape {found.values.shape}, and targets of {shape}; pass a weight for each sample")
    if (found.lengths != asked.lengths).any():
        trial = int(np.flatnonzero(found.lengths != asked.lengths)[0])
        refuse(MASK, f"trial {trial} has {found.lengths[trial]} samples, and targets {asked.lengths[trial]}")
    if found.values.min() < 0:
        refuse(MASK, f"a loss weight cannot be negative, found {found.values.min():g}; use values >= 0")
    weight = np.broadcast_to(found.values * inside, shape)
    if not (weight.sum((1, 2)) > 0).all():
        trial = int(np.flatnonzero(weight.sum((1, 2)) <= 0)[0])
        refuse(MASK, f"trial {trial} bears no loss; leave it out or give it a weight > 0")
    return weight


def _condition(name: str, values: Any, num_trials: int) -> np.ndarray:
    """One number a trial in 32 bits, or a truth value."""
    array = np.asarray(list(values) if isinstance(values, str) else values)
    if array.shape != (num_trials,):
        refuse(CONDITIONS, f"{name} has shape {array.shape}; pass one value for each of {num_trials} trials")
    if array.dtype.kind in "OU":
        array = np.unique(array.astype(str), return_inverse=True)[1]
    if array.dtype.kind not in "bifu":
        refuse(CONDITIONS, f"{name} has values of {array.dtype}; pass numbers, truth values or texts")
    if array.dtype.kind == "b":
        return array
    if array.dtype.kind != "f" and abs(array.astype(float)).max() > np.iinfo(np.int32).max:
        refuse(
            CONDITIONS,
            f"{name} has whole numbers beyond 32 bits; pass smaller ones, such as places in a list",
        )
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int32)


def _epochs(epochs: Mapping[str, tuple[Any, Any]], ends: np.ndarray) -> np.ndarray:
    """Edges (trial, epoch, 2) in ms."""
    edges = np.zeros((len(ends), len(epochs), 2), np.float32)
    for place, (name, pair) in enumerate(epochs.items()):
        if name == TRIAL:
            refuse(EPOCHS, "trial is the whole of each trial already; use another name")
        for side in (0, 1):
            try:
                edges[:, place, side] = np.asarray(pair[side], float)
            except (IndexError, TypeError, ValueError) as error:
                raise ValueError(
                    f"from_arrays: epochs: {name}: expected (onset, offset), each a number or one for each "
                    f"of {len(ends)} trials."
                ) from error
        onset, offset = edges[:, place].T
        absent = np.isnan(onset) & np.isnan(offset)
        within = (onset >= 0) & (onset <= offset) & (offset <= ends * (1 + ROUNDING))
        if not (absent | within).all():
            trial = int(np.flatnonzero(~(absent | within))[0])
            refuse(
                EPOCHS,
                f"{name} is {onset[trial]:g} to {offset[trial]:g} ms in trial {trial} of {ends[trial]:g} ms; "
                "times count from the start of the trial",
            )
    edges = np.minimum(edges, ends.astype(np.float32)[:, None, None])
    onsets = np.concatenate([np.zeros((len(ends), 1)), edges[..., 0]], axis=1)
    if (onsets < np.fmax.accumulate(onsets, axis=1)).any():
        refuse(EPOCHS, f"{', '.join(epochs)}: not in the order of their onsets; pass them in that order")
    return edges


def _names(kind: str, given: Sequence[str] | None, channels: Series) -> tuple[str, ...]:
    """Names of channels: given ones, those of the coordinate, or numbers."""
    number = channels.values.shape[2]
    names = tuple(given) if given is not None else channels.names
    if names is None:
        return tuple(f"{kind}_{index:02d}" for index in range(number))
    if len(names) != number or len(set(names)) != number:
        refuse(f"{kind}_names", f"expected {number} different names, got {', '.join(names)}")
    return names
