"""Every row has its identity and its guard, and both are tests that are there."""

from __future__ import annotations

import ast
import functools
import importlib
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.rows import ROWS, WITHOUT_GUARD

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def functions_of(file: str) -> set[str]:
    """Names of the test functions of a file."""
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def cases_of(file: str, name: str) -> set[str]:
    """Ids of the cases of a test that is parametrised by strings; none of one that is not parametrised."""
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    marks = [mark for mark in getattr(getattr(module, name), "pytestmark", []) if mark.name == "parametrize"]
    return {each for mark in marks for each in mark.args[1] if isinstance(each, str)}


def is_there(test: str) -> bool:
    """Whether there is such a test, and such a case where it names one."""
    file, _, rest = test.partition("::")
    name, bracket, case = rest.removesuffix("]").partition("[")
    if not ((ROOT / file).exists() and name in functions_of(file)):
        return False
    return not bracket or case in cases_of(file, name)


def missing(tests: tuple[str, ...]) -> list[str]:
    """Those that are not there."""
    return [test for test in tests if not is_there(test)]


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


def test_rows_that_share_a_guard_name_their_case_of_it():
    shared = Counter(guard for row in ROWS.values() for guard in row.guard)
    several = [guard.partition("::") for guard, count in shared.items() if count > 1]
    assert [name for file, _, name in several if cases_of(file, name)] == []


@pytest.mark.parametrize(
    "test",
    [
        "tests/credit/test_bptt.py::test_nothing",
        "tests/no_such_file.py::test_it",
        "tests/cli/test_check.py::test_what_is_wrong_on_purpose_is_found[Right]",
        "tests/cli/test_check.py::test_report_of_a_wrong_rule[Sums]",
    ],
)
def test_what_is_not_there_is_missing(test):
    assert missing((test,)) == [test]
