"""Learning rules: ways in which credit travels back."""

from __future__ import annotations

import dataclasses
from typing import Any

from throughtime import runtime  # noqa: F401  (settings JAX reads when its backend starts)
from throughtime.registry import kebab, unknown
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Rule, Traits
from throughtime.rules.bptt import BPTT
from throughtime.rules.tbptt import TBPTT

RULES: dict[str, type[Rule]] = {kebab(kind.__module__.rpartition(".")[2]): kind for kind in (BPTT, TBPTT)}

__all__ = ["BPTT", "TBPTT", "AdjointRule", "Rule", "Traits", "get", "make", "names"]


def names() -> tuple[str, ...]:
    """Registry names of all rules."""
    return tuple(RULES)


def get(name: str) -> type[Rule]:
    """The class of a registry name.

    Raises:
        ValueError: for an unknown name, with near names.
    """
    if name not in RULES:
        raise unknown("rule", name, RULES, "throughtime list rules")
    return RULES[name]


def make(name: str, **options: Any) -> Rule:
    """A rule by its registry name, with its options.

    Raises:
        ValueError: for an unknown name or option.

    Example:
        >>> make("bptt").traits.exact
        True
    """
    kind = get(name)
    known = {item.name for item in dataclasses.fields(kind) if item.init}
    for option in options:
        if option not in known:
            raise ValueError(
                f"rule {name!r} has no option {option!r}; it has {', '.join(sorted(known)) or 'none'}."
            )
    return kind(**options)
