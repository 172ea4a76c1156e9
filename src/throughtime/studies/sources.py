"""What lies in the folder of a study: which seeds are in which file, and what is missing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.results.errors import ResultsError
from throughtime.studies import files
from throughtime.studies.blocks import Piece
from throughtime.studies.record import AXES, Frame

if TYPE_CHECKING:
    from throughtime.studies.declaration import Study

RECORD_VERSION = 2
"""Of what :func:`throughtime.studies.combine` makes of the same files."""
ROOMS = ("cells", "runs", "analysis")


def fingerprint(folder: Path) -> str:
    """SHA-256 (hex) of the declaration and of the names of all files: those of cells never change.

    Failures do, when they are tried again, so their content counts.

    Raises:
        ResultsError: for a folder that holds no study.
    """
    declared = folder / "study.json"
    if not declared.is_file():
        raise ResultsError(
            f"study: {folder} holds no study.json; give the folder of a study, or a combined record (.nc)."
        )
    digest = hashlib.sha256(f"{RECORD_VERSION}\0".encode() + declared.read_bytes())
    for room in ROOMS:
        digest.update(f"\0{room}\0".encode() + "\0".join(_names(folder / room)).encode())
    for name in _names(folder / "failed"):
        digest.update(name.encode() + (folder / "failed" / name).read_bytes())
    return digest.hexdigest()


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return []


@dataclass(frozen=True)
class Sources:
    """A study and what was found of it.

    Attributes:
        path: of the folder. study: as it is declared.
        frame: its labels and seeds.
        done: (kind, place, seeds) of a cell -> its summary.
        failed: the same -> its failure.
        trained: place -> pieces of files that hold its seeds.
        measured: place -> the piece that holds measures and evaluations.
        merged: place -> run id of the runs that are complete.
        refused: place -> why the combination cannot be trained.
        left_out: places that are not to be run.
    """

    path: Path
    study: Study
    frame: Frame
    done: dict[tuple[str, tuple[int, ...], tuple[int, ...]], dict[str, Any]]
    failed: dict[tuple[str, tuple[int, ...], tuple[int, ...]], dict[str, Any]]
    trained: dict[tuple[int, ...], tuple[Piece, ...]]
    measured: dict[tuple[int, ...], tuple[Piece, ...]]
    merged: dict[tuple[int, ...], str]
    refused: dict[tuple[int, ...], str]
    left_out: frozenset[tuple[int, ...]]

    def labels(self, at: tuple[int, ...]) -> dict[str, str]:
        """Labels of a place by axis."""
        return {axis: self.frame.names[axis][index] for axis, index in zip(AXES, at, strict=True)}

    def of_kind(self, kind: str, what: str = "done") -> Iterator[tuple[tuple[int, ...], dict[str, Any]]]:
        """Place and record of all cells of a kind that are done, or that failed."""
        for (one, place, _), found in getattr(self, what).items():
            if one == kind:
                yield place, found


def sources(folder: Path) -> Sources:
    """Read what a folder holds; nothing but summaries and names of files is opened.

    Raises:
        ResultsError: for a folder that holds no study, and where results cannot be told from those of an
            earlier declaration.
        ValueError: where a class of the study cannot be imported.
    """
    from throughtime.studies.folder import Folder

    if not (folder / "study.json").is_file():
        raise ResultsError(f"study: {folder} holds no study.json; give the folder of a study.")
    place = Folder(folder)
    declared = place.declared()
    study = declared.study
    frame = Frame(
        {axis: tuple(label for label, _ in getattr(study, f"{axis}s")) for axis in AXES}, tuple(study.seeds)
    )
    current = set(declared.cells) if _same_code(declared.code) else None
    if current is None and _names(folder / "history"):
        raise ResultsError(
            f"combine: {folder} was declared more than once, and the code has changed since, so that nobody "
            "knows which results belong to the study; run it again, or use the version that ran it."
        )
    done = _by_cell(place.summaries().values(), frame, current)
    failed = _by_cell(place.failures().values(), frame, current)
    measured: dict[tuple[int, ...], tuple[Piece, ...]] = {}
    for (kind, at, _), summary in done.items():
        path = folder / "analysis" / f"{summary['name']}.nc"
        if kind == "measure" and path.is_file():
            measured[at] = (Piece(path, frame.seeds),)
    trained, merged = _runs(folder, frame, done)
    refused = {
        frame.place(**dict(zip(AXES, names, strict=True))): why for names, why in study.refused.items()
    }
    planned = {frame.place(**dict(zip(AXES, run.labels, strict=True))) for run in study.runs()}
    return Sources(
        path=folder,
        study=study,
        frame=frame,
        done=done,
        failed=failed,
        trained=trained,
        measured=measured,
        merged=merged,
        refused=refused,
        left_out=frozenset(_all_places(frame) - planned - set(refused)),
    )


def _same_code(code: dict[str, str]) -> bool:
    from throughtime.studies.code import numbers_sha256

    return all(numbers_sha256(kind) == digest for kind, digest in code.items())


def _by_cell(
    records: Iterable[dict[str, Any]], frame: Frame, current: set[str] | None
) -> dict[tuple[str, tuple[int, ...], tuple[int, ...]], dict[str, Any]]:
    """Records by cell, those of the declaration alone.

    Args:
        current: identities of the declared cells; None where the code has changed since the study was
            declared, and they with it: then a cell is known by its labels and seeds.
    """
    found: dict[tuple[str, tuple[int, ...], tuple[int, ...]], dict[str, Any]] = {}
    for one in records:
        labels = {axis: one[axis] for axis in AXES}
        known = all(label in frame.names[axis] for axis, label in labels.items())
        if not known or (current is not None and one["identity"] not in current):
            continue
        found[one["kind"], frame.place(**labels), tuple(one["seeds"])] = one
    return found


def _runs(
    folder: Path, frame: Frame, done: dict[tuple[str, tuple[int, ...], tuple[int, ...]], dict[str, Any]]
) -> tuple[dict[tuple[int, ...], tuple[Piece, ...]], dict[tuple[int, ...], str]]:
    """Place -> the pieces of files with its seeds; place -> run id, where one file holds all of them.

    Seeds that are not merged into the run of the study lie in parts, or in a run of an earlier declaration.
    """
    cells_at: dict[tuple[int, ...], dict[str, tuple[int, ...]]] = {}
    for (kind, at, seeds), summary in done.items():
        if kind == "train":
            cells_at.setdefault(at, {})[summary["identity"]] = seeds
    runs = _run_files(folder)
    part_of = {one["identity"]: folder / "cells" / f"{one['name']}.nc" for one in done.values()}
    run_of = {identity: path for path, _, held in runs for identity in held}
    pieces: dict[tuple[int, ...], tuple[Piece, ...]] = {}
    merged: dict[tuple[int, ...], str] = {}
    for at, cells in cells_at.items():
        if set(frame.seeds) == {seed for seeds in cells.values() for seed in seeds}:
            for path, run_id, held in runs:
                if held == set(cells):
                    merged[at], pieces[at] = run_id, (Piece(path, frame.seeds),)
        if at not in merged:
            seeds_in: dict[Path, list[int]] = {}
            for identity, seeds in cells.items():
                part = part_of[identity]
                if part.is_file() or identity in run_of:
                    seeds_in.setdefault(part if part.is_file() else run_of[identity], []).extend(seeds)
            if seeds_in:
                pieces[at] = tuple(Piece(path, tuple(seeds)) for path, seeds in seeds_in.items())
    return pieces, merged


def _run_files(folder: Path) -> list[tuple[Path, str, frozenset[str]]]:
    """Files of merged runs, each with its run id and the identities of its cells."""
    paths = [folder / "runs" / name for name in _names(folder / "runs") if name.endswith(".nc")]
    told = ((path, *files.told_of_run(path)) for path in paths)
    return [(path, run_id, frozenset(cells)) for path, run_id, cells in told]


def _all_places(frame: Frame) -> set[tuple[int, ...]]:
    import itertools

    return set(itertools.product(*map(range, frame.shape(seeds=False))))
