"""Every fenced Python block of the documentation runs, in order per page, in one namespace."""

from __future__ import annotations

import sys
import types

import matplotlib.pyplot as plt
import pytest

from tests.docs.pages import fenced, label, pages

EXAMPLES = [page for page in pages() if fenced(page.read_text(), "python")]


@pytest.mark.parametrize("page", EXAMPLES, ids=label)
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    module = types.ModuleType(f"example_{page.stem.replace('-', '_').lower()}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # configurations name their module
    monkeypatch.chdir(tmp_path)
    for line, block in fenced(page.read_text(), "python"):
        code = compile("\n" * (line - 1) + block, label(page), "exec", dont_inherit=True)
        exec(code, vars(module))
    plt.close("all")


def test_there_are_examples():
    named = set(map(label, EXAMPLES))
    assert {"README.md", "docs/start.md", "docs/idea.md", "docs/your-own.md"} <= named


def test_a_wrong_example_is_seen(tmp_path):
    [(line, block)] = fenced("text\n\n```python\nassert 1 + 1 == 3\n```\n", "python")
    assert line == 4
    with pytest.raises(AssertionError):
        exec(compile(block, "page", "exec"), {})
