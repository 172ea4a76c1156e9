"""What a folder holds, to see that a refused or failed write changed nothing."""

from __future__ import annotations

from pathlib import Path


def entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def snapshot(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p): p.read_bytes() for p in files}
