"""No public name is missing from the API reference. ``make docs`` asks the same of what it has built."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import types

import pytest

import throughtime
from tests.docs.pages import ROOT, fenced


@pytest.fixture
def reference(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("reference")


def missing(reference, names, pages: str) -> list[str]:
    """Names whose entry no page asks for, or that have nothing to say there."""
    found = []
    for package, name, target in names:
        member = getattr(importlib.import_module(package), name)
        if inspect.ismodule(member):
            there = f"automodule:: {target}\n" in pages
        else:
            home = target.rpartition(".")[0]
            asked = re.search(rf"automodule:: {re.escape(home)}\n   :members:(.*)\n", pages)
            given = asked is not None and (not asked[1].strip() or name in re.split(r"[ ,]+", asked[1]))
            constant = not (inspect.isclass(member) or inspect.isroutine(member))
            there = given and (is_described(home, name) if constant else bool(inspect.getdoc(member)))
        if not there:
            found.append(f"{package}.{name}")
    return found


def is_described(home: str, name: str) -> bool:
    """Whether a string follows the assignment of a constant."""
    body = ast.parse(inspect.getsource(importlib.import_module(home))).body
    for node, after in itertools.pairwise(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if name in [target.id for target in targets if isinstance(target, ast.Name)]:
            return isinstance(after, ast.Expr) and isinstance(getattr(after.value, "value", None), str)
    return False


def test_every_public_name_is_in_the_reference(reference):
    names = reference.public_names()
    pages = "".join(reference.api_pages().values())
    assert missing(reference, names, pages) == []
    packages = {one.package for one in names}
    rooms = [name for name in throughtime.__all__ if isinstance(getattr(throughtime, name), types.ModuleType)]
    for room in rooms:
        if hasattr(getattr(throughtime, room), "__path__") and room != "credit":  # which has modules alone
            assert f"throughtime.{room}" in packages
    for package in packages:
        offered = set(getattr(importlib.import_module(package), "__all__", ())) - {"__version__"}
        assert offered <= {one.name for one in names if one.package == package}


def test_a_missing_name_is_seen(reference):
    names = reference.public_names()
    pages = "".join(reference.api_pages().values())
    [leaky] = [one for one in names if one.package == "throughtime.circuits" and one.name == "Leaky"]
    [style] = [one for one in names if one.package == "throughtime.plotting" and one.name == "style"]
    without = pages.replace("automodule:: throughtime.circuits.dynamics.leaky\n", "")
    assert missing(reference, [leaky], without) == ["throughtime.circuits.Leaky"]
    without = pages.replace("automodule:: throughtime.plotting.style\n", "")
    assert missing(reference, [style], without) == ["throughtime.plotting.style"]
    assert is_described("throughtime.circuits.activations", "ACTIVATIONS")
    assert not is_described("throughtime.circuits.activations", "NUMPY")


def test_every_page_of_the_reference_is_in_the_contents(reference):
    contents = "".join(block for _, block in fenced((ROOT / "docs/index.md").read_text(), "{toctree}"))
    listed = re.findall(r"^generated/api/(\w+)$", contents, re.MULTILINE)
    assert sorted(listed) == sorted(reference.api_pages())
