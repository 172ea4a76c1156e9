"""``throughtime check FILE.py:NAME``: a member of one's own through the battery of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.cli import text
from throughtime.cli.errors import Refusal
from throughtime.cli.scripts import imported

if TYPE_CHECKING:
    from throughtime.cli.options import Check


def check(options: Check) -> int:
    """Print one line a check, and what to do where one failed.

    Returns:
        0, or 1 if a check failed.

    Raises:
        Refusal: for a file or a name in it that is not there, and what is no member of any kind.
    """
    path, name = located(options.member)
    with imported(path) as module:
        if not hasattr(module, name):
            known = ", ".join(each for each in vars(module) if not each.startswith("_")) or "nothing"
            raise Refusal(f"{path} has no {name!r}; it has {known}.")
        return report(getattr(module, name), name, options.only)


def located(member: str) -> tuple[Path, str]:
    """File and name of ``FILE.py:NAME``.

    Raises:
        Refusal: for another form, or a file that is not there.

    Example:
        >>> located("nowhere.py:Mine")
        Traceback (most recent call last):
        ...
        throughtime.cli.errors.Refusal: there is no file nowhere.py; expected FILE.py:NAME.
    """
    file, _, name = member.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise Refusal(
            f"expected FILE.py:NAME, found {member!r}; name a class or an object in a file, such as "
            "my_rule.py:MyRule."
        )
    if not Path(file).is_file():
        raise Refusal(f"there is no file {file}; expected FILE.py:NAME.")
    return Path(file), name


def report(member: Any, name: str, only: tuple[str, ...]) -> int:
    """Check and print."""
    from throughtime import checking
    from throughtime.checking.report import FAILED, SKIPPED

    print(f"{checking.kind_of(member)} {name}", flush=True)
    findings = checking.check(member, only=only or None)
    for finding in findings:
        print(text.wrapped(str(finding), "  ", " " * 13))
    failed = sum(finding.status == FAILED for finding in findings)
    skipped = sum(finding.status == SKIPPED for finding in findings)
    passed = len(findings) - failed - skipped
    print(f"{passed} ok, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
