"""Checkpoints: a run killed at any moment resumes to the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.test_train import run

ROOT = Path(__file__).parents[2]


def test_twenty_random_kills_change_no_bit(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.killer", str(tmp_path), "1", "20"],
        check=True, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "THROUGHTIME_CORES": "1", "THROUGHTIME_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["kills"] == 20
    assert report["same"], report
    assert report["unfinished"] == 0
    assert len(set(report["updates"])) >= 3, "the kills must have struck at different moments of the run"


@pytest.fixture
def stopped(tmp_path):
    """A finished run and its checkpoint."""
    path = tmp_path / "run.ckpt"
    return path, run(seeds=(0, 1), checkpoint=path)


def test_a_finished_run_is_not_run_again(stopped, monkeypatch):
    path, record = stopped
    monkeypatch.setattr("throughtime.training.loop.advance", None)
    again = run(seeds=(0, 1), checkpoint=path)
    for name, value in record.params.items():
        assert value.tobytes() == again.params[name].tobytes()
    assert all(record.curves[name].tobytes() == again.curves[name].tobytes() for name in record.curves)


def test_a_checkpoint_of_another_run_is_refused_and_kept(stopped):
    path, _ = stopped
    content = path.read_bytes()
    with pytest.raises(ValueError, match="belongs to a run with another configuration"):
        run(seeds=(0, 1), learning_rate=0.5, checkpoint=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_something_else_is_refused_and_kept(content, tmp_path):
    path = tmp_path / "run.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"not a readable training state; delete it"):
        run(seeds=(0, 1), checkpoint=path)
    assert path.read_bytes() == content


def test_another_npz_is_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    with path.open("wb") as file:
        np.savez(file, x=np.zeros(2))
    with pytest.raises(ValueError, match="not a training state of this version"):
        run(seeds=(0, 1), checkpoint=path)


def test_what_a_killed_writer_left_is_swept(tmp_path):
    left = tmp_path / ".run.ckpt.abc.part"
    left.write_bytes(b"half")
    other = tmp_path / ".other.ckpt.abc.part"
    other.write_bytes(b"half")
    run(seeds=(0, 1), checkpoint=tmp_path / "run.ckpt")
    assert not left.exists()
    assert other.exists()
