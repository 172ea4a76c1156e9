"""Batteries of checks that every member of a kind must pass, for members of one's own too.

``throughtime check FILE.py:NAME`` runs them. A learning rule, a task, a circuit or a part of one, or an
analysis is recognised by its class.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import jax

from throughtime.checking.report import Finding, run

__all__ = ["Finding", "check", "kind_of"]

RULE, TASK, CIRCUIT, ANALYSIS = "rule", "task", "circuit", "analysis"


def kind_of(member: Any) -> str:
    """``rule``, ``task``, ``circuit`` or ``analysis``.

    Raises:
        ValueError: for what is none of these.

    Example:
        >>> import throughtime as tt
        >>> kind_of(tt.rules.make("bptt")), kind_of(tt.circuits.Leaky)
        ('rule', 'circuit')
    """
    from throughtime.circuits import Circuit, Connectivity, Dynamics
    from throughtime.rules import Rule
    from throughtime.tasks import Task

    kinds = {RULE: (Rule,), TASK: (Task,), CIRCUIT: (Circuit, Dynamics, Connectivity)}
    family = member if isinstance(member, type) else type(member)
    for kind, bases in kinds.items():
        if issubclass(family, bases):
            return kind
    if inspect.isfunction(member):
        return ANALYSIS
    raise ValueError(
        "expected a rule, a task, a circuit or a part of one, or an analysis (a function of a dataset); "
        f"found {member!r}, of type {family.__name__}. Derive from tt.rules.Rule, tt.tasks.Task, "
        "tt.circuits.Dynamics or tt.circuits.Connectivity, or name a function."
    )


def check(member: Any, *, only: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """Run the battery of a member's kind.

    Args:
        member: an object, or a class that needs no arguments.
        only: names of the checks to run; all by default.

    Raises:
        ValueError: for what is no member, a class that needs arguments, or an unknown name in ``only``.

    Example:
        >>> import throughtime as tt
        >>> [str(one) for one in check(tt.rules.make("bptt"), only=["draws"])]
        ['ok       draws: no draws of its own']
    """
    kind = kind_of(member)
    if isinstance(member, type):
        member = _made(member)
    if kind == RULE:
        from throughtime.checking import rules

        with jax.enable_x64(True):
            return run(rules.BATTERY, rules.Subject(member), only)
    if kind == TASK:
        from throughtime.checking import tasks

        return run(tasks.BATTERY, member, only)
    if kind == CIRCUIT:
        from throughtime.checking import circuits

        with jax.enable_x64(True):
            return run(circuits.BATTERY, circuits.subject(member), only)
    from throughtime.checking import analyses

    return run(analyses.BATTERY, member, only)


def _made(kind: type) -> Any:
    try:
        inspect.signature(kind).bind()
    except TypeError as error:
        raise ValueError(
            f"{kind.__name__} needs arguments ({error}); name an object instead, such as "
            f"CHECKED = {kind.__name__}(…) in the same file."
        ) from None
    return kind()
