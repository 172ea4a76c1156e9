"""Small pieces of Markdown that the generated parts of the manual are made of."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable
from typing import Any


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table.

    Example:
        >>> print(table(("a", "b"), [("1", "|2|")]))
        | a | b |
        |---|---|
        | 1 | \\|2\\| |
    """
    lines = [list(head), *map(list, rows)]
    text = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(lines[0]), *text[1:]])


def first_sentence(member: Any) -> str:
    """First line of a docstring, as Markdown.

    Example:
        >>> first_sentence(literal)
        'Text with options (two hyphens) as code.'
    """
    text = (inspect.getdoc(member) or "").split("\n", 1)[0].replace("``", "`")
    return re.sub(r":(\w+):`", r"{py:\1}`", text)


def fields(member: type) -> list[tuple[str, str]]:
    """Fields of a configuration class and their defaults."""
    found = []
    for field in dataclasses.fields(member):
        if not field.init:
            continue
        value = field.default
        if value is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        found.append((f"`{field.name}`", "needed" if value is dataclasses.MISSING else f"`{value!r}`"))
    return found


def literal(text: str) -> str:
    """Text with options (two hyphens) as code.

    Example:
        >>> literal("Short for --dynamics.tau.")
        'Short for `--dynamics.tau`.'
    """
    return re.sub(r"(?<![`\w])(--\w[\w.-]*\w)", r"`\1`", text)
