"""One tiny trained run for all tests of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from throughtime.cli import main

SIZES = ["--num-units", "8", "--batch-size", "4", "--num-updates", "2"]
TINY = [*SIZES, "--test-trials", "4", "--quiet"]
TRAINING = ["train", "--task", "cue-set-go", "--task.dt", "40", "--seeds", "2", *TINY]

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "run.nc"
    assert main([*TRAINING, "--out", str(path)]) == 0
    return path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command; its exit status, stdout and stderr."""

    def one(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return one


@pytest.fixture
def refused(call: Call) -> Callable[..., str]:
    """Run a command that must be refused in one message; the message."""

    def one(*words: object) -> str:
        status, out, err = call(*words)
        assert status == 2, (status, out, err)
        assert out == ""
        assert err.startswith("throughtime: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    return one


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is refused here is refused before training."""

    def fail(*args: object, **options: object) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr("throughtime.api.train", fail)
