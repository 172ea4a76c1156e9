"""Where the jobs of a study are executed: in this process, or by the workers of a Dask scheduler."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from throughtime import config
from throughtime.studies import clusters
from throughtime.studies.agenda import Job
from throughtime.studies.failures import SchedulerError
from throughtime.studies.progress import Reporter
from throughtime.studies.worker import Order, execute

if TYPE_CHECKING:
    from distributed import Client

AHEAD = 2
"""Jobs at the scheduler for each worker: one it computes, one it goes on with at once."""
MOST_DEATHS = 10


class WorkerError(RuntimeError):
    """Workers died again and again while they computed a cell."""


class Workers(Protocol):
    """Where jobs are executed; ``ahead`` jobs for each worker are handed out."""

    ahead: int

    @property
    def number(self) -> int:
        """Workers there are at the moment."""

    def give(self, job: Job, order: Order) -> None:
        """Let a job be executed."""

    def ended(self, seconds: float) -> list[tuple[Job, Any]]:
        """Jobs that ended, with what they returned or the error; waits for one, at most so long."""


class Here:
    """This process, one job at a time."""

    ahead, number = 1, 1

    def __init__(self) -> None:
        self._given: list[tuple[Job, Order]] = []

    def give(self, job: Job, order: Order) -> None:
        """Keep it until it is waited for."""
        self._given.append((job, order))

    def ended(self, seconds: float) -> list[tuple[Job, Any]]:
        """Execute one."""
        job, order = self._given.pop(0)
        try:
            return [(job, execute(order))]
        except Exception as error:
            return [(job, error)]


class OnDask:
    """Workers of a Dask scheduler.

    Jobs have the same keys for all clients that run the same study in the same folder: what one has asked
    for is not computed again for another.
    """

    ahead = AHEAD

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._jobs: dict[str, tuple[Job, Order, Any]] = {}
        self._deaths: dict[str, int] = {}
        self._again: dict[str, int] = {}
        self._number, self._looked = 0, float("-inf")

    @property
    def number(self) -> int:
        """Threads of all workers, looked up every other second."""
        if time.monotonic() - self._looked > 2.0:
            self._number = sum(self._client.ncores().values())
            self._looked = time.monotonic()
        return self._number

    def give(self, job: Job, order: Order) -> None:
        """Submit it."""
        again = self._again.get(job.identity, 0)
        told = {"folder": order.folder, "identity": job.identity, "again": again}
        key = f"{job.kind}-{config.sha256(told)[:32]}"
        future = self._client.submit(execute, order, key=key, priority=int(job.urgent), pure=False)
        self._jobs[key] = job, order, future
        future.add_done_callback(self._ended.put)

    def ended(self, seconds: float) -> list[tuple[Job, Any]]:
        """What ended; a job whose worker died is given out again, up to a number of deaths."""
        found = []
        try:
            future: Any = self._ended.get(timeout=seconds)
        except queue.Empty:
            return []
        while future is not None:
            job, order, _ = self._jobs.pop(future.key)
            self._again[job.identity] = self._again.get(job.identity, 0) + 1
            answer = self._answer(job, future)
            if isinstance(answer, WorkerError) and self._deaths[job.identity] <= MOST_DEATHS:
                self.give(job, order)
            else:
                found.append((job, answer))
            future = None if self._ended.empty() else self._ended.get()
        return found

    def cancel(self) -> None:
        """Give up what was not begun."""
        if self._jobs:
            self._client.cancel([future for _, _, future in self._jobs.values()])
            self._jobs.clear()

    def _answer(self, job: Job, future: Any) -> Any:
        from distributed.scheduler import KilledWorker

        if future.status == "finished":
            return future.result()
        if future.status != "error":
            return SchedulerError(
                f"study: the scheduler gave a job up ({future.status}), or the connection to it was lost; "
                "run the study again to go on."
            )
        error = future.exception()
        if not isinstance(error, KilledWorker):
            return error
        deaths = self._deaths.get(job.identity, 0) + error.allowed_failures + 1
        self._deaths[job.identity] = deaths
        return WorkerError(
            f"{deaths} workers died while they computed it, most often for want of memory; give workers more "
            "(memory_limit), or cells fewer seeds (seeds_per_cell)"
        )


@contextlib.contextmanager
def workers_of(
    scheduler: Any, workers: int | None, memory_limit: Any, reporter: Reporter
) -> Iterator[Workers]:
    """Where the jobs go; what was started for it is closed at the end."""
    if scheduler == clusters.SERIAL:
        if workers not in (None, 1):
            raise ValueError(
                f"study: workers {workers} with scheduler 'serial', which has none; leave out one of the two."
            )
        yield Here()
        return
    with clusters.connected(scheduler, workers, memory_limit, reporter.tell) as client:
        pool = OnDask(client)
        try:
            yield pool
        finally:
            pool.cancel()
