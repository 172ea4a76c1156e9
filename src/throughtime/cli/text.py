"""Plain text: columns, and paragraphs no wider than the terminal."""

from __future__ import annotations

import itertools
import re
import shutil
import textwrap
from collections.abc import Sequence

WIDEST = 110


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows as lines: the first column left-aligned, the others right-aligned.

    Example:
        >>> print(columns([("seed", "correct"), ("0", "0.5")]))
        seed  correct
        0         0.5
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
        lines.append(indent + "  ".join(cells).rstrip())
    return "\n".join(lines)


def wrapped(text: str, indent: str = "", after: str | None = None) -> str:
    """A paragraph filled to the width of the terminal; ``after`` indents all lines but the first."""
    width = min(shutil.get_terminal_size((100, 24)).columns, WIDEST)
    rest = indent if after is None else after
    return textwrap.fill(
        text, max(width, 40), initial_indent=indent, subsequent_indent=rest, break_on_hyphens=False
    )


def number(value: float) -> str:
    """A number with three digits, as tables show it.

    Example:
        >>> number(0.123456), number(1500.0), number(float("nan"))
        ('0.123', '1500', 'nan')
    """
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def channels(names: Sequence[str]) -> str:
    """Names in a row, numbered ones of a kind by the first and the last.

    Example:
        >>> channels(("fixation", "ring_00", "ring_01", "ring_02", "ring_03", "go"))
        'fixation, ring_00 to ring_03, go'
    """
    told = []
    for kind, group in itertools.groupby(names, lambda name: re.sub(r"_\d+$", "", name)):
        row = list(group)
        numbered = len(row) > 2 and all(re.fullmatch(re.escape(kind) + r"_\d+", name) for name in row)
        told += [f"{row[0]} to {row[-1]}"] if numbered else row
    return ", ".join(told)
