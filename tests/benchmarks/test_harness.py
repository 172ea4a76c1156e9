from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import child, report
from benchmarks.measure import measure
from benchmarks.rows import Case, Row, select, table
from benchmarks.timing import Contender, Found, interleave
from throughtime.results import labels, load_tree


class Clock:
    def __init__(self):
        self.now, self.log = 0.0, []

    def __call__(self):
        return self.now

    def takes(self, name, *seconds):
        left = list(seconds)

        def run():
            self.log.append(name)
            self.now += left.pop(0)

        return run


def test_contenders_take_turns_and_the_first_run_is_not_counted():
    clock = Clock()
    contenders = {
        "ours": Contender(clock.takes("ours", 100.0, 1.0, 2.0, 6.0)),
        "other": Contender(clock.takes("other", 100.0, 4.0, 4.0, 8.0), count=2),
    }
    samples = interleave(contenders, repeats=3, clock=clock)
    assert clock.log == ["ours", "other"] * 4
    assert samples.seconds == {"ours": [1.0, 2.0, 6.0], "other": [2.0, 2.0, 4.0]}
    found = samples.compare("ours", "other")
    assert found.value == 2.0 / 2.0
    assert found.spread == (0.5, 0.75, 1.0, 1.25, 1.5)
    assert found.top_ms == (1500.0, 2000.0, 4000.0)
    assert found.bottom_ms == (2000.0, 2000.0, 3000.0)
    assert found.num_repeats == 3


def test_without_a_bottom_the_value_is_seconds():
    clock = Clock()
    samples = interleave({"help": Contender(clock.takes("help", 9.0, 0.25, 0.5, 0.25))}, 3, clock)
    found = samples.compare("help", None)
    assert found.value == 0.25
    assert np.isnan(found.bottom_ms).all()


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        interleave({}, 0)


def test_names_of_rows_are_unique_and_a_pattern_selects():
    rows = table()
    assert len({row.name for row in rows}) == len(rows)
    assert all("N=64" in row.name for row in select("n=64"))
    assert len(select(quick=True)) < len(select()) == len(rows)
    with pytest.raises(ValueError, match="no row matches 'nonsense'"):
        select("nonsense")


@pytest.mark.parametrize(
    ("at_most", "value", "met"), [(True, 1.9, True), (True, 2.1, False), (False, 1.9, False)]
)
def test_a_goal_is_met_on_its_own_side(at_most, value, met):
    row = Row("", Case(dict), "a", "b", 2.0, at_most)
    assert row.met(value) is met
    assert row.wish == ("<= 2" if at_most else ">= 2")
    assert Row("", Case(dict), "a", "b").met(value) is None


def builders():
    def absent():
        import no_such_package_anywhere  # noqa: F401

    def broken():
        raise RuntimeError("it broke")

    return {
        "right": lambda: Contender(lambda: None, lambda: 1e-6),
        "plain": lambda: Contender(lambda: None),
        "wrong": lambda: Contender(lambda: None, lambda: 2e-3),
        "nan": lambda: Contender(lambda: None, lambda: float("nan")),
        "absent": absent,
        "broken": broken,
    }


@pytest.fixture(scope="module")
def rows():
    case = Case(builders)
    names = ("plain", "wrong", "nan", "absent", "broken")
    return [Row(f"{name} / right", case, name, "right", 1e3) for name in names]


@pytest.fixture(scope="module")
def outcomes(rows):
    return measure(rows, repeats=2)


def test_a_wrong_missing_or_failing_contender_spoils_its_row_alone(outcomes):
    plain, wrong, nan, absent, broken = outcomes
    assert plain.summary is not None
    assert plain.summary.num_repeats == 2
    assert plain.error == 1e-6
    assert plain.note == ""
    assert [each.summary for each in (wrong, nan, absent, broken)] == [None] * 4
    assert wrong.note == "aborted: wrong is off the reference by 2.0e-03 > 0.0001"
    assert wrong.error == 2e-3
    assert nan.note.startswith("aborted: nan is off the reference by nan")
    assert absent.note == "not run: no_such_package_anywhere not installed"
    assert broken.note == "failed: RuntimeError: it broke"


def test_a_number_a_case_finds_is_a_row_without_times():
    case = Case(lambda: {"found": lambda: Found(0.55), "timed": lambda: Contender(lambda: None)})
    number = Row("exponent", case, "found", None, 0.6, quantity="exponent")
    both = [number, Row("seconds", case, "timed", None, quantity="seconds")]
    outcomes = [dataclasses.asdict(outcome) for outcome in measure(both, repeats=2)]
    assert outcomes[0]["summary"]["value"] == 0.55
    assert outcomes[1]["summary"]["num_repeats"] == 2
    text = report.line(number, outcomes[0])
    assert "0.550" in text
    assert " met " in text
    assert "nan" not in text
    data = report.record(both, outcomes, quick=False)["rows"]
    assert labels(data["quantity"]) == ["exponent", "seconds"]
    assert labels(data["verdict"]) == ["met", "none"]
    assert np.isnan(data["top_time_median"].values).tolist() == [True, False]


