"""Kills a training process with SIGKILL at random moments and resumes it.

Usage: ``python killer.py FOLDER SEED KILLS``.

Writes one JSON line: how often it was killed, at which update each kill found it, and whether the arrays
it ended with are those of a run that was left alone, to the bit. A process of its own, so that it can fork.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from tests.processes import ready_to_fork
from tests.training import resumable
from throughtime.training import train  # noqa: F401  (imported once here, not in every child)

CLEAN_PASSES = 40


def child(checkpoint: Path, out: Path) -> int:
    """A forked process that makes the run and writes its arrays."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # JAX warns of forks; its backend has not started here
        number = os.fork()
    if number == 0:
        np.savez(out, **resumable.run(str(checkpoint)))  # type: ignore[arg-type]
        os._exit(0)
    return number


def saved_updates(checkpoint: Path) -> int:
    """Updates in the checkpoint; reading it also shows that it is whole."""
    if not checkpoint.exists():
        return 0
    with np.load(checkpoint) as file:
        return int(file["history/update"][-1])


def main() -> None:
    """Kill, resume, compare."""
    ready_to_fork()
    folder, kills = Path(sys.argv[1]), int(sys.argv[3])
    draw = random.Random(int(sys.argv[2]))
    alone, resumed = folder / "alone.npz", folder / "resumed.npz"
    os.waitpid(child(folder / "alone.ckpt", alone), 0)  # also fills the compilation cache
    began = time.monotonic()
    os.waitpid(child(folder / "timed.ckpt", folder / "timed.npz"), 0)
    whole = time.monotonic() - began
    checkpoint, found = folder / "killed.ckpt", []
    for _ in range(CLEAN_PASSES * kills):
        if len(found) == kills:
            break
        number = child(checkpoint, resumed)
        time.sleep(draw.uniform(0.3, 0.9) * whole)
        os.kill(number, signal.SIGKILL)
        _, status = os.waitpid(number, 0)
        if os.WIFSIGNALED(status):
            found.append(saved_updates(checkpoint))
        else:
            checkpoint.unlink()
    os.waitpid(child(checkpoint, resumed), 0)
    with np.load(alone) as first, np.load(resumed) as second:
        same = list(first) == list(second) and all(first[n].tobytes() == second[n].tobytes() for n in first)
    left = len(list(folder.glob(".*.part")))
    report = {"kills": len(found), "updates": found, "same": same, "unfinished": left, "seconds": whole}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
