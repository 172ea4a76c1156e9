"""Files of a study's folder: written whole or not at all, never over other content."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime import atomic, config, results
from throughtime.results.plain import plain_attributes
from throughtime.studies.failures import storage_error

if TYPE_CHECKING:
    import xarray as xr

OLD_SECONDS = 3600.0


@contextlib.contextmanager
def storage() -> Iterator[None]:
    """Where a disk is full or a folder closed, say so in one way.

    Raises:
        StorageError: in place of what says the same.
    """
    try:
        yield
    except Exception as error:
        found = storage_error(error)
        if found is None or found is error:
            raise
        raise found from error


def write_json(path: Path, content: Any) -> None:
    """Write plain values, arrays and configuration objects as canonical JSON."""
    atomic.write_bytes(path, config.canonical(content).encode())


def read_json(path: Path) -> Any:
    """What stands in a file, as plain JSON; None where there is none or it is damaged."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def read(path: Path) -> Any:
    """What was written by :func:`write_json`, decoded; None as for :func:`read_json`."""
    return config.decode(read_json(path))


def names(folder: Path, suffix: str = ".json") -> list[str]:
    """Names of the files of a folder, sorted, without what is being written."""
    try:
        found = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(name for name in found if name.endswith(suffix) and not name.startswith("."))


def write_once(tree: xr.DataTree, path: Path) -> bool:
    """Write a results tree where there is nothing yet; whether this call did.

    Of two processes that write at once, one wins and the other leaves its content alone.
    """
    if path.exists():
        return False
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.part{path.suffix}")
    try:
        results.save(tree, temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:
            if not temporary.exists():  # swept by one who was faster
                return False
            os.replace(temporary, path)  # a file system without links
        return True
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sweep(folder: Path, stem: str) -> None:
    """Remove what writers of a file that is there now have left beside it."""
    hidden = (f".{stem}.*", f"..{stem}.*")  # before the temporary file has its name, it has another
    for left in (*(one for name in hidden for one in folder.glob(name)), *folder.glob(f"{stem}.*/")):
        remove(left)


def sweep_old(folder: Path) -> None:
    """Remove what writers that were killed left an hour ago or more."""
    before = time.time() - OLD_SECONDS
    for left in folder.glob(".*"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < before:
                remove(left)


def remove(path: Path) -> None:
    """Remove a file or folder, or as much of it as can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def told_of_run(path: Path) -> tuple[str, dict[str, Any]]:
    """Run id of a merged run, and what it tells of its cells, by identity; nothing else is read."""
    import h5py

    with h5py.File(path, "r") as file:
        own = plain_attributes({name: file.attrs.get(name, b"") for name in ("run_id", "cells")})
    return str(own["run_id"]), json.loads(own["cells"] or "{}")


def now() -> str:
    """Date and time, UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
