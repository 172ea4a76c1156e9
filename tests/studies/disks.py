"""Disks that are full, and folders that cannot be written: real ones, in a mount namespace of one process."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.studies import processes
from tests.studies.processes import fork, run
from throughtime.studies import StorageError

NEW_NAMESPACE = 0x00020000
READ_ONLY, REMOUNT, BIND, PRIVATE = 1, 32, 4096, 0x00040000 | 0x00004000  # private, for all mounts below
LIBC = ctypes.CDLL(None, use_errno=True)


def check(done: int) -> None:
    """Raises OSError for a call that was refused."""
    if done:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(source: str, place: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    """The system's call."""
    check(
        LIBC.mount(source.encode(), str(place).encode(), kind.encode() or None, flags, data.encode() or None)
    )


def own_mounts() -> None:
    """Mounts of this process are its own from now on.

    Raises:
        OSError: where this user may not.
    """
    check(LIBC.unshare(NEW_NAMESPACE))
    mount("none", Path("/"), flags=PRIVATE)


def stopped(folder: Path) -> dict[str, Any]:
    """How running the study ends."""
    try:
        run(folder)
    except StorageError as error:
        return {"message": error.strerror, "left": processes.half_written(folder)}
    return {"message": "", "left": processes.half_written(folder)}


def full_disk(folder: Path, told: Path, size: int) -> None:
    """A disk of so many bytes; once it stopped the study, there is space again."""
    folder.mkdir()
    mount("tmpfs", folder, "tmpfs", 0, f"size={size}")
    place = folder / "study"
    found = stopped(place)
    found["free"] = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    mount("tmpfs", folder, "", REMOUNT, "size=64m")
    run(place)
    found |= {"content": processes.content(place), "left_over": processes.left_over(place)}
    told.write_text(json.dumps(found))


def closed_folder(folder: Path, told: Path, begun: Path) -> None:
    """A folder in which a study was begun, and which is for reading only by now."""
    shutil.copytree(begun, folder)
    before = sorted(folder.rglob("*"))
    mount(str(folder), folder, "", BIND)
    mount(str(folder), folder, "", REMOUNT | BIND | READ_ONLY)
    found = stopped(folder)
    told.write_text(json.dumps({**found, "untouched": sorted(folder.rglob("*")) == before}))


def in_namespace(work: Any, folder: Path, *given: Any) -> dict[str, Any]:
    """What a process with mounts of its own tells; ``skipped`` with the reason where it may not have them."""
    told = folder.with_suffix(".json")

    def alone() -> None:
        try:
            own_mounts()
        except OSError as error:
            told.write_text(json.dumps({"skipped": f"no mounts of one's own: {error}"}))
            return
        work(folder, told, *given)

    assert processes.ended(fork(alone))
    found: dict[str, Any] = json.loads(told.read_text())
    return found


def report(folder: Path, alone: dict[str, str], begun: Path, sizes: tuple[int, ...]) -> None:
    """A line of JSON for each disk."""
    for index, size in enumerate(sizes):
        found = in_namespace(full_disk, folder / f"disk-{index}", size)
        found["same"] = found.pop("content", None) == alone
        sys.stdout.write(json.dumps({"what": "full", "size": size, **found}) + "\n")
    found = in_namespace(closed_folder, folder / "closed", begun)
    sys.stdout.write(json.dumps({"what": "closed", **found}) + "\n")
    sys.stdout.flush()
