"""Trials in any of the forms a user may have them, as equally shaped arrays with names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

UNITS = {"ms": 1.0, "s": 1000.0}
"""Milliseconds in the units that a time coordinate may have."""
TRIAL, TIME = "trial", "time"


class Series(NamedTuple):
    """Trials of some channels.

    Attributes:
        values: (trial, time, channel), 0 after the end of a trial.
        lengths: (trial,) samples.
        names: of the channels, or None.
        dt: ms, or None.
        conditions: name -> (trial,).
        labels: (trial,) of the trials, or None.
    """

    values: np.ndarray
    lengths: np.ndarray
    names: tuple[str, ...] | None = None
    dt: float | None = None
    conditions: Mapping[str, Any] = {}
    labels: np.ndarray | None = None


def refuse(name: str, problem: str) -> NoReturn:
    """Raise the error of one argument."""
    raise ValueError(f"from_arrays: {name}: {problem}.")


def series(name: str, given: Any, lengths: Any) -> Series:
    """Any form of trials as a :class:`Series` in float32, refused where values are not finite."""
    found = _named(name, given) if hasattr(given, "dims") else _plain(name, given)
    number, steps = found.values.shape[:2]
    if number == 0 or steps == 0 or found.values.shape[2] == 0:
        refuse(name, f"shape {found.values.shape}; pass at least one trial, sample and channel")
    if lengths is not None:
        given_lengths = np.asarray(lengths)
        if given_lengths.shape != (number,) or given_lengths.dtype.kind not in "iu":
            refuse("lengths", f"expected a whole number for each of {number} trials, got {lengths!r}")
        if given_lengths.min() < 1 or (given_lengths > found.lengths).any():
            refuse(
                "lengths",
                f"expected 1 to {steps} samples, got {given_lengths.min()} to {given_lengths.max()}",
            )
        found = found._replace(lengths=given_lengths)
    steps = int(found.lengths.max())
    inside = np.arange(steps) < found.lengths[:, None]
    values = np.where(inside[..., None], found.values[:, :steps], 0)
    if not np.isfinite(values).all():
        trial, sample = np.argwhere(~np.isfinite(values))[0][:2]
        refuse(
            name,
            f"not finite at sample {sample} of trial {trial}; repair it, or give the lengths of trials",
        )
    return found._replace(values=values.astype(np.float32), lengths=found.lengths.astype(np.int64))


def _plain(name: str, given: Any) -> Series:
    """NumPy arrays and lists of them."""
    if isinstance(given, list | tuple):
        trials = [np.asarray(each) for each in given]
        trials = [each[:, None] if each.ndim == 1 else each for each in trials]
        if not trials:
            refuse(name, "no trials; pass at least one")
        shapes = sorted({each.shape[1:] for each in trials})
        if len(shapes) > 1 or len(shapes[0]) != 1:
            refuse(
                name, f"expected trials (time, channel) with equal channels, got shapes (time, …) {shapes}"
            )
        lengths = np.array([len(each) for each in trials])
        values = np.zeros((len(trials), lengths.max(), *shapes[0]), np.result_type(*trials))
        for row, each in zip(values, trials, strict=True):
            row[: len(each)] = each
        if lengths.min() == 0:
            refuse(name, f"trial {int(lengths.argmin())} has no samples; leave it out")
    else:
        values = np.asarray(given)
        values = values[..., None] if values.ndim == 2 else values
        if values.ndim != 3:
            refuse(name, f"expected (trial, time, channel) or (trial, time), got shape {values.shape}")
        lengths = np.full(len(values), values.shape[1])
    if values.dtype.kind not in "bifu":
        refuse(name, f"expected numbers, got {values.dtype}")
    return Series(values, lengths)


def _named(name: str, given: Any) -> Series:
    """DataArrays, known by their dims and coords."""
    dims = [str(dim) for dim in given.dims]
    channel = [dim for dim in dims if dim not in (TRIAL, TIME)]
    if TIME not in dims or TRIAL not in dims or len(channel) > 1:
        refuse(name, f"expected dims trial, time and at most one more, got {', '.join(dims)}; select first")
    ordered = given.transpose(TRIAL, TIME, *channel)
    found = _plain(name, ordered.values)
    names, conditions = None, {}
    if channel and channel[0] in given.coords:
        names = _labels(given.coords[channel[0]])
    for coordinate, values in given.coords.items():
        if tuple(values.dims) == (TRIAL,) and str(coordinate) != TRIAL:
            conditions[str(coordinate)] = values.values
    dt = _spacing(name, given.coords[TIME]) if TIME in given.coords else None
    labels = given.coords[TRIAL].values if TRIAL in given.coords else None
    return found._replace(names=names, dt=dt, conditions=conditions, labels=labels)


def _labels(coordinate: Any) -> tuple[str, ...] | None:
    """Texts of a coordinate, or those its flags stand for; None if it has neither."""
    values = coordinate.values
    if values.dtype.kind in "OU":
        return tuple(map(str, values))
    meanings = str(coordinate.attrs.get("flag_meanings", "")).split()
    table = dict(zip(np.atleast_1d(coordinate.attrs.get("flag_values", [])).tolist(), meanings, strict=False))
    return (
        tuple(table[value] for value in values.tolist()) if all(v in table for v in values.tolist()) else None
    )


def _spacing(name: str, coordinate: Any) -> float | None:
    """Spacing in ms of a time coordinate; None of a single sample."""
    times, units = np.asarray(coordinate.values, float), str(coordinate.attrs.get("units", "ms"))
    if units not in UNITS:
        refuse(name, f"time is in {units!r}; convert it to ms")
    steps = np.diff(times)
    if not steps.size:
        return None
    if not np.isfinite(times).all() or steps.mean() <= 0 or np.ptp(steps) > 1e-3 * steps.mean():
        refuse(name, "time is not evenly spaced; resample it first")
    dt = float(steps.mean()) * UNITS[units]
    return float(f"{dt:.6g}")
