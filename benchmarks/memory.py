"""Time and peak memory of a gradient against the number of steps, each measured in a process of its own.

``python -m benchmarks.memory STEPS SEGMENT UNITS TRIALS REPEATS`` measures the time, or with 0 repeats the
memory, and prints it as JSON. The peak is what a run adds to the resident memory of a process that has made
its arguments, compiled the gradient and run it before; Linux alone tells it. Beside it stands what XLA plans.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import child

if TYPE_CHECKING:
    import xarray as xr

ROOT = Path(__file__).resolve().parent.parent
Segment = int | str | None
OPTIONS: Mapping[str, Segment] = {"whole": None, "sqrt": "sqrt"}
# Freed pages go back at once, so that no array hides in pages that stayed resident. It costs time.
FRUGAL = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_ARENA_MAX": "1"}
VARIABLES = {
    "gradient_time": ("ms", "median time of a gradient"),
    "peak_memory": ("byte", "resident memory that a gradient adds to its arguments, at most"),
    "planned_memory": ("byte", "temporary memory that XLA plans for a gradient"),
}


def measure(
    num_steps: Sequence[int],
    num_units: int = 128,
    num_trials: int = 16,
    options: Mapping[str, Segment] = OPTIONS,
    repeats: int = 5,
) -> xr.Dataset:
    """Time and memory of the BPTT gradient of leaky units, one core, for every option and number of steps.

    Args:
        num_steps: numbers of steps T.
        num_units, num_trials: sizes.
        options: name -> ``segment`` of the rule.
        repeats: timed runs after the first one; without any the time is NaN.

    Returns:
        ``gradient_time`` in ms, ``peak_memory`` and ``planned_memory`` in byte, (option, num_steps); the
        peak is NaN where the system does not tell it.

    Raises:
        RuntimeError: where a process fails.
    """
    import xarray as xr

    sizes = (num_units, num_trials)
    table = [[_both(steps, segment, sizes, repeats) for steps in num_steps] for segment in options.values()]
    dims = ("option", "num_steps")
    data = xr.Dataset(
        {
            name: (dims, [[one[name] for one in row] for row in table], {"units": unit, "long_name": words})
            for name, (unit, words) in VARIABLES.items()
        },
        {"option": list(options), "num_steps": list(num_steps)},
        {"num_units": num_units, "num_trials": num_trials, "num_repeats": repeats},
    )
    data["num_steps"].attrs.update(units="1", long_name="steps of a trial")
    data["option"].attrs.update(units="1", long_name="states in memory: of whole trials, or of segments")
    return data


def exponent(memory: xr.DataArray) -> float:
    """Exponent p of ``memory ∝ num_steps^p``, by least squares in logarithms.

    Example:
        >>> import xarray as xr
        >>> steps = np.array([10, 100, 1000])
        >>> round(exponent(xr.DataArray(3.0 * steps**0.5, {"num_steps": steps})), 6)
        0.5
    """
    return float(np.polyfit(np.log(memory["num_steps"].values), np.log(memory.values), 1)[0])


def _both(num_steps: int, segment: Segment, sizes: tuple[int, int], repeats: int) -> dict[str, float]:
    """Memory in one process and, where there are repeats, time in another."""
    timed = _in_process(num_steps, segment, *sizes, repeats) if repeats else {"gradient_time": float("nan")}
    return {**_in_process(num_steps, segment, *sizes, 0), **timed}


def _in_process(num_steps: int, segment: Segment, *sizes: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", str(num_steps), json.dumps(segment)]
    settings = {**child.environment(1), **({} if sizes[-1] else FRUGAL)}
    done = subprocess.run(
        [*command, *map(str, sizes)], env=settings, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if re.match(r"[\w.]*(Error|Exception): ", line)]
        reason = lines[-1] if lines else f"the process ended with status {done.returncode}"
        raise RuntimeError(f"memory of {num_steps} steps, segment {segment!r}: {reason}")
    return json.loads(done.stdout)


def one(num_steps: int, segment: Segment, num_units: int, num_trials: int, repeats: int) -> dict[str, float]:
    """Measure one gradient in this process: its time where there are repeats, else its memory."""
    import jax

    from benchmarks.library import jitted_gradient
    from benchmarks.workload import Workload

    work = Workload(num_steps=num_steps, num_units=num_units, num_trials=num_trials)
    arguments = jax.block_until_ready((work.params, *work.batch))
    compiled = jitted_gradient(work.circuit, segment).lower(*arguments).compile()
    jax.block_until_ready(compiled(*arguments))  # what stays resident after a first run is no part of it
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        times.append(1e3 * (time.perf_counter() - start))
    if times:
        return {"gradient_time": float(np.median(times))}
    before = _rest()
    jax.block_until_ready(compiled(*arguments))
    planned = compiled.memory_analysis().temp_size_in_bytes
    return {"peak_memory": _status("VmHWM") - before, "planned_memory": planned}


def _rest() -> float:
    """Resident bytes, freed memory given back; from here on a new high-water mark is kept."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return float("nan")
    return _status("VmHWM")


def _status(field: str) -> float:
    """Bytes the system tells about this process, NaN where it does not."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return 1024.0 * int(found[0]) if found else float("nan")


def main(arguments: Sequence[str]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, child.usable_cores()[-1:])
    steps, segment, *sizes = (json.loads(argument) for argument in arguments)
    print(json.dumps(one(steps, segment, *sizes)))


if __name__ == "__main__":
    main(sys.argv[1:])
