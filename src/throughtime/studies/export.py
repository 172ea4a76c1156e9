"""A study for those who do not have throughtime: as tables of plain numbers, or as one file."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from throughtime.results import files, formats
from throughtime.results.errors import ResultsError
from throughtime.results.flags import labels
from throughtime.studies.combine import combine
from throughtime.studies.record import AXES, FAILED, Frame, frame_of

OUTCOMES, CURVES, LOST = "outcomes.csv", "curves.csv", "lost.csv"


def export(
    study: str | os.PathLike[str], out: str | os.PathLike[str], *, to: str, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write the combined record of a study in another format.

    ``"csv"``: a folder with ``outcomes.csv``, a row for each seed of each task × circuit × rule × option: how
    it ended, evaluations, and what measures found that is one number a seed; ``curves.csv``, a row for each
    of these and recorded update; and ``lost.csv``, what failed, was refused or has not run, and why. Units
    other than 1 stand in the header, in brackets; what was not measured is empty. Runs are read one by one.

    ``"netcdf"``, ``"zarr"``: one file, with all groups; zarr also of a study that is larger than memory.

    Args:
        study: folder of a study, or file of a combined record.
        out: folder for CSV; for the others a file, or a folder in which it gets the name of the study.
        to: ``"csv"``, ``"netcdf"`` or ``"zarr"``.
        overwrite: replace what is there already.

    Returns:
        The files written.

    Raises:
        ResultsError: for an unknown format, what :func:`combine` refuses, files that are there already, or a
            folder that cannot be written.

    Example:
        >>> export("study", "out", to="xlsx")
        Traceback (most recent call last):
        throughtime.results.errors.ResultsError: export: unknown format 'xlsx'; use one of csv, netcdf, zarr.
    """
    if to not in EXPORTS:
        raise ResultsError(f"export: unknown format {to!r}; use one of {', '.join(EXPORTS)}.")
    tree = combine(study, lazy=to != "netcdf")
    try:
        return EXPORTS[to](tree, Path(out), overwrite)
    finally:
        tree.close()


def _csv(tree: xr.DataTree, folder: Path, overwrite: bool) -> tuple[Path, ...]:
    there = [name for name in (OUTCOMES, CURVES, LOST) if os.path.lexists(folder / name)]
    if there and not overwrite:
        raise ResultsError(
            f"export: {folder} holds {', '.join(there)}; choose another folder, or replace what is there "
            "with overwrite=True (--overwrite)."
        )
    tables = {OUTCOMES: _outcomes(tree), LOST: _lost(tree)}
    if "curves" in tree.children:
        tables[CURVES] = _curves(tree)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            _write(folder / name, table)
    except OSError as error:
        raise ResultsError(
            f"export: {folder} cannot be written ({error.strerror}); choose another folder, or ask for the "
            "right to write there."
        ) from error
    return tuple(folder / name for name in (OUTCOMES, CURVES, LOST) if name in tables)


def _write(path: Path, rows: Iterator[list[Any]]) -> None:
    """Write rows to a file that appears whole or not at all."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for row in rows:
                writer.writerow(["" if isinstance(one, float) and np.isnan(one) else one for one in row])
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _places(frame: Frame) -> Iterator[tuple[list[str], dict[str, int]]]:
    """Labels and places of every run."""
    for at in np.ndindex(*frame.shape(seeds=False)):
        place = dict(zip(AXES, at, strict=True))
        yield [frame.names[axis][k] for axis, k in place.items()], place


def _outcomes(tree: xr.DataTree) -> Iterator[list[Any]]:
    frame = frame_of(tree)
    columns = list(_columns(tree))
    yield [*AXES, "seed", *(name for name, _ in columns)]
    for names, at in _places(frame):
        values = [_plain(array.isel(at), len(frame.seeds)) for _, array in columns]
        for seed, *row in zip(frame.seeds, *values, strict=True):
            yield [*names, seed, *row]


def _columns(tree: xr.DataTree) -> Iterator[tuple[str, xr.DataArray]]:
    """Everything that is one number a seed, or a run, with the name of its column."""
    every = tree["outcomes"].to_dataset()
    for name, array in every.data_vars.items():
        yield _titled(str(name), array), array
    if "evaluations" in tree.children:
        for name, array in tree["evaluations"].to_dataset().data_vars.items():
            for k, label in enumerate(labels(array["condition"])):
                yield _titled(f"{name} {label}", array), array.isel(condition=k)
    measures = tree.children.get("measures")
    for group, node in sorted({} if measures is None else measures.children.items()):
        for name, array in node.to_dataset().data_vars.items():
            if set(array.dims) <= {*AXES, "seed"}:
                yield _titled(f"{group} {name}", array), array


def _curves(tree: xr.DataTree) -> Iterator[list[Any]]:
    frame = frame_of(tree)
    data = tree["curves"].to_dataset()
    update = data["update"].values
    arrays = {_titled(str(name), array): array for name, array in data.data_vars.items()}
    status = tree["outcomes"].to_dataset()["status"].transpose(*AXES, "seed").values
    yield [*AXES, "seed", "update", *arrays]
    for names, at in _places(frame):
        if (status[tuple(at.values())] >= FAILED).all():
            continue
        values = np.stack([np.asarray(array.isel(at).values) for array in arrays.values()], -1)
        for k, seed in enumerate(frame.seeds):
            for row, made in zip(values[k], update.tolist(), strict=True):
                if not np.isnan(row).all():
                    yield [*names, seed, made, *row.tolist()]


def _lost(tree: xr.DataTree) -> Iterator[list[Any]]:
    yield [*AXES, "seeds", "what", "reason"]
    for name, what in (("failures", "failed"), ("refused", "refused"), ("not_run", "not run")):
        for one in json.loads(tree.attrs.get(name, "[]")):
            seeds = " ".join(map(str, one["seeds"]))
            yield [*(one[axis] for axis in AXES), seeds, what, one["reason"]]


def _titled(name: str, array: xr.DataArray) -> str:
    units = str(array.attrs.get("units", "1"))
    return name if units == "1" else f"{name} [{units}]"


def _plain(array: xr.DataArray, num_seeds: int) -> list[Any]:
    """Values of the seeds of one run, in words where they have names; what is of the run is so of each."""
    array = array.compute()
    if "flag_values" in array.attrs:
        values: list[Any] = labels(array)
    else:
        values = np.atleast_1d(array.values).tolist()
    return values if "seed" in array.dims else values * num_seeds


def _file(tree: xr.DataTree, out: Path, suffix: str, overwrite: bool) -> tuple[Path, ...]:
    name = f"{tree.attrs.get('name', 'study')}{suffix}"
    path = out if out.suffix == suffix else out / name
    with contextlib.suppress(FileExistsError):  # saving says what is wrong
        path.parent.mkdir(parents=True, exist_ok=True)
    return (files.save(tree, path, overwrite=overwrite),)


def _zarr(tree: xr.DataTree, out: Path, overwrite: bool) -> tuple[Path, ...]:
    return _file(formats.rechunked(tree), out, ".zarr", overwrite)


def _netcdf(tree: xr.DataTree, out: Path, overwrite: bool) -> tuple[Path, ...]:
    return _file(tree, out, ".nc", overwrite)


EXPORTS: dict[str, Callable[[xr.DataTree, Path, bool], tuple[Path, ...]]] = {
    "csv": _csv,
    "netcdf": _netcdf,
    "zarr": _zarr,
}
