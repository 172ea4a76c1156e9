"""Which rules are compared, under which labels, and what each needs of the training around it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from throughtime import rules
from throughtime.registry import kebab
from throughtime.rules import Rule

CONTROLS = ("readout-only", "bptt")
"""Rules that every comparison has beside those it is asked for: the floor and the exact gradient."""
RESERVED = ("comparison", "learned", "nulls")

Given: TypeAlias = str | Rule | tuple[str, str | Rule]


def labelled(given: Iterable[Given] | Mapping[str, str | Rule], controls: bool = False) -> dict[str, Rule]:
    """Rules under their labels, in the order given.

    Args:
        given: names, rules, or pairs of a label and one of these; or a dictionary of them by label. A rule
            without a label has its registry name.
        controls: add ``readout-only`` and ``bptt`` where no rule of these kinds is given.

    Raises:
        ValueError: if there is no rule, two have the same label, or a label cannot name a group of a file.

    Example:
        >>> list(labelled(["rflo", ("aligned", rules.make("rflo"))], controls=True))
        ['rflo', 'aligned', 'readout-only', 'bptt']
    """
    items = given.items() if isinstance(given, Mapping) else given
    if isinstance(given, str):
        raise ValueError(f"rules: expected several rules, got the text {given!r}; write [{given!r}].")
    found: dict[str, Rule] = {}
    for item in items:
        label, one = item if isinstance(item, tuple) else (None, item)
        rule = rules.make(one) if isinstance(one, str) else one
        if not isinstance(rule, Rule):
            raise ValueError(
                f"rules: {rule!r} is no rule; give names such as 'rflo', rules, or pairs (label, rule)."
            )
        label = (one if isinstance(one, str) else registry_name(rule)) if label is None else label
        if not re.fullmatch(r"[\w.+=-]+", label) or label in RESERVED:
            raise ValueError(
                f"rules: label {label!r} cannot name a group; use letters, digits and . + = - _, and none of "
                f"{', '.join(RESERVED)}."
            )
        if label in found:
            raise ValueError(f"rules: {label!r} is there twice; tell them apart with pairs (label, rule).")
        found[label] = rule
    if not found:
        raise ValueError("rules: none given; name at least one, such as ['rflo'].")
    for name in CONTROLS if controls else ():
        if not any(type(rule) is rules.get(name) for rule in found.values()):
            found[name] = rules.make(name)
    return found


def registry_name(rule: Rule) -> str:
    """The name a rule is registered under, or its class in kebab-case.

    Example:
        >>> registry_name(rules.make("tbptt"))
        'tbptt'
    """
    return next((name for name in rules.names() if rules.get(name) is type(rule)), kebab(type(rule).__name__))


def has_step_size(rule: Rule) -> bool:
    """Whether a rule that makes its own steps has an option for their size; least squares has none."""
    options = {field.name for field in dataclasses.fields(rule) if field.init}
    return rule.traits.displacement and rule.tuned_option in options


def with_step(rule: Rule, size: float) -> tuple[Rule, float]:
    """A rule and a learning rate so that its steps have this size.

    A rule that makes its own steps takes the size as its option and the learning rate 1; one whose steps have
    no size stays as it is.

    Example:
        >>> with_step(rules.make("bptt"), 0.01)[1]
        0.01
        >>> with_step(rules.make("rtrl", online=True, step_size=1.0), 0.01)
        (RTRL(online=True, step_size=0.01, ...), 1.0)
    """
    if not rule.traits.displacement:
        return rule, size
    if not has_step_size(rule):
        return rule, 1.0
    changed: Any = {rule.tuned_option: size}
    return dataclasses.replace(rule, **changed), 1.0


def own_step(rule: Rule, learning_rate: Any) -> Any:
    """Size of a rule's steps as given: its own option where it makes them, else the learning rate."""
    if not rule.traits.displacement:
        return learning_rate
    return getattr(rule, rule.tuned_option) if has_step_size(rule) else 1.0


def gradient_form(rule: Rule) -> Rule:
    """The rule as one gradient after the trial, where it can be had; else as it is.

    Example:
        >>> gradient_form(rules.make("rtrl", online=True, step_size=0.1)) == rules.make("rtrl")
        True
    """
    options = {field.name for field in dataclasses.fields(rule) if field.init}
    if rule.traits.displacement and {"online", "step_size"} <= options:
        changed: Any = {"online": False, "step_size": None}
        return dataclasses.replace(rule, **changed)
    return rule
