"""The Markdown pages of the repository, their fenced blocks and their links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = ("_build", "generated")
_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")


def pages() -> list[Path]:
    """README, CONTRIBUTING, CHANGELOG and every page of the manual."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    manual = sorted((ROOT / "docs").rglob("*.md"))
    return found + [path for path in manual if not set(SKIPPED) & set(path.relative_to(ROOT).parts)]


def label(path: Path) -> str:
    """Path of a page within the repository."""
    return path.relative_to(ROOT).as_posix()


def fenced(text: str, language: str) -> list[tuple[int, str]]:
    """(line of its first line, body) of every fenced block of a language.

    Example:
        >>> fenced("a\\n```python\\nx = 1\\n```\\n", "python")
        [(3, 'x = 1\\n')]
    """
    return [
        (text.count("\n", 0, match.start("body")) + 1, match["body"])
        for match in _FENCE.finditer(text)
        if match["info"].strip() == language
    ]


def links(text: str) -> list[str]:
    """Targets of links outside fenced blocks, without those that leave the repository.

    Example:
        >>> links("[a](b.md#c) and [d](https://e.org) and [f](#g)")
        ['b.md#c', '#g']
    """
    found = [match["target"] for match in _LINK.finditer(_FENCE.sub("", text))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a page, as GitHub and MyST make them.

    Example:
        >>> sorted(anchors("# A task\\n\\n## Time, and `dt`\\n"))
        ['a-task', 'time-and-dt']
    """
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
