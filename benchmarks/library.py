"""What the library itself does in a workload, as functions that return when the work is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workload import Workload
from throughtime.circuits import Circuit
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT
from throughtime.training.plan import SeedState
from throughtime.training.update import advance

LEARNING_RATE = 1e-4


def gradient(work: Workload, segment: int | str | None = None) -> Callable[[], dict[str, Any]]:
    """The jitted BPTT gradient of the batch, with whole trials or segments of them in memory."""
    compiled, (trials, key) = jitted_gradient(work.circuit, segment), work.batch
    return lambda: jax.block_until_ready(compiled(work.params, trials, key))


def jitted_gradient(circuit: Circuit, segment: int | str | None = None) -> Any:
    """``(params, trials, key) -> grads``, jitted."""
    objective, rule = SquaredError(), BPTT(segment=segment)

    @jax.jit
    def compiled(params: Any, trials: Any, key: Any) -> Any:
        return rule.gradient(circuit, params, {}, trials, objective, key=key)[0]

    return compiled


def updates(work: Workload, count: int, cores: int = 1, num_seeds: int = 1) -> Callable[[], SeedState]:
    """``count`` whole training steps of every seed: trials from keys, gradient, adam, on the device."""
    run = _advance(work, cores, num_seeds)
    return lambda: run(count)[0]


def first_measures(work: Workload) -> dict[str, np.ndarray]:
    """Loss and gradient norm of the first training step, by the compiled update that is timed."""
    measures = _advance(work, 1, 1)(1)[1]
    return {"loss": np.asarray(measures[0, 0]), "norm": np.asarray(measures[0, 1])}


def _advance(work: Workload, cores: int, num_seeds: int) -> Callable[[int], tuple[SeedState, Any]]:
    plan, states = work.plan(cores), work.states(num_seeds)
    rates = jnp.full(64, LEARNING_RATE, jnp.float32)
    return lambda count: jax.block_until_ready(advance(plan, states, jnp.array(0), jnp.array(count), rates))


def draw(work: Workload) -> Callable[[], Any]:
    """The batch's recurrent noise alone, (time, trial, unit), in the tiles of the training step."""
    from throughtime.credit import tiles

    @jax.jit
    def compiled(keys: Any) -> Any:
        def tile(keys: Any, weight: Any) -> Any:
            return jax.vmap(lambda key: work.circuit.noise(key, work.num_steps), out_axes=1)(keys)

        return tiles.map_tiles(tile, keys)

    return lambda: jax.block_until_ready(compiled(work.trial_keys))
