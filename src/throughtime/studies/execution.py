"""Running a study: its cells on workers, its runs merged as they become complete, its failures as data."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from throughtime import config
from throughtime.studies import files
from throughtime.studies.agenda import Agenda
from throughtime.studies.code import classes_in, own_file
from throughtime.studies.course import Course
from throughtime.studies.failures import StorageError
from throughtime.studies.folder import ROOMS, Folder
from throughtime.studies.pools import workers_of
from throughtime.studies.progress import Reporter, Tally, stream_for
from throughtime.studies.status import blocked, lowest, write_plan
from throughtime.studies.summaries import facts
from throughtime.studies.worker import Order

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.studies.declaration import Study


@dataclass(frozen=True)
class Result:
    """What became of a study that was run.

    Attributes:
        folder: of the study.
        num_cells, num_runs: of the study, without what was refused.
        num_done, num_failed, num_blocked: cells that are done, that failed, and that need one that failed.
        num_computed: cells that were done by this call; the others were done before, or by another.
        num_merged: runs that are complete, in one file each.
        num_refused: combinations that cannot be trained.
        failures: identity -> what is recorded of a cell that failed, or of a run that could not be merged.
    """

    folder: Path
    num_cells: int
    num_runs: int
    num_done: int
    num_failed: int
    num_blocked: int
    num_computed: int
    num_merged: int
    num_refused: int
    failures: dict[str, dict[str, Any]]

    @property
    def num_left(self) -> int:
        """Cells that were not begun, or not finished, for want of time."""
        return self.num_cells - self.num_done - self.num_failed - self.num_blocked

    @property
    def complete(self) -> bool:
        """Whether every cell is done and every run merged."""
        return self.num_done == self.num_cells and self.num_merged == self.num_runs

    @property
    def tree(self) -> xr.DataTree:
        """The study as one record; see :func:`throughtime.studies.combine`."""
        from throughtime.studies.combine import combine

        found: xr.DataTree = combine(self.folder)
        return found

    def summary(self) -> str:
        """What became of it, in a few lines."""
        told = (
            (self.num_failed, "failed"),
            (self.num_blocked, "waiting for one that failed"),
            (self.num_left, "not begun or not finished"),
        )
        others = "".join(f", {number} {word}" for number, word in told if number)
        lines = [
            f"{self.num_done} of {self.num_cells} cells done ({self.num_computed} now){others}",
            f"{self.num_merged} of {self.num_runs} runs complete",
        ]
        if self.num_refused:
            lines.append(f"{self.num_refused} combinations refused")
        return "\n".join(lines)


def run_study(
    study: Study,
    folder: str | os.PathLike[str],
    *,
    scheduler: Any = None,
    workers: int | None = None,
    memory_limit: str | int | float | None = "auto",
    retry_failed: bool = False,
    progress: bool | TextIO | None = None,
    limit_minutes: float | None = None,
    keep_parts: bool = False,
    command: str | None = None,
) -> Result:
    """Run what is not yet done of a study, and merge the runs that are complete.

    It can be stopped and killed at any moment: called again, it goes on where it was, within cells too. What
    is done is never computed again. A cell that diverges or raises is recorded with its reason, and the
    others go on. Several processes may run one study in one folder; each takes what the others are not at.

    Args:
        study: what is run; it is written down in the folder, in place of what was declared there before.
        folder: of the study.
        scheduler: where cells are computed: None for worker processes on this machine, ``"serial"`` for this
            process alone, ``"slurm"`` for jobs of SLURM (:func:`throughtime.studies.slurm`), the address of
            a scheduler (``"tcp://host:8786"``), its scheduler file, or a ``Client`` or ``Cluster`` of Dask,
            which stay open.
        workers: number of workers of this machine (one a core by default) or of SLURM.
        memory_limit: of each worker of this machine, such as ``"4GB"``; by default its share of the memory.
        retry_failed: compute cells that failed once more.
        progress: whether to tell how far it is (on the standard error stream), or a stream to tell it on.
        limit_minutes: begin no cell after so many minutes; those that were begun are finished.
        keep_parts: leave the parts of runs beside the merged files.
        command: command line to write down in the results.

    Returns:
        a :class:`Result`.

    Raises:
        ValueError: for combinations that cannot be trained, and for what is no scheduler.
        StorageError: where the disk is full or the folder cannot be written. Nothing half-written is left.
        CodeError: where workers have other code or libraries than this process.
        SchedulerError: where the connection to the scheduler is lost.

    Example:
        >>> import tempfile
        >>> import throughtime as tt
        >>> study = tt.Study(
        ...     "first",
        ...     tasks={"go": tt.tasks.make("cue-set-go", dt=50.0)},
        ...     circuits={"small": {"num_units": 4}},
        ...     rules=["rflo"],
        ...     seeds=1,
        ...     training={"num_updates": 1, "batch_size": 1},
        ...     test_trials=1,
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(study.run(folder, scheduler="serial", progress=False).summary())
        1 of 1 cells done (1 now)
        1 of 1 runs complete
    """
    try:
        return _run(
            study, Folder(Path(folder).resolve()), scheduler, workers, memory_limit, retry_failed, progress,
            limit_minutes, keep_parts, command,
        )  # fmt: skip
    except StorageError as error:
        where = f"study {study.name}, folder {folder}: {error.strerror}"
        raise StorageError(error.errno, where) from error


def _run(
    study: Study,
    place: Folder,
    scheduler: Any,
    workers: int | None,
    memory_limit: str | int | float | None,
    retry_failed: bool,
    progress: bool | TextIO | None,
    limit_minutes: float | None,
    keep_parts: bool,
    command: str | None,
) -> Result:
    began = time.time()
    until = None if limit_minutes is None else began + 60.0 * limit_minutes
    place.declare(study, command)
    write_plan(place.path, study)
    summaries = place.summaries()
    cells = place.pending(study, retry_failed)
    agenda = Agenda(place, cells, study.runs(), summaries)
    tally = Tally(study.name, map(facts, study.cells()), lowest(study))
    for cell in study.cells():
        if cell.identity in summaries:
            tally.done(summaries[cell.identity])
    coming = {cell.identity for cell in cells}
    own = {cell.identity for cell in study.cells()}
    failures = {name: one for name, one in place.failures().items() if name in own - coming}
    _count_lost(study, tally, failures)
    order = Order("", str(place.path), "", module_paths(study), until, keep_parts)
    course = Course(agenda, order, tally, failures)
    with Reporter(tally, stream_for(progress)) as reporter:
        if agenda.left:
            with workers_of(scheduler, workers, memory_limit, reporter) as pool:
                course.run(pool, reporter)
    merged = sum(place.run_path(run) is not None for run in study.runs())
    result = Result(
        place.path, tally.num_cells, len(study.runs()), tally.num_done, tally.num_failed, tally.num_blocked,
        course.num_computed, merged, len(study.refused), failures,
    )  # fmt: skip
    if result.complete:
        _sweep(place, began)
    return result


def _count_lost(study: Study, tally: Tally, failures: dict[str, Any]) -> None:
    """Count the cells that failed before and are not tried again, and those that need them."""
    cells = [{"identity": cell.identity, "needs": cell.needs} for cell in study.cells()]
    for identity in failures:
        tally.failed(identity)
    for identity in blocked(cells, failures):
        tally.blocked(identity)


def module_paths(study: Study) -> tuple[str, ...]:
    """Folders from which the user's modules that define members of the study are imported."""
    found = set()
    for name in {one.partition(":")[0] for one in classes_in(config.encode(study))}:
        module = sys.modules.get(name)
        path = None if module is None else own_file(module)
        if path is not None:
            depth = name.count(".") + (path.stem == "__init__")
            found.add(str(path.parents[depth]))
    return tuple(sorted(found))


def _sweep(place: Folder, began: float) -> None:
    """Remove what processes left that were killed before this call began; all they were at is done."""
    left = [one for room in (".", *ROOMS) for one in (place.path / room).glob(".*.part*")]
    left += [one for room in ("running", "scratch") for one in (place.path / room).iterdir()]
    for one in left:
        with contextlib.suppress(OSError):
            if one.stat().st_mtime < began:
                files.remove(one)
