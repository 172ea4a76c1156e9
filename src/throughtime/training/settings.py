"""Checks of what a user asks of training, before anything is compiled."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.training.plan import OPTIMIZERS, Clip

STOPS = ("criterion", "budget")


def check_fit(task: Any, circuit: Any) -> None:
    """Refuse a circuit that was made for other channels or another step than the task's.

    Raises:
        ValueError: naming both sides and the remedy.
    """
    pairs = (
        ("num_inputs", circuit.num_inputs, len(task.input_names)),
        ("num_outputs", circuit.num_outputs, len(task.output_names)),
        ("dt", circuit.dt, task.dt),
    )
    for name, of_circuit, of_task in pairs:
        if of_circuit != of_task:
            raise ValueError(
                f"train: the circuit's {name} is {of_circuit}, the task needs {of_task}; "
                "make the circuit with throughtime.circuits.for_task(task, ...)."
            )


def count(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``.

    Raises:
        ValueError: otherwise.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"train: {name} {value!r} is not a whole number >= {least}.")
    return int(value)


def labels(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Labels of the replicates; a number n stands for ``range(n)``.

    Raises:
        ValueError: as :func:`seed_list`.
    """
    return seed_list("seeds", range(count("seeds", seeds)) if isinstance(seeds, int) else seeds)


def seed_list(name: str, seeds: int | Iterable[int], length: int | None = None) -> tuple[int, ...]:
    """Seeds as a tuple; a single number stands for every seed of the run.

    Raises:
        ValueError: if empty, of another length than ``length``, negative, or not whole numbers.
    """
    if isinstance(seeds, int | np.integer):
        listed: tuple[Any, ...] = (seeds,) * (1 if length is None else length)
    else:
        listed = tuple(seeds)
    if not listed or not all(
        isinstance(seed, int | np.integer) and not isinstance(seed, bool) and 0 <= seed < 2**32
        for seed in listed
    ):
        raise ValueError(f"train: {name} {listed!r}: expected whole numbers from 0 to 2³² − 1, at least one.")
    if length is not None and len(listed) != length:
        raise ValueError(
            f"train: {name} has {len(listed)} entries, seeds has {length}; give one for each seed."
        )
    if length is None and len(set(listed)) != len(listed):
        raise ValueError(f"train: {name} {listed!r}: a seed appears twice; each labels one replicate.")
    return tuple(int(seed) for seed in listed)


def rates(learning_rate: float | Sequence[float] | Callable[[Any], Any], num_updates: int) -> np.ndarray:
    """Learning rate of every update, (update,) float32.

    Args:
        learning_rate: a number, one number per update, or an optax schedule (a function of the update).

    Raises:
        ValueError: if it is negative, not finite, or has another length than ``num_updates``.
    """
    if callable(learning_rate):
        import jax
        import jax.numpy as jnp

        values = np.asarray(
            jax.vmap(lambda update: jnp.asarray(learning_rate(update), float))(jnp.arange(num_updates))
        )
    else:
        values = np.asarray(learning_rate, float)
        if values.ndim == 0:
            values = np.full(num_updates, values)
    if values.shape != (num_updates,):
        raise ValueError(
            f"train: learning_rate has shape {values.shape}; "
            f"give one number, a schedule, or {num_updates} numbers."
        )
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("train: learning_rate has a negative or non-finite value; use numbers >= 0.")
    return values.astype(np.float32)


def describe_rates(values: np.ndarray) -> Any:
    """Learning rates as they stand in the configuration: the number, or ends and hash of a schedule."""
    if (values == values[0]).all():
        return float(np.format_float_positional(values[0], unique=True))
    digest = hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()
    return {"first": float(values[0]), "last": float(values[-1]), "sha256": digest}


def describe_optimizer(optimizer: Any) -> str:
    """Name of the optimiser for the configuration; a custom one cannot be rebuilt from it.

    Raises:
        ValueError: for an unknown name, with near names.
        TypeError: for something that is no optax transformation.
    """
    from throughtime.registry import unknown

    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise unknown("optimizer", optimizer, OPTIMIZERS, ", ".join(OPTIMIZERS))
        return optimizer
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise TypeError(f"train: optimizer {optimizer!r} is neither a name nor an optax transformation.")
    return "custom optax transformation"


def clipping(clip: float | Clip | None) -> Clip | None:
    """A number clips the global norm."""
    return clip if clip is None or isinstance(clip, Clip) else Clip(float(clip))


