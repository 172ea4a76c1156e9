"""The folder of a study: what is declared, done, failed and running, in files that appear whole."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import secrets
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime import config, results
from throughtime.studies import files
from throughtime.studies.code import numbers_sha256
from throughtime.studies.declaration import Study
from throughtime.studies.failures import CodeError, told
from throughtime.studies.plans import Cell, RunPlan
from throughtime.studies.summaries import facts, summary_of

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 1
ROOMS = ("cells", "failed", "running", "runs", "analysis", "scratch", "history")
LOG = logging.getLogger("throughtime.studies")


class Declared:
    """A study as it stands in a folder.

    Attributes:
        study: the study. cells: by identity. runs: by labels.
        code: hashes of the code that it was declared with, by kind of cell.
        command: the command line that declared it, or None.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        if content.get("format") != FORMAT:
            raise ValueError(
                f"study: study.json has format {content.get('format')!r}, this throughtime knows {FORMAT}; "
                "use the version that declared the study."
            )
        self.study: Study = config.decode(content["study"])
        adopt(self.study, content)
        self.code, self.command = content["code"], content["command"]
        self.cells = {cell.identity: cell for cell in self.study.cells()}
        self.runs = {run.labels: run for run in self.study.runs()}


class Folder:
    """The folder of a study.

    Args:
        path: of the folder; it is made when a study is declared in it.

    Example:
        >>> import tempfile
        >>> import throughtime as tt
        >>> circuits = {"small": {"num_units": 4}}
        >>> study = Study("first", ["cue-set-go"], circuits, ["rflo"], seeds=4, seeds_per_cell=2)
        >>> with tempfile.TemporaryDirectory() as path:
        ...     folder = Folder(path)
        ...     folder.declare(study)
        ...     folder.study() == study, [cell.seeds for cell in folder.pending()]
        (True, [(0, 1), (2, 3)])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Folder({str(self.path)!r})"

    def declare(self, study: Study, command: str | None = None) -> None:
        """Write the study down, in place of what was declared here before, which goes to ``history``.

        Cells that are done stay valid wherever their identity is the same. What killed writers left behind is
        swept.

        Raises:
            ValueError: for combinations that cannot be trained, see :meth:`Study.runs`.
            StorageError: where the folder cannot be written.
        """
        path = self.path / "study.json"
        old, written = files.read_json(path), config.encode(study)
        code = {"train": numbers_sha256(), "measure": numbers_sha256("measure")}
        same = old is not None and old["study"] == written and old["code"] == code
        if old is not None and same:
            adopt(study, old)
        cells = study.cells()  # refuses what cannot be run, before anything is written
        with files.storage():
            for room in ROOMS:
                (self.path / room).mkdir(parents=True, exist_ok=True)
            if not same:
                if old is not None:
                    files.write_json(self.path / "history" / f"{old['identity'][:12]}.json", old)
                refused = [[*labels, reason] for labels, reason in study.refused.items()]
                files.write_json(
                    path,
                    {
                        "format": FORMAT,
                        "study": written,
                        "identity": study.identity,
                        "code": code,
                        "refused": refused,
                        "command": command,
                        "declared_at": files.now(),
                    },
                )
        done = set(files.names(self.path / "cells"))
        for room in ROOMS:
            files.sweep_old(self.path / room)
        left = {name.split(".")[0] for name in os.listdir(self.path / "scratch")}
        for cell in cells:
            if cell.name in left and f"{cell.name}.json" in done:
                files.sweep(self.path / "scratch", cell.name)

    def declared(self, identity: str | None = None) -> Declared:
        """What is declared here; with the identity of a cell, the declaration that has this cell.

        Raises:
            ValueError: where nothing is declared, or no declaration has such a cell.
            CodeError: where this process has other code than the study was declared with.
        """
        path = self.path / "study.json"
        if not path.is_file():
            raise ValueError(f"study: {self.path} holds no study.json; declare a study there first.")
        present = _declared(path, _stamp(path))
        if identity is None or identity in present.cells:
            return present
        for one in sorted((self.path / "history").glob("*.json"), key=_stamp, reverse=True):
            before = _declared(one, _stamp(one))
            if identity in before.cells:
                return before
        if present.code != {kind: numbers_sha256(kind) for kind in present.code}:
            raise CodeError(
                "study: this process has other code, or other versions of jax, numpy or optax, than the one "
                "that declared the study; start workers from the same environment, or declare it again."
            )
        raise ValueError(f"study: no cell {identity[:12]} is declared in {self.path.name}.")

    def study(self) -> Study:
        """The study that is declared here.

        Raises:
            ValueError: where none is, or the module of one of its classes cannot be imported.
        """
        return self.declared().study

    def part_path(self, cell: Cell) -> Path:
        """Where a cell writes its file; a measure of a run lies in ``analysis``."""
        return self.path / ("analysis" if cell.kind == "measure" else "cells") / f"{cell.name}.nc"

    def summary(self, cell: Cell) -> dict[str, Any] | None:
        """What a cell that is done found, in short; None for one that is not."""
        found: dict[str, Any] | None = files.read(self.path / "cells" / f"{cell.name}.json")
        return self._rebuilt(cell) if found is None else found

    def summaries(self) -> dict[str, dict[str, Any]]:
        """Identity -> summary of every cell that is done, of this declaration or of one before it.

        Summaries that were lost are made again from their files, where the cell is declared.
        """
        names = files.names(self.path / "cells")
        found = {}
        for name in names:
            one = files.read(self.path / "cells" / name)
            if one is not None:
                found[one["identity"]] = one
        if not (self.path / "study.json").is_file():
            return found
        for cell in self.declared().cells.values():
            if cell.identity not in found and (rebuilt := self._rebuilt(cell)) is not None:
                found[cell.identity] = rebuilt
        return found

    def failures(self) -> dict[str, dict[str, Any]]:
        """Identity -> reason of every cell that failed and was not done since."""
        done = set(files.names(self.path / "cells"))
        return self._records("failed", done)

    def running(self) -> dict[str, dict[str, Any]]:
        """Identity -> when a worker began each cell that has not ended, one that was killed included."""
        return self._records("running", set(files.names(self.path / "cells")))

    def pending(self, study: Study | None = None, retry_failed: bool = False) -> tuple[Cell, ...]:
        """Cells that can still be done, those that others need first.

        A cell that needs one that failed is not among them, unless that one is tried again.

        Args:
            study: the declared one by default.
            retry_failed: also those that failed.
        """
        done = set(self.summaries())
        lost = set() if retry_failed else set(self.failures())
        found = []
        for cell in (self.study() if study is None else study).cells():
            if cell.identity in done:
                continue
            if cell.identity in lost or lost.intersection(cell.needs):
                lost.add(cell.identity)
                continue
            found.append(cell)
        return tuple(found)

    def write_part(self, cell: Cell, tree: xr.DataTree) -> dict[str, Any]:
        """Write what a cell found, and its summary; the cell is then done.

        A file that is there already is never replaced: it holds the same numbers, or, from a machine of
        another kind, numbers that others may have used already.

        Returns:
            the summary of what is there now.

        Raises:
            StorageError: where it cannot be written; nothing is left behind.
        """
        path = self.part_path(cell)
        with files.storage():
            if not files.write_once(tree, path):
                there = results.load_tree(path)
                if results.content_sha256(there) != results.content_sha256(tree):
                    LOG.warning("%s: computed again with other numbers; the file stays as it was", cell.name)
                tree = there
            return self._write_summary(cell, tree)

    def fail(self, cell: Cell, error: Exception, seconds: float = 0.0) -> dict[str, Any]:
        """Record that a cell failed, and why.

        Raises:
            StorageError: where it cannot be written.
        """
        path = self.path / "failed" / f"{cell.name}.json"
        attempts = 1 + int((files.read(path) or {}).get("attempts", 0))
        record = {
            **facts(cell),
            **told(error),
            "attempts": attempts,
            "seconds": seconds,
            "finished_at": files.now(),
        }
        with files.storage():
            files.write_json(path, record)
        return record

    def begin(self, cell: Cell) -> Path:
        """Note that this process begins a cell; a folder of its own for the states of its trainings.

        What another process left of the same cell is taken over.
        """
        place = self.path / "scratch"
        own = place / f"{cell.name}.{secrets.token_hex(4)}"
        with files.storage():
            files.write_json(
                self.path / "running" / f"{cell.name}.json", {**facts(cell), "began_at": files.now()}
            )
            before = [path for path in place.glob(f"{cell.name}.*/*.npz") if zipfile.is_zipfile(path)]
            own.mkdir()
            for state in sorted(before, key=_stamp):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy2(state, own / state.name)
        return own

    def end(self, cell: Cell, scratch: Path, done: bool) -> None:
        """Take the note away; and, where the cell is done, everything that was left of its making."""
        files.remove(self.path / "running" / f"{cell.name}.json")
        if done:
            files.remove(self.path / "failed" / f"{cell.name}.json")
            files.sweep(self.path / "scratch", cell.name)
            for room in ("cells", "analysis", "running", "failed"):
                files.sweep(self.path / room, cell.name)
        elif not any(scratch.glob("*.npz")):
            files.remove(scratch)

    def run_path(self, plan: RunPlan) -> Path | None:
        """The file of a run that was merged; None for one that was not."""
        told_by = files.read(self.path / "runs" / f"{plan.name}.json")
        path = None if told_by is None else self.path / "runs" / str(told_by["file"])
        return path if path is not None and path.exists() else None

    def merge(self, plan: RunPlan, keep_parts: bool = False) -> Path:
        """Merge the parts of a run into its file; see :func:`throughtime.studies.merge.merge`."""
        from throughtime.studies.merge import merge

        return merge(self, plan, keep_parts=keep_parts)

    def _records(self, room: str, without: set[str]) -> dict[str, dict[str, Any]]:
        each = (
            files.read(self.path / room / name)
            for name in files.names(self.path / room)
            if name not in without
        )
        return {one["identity"]: one for one in each if one is not None}

    def open_run(self, plan: RunPlan) -> xr.DataTree | None:
        """A run as far as it is there; see :func:`throughtime.studies.merge.open_run`."""
        from throughtime.studies.merge import open_run

        return open_run(self, plan)

    def _rebuilt(self, cell: Cell) -> dict[str, Any] | None:
        """The summary of a cell from its file or its run, written down again; None where there is neither."""
        path = self.part_path(cell)
        if path.exists():
            return self._write_summary(cell, results.load_tree(path))
        if cell.kind != "train":
            return None
        from throughtime.studies.merge import rebuilt

        found = rebuilt(self, cell)
        return None if found is None else self._write_summary(cell, *found)

    def _write_summary(
        self, cell: Cell, tree: xr.DataTree, known: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        if known is None:
            known = {
                "content_sha256": results.content_sha256(tree),
                "bytes": self.part_path(cell).stat().st_size,
            }
        path = self.path / "cells" / f"{cell.name}.json"
        with files.storage():
            files.write_json(path, summary_of(cell, tree) | known)
        found: dict[str, Any] = files.read(path)
        return found


def adopt(study: Study, content: dict[str, Any]) -> None:
    """Take over which combinations were refused when the study was declared, which takes a while to find."""
    study.__dict__["refused"] = {tuple(one[:4]): one[4] for one in content["refused"]}


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@functools.lru_cache(maxsize=8)
def _declared(path: Path, stamp: tuple[int, int]) -> Declared:
    return Declared(json.loads(path.read_bytes()))
