"""What befalls processes and disks of a study: ``python -m tests.studies.durability FOLDER SEED``.

Writes a line of JSON for each trial. A process of its own, so that it can fork before JAX's backend starts.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

import throughtime.studies.execution
import throughtime.studies.merge  # noqa: F401  (imported once here, not in every process)
from tests.processes import ready_to_fork
from tests.studies import disks, killer, processes
from tests.studies.processes import fork, run

KILOBYTE = 1024
SIZES = (8 * KILOBYTE, 60 * KILOBYTE)
"""Bytes of disks: one on which the study cannot be declared, one too small for its first part."""

LATE = (
    "netCDF4", "dask.array", "dask.distributed", "scipy.fftpack", "throughtime.studies.refusals",
    "distributed.dashboard.scheduler", "distributed.dashboard.worker",
)  # fmt: skip
"""What a study, a scheduler and a worker import when they first use it."""


def main() -> None:
    """Left alone; two at once; on full disks; killed."""
    folder, draw = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    ready_to_fork(
        "netCDF4", "dask.array", "dask.distributed", "scipy.fftpack", "throughtime.studies.refusals"
    )
    assert processes.ended(fork(run, folder / "first"))  # fills the compilation cache
    began = time.monotonic()
    assert processes.ended(fork(run, folder / "alone"))
    whole = time.monotonic() - began
    alone = processes.content(folder / "alone")
    assert alone == processes.content(folder / "first")

    compared = killer.Compared(folder / "together", alone)
    found = list(killer.together(compared.folder))
    compared.finished()
    compared.report("together", clients=found, num_files=len(alone))

    begun = folder / "begun"
    assert processes.ended(fork(run, begun, limit_minutes=0.0))
    disks.report(folder, alone, begun, SIZES)

    for what, kills, strike in (
        ("clients", killer.CLIENT_KILLS, killer.at_random(draw, whole)),
        ("writing", killer.WRITING_KILLS, killer.while_writing(draw, folder / "writing")),
    ):
        compared = killer.Compared(folder / what, alone)
        killer.clients(compared, kills, strike)
        compared.report(what)
    compared = killer.Compared(folder / "workers", alone)
    killer.workers(compared, draw, whole)
    compared.report("workers")
    sys.stdout.write(json.dumps({"what": "whole", "seconds": whole}) + "\n")


if __name__ == "__main__":
    main()
