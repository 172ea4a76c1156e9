"""Where cells are computed: workers of this machine, a scheduler in processes of its own, jobs of SLURM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import throughtime as tt
from tests.studies.examples import small
from throughtime.cli import main
from throughtime.studies import Folder, clusters, script
from throughtime.studies.script import Wishes

QUIET = {"DASK_LOGGING__DISTRIBUTED": "error"}
SCRIPT = '''"""A study of a rule of one's own."""

import sys

import throughtime as tt
from rules_of_mine import Mine


def study(quick: bool) -> tt.Study:
    return tt.Study(
        "mine",
        tasks={"go": tt.tasks.make("cue-set-go", dt=50.0)},
        circuits={"small": {"num_units": 5}},
        rules={"mine": Mine()},
        seeds=1 if quick else 2,
        seeds_per_cell=1,
        training={"num_updates": 2, "batch_size": 2},
        test_trials=0,
    )


if __name__ == "__main__":
    sys.exit(tt.studies.command_line(study))
'''
RULE = '''from dataclasses import dataclass

import jax

from throughtime.rules import BPTT


@dataclass(frozen=True)
class Mine(BPTT):
    """Refuses to be computed with more than one device."""

    def gradient(self, *args, **options):
        assert jax.local_device_count() == 1, jax.local_device_count()
        return super().gradient(*args, **options)
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script and a module beside it, which is the current one."""
    (tmp_path / "delays.py").write_text(SCRIPT)
    (tmp_path / "rules_of_mine.py").write_text(RULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Path]:
    """A scheduler and a worker, started as one does on a cluster, in a folder without the user's modules."""
    place = tmp_path / "scheduler.json"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ours = ("THROUGHTIME_CORES", "JAX_NUM_CPU_DEVICES")
    environment = {name: value for name, value in os.environ.items() if name not in ours} | QUIET
    common = ["--scheduler-file", str(place), "--dashboard-address", "127.0.0.1:0"]

    def start(command: str, *words: str) -> subprocess.Popen[bytes]:
        full = [sys.executable, "-m", f"distributed.cli.{command}", *common, *words]
        return subprocess.Popen(full, cwd=elsewhere, env=environment)

    first = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
    second = start("dask_worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")
    try:
        wait_for(place.exists)
        yield place
    finally:
        for process in (second, first):
            process.kill()
            process.wait()


def wait_for(found: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_a_script_on_a_scheduler_of_its_own(
    place: Path, scheduler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "delays.py", "--scheduler", str(scheduler)]) == 0
    out, err = capsys.readouterr()
    assert out == "2 of 2 cells done (2 now)\n1 of 1 runs complete\nfolder: results/mine\n"
    assert "dashboard: http://127.0.0.1:" in err
    assert "mine: 2 of 2 cells done" in err
    address = json.loads(scheduler.read_text())["address"]
    assert main(["run", "delays.py", "--quick", "--scheduler", address]) == 0
    assert capsys.readouterr().out.startswith("1 of 1 cells done (1 now)")
    attrs = tt.results.load_tree(next(Path("results/mine/runs").glob("*.nc"))).attrs
    assert attrs["command"] == "throughtime run delays.py --scheduler scheduler.json"


def test_the_script_itself_with_workers_of_this_machine(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "delays.py", "--workers", "1", "--quick", "--limit", "5"],
        capture_output=True, text=True, env={**os.environ, **QUIET}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 of 1 cells done (1 now)\n1 of 1 runs complete\nfolder: results/mine-quick\n"
    assert "dashboard: http://127.0.0.1:" in done.stderr
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr
    attrs = tt.results.load_tree(next(Path("results/mine-quick/runs").glob("*.nc"))).attrs
    assert attrs["command"] == "delays.py --workers 1 --quick --limit 5"


def test_the_job_script_of_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    with tt.studies.slurm(
        0,
        queue="short",
        account="lab",
        memory="2GB",
        walltime="01:00:00",
        job_script_prologue=["module load x"],
    ) as cluster:
        told = cluster.job_script()
    lines = told.splitlines()
    for line in ("-p short", "-A lab", "-n 1", "--cpus-per-task=1", "--mem=2G", "-t 01:00:00"):
        assert f"#SBATCH {line}" in lines
    setup = ["export THROUGHTIME_CORES=1", "export JAX_NUM_CPU_DEVICES=1", "module load x"]
    assert [line for line in lines if line in setup] == setup
    assert "--nthreads 1" in lines[-1]
    with tt.studies.slurm(0, cores=4, memory="8GB") as cluster:
        told = cluster.job_script()
    assert "--nworkers 4" in told, "a process for each core"
    assert "--nthreads 1" in told


def test_slurm_where_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="there is no sbatch here, so no jobs can be submitted; run this"):
        small().run(tmp_path / "study", scheduler="slurm", workers=2, progress=False)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(
        ValueError, match=r"dask-jobqueue; install it \(pip install 'throughtime\[cluster\]'\)"
    ):
        tt.studies.slurm(1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scheduler": 3}, r"3 is no scheduler; give None \(workers on this machine\), 'serial'"),
        ({"scheduler": "node7"}, "'node7' is no scheduler; give None"),
        (
            {"scheduler": "tcp://127.0.0.1:1"},
            r"no scheduler answers at tcp://127\.0\.0\.1:1 \(.*\); start one",
        ),
        (
            {"scheduler": "none.json"},
            r"no scheduler file none\.json; start one: dask scheduler --scheduler-file",
        ),
        (
            {"scheduler": "tcp://a:1", "workers": 2},
            "a scheduler that has workers of its own; leave out workers",
        ),
        ({"workers": 0}, "workers 0: expected a positive whole number; None is one a core"),
    ],
)
def test_what_is_no_scheduler(
    settings: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 0.3)
    with pytest.raises(ValueError, match=message):
        small().run(tmp_path, progress=False, **settings)
    assert len(Folder(tmp_path).pending()) == 2


def test_a_script_that_runs_when_it_is_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clusters.multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(RuntimeError, match=r"put what it does under if __name__ == '__main__':"):
        small().run(tmp_path, progress=False)


def test_words_of_a_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--out", str(tmp_path), "--scheduler", "serial", "--limit", "0"]
    assert script.command_line(small(), words) == 1
    assert "0 of 2 cells done (0 now), 2 not begun or not finished\n" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        script.command_line(small(), ["--workers", "many"])


def test_functions_that_make_no_study(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a function study\(quick: bool\) -> Study, found study\(fast\)"):
        script.run(lambda fast: small(), Wishes(out=tmp_path))
    with pytest.raises(ValueError, match=r"expected a Study, got 3; define study\(quick: bool\) -> tt.Study"):
        script.run(lambda quick: 3, Wishes(out=tmp_path))


def test_options_of_studies_need_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "plain.py").write_text("def main(quick, out):\n    return 0\n")
    assert main(["run", "plain.py", "--retry-failed"]) == 2
    assert "--retry-failed is for studies, but plain.py has a main; leave it out" in capsys.readouterr().err
    (place / "wrong.py").write_text("def study(fast):\n    return 0\n")
    assert main(["run", "wrong.py"]) == 2
    assert "found study(fast)" in capsys.readouterr().err
