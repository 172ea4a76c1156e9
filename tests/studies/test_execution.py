"""Running a study: order, failures, limits, and the same through Dask as without."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import throughtime as tt
from tests.studies.examples import small
from tests.studies.members import Breaks
from throughtime.studies import CodeError, Folder, SchedulerError, StorageError, Study, files, worker
from throughtime.studies.agenda import Agenda, Job
from throughtime.studies.course import Course
from throughtime.studies.execution import module_paths
from throughtime.studies.pools import Here, OnDask, WorkerError
from throughtime.studies.progress import Tally
from throughtime.studies.summaries import facts
from throughtime.studies.worker import Order

RULES = {"rflo": "rflo", "broken": Breaks()}
EVALUATIONS = {"blurred": {"noise": 0.2}}


def broken(**fields: Any) -> Study:
    """A rule that works and one that raises, with two cells each and a cell that measures."""
    given = {name: tt.rules.make(rule) if isinstance(rule, str) else rule for name, rule in RULES.items()}
    return small(rules=given, evaluations=EVALUATIONS, measure_trials=2, test_trials=2, **fields)


@contextlib.contextmanager
def in_threads(number: int) -> Iterator[Any]:
    """Dask with a worker of so many threads in this process: all but processes is real."""
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(
            n_workers=1, threads_per_worker=number, processes=False, dashboard_address=None
        ) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of one worker."""
    from distributed import Client

    with in_threads(1) as cluster, Client(cluster, set_as_default=False) as found:
        yield found


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, str]:
    """A study that was run in this process, what became of it and what was told."""
    folder, told = tmp_path_factory.mktemp("serial"), io.StringIO()
    return folder, broken().run(folder, scheduler="serial", progress=told, command="made it"), told.getvalue()


def test_failures_are_data_and_the_others_go_on(serial: tuple[Path, Any, str]) -> None:
    folder, result, told = serial
    assert (result.num_cells, result.num_runs) == (6, 2)
    assert (result.num_done, result.num_failed, result.num_blocked, result.num_left) == (3, 2, 1, 0)
    assert (result.num_computed, result.num_merged, result.complete) == (3, 1, False)
    assert {one["type"] for one in result.failures.values()} == {"RuntimeError"}
    assert {one["rule"] for one in result.failures.values()} == {"broken"}
    assert result.summary() == (
        "3 of 6 cells done (3 now), 2 failed, 1 waiting for one that failed\n1 of 2 runs complete"
    )
    assert told.splitlines()[-1].startswith(
        "small: 3 of 6 cells done, 2 failed, 1 waiting for one that failed"
    )
    run, _ = Folder(folder).study().runs()
    assert Folder(folder).open_run(run).attrs["command"] == "made it"
    assert result.tree["outcomes"]["status"].shape == (1, 1, 2, 1, 2)


def test_what_is_done_or_failed_is_not_run_again(serial: tuple[Path, Any, str]) -> None:
    folder, first, _ = serial
    again = broken().run(folder, scheduler="serial", progress=False)
    assert again.num_computed == 0
    assert (again.num_done, again.num_failed, again.num_blocked) == (3, 2, 1)
    assert again.failures == first.failures
    assert {one["attempts"] for one in again.failures.values()} == {1}


def test_failed_cells_are_tried_again_when_asked(
    serial: tuple[Path, Any, str], client: Any, tmp_path: Path
) -> None:
    folder, _, _ = serial
    again = broken().run(folder, scheduler=client, progress=False, retry_failed=True)
    assert (again.num_done, again.num_failed, again.num_blocked) == (3, 2, 1)
    assert {one["attempts"] for one in again.failures.values()} == {2}


def test_a_scheduler_finds_the_same(serial: tuple[Path, Any, str], client: Any, tmp_path: Path) -> None:
    folder, _, _ = serial
    told = io.StringIO()
    result = broken().run(tmp_path, scheduler=client, progress=told)
    assert (result.num_done, result.num_failed, result.num_blocked, result.num_computed) == (3, 2, 1, 3)
    assert client.status == "running", "it stays open"
    for room in ("runs", "analysis"):
        (one,), (two,) = (list((place / room).glob("*.nc")) for place in (folder, tmp_path))
        assert one.name == two.name
        trees = [tt.results.load_tree(path) for path in (one, two)]
        assert tt.results.content_sha256(trees[0]) == tt.results.content_sha256(trees[1])


def test_no_cell_is_begun_after_the_limit(client: Any, tmp_path: Path) -> None:
    result = small().run(tmp_path, scheduler="serial", limit_minutes=0.0, progress=False)
    assert (result.num_computed, result.num_left, result.complete) == (0, 2, False)
    assert "2 not begun or not finished" in result.summary()
    assert worker.execute(Order("train", str(tmp_path), "0" * 64, until=1.0)) is None
    late = _course(small(), tmp_path)
    job = late.agenda.next()
    late.settle(job, None)
    assert late.agenda.next() is not None


def _course(study: Study, folder: Path) -> Course:
    place = Folder(folder)
    place.declare(study)
    agenda = Agenda(place, study.cells(), study.runs(), ())
    return Course(agenda, Order("", str(folder), ""), Tally("small", map(facts, study.cells())), {})


def test_jobs_come_once_what_they_need_is_done(tmp_path: Path) -> None:
    study = small(tuning=tt.studies.Tuning(grid=[1e-3, 1e-2], seeds=1), evaluations=EVALUATIONS)
    agenda = _course(study, tmp_path).agenda
    tune = agenda.next()
    assert (tune.kind, agenda.next(), agenda.left) == ("tune", None, 4)
    agenda.done(tune)
    one, two = agenda.next(), agenda.next()
    assert (one.kind, two.kind, agenda.next()) == ("train", "train", None)
    agenda.done(two)
    agenda.done(one)
    merge = agenda.next()
    assert (merge.kind, merge.identity, agenda.next()) == ("merge", study.runs()[0].identity, None)
    agenda.done(merge)
    assert (agenda.next().kind, agenda.next(), agenda.left) == ("measure", None, 0)


