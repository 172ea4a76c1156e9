"""What publications a member rests on, read off what its docstring says of its source.

A class says so in a paragraph that begins with ``Source:`` or ``Sources:``, by authors and year. A
publication with settings in brackets behind it, ``(the default)`` or ``(:meth:`lint`)`` for a variant of a
task, counts for those alone, and what the docstring of a variant names counts for that variant. Of an
analysis all publications count that its functions name.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterable
from typing import Any

from throughtime.references.bibliography import Mention, mentions

OURS = ("of this library", "common practice")
"""How a source says that there is no publication to cite."""
DEFAULT = "the default"
ELSEWHERE = {
    "transfer": "throughtime.spiking.transferring:transfer",
    "statistics": "throughtime.studies.statistics:statistics",
}
"""Analyses that are no members of :mod:`throughtime.analysis`, by their ``method``."""


def source_of(member: Any) -> str:
    """The paragraph of a docstring that begins with ``Source``, in one line; "" where there is none.

    Example:
        >>> from throughtime.rules import RFLO
        >>> source_of(RFLO)
        'Murray 2019, eLife 8:e43299.'
    """
    found = re.search(r"^Sources?: (.+?)(?:\n\n|\Z)", inspect.getdoc(member) or "", re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def keys_of(member: Any) -> tuple[str, ...]:
    """Keys of the publications of a class, or of a configuration object with its settings.

    An object with named constructors (``variants``) has the sources of those settings, the default or a
    variant, from which it differs in the fewest fields; of several, where it differs from them in as many.

    Example:
        >>> from throughtime import tasks
        >>> keys_of(tasks.make("delayed-match-to-sample", "miconi"))
        ('miconi2017',)
        >>> keys_of(tasks.make("delayed-match-to-sample"))
        ('valente2022',)
    """
    kind = member if isinstance(member, type) else type(member)
    variants = tuple(getattr(kind, "variants", ()))
    chosen = {DEFAULT, *variants} if member is kind or not variants else nearest(member)
    found = [
        key
        for mention in mentions(source_of(kind))
        if (settings := _settings(mention, variants)) is None or settings & chosen
        for key in mention.keys
    ]
    for name in variants:
        if name in chosen:
            found += _all(mentions(inspect.getdoc(getattr(kind, name)) or ""))
    return _unique(found)


def nearest(member: Any) -> set[str]:
    """The default and the variants of its class from which an object differs in the fewest fields."""
    kind = type(member)
    others = {DEFAULT: kind, **{name: getattr(kind, name) for name in kind.variants}}
    distances: dict[str, int] = {}
    for name, make in others.items():
        other = make()
        if type(other) is kind:
            fields = [field.name for field in dataclasses.fields(kind)]
            distances[name] = sum(getattr(member, field) != getattr(other, field) for field in fields)
    return {name for name, distance in distances.items() if distance == min(distances.values())}


def keys_of_analysis(method: str) -> tuple[str, ...] | None:
    """Keys of the publications of an analysis by its ``method``; None for one that is not known here.

    Example:
        >>> keys_of_analysis("selectivity"), keys_of_analysis("mine")
        (('fusi2016', 'rigotti2013'), None)
    """
    documents = documents_of(method)
    return None if documents is None else _unique(_all(one for text in documents for one in mentions(text)))


def documents_of(method: str) -> list[str] | None:
    """Docstrings of the functions of an analysis; None for one that is not known here."""
    from throughtime import analysis

    if method in ELSEWHERE:
        module, _, name = ELSEWHERE[method].partition(":")
        return [_document(getattr(importlib.import_module(module), name))]
    if method not in analysis.__all__:
        return None
    texts = [_document(getattr(analysis, method))]
    arrays = f"throughtime.analysis.arrays.{method}"
    if importlib.util.find_spec(arrays) is not None:
        functions = vars(importlib.import_module(arrays)).values()
        texts += [_document(one) for one in functions if getattr(one, "__module__", "") == arrays]
    return texts


def _document(member: Any) -> str:
    return (inspect.getdoc(member) or "").partition("\n\nExample:")[0]


def _settings(mention: Mention, variants: tuple[str, ...]) -> set[str] | None:
    """The settings that a publication is named for; None for all."""
    named = set(re.findall(r":meth:`(\w+)`", mention.rest)) & set(variants)
    default = re.search(rf"\({DEFAULT}\b", mention.rest)
    return (named | {DEFAULT} if default else named) or None


def _all(found: Iterable[Mention]) -> list[str]:
    return [key for mention in found for key in mention.keys]


def _unique(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(keys)))
