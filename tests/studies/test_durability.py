"""Kills, full disks and closed folders: real ones, and a study that goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif("THROUGHTIME_SLOW" not in os.environ, reason="a minute; THROUGHTIME_SLOW=1")
KILLS = {"clients": 7, "writing": 5, "workers": 8}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the trials say, made in a process of their own."""
    folder = tmp_path_factory.mktemp("durability")
    cores = {"THROUGHTIME_CORES": "1", "THROUGHTIME_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.studies.durability", str(folder), "1"],
        capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, **cores, "DASK_LOGGING__DISTRIBUTED": "critical"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def found(told: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    return [one for one in told if one["what"] == what]


@pytest.mark.parametrize("what", KILLS)
def test_kills_change_no_content_and_leave_nothing(told: list[dict[str, Any]], what: str) -> None:
    (one,) = found(told, what)
    assert one["kills"] == KILLS[what]
    assert one["same"], one
    assert one["left"] == []


def test_kills_strike_at_many_moments(told: list[dict[str, Any]]) -> None:
    each = [found(told, what)[0] for what in KILLS]
    assert sum(one["kills"] for one in each) == 20
    assert len({number for one in each for number in one["progress"]}) >= 3
    assert found(told, "writing")[0]["writing"] == KILLS["writing"]


def test_two_clients_share_a_study(told: list[dict[str, Any]]) -> None:
    (one,) = found(told, "together")
    assert one["same"]
    assert one["left"] == []
    assert [client["complete"] for client in one["clients"]] == [True, True]
    assert sum(client["computed"] for client in one["clients"]) in (2, 3, 4)


def test_a_full_disk_stops_the_study_and_loses_nothing(told: list[dict[str, Any]]) -> None:
    disks = found(told, "full")
    assert len(disks) == 2
    for one in disks:
        if "skipped" in one:
            pytest.skip(one["skipped"])
        assert "study small, folder " in one["message"]
        assert "No space left on device" in one["message"]
        assert "free space, or move the study to another disk, and run it again" in one["message"]
        assert one["left"] == []
        assert one["same"], "once there is space, it goes on to the same content"
        assert one["left_over"] == []


def test_a_closed_folder_stops_the_study_and_is_left_alone(told: list[dict[str, Any]]) -> None:
    (one,) = found(told, "closed")
    if "skipped" in one:
        pytest.skip(one["skipped"])
    assert "study small, folder " in one["message"]
    assert "Read-only file system" in one["message"]
    assert "ask for the right to write there, or choose another folder, and run it again" in one["message"]
    assert one["untouched"]
