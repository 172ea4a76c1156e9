"""Findings of a battery: one line a check, with what was expected, what came and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

OK, FAILED, SKIPPED = "ok", "FAILED", "skipped"


class Failed(AssertionError):
    """A check found something wrong; the message says what was expected, what came and what to do.

    Attributes:
        whole: whether the message says all of that by itself; else a report adds what the check is about.
    """

    def __init__(self, message: str, *, whole: bool = True) -> None:
        super().__init__(message)
        self.whole = whole


class Skipped(Exception):
    """A check does not apply; the message says why."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name.
        status: ``ok``, ``FAILED`` or ``skipped``.
        detail: what was seen, in a line; of a failure what was expected, what came and what to do.

    Example:
        >>> print(Finding("padding", "ok", "same gradient with three more steps that are not valid"))
        ok       padding: same gradient with three more steps that are not valid
    """

    check: str
    status: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.status:8s} {self.check}{': ' if self.detail else ''}{self.detail}"


Check = Callable[[Any], str]


def name_of(check: Any) -> str:
    """Name of a check in reports: that of its function, with dashes."""
    return str(check.__name__).removeprefix("check_").replace("_", "-")


def run(checks: Sequence[Any], subject: Any, only: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """Every check on one subject; none is left out because another one failed.

    Args:
        checks: functions of the subject that return a line about what they saw, or raise :class:`Failed` or
            :class:`Skipped`.
        only: names of the checks to run; all by default.

    Raises:
        ValueError: for a name in ``only`` that no check has.
    """
    known = {name_of(check): check for check in checks}
    wanted = tuple(known) if only is None else tuple(only)
    for name in wanted:
        if name not in known:
            raise ValueError(f"there is no check {name!r}; there are {', '.join(known)}.")
    seen: dict[str, str] = {}
    found = []
    for name in wanted:
        finding = _one(name, known[name], subject)
        if finding.status == FAILED:
            first = seen.setdefault(finding.detail, name)
            if first != name:
                finding = Finding(name, FAILED, f"as in {first}.")
        found.append(finding)
    return tuple(found)


def _one(name: str, check: Check, subject: Any) -> Finding:
    try:
        return Finding(name, OK, check(subject) or "")
    except Skipped as reason:
        return Finding(name, SKIPPED, str(reason))
    except AssertionError as failure:
        told = _short(failure) or f"assertion at {_where(failure)}"
        told = (
            told if isinstance(failure, Failed) and failure.whole else f"{told} (checked: {_wanted(check)})"
        )
        return Finding(name, FAILED, told)
    except Exception as error:  # whatever a subject raises is what the report is about
        return Finding(name, FAILED, f"{_where(error)} raised {type(error).__name__}: {_short(error)}")


def _wanted(check: Check) -> str:
    """What a check is about: the first paragraph of its docstring, without the number it may begin with."""
    first = " ".join((check.__doc__ or "").split("\n\n")[0].split())
    number, _, rest = first.partition(". ")
    return (rest if number.isdigit() else first).rstrip(".")


def _where(error: BaseException) -> str:
    """Innermost line of a file outside installed packages, or the innermost line at all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    last = own[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"


def _short(error: BaseException, length: int = 400) -> str:
    told = " ".join(str(error).split())
    return told if len(told) <= length else told[:length] + " …"


def require(condition: Any, message: str) -> None:
    """Fail with ``message`` unless the condition holds; a report adds what the check is about.

    Raises:
        Failed: with the message.
    """
    if not condition:
        raise Failed(message, whole=False)


def expect(condition: Any, *, expected: str, found: str, remedy: str) -> None:
    """Fail unless the condition holds.

    Raises:
        Failed: with all three.

    Example:
        >>> expect(1 < 2, expected="order", found="none", remedy="sort")
    """
    if not condition:
        raise Failed(f"expected {expected}; found {found}; {remedy}.")
