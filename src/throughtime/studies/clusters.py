"""Where the cells of a study are computed: workers on this machine, or those of any Dask scheduler."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.runtime import available_cores

if TYPE_CHECKING:
    from dask_jobqueue import SLURMCluster
    from distributed import Client, LocalCluster

SERIAL, SLURM = "serial", "slurm"
CONNECT_SECONDS = 20
# XLA makes as many threads as NPROC says, or as there are cores: workers would take turns on these.
ONE_DEVICE = {"THROUGHTIME_CORES": "1", "JAX_NUM_CPU_DEVICES": "1", "NPROC": "1"}
CHOICES = (
    "None (workers on this machine), 'serial' (no workers), 'slurm' (workers as jobs of SLURM), the address "
    "of a scheduler such as 'tcp://host:8786', its scheduler file (.json), or a Client or Cluster of Dask"
)


@contextlib.contextmanager
def connected(
    scheduler: Any = None,
    workers: int | None = None,
    memory_limit: str | int | float | None = "auto",
    tell: Callable[[str], None] = lambda text: None,
) -> Iterator[Client]:
    """A client of the scheduler; what was started for it is closed at the end, whatever happens.

    Args:
        scheduler: as for :func:`throughtime.studies.execution.run_study`, but for ``"serial"``.
        workers: number of worker processes, of this machine or of SLURM.
        memory_limit: of each worker of this machine, such as ``"4GB"``; one that exceeds it is started anew.
        tell: is given the address of the dashboard.

    Raises:
        ValueError: for what is no scheduler, or one that cannot be reached, and a number of workers where
            the scheduler has its own.
    """
    from distributed import Client
    from distributed.deploy import Cluster

    _refuse_import()
    if scheduler is not None and scheduler != SLURM and workers is not None:
        raise ValueError(
            f"study: workers {workers} together with a scheduler that has workers of its own; leave out "
            "workers, and start or scale them there."
        )
    with contextlib.ExitStack() as stack:
        if isinstance(scheduler, Client):
            client = scheduler
        elif scheduler is None or scheduler == SLURM:
            cluster = local(workers, memory_limit) if scheduler is None else slurm(workers or 1)
            stack.enter_context(_closing(cluster))
            client = stack.enter_context(_closing(Client(cluster, set_as_default=False)))
        elif isinstance(scheduler, Cluster):
            client = stack.enter_context(_closing(Client(scheduler, set_as_default=False)))
        elif isinstance(scheduler, str | Path):
            client = stack.enter_context(_closing(_client_at(str(scheduler))))
        else:
            raise ValueError(f"study: {scheduler!r} is no scheduler; give {CHOICES}.")
        if client.dashboard_link:
            tell(f"dashboard: {client.dashboard_link}")
        yield client


def local(workers: int | None = None, memory_limit: str | int | float | None = "auto") -> LocalCluster:
    """Single-threaded worker processes on this machine, one a core by default.

    Raises:
        ValueError: for a number of workers that is not positive.
    """
    from distributed import LocalCluster

    number = available_cores() if workers is None else workers
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"study: workers {workers!r}: expected a positive whole number; None is one a core.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about ports and parts of the dashboard
        return LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory_limit,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            env=ONE_DEVICE,
        )


def slurm(workers: int = 1, **settings: Any) -> SLURMCluster:
    """Workers as jobs of SLURM, through dask-jobqueue; give it to ``Study.run`` as ``scheduler``.

    Each job is one single-threaded worker. What is not given is read from the configuration of dask-jobqueue
    (``~/.config/dask/jobqueue.yaml``).

    Args:
        workers: number of jobs; ``scale`` and ``adapt`` of the cluster change it.
        settings: of ``dask_jobqueue.SLURMCluster``, such as ``queue``, ``account``, ``memory``, ``walltime``
            and ``job_script_prologue`` (lines that set up the environment).

    Raises:
        ValueError: where dask-jobqueue is not installed, or this machine cannot submit jobs.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ValueError(
            "study: workers of SLURM need dask-jobqueue; install it (pip install 'throughtime[cluster]')."
        ) from error
    if workers and shutil.which("sbatch") is None:
        raise ValueError(
            "study: there is no sbatch here, so no jobs can be submitted; run this on a login node of the "
            "cluster, or leave out the scheduler to work on this machine."
        )
    _refuse_import()
    prologue = [f"export {name}={value}" for name, value in ONE_DEVICE.items()]
    given = {"cores": 1, "memory": "4GB", "walltime": "24:00:00", **settings}
    cluster = SLURMCluster(
        **{
            **given,
            "processes": given.get("processes", given["cores"]),  # one thread each
            "job_script_prologue": [*prologue, *given.get("job_script_prologue", [])],
        }
    )
    if workers:
        cluster.scale(jobs=workers)
    return cluster


def _client_at(place: str) -> Client:
    from distributed import Client

    where = {"scheduler_file": place} if place.endswith(".json") else {"address": place}
    if place.endswith(".json") and not Path(place).is_file():
        raise ValueError(
            f"study: there is no scheduler file {place}; start one: dask scheduler --scheduler-file {place}."
        )
    if not place.endswith(".json") and "://" not in place:
        raise ValueError(f"study: {place!r} is no scheduler; give {CHOICES}.")
    try:
        return Client(**where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"study: no scheduler answers at {place} ({type(error).__name__}); start one: dask scheduler."
        ) from error


@contextlib.contextmanager
def _closing(one: Any) -> Iterator[Any]:
    """Close a client or cluster at the end; that it is gone already is no error.

    Workers have nothing left to lose then, so it is not told that they are killed where they end slowly.
    """
    try:
        yield one
    finally:
        log = logging.getLogger("distributed.nanny")
        level = log.level
        log.setLevel(logging.ERROR)
        try:
            with contextlib.suppress(Exception):
                one.close()
        finally:
            log.setLevel(level)


def _refuse_import() -> None:
    """Refuse to start workers from a worker that is only importing the script it was started from.

    Raises:
        RuntimeError: saying what the script lacks.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(
            "study: the script starts the study when it is imported, and workers import it; put what it does "
            "under if __name__ == '__main__':"
        )
