"""The cases: each function gives contenders to time against each other, by name, built when asked."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks import eager_torch, floor, library, reference, scan
from benchmarks import memory as peaks
from benchmarks.timing import TOLERANCE, Contender, Found
from benchmarks.workload import Workload
from throughtime import gaussian, tasks
from throughtime.circuits import for_task
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT

Builders = dict[str, Callable[[], Contender | Found]]
UPDATES = 4


def step(**sizes: Any) -> Builders:
    """One training step: the library's gradient, its whole update, its draw of noise, and the baselines."""
    work = Workload(**sizes)
    solved = cache(lambda: reference.solve(work))

    def compared(run: Callable[[], Any], answer: Callable[[], dict[str, Any]] | None = None) -> Contender:
        return Contender(run, lambda: reference.relative_error((answer or run)(), solved().grads))

    def bare() -> Contender:
        products = floor.products(np.asarray(work.params["recurrent"]), solved().sent, solved().credit)
        return compared(products, lambda: {"recurrent": products()})

    def plain() -> Contender:
        compiled, key = scan.gradient(work), jax.random.key(1)
        arrays = [work.arrays[name] for name in ("inputs", "targets", "mask")]
        return compared(
            lambda: jax.block_until_ready(compiled(work.params, *arrays, key)),
            lambda: compiled(work.params, *arrays, work.drawn_noise if work.noise else key),
        )

    def eager() -> Contender:
        run = eager_torch.gradient(work)
        return compared(run, lambda: run(work.drawn_noise))

    def layer() -> Contender:
        run, named = eager_torch.layer(work)
        return compared(run, lambda: named(run()))

    def update() -> Contender:
        def error() -> float:
            norm = np.sqrt(sum((grad**2).sum() for grad in solved().grads.values()))
            return reference.relative_error(
                library.first_measures(work), {"loss": np.asarray(solved().loss), "norm": norm}
            )

        return Contender(library.updates(work, UPDATES), error, count=UPDATES)

    return {
        "gradient": lambda: compared(library.gradient(work)),
        "update": update,
        "draw": lambda: Contender(library.draw(work)),
        "floor": bare,
        "scan": plain,
        "torch": eager,
        "torch-layer": layer,
    }


def segments(num_steps: int, num_units: int = 128, num_trials: int = 16) -> Builders:
    """The gradient with the states of whole trials in memory, and of one segment at a time.

    The readout's gradient is one sum over steps and trials, and float32 rounds it the more the longer it is.
    """
    work = Workload(num_steps=num_steps, num_units=num_units, num_trials=num_trials)
    solved = cache(lambda: reference.solve(work).grads)

    def timed(segment: str | None) -> Contender:
        run = library.gradient(work, segment)
        tolerance = TOLERANCE * max(1.0, num_steps / 1000)
        return Contender(run, lambda: reference.relative_error(run(), solved()), tolerance=tolerance)

    return {"whole": lambda: timed(None), "sqrt": lambda: timed("sqrt")}


def memory(num_steps: Sequence[int], num_units: int = 128, num_trials: int = 16) -> Builders:
    """Memory of a gradient, and its exponents in the number of steps: as measured, and as XLA plans it."""
    table = cache(lambda: peaks.measure(num_steps, num_units=num_units, num_trials=num_trials, repeats=0))

    def exponent(option: str, variable: str) -> Found:
        return Found(peaks.exponent(table()[variable].sel(option=option)))

    def peak(option: str, steps: int) -> Found:
        return Found(float(table()["peak_memory"].sel(option=option, num_steps=steps)))

    exponents = {
        f"{option} {source}": partial(exponent, option, f"{source}_memory")
        for option in ("whole", "sqrt")
        for source in ("peak", "planned")
    }
    bytes_of = {
        f"{option} T={steps}": partial(peak, option, steps)
        for option in ("whole", "sqrt")
        for steps in num_steps
    }
    return {**exponents, **bytes_of}


def cores(num_trials: int, num_seeds: int, num_units: int = 128) -> Builders:
    """Training steps on one core and on two of them."""
    work = Workload(num_units=num_units, num_trials=num_trials)

    def on(count: int) -> Contender:
        run = library.updates(work, UPDATES, count, num_seeds)

        def error() -> float:
            one = library.updates(work, UPDATES, 1, num_seeds)().params
            return reference.relative_error(run().params, {k: np.asarray(v, float) for k, v in one.items()})

        return Contender(run, error, count=UPDATES)

    if jax.local_device_count() < 2:
        raise RuntimeError("two CPU devices are needed")
    return {"one": lambda: on(1), "two": lambda: on(2)}


def noise(num_units: int, num_trials: int = 64, num_steps: int = 150) -> Builders:
    """Normal numbers (time, unit) of every trial: the library's generator and JAX's."""
    keys = jax.random.split(jax.random.key(0), num_trials)

    def timed(draw: Callable[[Any], Any]) -> Contender:
        compiled = jax.jit(jax.vmap(draw))
        return Contender(lambda: compiled(keys).block_until_ready())

    return {
        "library": lambda: timed(lambda key: gaussian.normal(key, num_steps, num_units)),
        "jax": lambda: timed(lambda key: jax.random.normal(key, (num_steps, num_units))),
    }


def trials(task: str, num_units: int = 128, num_trials: int = 64) -> Builders:
    """A batch of a task's trials, compiled, without noise; and the BPTT gradient on that batch."""
    made = dataclasses.replace(tasks.make(task), noise=0.0)
    circuit = for_task(made, num_units)
    keys = jax.random.split(jax.random.key(0), num_trials)
    batch = jax.jit(jax.vmap(made.trial))

    def gradient() -> Contender:
        params, rule = circuit.init(key=jax.random.key(1)), BPTT()

        @jax.jit
        def compiled(params: Any, trials: Any, key: Any) -> Any:
            return rule.gradient(circuit, params, {}, trials, SquaredError(), key=key)[0]

        arguments = (params, batch(keys), jax.random.key(2))
        return Contender(lambda: jax.block_until_ready(compiled(*arguments)))

    return {
        "trials": lambda: Contender(lambda: jax.block_until_ready(batch(keys))),
        "gradient": gradient,
    }


def processes() -> Builders:
    """New processes, from start to end: the interpreter alone, the import, the command line's help."""
    python = [sys.executable, "-c"]
    script = str(Path(sys.executable).with_name("throughtime"))
    commands = {"bare": [*python, ""], "import": [*python, "import throughtime"], "help": [script, "--help"]}

    def started(command: list[str]) -> Contender:
        def run() -> None:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise RuntimeError(f"{Path(command[0]).name} {command[-1]} failed: {last}")

        run()
        return Contender(run)

    return {name: lambda command=command: started(command) for name, command in commands.items()}
