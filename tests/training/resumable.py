"""A short run with a checkpoint, for a process that will be killed: ``resumable.py CHECKPOINT OUT``."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np

import throughtime as tt
from throughtime.tasks.add_task import AddTask
from throughtime.tasks.criterion import Criterion
from throughtime.training import train


@dataclasses.dataclass(frozen=True)
class QuicklyJudged(AddTask):
    """A task of few operations, judged on few trials: most of a run is updates and checkpoints."""

    slot: float = 50.0
    length: int = 30

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        return (Criterion("correct", at_least=0.99, trials=16),)


def settings() -> dict[str, object]:
    """The run every process makes."""
    return {
        "seeds": (3, 8), "num_updates": 200, "batch_size": 4, "learning_rate": 1e-2, "clip": 1.0,
        "stop": "budget", "eval_every": 2, "log_every": 2, "keep": (10,), "progress": False,
    }  # fmt: skip


def run(checkpoint: str | None) -> dict[str, np.ndarray]:
    """All arrays of the finished run."""
    task = QuicklyJudged(dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=8, noise=0.05)
    record = train(task, circuit, tt.rules.make("bptt"), checkpoint=checkpoint, **settings())  # type: ignore[arg-type]
    arrays = {f"curve {name}": value for name, value in record.curves.items()}
    arrays |= {f"param {name}": value for name, value in record.params.items()}
    for name in ("update", "status", "criterion_update", "num_updates", "checkpoint_update"):
        arrays[name] = getattr(record, name)
    return arrays


if __name__ == "__main__":
    found = run(sys.argv[1])
    np.savez(sys.argv[2], **found)  # type: ignore[arg-type]
