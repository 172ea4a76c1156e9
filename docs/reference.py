"""Pages of the API reference, and the names that must be in it."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ROOMS = (
    "tasks", "circuits", "credit", "rules", "audit", "training", "results", "analysis", "plotting",
    "measures", "comparison", "studies", "checking", "spiking", "references",
)  # fmt: skip
MODULES = (
    "api", "trial", "objectives", "keys", "gaussian", "config", "frozen", "runtime", "registry", "atomic",
)  # fmt: skip


class Public(NamedTuple):
    """A name that a package offers, and where the reference describes it.

    Attributes:
        package: the package that offers it.
        name: how it is called there.
        target: full name of its entry in the reference.
    """

    package: str
    name: str
    target: str


def api_pages() -> dict[str, str]:
    """One page a room: every public module of the package."""
    text = ["# throughtime", "", automodule("throughtime"), "", exports("throughtime"), ""]
    for name in MODULES:
        text += [f"## throughtime.{name}", "", automodule(f"throughtime.{name}", "all")]
    return {"throughtime": "\n".join(text), **{room: api_page(f"throughtime.{room}") for room in ROOMS}}


def api_page(package: str) -> str:
    """A package and its modules; what it exports from elsewhere is documented where it is defined."""
    text = [f"# {package}", "", automodule(package, own(package)), exports(package), ""]
    for module in public_modules(package):
        is_package = hasattr(importlib.import_module(module), "__path__")
        members = own(module) if is_package else "all"
        text += [f"## {module.removeprefix('throughtime.')}", "", automodule(module, members)]
    return "\n".join(text)


def public_names() -> list[Public]:
    """Every public name of ``throughtime`` and of each public package below it."""
    packages = ["throughtime"]
    for room in ROOMS:
        packages += [f"throughtime.{room}"]
        packages += [
            module
            for module in public_modules(f"throughtime.{room}")
            if hasattr(importlib.import_module(module), "__path__")
        ]
    return [
        Public(package, name, target_of(package, name)) for package in packages for name in names(package)
    ]


def names(package: str) -> list[str]:
    """What a package offers: its ``__all__``, or what its source defines or imports without underscore."""
    module = importlib.import_module(package)
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if name != "__version__"]
    found = set(assigned(module))
    for node in tree_of(module).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("throughtime"):
            found |= {alias.asname for alias in node.names if alias.asname == alias.name}
    return sorted(name for name in found if not name.startswith("_"))


def target_of(package: str, name: str) -> str:
    """Full name under which the reference describes what a package calls ``name``."""
    module = importlib.import_module(package)
    member = getattr(module, name)
    if inspect.ismodule(member):
        return member.__name__
    if inspect.isclass(member) or inspect.isroutine(member):
        home = member.__module__
        if home.rpartition(".")[2].startswith("_"):
            home = package
        return f"{home}.{member.__name__}"
    return f"{origin(module, name)}.{name}"


def origin(module: ModuleType, name: str) -> str:
    """Module in which a constant is assigned."""
    for node in tree_of(module).body:
        if isinstance(node, ast.ImportFrom) and name in [alias.asname or alias.name for alias in node.names]:
            return origin(importlib.import_module(str(node.module)), name)
    return module.__name__


def own(package: str) -> str:
    """Names of what a package itself defines, or imports from a module that is not documented."""
    module = importlib.import_module(package)
    found = []
    for name in names(package):
        room, _, last = target_of(package, name).rpartition(".")
        if room == package and last == name and not inspect.ismodule(getattr(module, name)):
            found.append(name)
    return ", ".join(found)


def exports(package: str) -> str:
    """Names that a package offers, each with a link to where it is documented."""
    module = importlib.import_module(package)
    known = [name for name in names(package) if not inspect.ismodule(getattr(module, name))]
    links = [f"{{py:obj}}`{name} <{target_of(package, name)}>`" for name in sorted(known, key=str.lower)]
    return f"Names at this level: {', '.join(links)}." if links else ""


def public_modules(package: str) -> list[str]:
    """Modules below a package whose names do not begin with an underscore."""
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    return sorted(one.name for one in found if "._" not in one.name)


def automodule(name: str, members: str = "") -> str:
    """The directive that documents a module: nothing but itself, ``"all"`` of it, or some members."""
    option = f"   :members:{'' if members == 'all' else f' {members}'}\n   :show-inheritance:\n"
    return f"```{{eval-rst}}\n.. automodule:: {name}\n{option if members else ''}```\n"


def assigned(module: ModuleType) -> list[str]:
    """Names assigned at the top of a module's source."""
    found = []
    for node in tree_of(module).body:
        targets: list[Any] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        found += [target.id for target in targets if isinstance(target, ast.Name)]
    return found


def tree_of(module: ModuleType) -> ast.Module:
    """Syntax tree of a module's source."""
    return ast.parse(Path(str(module.__file__)).read_text())