def obey_rule(rule: Any, batch_size: int, optimizer: Any, clip: Clip | None, learning_rate: Any) -> None:
    """Refuse wishes that contradict the rule's traits.

    Raises:
        ValueError: for a batch size the rule does not work with, and for an optimiser, clipping or learning
            rate given to a rule that makes its own steps within the trial.
    """
    traits, name = rule.traits, type(rule).__name__
    if traits.batch_size is not None and batch_size != traits.batch_size:
        raise ValueError(
            f"train: {name} works with batch_size {traits.batch_size} only, got {batch_size}; "
            f"set batch_size={traits.batch_size}."
        )
    if traits.displacement and (optimizer != "sgd" or clip is not None or learning_rate != 1.0):
        raise ValueError(
            f"train: {name} makes its own steps within the trial; use optimizer='sgd', learning_rate=1.0 and "
            "no clipping, and set the step size in the rule."
        )


def check_carry(carry_state: Any, circuit: Any) -> None:
    """Refuse carried states where they would make another setting idle.

    Raises:
        ValueError: if ``carry_state`` is no bool, or the circuit learns its initial state or has a readout
            with a memory of its own.
    """
    if not isinstance(carry_state, bool):
        raise ValueError(f"train: carry_state {carry_state!r} is neither True nor False.")
    if carry_state and circuit.readout_tau is not None:
        raise ValueError(
            f"train: carry_state=True carries the state of the neurons, not the outputs of a readout with "
            f"readout_tau {circuit.readout_tau:g} ms, which would start at 0 in the middle of a stream; use "
            "readout_tau=None, or carry_state=False."
        )
    if carry_state and set(circuit.initial.init_params(circuit)) - set(circuit.initial.fixed_params(circuit)):
        raise ValueError(
            "train: carry_state=True starts each trial where the last one ended, so the learned initial "
            "state of this circuit would never be used; use initial=Rest(), or carry_state=False."
        )


def check_trained(rule: Any, circuit: Any) -> None:
    """Refuse a rule and a circuit that together train nothing.

    Raises:
        ValueError: naming what the rule trains and what the circuit keeps fixed.
    """
    wanted = rule.traits.trained
    names = set(circuit.param_names) if isinstance(wanted, str) else set(wanted)
    if not names - set(circuit.untrained):
        raise ValueError(
            f"train: nothing is left to train: the rule trains {sorted(names)}, the circuit keeps "
            f"{sorted(circuit.untrained)} fixed."
        )


def own_steps(
    step_sizes: Mapping[str, float] | Sequence[tuple[str, float]] | None, rule: Any, circuit: Any
) -> tuple[tuple[str, float], ...]:
    """Step sizes of parameters that do not follow the learning rate, by name; a study gives them as pairs.

    Raises:
        ValueError: for a parameter there is not or that is fixed, a step size that is no number of at least
            0, and a rule that makes its own steps.
    """
    if not step_sizes:
        return ()
    if rule.traits.displacement:
        raise ValueError(
            f"train: {type(rule).__name__} makes its own steps within the trial; leave out step_sizes, and "
            "set the step size in the rule."
        )
    free = sorted(set(circuit.param_names) - set(circuit.untrained))
    sizes = dict(step_sizes)
    for name, size in sizes.items():
        if name not in free:
            raise ValueError(f"train: step_sizes of {name!r}, which is not trained; use {', '.join(free)}.")
        if isinstance(size, bool) or not isinstance(size, int | float) or not 0 <= size < math.inf:
            raise ValueError(f"train: step_sizes[{name!r}] {size!r} is not a number >= 0.")
    return tuple(sorted((name, float(size)) for name, size in sizes.items()))


def initial_params(params: dict[str, Any], circuit: Any, num_seeds: int) -> dict[str, np.ndarray]:
    """Given initial parameters with a leading axis seed.

    Raises:
        ValueError: if names or shapes are not those of the circuit.
    """
    import jax

    wanted = jax.eval_shape(lambda key: circuit.init(key=key), jax.random.key(0))
    if set(params) != set(wanted):
        raise ValueError(f"train: params has {sorted(params)}, the circuit needs {sorted(wanted)}.")
    spread = {}
    for name, like in wanted.items():
        array = np.asarray(params[name], np.float32)
        if array.shape == like.shape:
            array = np.broadcast_to(array, (num_seeds, *like.shape))
        if array.shape != (num_seeds, *like.shape):
            raise ValueError(
                f"train: params[{name!r}] has shape {array.shape}, expected {like.shape}, "
                f"or with a leading axis of {num_seeds} seeds."
            )
        spread[name] = np.array(array)
    return spread
