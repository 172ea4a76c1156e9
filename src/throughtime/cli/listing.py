"""``throughtime list``: what there is, from what members declare about themselves."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.cli import scripts, text
from throughtime.cli.errors import Refusal

if TYPE_CHECKING:
    from throughtime.cli.options import List

MARK = {True: "yes", False: "no"}


def show_list(options: List) -> int:
    """Print a table, or all about one member.

    Raises:
        ValueError, Refusal: for an unknown name.
    """
    if options.kind in ("experiments", "figures"):
        print(_scripts(options.kind, options.name))
    elif options.name is not None:
        print(one(_member(options.kind, options.name)))
    else:
        tables = {"tasks": _tasks, "rules": _rules, "circuits": _circuits, "measures": _measures}
        print("\n\n".join(tables[options.kind]()))
    return 0


def one(member: type) -> str:
    """Docstring of a class, and its fields with their defaults."""
    fields = [f"  {field.name.replace('_', '-')} = {_default(field)}" for field in _fields(member)]
    description = (inspect.getdoc(member) or member.__name__).partition("\n\nExample:")[0]
    return "\n".join([description, "", "Fields and defaults:", *fields])


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return str(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return str(field.default_factory())
    return "(needed)"


def _member(kind: str, name: str) -> type:
    from throughtime import circuits, measures, rules, tasks

    tables: dict[str, Any] = {"tasks": tasks, "rules": rules, "circuits": circuits, "measures": measures}
    found: type = tables[kind].get(name)
    return found


def _block(name: str, member: Any, details: Mapping[str, str]) -> str:
    """Name and summary, then one line for each detail."""
    summary = (inspect.getdoc(member) or "").split("\n\n")[0].replace("\n", " ")
    lines = [f"{name}", text.wrapped(summary, "    ")]
    width = max(map(len, details), default=0) + 2
    for label, value in details.items():
        lines.append(text.wrapped(value, f"    {label.ljust(width)}", " " * (4 + width)))
    return "\n".join(lines)


def _tasks() -> list[str]:
    from throughtime import tasks

    blocks = []
    for name in tasks.names():
        kind = tasks.get(name)
        task = kind()
        details = {
            "inputs": text.channels(task.input_names),
            "outputs": text.channels(task.output_names),
            "duration": f"at most {task.duration:g} ms in bins of {task.dt:g} ms",
            "criterion": ", ".join(one.words for one in task.criterion),
            "demanding": _demands(task),
            "variants": ", ".join(kind.variants) or "none",
            "reference": kind.reference,
        }
        blocks.append(_block(name, kind, details))
    return blocks


def _demands(task: Any) -> str:
    """Where recurrent weights must learn, and what untrained ones reach."""
    from throughtime.tasks import durations

    if task.hardest is None or not task.measured:
        return "not measured"

    def shown(values: Iterable[Any]) -> str:
        return ", ".join(map(durations.show, values))

    unit = "" if task.hardest.unit == "1" else f" {task.hardest.unit}"
    ceilings = [
        f"{'?' if found.ceiling is None else f'{found.ceiling:.2g}'} at {durations.show(value)}"
        for value, found in zip(task.hardest.values, task.measured, strict=False)
    ]
    where = (
        f"{task.hardest.field} {shown(task.demanding)}{unit}"
        if task.demanding
        else "nowhere that was measured"
    )
    return f"{where}; with a fitted readout alone, {task.criterion[0].measure} reaches {', '.join(ceilings)}"


def _rules() -> list[str]:
    from throughtime import references, rules

    blocks = []
    for name in rules.names():
        kind = rules.get(name)
        traits = kind().traits
        shown = ("exact", "online", "stochastic", "displacement")
        details = {
            "traits": ", ".join(f"{trait} {MARK[getattr(traits, trait)]}" for trait in shown),
            "senses": ", ".join(traits.signals) or "nothing beyond its own activity",
            "cost": ", ".join(
                f"{what} {cost}" for what, cost in (("time", traits.time), ("memory", traits.memory)) if cost
            ),
            "source": references.source_of(kind),
        }
        blocks.append(_block(name, kind, {label: value for label, value in details.items() if value}))
    return blocks


def _measures() -> list[str]:
    from throughtime import measures, references

    blocks = []
    entries = references.bibliography()
    for name in measures.names():
        kind = measures.get(name)
        options = ", ".join(f"{one.name}={_default(one)}" for one in _fields(kind))
        source = "; ".join(entries[key].short for key in references.keys_of_analysis(name) or ())
        blocks.append(_block(name, kind, {"options": options} | ({"source": source} if source else {})))
    return blocks


def _fields(member: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(member) if field.init]


def _circuits() -> list[str]:
    from throughtime import circuits
    from throughtime.references import source_of

    blocks = []
    roles: dict[str, dict[str, Any]] = {
        "dynamics": circuits.DYNAMICS,
        "recurrent": circuits.CONNECTIVITY,
        "initial": circuits.INITIAL,
    }
    for role, table in roles.items():
        for name, kind in table.items():
            fields = ", ".join(
                f"{field.name}={_default(field)}" for field in dataclasses.fields(kind) if field.init
            )
            details = {"option": f"--{role} {name}", "fields": fields or "none", "source": source_of(kind)}
            blocks.append(_block(name, kind, {label: value for label, value in details.items() if value}))
    return blocks


def _scripts(kind: str, name: str | None) -> str:
    if name is not None:
        return _documentation(scripts.find(kind, name)) or f"{name} has no docstring."
    known = scripts.files(kind)
    if not known:
        raise Refusal(f"there is no folder {kind} with Python files here; go to a folder that has one.")
    width = max(map(len, known)) + 2
    return "\n".join(
        text.wrapped(_documentation(path).split("\n\n")[0].replace("\n", " "), stem.ljust(width), " " * width)
        for stem, path in known.items()
    )


def _documentation(path: Path) -> str:
    """Docstring of a Python file, which is not run."""
    try:
        return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (SyntaxError, ValueError, OSError) as error:
        return f"(cannot be read: {error})"
