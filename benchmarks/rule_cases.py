"""Cases of the learning rules: a step of each against a step of BPTT, and what traces cost as N grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
import numpy as np

from benchmarks.timing import Contender, Found
from benchmarks.workload import Workload
from throughtime import rules
from throughtime.circuits import Circuit, Dense, Leaky
from throughtime.objectives import SquaredError
from throughtime.trial import Trial

Builders = dict[str, Callable[[], Contender | Found]]
REFERENCE = "bptt"


def adjoint(names: Sequence[str], num_units: int, form: str = "current") -> Builders:
    """The gradient of one batch by each rule, and by BPTT: 64 trials of 150 steps."""
    work = Workload(num_units=num_units, form=form)

    def timed(name: str) -> Contender:
        rule, objective = rules.make(name), SquaredError()
        state = rule.init(work.circuit, work.params, key=jax.random.key(0))

        @jax.jit
        def compiled(params: Any, state: Any, trials: Any, key: Any) -> Any:
            return rule.gradient(work.circuit, params, state, trials, objective, key=key)[0]

        trials, key = work.batch
        return Contender(lambda: jax.block_until_ready(compiled(work.params, state, trials, key)))

    return {name: partial(timed, name) for name in dict.fromkeys((REFERENCE, *names))}


def stream(
    num_units: int, num_steps: int, num_inputs: int = 2, num_outputs: int = 2
) -> tuple[Circuit, Trial]:
    """A circuit of leaky units in the rate form, and one trial of random numbers as a batch."""
    circuit = Circuit(
        num_inputs,
        num_units,
        num_outputs,
        dynamics=Leaky(tau=40.0, form="rate"),
        recurrent=Dense(distribution="orthogonal"),
    )
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 2, (1, num_steps, num_inputs)).astype(np.float32)
    targets = rng.normal(size=(1, num_steps, num_outputs)).astype(np.float32)
    trial = Trial(inputs, targets, np.ones_like(targets), np.ones((1, num_steps), bool), {}, {})
    return circuit, trial


def online(name: str, num_units: int, num_steps: int, num_seeds: int) -> tuple[Any, tuple[Any, ...]]:
    """The jitted displacement of one trial for many seeds side by side, and its arguments."""
    circuit, trial = stream(num_units, num_steps)
    rule, objective = rules.make(name, online=True, step_size=1e-3), SquaredError()
    each = jax.random.split(jax.random.key(0), num_seeds)
    params = jax.vmap(lambda key: circuit.init(key=key))(each)
    state = jax.vmap(lambda one, key: rule.init(circuit, one, key=key))(params, each)

    @jax.jit
    def compiled(params: Any, state: Any, keys: Any) -> Any:
        def one(params: Any, state: Any, key: Any) -> Any:
            return rule.gradient(circuit, params, state, trial, objective, key=key)[0]

        return jax.vmap(one)(params, state, keys)

    return compiled, (params, state, each)


def timed_once(compiled: Any, arguments: tuple[Any, ...]) -> float:
    """Processor seconds of one run: an order is not to depend on what else the machine does."""
    began = time.process_time()
    jax.block_until_ready(compiled(*arguments))
    return time.process_time() - began


def trace_steps(names: Sequence[str], num_units: int, num_seeds: int, num_steps: int = 500) -> Builders:
    """Microseconds of one step of one seed of each rule that moves its weights within the trial.

    The seeds advance side by side; the median of several runs.
    """

    def found(name: str, repeats: int = 7) -> Found:
        program = online(name, num_units, num_steps, num_seeds)
        timed_once(*program)
        seconds = np.median([timed_once(*program) for _ in range(repeats)])
        return Found(float(1e6 * seconds / (num_steps * num_seeds)))

    return {name: partial(found, name) for name in names}


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Slope of the logarithm of ``values`` over that of ``sizes``.

    Example:
        >>> round(exponent((10, 20, 40), (300.0, 1200.0, 4800.0)), 6)
        2.0
    """
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def orders(name: str, sizes: Sequence[int], num_steps: int, repeats: int = 7) -> Builders:
    """Exponents in N of a step in trace form: of time, of operations as XLA counts them, and of memory.

    Memory is what is carried from step to step. Time has another exponent than operations where moving the
    arrays costs more than computing with them.
    """

    @cache
    def programs() -> list[tuple[Any, tuple[Any, ...]]]:
        return [online(name, size, num_steps, 1) for size in sizes]

    def of_time() -> Found:
        for program in programs():
            timed_once(*program)
        rounds = [[timed_once(*program) for program in programs()] for _ in range(repeats)]
        return Found(exponent(sizes, np.median(rounds, axis=0)))

    def of_memory() -> Found:
        return Found(exponent(sizes, [carried(name, size) for size in sizes]))

    def of_operations() -> Found:
        counts = []
        for compiled, arguments in programs():
            counts.append(compiled.lower(*arguments).compile().cost_analysis()["flops"])
        return Found(exponent(sizes, counts))

    return {"time": of_time, "operations": of_operations, "memory": of_memory}


def carried(name: str, num_units: int) -> float:
    """Numbers a rule carries from step to step for one trial, beside the state of the circuit."""
    circuit, _ = stream(num_units, 2)
    rule = rules.make(name, online=True, step_size=1e-3)
    params = jax.eval_shape(lambda: circuit.init(key=jax.random.key(0)))

    def start(params: Any) -> Any:
        state = rule.init(circuit, params, key=jax.random.key(0))
        return rule.initial_carry(circuit, params, state, 1)

    found = jax.eval_shape(start, params)
    return float(
        sum(np.prod(leaf.shape) for name, leaf in leaves(found) if name not in circuit.dynamics.state_names)
    )


def leaves(tree: Any) -> list[tuple[str, Any]]:
    """First key and leaf of everything in a dict of trees."""
    return [(name, leaf) for name, part in tree.items() for leaf in jax.tree.leaves(part)]


def memory_in_time(names: Sequence[str], num_steps: Sequence[int], num_units: int = 64) -> Builders:
    """Exponent in T of the working memory XLA plans for the gradient of one trial."""

    def planned(name: str, steps: int, within: bool) -> float:
        circuit, trial = stream(num_units, steps)
        rule = rules.make(name, online=True, step_size=1e-3) if within else rules.make(name)
        params = circuit.init(key=jax.random.key(0))
        state = rule.init(circuit, params, key=jax.random.key(0))
        compiled = jax.jit(
            lambda params, state, key: rule.gradient(circuit, params, state, trial, SquaredError(), key=key)[
                0
            ]
        ).lower(params, state, jax.random.key(1))
        return float(compiled.compile().memory_analysis().temp_size_in_bytes)

    def found(name: str, within: bool) -> Found:
        return Found(exponent(num_steps, [planned(name, steps, within) for steps in num_steps]))

    return {
        f"{name} {words}": partial(found, name, within)
        for name in names
        for words, within in (("after", False), ("within", True))
    }
