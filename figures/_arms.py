"""Arms and tasks of the study of rules on tasks: their order, names, colours and marks in its figures."""

from __future__ import annotations

from typing import Any, NamedTuple

from throughtime.plotting import style

BPTT, FLOOR, EPROP, ROTATED = "symmetric-exact", "readout-only", "symmetric-none", "rotated-bptt"
NOT_RUN = 4
"""Status from which on a run was refused, or not run."""
PARTS = ("hard", "middle", "easy")
"""Parts of the record, in the order of the rungs."""


class Arm(NamedTuple):
    """What an arm is called under the name of its group, where there is room and where there is little."""

    name: str
    short: str
    mark: str


class Group(NamedTuple):
    """Arms of one feedback, by their labels in the record."""

    color: Any
    arms: dict[str, Arm]


class Task(NamedTuple):
    """What the ladder of a task is called: on two lines, and in the middle of a sentence."""

    title: str
    short: str


GROUPS = {
    "symmetric feedback": Group(style.BLUE, {
        BPTT: Arm("exact: BPTT", "exact (BPTT)", "o"),
        "symmetric-modprop": Arm("multi-hop: ModProp", "ModProp", "^"),
        "symmetric-hop": Arm("one hop: MDGL", "one hop (MDGL)", "s"),
        EPROP: Arm("none: e-prop", "none (e-prop)", "D"),
        "symmetric-random": Arm("random weights", "random", "v"),
    }),
    "random feedback": Group(style.VERMILLION, {
        "random-exact": Arm("exact: feedback alignment", "exact (FA)", "o"),
        "random-modprop": Arm("multi-hop: ModProp", "ModProp", "^"),
        "random-hop": Arm("one hop: MDGL", "one hop (MDGL)", "s"),
        "random-none": Arm("none: e-prop", "none (e-prop)", "D"),
        "random-random": Arm("random weights", "random", "v"),
    }),
    "controls": Group(style.INK, {
        "node-perturbation": Arm("node perturbation", "node perturb.", "P"),
        ROTATED: Arm("rotated BPTT", "rotated BPTT", "X"),
        FLOOR: Arm("readout alone", "readout alone", "_"),
    }),
}  # fmt: skip
TASKS = {
    "match": Task("Delayed match\nto sample", "match to sample"),
    "estimation": Task("Delayed\nestimation", "estimation"),
    "go-no-go": Task("Go/no-go\nwith delay", "go/no-go"),
    "evidence": Task("Evidence\nwith delay", "evidence"),
    "cue-set-go": Task("Cue–set–go\n(timing)", "cue–set–go"),
    "ready-set-go": Task("Ready–set–go\n(timing)", "ready–set–go"),
}


def ladder(name: str) -> str:
    """Ladder of a task that is named by it and its rung.

    Example:
        >>> ladder("match-4000")
        'match'
    """
    return name.rpartition("-")[0]


def title_of(task: str) -> str:
    """What a ladder is called above its panel, or its own name."""
    return TASKS[task].title if task in TASKS else task


def short_of(task: str) -> str:
    """What a ladder is called beside others, or its own name."""
    return TASKS[task].short if task in TASKS else task


def color_of(arm: str) -> Any:
    """Colour of its group."""
    return next(group.color for group in GROUPS.values() if arm in group.arms)


def heights_of(arms: Any, gap: float) -> dict[str, float]:
    """Height of the row of every arm that is there; groups are apart by a gap."""
    found: dict[str, float] = {}
    above = 0.0
    for group in GROUPS.values():
        there = [arm for arm in group.arms if arm in arms]
        found |= {arm: above + place for place, arm in enumerate(there)}
        above += (len(there) + gap) * bool(there)
    return found


def row_names(rows: dict[str, float]) -> list[tuple[float, str, Any, float]]:
    """Height, text, colour and size of the names of rows, under those of their groups."""
    names: list[tuple[float, str, Any, float]] = []
    for word, group in GROUPS.items():
        there = [arm for arm in group.arms if arm in rows]
        names += [(rows[there[0]] - 0.9, word.capitalize(), group.color, 7.0)] if there else []
        names += [(rows[arm], group.arms[arm].name, style.INK, 6.5) for arm in there]
    return names
