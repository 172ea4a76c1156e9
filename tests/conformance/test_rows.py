"""Every row has its identity and its guard, and both are tests that are there."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from tests.conformance.rows import ROWS, WITHOUT_GUARD

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def functions_of(file: str) -> set[str]:
    """Names of the test functions of a file."""
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def missing(tests: tuple[str, ...]) -> list[str]:
    """Those that are not there."""
    parts = (test.partition("::") for test in tests)
    return [
        f"{file}::{name}"
        for file, _, name in parts
        if not ((ROOT / file).exists() and name in functions_of(file))
    ]


@pytest.mark.parametrize("number", ROWS, ids=lambda number: f"row-{number:02d}")
def test_identity(number):
    row = ROWS[number]
    assert row.identity
    assert missing(row.identity) == []


@pytest.mark.parametrize(
    "number", [n for n in ROWS if n not in WITHOUT_GUARD], ids=lambda number: f"row-{number:02d}-guard"
)
def test_guard(number):
    row = ROWS[number]
    assert row.guard
    assert missing(row.guard) == []
    assert not set(row.guard) & set(row.identity), "a guard is a test of its own"


def test_no_row_is_missing():
    assert tuple(ROWS) == tuple(range(1, 26))


def test_what_is_not_there_is_missing():
    assert missing(("tests/credit/test_bptt.py::test_nothing", "tests/no_such_file.py::test_it")) != []
