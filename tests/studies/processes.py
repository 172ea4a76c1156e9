"""Processes that run a study, started by forking: what they need is imported once, by the first of them.

JAX's backend must not have started in the process that forks.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import throughtime as tt
from tests.studies.examples import small
from throughtime import results
from throughtime.studies import Study

UPDATES = 60


def study() -> Study:
    """Two cells, and a run to merge; most of the time of training goes into evaluations and checkpoints."""
    training = {
        "num_updates": UPDATES, "batch_size": 2, "stop": "budget", "eval_every": 10, "log_every": 2,
    }  # fmt: skip
    task = tt.tasks.make("add-task", length=30)  # of few operations: every process traces it
    return small(tasks={"add": task}, training=training, test_trials=0)


def run(folder: Path, told: Path | None = None, **settings: Any) -> None:
    """Run the study in a folder, and write down how many cells were computed."""
    result = study().run(folder, **{"scheduler": "serial", "progress": False, **settings})
    if told is not None:
        told.write_text(json.dumps({"computed": result.num_computed, "complete": result.complete}))


def fork(work: Callable[..., Any], *given: Any, **named: Any) -> int:
    """A process that does the work and ends; its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # JAX warns of forks; its backend has not started
        number = os.fork()
    if number:
        return number
    status = 1
    try:
        os.setpgid(0, 0)
        work(*given, **named)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def ended(number: int) -> bool:
    """Wait for a process; whether it ended well."""
    return os.waitpid(number, 0)[1] == 0


def has_ended(number: int) -> bool:
    """Whether a process has ended; it has to have ended well.

    Raises:
        AssertionError: if it did not.
    """
    found, status = os.waitpid(number, os.WNOHANG)
    assert not found or status == 0, f"a process ended with {status}"
    return bool(found)


def content(folder: Path) -> dict[str, str]:
    """File -> content hash of every part, run and analysis; and of what the summaries and notes say."""
    found = {}
    for path in sorted(folder.glob("*/*.nc")):
        found[f"{path.parent.name}/{path.name}"] = results.content_sha256(results.load_tree(path))
    for path in sorted((*folder.glob("cells/*.json"), *folder.glob("runs/*.json"))):
        found[f"{path.parent.name}/{path.name}"] = json.loads(path.read_bytes())["content_sha256"]
    return found


def updates(folder: Path) -> list[int]:
    """Updates in the checkpoints of cells that were begun; reading them also shows that they are whole."""
    found = []
    for path in sorted(folder.glob("scratch/*/*.npz")):
        if not path.name.startswith("."):
            with np.load(path) as file:
                found.append(int(file["history/update"][-1]))
    return found


def half_written(folder: Path) -> list[str]:
    """Files that a writer began and did not finish."""
    return [name for _, _, names in os.walk(folder) for name in names if ".part" in name]


def left_over(folder: Path) -> list[str]:
    """All that a study which is complete should not hold."""
    rooms = [path.name for room in ("scratch", "running", "failed") for path in (folder / room).glob("*")]
    return half_written(folder) + rooms


def wait_for(found: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is the case.

    Raises:
        TimeoutError: if it never is.
    """
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.002)
