"""Kills processes of a study with SIGKILL at random moments, runs it again, and compares what is there."""

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

from tests.studies import processes
from tests.studies.processes import fork, has_ended, run

CLIENT_KILLS, WRITING_KILLS, WORKER_KILLS, DASK_CLIENT_KILLS = 7, 5, 5, 3


def kill(number: int) -> None:
    """SIGKILL, and wait until it is gone."""
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)


def stopped(number: int) -> bool:
    """Wait until a process that was sent SIGSTOP stands still; False if it ended before."""
    while (told := os.waitid(os.P_PID, number, os.WSTOPPED | os.WEXITED | os.WNOWAIT)) is None:
        pass
    return told.si_code == os.CLD_STOPPED


class Compared:
    """What killed studies came to in the end, beside one that was left alone."""

    def __init__(self, folder: Path, alone: dict[str, str]) -> None:
        self.folder, self.alone = folder, alone
        self.num_studies, self.same = 0, True
        self.left: list[str] = []
        self.moments: list[str] = []
        self.half: set[str] = set()
        self.writing = 0

    def killed(self) -> None:
        """Note how far the study was: its finished files, updates in checkpoints, what is half-written."""
        half = set(processes.half_written(self.folder))
        done = [f"{path.parent.name}{path.suffix}" for path in self.folder.glob("[cr]*[^g]/*[cn]")]
        kinds = {name.lstrip(".").split(".")[1] for name in half - self.half}
        told = (sorted(done), sorted(set(processes.updates(self.folder))), sorted(kinds))
        self.moments.append(" ".join(map(str, told)))
        self.writing += bool(half - self.half)
        self.half = half

    def finished(self) -> None:
        """Compare, and begin anew."""
        self.num_studies += 1
        self.same &= processes.content(self.folder) == self.alone
        self.left += processes.left_over(self.folder)
        shutil.rmtree(self.folder)
        self.half = set()

    def report(self, what: str, **more: Any) -> None:
        """A line of JSON."""
        told = {
            "what": what,
            "kills": len(self.moments), "moments": self.moments, "writing": self.writing,
            "studies": self.num_studies, "same": self.same, "left": self.left, **more,
        }  # fmt: skip
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def clients(compared: Compared, kills: int, strike: Callable[[int], None]) -> None:
    """Clients that compute themselves; ``strike`` returns when it is time, or one has ended."""
    while len(compared.moments) < kills:
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
    """A moment between the start and a little more than the time that a study takes."""
    return lambda number: time.sleep(draw.uniform(0.1, 1.1) * whole)


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
                    os.kill(number, signal.SIGSTOP)
                    if stopped(number) and set(processes.half_written(folder)) - before:
                        return
                    os.kill(number, signal.SIGCONT)  # the file was finished in between
                else:
                    skip -= 1
                before |= now
            time.sleep(0.001)

    return strike


def dask(command: Any, *words: str) -> None:
    """A command of Dask, in this process."""
    command.main(list(words), standalone_mode=False)


def workers(compared: Compared, draw: random.Random, whole: float) -> None:
    """A scheduler, a worker and a client as processes; workers and clients are killed."""
    place = compared.folder.parent / "scheduler.json"
    quiet = ("--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(place))
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
    victims = ["worker"] * WORKER_KILLS + ["client"] * DASK_CLIENT_KILLS
    draw.shuffle(victims)
    while victims:
        until = time.monotonic() + draw.uniform(0.1, 0.6) * whole
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
    well = [processes.ended(number) for number in both]
    assert all(well)
    yield from (json.loads(one.read_text()) for one in told)
