"""Cases of studies: what a cell costs beyond its work, many cells at once, and two workers beside one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import throughtime as tt
from benchmarks.cases import Builders
from benchmarks.timing import Found
from throughtime.studies import Folder, Status, Study, clusters, files
from throughtime.studies.agenda import Job
from throughtime.studies.pools import OnDask
from throughtime.studies.status import write_plan
from throughtime.studies.worker import Order

TASKS, RULES, OPTIONS, CHUNKS = 20, ("bptt", "rflo", "eprop", "snap"), 5, 5


def study(name: str, num_seeds: int, num_updates: int, start: int = 0, num_units: int = 32) -> Study:
    """One combination, a cell for each seed."""
    return Study(
        name,
        tasks={"go": tt.tasks.make("cue-set-go", dt=20.0)},
        circuits={"small": {"num_units": num_units}},
        rules=["rflo"],
        seeds=range(start, start + num_seeds),
        seeds_per_cell=1,
        training={"num_updates": num_updates, "batch_size": 16, "stop": "budget", "eval_every": 50},
        test_trials=16,
    )


@contextlib.contextmanager
def workers(number: int, warm: Study) -> Iterator[tuple[Any, Path]]:
    """Workers of this machine that have imported, compiled and run a study; and a folder for others."""
    from distributed import Client

    with (
        tempfile.TemporaryDirectory() as place,
        clusters.local(number) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        seconds_of(warm, Path(place) / "warm", client)
        yield client, Path(place)


def seconds_of(one: Study, folder: Path, client: Any) -> float:
    """Seconds from the call to the last merged run."""
    began = time.perf_counter()
    result = one.run(folder, scheduler=client, progress=False)
    if not result.complete:
        raise RuntimeError(result.summary())
    return time.perf_counter() - began


def own_work(encoded: Any, repeats: int) -> float:
    """Median seconds of ``tt.train`` and saving, in the process that calls it, one seed after the other."""
    import dask

    from throughtime import config
    from throughtime.studies.plans import combinations

    one = next(combinations(config.decode(encoded)))
    found = []
    with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="synchronous"):
        for index in range(repeats):
            rule, settings = one.settings((index,))
            began = time.perf_counter()
            run = tt.train(one.task, one.circuit, rule, test_trials=16, progress=False, **settings)
            run.save(Path(folder) / f"{index}.nc")
            found.append(time.perf_counter() - began)
    return statistics.median(found)


def overhead(num_cells: int, num_updates: int = 100) -> Builders:
    """Seconds of a cell in a study with one worker, beyond training and saving in the same process.

    Merging is among them: it is done once a run, here of as many cells.
    """

    @cache
    def measured() -> dict[str, float]:
        from throughtime import config

        with workers(1, study("warm", 2, num_updates, start=1000)) as (client, place):
            encoded = config.encode(study("own", num_cells, num_updates))
            own = [client.submit(own_work, encoded, num_cells, pure=False).result() for _ in range(2)]
            whole = seconds_of(study("timed", num_cells, num_updates), place / "timed", client)
            own.append(client.submit(own_work, encoded, num_cells, pure=False).result())
            (path,) = (place / "timed" / "runs").glob("*.nc")
            return {
                "beyond": whole / num_cells - statistics.mean(own[1:]),
                "own": statistics.mean(own[1:]),
                "bytes": path.stat().st_size / num_cells,
                "job": _per_job(client, place / "timed"),
            }

    return {name: lambda name=name: Found(measured()[name]) for name in ("beyond", "own", "bytes", "job")}


def _per_job(client: Any, folder: Path, number: int = 1000) -> float:
    """Seconds of a job that does nothing, from client to scheduler to worker and back."""
    pool, given, ended = OnDask(client), 0, 0
    began = time.perf_counter()
    while ended < number:
        while given < number and given - ended < 32:
            job = Job("train", str(given), "nothing", None, False)
            pool.give(job, Order("train", str(folder), str(given), until=0.0))
            given += 1
        ended += len(pool.ended(1.0))
    return (time.perf_counter() - began) / number


def many(num_cells: int = TASKS * len(RULES) * OPTIONS * CHUNKS) -> Builders:
    """Seconds to declare a study of many cells, to take it up when all are done, and to sum it up.

    One run is trained and merged; the files of all others are its bytes under other names.
    """
    one = study("many", CHUNKS, 2, num_units=8)
    given = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
    wished = Study(**{
        **given,
        "tasks": {f"go{n}": tt.tasks.make("cue-set-go", dt=20.0, noise=0.01 * n) for n in range(TASKS)},
        "rules": RULES,
        "options": {f"rate{n}": {"learning_rate": 1e-3 * (n + 1)} for n in range(OPTIONS)},
    })  # fmt: skip

    @cache
    def measured() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as place:
            template, folder = Path(place) / "one", Path(place) / "many"
            one.run(template, scheduler="serial", progress=False)
            found = {}

            def timed(name: str, work: Callable[[], Any]) -> Any:
                began = time.perf_counter()
                answer = work()
                found[name] = time.perf_counter() - began
                return answer

            fresh = dataclasses.replace(wished)  # what one finds out about itself is not carried over
            timed("declare", lambda: Folder(folder).declare(fresh))
            _fill(folder, template, fresh)
            again = dataclasses.replace(wished)
            result = timed("resume", lambda: again.run(folder, progress=False))
            if result.num_done != num_cells or not result.complete or result.num_computed:
                raise RuntimeError(result.summary())
            text = timed("status", lambda: Status(folder).text())
            if f"{num_cells} done" not in text:
                raise RuntimeError(text)
            record = timed("combine", lambda: tt.studies.combine(folder))
            if record.attrs["num_seeds_not_run"] or "/curves" not in record.groups:
                raise RuntimeError(f"not all was combined: {record.attrs['not_combined']}")
            found["all"] = found["declare"] + found["resume"] + found["status"] + found["combine"]
            return found

    names = ("all", "declare", "resume", "status", "combine")
    return {name: lambda name=name: Found(measured()[name]) for name in names}


def _fill(folder: Path, template: Path, made: Study) -> None:
    """Files of a study that is done, out of those of a run that was trained."""
    write_plan(folder, made)
    (run,) = (template / "runs").glob("*.nc")
    note = json.loads(next((template / "runs").glob("*.json")).read_bytes())
    summaries = {one["seeds"]: one for one in map(files.read, (template / "cells").glob("*.json"))}
    for plan in made.runs():
        path = folder / "runs" / f"{'-'.join(plan.labels)}-{plan.identity[:16]}.nc"
        shutil.copyfile(run, path)
        _rename(path, plan)
        told = {**note, "identity": plan.identity, "file": path.name, "run_id": plan.identity[:16]}
        files.write_json(folder / "runs" / f"{plan.name}.json", told)
        for cell in plan.cells:
            names = {name: getattr(cell, name) for name in ("identity", "name", "task", "rule", "option")}
            told = {**summaries[cell.seeds], **names, "run_id": plan.identity[:16]}
            files.write_json(folder / "cells" / f"{cell.name}.json", told)


def _rename(path: Path, plan: Any) -> None:
    """Let a run's file say that it is another run."""
    import h5py

    with h5py.File(path, "r+") as file:
        file.attrs["plan"] = plan.identity
        file.attrs["cells"] = json.dumps({cell.identity: {} for cell in plan.cells})


