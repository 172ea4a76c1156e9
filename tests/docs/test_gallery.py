"""Examples of the gallery name what is there; ``make docs`` runs them."""

from __future__ import annotations

import ast
import inspect

import pytest

import throughtime as tt
from tests.docs.pages import ROOT

SCRIPTS = sorted((ROOT / "docs" / "examples").glob("*.py"))


def chains(tree: ast.AST) -> set[tuple[str, ...]]:
    """Attributes asked of ``tt``, such as ``("tasks", "make")``."""
    found = set()
    for node in ast.walk(tree):
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if names and isinstance(node, ast.Name) and node.id == "tt":
            found.add(tuple(names))
    return found


def unknown(tree: ast.AST) -> list[str]:
    """What a script names of the package that is not there, and arguments that functions do not take."""
    problems = []
    for names in chains(tree):
        member = tt
        for name in names:
            member = getattr(member, name, None)
        if member is None:
            problems.append(".".join(names))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            function = next((f for names, f in members(node.func) if inspect.isroutine(f)), None)
            known = inspect.signature(function).parameters if function else {}
            open_ended = any(one.kind is one.VAR_KEYWORD for one in known.values())
            if function and not open_ended:
                problems += [str(word.arg) for word in node.keywords if word.arg not in known]
    return problems


def members(node: ast.Attribute) -> list[tuple[tuple[str, ...], object]]:
    """What an attribute of ``tt`` is, if it is one."""
    text = ast.unparse(node)
    if not text.startswith("tt."):
        return []
    member: object = tt
    for name in text.split(".")[1:]:
        member = getattr(member, name, None)
    return [(tuple(text.split(".")[1:]), member)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_names_what_is_there(script):
    tree = ast.parse(script.read_text())
    title, line, *rest = (ast.get_docstring(tree) or "").splitlines()
    assert script.stem.startswith("plot_"), "the gallery runs scripts of this name only"
    assert line == "=" * len(title)
    assert rest, "a title, then what the example shows"
    assert "# %%" in script.read_text()
    assert len(chains(tree)) >= 3
    assert unknown(tree) == []


def test_what_is_not_there_is_seen():
    assert unknown(ast.parse("tt.tasks.mak('x')")) == ["tasks.mak"]
    call = "tt.compare_gradients(circuit, params, trials, ['rflo'], key=key, draw=3)"
    assert unknown(ast.parse(call)) == ["draw"]


def test_there_is_a_gallery():
    assert 5 <= len(SCRIPTS) <= 9
    assert (ROOT / "docs" / "examples" / "GALLERY_HEADER.rst").exists()
