"""Kills processes of a study with SIGKILL at random moments, runs it again, and compares what is there.

Usage: ``python -m tests.studies.killer FOLDER SEED``. Writes a line of JSON for each kind of kill.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed.cli.dask_scheduler
import distributed.cli.dask_worker

import throughtime.studies.execution
import throughtime.studies.measuring
import throughtime.studies.merge  # noqa: F401  (imported once here, not in every process)
from tests.studies import processes
from tests.studies.processes import fork, has_ended, run

SERIAL_KILLS, WRITING_KILLS, WORKER_KILLS, CLIENT_KILLS = 8, 6, 5, 3


def kill(number: int) -> None:
    """SIGKILL, and wait until it is gone."""
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)


class Compared:
    """What killed studies came to in the end, beside one that was left alone."""

    def __init__(self, folder: Path, alone: dict[str, str]) -> None:
        self.folder, self.alone = folder, alone
        self.num_studies, self.same, self.left = 0, True, 0
        self.progress: list[int] = []
        self.writing = 0

    def killed(self) -> None:
        """Note how far the study was: its finished files, and what was being written."""
        done = [path for path in self.folder.glob("*/*.nc") if not path.name.startswith(".")]
        self.progress.append(len(done) + len(list(self.folder.glob("cells/*.json"))))
        self.writing += bool(processes.half_written(self.folder))

    def finished(self) -> None:
        """Compare, and begin anew."""
        self.num_studies += 1
        self.same &= processes.content(self.folder) == self.alone
        self.left += len(processes.left_over(self.folder))
        shutil.rmtree(self.folder)

    def report(self, **more: Any) -> None:
        """A line of JSON."""
        told = {
            "kills": len(self.progress), "progress": self.progress, "writing": self.writing,
            "studies": self.num_studies, "same": self.same, "left": self.left, **more,
        }  # fmt: skip
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def clients(compared: Compared, kills: int, strike: Callable[[int], None]) -> None:
    """Clients that compute themselves; ``strike`` says when it is time, and returns at once if one has ended."""
    while len(compared.progress) < kills:
        number = fork(run, compared.folder)
        strike(number)
        if has_ended(number):
            compared.finished()
        else:
            kill(number)
            compared.killed()
    assert processes.ended(fork(run, compared.folder))
    compared.finished()


def at_random(draw: random.Random, whole: float) -> Callable[[int], None]:
    """A moment between the start and most of the time that a study takes."""
    return lambda number: time.sleep(draw.uniform(0.02, 0.9) * whole)


def while_writing(draw: random.Random, folder: Path) -> Callable[[int], None]:
    """A moment at which some file is half-written, of any that are."""

    def strike(number: int) -> None:
        before = set(processes.half_written(folder))
        end = time.monotonic() + 30.0
        skip = draw.randrange(6)
        while (
            time.monotonic() < end
            and os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        ):
            if now := set(processes.half_written(folder)) - before:
                if not skip:
                    return
                skip, before = skip - 1, before | now

    return strike


def dask(command: Any, *words: str) -> None:
    """A command of Dask, in this process."""
    command.main(list(words), standalone_mode=False)


def workers(compared: Compared, draw: random.Random, whole: float) -> None:
    """A scheduler, a worker and a client as processes; workers and clients are killed."""
    place = compared.folder.parent / "scheduler.json"
    quiet = ("--no-dashboard", "--scheduler-file", str(place))
    scheduler = fork(
        dask, distributed.cli.dask_scheduler.main, "--host", "127.0.0.1", "--port", "0", *quiet
    )  # fmt: skip
    processes.wait_for(place.exists)

    def worker() -> int:
        words = ("--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--memory-limit", "0")
        return fork(dask, distributed.cli.dask_worker.main, *words, *quiet)

    def client() -> int:
        return fork(run, compared.folder, scheduler=str(place))

    running, at_work = client(), worker()
    victims = ["worker"] * WORKER_KILLS + ["client"] * CLIENT_KILLS
    draw.shuffle(victims)
    while victims:
        until = time.monotonic() + draw.uniform(0.2, 0.9) * whole
        while time.monotonic() < until and not (done := has_ended(running)):
            time.sleep(0.01)
        if done:
            compared.finished()
            running = client()
        elif victims.pop() == "worker":
            kill(at_work)
            compared.killed()
            at_work = worker()
        else:
            kill(running)
            compared.killed()
            running = client()
    assert processes.ended(running)
    compared.finished()
    kill(at_work)
    kill(scheduler)


def together(folder: Path) -> Iterator[dict[str, Any]]:
    """Two clients that begin at once."""
    told = [folder.parent / f"told-{index}.json" for index in range(2)]
    both = [fork(run, folder, one) for one in told]
    assert all([processes.ended(number) for number in both])
    yield from (json.loads(one.read_text()) for one in told)


def main() -> None:
    """Left alone; two at once; killed."""
    folder, draw = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    assert processes.ended(fork(run, folder / "first"))  # fills the compilation cache
    began = time.monotonic()
    assert processes.ended(fork(run, folder / "alone"))
    whole = time.monotonic() - began
    alone = processes.content(folder / "alone")
    assert alone == processes.content(folder / "first")
    compared = Compared(folder / "together", alone)
    found = list(together(compared.folder))
    compared.finished()
    compared.report(clients=found, num_files=len(alone), seconds=whole)
    for kills, strike in (
        (SERIAL_KILLS, at_random(draw, whole)),
        (WRITING_KILLS, while_writing(draw, folder / "killed")),
    ):
        compared = Compared(folder / "killed", alone)
        clients(compared, kills, strike)
        compared.report()
    compared = Compared(folder / "workers", alone)
    workers(compared, draw, whole)
    compared.report()


if __name__ == "__main__":
    main()
