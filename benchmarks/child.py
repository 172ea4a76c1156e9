"""One pinned process that measures the cases it is told: ``python -m benchmarks.child CORES REPEATS``.

Row names come as JSON on the standard input, outcomes leave as JSON lines on the standard output. The
process is pinned before anything is imported that starts threads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
KERNEL_WISHES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # they would slow the floor down


def usable_cores() -> list[int]:
    """Cores this process may use."""
    return sorted(os.sched_getaffinity(0))


def environment(cores: int) -> dict[str, str]:
    """Environment of a pinned process: every library starts with one thread, JAX with one device a core.

    The BLAS of the floor chooses the fastest kernel of the processor itself, whatever the shell wished.
    """
    return {
        **{name: value for name, value in os.environ.items() if name not in KERNEL_WISHES},
        **dict.fromkeys(THREADS, "1"),
        "THROUGHTIME_CORES": str(cores),
        "JAX_NUM_CPU_DEVICES": str(cores),
        "JAX_PLATFORMS": "cpu",
        "THROUGHTIME_CACHE": "off",
    }


def measured(names: Sequence[str], cores: int, repeats: int) -> Iterator[dict[str, Any]]:
    """Outcomes of the named rows as they come, as plain dictionaries, from a process of its own."""
    left = set(names)
    command = [sys.executable, "-m", "benchmarks.child", str(cores), str(repeats)]
    process = subprocess.Popen(
        command, env=environment(cores), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        with contextlib.suppress(BrokenPipeError):  # it died before reading: it writes no outcome either
            process.stdin.write(json.dumps(list(names)))
            process.stdin.close()
        for line in process.stdout:
            outcome = json.loads(line)
            left.discard(outcome["name"])
            yield outcome
    for name in names:
        if name in left:
            note = f"failed: the measuring process ended with status {process.returncode}"
            yield {"name": name, "summary": None, "error": None, "note": note}


def main() -> None:
    """Measure the rows named on the standard input, case by case."""
    cores, repeats = int(sys.argv[1]), int(sys.argv[2])
    os.sched_setaffinity(0, usable_cores()[-cores:])
    names = set(json.load(sys.stdin))

    from benchmarks.measure import measure
    from benchmarks.rows import table

    rows = [row for row in table() if row.name in names]
    for case in dict.fromkeys(row.case for row in rows):
        for outcome in measure([row for row in rows if row.case == case], repeats):
            print(json.dumps(dataclasses.asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
