"""What the tasks demand, and that circuits learn them: the committed record ``evidence/tasks.nc``.

Of every task, at every value of the parameter that makes it harder (``task.hardest``):

* *trained*: a leaky circuit trained by BPTT until the criterion, three seeds at the task's own value, two at
  the others (``experiments/_task_settings.py`` has circuits and settings);
* *ceiling*: untrained circuits of 128 units with gains of 0.8, 1.2 and 1.5, whose readout alone is fitted
  (:func:`throughtime.reservoir_ceiling`);
* *probe*: behaviour in another form of a task, such as delays that it was never trained on.

The task is demanding where all trained seeds meet the criterion and no untrained circuit does. Behaviour on
held-out trials is kept for the signatures.

What is in the record already, with an unchanged declaration, is not run again, so the command can be stopped
at any time and resumed; what is still missing is named, in the record too. What the record says about each
task goes to ``src/throughtime/tasks/measured.py``, where ``throughtime list tasks`` reads it.

Usage: ``python experiments/evidence.py [--only TASK ...] [--part PART ...] [--limit MINUTES]`` with the parts
``trained`` (every task as it is), ``ceiling``, ``probe`` and ``levels`` (the other values), or
``make evidence``.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import sys
import time
from pathlib import Path
from typing import Any

import jax
from _task_record import Record, word_of
from _task_settings import ELSEWHERE, PROBES, SEEDS, declare

import throughtime as tt
from throughtime import atomic, config
from throughtime.comparison import ceiling

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "evidence" / "tasks.nc"
MODULE = ROOT / "src" / "throughtime" / "tasks" / "measured.py"
CHECKPOINTS = ROOT / "results" / "tasks"
PARTS = ("trained", "ceiling", "probe", "levels")
NUM_TRIALS = 512
"""Held-out trials a seed whose behaviour is kept."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One measurement.

    Attributes:
        part: one of :data:`PARTS`; name: of the task; index: of the value of its hardest parameter.
        probe: name of a probe, which is in place of that value.
    """

    part: str
    name: str
    index: int
    probe: str = ""

    @property
    def task(self) -> Any:
        """The task that is trained."""
        if self.probe:
            probe = PROBES[self.probe]
            return tt.tasks.make(probe.name, probe.variant, **probe.task)
        task = tt.tasks.make(self.name)
        return dataclasses.replace(task, **{task.hardest.field: task.hardest.values[self.index]})

    @property
    def tested(self) -> Any:
        """The task that is tested."""
        return dataclasses.replace(self.task, **PROBES[self.probe].test) if self.probe else self.task

    @property
    def changes(self) -> dict[str, Any]:
        """What a probe changes in the recipe."""
        return PROBES[self.probe].recipe if self.probe else {}

    @property
    def own(self) -> bool:
        """Whether this is the task as it is by default."""
        return bool(self.task == tt.tasks.make(self.name))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Labels of the seeds."""
        return SEEDS if self.own or self.probe else ELSEWHERE

    @property
    def identity(self) -> str:
        """Hash of everything that determines it."""
        if self.part == "ceiling":
            return config.sha256((self.part, self.task, ceiling_settings(), tt.__version__))
        given = declare(self.name, self.task, self.changes)
        rule, circuit = given.pop("rule"), given.pop("circuit")
        what = (False, self.task, circuit, rule, given, self.seeds, tt.__version__)
        return config.sha256((*what, self.tested) if self.probe else what)


def ceiling_settings() -> dict[str, Any]:
    """What the ceiling is measured with: the defaults of its function, and the penalties it tries."""
    known = inspect.signature(ceiling.reservoir_ceiling).parameters.values()
    given = {one.name: one.default for one in known if one.default is not inspect.Parameter.empty}
    return {**given, "seeds": tuple(given["seeds"]), "strengths": ceiling.STRENGTHS}


def cells(parts: tuple[str, ...] = PARTS, only: tuple[str, ...] = ()) -> list[Cell]:
    """All measurements: first every task as it is, then ceilings, then the other values."""
    found = []
    for part in parts:
        if part == "probe":
            chosen = {label: one for label, one in PROBES.items() if not only or one.name in only}
            found += [Cell(part, one.name, 0, label) for label, one in chosen.items()]
            continue
        for name in only or tt.tasks.names():
            for index in range(len(tt.tasks.make(name).hardest.values)):
                cell = Cell(part, name, index)
                if part == "ceiling" or cell.own == (part == "trained"):
                    found.append(cell)
    return found


def measure(cell: Cell, record: Record) -> None:
    """Run one cell and enter it."""
    began = time.perf_counter()
    if cell.part == "ceiling":
        found = tt.reservoir_ceiling(cell.task)
        record.ceiling(cell, found, time.perf_counter() - began)
        return
    declared = declare(cell.name, cell.task, cell.changes)
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    checkpoint = CHECKPOINTS / f"{cell.part}-{cell.probe or cell.name}-{cell.identity[:12]}.ckpt"
    run = tt.train(
        cell.task,
        declared.pop("circuit"),
        declared.pop("rule"),
        seeds=cell.seeds,
        test_trials=0,
        checkpoint=checkpoint,
        **declared,
    )
    seconds = time.perf_counter() - began
    record.training(cell, run, seconds, tt.evaluate(run, NUM_TRIALS, task=cell.tested))
    checkpoint.unlink(missing_ok=True)


def keep(record: Record) -> None:
    """Write the record, and what it says to the package."""
    record.write(RECORD)
    atomic.write_bytes(MODULE, record.module().encode())


def main(only: tuple[str, ...] = (), parts: tuple[str, ...] = PARTS, limit: float = float("inf")) -> int:
    """Run what is missing within ``limit`` minutes; 0 if nothing is missing."""
    began = time.monotonic()
    record = Record.read(RECORD, cells())
    for cell in cells(parts, only):
        if cell in record.found:
            continue
        if time.monotonic() - began > 60 * limit:
            break
        print(f"{cell.part} {cell.probe or cell.name} {word_of(cell)} …", flush=True)
        measure(cell, record)
        keep(record)
        jax.clear_caches()  # hundreds of compiled programs exceed what one process may map
        print("  " + record.line(cell), flush=True)
    keep(record)
    print(record.table())
    missing = record.missing
    print("not run: " + ", ".join(missing) if missing else "nothing is missing.")
    return 1 if missing else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", default=(), choices=tt.tasks.names(), metavar="TASK", help="these tasks alone"
    )
    parser.add_argument("--part", nargs="+", default=PARTS, choices=PARTS, help="these measurements alone")
    parser.add_argument(
        "--limit", type=float, default=float("inf"), help="start nothing after so many minutes"
    )
    options = parser.parse_args()
    sys.exit(main(tuple(options.only), tuple(options.part), options.limit))
