"""Sections of figures, in the order of the page."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from throughtime.studies.report import curves, embed, matrices, spread
from throughtime.studies.report.contents import Contents, Series, dashed_rules


@dataclass(frozen=True)
class Figure:
    """One figure: the id of its element, title, height in pixels, JSON, and place along filtered axes."""

    id: str
    title: str
    height: int
    json: Markup
    places: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Figures under one heading."""

    title: str
    figures: Sequence[Figure]
    places: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A section of the page: anchor, title, notes, groups of figures, series of its legend.

    ``always``: the legend is shown beside the filters too, which do not tell every look.
    """

    anchor: str
    title: str
    notes: Sequence[str]
    groups: Sequence[Group]
    legend: Sequence[Series] = ()
    always: bool = False


def sections(contents: Contents) -> list[Section]:
    """Those that have something to show."""
    ids = (f"figure-{number}" for number in itertools.count(1))
    every = (_curves(contents, ids), _seeds(contents, ids), _similarity(contents, ids))
    return [section for section in every if section.groups]


def _curves(contents: Contents, ids: Iterator[str]) -> Section:
    by_task: dict[int, list[Figure]] = {}
    for task, quantity, drawn in curves.panels(contents):
        by_task.setdefault(task, []).append(_figure(next(ids), quantity, drawn))
    looks = {(series.color, series.dash) for series in contents.series}
    notes = [
        "Thin: seeds; thick: their median, in which a seed that stopped keeps its last value and one that "
        "diverged (×) or failed counts as worst. Point at a line for its numbers.",
        curves.thinning(contents).told(),
        ""
        if len(looks) == len(contents.series)
        else "Some lines look alike; filters and the pointer tell them apart.",
    ]
    told = [note for note in notes if note]
    always = not dashed_rules(contents.names) and {"circuit", "option"} <= set(contents.varied())
    return Section("curves", "Learning curves", told, _groups(contents, by_task), contents.series, always)


def _seeds(contents: Contents, ids: Iterator[str]) -> Section:
    by_task: dict[int, list[Figure]] = {}
    for task, quantity, drawn in spread.panels(contents):
        by_task.setdefault(task, []).append(_figure(next(ids), quantity.name.replace("_", " "), drawn))
    notes = [
        "A dot a seed, a bar at the median. Seeds that diverged or failed are × beyond the worse edge, and "
        "the median counts them as worst: where most are lost there is no bar.",
        _not_combined(contents),
    ]
    told = [note for note in notes if note]
    return Section("seeds", "Distributions over seeds", told, _groups(contents, by_task))


def _similarity(contents: Contents, ids: Iterator[str]) -> Section:
    squares = list(matrices.matrices(contents))
    titles = list(dict.fromkeys(matrix.title for matrix in squares))
    groups = []
    for title in titles:
        figures = []
        for matrix in (one for one in squares if one.title == title):
            named = matrix.title if matrix.task is None else contents.names["task"][matrix.task]
            places = {} if matrix.task is None else {"task": matrix.task}
            figures.append(_figure(next(ids), named, matrices.panel(matrix), places))
        groups.append(Group(title, figures))
    notes = [
        "Every circuit beside every other one, seeds of a label side by side: blocks on the diagonal show "
        "what seeds alone do. Hatched: not defined.",
        f"Of more than {matrices.MOST} circuits, medians between labels are shown."
        if any(matrix.medians for matrix in squares)
        else "",
    ]
    return Section("similarity", "Similarity", [note for note in notes if note], groups)


def _groups(contents: Contents, by_task: Mapping[int, Sequence[Figure]]) -> list[Group]:
    return [Group(contents.names["task"][task], each, {"task": task}) for task, each in by_task.items()]


def _figure(name: str, title: str, drawn: Any, places: Mapping[str, int] | None = None) -> Figure:
    return Figure(name, title, drawn.height, Markup(embed.as_json(drawn, name)), places or {})


def _not_combined(contents: Contents) -> str:
    """Groups that the runs have and the record has not, with the reasons."""
    told = json.loads(str(contents.tree.attrs.get("not_combined", "{}")))
    if not isinstance(told, dict) or not told:
        return ""
    reasons = "; ".join(f"{str(name).strip('/')}: {str(reason).rstrip('.')}" for name, reason in told.items())
    return f"Not brought together from the runs, and so not shown: {reasons}."