def test_a_case_that_cannot_be_built_says_why():
    def build():
        raise RuntimeError("two cores are needed")

    (outcome,) = measure([Row("x", Case(build), "a", "b")], repeats=1)
    assert outcome.note == "failed: RuntimeError: two cores are needed"


def test_lines_and_dataset_carry_values_goals_and_reasons(rows, outcomes, tmp_path):
    plain = [json.loads(json.dumps(dataclasses.asdict(outcome))) for outcome in outcomes]
    lines = [report.line(row, outcome) for row, outcome in zip(rows, plain, strict=True)]
    assert " met " in lines[0]
    assert "1e-06" in lines[0]
    assert "aborted: wrong" in lines[1]
    tree = report.record(rows, plain, quick=True)
    data = tree["rows"]
    assert labels(data["verdict"]) == ["met", "none", "none", "none", "none"]
    assert np.isnan(data["value"].values).tolist() == [False, True, True, True, True]
    assert "not_run:_no_such_package_anywhere_not_installed" in labels(data["note"])
    assert data["round_smallest"][0] <= data["round_median"][0] <= data["round_largest"][0]
    report.write(tree, tmp_path / "bench.nc")  # which refuses what breaks a rule of the format
    assert os.uname().nodename not in json.dumps(tree.attrs)
    assert {"cpu", "cores_usable", "jax_version", "python_version", "torch_version"} <= tree.attrs.keys()


def record_of(**values):
    rows = [Row(name, Case(dict), "a", None, 2.0, quantity="seconds") for name in values]
    spread, times = (1.0,) * 5, (1.0,) * 3
    summaries = [
        {"value": one, "spread": spread, "top_ms": times, "bottom_ms": times, "num_repeats": 1}
        for one in values.values()
    ]
    found = [
        {"name": n, "summary": s, "error": None, "note": ""} for n, s in zip(values, summaries, strict=True)
    ]
    return report.record(rows, found, quick=False)


def test_rows_measured_again_take_the_place_of_older_ones_of_the_same_machine(tmp_path):
    path = tmp_path / "bench.nc"
    report.write(record_of(first=1.0, second=1.0), path)
    report.write(record_of(second=3.0, third=1.5), path, keep=True)
    tree = load_tree(path)
    found = zip(labels(tree["rows"]["option"]), labels(tree["rows"]["verdict"]), strict=True)
    assert dict(found) == {"first": "met", "second": "not_met", "third": "met"}
    assert "code_sha256" in tree.attrs
    older = record_of(first=1.0)
    older.attrs["code_sha256"] = "of other code"
    assert "code_sha256" not in report.added_to(older, record_of(second=1.0)).attrs
    older.attrs["cpu"] = "another"
    with pytest.raises(ValueError, match="--keep: cpu was 'another' and is"):
        report.added_to(older, record_of(second=1.0))


def test_what_cannot_be_kept_is_refused_before_anything_is_measured(tmp_path, capsys):
    with pytest.raises(SystemExit):
        bench.main(["--rows", "bare python", "--keep"])
    assert "--keep: expected --out" in capsys.readouterr().err
    older = record_of(first=1.0)
    older.attrs["torch_version"] = "0.1"
    report.write(older, tmp_path / "bench.nc")
    with pytest.raises(SystemExit):
        bench.main(["--rows", "bare python", "--keep", "--out", str(tmp_path / "bench.nc")])
    assert "--keep: torch_version was '0.1'" in capsys.readouterr().err


def test_a_child_is_pinned_to_as_many_cores_as_it_is_told():
    code = (
        "import os, benchmarks.child as child; os.sched_setaffinity(0, child.usable_cores()[-1:]);"
        "import jax, throughtime.runtime as runtime;"
        "print(len(child.usable_cores()), jax.device_count(), runtime.available_cores())"
    )
    command, settings = [sys.executable, "-c", code], child.environment(1)
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "1", "1"], done.stderr


def test_the_command_measures_a_row_in_a_process_of_its_own_and_writes_it(tmp_path, capsys):
    out = tmp_path / "results" / "bench.nc"
    assert bench.main(["--rows", "bare python", "--repeats", "2", "--out", str(out)]) == 0
    assert "seconds of bare python" in capsys.readouterr().out
    assert out.exists()
    with pytest.raises(SystemExit):
        bench.main(["--rows", "nonsense"])


def test_rows_of_a_process_that_died_say_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (outcome,) = child.measured(["x"], cores=1, repeats=1)
    assert outcome["note"] == "failed: the measuring process ended with status 1"
