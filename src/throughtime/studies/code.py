"""The code that numbers depend on, as a hash: what is done stays valid while it does not change."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import inspect
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import throughtime

PACKAGE = Path(throughtime.__file__).resolve().parent
TRAINING = (
    "api.py", "atomic.py", "circuits", "comparison/choice.py", "comparison/held_out.py",
    "comparison/study.py", "comparison/tuning.py", "config.py", "credit", "frozen.py",
    "gaussian.py", "keys.py", "objectives.py", "rules", "tasks", "training", "trial.py",
)  # fmt: skip
MEASURING = (*TRAINING, "analysis", "measures", "spiking")
LIBRARIES = ("jax", "jaxlib", "numpy", "optax")
MEASURED_WITH = (*LIBRARIES, "scipy", "scikit-learn")


@functools.cache
def numbers_sha256(kind: str = "train") -> str:
    """SHA-256 (hex) of the sources that the numbers of a cell come from, and of the versions of libraries.

    Args:
        kind: of the cell: ``"measure"`` depends on the analyses too.
    """
    digest = hashlib.sha256()
    for name, path in _sources(MEASURING if kind == "measure" else TRAINING):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    for library in MEASURED_WITH if kind == "measure" else LIBRARIES:
        digest.update(f"{library}\0{importlib.metadata.version(library)}\0".encode())
    return digest.hexdigest()


def _sources(places: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for place in places:
        path = PACKAGE / place
        for one in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield one.relative_to(PACKAGE).as_posix(), one


def classes_in(encoded: Any) -> set[str]:
    """Classes that a configuration (``config.encode``) is made of, ``module:name``."""
    if isinstance(encoded, list):
        return set().union(*map(classes_in, encoded))
    if not isinstance(encoded, dict):
        return set()
    found = set().union(*map(classes_in, encoded.values()))
    return found | {encoded["class"]} if isinstance(encoded.get("class"), str) else found


def members_sha256(classes: Iterable[str]) -> str:
    """SHA-256 (hex) of the user's modules that define these classes, and of those these use; "" for none.

    A module counts whose file is neither throughtime's, nor Python's, nor of an installed package.

    Raises:
        ValueError: for a class that was defined in a script or typed in by hand: no other process can
            import it.
    """
    names: set[str] = set()
    for one in classes:
        module, _, name = one.partition(":")
        if module.partition(".")[0] == "throughtime":
            continue
        if module == "__main__":
            raise ValueError(
                f"Study: class {name} is defined in the script that runs, where no other process finds it; "
                "put it into a module of its own and import it from there."
            )
        kind: Any = importlib.import_module(module)
        for part in name.split("."):
            kind = getattr(kind, part)
        names |= {base.__module__ for base in kind.__mro__}
    return _modules_sha256(frozenset(names))


@functools.cache
def _modules_sha256(names: frozenset[str]) -> str:
    found: dict[str, Path] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        path = None if module is None or name in found else own_file(module)
        if module is None or path is None:
            continue
        found[name] = path
        for value in vars(module).values():
            used = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(used, str):
                waiting.append(used)
    if not found:
        return ""
    digest = hashlib.sha256()
    for name in sorted(found):
        content = found[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


@functools.cache
def own_file(module: ModuleType) -> Path | None:
    """Source of a module that the user wrote, or None."""
    try:
        source = inspect.getsourcefile(module)
    except TypeError:  # built in
        return None
    if source is None or not os.path.isfile(source):
        return None
    path = Path(source).resolve()
    paths = sysconfig.get_paths()
    installed = [Path(paths[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    parts = {"site-packages", "dist-packages"} & set(path.parts)
    return None if parts or any(map(path.is_relative_to, (PACKAGE, *installed))) else path
