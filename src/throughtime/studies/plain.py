"""What people write in a declaration, made immutable, hashable and writable as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from throughtime.frozen import FrozenArray

LABEL = r"[A-Za-z0-9_+=][A-Za-z0-9_.+=-]{0,39}"
Pairs = tuple[tuple[str, Any], ...]
Member = TypeVar("Member")


def hashable(value: Any) -> Any:
    """The value with lists as tuples, dictionaries as pairs and arrays frozen.

    Example:
        >>> hashable({"keep": [10, 20]})
        (('keep', (10, 20)),)
    """
    if isinstance(value, Mapping):
        return tuple((str(name), hashable(one)) for name, one in value.items())
    if isinstance(value, list | tuple | range):
        return tuple(hashable(one) for one in value)
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__array__") and hasattr(value, "dtype"):
        return FrozenArray(np.asarray(value))
    return value


def pairs(value: Mapping[str, Any] | Iterable[tuple[str, Any]], what: str) -> Pairs:
    """Settings by name as sorted pairs.

    Raises:
        ValueError: for anything else, and for a name that occurs twice.
    """
    items = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(items, list | tuple) or not all(
        isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str) for one in items
    ):
        raise ValueError(f"Study: {what} {value!r}: expected settings by name, such as {{'batch_size': 16}}.")
    names = [name for name, _ in items]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Study: {what} has {twice[0]!r} twice; give each setting once.")
    return tuple(sorted((name, hashable(one)) for name, one in items))


def check_label(label: Any, what: str) -> str:
    """A label, which names files, groups and flags.

    Raises:
        ValueError: unless it is one word of at most 40 letters, digits and ``. + = - _``.
    """
    if not (isinstance(label, str) and re.fullmatch(LABEL, label)):
        raise ValueError(
            f"Study: {what}: {label!r} cannot be a label; use 1 to 40 letters, digits and . + = - _, the "
            "first of them no - and no dot."
        )
    return label


def labelled(
    given: Any, what: str, make: Callable[[Any], Member], name: Callable[[Member], str] | None
) -> tuple[tuple[str, Member], ...]:
    """Members under their labels, in the order given.

    Args:
        given: a dictionary by label, or members, names and pairs (label, member) in a row.
        what: the field, for messages.
        make: member of what was given.
        name: label of a member without one; None where each needs a label.

    Raises:
        ValueError: for none, a member without a label, an impossible label, or one label twice.
    """
    if isinstance(given, str):
        raise ValueError(f"Study: {what}: expected several, got the text {given!r}; write [{given!r}].")
    found: list[tuple[str, Member]] = []
    for item in given.items() if isinstance(given, Mapping) else given:
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
            label, member = item[0], make(item[1])
        elif name is not None:
            member = make(item)
            label = item if isinstance(item, str) else name(member)
        else:
            raise ValueError(f"Study: {what}: {item!r} has no label; write {{'label': ...}}.")
        found.append((check_label(label, what), member))
    if not found:
        raise ValueError(f"Study: {what}: none given; name at least one.")
    names = [label for label, _ in found]
    if twice := sorted({label for label in names if names.count(label) > 1}):
        raise ValueError(
            f"Study: {what}: {twice[0]!r} is there twice; tell them apart by labels, {{'label': ...}}."
        )
    return tuple(found)
