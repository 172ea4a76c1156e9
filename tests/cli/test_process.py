"""The command as a process: what it imports, pipes, interruptions, tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import throughtime as tt
from tests.cli.conftest import TRAINING, Call

HEAVY = ("jax", "jaxlib", "xarray", "matplotlib", "brian2", "sklearn", "scipy", "pandas", "optax", "h5py")
START = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from throughtime.cli "


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "throughtime.cli", *map(str, words)]


def imported(code: str) -> list[str]:
    """Heavy libraries in ``sys.modules`` after ``code``."""
    after = f"{code}\nimport json, sys\nprint('\\n' + json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", after], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import throughtime",
        "import throughtime as tt; dir(tt); tt.__version__",
        "from throughtime.cli import main; assert main(['--help']) == 0",
        "from throughtime.cli import main; assert main(['train', '--help']) == 0",
        "from throughtime.cli import main; assert main(['--version']) == 0",
        "from throughtime.cli import main; assert main(['train', '--task', 'x']) == 2",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    assert imported(code) == []


def test_the_probe_of_imports_sees_them() -> None:
    assert {"jax", "xarray"} <= set(imported("import throughtime as tt; tt.results.run_tree"))


def test_a_mistake_in_a_process(tmp_path: Path) -> None:
    words = command(
        "train", "--task", "delayed-match-to-sample:masse", "--task.grace", "600", "--out", "x.nc"
    )
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "throughtime: DelayedMatchToSample: grace (600 ms) leaves no loss in a test of 500 ms; "
        "use grace < test.\n"
    )
    assert not any(tmp_path.iterdir())


def test_the_installed_command(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("throughtime")
    done = subprocess.run([script, "show", "none.nc"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "throughtime: load: there is no none.nc; the folder holds no results.\n"


def test_debug_shows_the_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHTIME_DEBUG", "1")
    status, out, err = call("list", "tasks", "zzz")
    assert (status, out) == (2, "")
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1].startswith("throughtime: unknown task 'zzz'")
    monkeypatch.setenv("THROUGHTIME_DEBUG", "0")
    assert "Traceback" not in call("list", "tasks", "zzz")[2]


def test_a_fault_of_ours_keeps_its_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*args: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("throughtime.tasks.get", faulty)
    with pytest.raises(RuntimeError, match="a fault"):
        call("list", "tasks", "cue-set-go")


@pytest.mark.parametrize("words", [("list", "tasks"), ("--help",)])
def test_a_closed_pipe_is_no_fault(words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(command(*words), stdout=closed, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_terminal_without_greek_letters() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command("list", "tasks"), capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"correct ? 0.9" in done.stdout


@pytest.mark.parametrize("module", ["build", "evaluate"])
def test_every_core_is_used_whatever_imports_jax_first(module: str) -> None:
    code = f"from throughtime.cli import {module}; import jax; print(jax.local_device_count())"
    environment = {name: value for name, value in os.environ.items() if name != "JAX_NUM_CPU_DEVICES"}
    environment |= {"THROUGHTIME_CORES": "3", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout == "3\n", done.stderr


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "run.nc"
    words = [
        *TRAINING,
        "--eval-every",
        "1",
        "--log-every",
        "1",
        "--stop",
        "budget",
        "--checkpoint",
        str(state),
    ]
    words[words.index("--num-updates") + 1] = "30"
    words += ["--out", str(out)]
    code = f"{START}import main; sys.exit(main({words!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not state.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == (
        f"throughtime: interrupted; the state of training is in {state}: "
        "give the same command again to go on from there.\n"
    )
    assert not out.exists()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert tt.load(out).tree["training"].sizes["update"] == 30
