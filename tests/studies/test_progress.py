"""How far a study is: counts, time left, best scores; as lines, as a bar, and off its folder."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import throughtime as tt
from tests.studies.examples import small
from throughtime.cli import main
from throughtime.studies import Folder, Status, files, progress
from throughtime.studies.progress import Reporter, Tally
from throughtime.studies.status import lowest, write_plan
from throughtime.studies.summaries import facts

EVALUATIONS = {"blurred": {"noise": 0.2}}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def cell(identity: str, kind: str = "train", task: str = "go", rule: str = "rflo") -> dict[str, Any]:
    return {
        "identity": identity,
        "kind": kind,
        "task": task,
        "circuit": "small",
        "rule": rule,
        "option": "plain",
    }


def done(identity: str, seconds: float, *scores: float, **fields: str) -> dict[str, Any]:
    return {**cell(identity, **fields), "seconds": seconds, "final_score": scores}


def test_counts_and_best_scores() -> None:
    told = [cell("a"), cell("b"), cell("c", rule="bptt"), cell("d", "measure"), cell("e", task="error")]
    tally = Tally("first", told, lowest=["error"])
    assert tally.line() == "first: 0 of 5 cells done"
    tally.done(done("a", 10.0, 0.5, float("nan"), 0.75))
    tally.done(done("c", 30.0, 0.25, rule="bptt"))
    tally.failed("b")
    tally.blocked("d")
    assert (tally.num_cells, tally.num_done, tally.num_failed, tally.num_blocked, tally.num_left) == (
        5,
        2,
        1,
        1,
        1,
    )
    assert tally.best == {"go": (0.75, "small rflo plain")}
    tally.done(done("e", 1.0, 3.0, 2.0, task="error"))
    assert tally.best["error"] == (2.0, "small rflo plain"), "the lower the better"
    assert tally.line() == (
        "first: 3 of 5 cells done, 1 failed, 1 waiting for one that failed; "
        "best score: go 0.75 (small rflo plain), error 2 (small rflo plain)"
    )


def test_time_left_goes_by_what_the_like_took() -> None:
    like, other = [cell(f"r{n}") for n in range(6)], [cell(f"b{n}", rule="bptt") for n in range(3)]
    tally = Tally("first", [*like, *other, cell("t", "tune")])
    assert tally.seconds_left is None
    for number, seconds in enumerate((10.0, 20.0, 90.0)):
        tally.done(done(f"r{number}", seconds, 0.0))
    assert tally.seconds_left is None, "no cell that tunes has been done"
    tally.done({**cell("t", "tune"), "seconds": 7.0})
    assert tally.seconds_left == 3 * 20.0 + 3 * 20.0  # of rflo; of bptt by the rest of the task
    tally.done(done("b0", 50.0, 0.0, rule="bptt"))
    assert tally.seconds_left == 3 * 20.0 + 2 * 50.0
    tally.num_workers = 4
    assert tally.seconds_left == 40.0
    assert "about 40 s left" in tally.line()
    tally.num_workers = 0
    assert "no worker yet" in tally.line()


def test_many_tasks_are_told_in_short() -> None:
    tally = Tally("first", [cell(str(n), task=f"task{n}") for n in range(6)])
    for number in range(6):
        tally.done(done(str(number), 1.0, 0.5, task=f"task{number}"))
    assert tally.line().endswith("task3 0.5 (small rflo plain), and 2 more tasks")


def test_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    stream, tally = io.StringIO(), Tally("first", [cell("a"), cell("b")])
    with Reporter(tally, stream) as reporter:
        reporter.show()
        reporter.tell("dashboard: there")
        tally.done(done("a", 1.0, 0.5))
        clock[0] += progress.LINE_SECONDS / 2
        reporter.show()
        clock[0] += progress.LINE_SECONDS
        reporter.show()
        clock[0] += progress.LINE_SECONDS
        reporter.show()
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["first: 0 of 2 cells done", "dashboard: there"]
    assert [line.partition(";")[0] for line in lines[2:]] == ["first: 1 of 2 cells done"]


def test_a_bar_on_a_terminal() -> None:
    stream, tally = Terminal(), Tally("first", [cell("a"), cell("b")])
    with Reporter(tally, stream) as reporter:
        reporter.tell("dashboard: there")
        tally.num_running = 1
        tally.done(done("a", 60.0, 0.5))
        reporter.show(now=True)
    told = stream.getvalue()
    assert "dashboard: there\n" in told
    assert "first:  50%" in told
    assert "1/2 cells" in told
    assert "1 running, about 1 min left, best score: go 0.5 (small rflo plain)" in told


def test_where_progress_goes() -> None:
    stream = io.StringIO()
    assert progress.stream_for(stream) is stream
    assert progress.stream_for(None) is progress.stream_for(True) is sys.stderr
    assert progress.stream_for(False) is None
    with Reporter(Tally("first", []), None) as reporter:
        reporter.tell("nothing")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study that was declared: two cells train, one measures."""
    study = small(evaluations=EVALUATIONS)
    Folder(tmp_path).declare(study)
    write_plan(tmp_path, study)
    return tmp_path


def test_status_of_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Folder(folder)
    first, second, last = place.study().cells()
    assert Status(folder).text() == "small: 3 cells of 1 runs: 0 done, 0 running, 0 failed, 3 to do"
    files.write_json(
        folder / "cells" / f"{first.name}.json", {**facts(first), "seconds": 5.0, "final_score": [0.25]}
    )
    place.begin(second)
    status = Status(folder)
    assert (status.tally.num_done, status.tally.num_running, status.tally.num_left) == (1, 1, 2)
    text = status.text()
    assert text.startswith(
        "small: 3 cells of 1 runs: 1 done, 1 running, 0 failed, 1 to do\nbest score\n  go  0.25"
    )
    assert f"running\n  {second.name}, begun " in text
    place.fail(second, ValueError("no luck\nat all"))
    text = Status(folder).text()
    assert "1 done, 0 running, 1 failed, 1 waiting for one that failed, 0 to do" in text
    assert text.endswith(f"failed\n  {second.name}: ValueError: no luck")
    assert main(["status", str(folder)]) == 0
    assert capsys.readouterr().out == text + "\n"
    assert last.identity not in Status(folder).failures


def test_status_of_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"holds no plan\.json.*such as results/NAME"):
        Status(tmp_path)
    assert main(["status", str(tmp_path)]) == 2
    assert "holds no plan.json" in capsys.readouterr().err


def test_scores_that_are_better_the_lower_they_are() -> None:
    study = small(tasks=["cue-set-go", "add-task"])
    assert lowest(study) == ["add-task"]
    (criterion,) = tt.tasks.make("add-task").criterion
    assert criterion.at_most is not None


def test_status_imports_no_jax(folder: Path) -> None:
    code = f"""
        import sys
        from throughtime.cli import main
        assert main(["status", {str(folder)!r}]) == 0
        print([name for name in ("jax", "dask", "distributed", "bokeh") if name in sys.modules])
    """
    words = [sys.executable, "-c", "\n".join(line.strip() for line in code.splitlines())]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