def efficiency(num_cells: int = 8, num_updates: int = 3000) -> Builders:
    """Time of one worker over twice that of two, with cells of some seconds; and of a bare loop likewise.

    What a machine that is shared gives two processes at the moment is told by the loop.
    """

    @cache
    def measured() -> dict[str, float]:
        seconds, bare = {}, {}
        for number in (1, 2):
            with workers(number, study("warm", 2 * number, 50, start=1000)) as (client, place):
                # the number of updates is part of what is compiled
                seconds_of(study("again", 2 * number, num_updates, start=2000), place / "again", client)
                bare[number] = _bare(client, number)
                seconds[number] = seconds_of(study("timed", num_cells, num_updates), place / "timed", client)
                bare[number] += _bare(client, number)
        return {"study": seconds[1] / (2 * seconds[2]), "bare": bare[1] / bare[2]}

    return {name: lambda name=name: Found(measured()[name]) for name in ("study", "bare")}


def _bare(client: Any, number: int) -> float:
    """Seconds of a loop that needs no memory, in as many workers at once."""
    futures = [client.submit(_spin, index, pure=False) for index in range(number)]
    return statistics.mean(future.result() for future in futures)


def _spin(index: int) -> float:
    began, total = time.perf_counter(), 0
    for value in range(20_000_000):
        total += value
    return time.perf_counter() - began
