"""How well a batch of trials was done, by a rate circuit or by spikes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.tasks.choice import Choice

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial


def check_peak(task: Any, peak: float | None) -> None:
    """Refuse a peak that the task has no use for.

    Raises:
        ValueError: for a task without a choice reported by sign, and a peak that its targets do not reach.
    """
    if peak is None:
        return
    if not (isinstance(task, Choice) and task.report == "signed"):
        raise ValueError(
            f"transfer: peak {peak!r} judges a choice reported by the sign of an output, which "
            f"{type(task).__name__} here does not have; leave it out, and the task's own score judges."
        )
    if not 0 <= peak < task.high:
        raise ValueError(f"transfer: peak {peak!r} has to lie from 0 to below {task.high:g}, the target.")


@partial(jax.jit, static_argnames=("task", "peak"))
def correct(task: Any, outputs: Array, trials: Trial, peak: float | None = None) -> Array:
    """Whether each trial was correct, (trial,): as the task says, or by the peak.

    Args:
        outputs: (trial, time, output); trials: leaves (trial, …).
        peak: what the output has to exceed at any time of the response, on the side of the correct choice.
    """
    if peak is None:
        found: Array = jax.vmap(task.score)(outputs, trials)["correct"]
        return found

    def one(outputs: Array, trial: Trial) -> Array:
        go, offset = trial.epochs["response"]
        window = task.timeline.box(go + task.grace, offset)
        side = jnp.where(trial.conditions["correct_choice"] == 1, 1.0, -1.0)
        chosen = side * outputs[:, int(task.fixation_output)]
        reached = jnp.where(window >= window.max() / 2, chosen, -jnp.inf)
        return jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None]) & (reached.max() > peak)

    return jax.vmap(one)(outputs, trials)


def errors(outputs: np.ndarray, trials: Trial) -> np.ndarray:
    """Root of the summed squared error of each trial, (trial,), where it counts for the loss.

    ``√(Σ_{t,o} m (z − z*)²)`` with the loss weight m, outputs z and targets z*.

    Args:
        outputs: (trial, time, output); trials: leaves (trial, …), NumPy arrays.
    """
    weight = trials.mask * trials.valid[..., None]
    away = np.where(weight > 0, outputs - trials.targets, 0.0)
    root: np.ndarray = np.sqrt((weight * away**2).sum((1, 2)))
    return root
