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
KILLS = {"clients": 7, "writing": 5, "workers": 8}


def told(folder: Path) -> list[dict[str, Any]]:
    """What the trials say, made in a process of their own."""
    cores = {"THROUGHTIME_CORES": "1", "THROUGHTIME_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.studies.durability", str(folder), "1"],
        capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, **cores, "DASK_LOGGING__DISTRIBUTED": "critical"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_whatever_befalls_a_study_it_goes_on_to_the_same_content(tmp_path: Path) -> None:
    """One test: what it judges is made once, for most of a minute, and workers share no fixture."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for one in told(tmp_path):
        by_kind.setdefault(one["what"], []).append(one)
    kills_change_no_content_and_leave_nothing({what: by_kind[what][0] for what in KILLS})
    two_clients_share_a_study(*by_kind["together"])
    assert len(by_kind["full"]) == 2
    conditions = [
        *((full_disk_stops_the_study_and_loses_nothing, one) for one in by_kind["full"]),
        (closed_folder_stops_the_study_and_is_left_alone, *by_kind["closed"]),
    ]
    left_out = [one["skipped"] for judge, one in conditions if not judge(one)]
    if left_out:
        pytest.skip(f"kills and two clients were judged; not disks: {left_out[0]}")


def kills_change_no_content_and_leave_nothing(each: dict[str, dict[str, Any]]) -> None:
    for what, one in each.items():
        assert one["kills"] == KILLS[what]
        assert one["same"], one
        assert one["left"] == []
    assert sum(one["kills"] for one in each.values()) == 20
    assert len({moment for one in each.values() for moment in one["moments"]}) >= 4, each
    assert each["writing"]["writing"] == KILLS["writing"]


def two_clients_share_a_study(one: dict[str, Any]) -> None:
    assert one["same"]
    assert one["left"] == []
    assert [client["complete"] for client in one["clients"]] == [True, True]
    assert sum(client["computed"] for client in one["clients"]) in (2, 3, 4)


def full_disk_stops_the_study_and_loses_nothing(one: dict[str, Any]) -> bool:
    if "skipped" in one:
        return False
    assert "study small, folder " in one["message"]
    assert "No space left on device" in one["message"]
    assert "free space, or move the study to another disk, and run it again" in one["message"]
    assert one["left"] == []
    assert one["same"], "once there is space, it goes on to the same content"
    assert one["left_over"] == []
    return True


def closed_folder_stops_the_study_and_is_left_alone(one: dict[str, Any]) -> bool:
    if "skipped" in one:
        return False
    assert "study small, folder " in one["message"]
    assert "Read-only file system" in one["message"]
    assert "ask for the right to write there, or choose another folder, and run it again" in one["message"]
    assert one["untouched"]
    return True
