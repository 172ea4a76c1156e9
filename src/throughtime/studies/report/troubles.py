"""What was declared and did not come to an end: failed, refused, diverged and not run, with reasons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.studies.record import AXES, STATUSES
from throughtime.studies.report.contents import ENDED, Contents, Series
from throughtime.studies.report.numbers import count, plural

NO_REASON = {
    "failed": "no reason was recorded",
    "refused": "no reason was recorded",
    "not_run": "not run (left out, or not yet)",
}


@dataclass(frozen=True)
class Trouble:
    """One cell, or the seeds of a run, that did not come to an end.

    Attributes:
        kind: ``failed``, ``refused``, ``diverged`` or ``not run``.
        named: axis -> label. places: axis -> place along it, −1 where the label is not in the record.
        seeds: as text. reason: the first line; more: what follows it.
    """

    kind: str
    named: Mapping[str, str]
    places: Mapping[str, int]
    seeds: str
    reason: str
    more: str = ""


def troubles(contents: Contents) -> list[Trouble]:
    """All of them, the gravest first."""
    told = list(_told(contents))
    known = {(trouble.kind, *trouble.named.values()) for trouble in told}
    found = list(told)
    for task, series in contents.cells():
        status = contents.status[(task, *series.place)]
        diverged = np.flatnonzero(status == "diverged")
        if diverged.size:
            found.append(_diverged(contents, task, series, diverged))
        for name in sorted(set(map(str, status)) - set(ENDED)):
            named = contents.named(task, series)
            kind = name.replace("_", " ")
            if (kind, *named.values()) not in known:
                seeds = [seed for seed, one in zip(contents.seeds, status, strict=True) if one == name]
                found.append(
                    Trouble(
                        kind, named, _places(contents, named), seed_text(seeds), NO_REASON.get(name, name)
                    )
                )
    order = {kind: index for index, kind in enumerate(("failed", "diverged", "refused", "not run"))}
    return sorted(found, key=lambda trouble: order.get(trouble.kind, len(order)))


def _told(contents: Contents) -> Iterable[Trouble]:
    """Those that the attributes of the record tell."""
    for attribute, usual in (("failures", "failed"), ("refused", "refused"), ("not_run", "not run")):
        for entry in _entries(contents.tree.attrs.get(attribute)):
            named = {axis: str(entry.get(axis, "")) for axis in AXES}
            reason, _, more = str(entry.get("reason", NO_REASON.get(usual, ""))).strip().partition("\n")
            more = "\n".join(filter(None, (more.strip("\n"), str(entry.get("traceback", "")).strip("\n"))))
            kind = str(entry.get("status", entry.get("kind", usual))).replace("_", " ")
            kind = kind if kind in ("failed", "refused", "not run") else usual
            seeds = entry.get("seeds") or []
            yield Trouble(kind, named, _places(contents, named), seed_text(seeds), reason, more)


def _entries(attribute: Any) -> list[dict[str, Any]]:
    """Entries of an attribute that is a JSON list of objects; anything else is none."""
    try:
        value = json.loads(attribute) if isinstance(attribute, str) else []
    except ValueError:
        return []
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _diverged(contents: Contents, task: int, series: Series, which: np.ndarray) -> Trouble:
    named = contents.named(task, series)
    seeds = seed_text([contents.seeds[index] for index in which])
    reason = "loss or gradient not finite"
    if "diverged_update" in contents.outcomes:
        at = contents.values("diverged_update", task, series)[which]
        reason += f" at update {', '.join(count(int(update)) for update in at if update >= 0)}"
    return Trouble("diverged", named, _places(contents, named), seeds, reason.removesuffix(" at update "))


def _places(contents: Contents, named: Mapping[str, str]) -> dict[str, int]:
    return {
        axis: contents.names[axis].index(name) if name in contents.names[axis] else -1
        for axis, name in named.items()
    }


def seed_text(seeds: Any) -> str:
    """Numbers of seeds, runs of neighbours by their ends.

    Example:
        >>> seed_text([0, 1, 2, 3, 7]), seed_text([4, 5]), seed_text([])
        ('0 to 3, 7', '4, 5', '')
    """
    try:
        numbers = sorted(int(seed) for seed in seeds)
    except (TypeError, ValueError):
        return str(seeds)
    groups: list[list[int]] = []
    for seed in numbers:
        if groups and seed == groups[-1][-1] + 1:
            groups[-1].append(seed)
        else:
            groups.append([seed])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in groups]
    return ", ".join(words)


def counted(contents: Contents) -> list[tuple[str, int, str]]:
    """(status, number of seeds, how it is said) of every status that occurs, as trained ones first."""
    names = [*STATUSES, *sorted(set(map(str, contents.status.ravel())) - set(STATUSES))]
    found = []
    for name in names:
        number = int((contents.status == name).sum())
        if number:
            found.append((name.replace("_", " "), number, plural(number, "seed")))
    return found
