"""How far a study is, read off its folder alone; without JAX, and also while it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.studies import files
from throughtime.studies.progress import Tally, duration

if TYPE_CHECKING:
    from throughtime.studies.declaration import Study

PLAN = "plan.json"
FACTS = ("identity", "name", "kind", "task", "circuit", "rule", "option")
MOST_LINES = 12


def write_plan(folder: Path, study: Study) -> None:
    """Write down which cells the study has as it is declared now, for who does not make them anew.

    Raises:
        StorageError: where the folder cannot be written.
    """
    with files.storage():
        files.write_json(
            folder / PLAN,
            {
                "study": study.name,
                "lowest": lowest(study),
                "num_runs": len(study.runs()),
                "num_refused": len(study.refused),
                "cells": [
                    [*(getattr(cell, name) for name in FACTS), list(cell.needs)] for cell in study.cells()
                ],
            },
        )


def lowest(study: Study) -> list[str]:
    """Labels of the tasks whose score, the measure of their first criterion, is better the lower it is."""
    firsts = {label: next(iter(getattr(task, "criterion", ())), None) for label, task in study.tasks}
    return [label for label, one in firsts.items() if one is not None and one.at_least is None]


class Status:
    """A study as it stands in its folder.

    Attributes:
        tally: counts, time left and best scores.
        failures: identity -> what is recorded of a cell that failed.
        running: identity -> facts of the cells that were begun and have not ended.
        num_runs, num_refused: combinations that are run, and that cannot be.

    Raises:
        ValueError: for a folder that holds no study, or one that was never run.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        plan = files.read_json(self.folder / PLAN)
        if plan is None:
            raise ValueError(
                f"status: {self.folder} holds no {PLAN}, so no study was run there; give the folder of a "
                "study, such as results/NAME."
            )
        cells = [dict(zip((*FACTS, "needs"), one, strict=True)) for one in plan["cells"]]
        self.num_runs, self.num_refused = int(plan["num_runs"]), int(plan["num_refused"])
        self.tally = Tally(plan["study"], cells, plan["lowest"])
        done = {name.removesuffix(".json") for name in files.names(self.folder / "cells")}
        summaries = {c["identity"]: self._read("cells", c) for c in cells if c["name"] in done}
        found = {identity: one for identity, one in summaries.items() if one is not None}
        self.failures = self._of("failed", cells, found)
        self.running = self._of("running", cells, {**found, **self.failures})
        for one in found.values():
            self.tally.done(one)
        for identity in self.failures:
            self.tally.failed(identity)
        for identity in blocked(cells, self.failures):
            self.tally.blocked(identity)
        self.tally.num_running = self.tally.num_workers = len(self.running)

    def _read(self, room: str, cell: dict[str, Any]) -> Any:
        return files.read(self.folder / room / f"{cell['name']}.json")

    def _of(self, room: str, cells: list[dict[str, Any]], without: dict[str, Any]) -> dict[str, Any]:
        names = set(files.names(self.folder / room))
        each = {
            cell["identity"]: self._read(room, cell)
            for cell in cells
            if f"{cell['name']}.json" in names and cell["identity"] not in without
        }
        return {identity: one for identity, one in each.items() if one is not None}

    def text(self) -> str:
        """The whole report."""
        tally = self.tally
        if not self.running:
            tally.num_workers = 1
        left = tally.seconds_left
        others = [f"{tally.num_blocked} waiting for one that failed"] if tally.num_blocked else []
        counts = [
            f"{tally.num_done} done", f"{tally.num_running} running", f"{tally.num_failed} failed", *others,
            f"{tally.num_left - tally.num_running} to do",
        ]  # fmt: skip
        lines = [f"{tally.name}: {tally.num_cells} cells of {self.num_runs} runs: {', '.join(counts)}"]
        if self.num_refused:
            lines.append(f"{self.num_refused} combinations are refused, and not run")
        if tally.num_left and left is not None:
            at_a_time = max(len(self.running), 1)
            lines.append(f"about {duration(left)} left with {at_a_time} at a time")
        if tally.best:
            lines += [
                "best score",
                *(f"  {task}  {score:.3g}  {who}" for task, (score, who) in tally.best.items()),
            ]
        if self.running:
            lines += ["running", *_few(_began(one) for one in self.running.values())]
        if self.failures:
            told = (
                f"{one['name']}: {one['type']}: {_first(one['message'])}" for one in self.failures.values()
            )
            lines += ["failed", *_few(told)]
        return "\n".join(lines)


def blocked(cells: Iterable[dict[str, Any]], failed: Iterable[str]) -> list[str]:
    """Identities of the cells that need one that failed, or one that needs such a one."""
    lost, found = set(failed), []
    for cell in cells:  # those that others need come first
        if cell["identity"] not in lost and lost.intersection(cell["needs"]):
            lost.add(cell["identity"])
            found.append(cell["identity"])
    return found


def _few(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    more = [f"  and {len(every) - MOST_LINES} more"] if len(every) > MOST_LINES else []
    return [*(f"  {line}" for line in every[:MOST_LINES]), *more]


def _began(one: dict[str, Any]) -> str:
    since = datetime.now(UTC) - datetime.fromisoformat(one["began_at"])
    return f"{one['name']}, begun {duration(max(since.total_seconds(), 0.0))} ago"


def _first(text: str) -> str:
    return text.splitlines()[0] if text else ""
