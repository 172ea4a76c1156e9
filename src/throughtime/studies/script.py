"""The command line of a study: the same for a script of its own and for ``throughtime run``."""

from __future__ import annotations

import argparse
import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from throughtime.studies.failures import CodeError, SchedulerError, StorageError

if TYPE_CHECKING:
    from throughtime.studies.declaration import Study

COMPLETE, INCOMPLETE, STOPPED, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True)
class Wishes:
    """How a study is run.

    Attributes:
        out: folder that holds the folder of the study.
        quick: run the small form of the study, in a folder of its own.
        scheduler, workers, memory_limit, retry_failed, limit_minutes: as for ``Study.run``.
    """

    out: Path = Path("results")
    quick: bool = False
    scheduler: str | None = None
    workers: int | None = None
    memory_limit: str = "auto"
    retry_failed: bool = False
    limit_minutes: float | None = None


def command_line(study: Study | Callable[..., Study], arguments: Sequence[str] | None = None) -> int:
    """Run a study as the words on the command line say, and tell what became of it.

    A script ends with ``if __name__ == "__main__": sys.exit(tt.studies.command_line(study))``. Workers import
    the script, hence the condition. ``throughtime run SCRIPT`` takes the same options.

    Args:
        study: a study, or a function that makes it and is told whether the small form is wanted.
        arguments: words; those of this process by default.

    Returns:
        exit status: 0 if the study is complete, 1 if something failed or was not begun, 2 for what stops a
        study (told in a line on the standard error stream), 130 if it was interrupted.

    Raises:
        SystemExit: for words that are no options (2), and after ``--help`` (0).
        ValueError: as ``Study.run``.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(description="Run a study, or go on with it.")
    parser.add_argument(
        "--quick", action="store_true", help="the small form, which shows that everything runs"
    )
    parser.add_argument("--out", type=Path, default=Wishes.out, help="folder for the study's folder")
    parser.add_argument(
        "--scheduler", metavar="WHERE",
        help="serial, slurm, the address of a Dask scheduler or its scheduler file; by default workers here",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, metavar="N", help="number of workers; by default one a core")
    parser.add_argument("--memory-limit", default=Wishes.memory_limit, help="of each worker, such as 4GB")
    parser.add_argument("--retry-failed", action="store_true", help="try cells that failed once more")
    parser.add_argument(
        "--limit", type=float, dest="limit_minutes", metavar="MINUTES",
        help="begin no cell after so many minutes",
    )  # fmt: skip
    wishes = Wishes(**vars(parser.parse_args(words)))
    try:
        return run(study, wishes, shlex.join([Path(sys.argv[0]).name, *words]))
    except (StorageError, CodeError, SchedulerError) as error:
        sys.stderr.write(f"{getattr(error, 'strerror', None) or error}\n")
        return STOPPED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on where the study was.\n")
        return INTERRUPTED


def run(study: Study | Callable[..., Study], wishes: Wishes, command: str | None = None) -> int:
    """Run a study, write what became of it to the standard output, and return the exit status.

    Args:
        study: a study, or a function of one argument, ``quick``, that makes it.
        wishes: how it is run. command: command line to write down in the results.

    Raises:
        ValueError: for a function that makes no study; and as ``Study.run``.
    """
    made = study_of(study, wishes.quick)
    folder = wishes.out / (f"{made.name}-quick" if wishes.quick else made.name)
    result = made.run(
        folder,
        scheduler=wishes.scheduler,
        workers=wishes.workers,
        memory_limit=wishes.memory_limit,
        retry_failed=wishes.retry_failed,
        limit_minutes=wishes.limit_minutes,
        command=command,
    )
    failures = [f"failed: {one['name']}: {one['type']}: {one['message']}" for one in result.failures.values()]
    lines = [result.summary(), *failures, f"folder: {folder}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return COMPLETE if result.complete else INCOMPLETE


def study_of(study: Study | Callable[..., Study], quick: bool) -> Study:
    """The study, made in the form that is wanted.

    Raises:
        ValueError: for what is no study, nor a function of ``quick`` that makes one.
    """
    from throughtime.studies.declaration import Study

    found = study
    if not isinstance(study, Study) and callable(study):
        try:
            inspect.signature(study).bind(quick=quick)
        except TypeError as error:
            raise ValueError(
                f"study: expected a function study(quick: bool) -> Study, found "
                f"study{inspect.signature(study)}: {error}."
            ) from None
        found = study(quick=quick)
    if not isinstance(found, Study):
        raise ValueError(f"study: expected a Study, got {found!r}; define study(quick: bool) -> tt.Study.")
    return found
