"""Which tasks a plain circuit learns by BPTT, and how fast: the committed record ``evidence/tasks.nc``.

Each task is trained with the same circuit and settings on ten seeds until its criterion. A task whose
configuration and package version are in the record already is not run again, so the command can be stopped at
any time and resumed; tasks still missing are named at the end.

Usage: ``python experiments/evidence.py [--only TASK] [--limit MINUTES]``, or ``make evidence``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import throughtime as tt
from throughtime import atomic, config

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "evidence" / "tasks.nc"
SEEDS = tuple(range(10))
BUDGET = 2000
UNITS = {"updates": "1", "criterion_update": "1", "score": "1", "loss": "1", "status": "1", "seconds": "s"}


def declare(name: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Task, circuit, rule and settings of the evidence for one task."""
    task = tt.tasks.make(name)
    circuit = tt.circuits.for_task(task, num_units=64, recurrent=tt.circuits.Dense(gain=1.2), noise=0.05)
    settings = {"num_updates": BUDGET, "batch_size": 64, "learning_rate": 1e-3, "clip": 1.0, "eval_every": 20}
    return task, circuit, tt.rules.make("bptt"), settings


def identity(name: str) -> str:
    """Hash of everything declared for one task."""
    return config.sha256((*declare(name), SEEDS, tt.__version__))


def measure(name: str) -> xr.Dataset:
    """Train one task on all seeds; variables (task, seed)."""
    task, circuit, rule, settings = declare(name)
    began = time.perf_counter()
    run = tt.train(task, circuit, rule, seeds=SEEDS, test_trials=0, **settings)
    seconds = time.perf_counter() - began
    training = run.tree["training"].to_dataset()
    last = {}
    for measured in ("score", "loss"):
        rows = training[measured].values
        last[measured] = np.array([(row[np.isfinite(row)].tolist() or [np.nan])[-1] for row in rows])
    columns = {
        "updates": training["num_updates"].values,
        "criterion_update": training["criterion_update"].values,
        "status": training["status"].values,
        **last,
        "seconds": np.full(len(SEEDS), seconds / len(SEEDS)),
    }
    dims = ("task", "seed")
    variables = {
        key: (dims, np.asarray(value)[None], {"units": UNITS[key]}) for key, value in columns.items()
    }
    variables["status"][2].update(training["status"].attrs)
    coordinates = {"task": [name], "seed": list(SEEDS), "config_sha256": ("task", [identity(name)])}
    return xr.Dataset(variables, coordinates)


def read() -> xr.Dataset | None:
    """The record as it stands, without tasks whose declaration has changed."""
    if not RECORD.exists():
        return None
    with xr.open_dataset(RECORD, engine="h5netcdf") as stored:
        record = stored.load()
    known = tt.tasks.names()
    good = [
        name for name in record["task"].values
        if name in known and str(record["config_sha256"].sel(task=name).values) == identity(str(name))
    ]  # fmt: skip
    return record.sel(task=good) if good else None


def main(only: str | None = None, limit: float = float("inf")) -> int:
    """Run what is missing within ``limit`` minutes; 0 if every task is in the record."""
    began = time.monotonic()
    record = read()
    for name in tt.tasks.names():
        done = record is not None and name in record["task"].values
        if done or (only is not None and name != only) or time.monotonic() - began > 60 * limit:
            continue
        print(f"{name} …", flush=True)
        parts = [part for part in (record, measure(name)) if part is not None]
        record = xr.concat(parts, "task", join="exact").sortby("task")
        record.attrs = {"title": "Tasks learned by BPTT in a leaky circuit of 64 units", "form": "full"}
        RECORD.parent.mkdir(exist_ok=True)
        atomic.write_bytes(RECORD, bytes(record.to_netcdf(engine="h5netcdf")))
    have = [] if record is None else [str(name) for name in record["task"].values]
    for name in have:
        row = record.sel(task=name)  # type: ignore[union-attr]
        reached = (row["criterion_update"] >= 0).values
        median = np.median(np.where(reached, row["criterion_update"], np.inf))
        print(
            f"{name:28s} {reached.sum()} of {reached.size} seeds reached the criterion, "
            f"median update {median:g}, "
            f"score {float(row['score'].median()):.3f}, {float(row['seconds'].mean()):.1f} s a seed"
        )
    missing = [name for name in tt.tasks.names() if name not in have]
    print("not run: " + ", ".join(missing) if missing else "nothing is missing.")
    return 1 if missing else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="run this task alone")
    parser.add_argument(
        "--limit", type=float, default=float("inf"), help="start no task after so many minutes"
    )
    options = parser.parse_args()
    sys.exit(main(options.only, options.limit))
