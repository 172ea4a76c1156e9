"""From a text on the command line to the value of a dataclass's field, by its annotation.

tyro reads numbers and names; a duration may be a number, several, or a distribution, and parts of circuits
and rules are objects themselves. So values are written as Python writes them: numbers, ``None``, ``True``,
several separated by commas, and ``Name(…)`` for a dataclass the annotation allows. The initials of a name
will do where no other has the same: ``U(500,3000)`` is ``Uniform(500, 3000)``. Nothing else is evaluated.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Iterator
from typing import Any

CONSTANTS = {"none": None, "true": True, "false": False}


class NotAValue(Exception):
    """A text that is no value of the type; its message is empty or goes on after the text found."""


def parse(text: str, annotation: Any) -> Any:
    """The value of type ``annotation`` that ``text`` says.

    Raises:
        NotAValue: if it says none.

    Example:
        >>> parse("300,500", float | tuple[float, ...]), parse("7", float), parse("one-hot", str)
        ((300, 500), 7, 'one-hot')
    """
    kinds = list(alternatives(annotation))
    named = [both for kind in kinds for both in _named(kind)]
    if any(text in typing.get_args(kind) for kind in kinds if typing.get_origin(kind) is typing.Literal):
        return text
    shared = {name for name, kind in named for other, one in named if name == other and kind is not one}
    classes = {name: kind for name, kind in named if name not in shared}
    try:
        value = _evaluate(_expression(text.strip()), classes)
    except NotAValue:
        if str in kinds:
            return text
        raise
    for kind in kinds:
        if kind is not str and fits(value, kind):
            return int(value) if kind is int else value
    if any(typing.get_args(kind)[1:] == (Ellipsis,) and fits((value,), kind) for kind in kinds):
        return (value,)  # one of several is several
    if str in kinds:
        return text
    raise NotAValue


def alternatives(annotation: Any) -> Iterator[Any]:
    """The types a union offers; any other annotation is the only one."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        for kind in typing.get_args(annotation):
            yield from alternatives(kind)
    else:
        yield type(None) if annotation is None else annotation


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is one of a (non-union) type; whole numbers are numbers, ``True`` is none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float:
        return number
    if kind is int:
        return number and math.isfinite(value) and value == int(value)
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        if not isinstance(value, tuple):
            return False
        if inner[-1] is Ellipsis:
            return all(any(fits(one, option) for option in alternatives(inner[0])) for one in value)
        return len(value) == len(inner) and all(
            any(fits(one, option) for option in alternatives(each))
            for one, each in zip(value, inner, strict=True)
        )
    if getattr(kind, "__name__", "") == "FrozenArray":  # a tuple of numbers, or of rows of numbers, makes one
        return isinstance(value, tuple) and all(fits(one, float) or fits(one, kind) for one in value)
    return isinstance(kind, type) and isinstance(value, kind)


def describe(annotation: Any) -> str:
    """What an annotation expects, in words.

    Example:
        >>> describe(float | tuple[float, ...] | None)
        'a number, numbers separated by commas or None'
    """
    words = list(dict.fromkeys(_describe(kind) for kind in alternatives(annotation)))
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _describe(kind: Any) -> str:
    plain = {float: "a number", int: "a whole number", bool: "True or False", str: "text", type(None): "None"}
    if kind in plain:
        return plain[kind]
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        numbers = "numbers" if inner[0] in (float, int) else "values"
        return f"{numbers if inner[-1] is Ellipsis else f'{len(inner)} {numbers}'} separated by commas"
    if getattr(kind, "__name__", "") == "FrozenArray":
        return "numbers separated by commas"
    offered = [f"{name}{_signature(member)}" for name, member in _named(kind) if name == member.__name__]
    return " or ".join(offered) or f"a {getattr(kind, '__name__', kind)}, which only Python can give"


def _signature(kind: type) -> str:
    return f"({', '.join(field.name for field in dataclasses.fields(kind) if field.init)})"


def _named(kind: Any) -> Iterator[tuple[str, type]]:
    """Names by which a dataclass, or those derived from it, may be called: their own and their initials."""
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return
    for child in kind.__subclasses__():
        yield from _named(child)
    package = kind.__module__.partition(".")[0]
    bears = any(child.__module__.partition(".")[0] == package for child in kind.__subclasses__())
    if not (bears or inspect.isabstract(kind)):  # a user's class may derive from one that can be called
        yield "".join(letter for letter in kind.__name__ if letter.isupper()), kind
        yield kind.__name__, kind


def _expression(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise NotAValue from None


def _evaluate(node: ast.expr, classes: dict[str, type]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_evaluate(item, classes) for item in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _evaluate(node.operand, classes)
        if not fits(value, float):
            raise NotAValue
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Name):
        if node.id.lower() in CONSTANTS:
            return CONSTANTS[node.id.lower()]
        return _make(classes[node.id], (), {}) if node.id in classes else node.id
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in classes:
        values = tuple(_evaluate(item, classes) for item in node.args)
        named = {str(item.arg): _evaluate(item.value, classes) for item in node.keywords}
        return _make(classes[node.func.id], values, named)
    raise NotAValue


def _make(kind: type, values: tuple[Any, ...], named: dict[str, Any]) -> Any:
    try:
        inspect.signature(kind).bind(*values, **named)
    except TypeError as error:
        raise NotAValue(f" ({kind.__name__}: {error})") from None
    return kind(*values, **named)
