"""Fields of objects on the command line: ``--task.delay 700`` is field ``delay`` of the task."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from throughtime.cli.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

OBJECTS = (
    "task",
    "rule",
    "dynamics",
    "recurrent",
    "initial",
    "objective",
    "rate-penalty",
    "weight-penalty",
    "vanishing-gradient",
)
_OPTION = re.compile(rf"--({'|'.join(OBJECTS)})\.([^=]+)(?:=(.*))?", re.DOTALL)

Given = dict[str, dict[str, str]]
"""Object -> field -> text."""


def split(words: Iterable[str]) -> tuple[list[str], Given]:
    """The words that are not fields of objects, and the fields.

    Raises:
        Refusal: for a field without a value, or given twice.

    Example:
        >>> split(["train", "--task.delay", "700", "--seeds", "2", "--rule.num-steps=3"])
        (['train', '--seeds', '2'], {'task': {'delay': '700'}, 'rule': {'num_steps': '3'}})
    """
    rest: list[str] = []
    given: Given = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        match = _OPTION.fullmatch(word)
        if match is None:
            rest.append(word)
            continue
        owner, field, value = match[1], match[2].replace("-", "_"), match[3]
        if value is None:
            if not queue or queue[0].startswith("--"):
                found = f"found {queue[0]}" if queue else "found nothing"
                raise Refusal(f"{word}: expected a value, {found}; write {word} VALUE.")
            value = queue.pop(0)
        add(given, owner, field, value)
    return rest, given


def add(given: Given, owner: str, field: str, value: str) -> None:
    """Enter one field.

    Raises:
        Refusal: if it is there already.
    """
    fields = given.setdefault(owner, {})
    if field in fields:
        raise Refusal(
            f"{option(owner, field)}: given twice, as {fields[field]!r} and {value!r}; give it once."
        )
    fields[field] = value


def option(owner: str, field: str) -> str:
    """How a field is written on the command line."""
    return f"--{owner}.{field.replace('_', '-')}"


def refuse_others(command: str, given: Given, objects: tuple[str, ...]) -> None:
    """Refuse fields of objects that a command does not take.

    Raises:
        Refusal: naming the first.
    """
    for owner in given:
        if owner not in objects:
            known = " and ".join(f"--{name}.FIELD" for name in objects) or "no fields of objects"
            field = option(owner, next(iter(given[owner])))
            raise Refusal(f"{field}: throughtime {command} takes {known}; leave it out.")


def read(kind: type, owner: str, fields: Mapping[str, str], listing: str) -> dict[str, Any]:
    """Values of the fields of a dataclass, from texts.

    Args:
        kind: the dataclass; its annotations say what is expected.
        owner: ``task``, ``rule``, … for messages.
        fields: field -> text.
        listing: command that tells the fields.

    Raises:
        Refusal: for an unknown field, with near names, or a text that is no value of its type.
    """
    import dataclasses
    import difflib
    import typing

    from throughtime.cli import values

    known = {field.name: field for field in dataclasses.fields(kind) if field.init}
    annotations = typing.get_type_hints(kind) if fields else {}
    read: dict[str, Any] = {}
    for name, text in fields.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            near_options = " or ".join(option(owner, field) for field in near)
            hint = f"did you mean {near_options}?" if near else f"see {listing}."
            raise Refusal(f"{option(owner, name)}: {kind.__name__} has no field {name!r}; {hint}")
        try:
            read[name] = values.parse(text, annotations[name])
        except values.NotAValue as error:
            raise Refusal(
                f"{option(owner, name)}: expected {values.describe(annotations[name])}, found {text!r}"
                f"{error}."
            ) from None
    return read
