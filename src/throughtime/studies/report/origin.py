"""What was run: the declaration in words, and where the record came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from throughtime.studies.record import AXES
from throughtime.studies.report.contents import Contents
from throughtime.studies.report.numbers import count, duration, plural
from throughtime.studies.report.troubles import seed_text

LIBRARIES = ("python", "numpy", "jax", "jaxlib", "optax", "xarray")
AUTHOR = "throughtime developers"
LONGEST = 2_000
"""Letters of one entry of the configuration; long ones are arrays, whole in the record."""


def facts(contents: Contents) -> list[tuple[str, str]]:
    """Name and text of everything that a reader wants to know of the origin of the record."""
    attrs, config = contents.tree.attrs, contents.config
    settings = _pairs(config.get("training"))
    versions = [f"{name} {attrs[f'{name}_version']}" for name in LIBRARIES if f"{name}_version" in attrs]
    found = [
        ("combined", str(attrs.get("created_at", "")).replace("T", " ").replace("+00:00", " UTC")),
        ("seeds", f"{seed_text(contents.seeds)} ({count(len(contents.seeds))})"),
        ("budget", _budget(settings)),
        ("time spent", _time(contents)),
        ("machine", str(attrs.get("device_kind", ""))),
        ("throughtime", str(attrs.get("creation_library_version", ""))),
        ("versions", ", ".join(versions)),
        ("code", _code(attrs)),
        ("configuration", str(attrs.get("config_sha256", ""))),
    ]  # fmt: skip
    return [(name, text) for name, text in found if text and text != "unknown"]


def configuration(contents: Contents) -> list[tuple[str, list[str]]]:
    """Fields of the declaration, each with its entries as text."""
    return [
        (name, [_cut(entry) for entry in _lines(value)])
        for name, value in contents.config.items()
        if name not in ("class", "name") and value not in (None, [], {})
    ]


def citation(contents: Contents) -> tuple[str, str]:
    """How the software that made the record is cited, in a line and as BibTeX."""
    version = str(contents.tree.attrs.get("creation_library_version", "unknown"))
    bibtex = (
        f"@software{{throughtime,\n  author = {{{{{AUTHOR}}}}},\n  title = {{throughtime}},\n"
        f"  version = {{{version}}},\n}}"
    )
    return f"{AUTHOR}: throughtime, version {version}.", bibtex


def render(value: Any) -> str:
    """A value of a declaration's JSON as it would be written in Python.

    Example:
        >>> render({"class": "a.b:BPTT", "steps": 3, "grid": [0.1, 1e-5]})
        'BPTT(steps=3, grid=(0.1, 1e-05))'
        >>> render([["batch_size", 16], ["clip", None]])
        'batch_size=16, clip=None'
    """
    if isinstance(value, Mapping):
        if "class" in value:
            inner = ", ".join(f"{key}={_inner(item)}" for key, item in value.items() if key != "class")
            return f"{str(value['class']).rpartition(':')[2]}({inner})"
        if value.keys() == {"array", "dtype", "shape"}:
            return f"array of {value['dtype']}, shape {tuple(value['shape'])}"
        if value.keys() == {"float"}:
            return str(value["float"])
        return ", ".join(f"{key}={_inner(item)}" for key, item in value.items())
    if _are_pairs(value):
        return ", ".join(f"{key}={_inner(item)}" for key, item in value)
    if isinstance(value, list):
        return f"({', '.join(map(_inner, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _inner(value: Any) -> str:
    text = render(value)
    return f"{{{text}}}" if _are_pairs(value) else text


def _lines(value: Any) -> list[str]:
    """Entries of a field: one for each labelled member, or one for all."""
    if _are_pairs(value) and any(isinstance(item, list | Mapping) for _, item in value):
        return [f"{key}: {render(item) or 'nothing'}" if item != [] else str(key) for key, item in value]
    if (
        isinstance(value, list)
        and value
        and all(isinstance(item, Mapping) or _are_pairs(item) for item in value)
    ):
        return [render(item) for item in value]
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        return [seed_text(value)]
    return [render(value)]


def _are_pairs(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) for one in value)
    )


def _pairs(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return dict(value) if _are_pairs(value) else {}


def _budget(settings: Mapping[str, Any]) -> str:
    parts = []
    if "num_updates" in settings:
        parts.append(f"at most {plural(int(settings['num_updates']), 'update')} a seed")
    if "batch_size" in settings:
        parts.append(f"batches of {plural(int(settings['batch_size']), 'trial')}")
    if "stop" in settings:
        parts.append(
            f"stop at {'the end of the budget' if settings['stop'] == 'budget' else settings['stop']}"
        )
    return ", ".join(parts)


def _time(contents: Contents) -> str:
    if "wall_time" not in contents.outcomes:
        return ""
    spent = contents.outcomes["wall_time"].values
    return (
        f"{duration(float(np.nansum(spent)) / 1000)} of all cells together"
        if np.isfinite(spent).any()
        else ""
    )


def _code(attrs: Mapping[Any, Any]) -> str:
    parts = []
    if "git_commit" in attrs:
        changed = ", with changes" if attrs.get("git_dirty") else ""
        parts.append(f"commit {str(attrs['git_commit'])[:12]}{changed}")
    if "code_sha256" in attrs:
        parts.append(f"sources {str(attrs['code_sha256'])[:12]}")
    return ", ".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({count(len(text) - LONGEST)} letters more)"


def sentence(contents: Contents) -> str:
    """How much of what there is."""
    sizes = [plural(len(contents.names[axis]), axis) for axis in AXES]
    sizes.append(plural(len(contents.seeds), "seed"))
    return f"{' × '.join(sizes)}: {plural(contents.status.size, 'training')}."


def brief(contents: Contents) -> str:
    """What a reader asks first of the origin, in a line; all of it stands at the end of the page."""
    told = dict(facts(contents))
    parts = [told.get("budget"), told.get("time spent"), told.get("machine")]
    parts += [f"throughtime {told['throughtime']}"] if "throughtime" in told else []
    parts += [told.get("combined")]
    text = " · ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}"