def test_a_run_is_finished_before_others_are_begun(tmp_path: Path) -> None:
    agenda = _course(small(rules=["rflo", "bptt"]), tmp_path).agenda
    first, second = agenda.next(), agenda.next()
    agenda.done(first)
    agenda.done(second)
    assert [agenda.next().kind for _ in range(3)] == ["merge", "train", "train"]


def test_what_needs_a_failed_job_is_lost(tmp_path: Path) -> None:
    study = small(tuning=tt.studies.Tuning(grid=[1e-3, 1e-2], seeds=1), evaluations=EVALUATIONS)
    agenda = _course(study, tmp_path).agenda
    lost = agenda.failed(agenda.next())
    assert sorted(job.kind for job in lost) == ["measure", "merge", "train", "train"]
    assert (agenda.next(), agenda.left) == (None, 0)


def test_another_process_goes_first_at_what_it_is_at(tmp_path: Path) -> None:
    course = _course(small(seeds=3), tmp_path)
    cells = small(seeds=3).cells()
    course.agenda.place.begin(cells[0])
    assert [course.agenda.next().identity for _ in range(3)] == [cells[n].identity for n in (1, 2, 0)]


@pytest.mark.parametrize("error", [StorageError(28, "full"), CodeError("other"), SchedulerError("gone")])
def test_some_errors_stop_the_study(error: Exception, tmp_path: Path) -> None:
    course = _course(small(), tmp_path)
    with pytest.raises(type(error)):
        course.settle(course.agenda.next(), error)


def test_a_run_that_cannot_be_merged_is_a_failure(tmp_path: Path) -> None:
    study = small(evaluations=EVALUATIONS)
    course = _course(study, tmp_path)
    for _ in range(2):
        course.agenda.done(course.agenda.next())
    course.settle(course.agenda.next(), ValueError("parts that do not fit"))
    assert course.failures[study.runs()[0].identity]["message"] == "parts that do not fit"
    assert course.tally.num_blocked == 1


def test_workers_that_die_fail_the_cell(tmp_path: Path) -> None:
    course = _course(small(), tmp_path)
    job = course.agenda.next()
    course.settle(job, WorkerError("12 workers died"))
    assert Folder(tmp_path).failures()[job.identity]["type"] == "WorkerError"


def test_deaths_of_workers_are_counted(client: Any) -> None:
    from distributed.scheduler import KilledWorker

    cell = small().cells()[0]
    job, pool = Job("train", cell.identity, cell.name, cell, False), OnDask(client)
    killed = SimpleNamespace(status="error", exception=lambda: KilledWorker("a task", None, 3))
    told = [str(pool._answer(job, killed)).partition(";")[0] for _ in range(2)]
    assert told == [f"{n} workers died while they computed it, most often for want of memory" for n in (4, 8)]
    lost = pool._answer(job, SimpleNamespace(status="lost"))
    assert isinstance(lost, SchedulerError)
    assert "gave a job up (lost), or the connection to it was lost; run the study again to go on" in str(lost)


def test_workers_without_a_module_are_told(tmp_path: Path) -> None:
    course = _course(small(), tmp_path)
    with pytest.raises(
        ValueError, match="a worker has no module 'my_rules'; start workers in this process's"
    ):
        course.settle(course.agenda.next(), ModuleNotFoundError("no", name="my_rules"))


def test_an_error_of_this_process_is_handed_on(tmp_path: Path) -> None:
    here = Here()
    course = _course(small(), tmp_path)
    job = course.agenda.next()
    here.give(job, Order("train", str(tmp_path / "elsewhere"), job.identity))
    ((found, error),) = here.ended(0.0)
    assert found is job
    assert isinstance(error, ValueError)
    assert "a worker does not see elsewhere/study.json; put the study's folder on a file system" in str(error)


def test_workers_with_threads_are_refused(tmp_path: Path) -> None:
    with in_threads(2) as cluster:
        with pytest.raises(ValueError, match="a worker has 2 threads, but cells need a process each; start"):
            small().run(tmp_path, scheduler=cluster, progress=False)
        assert cluster.status.name == "running", "it stays open"


def test_programs_are_forgotten_before_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    cleared: list[bool] = []
    monkeypatch.setattr(sys.modules["jax"], "clear_caches", lambda: cleared.append(True))
    worker._forget_programs()
    assert not cleared
    monkeypatch.setattr(worker, "MOST_MAPPINGS", 10)
    worker._forget_programs()
    assert cleared


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    study = small()
    Folder(tmp_path).declare(study)
    cell, other = study.cells()
    parts = tmp_path / "cells"
    files.write_json(tmp_path / "running" / f"{cell.name}.json", {})
    for name in (f".{cell.name}.a.part.nc", f"..{cell.name}.a.part.nc.b.tmp", f".{cell.name}.json.c.part"):
        (parts / name).write_bytes(b"half")
    (parts / f".{other.name}.a.part.nc").write_bytes(b"half")
    Folder(tmp_path).end(cell, tmp_path / "scratch", True)
    assert [path.name for path in parts.iterdir()] == [f".{other.name}.a.part.nc"]
    assert not list((tmp_path / "running").iterdir())


def test_workers_find_the_users_modules() -> None:
    assert module_paths(small()) == ()
    assert module_paths(broken()) == (str(Path(__file__).parents[2]),)


def test_progress_and_workers_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers 2 with scheduler 'serial', which has none; leave out one"):
        small().run(tmp_path, scheduler="serial", workers=2, progress=False)
