"""Where a result came from: code, versions, machine kind and configuration, but no host and no path."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import throughtime
from throughtime.config import canonical, sha256
from throughtime.registry import kebab
from throughtime.results.schema import SCHEMA_NAME, SCHEMA_VERSION

PACKAGE = Path(throughtime.__file__).resolve().parent
LIBRARIES = ("numpy", "jax", "jaxlib", "optax", "xarray")


def run_attributes(
    config: Mapping[str, Any],
    *,
    dtype: str,
    init_sha256: Mapping[str, str],
    data_sha256: Mapping[str, str],
    command: str | None = None,
) -> dict[str, Any]:
    """Root attributes of a run.

    Args:
        config: configuration with ``task``, ``circuit`` and ``rule``; the other entries are kept as well.
        dtype: dtype of the parameters.
        init_sha256, data_sha256: seed -> hash.
        command: command line, written without absolute paths and addresses.
    """
    digest = sha256(config)
    device = device_kind()
    attributes = {
        **library_attributes("run"),
        "run_id": digest[:16],
        **{role: member_name(config.get(role)) for role in ("task", "circuit", "rule")},
        "config": canonical(config),
        "config_sha256": digest,
        "device_kind": device,
        "dtype": dtype,
        "deterministic": int(is_deterministic(device)),
        "init_sha256": _by_seed(init_sha256),
        "data_sha256": _by_seed(data_sha256),
    }
    if command is not None:
        attributes["command"] = strip_paths(command)
    return attributes


def library_attributes(kind: str) -> dict[str, Any]:
    """Root attributes every results file has, whatever its kind: schema, time, code, versions."""
    return {
        "schema_name": SCHEMA_NAME,
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "creation_library": "throughtime",
        "creation_library_version": _version("throughtime"),
        "code_sha256": code_sha256(PACKAGE),
        "python_version": platform.python_version(),
        **{f"{library}_version": _version(library) for library in LIBRARIES},
        **git_state(PACKAGE),
    }


def member_name(member: Any) -> str:
    """Registry name of a task, circuit or rule: its ``name``, or else its class in kebab-case."""
    if isinstance(member, str):
        return member
    name = getattr(member, "name", None)
    return kebab(name) if isinstance(name, str) else kebab(type(member).__name__)


@functools.cache
def code_sha256(package: Path) -> str:
    """SHA-256 (hex) of the package's Python sources, names included."""
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py")):
        content = (package / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


@functools.cache
def git_state(package: Path) -> dict[str, Any]:
    """``git_commit`` and ``git_dirty`` of the checkout whose ``src`` holds the package; else nothing.

    A package installed within some other project's checkout does not take that project's commit.
    Dirty means: a tracked file differs, or the package holds a file git does not know.
    """
    top = _git(package, "rev-parse", "--show-toplevel")
    if top is None or (Path(top) / "src" / package.name).resolve() != package:
        return {}
    commit = _git(package, "rev-parse", "HEAD")
    tracked = _git(package, "status", "--porcelain", "--untracked-files=no")
    untracked = _git(package, "status", "--porcelain", "--", str(package))
    if commit is None or tracked is None or untracked is None:
        return {}
    return {"git_commit": commit, "git_dirty": int(bool(tracked or untracked))}


def device_kind() -> str:
    """Kind of the device JAX computes on, such as ``cpu``; ``unknown`` where JAX was not imported."""
    jax = sys.modules.get("jax")
    return str(jax.devices()[0].device_kind) if jax is not None else "unknown"


def is_deterministic(device: str) -> bool:
    """Whether the device gives the same bits again: a CPU does, a GPU when XLA is told to."""
    return device == "cpu" or "--xla_gpu_deterministic_ops=true" in os.environ.get("XLA_FLAGS", "")


def strip_paths(command: str) -> str:
    """A command line with absolute paths cut to their last part and network addresses left out.

    Example:
        >>> strip_paths("/home/me/bin/throughtime run x.py --out=/data/me --scheduler tcp://node7:8786")
        'throughtime run x.py --out=me --scheduler tcp://...'
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return shlex.join("".join(map(_last_part, re.split(r"([=,])", word))) for word in words)


def _last_part(piece: str) -> str:
    scheme, separator, _ = piece.partition("://")
    if separator:
        return f"{scheme}://..."
    if PurePosixPath(piece).is_absolute() or piece.startswith("~"):
        return PurePosixPath(piece).name
    if PureWindowsPath(piece).is_absolute():
        return PureWindowsPath(piece).name
    return piece


def _by_seed(hashes: Mapping[str, str]) -> str:
    return json.dumps({str(seed): value for seed, value in hashes.items()}, sort_keys=True)


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _git(folder: Path, *arguments: str) -> str | None:
    # Variables such as GIT_DIR, set inside a hook, would point git at another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
