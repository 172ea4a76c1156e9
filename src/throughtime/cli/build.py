"""Task, rule and circuit from names and fields on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import throughtime.runtime  # noqa: F401  (settings JAX reads when it is imported, so before tasks)
from throughtime import circuits, objectives, registry, rules, tasks
from throughtime.cli import values
from throughtime.cli.errors import Refusal
from throughtime.cli.given import option, read
from throughtime.training.shaping import PUBLISHED

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.rules import Rule
    from throughtime.tasks import Task


def task(named: str, fields: Mapping[str, str], given_as: str = "--task") -> Task:
    """A task from ``NAME`` or ``NAME:VARIANT``; ``given_as`` is the option for messages.

    Raises:
        Refusal: for a variant or field there is not.
        ValueError: for an unknown name, and settings the task refuses.

    Example:
        >>> task("delayed-match-to-sample:masse", {"delay": "U(500,3000)"}).delay
        Uniform(500, 3000)
    """
    name, colon, variant = named.partition(":")
    kind = tasks.get(name)
    if colon and variant not in kind.variants:
        hint = f"use one of {', '.join(kind.variants)}" if kind.variants else f"use {given_as} {name}"
        raise Refusal(f"{given_as}: {name} has no variant {variant!r}; {hint}.")
    return tasks.make(name, variant or None, **read(kind, "task", fields, f"throughtime list tasks {name}"))


def curriculum(text: str | None) -> Any:
    """What ``--curriculum`` asks for: None, ``"published"`` or a shaping.

    Raises:
        Refusal: for a text that is none of these.
        ValueError: for a shaping that cannot be.

    Example:
        >>> curriculum("Shaping(delay, (500, U(500,1000)), Criterion(correct, at_least=0.9))").values
        (500.0, Uniform(500, 1000))
    """
    if text is None or text == PUBLISHED:
        return text
    try:
        made = values.parse(
            text, tasks.Shaping | tasks.Criterion | tasks.Uniform | tasks.TruncatedExponential
        )
    except values.NotAValue as error:
        made, reason = None, str(error)
    else:
        reason = ""
    if not isinstance(made, tasks.Shaping):
        raise Refusal(
            "--curriculum: expected published, or stages such as Shaping(delay, (500, 1000), "
            f"Criterion(correct, at_least=0.9)), found {text!r}{reason}."
        )
    return made


def step_sizes(text: str | None) -> dict[str, float] | None:
    """What ``--step-sizes`` asks for.

    Raises:
        Refusal: for a text that is not of this form.

    Example:
        >>> step_sizes("readout=0.1,readout_bias=0")
        {'readout': 0.1, 'readout_bias': 0.0}
    """
    if text is None:
        return None
    try:
        return {name.strip(): float(size) for name, size in (one.split("=") for one in text.split(","))}
    except ValueError:
        raise Refusal(
            "--step-sizes: expected parameters and numbers such as readout=0.1,readout_bias=0.1, found "
            f"{text!r}."
        ) from None


def rule(name: str, fields: Mapping[str, str]) -> Rule:
    """A rule by name.

    Raises:
        Refusal: for an option there is not.
        ValueError: for an unknown name, and options the rule refuses.
    """
    return rules.make(name, **read(rules.get(name), "rule", fields, f"throughtime list rules {name}"))


def circuit(
    of_task: Any,
    *,
    num_units: int,
    noise: float,
    dynamics: str,
    recurrent: str,
    initial: str = "rest",
    fixed: str | None = None,
    fields: Mapping[str, Mapping[str, str]],
    **readout: Any,
) -> Circuit:
    """A circuit with the channels and step of a task.

    Args:
        of_task: what it shall learn.
        num_units, noise: size, and SD of the drive noise.
        dynamics, recurrent, initial: names of its parts.
        fixed: names of parameters that do not learn, separated by commas.
        fields: of ``dynamics``, ``recurrent`` and ``initial``.
        readout: fields of the circuit that say what becomes of its outputs.

    Raises:
        Refusal: for a field there is not.
        ValueError: for unknown names, and settings the circuit refuses.
    """
    parts = {
        "dynamics": _part("dynamics", dynamics, circuits.DYNAMICS, fields),
        "recurrent": _part("recurrent", recurrent, circuits.CONNECTIVITY, fields),
        "initial": _part("initial", initial, circuits.INITIAL, fields),
    }
    names = tuple(name.strip() for name in (fixed or "").split(",") if name.strip())
    return circuits.for_task(of_task, num_units, noise=noise, fixed=names, **parts, **readout)


def objective(name: str, fields: Mapping[str, Mapping[str, str]]) -> Objective:
    """A loss by name, and the penalties that have a strength.

    Args:
        fields: of ``objective`` and of each penalty.

    Raises:
        Refusal: for a field there is not, or a penalty without a strength.
        ValueError: for an unknown name, and settings a penalty refuses.

    Example:
        >>> objective("squared-error", {"rate-penalty": {"strength": "0.1"}}).penalties
        (RatePenalty(strength=0.1, power=2),)
    """
    if name not in objectives.OBJECTIVES:
        raise registry.unknown("objective", name, objectives.OBJECTIVES, ", ".join(objectives.OBJECTIVES))
    help_text = "throughtime train --help"
    kind = objectives.OBJECTIVES[name]
    made: Objective = kind(**read(kind, "objective", fields.get("objective", {}), help_text))
    for owner, penalty in objectives.PENALTIES.items():
        given = fields.get(owner)
        if not given:
            continue
        if "strength" not in given:
            raise Refusal(f"{option(owner, next(iter(given)))}: needs a strength; give --{owner} STRENGTH.")
        made = made + penalty(**read(penalty, owner, given, help_text))
    return made


def _part(role: str, name: str, table: Mapping[str, Any], fields: Mapping[str, Mapping[str, str]]) -> Any:
    if name not in table:
        raise registry.unknown(role, name, table, "throughtime list circuits")
    kind = table[name]
    return kind(**read(kind, role, fields.get(role, {}), f"throughtime list circuits {name}"))
