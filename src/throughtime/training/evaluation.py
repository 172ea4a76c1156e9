"""Held-out trials of a trained ensemble, with everything recorded."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import keys
from throughtime.circuits.simulate import forward
from throughtime.credit import tiles
from throughtime.training import settings
from throughtime.training.record import EvaluationRecord
from throughtime.training.update import after_trials, held_out_keys


@partial(jax.jit, static_argnames=("task", "circuit", "num_trials", "purpose", "carry_state"))
def _observe(
    task: Any,
    circuit: Any,
    num_trials: int,
    purpose: str,
    carry_state: bool,
    params: Any,
    data_seeds: Any,
    update: Any,
) -> Any:
    def one(both: tuple[Any, Any]) -> Any:
        params, data_seed = both
        weights = circuit.weights(params)
        held_out = held_out_keys(keys.seed_key(data_seed, "data"), purpose, update, num_trials, carry_state)

        def tile(both: tuple[Any, Any], weight: Any) -> Any:
            each, previous = both
            trials = jax.vmap(task.trial)(each)
            start = None if previous is None else after_trials(task, circuit, params, previous)
            unfolded, outputs = forward(circuit, params, weights, trials, each, start)
            scores = jax.vmap(task.score, in_axes=(1, 0))(outputs, trials)
            timed = (outputs, unfolded.read, unfolded.states)
            return trials, scores, jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), timed)

        return tiles.join(tiles.map_tiles(tile, held_out), num_trials)

    return jax.lax.map(one, (params, data_seeds))


def evaluate(
    task: Any,
    circuit: Any,
    params: dict[str, Any],
    *,
    seeds: Any,
    data_seeds: Any = None,
    num_trials: int = 256,
    purpose: str = "test",
    update: int = 0,
    carry_state: bool = False,
) -> EvaluationRecord:
    """Run trials no training update has seen, with the circuit's noise on.

    Args:
        task, circuit: frozen configuration objects; the task may differ from the trained one in anything
            but its channels and dt (untrained delays, say).
        params: name -> (seed, …).
        seeds: labels of the seeds; ``data_seeds``: seeds of the trials, the labels by default.
        num_trials: trials per seed.
        purpose: ``"test"``, ``"validation"`` or ``"analysis"``; ``update``: index of the block of trials.
        carry_state: start each trial where another held-out trial ended, as in training with carried states.

    Raises:
        ValueError: if circuit and task do not fit, or ``purpose`` is not a held-out one.
    """
    settings.check_fit(task, circuit)
    settings.check_carry(carry_state, circuit)
    num_trials = settings.count("num_trials", num_trials)
    if purpose not in keys.PURPOSES or purpose == "train":
        held_out = ", ".join(repr(name) for name in keys.PURPOSES if name != "train")
        raise ValueError(f"evaluate: purpose {purpose!r} is not a held-out one; use {held_out}.")
    labels = np.asarray(seeds, np.int64)
    numbers = jnp.asarray(labels if data_seeds is None else data_seeds, jnp.uint32)
    free = {name: jnp.asarray(value) for name, value in params.items()}
    found = _observe(task, circuit, num_trials, purpose, carry_state, free, numbers, jnp.int32(update))
    trials, scores, (outputs, rates, states) = jax.tree.map(np.asarray, found)
    return EvaluationRecord(
        dt=float(task.dt),
        seeds=labels,
        inputs=trials.inputs,
        targets=trials.targets,
        mask=trials.mask,
        valid=trials.valid,
        outputs=outputs,
        rates=rates,
        states=states,
        epochs={name: np.stack(both, axis=-1) for name, both in trials.epochs.items()},
        conditions=trials.conditions,
        scores=scores,
        input_names=tuple(task.input_names),
        output_names=tuple(task.output_names),
        circuit=circuit,
    )
