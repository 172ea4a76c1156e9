"""What the page of a study shows, read off its combined record once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from throughtime.plotting import style
from throughtime.results import ResultsError, labels
from throughtime.results.flags import flag_table
from throughtime.studies.record import AXES, OUTCOMES, STATUSES

OUTCOME_DIMS = (*AXES, "seed")
ENDED, RUN, LOST = STATUSES[:3], STATUSES[:4], STATUSES[2:4]
"""Statuses of seeds that were trained to an end, that were run, and that diverged or failed."""
DASHES = ("solid", "dashed", "dotted", "dotdash")
SEPARATOR = " · "


@dataclass(frozen=True)
class Series:
    """One circuit with one rule under one option: a line of a panel, in the same look for every task.

    Attributes:
        circuit, rule, option: places along the dims of these names.
        label: its name, without what is the same for the whole study.
        color, dash: how its lines are drawn.
    """

    circuit: int
    rule: int
    option: int
    label: str
    color: str
    dash: str

    @property
    def place(self) -> tuple[int, int, int]:
        """Where its values lie in an array (circuit, rule, option, …)."""
        return self.circuit, self.rule, self.option


@dataclass(frozen=True)
class Contents:
    """A combined record, and the names in it.

    Attributes:
        tree: the record.
        name: of the study.
        names: axis of the study -> its labels.
        seeds: numbers of the seeds.
        outcomes: group ``/outcomes``, its variables over (task, circuit, rule, option[, seed]).
        status: (task, circuit, rule, option, seed) names of how each seed ended.
        series: every circuit × rule × option, rules first.
        config: the declaration, as plain JSON.
    """

    tree: xr.DataTree
    name: str
    names: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    outcomes: xr.Dataset
    status: np.ndarray
    series: tuple[Series, ...]
    config: Mapping[str, Any]

    def ran(self, task: int) -> list[Series]:
        """Series that the task was run with, on at least one seed."""
        return [one for one in self.series if np.isin(self.status[(task, *one.place)], RUN).any()]

    def values(self, name: str, task: int, series: Series) -> np.ndarray:
        """A variable of the outcomes, (seed,) or a scalar."""
        return np.asarray(self.outcomes[name].values[(task, *series.place)])

    def lost(self, task: int, series: Series) -> np.ndarray:
        """Which seeds diverged or failed, and so count as worst, (seed,)."""
        return np.isin(self.status[(task, *series.place)], LOST)

    def named(self, task: int, series: Series) -> dict[str, str]:
        """Labels of one line of one panel."""
        place = dict(zip(AXES, (task, *series.place), strict=True))
        return {axis: self.names[axis][index] for axis, index in place.items()}

    def varied(self) -> tuple[str, ...]:
        """Axes of the study with more than one label."""
        return tuple(axis for axis in AXES if len(self.names[axis]) > 1)

    def cells(self) -> Iterator[tuple[int, Series]]:
        """Every task with every series."""
        yield from product(range(len(self.names["task"])), self.series)

    def group(self, path: str) -> xr.Dataset | None:
        """A group of the record; None if it is not there or holds no variables."""
        for node in self.tree.subtree:
            if node.path.strip("/") == path.strip("/") and node.data_vars:
                return node.to_dataset(inherit=False)
        return None


def read(tree: xr.DataTree) -> Contents:
    """Names, outcomes and looks of a combined record.

    Args:
        tree: of kind ``study``, with group ``/outcomes``.

    Raises:
        ResultsError: for another kind of record, or one without the outcomes.
    """
    kind = tree.attrs.get("kind")
    groups = {group.strip("/") for group in tree.groups}
    if kind != "study" or "outcomes" not in groups:
        held = ", ".join(sorted(filter(None, groups))) or "none"
        raise ResultsError(
            f"report: expected the combined record of a study, with group outcomes, found kind {kind!r} with "
            f"groups {held}; give the folder of a study, or the study.nc in it."
        )
    outcomes = tree.children["outcomes"].to_dataset(inherit=False)
    wanted = (*OUTCOME_DIMS, *OUTCOMES, "learning_rate")
    missing = [name for name in wanted if name not in outcomes.variables]
    if missing:
        raise ResultsError(
            f"report: outcomes lack {', '.join(missing)}; combine the study again with this version."
        )
    outcomes = outcomes.transpose(*OUTCOME_DIMS, ...).load()
    config = json.loads(str(tree.attrs.get("config", "{}")))
    names = {axis: tuple(labels(outcomes[axis])) for axis in AXES}
    meanings = flag_table(outcomes["status"].attrs)
    codes = outcomes["status"].values
    status = np.array([meanings.get(int(code), f"status {code}") for code in codes.ravel()], dtype=object)
    return Contents(
        tree=tree,
        name=str(config.get("name") or tree.attrs.get("name") or "study"),
        names=names,
        seeds=tuple(int(seed) for seed in outcomes["seed"].values),
        outcomes=outcomes,
        status=status.reshape(codes.shape),
        series=_series(names),
        config=config,
    )


def _series(names: Mapping[str, tuple[str, ...]]) -> tuple[Series, ...]:
    """Colours tell rules apart; dashes more rules than there are colours, or else circuits and options."""
    palette = style.CATEGORICAL
    found = []
    for rule, circuit, option in product(
        *(range(len(names[axis])) for axis in ("rule", "circuit", "option"))
    ):
        place = {"rule": rule, "circuit": circuit, "option": option}
        told = [names[axis][index] for axis, index in place.items() if axis == "rule" or len(names[axis]) > 1]
        pair = circuit * len(names["option"]) + option
        dash = rule // len(palette) if dashed_rules(names) else pair
        color = palette[rule % len(palette)]
        look = DASHES[dash % len(DASHES)]
        found.append(Series(circuit, rule, option, label=SEPARATOR.join(told), color=color, dash=look))
    return tuple(found)


def dashed_rules(names: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether dashes tell rules apart, of which there are more than colours."""
    return len(names["rule"]) > len(style.CATEGORICAL)
