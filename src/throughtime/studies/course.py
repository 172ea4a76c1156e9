"""The course of one call that runs a study: what is handed out, and what becomes of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from throughtime.studies.agenda import Agenda, Job
from throughtime.studies.cells import FAILED, Outcome
from throughtime.studies.failures import CodeError, SchedulerError, StorageError, told
from throughtime.studies.pools import WorkerError, Workers
from throughtime.studies.progress import Reporter, Tally
from throughtime.studies.worker import Order

WAIT_SECONDS = 1.0


class Course:
    """Hands out jobs, and counts what comes back.

    Args:
        agenda: what is to be done. order: what all jobs share.
        tally: counts; it is told of every cell.
        failures: takes what is recorded of jobs that fail.

    Attributes:
        num_computed: cells that were done now.
    """

    def __init__(
        self, agenda: Agenda, order: Order, tally: Tally, failures: dict[str, dict[str, Any]]
    ) -> None:
        self.agenda, self.order, self.tally, self.failures = agenda, order, tally, failures
        self.num_computed = self.in_flight = 0

    def run(self, pool: Workers, reporter: Reporter) -> None:
        """Until nothing is left that can be begun, or the time is up."""
        while True:
            self.hand_out(pool)
            self.tally.num_workers = pool.number
            self.tally.num_running = min(self.in_flight, pool.number)
            reporter.show()
            if not self.in_flight:
                return
            for job, answer in pool.ended(WAIT_SECONDS):
                self.in_flight -= 1
                self.settle(job, answer)

    def hand_out(self, pool: Workers) -> None:
        """Give the workers as much as they can do now and next."""
        most = pool.ahead * max(pool.number, 1)
        while self.in_flight < most and not (self.order.until is not None and time.time() > self.order.until):
            job = self.agenda.next()
            if job is None:
                return
            summary = self.agenda.done_elsewhere(job)
            if summary is not None:
                self.tally.done(summary)
                self.agenda.done(job)
                continue
            pool.give(job, replace(self.order, kind=job.kind, identity=job.identity))
            self.in_flight += 1

    def settle(self, job: Job, answer: Any) -> None:
        """Count what became of a job.

        Raises:
            StorageError, CodeError, SchedulerError, ValueError: for what concerns the whole study.
        """
        if answer is None:
            self.agenda.back(job)
        elif isinstance(answer, Outcome) and answer.status != FAILED:
            self.num_computed += answer.computed
            self.tally.done(answer.record)
            self.agenda.done(job)
        elif isinstance(answer, str):
            self.agenda.done(job)
        elif isinstance(answer, Outcome):
            self.fail(job, answer.record)
        elif isinstance(answer, ModuleNotFoundError):
            raise ValueError(
                f"study: a worker has no module {answer.name!r}; start workers in this process's environment."
            ) from answer
        elif isinstance(answer, WorkerError) and job.cell is not None:
            self.fail(job, self.agenda.place.fail(job.cell, answer))
        elif job.cell is not None or isinstance(answer, StorageError | CodeError | SchedulerError):
            raise answer
        else:
            self.fail(job, {"name": job.name, "kind": job.kind, **told(answer)})

    def fail(self, job: Job, record: dict[str, Any]) -> None:
        """Count a job that failed, and what needs it."""
        self.failures[job.identity] = record
        if job.cell is not None:
            self.tally.failed(job.identity)
        for other in self.agenda.failed(job):
            if other.cell is not None:
                self.tally.blocked(other.identity)
