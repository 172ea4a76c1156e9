"""What the workers of a study execute. This module imports no JAX: it sets the devices before JAX starts."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from throughtime.studies.cells import Outcome

MERGE = "merge"
MOST_MAPPINGS = 20_000
"""Memory mappings of a process before compiled programs are dropped; Linux allows 65 530 by default."""


@dataclass(frozen=True)
class Order:
    """One piece of work for a worker, as plain values.

    Attributes:
        kind: of the cell, or ``"merge"``.
        folder: of the study; every worker has to reach it under this name.
        identity: of the cell, or of the run to merge.
        paths: folders of the user's modules, for ``import``.
        until: time (seconds since 1970) after which it is not begun any more; None for no limit.
        keep_parts: whether merging leaves the parts.
    """

    kind: str
    folder: str
    identity: str
    paths: tuple[str, ...] = ()
    until: float | None = None
    keep_parts: bool = False


def execute(order: Order) -> Outcome | str | None:
    """Do a piece of work.

    Returns:
        the outcome of a cell, the file of a merged run, or None for what came too late to be begun.

    Raises:
        StorageError, CodeError: as :func:`throughtime.studies.run_cell`.
        ValueError: for a worker with more than one thread, or one that does not see the study's folder.
    """
    if order.until is not None and time.time() > order.until:
        return None
    _prepare(order)
    with _own_scheduler():
        if order.kind == MERGE:
            return _merge(order)
        from throughtime.studies.cells import run_cell

        try:
            return run_cell(order.folder, order.identity)
        finally:
            _forget_programs()


def _own_scheduler() -> contextlib.AbstractContextManager[object]:
    """Within a worker: what uses Dask below stays in this process, and so do xarray's locks of files."""
    if _dask_worker() is None:
        return contextlib.nullcontext()
    import dask

    found: contextlib.AbstractContextManager[object] = dask.config.set(scheduler="synchronous")
    return found


def _prepare(order: Order) -> None:
    """A device for this process; the user's modules; the folder."""
    worker = _dask_worker()
    if worker is not None:
        if worker.state.nthreads != 1:
            raise ValueError(
                f"study: a worker has {worker.state.nthreads} threads, but cells need a process each; start "
                "workers with --nthreads 1 (and as many of them as there are cores: --nworkers)."
            )
        _set_devices()
    for path in order.paths:
        if path not in sys.path:
            sys.path.append(path)
    if not (Path(order.folder) / "study.json").is_file():
        raise ValueError(
            f"study: a worker does not see {Path(order.folder).name}/study.json; put the study's folder on a "
            "file system that all workers share, and give its path as they see it."
        )


def _set_devices() -> None:
    """One device, or as many as ``THROUGHTIME_CORES`` says, unless JAX has made its devices already."""
    if "jax" not in sys.modules:
        os.environ.setdefault("THROUGHTIME_CORES", "1")
        return
    number = os.environ.get("THROUGHTIME_CORES", "1")
    with contextlib.suppress(
        RuntimeError, ValueError
    ):  # the script imported JAX before the worker was set up
        sys.modules["jax"].config.update("jax_num_cpu_devices", int(number))


def _dask_worker() -> Any:
    """The worker this runs in, or None."""
    if "distributed" not in sys.modules:
        return None
    import distributed

    try:
        return distributed.get_worker()
    except ValueError:
        return None


def _merge(order: Order) -> str:
    from throughtime.studies import files
    from throughtime.studies.merge import merge_run

    path = Path(merge_run(order.folder, order.identity, keep_parts=order.keep_parts))
    files.sweep(path.parent, path.stem)  # what a merger that was killed has left
    return str(path)


def _forget_programs() -> None:
    """Drop compiled programs before there are more than one process may map."""
    mappings = 0
    with contextlib.suppress(OSError):
        mappings = Path("/proc/self/maps").read_bytes().count(b"\n")
    if mappings > MOST_MAPPINGS and "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
