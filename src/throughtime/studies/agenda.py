"""What is still to be done in a study, and in which order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughtime.studies.worker import MERGE

if TYPE_CHECKING:
    from throughtime.studies.folder import Folder
    from throughtime.studies.plans import Cell, RunPlan


@dataclass(frozen=True)
class Job:
    """A cell to do, or a run to merge.

    Attributes:
        kind: of the cell, or ``"merge"``. identity: of the cell or run.
        name: of its files.
        cell: the cell; None for a run to merge.
        urgent: goes before what was ready earlier, so that runs are finished one after the other.
    """

    kind: str
    identity: str
    name: str
    cell: Cell | None
    urgent: bool


class Agenda:
    """Jobs whose needs are met, and those that wait.

    Args:
        place: folder of the study.
        cells: those that can still be done, with those they need.
        runs: all runs of the study.
        done: identities of the cells that are done.
    """

    def __init__(
        self, place: Folder, cells: Iterable[Cell], runs: Iterable[RunPlan], done: Iterable[str]
    ) -> None:
        self.place = place
        self._missing: dict[str, set[str]] = {}
        self._waiting: dict[str, list[Job]] = {}
        self._ready: deque[Job] = deque()
        self._put_off: deque[Job] = deque()
        done = set(done)
        cells = list(cells)
        coming = {cell.identity for cell in cells}
        merges = {}
        for run in runs:
            needs = {cell.identity for cell in run.cells}
            if needs <= coming | done and place.run_path(run) is None:
                merges[run.labels] = Job(MERGE, run.identity, run.name, None, True), needs - done
        for cell in cells:
            if cell.kind == "measure":
                merge = merges.get(cell.labels)
                self._add(_job(cell), set() if merge is None else {merge[0].identity})
            else:
                self._add(_job(cell), set(cell.needs) - done)
        for job, missing in merges.values():
            self._add(job, missing)

    def _add(self, job: Job, missing: set[str]) -> None:
        if not missing:
            self._ready.append(job)
            return
        self._missing[job.identity] = missing
        for need in missing:
            self._waiting.setdefault(need, []).append(job)

    @property
    def left(self) -> int:
        """Jobs that were not handed out and can be, now or once others are done."""
        return len(self._ready) + len(self._put_off) + len(self._missing)

    def next(self) -> Job | None:
        """The next job that can be begun; None where there is none at the moment.

        What another process has noted to be at work on comes last: it may be done by then.
        """
        while self._ready:
            job = self._ready.popleft()
            if job.cell is None or not self._elsewhere(job):
                return job
            self._put_off.append(job)
        return self._put_off.popleft() if self._put_off else None

    def back(self, job: Job) -> None:
        """Put a job back that was handed out and not begun."""
        self._ready.append(job)

    def done(self, job: Job) -> None:
        """A job is done: what waits for it may be ready."""
        for other in self._waiting.pop(job.identity, []):
            missing = self._missing.get(other.identity)
            if missing is None:
                continue
            missing.discard(job.identity)
            if not missing:
                del self._missing[other.identity]
                if other.urgent:
                    self._ready.appendleft(other)
                else:
                    self._ready.append(other)

    def failed(self, job: Job) -> list[Job]:
        """A job failed: what needs it can never be done; those jobs."""
        lost, found = [job], []
        while lost:
            for other in self._waiting.pop(lost.pop().identity, []):
                if self._missing.pop(other.identity, None) is not None:
                    found.append(other)
                    lost.append(other)
        return found

    def done_elsewhere(self, job: Job) -> dict[str, Any] | None:
        """The summary of a cell that another process has done meanwhile, as far as the folder shows it."""
        if job.cell is None or not os.path.exists(self.place.path / "cells" / f"{job.name}.json"):
            return None
        return self.place.summary(job.cell)

    def _elsewhere(self, job: Job) -> bool:
        return os.path.exists(self.place.path / "running" / f"{job.name}.json")


def _job(cell: Cell) -> Job:
    return Job(cell.kind, cell.identity, cell.name, cell, cell.kind == "measure")
