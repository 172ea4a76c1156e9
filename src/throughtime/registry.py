"""Name tables of members: kebab-case names, near names in the error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def kebab(name: str) -> str:
    """Registry name of a class or rule.

    Example:
        >>> kebab("DelayedMatchToSample"), kebab("kf_rtrl")
        ('delayed-match-to-sample', 'kf-rtrl')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()


def unknown(kind: str, name: str, known: Iterable[str], listing: str) -> ValueError:
    """The error for a name that is in no table, with near names and where to see them all."""
    near = difflib.get_close_matches(name.lower().replace("_", "-"), list(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"see {listing}."
    return ValueError(f"unknown {kind} {name!r}; {hint}")
